//! Test files by their names.
//!
//! In: files and folders. Out: test files, sorted. A path that leads to none is an error: a run must not pass because it looked
//! elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// How names of test files end.
const ENDINGS: [&str; 3] = ["_test.yaml", "_test.yml", "_test.json"];
/// Folders that hold what others wrote.
const FOREIGN: [&str; 2] = ["node_modules", "target"];

/// The test files that some paths lead to; without any, those of the current folder.
pub(super) fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let mut files = Vec::new();
    for path in paths {
        let found = fs::metadata(path).map_err(|error| Failure::reading(path, &error))?;
        if !found.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        search(path, &mut files)?;
        if files.len() == before {
            return Err(Failure::with_help(
                format!("{}: there is no test file in it", path.display()),
                "test files are called `NAME_test.yaml`, `NAME_test.yml` or `NAME_test.json`",
            ));
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// Adds the test files below a folder. Links to folders are not followed, so that it ends.
fn search(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error| Failure::reading(folder, &error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type().map_err(failed)?;
        // `./a_test.yaml` is shown as it would be written.
        let path = if folder == Path::new(".") { PathBuf::from(entry.file_name()) } else { entry.path() };
        if kind.is_dir() {
            if !name.starts_with('.') && !FOREIGN.contains(&&*name) {
                search(&path, files)?;
            }
        } else if ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            files.push(path);
        }
    }
    Ok(())
}
