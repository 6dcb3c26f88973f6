//! A store that was opened once, for any number of engines and namespaces.
//!
//! In: an open store, and names. Out: counters of one name each, blocking or not, until the host closes them. Must not do anything
//! for a call that comes after the closing: it is an error that is certain.

use std::fmt;
use std::sync::Arc;
#[cfg(feature = "async")]
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use callgate::StoreError;
use callgate::store::{
    Batch, BatchOutcome, CounterId, Counters, Inspect, LiveCounter, ScopeValue, Settlement, Slot, Store,
    StoreId,
};
use callgate::time::Timestamp;

#[cfg(feature = "redis")]
use crate::per_process::PerProcess;
use crate::source::{Faces, Source};
use crate::url::OpenError;

/// Counters of one namespace in a store that [`open_store`](crate::open_store) opened. [`SharedStore::namespaced`] gives those of
/// another: all share the open file, or the connections, and its threads (spec 8.15). Clones are one handle.
///
/// ```
/// use callgate::Engine;
/// use callgate_host::{StoreOptions, open_store};
/// # let policy: callgate::Policy = "{version: '1', default: deny, tools: {t: }}".parse()?;
/// let store = open_store("memory", &StoreOptions::new())?;
/// let engine = |tenant| -> Result<_, callgate::StoreError> {
///     Ok(Engine::builder(policy.clone()).store(store.namespaced(tenant)?.blocking()).build())
/// };
/// let engines = [engine("alice")?, engine("bob")?];
/// # drop(engines);
/// store.close(); // what an engine asks from here on is an error
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SharedStore {
    face: Arc<Face>,
}

/// What all handles share.
struct Shared {
    source: Source,
    is_closed: AtomicBool,
    /// Calls that were asked and have no answer yet. The last one closes what was to be closed meanwhile.
    #[cfg(feature = "async")]
    calls: AtomicUsize,
}

/// The counters of one handle.
struct Face {
    shared: Arc<Shared>,
    namespace: Box<str>,
    id: StoreId,
    faces: MadeFaces,
    /// Whether it is the handle that the store was opened with.
    is_first: bool,
    is_closed: AtomicBool,
}

/// The faces of one handle, as long as they last.
enum MadeFaces {
    Lasting(Faces),
    #[cfg(feature = "redis")]
    PerProcess(PerProcess<Faces>),
}

impl SharedStore {
    pub(crate) fn new(source: Source, namespace: &str) -> Result<Self, OpenError> {
        let shared = Shared {
            source,
            is_closed: AtomicBool::new(false),
            #[cfg(feature = "async")]
            calls: AtomicUsize::new(0),
        };
        Ok(Self { face: Arc::new(Face::new(Arc::new(shared), namespace, true)?) })
    }

    /// The counters of another namespace of this store, or those of the same where the name is the same. Opens nothing.
    ///
    /// # Errors
    /// Permanent, where the store admits no such name, or is closed.
    pub fn namespaced(&self, name: &str) -> Result<Self, StoreError> {
        self.face.check()?;
        Ok(Self { face: Arc::new(Face::new(self.face.shared.clone(), name, false)?) })
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.face.namespace
    }

    /// `memory`, `sqlite` or `redis`.
    pub fn kind(&self) -> &'static str {
        self.face.shared.source.kind()
    }

    /// Whether asking never waits.
    pub fn is_in_memory(&self) -> bool {
        self.face.shared.source.is_in_memory()
    }

    /// The counters, for callers that may wait.
    pub fn blocking(&self) -> Arc<dyn Counters> {
        self.face.clone()
    }

    /// The same counters, for callers that must not block; none for memory, which never waits.
    #[cfg(feature = "async")]
    pub fn nonblocking(&self) -> Option<Arc<dyn callgate::store::AsyncStore>> {
        if self.is_in_memory() { None } else { Some(self.face.clone()) }
    }

    /// [`SharedStore::nonblocking`] for one call that is made now and asked later, on another thread: it gets its answer, though the
    /// store be closed in between.
    #[cfg(feature = "async")]
    pub fn for_call(&self) -> Option<Arc<dyn callgate::store::AsyncStore>> {
        let call = nonblocking::Call::new(&self.face);
        if self.is_in_memory() || self.face.check().is_err() {
            self.nonblocking()
        } else {
            Some(Arc::new(call))
        }
    }

    /// Closes the store for all handles, if it is the handle that the store was opened with; else this handle alone. What is asked
    /// afterwards is an error that is [certain](StoreError::is_certainly_undone). Calls that wait for the store get their answers.
    pub fn close(&self) {
        self.face.is_closed.store(true, Ordering::SeqCst);
        let shared = &self.face.shared;
        if self.face.is_first && !shared.is_closed.swap(true, Ordering::SeqCst) {
            shared.close();
        }
    }
}

/// Does not print the URL.
impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore")
            .field("kind", &self.kind())
            .field("namespace", &self.namespace())
            .finish()
    }
}

impl Shared {
    /// Closes the source, unless calls wait for it.
    fn close(&self) {
        #[cfg(feature = "async")]
        if self.calls.load(Ordering::SeqCst) > 0 {
            return;
        }
        self.source.close();
    }
}

