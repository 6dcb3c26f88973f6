//! The store for callers that must not block.
//!
//! In: options. Out: a connected store, or why it cannot connect. Must not hold logic of its own.

use std::fmt;

use callgate::StoreError;
use callgate::store::{AsyncStore, Batch, BatchOutcome, Refund, Remote, StoreFuture, StoreId};
use callgate::time::Timestamp;

use crate::nonblocking::SharedConnection;
use crate::options::RedisOptions;
use crate::protocol::Scripts;

/// Counters in Redis, for callers that must not block: the same counters as those of [`RedisStore`](crate::RedisStore).
///
/// For [`EngineBuilder::async_store`](callgate::EngineBuilder::async_store). All calls share one connection. Its futures need a tokio
/// runtime with time and I/O; one that is dropped may leave its charge standing, as any lost reply does.
pub struct AsyncRedisStore(Remote<Scripts, SharedConnection>);

impl AsyncRedisStore {
    /// Opens the counters and makes the connection.
    ///
    /// # Errors
    /// Those of [`RedisStore::open`](crate::RedisStore::open).
    pub async fn open(options: &RedisOptions) -> Result<Self, StoreError> {
        let store = Self::lazy(options)?;
        store.0.transport().check().await?;
        Ok(store)
    }

    /// Opens the counters without a connection: the first call makes it.
    ///
    /// # Errors
    /// Those of [`RedisStore::lazy`](crate::RedisStore::lazy).
    pub fn lazy(options: &RedisOptions) -> Result<Self, StoreError> {
        Ok(Self(Remote::new(options.scripts()?, SharedConnection::new(options)?)))
    }
}

impl AsyncStore for AsyncRedisStore {
    fn id(&self) -> StoreId {
        self.0.id()
    }

    fn reserve<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        self.0.reserve(batch, now)
    }

    fn peek<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        self.0.peek(batch, now)
    }

    fn refund<'f>(&'f self, refunds: &'f [Refund<'_>], now: Timestamp) -> StoreFuture<'f, ()> {
        self.0.refund(refunds, now)
    }

    /// Deletes nothing and returns 0: every key expires by itself.
    fn purge<'f>(&'f self, now: Timestamp) -> StoreFuture<'f, usize> {
        self.0.purge(now)
    }
}

/// Prints neither addresses nor credentials.
impl fmt::Debug for AsyncRedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncRedisStore").finish_non_exhaustive()
    }
}
