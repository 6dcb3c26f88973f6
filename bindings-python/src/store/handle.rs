//! The counters of one namespace, as an engine and a `Store` use them.
//!
//! In: a store of the host crate. Out: its answers. The GIL is released while a store is waited for.
//!
//! In-memory counters are taken as they are. They are only touched with the GIL held, never across a call into Python, so
//! neither a callback nor another thread can come to wait for them, and no fork finds one of their locks taken.

use std::sync::Arc;
use std::time::Duration;

use callgate::StoreError;
use callgate::store::{self, AsyncStore, CounterId, ScopeValue};
use callgate::time::Timestamp;
use callgate_host::{DetachedStore, OpenError, SharedStore, StoreOptions, Wait, open_store};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The longest time-out of a store in seconds.
const LONGEST: f64 = 86_400.0;

/// Counters of one namespace.
#[derive(Clone)]
pub(crate) struct Handle {
    shared: SharedStore,
    counters: Arc<dyn store::Store>,
}

/// Waits without the GIL: the thread that holds it may wait for the same lock.
struct WithoutGil;

impl Wait for WithoutGil {
    fn wait<T: Send>(&self, ask: impl FnOnce() -> Result<T, StoreError> + Send) -> Result<T, StoreError> {
        let waited = Python::try_attach(|py| py.detach(ask));
        waited.unwrap_or_else(|| Err(StoreError::transient("the interpreter is shutting down")))
    }
}

/// A time-out that Python gave.
pub(crate) fn seconds(name: &str, seconds: f64) -> PyResult<Duration> {
    if seconds > 0.0 && seconds <= LONGEST {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(PyValueError::new_err(format!("{name} must be more than 0 and at most 86400 seconds")))
}

impl Handle {
    pub(crate) fn open(py: Python<'_>, url: &str, options: &StoreOptions) -> Result<Self, OpenError> {
        Ok(Self::of(py.detach(|| open_store(url, options))?))
    }

    fn of(shared: SharedStore) -> Self {
        let counters: Arc<dyn store::Store> = if shared.is_in_memory() {
            shared.blocking()
        } else {
            Arc::new(DetachedStore::new(shared.blocking(), WithoutGil))
        };
        Self { shared, counters }
    }

    pub(crate) fn namespaced(&self, name: &str) -> Result<Self, StoreError> {
        Ok(Self::of(self.shared.namespaced(name)?))
    }

    pub(crate) fn shared(&self) -> &SharedStore {
        &self.shared
    }

    /// The counters, for the core.
    pub(crate) fn counters(&self) -> &Arc<dyn store::Store> {
        &self.counters
    }

    /// The face that does not block, for one call; none for memory.
    pub(crate) fn unblocking(&self) -> Option<Arc<dyn AsyncStore>> {
        self.shared.for_call()
    }

    pub(crate) fn close(&self, py: Python<'_>) {
        py.detach(|| self.shared.close());
    }

    /// Every counter that holds something.
    pub(crate) fn list(&self, py: Python<'_>, now: Timestamp) -> Result<Vec<store::LiveCounter>, StoreError> {
        let list = || {
            let mut live = Vec::new();
            self.shared.blocking().each(now, &mut |held| live.push(held))?;
            Ok(live)
        };
        if self.shared.is_in_memory() { list() } else { py.detach(list) }
    }

    /// Empties a counter, and returns whether it held something.
    pub(crate) fn reset(
        &self,
        py: Python<'_>,
        (counter, scope): (CounterId, ScopeValue),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let reset = || self.shared.blocking().reset(counter, &scope, now);
        if self.shared.is_in_memory() { reset() } else { py.detach(reset) }
    }
}
