//! Files: whose they are, who may read them, and those that are not ours.

use std::fs;

use callgate::Algorithm;
use callgate_sqlite::{Durability, SqliteStore};

use crate::charges::{charge, counter, is_taken, used};
use crate::scratch::{Scratch, open, options};

#[test]
fn counters_outlive_the_store_and_namespaces_are_apart() {
    let scratch = Scratch::new("outlive");
    let (file, counter) = (scratch.path("counters.db"), counter("c", Algorithm::Sliding));
    for durability in [Durability::Process, Durability::Power] {
        let store = SqliteStore::open(&file, &options().with_durability(durability)).unwrap();
        assert!(is_taken(&charge(&store, &counter, "a", 2, 0).unwrap()));
    }
    assert_eq!(used(&open(&file), &counter, "a", 0), 2);
    let other = SqliteStore::open(&file, &options().with_namespace("other")).unwrap();
    assert_eq!(used(&other, &counter, "a", 0), 0);
    assert!(is_taken(&charge(&other, &counter, "a", 1, 0).unwrap()));
    assert_eq!(used(&open(&file), &counter, "a", 0), 2);
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    let scratch = Scratch::new("foreign");
    let text = scratch.path("text");
    fs::write(&text, "This is no database, but the notes of somebody who wants to keep them. ".repeat(100))
        .unwrap();
    let [byte, short] = ["byte", "short"].map(|name| scratch.path(name));
    fs::write(&byte, "\n").unwrap();
    fs::write(&short, [0; 511]).unwrap();
    let database = scratch.path("database");
    rusqlite::Connection::open(&database).unwrap().execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    let newer = scratch.path("newer");
    drop(open(&newer));
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 2).unwrap();
    for (file, reason) in [
        (text, "no SQLite database"),
        (byte, "another program"),
        (short, "another program"),
        (database, "another program"),
        (newer, "newer version"),
    ] {
        let before = fs::read(&file).unwrap();
        let error = SqliteStore::open(&file, &options()).unwrap_err();
        assert!(!error.is_transient() && error.to_string().contains(reason), "{error}");
        // The path may hold what nobody should read in a log.
        assert!(!format!("{error:?}").contains(&*file.to_string_lossy()), "{error}");
        assert_eq!(fs::read(&file).unwrap(), before);
    }
}

/// What nobody else sees would not be counted.
#[test]
#[cfg(unix)]
fn a_file_that_was_removed_or_replaced_is_counted_in_no_more() {
    let scratch = Scratch::new("moved");
    let (file, counter) = (scratch.path("counters.db"), counter("c", Algorithm::Fixed));
    let store = open(&file);
    let charge = |store: &SqliteStore| is_taken(&charge(store, &counter, "a", 9, 0).unwrap());
    assert!((0..5).all(|_| charge(&store)));
    for name in ["counters.db", "counters.db-wal", "counters.db-shm"] {
        fs::remove_file(scratch.path(name)).unwrap();
    }
    assert!(charge(&store));
    assert_eq!([used(&store, &counter, "a", 0), used(&open(&file), &counter, "a", 0)], [1, 1]);

    let other = scratch.path("other.db");
    assert!((0..3).all(|_| charge(&open(&other))));
    drop(open(&other));
    fs::rename(&other, &file).unwrap();
    assert!(charge(&store));
    assert_eq!([used(&store, &counter, "a", 0), used(&open(&file), &counter, "a", 0)], [4, 4]);
}

#[test]
fn a_file_that_a_newer_version_takes_over_is_written_no_more() {
    let scratch = Scratch::new("taken-over");
    let (file, counter) = (scratch.path("counters.db"), counter("c", Algorithm::Fixed));
    let store = open(&file);
    assert!(is_taken(&charge(&store, &counter, "a", 9, 0).unwrap()));
    let version = |version| {
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
    };
    let ours: i32 = rusqlite::Connection::open(&file)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    version(ours + 1);
    for _ in 0..2 {
        let error = charge(&store, &counter, "a", 9, 0).unwrap_err();
        assert!(!error.is_transient() && error.to_string().contains("newer version"), "{error}");
    }
    version(ours);
    assert!(is_taken(&charge(&store, &counter, "a", 9, 0).unwrap()));
    assert_eq!(used(&store, &counter, "a", 0), 2);
}

#[test]
fn a_directory_that_is_not_there_is_named_as_the_reason() {
    let scratch = Scratch::new("nowhere");
    let error = SqliteStore::open(scratch.path("no/such/counters.db"), &options()).unwrap_err();
    assert!(error.to_string().contains("directory"), "{error}");
}

#[test]
#[cfg(unix)]
fn only_the_owner_may_read_what_is_made() {
    use std::os::unix::fs::PermissionsExt as _;

    let scratch = Scratch::new("mode");
    let store = open(scratch.path("counters.db"));
    charge(&store, &counter("c", Algorithm::Fixed), "a", 1, 0).unwrap();
    for name in ["counters.db", "counters.db-wal", "counters.db-shm"] {
        let mode = fs::metadata(scratch.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
