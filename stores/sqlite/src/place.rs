//! The identity of the file at a path, to notice when another took its place.
//!
//! In: a path. Out: which file is there. Must not open it: closing it again would release SQLite's locks.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// A file, or none.
#[derive(Default)]
pub(crate) struct Place {
    /// Its device and inode, where the system has those.
    file: Option<(u64, u64)>,
    length: u64,
}

impl Place {
    pub(crate) fn of(path: &Path) -> Self {
        let Ok(found) = fs::metadata(path) else { return Self::default() };
        #[cfg(unix)]
        let file = {
            use std::os::unix::fs::MetadataExt as _;
            Some((found.dev(), found.ino()))
        };
        // An open file can be neither removed nor replaced there.
        #[cfg(not(unix))]
        let file = None;
        Self { file, length: found.len() }
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    fn is_same_file(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

/// A file that was opened, and its log.
pub(crate) struct Opened {
    path: PathBuf,
    log_path: PathBuf,
    file: Place,
    log: Place,
}

impl Opened {
    /// For a file that existed before it was opened, and is open now.
    pub(crate) fn new(path: &Path, file: Place) -> Self {
        let log_path = beside(path, "-wal");
        let log = Place::of(&log_path);
        Self { path: path.to_owned(), log_path, file, log }
    }

    /// Whether the path still leads to the open file.
    pub(crate) fn is_in_place(&self) -> bool {
        Place::of(&self.path).is_same_file(&self.file)
    }

    /// Removes the log that a deleted file left behind: SQLite would take it for part of the next file.
    pub(crate) fn clear_away(&self) {
        let log = Place::of(&self.log_path);
        if log.file.is_some() && log.is_same_file(&self.log) {
            // What cannot be removed shows when the file is opened.
            let _ = fs::remove_file(&self.log_path);
            let _ = fs::remove_file(beside(&self.path, "-shm"));
        }
    }
}

/// SQLite's name for a file that it keeps beside the database.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}
