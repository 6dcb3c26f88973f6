//! The tables of a file: what a column means, and what other releases and programs have in theirs.
//!
//! In: a connection. Out: the tables, created or migrated, or the reason why the file is refused. Must not touch a file of another
//! program.

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::error::Refused;

/// `cgat`: marks a file as counters of callgate.
const APPLICATION: i32 = 0x6367_6174;
/// The schema version of the tables below. A release migrates older files and refuses newer ones.
const SCHEMA: i32 = 4;

/// Page size of a new file. A charge writes one whole page, and SQLite's usual 4,096 bytes are much for one number. With
/// 1,024, new rows are slower.
const PAGE: i32 = 2_048;

const NEWER: Refused = Refused::Told(
    "the SQLite store was made by a newer version of callgate: use that version, or another file",
);
pub(crate) const FOREIGN: Refused =
    Refused::Told("the SQLite store's file belongs to another program: use another file");

/// `counters` has a row for each counter and scope value that is live, and for each window of a fixed one:
/// - `start`: the start of the window; 0 for a sliding one, and for one of a time zone: hosts may differ over when that begins.
/// - `stamp`: when the window began, or the time of the newest charge to a sliding one; a reset advances it.
/// - `ends`: the end of the window, or when the newest charge expires.
/// - `used`: what was charged, in units of 10^-6, with expired charges that are still stored.
/// - `entries`: how many rows of `charges` belong to it; 0 in a fixed window.
/// - `gone`: the newest of its charges that was deleted.
/// - `keep`: when the row expires, by the file's own clock. The same in `charges`, `approvals` and `filed`.
///
/// `approvals` counts how many batches an id has let through. Declarations are stored so that counters can be listed without a policy:
/// - `tool`: the entry's key, or where `method` is 1 the method; none for `all_tools` and, where `budget` is 1, for a budget.
/// - `policy`: the name of the policy that declares it, where that has one.
/// - `zone`: the time zone by which its windows begin, and `sunday`: whether its weeks begin on Sunday.
///
/// `clock` holds the file's own clock, and the caller's time when it was last read. `ended` holds when deleted windows ended: of each span
/// of five minutes in which one did, the latest end, and the file's clock when that was noted. `zoned` holds the latest end of a deleted window of a time zone, of
/// each counter.
const TABLES: &str = "
    CREATE TABLE spaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE declarations (
        id BLOB PRIMARY KEY, tool TEXT, name TEXT NOT NULL, window TEXT NOT NULL, algorithm TEXT NOT NULL,
        scope TEXT NOT NULL, budget INTEGER NOT NULL DEFAULT 0, zone TEXT, sunday INTEGER NOT NULL DEFAULT 0,
        method INTEGER NOT NULL DEFAULT 0, policy TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE counters (
        space INTEGER NOT NULL, id BLOB NOT NULL, scope BLOB NOT NULL, start INTEGER NOT NULL, stamp INTEGER NOT NULL,
        ends INTEGER NOT NULL, used INTEGER NOT NULL, entries INTEGER NOT NULL, gone INTEGER, keep INTEGER NOT NULL,
        PRIMARY KEY (space, id, scope, start)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX counters_by_keep ON counters (keep);
    CREATE TABLE charges (
        space INTEGER NOT NULL, id BLOB NOT NULL, scope BLOB NOT NULL, stamp INTEGER NOT NULL, micros INTEGER NOT NULL,
        keep INTEGER NOT NULL, PRIMARY KEY (space, id, scope, stamp)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE approvals (
        space INTEGER NOT NULL, id TEXT NOT NULL, keep INTEGER NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (space, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX approvals_by_keep ON approvals (keep);
    CREATE TABLE clock (passed INTEGER NOT NULL, seen INTEGER NOT NULL) STRICT;
    INSERT INTO clock VALUES (0, 0);
    CREATE TABLE ended (
        span INTEGER PRIMARY KEY, latest INTEGER NOT NULL, noted INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE zoned (
        space INTEGER NOT NULL, id BLOB NOT NULL, ended INTEGER NOT NULL, PRIMARY KEY (space, id)
    ) STRICT, WITHOUT ROWID;
";

/// `filed` has a row for each call that waits for approval, or was answered:
/// - `place`: what makes it that call, and `call` what a list shows of it.
/// - `filed`, `until`, `answered`: callers' times. From `until` on, the row is as if it were not there.
/// - `state`: `pending`, `granted` or `denied`. A grant is used where `approvals` has its id.
/// - `args`: what is kept of the arguments; the last column, so that a list does not read it.
const FILED: &str = "
    CREATE TABLE filed (
        space INTEGER NOT NULL, place TEXT NOT NULL, id TEXT NOT NULL, call TEXT NOT NULL, filed INTEGER NOT NULL,
        until INTEGER NOT NULL, state TEXT NOT NULL, answered INTEGER, by TEXT, keep INTEGER NOT NULL, args TEXT NOT NULL,
        UNIQUE (space, place), UNIQUE (space, id)
    ) STRICT;
    CREATE INDEX filed_by_keep ON filed (keep);
";

/// Migrates the first schema, which had one row for a counter and expired rows by the callers' clocks.
const FROM_FIRST: [&str; 3] = [
    "ALTER TABLE counters RENAME TO old_counters;
    ALTER TABLE charges RENAME TO old_charges;
    ALTER TABLE approvals RENAME TO old_approvals;
    ALTER TABLE spaces RENAME TO old_spaces;
    ALTER TABLE declarations RENAME TO old_declarations;
    DROP INDEX counters_by_end;
    DROP INDEX approvals_by_time;",
    TABLES,
    "INSERT INTO spaces SELECT * FROM old_spaces;
    INSERT INTO declarations (id, tool, name, window, algorithm, scope) SELECT * FROM old_declarations;
    INSERT INTO counters SELECT space, old_counters.id, old_counters.scope,
            CASE algorithm WHEN 'sliding' THEN 0 ELSE stamp END, stamp, ends, used, entries, NULL, ends
        FROM old_counters JOIN declarations USING (id);
    INSERT INTO charges SELECT space, id, scope, old_charges.stamp, micros, ends
        FROM old_charges JOIN old_counters USING (space, id, scope);
    INSERT INTO approvals SELECT space, id, spent + 366 * 86400000, 4294967295 FROM old_approvals;
    UPDATE clock SET (passed, seen) = (SELECT from_then, from_then
        FROM (SELECT max(latest, coalesce((SELECT min(stamp) FROM old_counters), 0)) AS from_then FROM forgotten));
    INSERT INTO ended SELECT latest / 300000, latest, passed FROM forgotten, clock WHERE latest > 0;
    DROP TABLE old_counters;
    DROP TABLE old_charges;
    DROP TABLE old_approvals;
    DROP TABLE old_spaces;
    DROP TABLE old_declarations;
    DROP TABLE forgotten;",
];

/// Migrates the second and the third schema, which knew no budgets and no time zones, and of an approval only whether it was spent. Such
/// an id is used up: it may also be that of a grant that was withdrawn.
const TO_FOURTH: &str = "
    ALTER TABLE declarations ADD COLUMN budget INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE declarations ADD COLUMN zone TEXT;
    ALTER TABLE declarations ADD COLUMN sunday INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE declarations ADD COLUMN method INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE declarations ADD COLUMN policy TEXT;
    ALTER TABLE approvals ADD COLUMN used INTEGER NOT NULL DEFAULT 4294967295;
    CREATE TABLE ended (
        span INTEGER PRIMARY KEY, latest INTEGER NOT NULL, noted INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE zoned (
        space INTEGER NOT NULL, id BLOB NOT NULL, ended INTEGER NOT NULL, PRIMARY KEY (space, id)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO ended SELECT forgotten / 300000, forgotten, passed FROM clock WHERE forgotten > 0;
    ALTER TABLE clock DROP COLUMN forgotten;
";

/// What is in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Nothing,
    /// Tables of the first schema.
    First,
    /// Tables of the second schema, which had no filed calls.
    Second,
    Third,
    Ours,
}

/// Creates the tables in an empty file and migrates older ones. Refuses the file of another program.
pub(crate) fn own(connection: &Connection) -> Result<(), Refused> {
    let found = content(connection)?;
    if found == Content::Nothing {
        connection.pragma_update(None, "page_size", PAGE)?;
    }
    // Switch to the write-ahead log first: then creating the tables does not wait for the disk.
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Refused::Told(
            "the SQLite store needs a local disk: this file system has no shared memory",
        ));
    }
    if found != Content::Ours {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        // Another process may have been quicker.
        let found = content(&transaction)?;
        match found {
            Content::Nothing => transaction.execute_batch(TABLES)?,
            Content::First => FROM_FIRST.iter().try_for_each(|step| transaction.execute_batch(step))?,
            Content::Second | Content::Third => transaction.execute_batch(TO_FOURTH)?,
            Content::Ours => {}
        }
        match found {
            Content::Nothing | Content::First | Content::Second => transaction.execute_batch(FILED)?,
            Content::Third | Content::Ours => {}
        }
        transaction.pragma_update(None, "user_version", SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.commit()?;
    }
    Ok(())
}

fn content(connection: &Connection) -> Result<Content, Refused> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION, SCHEMA) => Ok(Content::Ours),
        (APPLICATION, 1) => Ok(Content::First),
        (APPLICATION, 2) => Ok(Content::Second),
        (APPLICATION, 3) => Ok(Content::Third),
        (APPLICATION, _) => Err(NEWER),
        _ => {
            let tables = "SELECT count(*) FROM sqlite_schema";
            if connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0 {
                return Ok(Content::Nothing);
            }
            Err(FOREIGN)
        }
    }
}

/// Whether this release may still write the file: a newer one may have migrated it since.
pub(crate) fn is_ours(connection: &Connection) -> Result<(), Refused> {
    let mut ask = connection.prepare_cached("PRAGMA user_version")?;
    if ask.query_row([], |row| row.get::<_, i32>(0))? == SCHEMA { Ok(()) } else { Err(NEWER) }
}

/// The number of a namespace in this file, within a transaction.
pub(crate) fn space(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    let mut find = connection.prepare_cached("SELECT id FROM spaces WHERE name = ?1")?;
    if let Some(id) = find.query_row([name], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    connection.prepare_cached("INSERT INTO spaces (name) VALUES (?1)")?.insert([name])
}
