//! The store for callers that must not block.
//!
//! In: options. Out: a connected store, or why it cannot connect. Must not hold logic of its own.

use std::fmt;
use std::sync::Arc;

use callgate::StoreError;
use callgate::store::{
    ApprovalRequest, AsyncApprovals, AsyncStore, AsyncTransport as _, Batch, BatchOutcome, Filed, Remote,
    Settlement, StoreFuture, StoreId,
};
use callgate::time::Timestamp;

use crate::filed;
use crate::nonblocking::{AsyncChannel, SharedConnections};
use crate::options::RedisOptions;
use crate::protocol::Scripts;

/// Counters in Redis, for callers that must not block: the same counters as those of [`RedisStore`](crate::RedisStore).
///
/// For [`EngineBuilder::async_store`](callgate::EngineBuilder::async_store). All calls share one connection to a server. Its futures need a tokio
/// runtime with time and I/O; one that is dropped may leave its charge standing, as any lost reply does.
pub struct AsyncRedisStore {
    remote: Remote<Scripts, AsyncChannel>,
    options: RedisOptions,
}

impl AsyncRedisStore {
    /// Opens the counters and makes the connection.
    ///
    /// # Errors
    /// Those of [`RedisStore::open`](crate::RedisStore::open).
    pub async fn open(options: &RedisOptions) -> Result<Self, StoreError> {
        let store = Self::lazy(options)?;
        store.remote.transport().check().await?;
        Ok(store)
    }

    /// Opens the counters without a connection: the first call makes it.
    ///
    /// # Errors
    /// Those of [`RedisStore::lazy`](crate::RedisStore::lazy).
    pub fn lazy(options: &RedisOptions) -> Result<Self, StoreError> {
        let channel = AsyncChannel::new(Arc::new(SharedConnections::new(options)?), options.keys()?);
        Ok(Self { remote: Remote::new(options.scripts()?, channel), options: options.clone() })
    }

    /// As [`RedisStore::namespaced`](crate::RedisStore::namespaced).
    ///
    /// # Errors
    /// Permanent, where it cannot be the name of a namespace.
    pub fn namespaced(&self, name: &str) -> Result<Self, StoreError> {
        let options = self.options.clone().with_namespace(name);
        let channel = self.remote.transport().for_keys(options.keys()?);
        Ok(Self { remote: Remote::new(options.scripts()?, channel), options })
    }

    /// As [`RedisStore::close`](crate::RedisStore::close).
    pub fn close(&self) {
        self.remote.transport().close();
    }
}

impl AsyncStore for AsyncRedisStore {
    fn id(&self) -> StoreId {
        self.remote.id()
    }

    fn reserve<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        self.remote.reserve(batch, now)
    }

    fn peek<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        self.remote.peek(batch, now)
    }

    fn settle<'f>(&'f self, settlements: &'f [Settlement<'_>], now: Timestamp) -> StoreFuture<'f, ()> {
        self.remote.settle(settlements, now)
    }

    /// Deletes nothing and returns 0: every key expires by itself.
    fn purge<'f>(&'f self, now: Timestamp) -> StoreFuture<'f, usize> {
        self.remote.purge(now)
    }
}

impl AsyncApprovals for AsyncRedisStore {
    fn file<'f>(&'f self, request: &'f ApprovalRequest, now: Timestamp) -> StoreFuture<'f, Filed> {
        let scripts = self.remote.protocol();
        let request = filed::file(&scripts.keys, request, scripts.given(now));
        Box::pin(async move { filed::filed(&self.remote.transport().carry(request).await?) })
    }
}

/// Prints neither addresses nor credentials.
impl fmt::Debug for AsyncRedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncRedisStore").finish_non_exhaustive()
    }
}
