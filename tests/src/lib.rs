//! The cases of `spec/cases`, loaded and run: what every language must decide alike.

pub mod decisions;
pub mod differ;
pub mod generate;
pub mod guards;
pub mod invalid;
pub mod loopback;
pub mod messages;
pub mod plain;
pub mod points;
pub mod property;
pub mod relayed;
pub mod risk;
pub mod sequences;
pub mod stricter;
pub mod suites;
pub mod traffic;
pub mod wrong;
pub mod yaml;

pub use callgate_analysis::caller;

use std::fs;
use std::path::{Path, PathBuf};

/// The project's folder.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The JSON files of a folder under `spec/cases`, sorted by name, with their texts.
pub fn case_files(folder: &str) -> Vec<(String, String)> {
    json_files(&format!("spec/cases/{folder}"))
}

/// The JSON files of a folder of the project, sorted by name, with their texts.
pub fn json_files(folder: &str) -> Vec<(String, String)> {
    let folder = project().join(folder);
    let read = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = read
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no JSON files in {}", folder.display());
    files
}
