//! The store for callers that may wait.
//!
//! In: options. Out: a connected store, or why it cannot connect. Must not hold logic of its own.

use std::fmt;
use std::sync::Arc;

use callgate::StoreError;
use callgate::store::{Batch, BatchOutcome, Remote, Settlement, Store, StoreId};
use callgate::time::Timestamp;

use crate::blocking::{Channel, Connections};
use crate::options::RedisOptions;
use crate::protocol::Scripts;

/// Counters in Redis, for callers that may wait.
///
/// Share it between threads behind an [`Arc`]: each call uses a connection of its own, which is made where none is idle. A process
/// that was forked opens another store.
pub struct RedisStore {
    pub(crate) remote: Remote<Scripts, Channel>,
    options: RedisOptions,
}

impl RedisStore {
    /// Opens the counters and makes a first connection.
    ///
    /// # Errors
    /// Permanent, where the options or the server must change: an invalid namespace or certificate, a wrong password, missing
    /// permissions, a server that evicts keys. Transient, where no server answers in time.
    pub fn open(options: &RedisOptions) -> Result<Self, StoreError> {
        let store = Self::lazy(options)?;
        store.remote.transport().check()?;
        Ok(store)
    }

    /// Opens the counters without a connection. The first call connects and examines the server; it is denied if that fails.
    ///
    /// # Errors
    /// Permanent, where the options have to be changed.
    pub fn lazy(options: &RedisOptions) -> Result<Self, StoreError> {
        let channel = Channel::new(Arc::new(Connections::new(options)?), options.keys()?);
        Ok(Self { remote: Remote::new(options.scripts()?, channel), options: options.clone() })
    }

    /// The counters of another namespace on the same servers, in place of those of [`RedisOptions::with_namespace`]. Handles share the
    /// connections. They share counters where their names are the same (spec 8.15). Connects to nothing: the first call for the
    /// namespace examines the server for it.
    ///
    /// # Errors
    /// Permanent, where it cannot be the name of a namespace.
    pub fn namespaced(&self, name: &str) -> Result<Self, StoreError> {
        let options = self.options.clone().with_namespace(name);
        let channel = self.remote.transport().for_keys(options.keys()?);
        Ok(Self { remote: Remote::new(options.scripts()?, channel), options })
    }

    /// Closes the connections for all handles; one that is in use, after its call. What is asked afterwards is an error that is
    /// [certain](StoreError::is_certainly_undone). Without this, they are closed with the last handle.
    pub fn close(&self) {
        self.remote.transport().close();
    }
}

impl Store for RedisStore {
    fn id(&self) -> StoreId {
        self.remote.id()
    }

    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.remote.reserve(batch, now)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.remote.peek(batch, now)
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.remote.settle(settlements, now)
    }

    /// Deletes nothing and returns 0: every key expires by itself.
    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.remote.purge(now)
    }
}

/// Prints neither addresses nor credentials.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}
