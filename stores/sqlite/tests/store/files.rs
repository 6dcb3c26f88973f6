//! Files: whose they are, who may read them, and those that are not ours.

use std::fs;

use callgate::store::{Algorithm, Store as _};
use callgate_sqlite::{Durability, SqliteStore};

use crate::charges::{at, charge, counter, is_taken, used};
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
    fs::write(
        &text,
        "This is not a database, but the notes of somebody who wants to keep them. ".repeat(100),
    )
    .unwrap();
    let [byte, short] = ["byte", "short"].map(|name| scratch.path(name));
    fs::write(&byte, "\n").unwrap();
    fs::write(&short, [0; 511]).unwrap();
    let database = scratch.path("database");
    rusqlite::Connection::open(&database).unwrap().execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    let newer = scratch.path("newer");
    drop(open(&newer));
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for (file, reason) in [
        (text, "not a SQLite database"),
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
    // Looking costs something, so that not every call looks.
    let noticed = |used_before: i64| {
        (0..100_000).any(|_| {
            std::thread::yield_now();
            assert!(is_taken(&crate::charges::charge(&store, &counter, "a", 1_000_000, 0).unwrap()));
            used(&store, &counter, "a", 0) == used_before + 1
        })
    };
    assert!(noticed(0));
    assert_eq!(used(&open(&file), &counter, "a", 0), 1);

    let other = scratch.path("other.db");
    assert!((0..3).all(|_| charge(&open(&other))));
    drop(open(&other));
    fs::rename(&other, &file).unwrap();
    assert!(noticed(3));
    assert_eq!(used(&open(&file), &counter, "a", 0), 4);
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

/// The tables as they were made before windows had rows of their own.
const FIRST: &str = "
    CREATE TABLE spaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE declarations (
        id BLOB PRIMARY KEY, tool TEXT, name TEXT NOT NULL, window TEXT NOT NULL, algorithm TEXT NOT NULL,
        scope TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE counters (
        space INTEGER NOT NULL, id BLOB NOT NULL, scope BLOB NOT NULL, stamp INTEGER NOT NULL, ends INTEGER NOT NULL,
        used INTEGER NOT NULL, entries INTEGER NOT NULL, PRIMARY KEY (space, id, scope)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX counters_by_end ON counters (ends);
    CREATE TABLE charges (
        space INTEGER NOT NULL, id BLOB NOT NULL, scope BLOB NOT NULL, stamp INTEGER NOT NULL, micros INTEGER NOT NULL,
        PRIMARY KEY (space, id, scope, stamp)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE approvals (
        space INTEGER NOT NULL, id TEXT NOT NULL, spent INTEGER NOT NULL, PRIMARY KEY (space, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX approvals_by_time ON approvals (spent);
    CREATE TABLE forgotten (latest INTEGER NOT NULL) STRICT;
    INSERT INTO forgotten VALUES (0);
    INSERT INTO spaces VALUES (1, 'callgate');
    PRAGMA user_version = 1;
    PRAGMA application_id = 1667719540;
";

#[test]
fn counters_go_on_in_a_file_of_an_older_version() {
    let scratch = Scratch::new("older");
    let (file, day) = (scratch.path("counters.db"), 86_400_000);
    let (fixed, sliding) = (counter("f", Algorithm::Fixed), counter("s", Algorithm::Sliding));
    let older = rusqlite::Connection::open(&file).unwrap();
    older.execute_batch(FIRST).unwrap();
    let [now, then] = [at(0), at(-1)].map(callgate::time::Timestamp::as_millis);
    for (counter, stamp, ends, entries) in [(&fixed, now, now + day, 0), (&sliding, then, then + day, 1)] {
        let (id, algorithm) = (counter.id(), counter.algorithm().name());
        let declared = rusqlite::params![id.as_bytes(), counter.name(), algorithm];
        let insert = "INSERT INTO declarations VALUES (?1, 'tool', ?2, 'day', ?3, 'grant')";
        older.execute(insert, declared).unwrap();
        let row = rusqlite::params![id.as_bytes(), stamp, ends, entries];
        older.execute("INSERT INTO counters VALUES (1, ?1, x'61', ?2, ?3, 2000000, ?4)", row).unwrap();
        let charge = rusqlite::params![id.as_bytes(), stamp];
        if entries > 0 {
            older.execute("INSERT INTO charges VALUES (1, ?1, x'61', ?2, 2000000)", charge).unwrap();
        }
    }
    older.execute("INSERT INTO approvals VALUES (1, 'spent', ?1)", [now]).unwrap();
    drop(older);

    let store = open(&file);
    for (counter, ends) in [(&fixed, day), (&sliding, day - 1)] {
        assert_eq!(used(&store, counter, "a", 0), 2);
        assert!(is_taken(&charge(&store, counter, "a", 3, 0).unwrap()));
        assert!(!is_taken(&charge(&store, counter, "a", 3, 0).unwrap()));
        assert_eq!(used(&store, counter, "a", ends), if ends == day { 0 } else { 1 });
    }
    let spends = callgate::store::Batch {
        approval: Some("spent".into()),
        asks: true,
        ..callgate::store::Batch::default()
    };
    let outcome = store.reserve(&spends, at(0)).unwrap();
    assert_eq!(outcome.verdict, callgate::store::Verdict::ApprovalSpent);
    // What it holds is forgotten when it has ended.
    assert_eq!(store.purge(at(3 * day)).unwrap(), 2);
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
