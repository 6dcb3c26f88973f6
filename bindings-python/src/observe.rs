//! What hears of decisions and policies: the `callgate` logger and the host's callback.
//!
//! In: a decision that was made, a policy that was loaded. Out: a log record, a call of the callback. Must not change a decision: what raises here is
//! logged. Only what asks the program to stop (`KeyboardInterrupt`, `SystemExit`) goes on to the caller.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::audit::{About, AuditRecord, Hash};
use crate::decision::Decision;
use crate::policy::diagnostics_tuple;

/// The host's callback.
pub(crate) struct Observer {
    pub(crate) on_decision: Option<Py<PyAny>>,
    pub(crate) hash: Hash,
}

impl Observer {
    pub(crate) fn new(
        on_decision: Option<&Bound<'_, PyAny>>,
        hash: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        if let Some(callback) = on_decision {
            check_callback("on_decision", callback)?;
        }
        Ok(Self {
            on_decision: on_decision.map(|callback| callback.clone().unbind()),
            hash: Hash::new(hash)?,
        })
    }

    /// Whether a record is to be made of each decision.
    pub(crate) fn listens(&self) -> bool {
        self.on_decision.is_some()
    }

    /// Tells of a decision.
    #[inline(always)]
    pub(crate) fn tell(&self, decision: &Bound<'_, Decision>, about: Option<Box<About>>) -> PyResult<()> {
        self.tell_at(Level::of(decision.get().inner().code()), decision, about)
    }

    /// [`Observer::tell`] of a decision whose level is known.
    #[inline(always)]
    pub(crate) fn tell_at(
        &self,
        level: Level,
        decision: &Bound<'_, Decision>,
        about: Option<Box<About>>,
    ) -> PyResult<()> {
        if !level.is_silent() {
            contain(decision.py(), level.log(decision))?;
        }
        match (&self.on_decision, about) {
            (Some(callback), Some(about)) => call_back(callback, decision, *about),
            _ => Ok(()),
        }
    }
}

#[inline(never)]
fn call_back(callback: &Py<PyAny>, decision: &Bound<'_, Decision>, about: About) -> PyResult<()> {
    let py = decision.py();
    let record = AuditRecord::new(decision.clone().unbind(), about);
    if let Err(error) = callback.bind(py).call1((record,)).and_then(done) {
        let raised = stops(py, error)?;
        contain(py, log_callback(py, "on_decision", &raised))?;
    }
    Ok(())
}

/// What a callback answers is not looked at, but for one that has done nothing yet: a function that calls an async one.
fn done(answer: Bound<'_, PyAny>) -> PyResult<()> {
    if !answer.is_none() && answer.hasattr("__await__")? {
        return Err(PyTypeError::new_err("its answer would have to be awaited, and nobody does"));
    }
    Ok(())
}

/// Whether a callback is one, and not async: nobody would await it.
pub(crate) fn check_callback(name: &str, callback: &Bound<'_, PyAny>) -> PyResult<()> {
    let check = SYNCHRONOUS.import(callback.py(), "callgate._callbacks", "synchronous")?;
    check.call1((name, callback)).map(drop)
}

/// Passes on what asks the program to stop.
fn stops(py: Python<'_>, error: PyErr) -> PyResult<PyErr> {
    if error.is_instance_of::<PyException>(py) { Ok(error) } else { Err(error) }
}

fn contain(py: Python<'_>, result: PyResult<()>) -> PyResult<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) => {
            stops(py, error)?.write_unraisable(py, None);
            Ok(())
        }
    }
}

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
static SYNCHRONOUS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
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

    #[inline]
    fn is_silent(self) -> bool {
        SILENT.load(Ordering::Acquire) & self.bit() != 0
    }

    #[cold]
    fn log(self, decision: &Bound<'_, Decision>) -> PyResult<()> {
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

fn log_callback(py: Python<'_>, name: &str, error: &PyErr) -> PyResult<()> {
    let error = error.value(py);
    CALLBACK.import(py, "callgate._logging", "log_callback")?.call1((name, error)).map(drop)
}

/// Logs the warnings of a policy that was loaded from this file, or from text. What a handler raises is no reason not to load.
pub(crate) fn tell_of_warnings(
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

/// Tells of a reload: the new policy, or why the old one stays. Called on the watcher's thread; nothing may get out of it.
pub(crate) fn tell_of_reload(
    py: Python<'_>,
    path: &str,
    news: PyResult<Py<PyAny>>,
    on_reload: Option<&Py<PyAny>>,
) {
    let (logged, argument) = match news {
        Ok(policy) => (RELOADED.import(py, "callgate._logging", "log_reload"), policy),
        Err(error) => {
            (NOT_RELOADED.import(py, "callgate._logging", "log_no_reload"), error.into_value(py).into_any())
        }
    };
    let logged = logged.and_then(|log| log.call1((path, &argument)).map(drop));
    let called = on_reload.map_or(Ok(()), |callback| match callback.bind(py).call1((&argument,)) {
        Ok(_) => Ok(()),
        Err(error) => log_callback(py, "on_reload", &error),
    });
    for error in [logged, called].into_iter().filter_map(Result::err) {
        error.write_unraisable(py, None);
    }
}
