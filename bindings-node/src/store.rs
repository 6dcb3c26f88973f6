//! The store that an engine opened, until it is closed.
//!
//! In: a store, blocking or not. Out: its answers; once it is closed, that it is. Must not close it under a call that waits for it.

use std::sync::{Arc, PoisonError, RwLock};

use callgate::StoreError;
use callgate::store::{
    AsyncStore, Batch, BatchOutcome, CounterId, Counters, Inspect, LiveCounter, Refund, ScopeValue, Slot,
    Store, StoreFuture, StoreId,
};
use callgate::time::Timestamp;

/// A store that can be closed: what is asked afterwards certainly was not done.
pub(crate) struct Closable<S: ?Sized> {
    id: StoreId,
    open: RwLock<Option<Arc<S>>>,
}

impl<S: ?Sized> Closable<S> {
    /// Gives the store up. Its files and connections are closed once nobody waits for them.
    pub(crate) fn close(&self) {
        let before = self.open.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(before);
    }

    fn store(&self) -> Result<Arc<S>, StoreError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner).clone();
        open.ok_or_else(|| StoreError::permanent("the store is closed").certainly_undone())
    }
}

impl Closable<dyn Counters> {
    pub(crate) fn new(store: Arc<dyn Counters>) -> Self {
        Self { id: store.id(), open: RwLock::new(Some(store)) }
    }
}

impl Closable<dyn AsyncStore> {
    pub(crate) fn new(store: Arc<dyn AsyncStore>) -> Self {
        Self { id: store.id(), open: RwLock::new(Some(store)) }
    }
}

impl Store for Closable<dyn Counters> {
    fn id(&self) -> StoreId {
        self.id
    }

    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.store()?.reserve(batch, now)
    }

    fn charge_one(&self, slot: &Slot<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.store()?.charge_one(slot, now)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.store()?.peek(batch, now)
    }

    fn refund(&self, refunds: &[Refund<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.store()?.refund(refunds, now)
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.store()?.purge(now)
    }
}

impl Inspect for Closable<dyn Counters> {
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError> {
        self.store()?.each(now, show)
    }

    fn reset(&self, counter: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError> {
        self.store()?.reset(counter, scope, now)
    }
}

impl AsyncStore for Closable<dyn AsyncStore> {
    fn id(&self) -> StoreId {
        self.id
    }

    fn reserve<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        Box::pin(async move { self.store()?.reserve(batch, now).await })
    }

    fn peek<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        Box::pin(async move { self.store()?.peek(batch, now).await })
    }

    fn refund<'f>(&'f self, refunds: &'f [Refund<'_>], now: Timestamp) -> StoreFuture<'f, ()> {
        Box::pin(async move { self.store()?.refund(refunds, now).await })
    }

    fn purge<'f>(&'f self, now: Timestamp) -> StoreFuture<'f, usize> {
        Box::pin(async move { self.store()?.purge(now).await })
    }
}
