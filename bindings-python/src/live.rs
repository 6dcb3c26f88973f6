//! The engine of core that a Python engine and its decisions share.
//!
//! In: a core engine and the store behind it. Out: both, and how often the policy was replaced. Every replacement must go through
//! here: caches are told by that count.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callgate::store::AsyncStore;

use crate::store::DetachedStore;

/// A core engine, its store, and how often its policy was replaced.
pub(crate) struct LiveEngine {
    engine: callgate::Engine,
    /// The store, if asking it waits.
    waiting: Option<Arc<DetachedStore>>,
    replaced: AtomicUsize,
}

impl LiveEngine {
    pub(crate) fn new(engine: callgate::Engine, waiting: Option<Arc<DetachedStore>>) -> Self {
        Self { engine, waiting, replaced: AtomicUsize::new(0) }
    }

    pub(crate) fn core(&self) -> &callgate::Engine {
        &self.engine
    }

    /// Whether asking the store never waits.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.waiting.is_none()
    }

    /// The face of the store that does not block, if it has one.
    pub(crate) fn unblocking(&self) -> Option<Arc<dyn AsyncStore>> {
        self.waiting.as_ref()?.unblocking()
    }

    /// Closes the store, unless its counters are in memory. Calls that it decides are then as if it could not be reached.
    pub(crate) fn close(&self) {
        if let Some(store) = &self.waiting {
            store.close();
        }
    }

    /// How often the policy was replaced. A policy that is asked for afterwards is the one of that count, or a later one.
    #[inline]
    pub(crate) fn replaced(&self) -> usize {
        self.replaced.load(Ordering::Acquire)
    }

    /// Puts another policy in force, for every call from here on.
    pub(crate) fn replace(&self, policy: callgate::Policy) {
        self.engine.replace(policy);
        // Behind the replacement: a thread that sees this count sees that policy, or a later one.
        self.replaced.fetch_add(1, Ordering::Release);
    }
}
