//! Why a store could not answer: whether a later call may succeed, and whether nothing was written for certain.

/// Why a store could not answer. Carries no connection string and no values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    message: String,
    transient: bool,
    undone: bool,
}

impl StoreError {
    /// A failure that the same call may not meet again: a time-out, a lost connection, a busy file.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { message: message.into(), transient: true, undone: false }
    }

    /// A failure that will repeat until somebody acts: a wrong password, a file that is not ours.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), transient: false, undone: false }
    }

    /// The same failure, of which the store can prove that nothing was written: what was asked may be asked again.
    #[must_use]
    pub fn certainly_undone(mut self) -> Self {
        self.undone = true;
        self
    }

    /// Whether nothing was written for certain. False where it cannot be told.
    pub fn is_certainly_undone(&self) -> bool {
        self.undone
    }

    /// Whether a later call may succeed by itself.
    pub fn is_transient(&self) -> bool {
        self.transient
    }
}
