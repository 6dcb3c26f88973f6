//! `--watch`: a real process that runs again after a change.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use super::{Folder, POLICY};

/// A process that watches; it ends with the test, also where that fails.
struct Watch {
    child: Child,
    out: BufReader<ChildStdout>,
    err: BufReader<ChildStderr>,
}

impl Watch {
    fn new(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_callgate"))
            .args(["test", "--watch"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { child, out: BufReader::new(out), err: BufReader::new(err) }
    }

    /// The totals of the next run.
    fn totals(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.out.read_line(&mut line).unwrap(), 0, "the process ended");
            if let Some((totals, _)) = line.split_once("; ") {
                return totals.to_owned();
            }
        }
    }

    /// The next line on standard error that holds a text.
    fn says(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.err.read_line(&mut line).unwrap(), 0, "the process ended");
            if line.contains(part) {
                return line;
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts a file in the place of another, whole: half of one would be a run of its own.
fn put(folder: &Folder, name: &str, text: impl AsRef<[u8]>) -> String {
    let new = folder.write("new", text);
    std::fs::rename(new, folder.path(name)).unwrap();
    folder.path(name)
}

#[test]
fn a_change_of_any_file_runs_the_tests_again() {
    let folder = Folder::new("watch");
    let text = |expect: &str| {
        format!("policy: p.yaml\ntests: [{{name: a, each: [{{tool: list, expect: {expect}}}]}}]\n")
    };
    let path = folder.suite(&text("allow"));
    let mut watch = Watch::new(&[&folder.path("")]);
    assert_eq!(watch.totals(), "1 passed");
    assert_eq!(watch.says("watching"), "watching 2 files\n");

    // No wait between the run and the change: what changes while tests run counts, too.
    put(&folder, "a_test.yaml", text("denied"));
    assert_eq!(watch.totals(), "1 failed");
    put(
        &folder,
        "p.yaml",
        format!("{POLICY}  more: {{}}\n# of the policy\n")
            .replace("list: {}", "list: {rules: [{action: deny}]}"),
    );
    assert_eq!(watch.totals(), "1 passed");

    // A test file more, then one less.
    let other = put(&folder, "b_test.yaml", text("deny"));
    assert_eq!(watch.totals(), "2 passed");
    std::fs::remove_file(other).unwrap();
    assert_eq!(watch.totals(), "1 passed");

    // An error is told, and watched, too; so is a folder in which no test is left.
    put(&folder, "p.yaml", "tools: [");
    assert_eq!(watch.totals(), "1 problem");
    put(&folder, "p.yaml", format!("{POLICY}# again\n"));
    assert_eq!(watch.totals(), "1 failed");
    std::fs::remove_file(&path).unwrap();
    watch.says("no test file found");
    put(&folder, "a_test.yaml", text("allow"));
    assert_eq!(watch.totals(), "1 passed");
}
