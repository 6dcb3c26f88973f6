//! The class `Store`.
//!
//! In: a URL, and names of namespaces. Out: handles for engines, and the counters in them. Must not show the URL.

use callgate::time::{Clock as _, SystemClock};
use callgate_host::StoreOptions;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::{Handle, LiveCounter, seconds};
use crate::error;

/// Counters that engines share: a store that was opened once, in one of its namespaces. Safe to share between threads.
#[pyclass(module = "callgate", frozen, weakref)]
pub(crate) struct Store(pub(crate) Handle);

#[pymethods]
impl Store {
    #[new]
    #[pyo3(signature = (url, *, timeout = 1.0, namespace = "callgate"))]
    fn py_new(py: Python<'_>, url: &str, timeout: f64, namespace: &str) -> PyResult<Self> {
        let timeout = seconds("timeout", timeout)?;
        let options = StoreOptions::new().with_namespace(namespace).with_timeout(timeout);
        Handle::open(py, url, &options).map(Self).map_err(|error| error::open(py, &error))
    }

    /// The counters of another namespace of this store.
    fn namespaced(&self, py: Python<'_>, name: &str) -> PyResult<Self> {
        self.0.namespaced(name).map(Self).map_err(|error| error::store(py, &error))
    }

    /// The namespace.
    #[getter]
    fn namespace(&self) -> &str {
        self.0.shared().namespace()
    }

    /// Every counter that holds something, in no particular order.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let live = self.0.list(py, SystemClock.now()).map_err(|error| error::store(py, &error))?;
        LiveCounter::list(py, live)
    }

    /// Makes a counter hold nothing, and returns whether it held something.
    fn reset_counter(&self, py: Python<'_>, counter: &Bound<'_, PyAny>) -> PyResult<bool> {
        let counter = LiveCounter::named(counter)?;
        self.0.reset(py, counter, SystemClock.now()).map_err(|error| error::store(py, &error))
    }

    /// Closes the store with all of its namespaces, if it is the one that was opened; else this one alone.
    fn close(&self, py: Python<'_>) {
        self.0.close(py);
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let shared = self.0.shared();
        format!("<Store {} namespace={:?}>", shared.kind(), shared.namespace())
    }
}
