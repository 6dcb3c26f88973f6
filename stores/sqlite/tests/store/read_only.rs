//! A file that may only be read: every call gets an answer, and service resumes by itself when it may be written.
//!
//! To root every file may be written, so the calls are made by a process of another user: this program again, which finds the
//! directory in its environment.

#![cfg(unix)]

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use callgate::store::Algorithm;
use callgate_sqlite::SqliteStore;

use crate::charges::{charge, counter, is_taken, used};
use crate::scratch::{Scratch, open, options};

const TEST: &str = "read_only::a_file_that_may_only_be_read_denies_until_it_may_be_written";
const DIRECTORY: &str = "CALLGATE_TEST_READ_ONLY";
const NOBODY: u32 = 65_534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// To root, every file may be.
fn may_write(file: &Path) -> bool {
    fs::OpenOptions::new().write(true).open(file).is_ok()
}

fn write_as_nobody(directory: &Path) {
    let (file, counter) = (directory.join("counters.db"), counter("c", Algorithm::Fixed));
    let denied = |error: callgate::StoreError| {
        assert!(error.to_string().contains("read") || error.to_string().contains("opened"), "{error}");
    };
    assert_eq!(used(&open(&file), &counter, "a", 0), 1);

    // The file, from the start.
    set_mode(&file, 0o400);
    if may_write(&file) {
        // Nobody else could be asked.
        set_mode(&file, 0o600);
    } else {
        let error = SqliteStore::open(&file, &options()).unwrap_err();
        assert!(!error.is_transient() && error.to_string().contains("may only be read"), "{error}");
        // Nothing was made beside it that would stay so.
        for name in ["counters.db-wal", "counters.db-shm"] {
            assert!(!directory.join(name).exists(), "{name}");
        }
        set_mode(&file, 0o600);
        assert!(is_taken(&charge(&open(&file), &counter, "a", 2, 0).unwrap()));
    }
    // Its directory: the log cannot be made beside it.
    set_mode(directory, 0o500);
    match SqliteStore::open(&file, &options()) {
        Err(error) => denied(error),
        Ok(store) => denied(charge(&store, &counter, "a", 9, 0).unwrap_err()),
    }
    set_mode(directory, 0o700);
    assert!(is_taken(&charge(&open(&file), &counter, "a", 9, 0).unwrap()));
}

#[test]
fn a_file_that_may_only_be_read_denies_until_it_may_be_written() {
    if let Some(directory) = env::var_os(DIRECTORY) {
        return write_as_nobody(Path::new(&directory));
    }
    let scratch = Scratch::new("read-only");
    let (directory, program) = (scratch.path("files"), scratch.path("program"));
    fs::create_dir(&directory).unwrap();
    let counter = counter("c", Algorithm::Fixed);
    assert!(is_taken(&charge(&open(directory.join("counters.db")), &counter, "a", 1, 0).unwrap()));
    let Ok(()) = chown(&directory, Some(NOBODY), Some(NOBODY)) else {
        return write_as_nobody(&directory);
    };
    chown(directory.join("counters.db"), Some(NOBODY), Some(NOBODY)).unwrap();
    // Where another user may read it. Copied by another process: a test beside this one may fork while the copy is open for
    // writing here, and what is open for writing anywhere cannot be run.
    let copied = Command::new("cp").arg(env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    let mut command = Command::new(program);
    command
        .args(["--exact", TEST])
        .env(DIRECTORY, &directory)
        .env("CARGO_TARGET_TMPDIR", "/")
        .uid(NOBODY)
        .gid(NOBODY);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
