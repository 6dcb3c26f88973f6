//! Processes that a test starts: its own program anew, which runs the same test and finds its number and the file in its environment.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How many processes share a file.
pub(crate) const PROCESSES: usize = 8;
const FILE: &str = "CALLGATE_TEST_SHARED_FILE";
const NUMBER: &str = "CALLGATE_TEST_PROCESS";
/// Before what a process tells.
const TOLD: &str = "told: ";

/// What a started process is given: the file, and its number.
pub(crate) fn given() -> Option<(PathBuf, usize)> {
    let (file, number) = (env::var_os(FILE)?, env::var(NUMBER).ok()?);
    Some((file.into(), number.parse().ok()?))
}

/// Starts one process. `test` is the full name of the calling test.
pub(crate) fn start(test: &str, file: &Path, number: usize) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(FILE, file).env(NUMBER, number.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Starts all, and returns what each told.
pub(crate) fn all(test: &str, file: &Path) -> Vec<i64> {
    let processes: Vec<_> = (0..PROCESSES).map(|number| start(test, file, number)).collect();
    let told = processes.into_iter().map(|process| {
        let output = process.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        // The harness of tests may write on the same line.
        let told = text.split(TOLD).nth(1).and_then(|rest| rest.lines().next());
        told.and_then(|number| number.parse().ok()).unwrap()
    });
    told.collect()
}

/// Tells the process that started this one.
pub(crate) fn tell(number: i64) {
    println!("\n{TOLD}{number}");
}
