//! Counter stores by URL, for a process that has a GIL and may fork.
//!
//! In: a URL. Out: a store that waits without the GIL, and that works in a forked process. Must never repeat the URL: it may
//! hold a password.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use callgate::StoreError;
use callgate::store::{AsyncStore, Batch, BatchOutcome, Refund, Store, StoreId};
use callgate::time::Timestamp;
use callgate_host::{OpenError, StoreOptions, open_async_store, open_store, survives_fork};
use pyo3::prelude::*;

/// A store behind I/O, which is waited for without the GIL.
pub(crate) struct DetachedStore {
    url: String,
    options: StoreOptions,
    opened: ArcSwap<Opened>,
    unblocking: ArcSwapOption<Unblocking>,
    closed: AtomicBool,
}

/// The face of a store that does not block, and the process that opened it.
struct Unblocking {
    process: u32,
    store: Arc<dyn AsyncStore>,
}

/// A store and the process that opened it.
struct Opened {
    process: u32,
    store: Arc<dyn Store>,
}

/// A store, and the same once more if asking it waits.
pub(crate) type Both = (Arc<dyn Store>, Option<Arc<DetachedStore>>);

/// Opens the store that a URL names; and the same once more, if asking it waits.
///
/// In-memory counters are taken as they are. They are only touched with the GIL held, never across a call into Python, so
/// neither a callback nor another thread can come to wait for them, and no fork finds one of their locks taken.
pub(crate) fn open(py: Python<'_>, url: &str, options: StoreOptions) -> Result<Both, OpenError> {
    let store = py.detach(|| open_store(url, &options))?;
    if url == "memory" {
        return Ok((store, None));
    }
    let opened = ArcSwap::from_pointee(Opened { process: std::process::id(), store });
    let unblocking = ArcSwapOption::empty();
    let waiting = Arc::new(DetachedStore {
        url: url.to_owned(),
        options,
        opened,
        unblocking,
        closed: AtomicBool::new(false),
    });
    Ok((waiting.clone(), Some(waiting)))
}

impl DetachedStore {
    /// Gives up what is open. What asks later is told that the store is closed.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let closed = Arc::new(Closed(self.id()));
        self.opened.store(Arc::new(Opened { process: std::process::id(), store: closed }));
        self.unblocking.store(None);
    }

    /// The store of this process.
    fn store(&self) -> Result<Arc<dyn Store>, StoreError> {
        let opened = self.opened.load_full();
        let process = std::process::id();
        if opened.process == process || self.closed.load(Ordering::SeqCst) || survives_fork(&self.url) {
            return Ok(opened.store.clone());
        }
        // A connection that was inherited belongs to the parent: neither used here nor closed, which could end it there.
        std::mem::forget(opened);
        let store = open_store(&self.url, &self.options)
            .map_err(|error| StoreError::permanent(format!("after a fork: {error}")))?;
        self.opened.store(Arc::new(Opened { process, store: store.clone() }));
        Ok(store)
    }

    /// The face that does not block, for this process; none if the store has none.
    pub(crate) fn unblocking(&self) -> Option<Arc<dyn AsyncStore>> {
        if self.closed.load(Ordering::SeqCst) {
            return None;
        }
        let process = std::process::id();
        let before = self.unblocking.load_full();
        if let Some(opened) = before.as_ref().filter(|opened| opened.process == process) {
            return Some(opened.store.clone());
        }
        // What cannot be opened is told of by the face that blocks.
        let store = open_async_store(&self.url, &self.options).ok()??;
        self.unblocking.store(Some(Arc::new(Unblocking { process, store: store.clone() })));
        // The parent's connection, if any: see above.
        std::mem::forget(before);
        Some(store)
    }

    /// Waits without the GIL: the thread that holds it may wait for the same lock.
    fn without_gil<T: Send>(
        &self,
        wait: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let waited = Python::try_attach(|py| py.detach(|| wait(&*self.store()?)));
        waited.unwrap_or_else(|| Err(StoreError::transient("the interpreter is shutting down")))
    }
}

impl Store for DetachedStore {
    /// That of the store, so that what is charged in one face is given back in the other.
    fn id(&self) -> StoreId {
        self.opened.load().store.id()
    }

    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.without_gil(|store| store.reserve(batch, now))
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.without_gil(|store| store.peek(batch, now))
    }

    fn refund(&self, refunds: &[Refund<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.without_gil(|store| store.refund(refunds, now))
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.without_gil(|store| store.purge(now))
    }
}

/// What stands for a store that was closed.
struct Closed(StoreId);

impl Closed {
    fn error<T>() -> Result<T, StoreError> {
        Err(StoreError::permanent("the store is closed").certainly_undone())
    }
}

impl Store for Closed {
    fn id(&self) -> StoreId {
        self.0
    }

    fn reserve(&self, _: &Batch<'_>, _: Timestamp) -> Result<BatchOutcome, StoreError> {
        Self::error()
    }

    fn peek(&self, _: &Batch<'_>, _: Timestamp) -> Result<BatchOutcome, StoreError> {
        Self::error()
    }

    fn refund(&self, _: &[Refund<'_>], _: Timestamp) -> Result<(), StoreError> {
        Self::error()
    }

    fn purge(&self, _: Timestamp) -> Result<usize, StoreError> {
        Self::error()
    }
}
