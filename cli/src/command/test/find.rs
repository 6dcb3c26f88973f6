//! Test files by their names.
//!
//! In: files and folders. Out: test files, sorted. A path that leads to none is an error: a run must not pass because it looked
//! elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::input::read_file;

/// How names of test files end.
const ENDINGS: [&str; 3] = ["_test.yaml", "_test.yml", "_test.json"];
const NAMES: &str = "test files are called `NAME_test.yaml`, `NAME_test.yml` or `NAME_test.json`";
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
            return Err(Failure::with_help(format!("{}: no test file found", path.display()), NAMES));
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
        } else if is_misnamed(&path, &name) {
            return Err(Failure::with_help(
                format!("{}: it looks like a test file, and is not called one", path.display()),
                NAMES,
            ));
        }
    }
    Ok(())
}

/// Whether a file is a test file by what is in it, but not by its name, such as `payments.test.yaml`: it would never run.
fn is_misnamed(path: &Path, name: &str) -> bool {
    let name = name.to_lowercase();
    if !name.contains("test") || ![".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending)) {
        return false;
    }
    // One that cannot be read is nobody's test file.
    let Ok(text) = read_file(path) else { return false };
    let json: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let has_field = |field: &str| match &json {
        Some(json) => json.get(field).is_some(),
        None => text.lines().any(|line| line.strip_prefix(field).is_some_and(|rest| rest.starts_with(':'))),
    };
    has_field("tests") && (has_field("policy") || has_field("policies"))
}
