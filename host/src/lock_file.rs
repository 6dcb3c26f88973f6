//! `callgate.lock` as a file (spec L2, L4).
//!
//! In: a path. Out: the lock, or what a guard of one server needs of it; or the error with the path in front. Must not take a lock in part.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use callgate::ceilings::LOCK_BYTES;
use callgate::lock::{Lock, LockError, Pins};

/// Why a lock cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockFileError {
    /// The file cannot be read as text.
    #[error("{}: {source}", path.display())]
    Read {
        /// As it was named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its text is no lock, or the lock does not hold the server.
    #[error("{}: {source}", path.display())]
    Lock {
        /// As it was named.
        path: PathBuf,
        /// Why, with the line.
        source: LockError,
    },
}

impl LockFileError {
    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a lock.
///
/// # Errors
/// [`LockFileError`] where the file cannot be read, or is no lock.
pub fn read_lock(path: impl AsRef<Path>) -> Result<Lock, LockFileError> {
    let path = path.as_ref();
    let text = read(path).map_err(|source| LockFileError::Read { path: path.to_owned(), source })?;
    Lock::parse(&text).map_err(|source| LockFileError::Lock { path: path.to_owned(), source })
}

/// Reads what a guard of a server needs: of the server of that name, or of the only one in the lock.
///
/// # Errors
/// [`LockFileError`], also where the lock does not hold that server, or holds several and none is named.
pub fn load_pins(path: impl AsRef<Path>, server: Option<&str>) -> Result<Pins, LockFileError> {
    let path = path.as_ref();
    read_lock(path)?.pins(server).map_err(|source| LockFileError::Lock { path: path.to_owned(), source })
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take((LOCK_BYTES as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > LOCK_BYTES {
        let message = format!("larger than a lock may be ({LOCK_BYTES} bytes)");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8 text"))
}
