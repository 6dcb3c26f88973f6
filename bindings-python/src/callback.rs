//! The host's callbacks, when they are given.
//!
//! In: a callback. Out: the same, or `TypeError`. Must not call it.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Whether a callback is one, and not async: nobody would await it.
pub(crate) fn check_callback(name: &str, callback: &Bound<'_, PyAny>) -> PyResult<()> {
    static SYNCHRONOUS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let check = SYNCHRONOUS.import(callback.py(), "callgate._callbacks", "synchronous")?;
    check.call1((name, callback)).map(drop)
}

/// What a callback answers is not looked at, but for one that has done nothing yet: a function that calls an async one.
pub(crate) fn done(answer: Bound<'_, PyAny>) -> PyResult<()> {
    if !answer.is_none() && answer.hasattr("__await__")? {
        return Err(PyTypeError::new_err("its answer would have to be awaited, and nobody does"));
    }
    Ok(())
}
