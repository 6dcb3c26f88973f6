//! How a host wants its counters kept.
//!
//! In: the host's choices. Out: the same, typed. Must not know any kind of store.

use std::time::Duration;

use callgate::OnStoreError;
#[cfg(any(feature = "redis", feature = "sqlite"))]
use callgate::StoreError;

/// Prefix of all counters in a store that several programs share, unless the host names another.
const NAMESPACE: &str = "callgate";
/// How long a call waits for its counters. A tool call takes longer than this; a store that does is down.
const TIMEOUT: Duration = Duration::from_secs(1);

/// How a host wants its counters kept: the one place for all of it, typed, so that nothing can be misspelt into another
/// meaning (traps 3 and 29).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    namespace: String,
    timeout: Duration,
    on_error: OnStoreError,
    existing_only: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            namespace: NAMESPACE.to_owned(),
            timeout: TIMEOUT,
            on_error: OnStoreError::Deny,
            existing_only: false,
        }
    }
}

impl StoreOptions {
    /// Namespace `callgate`, one second, and denial where the store fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counters of another namespace are other counters: one for each server that shares a store (trap 27). An open store gives
    /// handles of others by [`SharedStore::namespaced`](crate::SharedStore::namespaced).
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// How long a call waits for a store before it counts as failed.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What becomes of a call when the store fails. A choice of the engine's: hand it to
    /// [`EngineBuilder::on_store_error`](callgate::EngineBuilder::on_store_error). Where calls pass then, a store that cannot be
    /// reached yet is no error of [`open_store`](crate::open_store): each call tries it.
    #[must_use]
    pub fn with_on_error(mut self, on_error: OnStoreError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Opens only what is there: a file that is not is an error, and is not made.
    #[must_use]
    pub fn existing_only(mut self) -> Self {
        self.existing_only = true;
        self
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The time-out.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether an engine begins to work all the same, though its store could not be opened.
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn begins_without(&self, error: &StoreError) -> bool {
        self.on_error == OnStoreError::Allow && error.is_transient()
    }

    /// Whether what is not there is not made.
    #[cfg(feature = "sqlite")]
    pub(crate) fn is_existing_only(&self) -> bool {
        self.existing_only
    }

    /// What becomes of a call when the store fails.
    pub fn on_error(&self) -> OnStoreError {
        self.on_error
    }
}
