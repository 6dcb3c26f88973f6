//! What hears of decisions: the `callgate` logger and the host's callback.
//!
//! In: a decision that was made. Out: a log record, a call of the callback. Must not change a decision: what raises here is
//! logged. Only what asks the program to stop (`KeyboardInterrupt`, `SystemExit`) goes on to the caller.

use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt};

use crate::audit::{About, AuditRecord, Hash};
use crate::decision::Decision;

/// Levels of Python's `logging`.
const DEBUG: u8 = 10;
const INFO: u8 = 20;
const WARNING: u8 = 30;

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
        if let Some(callback) = on_decision
            && !callback.is_callable()
        {
            return Err(PyTypeError::new_err("on_decision must be callable"));
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
    pub(crate) fn tell(&self, decision: &Bound<'_, Decision>, about: Option<About>) -> PyResult<()> {
        let py = decision.py();
        contain(py, log_decision(decision))?;
        if let (Some(callback), Some(about)) = (&self.on_decision, about) {
            let record = AuditRecord::new(decision.clone().unbind(), about);
            if let Err(error) = callback.bind(py).call1((record,)) {
                let raised = stops(py, error)?;
                contain(py, log_callback(py, "on_decision", &raised))?;
            }
        }
        Ok(())
    }
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

/// Levels as Python numbers, so that no decision makes one.
struct Levels {
    debug: Py<PyInt>,
    info: Py<PyInt>,
    warning: Py<PyInt>,
}

static LEVEL_NUMBERS: PyOnceLock<Levels> = PyOnceLock::new();
static LEVELS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
static IS_ENABLED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static DECISION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static CALLBACK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static RELOADED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static NOT_RELOADED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn log_decision(decision: &Bound<'_, Decision>) -> PyResult<()> {
    let py = decision.py();
    let levels = LEVEL_NUMBERS.get_or_init(py, || {
        let number = |level: u8| PyInt::new(py, level).unbind();
        Levels { debug: number(DEBUG), info: number(INFO), warning: number(WARNING) }
    });
    let level = match decision.get().inner().code() {
        callgate::Code::Allowed => &levels.debug,
        callgate::Code::StoreUnavailable => &levels.warning,
        _ => &levels.info,
    }
    .bind(py);
    let known = LEVELS.import(py, "callgate._logging", "levels")?.get_item(level)?;
    let enabled = match known {
        Some(enabled) => enabled,
        None => IS_ENABLED.import(py, "callgate._logging", "is_enabled")?.call1((level,))?,
    };
    if enabled.is_truthy()? {
        DECISION.import(py, "callgate._logging", "log_decision")?.call1((level, decision))?;
    }
    Ok(())
}

fn log_callback(py: Python<'_>, name: &str, error: &PyErr) -> PyResult<()> {
    let error = error.value(py);
    CALLBACK.import(py, "callgate._logging", "log_callback")?.call1((name, error)).map(drop)
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
