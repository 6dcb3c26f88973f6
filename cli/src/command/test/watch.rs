//! Running again whenever a file changes.
//!
//! In: what a run read. Out: another run. Looks at times and sizes of files, several times a second.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use super::{find, once};
use crate::args::TestArgs;
use crate::failure::Outcome;

/// Time between looks.
const EVERY: Duration = Duration::from_millis(250);

/// A file as it was last seen.
type Stamp = (PathBuf, Option<(SystemTime, u64)>);

/// Runs until the process is stopped.
pub(super) fn run(args: &TestArgs) -> Outcome {
    loop {
        if io::stdout().is_terminal() {
            // Clears the screen: what is on it is of the run before.
            print!("\u{1b}[2J\u{1b}[H");
            io::stdout().flush()?;
        }
        let read = match once(args) {
            Ok((read, _)) => read,
            // A file that is being renamed, a folder that is still empty: it may be there the next time.
            Err(failure) => {
                let _ = failure.report();
                Vec::new()
            }
        };
        let seen = stamps(args, &read);
        eprintln!("watching {} files", seen.len());
        while stamps(args, &read) == seen {
            sleep(EVERY);
        }
    }
}

/// The files of the last run, and the test files that are there now.
fn stamps(args: &TestArgs, read: &[PathBuf]) -> Vec<Stamp> {
    let mut files = find::test_files(&args.paths).unwrap_or_default();
    files.extend_from_slice(read);
    files.sort();
    files.dedup();
    let stamp = |path: PathBuf| {
        let found = fs::metadata(&path).and_then(|found| Ok((found.modified()?, found.len())));
        (path, found.ok())
    };
    files.into_iter().map(stamp).collect()
}
