//! Why a store could not answer: whether a later call may succeed, and whether certainly nothing was written.

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

    /// The same failure, if the store can prove that nothing was written: the question may be repeated.
    #[must_use]
    pub fn certainly_undone(mut self) -> Self {
        self.undone = true;
        self
    }

    /// Whether certainly nothing was written. False where it is unknown.
    pub fn is_certainly_undone(&self) -> bool {
        self.undone
    }

    /// Whether a later call may succeed without anybody's action.
    pub fn is_transient(&self) -> bool {
        self.transient
    }
}
