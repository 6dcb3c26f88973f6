//! Why a configuration cannot be rewritten.
//!
//! In: what was found, and where. Out: sentences. Must not hold an argument or a variable's value: configurations hold tokens.

use std::io;
use std::path::{Path, PathBuf};

/// Why a configuration cannot be read or rewritten. Nothing was written, unless the message says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WrapError {
    /// The file, or one beside it, cannot be read or written.
    #[error("{}: {what}: {error}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        error: io::Error,
    },
    /// The file cannot be used as it is.
    #[error("{}: {why}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// Something in the file is not as clients read it, or two readers would read it differently.
    #[error("{}:{line}:{column}: {what}", file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, in characters from 1.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// A server that was asked for is not in the file.
    #[error("{}: there is no server `{name}`; there are: {}", file.display(), known.join(", "))]
    NoSuchServer {
        /// The file.
        file: PathBuf,
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
}

impl WrapError {
    pub(super) fn io(file: &Path, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |error| Self::Io { file, what, error }
    }

    pub(super) fn unusable(file: &Path, why: impl Into<String>) -> Self {
        Self::Unusable { file: file.to_owned(), why: why.into() }
    }
}
