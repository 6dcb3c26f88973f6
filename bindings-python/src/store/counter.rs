//! The class `LiveCounter`.
//!
//! In: a counter that a store listed. Out: its parts as Python objects, and a key that names it again. Decides nothing.

use callgate::store::{self, CounterId, Owner, ScopeValue};
use callgate::time::Timestamp;
use callgate_host::{counter_key, counter_of_key};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::decision::{decimal, instant};

/// A counter that holds something, for one scope value.
#[pyclass(module = "callgate", frozen, get_all)]
pub(crate) struct LiveCounter {
    key: String,
    entry: Option<String>,
    counter: String,
    scope: String,
    scope_value: String,
    window: String,
    algorithm: &'static str,
    used: Py<PyAny>,
    resets_at: Option<Py<PyAny>>,
}

impl LiveCounter {
    fn new(py: Python<'_>, live: store::LiveCounter) -> PyResult<Self> {
        let key = counter_key(&live);
        let store::LiveCounter { counter, scope, used, resets_at } = live;
        Ok(Self {
            key,
            entry: match counter.owner() {
                Owner::Tool(name) => Some(name.to_string()),
                _ => None,
            },
            counter: counter.name().to_owned(),
            scope: counter.scope().to_owned(),
            scope_value: scope.to_string(),
            window: counter.window().to_string(),
            algorithm: counter.algorithm().name(),
            used: decimal(py, used)?,
            resets_at: (resets_at < Timestamp::MAX).then(|| instant(py, resets_at)).transpose()?,
        })
    }

    /// A list of counters.
    pub(crate) fn list<'py>(py: Python<'py>, live: Vec<store::LiveCounter>) -> PyResult<Bound<'py, PyList>> {
        let listed: Vec<Self> = live.into_iter().map(|live| Self::new(py, live)).collect::<PyResult<_>>()?;
        PyList::new(py, listed)
    }

    /// The counter that Python names: one that was listed, or its key.
    pub(crate) fn named(counter: &Bound<'_, PyAny>) -> PyResult<(CounterId, ScopeValue)> {
        let no_key = || PyValueError::new_err("a counter is one of those that `counters` lists, or its key");
        if let Ok(live) = counter.cast::<Self>() {
            return counter_of_key(&live.get().key).ok_or_else(no_key);
        }
        let key: &str = counter.extract().map_err(|_| {
            PyTypeError::new_err("a counter is one of those that `counters` lists, or its key")
        })?;
        counter_of_key(key).ok_or_else(no_key)
    }
}

#[pymethods]
impl LiveCounter {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let entry = self.entry.as_deref().unwrap_or("all_tools");
        let used = self.used.bind(py).str()?;
        Ok(format!("<LiveCounter {entry}.{} used={used}>", self.counter))
    }
}
