//! Records as they lie in files.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "tests may fail by panicking, and compute"
)]

mod chain;
mod files;
mod processes;
mod schema;
mod status;

use std::fs;
use std::path::{Path, PathBuf};

use callgate_gateway::audit::{Call, Event};
use serde_json::Value;

/// A folder of a test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit").join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn records(file: &Path) -> Vec<Value> {
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A call of this request id.
fn call(request: u64) -> Event {
    let call = Call {
        request: Some(request.to_string()),
        method: "tools/call".to_owned(),
        name: Some("pay".to_owned()),
        ..Call::default()
    };
    Event::Call(Box::new(call))
}
