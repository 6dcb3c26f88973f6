//! What is wrong with a lock, and in which line.

use std::fmt;

/// Why a lock is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockError {
    line: usize,
    message: String,
}

impl LockError {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }

    /// The line of the text, counted from 1; 0 where it is about no line.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.message),
            line => write!(f, "line {line}: {}", self.message),
        }
    }
}

impl std::error::Error for LockError {}
