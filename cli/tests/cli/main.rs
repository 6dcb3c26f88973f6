//! The command line as its users run it: the real binary, its output and its exit status.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "tests may fail by panicking, and compute"
)]

mod approvals;
mod approvals_guide;
mod audit;
mod authors_guide;
mod catalogue;
mod check;
mod counters;
mod coverage;
mod eval;
mod explain;
mod explain_tool;
mod gateway;
mod general;
mod guide;
mod lock_guide;
mod operators_guide;
#[cfg(target_os = "linux")]
mod proxy;
mod readme;
#[cfg(target_os = "linux")]
mod scan;
mod stack;
mod stream;
mod test;
mod warnings;
mod wrap;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, thread};

/// What a run came to.
struct Run {
    status: i32,
    out: String,
    err: String,
}

/// Runs `callgate`.
fn callgate(args: &[&str]) -> Run {
    callgate_with(args, b"")
}

/// Runs `callgate` with something on its standard input.
fn callgate_with(args: &[&str], input: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_callgate"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A run that reads nothing closes the pipe, which is not a failure.
    let feeder = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Run {
        status: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: wherever(&String::from_utf8(output.stderr).unwrap()),
    }
}

/// What is said wherever the project lies: `wrap` warns of a program in a folder of temporary files, and this one may be there.
fn wherever(said: &str) -> String {
    let place =
        format!("warning: this program may not stay where it is: {}\n", env!("CARGO_BIN_EXE_callgate"));
    let help = "help: install it, or name one that stays with `--command`\n";
    said.replace(&format!("{place}{help}"), "")
}

/// One of the policies of `spec/`.
fn policy(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/policies").join(name).to_str().unwrap().to_owned()
}

/// A file of a test's own.
fn file(name: &str, text: impl AsRef<[u8]>) -> String {
    let path: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}
