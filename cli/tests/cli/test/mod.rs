//! `callgate test`: what passes, what fails, and what is an error; where, and how it is shown.

mod formats;
mod nothing;
mod outcomes;
mod places;
mod stacks;
mod watch;
mod ways;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Run;

/// A policy with a block, a limit, an approval and something hidden.
const POLICY: &str = "\
version: \"1\"
default: deny
hide: [wipe]
tools:
  pay:
    rules:
      - name: cap
        conditions: [{path: args.amount, op: lte, value: 100}]
      - name: large
        action: require_approval
        conditions: [{path: args.amount, op: gt, value: 50}]
  list: {}
  \"read_*\": {rules: [{rate_limit: 2/minute}]}
";

/// A folder of a test's own.
struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("test-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file, and gives its path.
    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }

    /// Writes the policy and a test file of it.
    fn suite(&self, text: &str) -> String {
        self.write("p.yaml", POLICY);
        self.write("a_test.yaml", text)
    }

    /// Runs `callgate` in a folder below this one.
    fn callgate_in(&self, below: &str, args: &[&str]) -> Run {
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_callgate"))
            .args(args)
            .current_dir(self.0.join(below))
            .output()
            .unwrap();
        Run {
            status: run.status.code().unwrap(),
            out: String::from_utf8(run.stdout).unwrap(),
            err: String::from_utf8(run.stderr).unwrap(),
        }
    }
}
