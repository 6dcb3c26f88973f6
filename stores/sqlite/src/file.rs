//! The file: created if missing, and opened.
//!
//! In: a path and options. Out: a ledger. Must not repeat the path in an error.

use std::path::{Path, PathBuf};
use std::time::Duration;

use callgate::StoreError;
use callgate::store::StoreId;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::error::{READ_ONLY, Refused};
use crate::ledger::Ledger;
use crate::options::{Durability, SqliteOptions};
use crate::place::{Opened, Place};
use crate::tables::{FOREIGN, own};

/// Statements that are kept prepared: all that a ledger has.
const STATEMENTS: usize = 50;

/// Bytes of the write-ahead log that stay after a checkpoint: twice its usual size. A reader that holds an old snapshot makes
/// it grow further.
const LOG: i64 = 4 << 20;

/// Bytes of the smallest database. SQLite takes a shorter file for an empty one, and writes over it.
const SMALLEST: u64 = 512;

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

    /// The identity of a namespace's counters: the same for all that open the same path.
    pub(crate) fn id(&self, namespace: &str) -> StoreId {
        let mut name = b"sqlite\0".to_vec();
        name.extend(self.path.as_os_str().as_encoded_bytes());
        name.push(0);
        name.extend(namespace.as_bytes());
        StoreId::named(&name)
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// Opens the file, and creates it if missing. Does not wait for other processes.
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
        Ok(Ledger::new(connection, Opened::new(&self.path, place)))
    }

    /// Creates an empty file that only its owner may read. SQLite gives `-wal` and `-shm` the same permissions. A failure
    /// shows when the file is opened.
    fn make(&self) {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let _ = options.open(&self.path);
    }

    fn connect(&self) -> Result<Connection, Refused> {
        // One thread at a time uses a connection, so SQLite's own mutexes are not needed.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        // SQLite would open it read-only, and create a `-wal` and a `-shm` that stay read-only for good.
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