impl Face {
    fn new(shared: Arc<Shared>, namespace: &str, is_first: bool) -> Result<Self, StoreError> {
        let faces = shared.source.faces(namespace)?;
        let id = faces.blocking.id();
        let faces = if shared.source.survives_fork() {
            MadeFaces::Lasting(faces)
        } else {
            MadeFaces::of_process(faces)
        };
        Ok(Self {
            shared,
            namespace: namespace.into(),
            id,
            faces,
            is_first,
            is_closed: AtomicBool::new(false),
        })
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.is_closed.load(Ordering::SeqCst) || self.shared.is_closed.load(Ordering::SeqCst) {
            return Err(StoreError::permanent("the store is closed").certainly_undone());
        }
        Ok(())
    }

    /// Asks the faces of this process.
    fn ask<T>(&self, ask: impl FnOnce(&Faces) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.check()?;
        self.lend(ask)
    }

    /// Asks them, whether the store is closed or not.
    fn lend<T>(&self, ask: impl FnOnce(&Faces) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &self.faces {
            MadeFaces::Lasting(faces) => ask(faces),
            #[cfg(feature = "redis")]
            MadeFaces::PerProcess(faces) => faces.with(|| self.shared.source.faces(&self.namespace), ask),
        }
    }
}

impl MadeFaces {
    #[cfg(feature = "redis")]
    fn of_process(faces: Faces) -> Self {
        Self::PerProcess(PerProcess::new(faces))
    }

    #[cfg(not(feature = "redis"))]
    fn of_process(faces: Faces) -> Self {
        Self::Lasting(faces)
    }
}

impl Store for Face {
    fn id(&self) -> StoreId {
        self.id
    }

    fn is_in_memory(&self) -> bool {
        self.shared.source.is_in_memory()
    }

    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.ask(|faces| faces.blocking.reserve(batch, now))
    }

    fn charge_one(&self, slot: &Slot<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.ask(|faces| faces.blocking.charge_one(slot, now))
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.ask(|faces| faces.blocking.peek(batch, now))
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.ask(|faces| faces.blocking.settle(settlements, now))
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.ask(|faces| faces.blocking.purge(now))
    }
}

impl Inspect for Face {
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError> {
        self.ask(|faces| faces.blocking.each(now, show))
    }

    fn reset(&self, counter: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError> {
        self.ask(|faces| faces.blocking.reset(counter, scope, now))
    }
}

mod approvals;

#[cfg(feature = "async")]
mod nonblocking {
    use callgate::store::{AsyncStore, StoreFuture};

    use super::*;

    impl Face {
        fn unblocking(&self) -> Result<Arc<dyn AsyncStore>, StoreError> {
            self.ask(of)
        }
    }

    fn of(faces: &Faces) -> Result<Arc<dyn AsyncStore>, StoreError> {
        let none = || StoreError::permanent("counters in memory have one face").certainly_undone();
        faces.nonblocking.clone().ok_or_else(none)
    }

    /// The counters, for a call that was made before they may be closed.
    pub(super) struct Call(Arc<Face>);

    impl Call {
        pub(super) fn new(face: &Arc<Face>) -> Self {
            face.shared.calls.fetch_add(1, Ordering::SeqCst);
            Self(face.clone())
        }

        fn unblocking(&self) -> Result<Arc<dyn AsyncStore>, StoreError> {
            self.0.lend(of)
        }
    }

    impl Drop for Call {
        fn drop(&mut self) {
            let shared = &self.0.shared;
            // INVARIANT: who closes sees this call, or this call sees that it is closed.
            if shared.calls.fetch_sub(1, Ordering::SeqCst) == 1 && shared.is_closed.load(Ordering::SeqCst) {
                shared.source.close();
            }
        }
    }

    impl AsyncStore for Face {
        fn id(&self) -> StoreId {
            self.id
        }

        fn reserve<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
            Box::pin(async move { self.unblocking()?.reserve(batch, now).await })
        }

        fn peek<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
            Box::pin(async move { self.unblocking()?.peek(batch, now).await })
        }

        fn settle<'f>(&'f self, settlements: &'f [Settlement<'_>], now: Timestamp) -> StoreFuture<'f, ()> {
            Box::pin(async move { self.unblocking()?.settle(settlements, now).await })
        }

        fn purge(&self, now: Timestamp) -> StoreFuture<'_, usize> {
            Box::pin(async move { self.unblocking()?.purge(now).await })
        }
    }

    impl AsyncStore for Call {
        fn id(&self) -> StoreId {
            self.0.id
        }

        fn reserve<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
            Box::pin(async move { self.unblocking()?.reserve(batch, now).await })
        }

        fn peek<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
            Box::pin(async move { self.unblocking()?.peek(batch, now).await })
        }

        fn settle<'f>(&'f self, settlements: &'f [Settlement<'_>], now: Timestamp) -> StoreFuture<'f, ()> {
            Box::pin(async move { self.unblocking()?.settle(settlements, now).await })
        }

        fn purge(&self, now: Timestamp) -> StoreFuture<'_, usize> {
            Box::pin(async move { self.unblocking()?.purge(now).await })
        }
    }
}

#[cfg(test)]
mod tests;
