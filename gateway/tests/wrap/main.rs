//! Configurations of MCP clients, with callgate in front of their servers and without.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "tests may fail by panicking, and compute"
)]

mod clients;
mod entries;
mod files;
mod generated;
mod mutated;
mod refused;

use std::fs;
use std::path::{Path, PathBuf};

use callgate_gateway::wrap::{Change, Configuration, ServerState, WrapError, Wrapping};

const PROGRAM: &str = "/opt/bin/callgate";
const POLICY: &str = "/etc/callgate/policy.yaml";

/// An empty folder of a test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrap").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A configuration in a folder of its own.
fn file(folder_name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder(folder_name).join("mcp.json");
    fs::write(&path, text).unwrap();
    path
}

fn dry() -> Wrapping {
    Wrapping::new(PROGRAM)
}

fn enforced() -> Wrapping {
    dry().policy(POLICY)
}

/// Wraps a file, and writes it.
fn wrap(path: &Path, wrapping: &Wrapping) -> Change {
    let change = Configuration::read(path).unwrap().wrap(wrapping).unwrap();
    change.write().unwrap();
    change
}

/// Undoes it, and writes the file.
fn undo(path: &Path) -> Change {
    let change = Configuration::read(path).unwrap().undo(PROGRAM, &[]).unwrap();
    change.write().unwrap();
    change
}

fn states(change: &Change) -> Vec<(&str, ServerState)> {
    change.servers().iter().map(|server| (&*server.name, server.state)).collect()
}

/// Why a text cannot be wrapped.
fn error(folder_name: &str, text: impl AsRef<[u8]>) -> String {
    let result =
        Configuration::read(&file(folder_name, text)).and_then(|read| read.wrap(&enforced()).map(drop));
    let error: WrapError = result.unwrap_err();
    let (_, message) =
        error.to_string().split_once("mcp.json:").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    message
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
