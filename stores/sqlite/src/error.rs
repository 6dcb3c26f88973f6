//! SQLite's errors as those of a store.
//!
//! In: an error of the library. Out: what failed, by a fixed text: SQLite's own may hold the path, and errors end in logs
//! (trap 34).

use callgate::StoreError;
use rusqlite::{Error, ErrorCode};

/// Whether another connection held the lock, so that the same attempt may succeed a moment later.
fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

pub(crate) const READ_ONLY: &str =
    "the SQLite store cannot be written: the file or its directory may only be read";

/// Why the file cannot be opened, or no transaction begun: nothing was written.
pub(crate) enum Refused {
    Sqlite(Error),
    /// The file is not a callgate file, or cannot do what is needed.
    Told(&'static str),
}

impl Refused {
    /// Whether the same attempt may succeed a moment later.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite(error) if is_busy(error))
    }

    pub(crate) fn error(&self) -> StoreError {
        match self {
            Self::Sqlite(error) => store_error(error),
            Self::Told(message) => StoreError::permanent(*message),
        }
        .certainly_undone()
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Whether a commit that failed like this has certainly changed nothing: its last write is the mark that makes it valid.
pub(crate) fn is_undone(error: &Error) -> bool {
    is_busy(error) || matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::ReadOnly))
}

/// The error that a caller gets.
pub(crate) fn store_error(error: &Error) -> StoreError {
    let transient = |message| StoreError::transient(format!("the SQLite store {message}"));
    let permanent = |message| StoreError::permanent(format!("the SQLite store {message}"));
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            transient("is busy: other processes kept it locked for longer than the time-out")
        }
        Some(ErrorCode::DiskFull) => transient("cannot be written: the disk is full"),
        Some(ErrorCode::ReadOnly) => StoreError::permanent(READ_ONLY),
        Some(ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => {
            permanent("cannot be opened: permission denied")
        }
        Some(ErrorCode::CannotOpen) => {
            transient("cannot be opened: is the path right, and may its directory be written?")
        }
        Some(ErrorCode::NotADatabase) => permanent("cannot be opened: the file is not a SQLite database"),
        Some(ErrorCode::DatabaseCorrupt) => permanent("is damaged: move the file away, or restore it"),
        Some(ErrorCode::SystemIoFailure) => transient("cannot be read or written: input/output error"),
        Some(ErrorCode::OutOfMemory) => transient("is out of memory"),
        _ => {
            let code = error.sqlite_error().map_or(0, |error| error.extended_code);
            permanent(&format!("failed with SQLite's code {code}"))
        }
    }
}
