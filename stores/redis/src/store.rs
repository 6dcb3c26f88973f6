//! The store for callers that may wait.
//!
//! In: options. Out: a connected store, or why it cannot connect. Must not hold logic of its own.

use std::fmt;

use callgate::StoreError;
use callgate::store::{Batch, BatchOutcome, Refund, Remote, Store, StoreId};
use callgate::time::Timestamp;

use crate::blocking::Connections;
use crate::options::RedisOptions;
use crate::protocol::Scripts;

/// Counters in Redis, for callers that may wait.
///
/// Share it between threads behind an [`Arc`](std::sync::Arc): each call uses a connection of its own, which is made where
/// none is idle. A process that was forked opens another store.
pub struct RedisStore(pub(crate) Remote<Scripts, Connections>);

impl RedisStore {
    /// Opens the counters and makes a first connection.
    ///
    /// # Errors
    /// Permanent, where the options or the server must change: an invalid namespace or certificate, a wrong password, missing
    /// permissions, a server that evicts keys. Transient, where no server answers in time.
    pub fn open(options: &RedisOptions) -> Result<Self, StoreError> {
        let store = Self::lazy(options)?;
        store.0.transport().check()?;
        Ok(store)
    }

    /// Opens the counters without a connection. The first call connects and examines the server; it is denied if that fails.
    ///
    /// # Errors
    /// Permanent, where the options have to be changed.
    pub fn lazy(options: &RedisOptions) -> Result<Self, StoreError> {
        Ok(Self(Remote::new(options.scripts()?, Connections::new(options)?)))
    }
}

impl Store for RedisStore {
    fn id(&self) -> StoreId {
        self.0.id()
    }

    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.0.reserve(batch, now)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.0.peek(batch, now)
    }

    fn refund(&self, refunds: &[Refund<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.0.refund(refunds, now)
    }

    /// Deletes nothing and returns 0: every key expires by itself.
    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.0.purge(now)
    }
}

/// Prints neither addresses nor credentials.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}
