//! Directories for one test each.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use callgate_sqlite::{SqliteOptions, SqliteStore};

/// A directory that goes with its test, unless the test fails.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = root().join(format!("callgate-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// In memory where the system offers that: these tests make hundreds of files, and none asks what a disk remembers.
pub(crate) fn root() -> &'static Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) }
}

/// Patient enough for a machine that does much else.
pub(crate) fn options() -> SqliteOptions {
    SqliteOptions::new().with_timeout(Duration::from_secs(30))
}

pub(crate) fn open(path: impl AsRef<Path>) -> SqliteStore {
    SqliteStore::open(path, &options()).unwrap()
}
