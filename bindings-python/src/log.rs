//! The `callgate` logger.
//!
//! In: decisions, warnings, reloads, and what callbacks raised. Out: log records. Must not change a decision: what a handler raises
//! is reported and goes no further. Only what asks the program to stop (`KeyboardInterrupt`, `SystemExit`) goes on to the caller.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::diagnostic::diagnostics_tuple;

/// The level of a decision's record.
#[derive(Clone, Copy)]
pub(crate) enum Level {
    Debug,
    Info,
    Warning,
}

/// A bit for each level of which the logger drops every record, as it said; and above them, how often it forgot what it says.
/// One word, so that an answer is never kept that was given before the logger forgot.
static SILENT: AtomicU64 = AtomicU64::new(0);
/// What counts one above the bits of the levels.
const FORGOTTEN: u64 = 1 << 3;

static DECISION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static CALLBACK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static WARNINGS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static RELOADED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static NOT_RELOADED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

impl Level {
    #[inline]
    pub(crate) fn of(code: callgate::Code) -> Self {
        match code {
            callgate::Code::Allowed => Self::Debug,
            callgate::Code::StoreUnavailable => Self::Warning,
            _ => Self::Info,
        }
    }

    /// Its number in Python's `logging`.
    fn number(self) -> u8 {
        match self {
            Self::Debug => 10,
            Self::Info => 20,
            Self::Warning => 30,
        }
    }

    fn bit(self) -> u64 {
        1 << self as u32
    }

    /// Logs a decision, unless the logger drops this level.
    #[inline]
    pub(crate) fn log(self, decision: &Bound<'_, PyAny>) -> PyResult<()> {
        if SILENT.load(Ordering::Acquire) & self.bit() != 0 {
            return Ok(());
        }
        contain(decision.py(), self.ask_and_log(decision))
    }

    #[cold]
    fn ask_and_log(self, decision: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = decision.py();
        let known = SILENT.load(Ordering::Acquire);
        let log = DECISION.import(py, "callgate._logging", "log_decision")?;
        if log.call1((self.number(), decision))?.is_truthy()? {
            // If the logger has forgotten it meanwhile, or another thread was faster, the next decision asks again.
            let _ = SILENT.compare_exchange(known, known | self.bit(), Ordering::AcqRel, Ordering::Acquire);
        }
        Ok(())
    }
}

/// The logger may answer anew. Called by `callgate._logging` behind every change.
#[pyfunction]
pub(crate) fn _forget_levels() {
    let forget = |known: u64| Some((known | (FORGOTTEN - 1)).wrapping_add(1));
    let _ = SILENT.fetch_update(Ordering::AcqRel, Ordering::Acquire, forget);
}

/// Logs the warnings of a policy that was loaded from this file, or from text. An exception of a handler does not keep the policy from loading.
pub(crate) fn warnings(
    py: Python<'_>,
    path: Option<&str>,
    warnings: &[callgate::Diagnostic],
) -> PyResult<()> {
    if warnings.is_empty() {
        return Ok(());
    }
    let log = WARNINGS.import(py, "callgate._logging", "log_warnings")?;
    contain(py, log.call1((path, diagnostics_tuple(py, warnings)?)).map(drop))
}

/// Logs what a callback of the host raised, where that changes nothing.
pub(crate) fn callback(py: Python<'_>, name: &str, error: &PyErr) -> PyResult<()> {
    let error = error.value(py);
    CALLBACK.import(py, "callgate._logging", "log_callback")?.call1((name, error)).map(drop)
}

/// Logs that a policy was reloaded from a file, or why it was not.
pub(crate) fn reload(py: Python<'_>, path: &str, news: Result<&Py<PyAny>, &Py<PyAny>>) -> PyResult<()> {
    let (cell, name, argument) = match news {
        Ok(policy) => (&RELOADED, "log_reload", policy),
        Err(error) => (&NOT_RELOADED, "log_no_reload", error),
    };
    cell.import(py, "callgate._logging", name)?.call1((path, argument)).map(drop)
}

/// Passes on what asks the program to stop.
pub(crate) fn stops(py: Python<'_>, error: PyErr) -> PyResult<PyErr> {
    if error.is_instance_of::<PyException>(py) { Ok(error) } else { Err(error) }
}

/// Reports what logging raised, unless it asks the program to stop.
pub(crate) fn contain(py: Python<'_>, result: PyResult<()>) -> PyResult<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) => {
            stops(py, error)?.write_unraisable(py, None);
            Ok(())
        }
    }
}
