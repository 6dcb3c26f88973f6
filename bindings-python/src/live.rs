//! The engine of core that a Python engine and its decisions share.
//!
//! In: a core engine and the store behind it. Out: both, a candidate beside them, and how often either policy was replaced. Every replacement must go through
//! here: caches are told by that count.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callgate::store::AsyncStore;
use callgate_host::{Candidate, Observer, SameCounters};
use pyo3::Python;

use crate::store::Handle;

/// A core engine, its store, and how often its policy was replaced.
pub(crate) struct LiveEngine {
    engine: callgate::Engine,
    store: Handle,
    /// Whether the store goes with the engine: a `Store` of the host's may serve others.
    owns_store: bool,
    observer: Observer,
    replaced: AtomicUsize,
}

impl LiveEngine {
    pub(crate) fn new(engine: callgate::Engine, store: Handle, owns_store: bool) -> Self {
        Self { engine, store, owns_store, observer: Observer::new(), replaced: AtomicUsize::new(0) }
    }

    pub(crate) fn core(&self) -> &callgate::Engine {
        &self.engine
    }

    pub(crate) fn store(&self) -> &Handle {
        &self.store
    }

    /// Whether asking the store never waits.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.store.shared().is_in_memory()
    }

    /// The face of the store that does not block, for one call, if it has one.
    pub(crate) fn unblocking(&self) -> Option<Arc<dyn AsyncStore>> {
        self.store.unblocking()
    }

    /// Closes the store, if the engine opened it and its counters are not in memory.
    pub(crate) fn close(&self, py: Python<'_>) {
        if self.owns_store && !self.is_in_memory() {
            self.store.close(py);
        }
    }

    /// How often the policy was replaced. A policy that is asked for afterwards is the one of that count, or a later one.
    #[inline]
    pub(crate) fn replaced(&self) -> usize {
        self.replaced.load(Ordering::Acquire)
    }

    /// What lets a candidate decide beside this engine.
    pub(crate) fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Lets a candidate decide beside this engine, for every call from here on, or none.
    pub(crate) fn observe(&self, candidate: Option<Candidate>) -> Result<(), SameCounters> {
        self.observer.observe(&self.engine, candidate)?;
        // Caches know whether there is a candidate.
        self.replaced.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Puts another policy in force, for every call from here on.
    pub(crate) fn replace(&self, policy: callgate::Policy) {
        self.engine.replace(policy);
        // Behind the replacement: a thread that sees this count sees that policy, or a later one.
        self.replaced.fetch_add(1, Ordering::Release);
    }
}
