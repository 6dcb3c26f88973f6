//! The core's errors as Python exceptions.
//!
//! In: an error of the core or the host crate. Out: an instance of the class that `callgate._errors` has for it. Must not
//! add to a message what the core left out: argument values, store URLs.

use std::error::Error;
use std::io;

use callgate::{SettleError, StackError, StoreError};
use callgate_host::{LoadError, LockFileError, OpenError};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};

use crate::diagnostic::diagnostics_tuple;

fn class<'a, 'py>(
    py: Python<'py>,
    cell: &'a PyOnceLock<Py<PyType>>,
    name: &str,
) -> PyResult<&'a Bound<'py, PyType>> {
    cell.import(py, "callgate._errors", name)
}

fn raise<'py, A: pyo3::call::PyCallArgs<'py>>(class: PyResult<&Bound<'py, PyType>>, args: A) -> PyErr {
    match class.and_then(|class| class.call1(args)) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// `callgate.PolicyError`, with every diagnostic and the file it is about.
pub(crate) fn policy(py: Python<'_>, diagnostics: &[callgate::Diagnostic], path: Option<&str>) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match diagnostics_tuple(py, diagnostics) {
        Ok(diagnostics) => raise(class(py, &CLASS, "PolicyError"), (diagnostics, path)),
        Err(error) => error,
    }
}

/// `callgate.PolicyError`, or the `OSError` of a file that cannot be read.
pub(crate) fn load(py: Python<'_>, error: &LoadError) -> PyErr {
    let path = error.path().to_string_lossy();
    match error {
        LoadError::Policy(invalid) => policy(py, invalid.diagnostics(), Some(&path)),
        LoadError::Read(read) => self::read(read, &path),
        LoadError::Stack(error) => stack(py, error.stack_error(), Some(&path)),
        other => PyOSError::new_err(other.to_string()),
    }
}

/// `callgate.StackError`, with the file that does not go with the others.
pub(crate) fn stack(py: Python<'_>, error: &StackError, path: Option<&str>) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let path = path.filter(|path| !path.is_empty());
    raise(class(py, &CLASS, "StackError"), (error.to_string(), error.code(), path))
}

/// `callgate.LockError`, or the `OSError` of a file that cannot be read.
pub(crate) fn lock(py: Python<'_>, error: &LockFileError, path: &str) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match error {
        LockFileError::Read { .. } => read(error, path),
        _ => raise(class(py, &CLASS, "LockError"), (error.to_string(),)),
    }
}

fn read(error: &(dyn Error + 'static), path: &str) -> PyErr {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let text = source.map_or_else(|| error.to_string(), ToString::to_string);
    match source.and_then(io::Error::raw_os_error) {
        // `OSError(errno, text, filename)` becomes FileNotFoundError, PermissionError and so on.
        Some(code) => {
            let text = text.split(" (os error").next().unwrap_or_default().to_owned();
            PyOSError::new_err((code, text, path.to_owned()))
        }
        None => PyOSError::new_err(format!("{path}: {text}")),
    }
}

/// `callgate.StoreURLError`, or `callgate.StoreError` where the store that the URL names cannot be opened. The message never
/// repeats the URL.
pub(crate) fn open(py: Python<'_>, error: &OpenError) -> PyErr {
    if let OpenError::Failed(failed) = error {
        return store(py, failed);
    }
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(class(py, &CLASS, "StoreURLError"), (error.to_string(),))
}

/// `callgate.StoreError`, with whether a later attempt may succeed.
pub(crate) fn store(py: Python<'_>, error: &StoreError) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(class(py, &CLASS, "StoreError"), (error.to_string(), error.is_transient()))
}

/// `callgate.SettleError`, or `callgate.StoreError` where the store failed.
pub(crate) fn settle(py: Python<'_>, error: &SettleError) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match error {
        SettleError::Finished => finished(py),
        SettleError::Store(error) => store(py, error),
        _ => raise(class(py, &CLASS, "SettleError"), (error.to_string(), error.code())),
    }
}

/// `callgate.ReservationError`: finished or settled before.
pub(crate) fn finished(py: Python<'_>) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(class(py, &CLASS, "ReservationError"), PyTuple::empty(py))
}
