//! What would change in a configuration, and the writing of it.
//!
//! In: the file as it was read, and as it is to be. Out: the file. Must not write where nothing changes.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::WrapError;
use super::file::Source;

/// What becomes of a configuration.
#[derive(Debug)]
pub struct Change {
    pub(super) source: Source,
    pub(super) bytes: Vec<u8>,
    pub(super) servers: Vec<Server>,
    pub(super) backup: Option<Backup>,
}

/// What becomes of a server of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// The project whose server it is, in Claude Code's own file; else `None`.
    pub project: Option<String>,
    /// The configuration's key, which is its name in records, counters and rules.
    pub name: String,
    /// The line of the old file on which it begins, from 1.
    pub line: usize,
    /// What becomes of it.
    pub state: ServerState,
    /// The policies that its calls are decided by, as they are written, in their order; none without one, and for a server that is
    /// not behind callgate.
    pub policies: Vec<String>,
}

/// What becomes of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerState {
    /// It was started by itself, and is put behind callgate.
    Wrapped,
    /// It was behind callgate, and gets another policy, name or program.
    Changed,
    /// It is behind callgate as it is to be, and stays so.
    Kept,
    /// It was behind callgate, and is started by itself.
    Unwrapped,
    /// It is started by itself, and stays so.
    Bare,
    /// It is started by callgate in a way that is not of this module, and stays so.
    Guarded,
    /// It is not started as a process, and stays as it is. Callgate does not guard it.
    Remote,
}

/// The file beside the configuration that holds its old bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backup {
    /// It is made.
    Made(PathBuf),
    /// It was there before, and is not touched.
    Kept(PathBuf),
    /// The configuration gets its bytes, and it is removed.
    Restored(PathBuf),
}

impl Change {
    /// The servers that were asked for, in the order of the file.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Whether the file stays as it is.
    pub fn is_empty(&self) -> bool {
        self.bytes == self.source.bytes
    }

    /// The file's bytes now.
    pub fn before(&self) -> &[u8] {
        &self.source.bytes
    }

    /// The file's bytes after [`write`](Self::write).
    pub fn after(&self) -> &[u8] {
        &self.bytes
    }

    /// The backup that is made or used; `None` where nothing changes, or where an undo finds none.
    pub fn backup(&self) -> Option<&Backup> {
        self.backup.as_ref()
    }

    /// Writes the file in one step, with its owner and mode, where a symbolic link leads to. Writes nothing if nothing changes.
    ///
    /// # Errors
    /// The file is read-only, was changed since it was read, or cannot be written; nothing has changed then. Or the backup was put back and
    /// cannot be removed.
    pub fn write(&self) -> Result<(), WrapError> {
        if self.is_empty() {
            return Ok(());
        }
        match &self.backup {
            Some(Backup::Made(backup)) => {
                self.source.back_up(backup)?;
                self.source.replace(&self.bytes).inspect_err(|_| {
                    let _ = fs::remove_file(backup);
                })
            }
            Some(Backup::Restored(backup)) => {
                self.source.replace(&self.bytes)?;
                fs::remove_file(backup)
                    .map_err(WrapError::io(backup, "its bytes were put back, but it cannot be removed"))
            }
            Some(Backup::Kept(_)) | None => self.source.replace(&self.bytes),
        }
    }
}

impl Backup {
    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Made(path) | Self::Kept(path) | Self::Restored(path) => path,
        }
    }
}
