//! Clocks: the machine's, one that stands still, and any callable.
//!
//! In: what a host passes as `clock`. Out: a core clock. A callable that fails must not be taken for a time: its error is
//! kept, and raised to the caller of `evaluate` instead of a decision.

use std::cell::RefCell;
use std::sync::Arc;

use callgate::time::{Clock, SystemClock, Timestamp};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::callback::check_callback;

/// Milliseconds of a second.
const MILLIS: f64 = 1000.0;

thread_local! {
    /// What the clock raised while this thread decided a call.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// A clock that stands still until it is told to move, in seconds since 1970-01-01 UTC: for tests.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct ManualClock(Arc<callgate::time::ManualClock>);

/// A callable that returns seconds since 1970-01-01 UTC, as `time.time` does.
struct CalledClock(Py<PyAny>);

/// The engine's clock, and whether it can raise.
pub(crate) struct ChosenClock {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) raises: bool,
}

impl ChosenClock {
    pub(crate) fn new(clock: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(clock) = clock else { return Ok(Self { clock: Arc::new(SystemClock), raises: false }) };
        if let Ok(manual) = clock.cast::<ManualClock>() {
            return Ok(Self { clock: manual.get().0.clone(), raises: false });
        }
        if !clock.is_callable() {
            let message = "clock must be a ManualClock, or a callable that returns seconds";
            return Err(PyTypeError::new_err(message));
        }
        check_callback("clock", clock)?;
        Ok(Self { clock: Arc::new(CalledClock(clock.clone().unbind())), raises: true })
    }

    /// The same clock for a candidate.
    pub(super) fn quiet(&self) -> Arc<dyn Clock> {
        if self.raises { Arc::new(QuietClock(self.clock.clone())) } else { self.clock.clone() }
    }

    /// What the clock raised on this thread since it was asked last.
    #[inline]
    pub(crate) fn check(&self) -> PyResult<()> {
        if !self.raises {
            return Ok(());
        }
        RAISED.with_borrow_mut(Option::take).map_or(Ok(()), Err)
    }
}

/// A clock whose errors concern nobody: that of a candidate, which must not fail a call.
struct QuietClock(Arc<dyn Clock>);

impl Clock for QuietClock {
    fn now(&self) -> Timestamp {
        let before = RAISED.take();
        let now = self.0.now();
        RAISED.set(before);
        now
    }
}

impl Clock for CalledClock {
    fn now(&self) -> Timestamp {
        let now = Python::attach(|py| timestamp(&self.0.bind(py).call0()?));
        now.unwrap_or_else(|error| {
            RAISED.set(Some(error));
            SystemClock.now()
        })
    }
}

/// Seconds, whole or not, as a point in time: to the nearest millisecond.
pub(super) fn timestamp(seconds: &Bound<'_, PyAny>) -> PyResult<Timestamp> {
    millis(seconds).map(Timestamp::from_millis)
}

fn millis(seconds: &Bound<'_, PyAny>) -> PyResult<i64> {
    let seconds: f64 = seconds.extract()?;
    if !seconds.is_finite() {
        return Err(PyValueError::new_err("a time must be finite"));
    }
    // A cast saturates, and every timestamp is clamped to its range.
    Ok((seconds * MILLIS).round() as i64)
}

#[pymethods]
impl ManualClock {
    /// A clock that shows `now`.
    #[new]
    #[pyo3(signature = (now = None))]
    fn new(now: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let now = now.map_or(Ok(Timestamp::MIN), timestamp)?;
        Ok(Self(Arc::new(callgate::time::ManualClock::new(now))))
    }

    /// Shows `now` from here on; may go backwards.
    fn set(&self, now: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.set(timestamp(now)?);
        Ok(())
    }

    /// Moves forward by so many seconds; backwards if negative.
    fn advance(&self, seconds: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.set(self.0.now().plus_millis(millis(seconds)?));
        Ok(())
    }

    /// The time that it shows, in seconds.
    fn now(&self) -> f64 {
        self.0.now().as_millis() as f64 / MILLIS
    }

    fn __repr__(&self) -> String {
        format!("<ManualClock {}>", self.0.now())
    }
}
