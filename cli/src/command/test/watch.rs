//! Running again whenever a file changes.
//!
//! In: what a run read. Out: another run. Looks at times and sizes of files, several times a second.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use super::{find, once};
use crate::args::TestArgs;
use crate::failure::{Failure, Outcome};

/// Time between looks.
const EVERY: Duration = Duration::from_millis(250);

/// Time and size of a file; `None` where it is not there.
type Stamp = Option<(SystemTime, u64)>;

/// Files as they were before they were read, so that what changes during a run counts, too.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen(BTreeMap<PathBuf, Stamp>);

impl Seen {
    /// Notes a file that is about to be read.
    pub(super) fn note(&mut self, path: &Path) {
        self.0.entry(path.to_owned()).or_insert_with(|| stamp(path));
    }

    /// Whether a file is not as it was, or a test file came or went.
    fn has_changed(&self, files: &[PathBuf], args: &TestArgs) -> bool {
        self.0.iter().any(|(path, seen)| stamp(path) != *seen) || test_files(args) != files
    }
}

/// Runs until the process is stopped.
pub(super) fn run(args: &TestArgs) -> Outcome {
    // What is not there when it begins was misspelt; later, it may be on its way.
    for path in &args.paths {
        fs::metadata(path).map_err(|error| Failure::reading(path, &error))?;
    }
    loop {
        if io::stdout().is_terminal() {
            // Clears the screen: what is on it is of the run before.
            print!("\u{1b}[2J\u{1b}[H");
            io::stdout().flush()?;
        }
        let files = test_files(args);
        let mut seen = Seen::default();
        if let Err(failure) = once(args, &mut seen) {
            // A file that is being renamed, a folder that is still empty: it may be there the next time.
            let _ = failure.report();
        }
        eprintln!("watching {} files", seen.0.len());
        while !seen.has_changed(&files, args) {
            sleep(EVERY);
        }
    }
}

/// The test files that are there.
fn test_files(args: &TestArgs) -> Vec<PathBuf> {
    find::test_files(&args.paths).unwrap_or_default()
}

fn stamp(path: &Path) -> Stamp {
    fs::metadata(path).and_then(|found| Ok((found.modified()?, found.len()))).ok()
}
