//! The file: made if it is not there, refused if it is not ours, and opened.
//!
//! In: a path and options. Out: a ledger. Must not touch a file of another program, nor repeat the path in an error.

use std::path::{Path, PathBuf};
use std::time::Duration;

use callgate::StoreError;
use rusqlite::{Connection, MAIN_DB, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::error::{READ_ONLY, Refused};
use crate::ledger::Ledger;
use crate::options::{Durability, SqliteOptions};
use crate::place::{Opened, Place};

/// `cgat`: marks a file as counters of callgate.
const APPLICATION: i32 = 0x6367_6174;
/// The form of the tables below. A newer one migrates older files, and refuses what is newer than itself.
const SCHEMA: i32 = 1;

/// Bytes of a page in a new file. A charge writes the page that it changes, and SQLite's usual 4,096 are much for one number; with
/// 1,024, new rows would be slower.
const PAGE: i32 = 2_048;

/// Statements that are kept prepared: all that a ledger has.
const STATEMENTS: usize = 40;

/// Bytes of the log beside the file that stay once it was taken over into the file: twice what it grows to by itself. A reader
/// that holds on to an old state of the file makes it grow further, until it lets go.
const LOG: i64 = 4 << 20;

/// Bytes of the smallest database. SQLite takes a shorter file for an empty one, and writes over it.
const SMALLEST: u64 = 512;

const NEWER: Refused = Refused::Told(
    "the SQLite store was made by a newer version of callgate: use that version, or another file",
);
const FOREIGN: Refused =
    Refused::Told("the SQLite store's file belongs to another program: use another file");

/// `counters` has a row for each counter and scope value that is live:
/// - `stamp`: the start of the window that it counts, or the time of the newest charge to a sliding one; moved on by a reset.
///   No call is counted before it.
/// - `ends`: when the row may be forgotten: the end of the window, or when the newest charge expires.
/// - `used`: what was charged, in units of 10^-6, expired charges that are still written down included.
/// - `entries`: how many rows of `charges` belong to it; 0 in a fixed window.
///
/// Counters stand with their declarations, so that they can be listed without a policy. `forgotten.latest` is the latest time
/// before which something was forgotten: a counter that has no row counts no call before it.
const TABLES: &str = "
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
";

/// Where counters are kept, and how.
pub(crate) struct File {
    path: PathBuf,
    options: SqliteOptions,
}

impl File {
    pub(crate) fn new(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        // Absolute, so that it stays the same file when the process changes its directory; and SQLite would read some
        // relative paths, such as `:memory:` and `file:x`, as something else.
        let path = std::path::absolute(path)
            .map_err(|_| StoreError::permanent("the SQLite store needs the path of a file"))?;
        Ok(Self { path, options: options.clone() })
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// Opens the file, and makes it if it is not there. Does not wait for other processes.
    pub(crate) fn open(&self) -> Result<Ledger, Refused> {
        if self.options.makes_file {
            self.make();
        }
        let place = Place::of(&self.path);
        if (1..SMALLEST).contains(&place.length()) {
            return Err(FOREIGN);
        }
        let connection = self.connect()?;
        own(&connection)?;
        let space = space(&connection, &self.options.namespace)?;
        Ok(Ledger::new(connection, space, Opened::new(&self.path, place)))
    }

    /// Makes an empty file that only its owner may read: SQLite gives `-wal` and `-shm` the same permissions. A failure shows
    /// when the file is opened.
    fn make(&self) {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let _ = options.open(&self.path);
    }

    fn connect(&self) -> Result<Connection, Refused> {
        // One thread at a time uses a connection, so SQLite's own locks would be for nothing.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        // SQLite would open it for reading, and make a `-wal` and a `-shm` beside it that may only be read either, for good.
        if connection.is_readonly(MAIN_DB)? {
            return Err(Refused::Told(READ_ONLY));
        }
        // SQLite would sleep for a millisecond at least, a hundred times as long as most transactions take.
        connection.busy_timeout(Duration::ZERO)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let durability = match self.options.durability {
            Durability::Process => "NORMAL",
            Durability::Power => "FULL",
        };
        connection.pragma_update(None, "synchronous", durability)?;
        connection.pragma_update_and_check(None, "journal_size_limit", LOG, |_| Ok(()))?;
        Ok(connection)
    }
}

/// Makes the tables in a file that is empty; refuses one that is not ours.
fn own(connection: &Connection) -> Result<(), Refused> {
    let is_ours = has_tables(connection)?;
    if !is_ours {
        connection.pragma_update(None, "page_size", PAGE)?;
    }
    // Before the tables: in the log they are written without waiting for the disk.
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Refused::Told(
            "the SQLite store needs a local disk: this file system has no shared memory",
        ));
    }
    if !is_ours {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        // Another process may have been quicker.
        if !has_tables(&transaction)? {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// Whether the file has our tables; false if it is empty.
fn has_tables(connection: &Connection) -> Result<bool, Refused> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION, SCHEMA) => Ok(true),
        (APPLICATION, _) => Err(NEWER),
        _ => {
            let tables = "SELECT count(*) FROM sqlite_schema";
            if connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0 {
                return Ok(false);
            }
            Err(FOREIGN)
        }
    }
}

/// Whether the file that was ours when it was opened still is: a newer version may have made it its own.
pub(crate) fn is_ours(connection: &Connection) -> Result<(), Refused> {
    if has_tables(connection)? { Ok(()) } else { Err(FOREIGN) }
}

/// The number of a namespace in this file.
fn space(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    let find =
        || connection.query_row("SELECT id FROM spaces WHERE name = ?1", [name], |row| row.get(0)).optional();
    if let Some(id) = find()? {
        return Ok(id);
    }
    connection.execute("INSERT OR IGNORE INTO spaces (name) VALUES (?1)", [name])?;
    find()?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}
