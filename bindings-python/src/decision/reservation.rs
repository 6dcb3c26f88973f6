//! Reservations: the charges of an allowed call, in the host's hands.
//!
//! In: what the core reserved. Out: how the call ended, or what it cost, at most once.

use std::collections::BTreeMap;
use std::sync::Arc;

use callgate::value::Number;
use callgate::{Actual, Amount, Outcome, ParseError};
use callgate_host::Observed;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyFloat, PyInt, PyMapping, PyString};

use super::charges::Charges;
use super::finishing::{Ending, Finishing};
use crate::error;
use crate::live::LiveEngine;
use crate::values::integer;

/// An engine as its decisions hold it: by Python's reference count, which needs no atomic operation.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct Finisher {
    pub(crate) engine: Arc<LiveEngine>,
    /// What a candidate says of the one decision that has this.
    pub(crate) observed: Option<Observed>,
}

/// The charges of an allowed call. Dropped, they stand.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct Reservation {
    engine: Arc<LiveEngine>,
    held: Arc<Charges>,
    observed: Option<Observed>,
}

impl Reservation {
    pub(crate) fn new(finisher: &Finisher, held: callgate::Reservation) -> Self {
        let Finisher { engine, observed } = finisher;
        Self { engine: engine.clone(), held: Arc::new(Charges::new(held)), observed: observed.clone() }
    }

    pub(super) fn gives(&self, outcome: Outcome) -> bool {
        self.held.gives_back(outcome)
    }

    fn take(&self, py: Python<'_>) -> PyResult<callgate::Reservation> {
        let taken = self.held.take();
        taken.ok_or_else(|| error::finished(py))
    }

    fn end(&self, py: Python<'_>, ending: &Ending) -> PyResult<()> {
        let mut charges = self.take(py)?;
        let finished = ending.apply(self.engine.core(), &mut charges);
        self.held.keep(charges);
        if finished.is_ok() {
            ending.observe(self.observed.as_ref());
        }
        finished.map_err(|error| error::settle(py, &error))
    }
}

#[pymethods]
impl Reservation {
    /// Says how the call ended: `"not_run"` takes all charges back, any other end what the policy says.
    fn finish(&self, py: Python<'_>, outcome: &str) -> PyResult<()> {
        // Before the reservation is taken: an outcome that is not known spends nothing.
        self.end(py, &Ending::Ended(parsed(outcome)?))
    }

    /// Whether finishing it so would give something back.
    fn gives_back(&self, outcome: &str) -> PyResult<bool> {
        Ok(self.gives(parsed(outcome)?))
    }

    /// Makes charges what the call really cost, less or more.
    fn settle(&self, py: Python<'_>, actual: &Bound<'_, PyAny>) -> PyResult<()> {
        self.end(py, &Ending::Settled(settled(actual)?))
    }

    /// `finish`, without blocking the event loop. A coroutine.
    fn finish_async<'py>(
        slf: &Bound<'py, Self>,
        outcome: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        end_async(slf, Some(outcome.as_any()), None)
    }

    /// `settle`, without blocking the event loop. A coroutine.
    fn settle_async<'py>(slf: &Bound<'py, Self>, actual: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        end_async(slf, None, Some(actual))
    }

    /// What waits for the store, for `finish_async` and `settle_async`.
    fn _end(
        &self,
        py: Python<'_>,
        outcome: Option<&str>,
        actual: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Finishing> {
        let ending = match (outcome, actual) {
            (Some(outcome), _) => Ending::Ended(parsed(outcome)?),
            (None, Some(actual)) => Ending::Settled(settled(actual)?),
            (None, None) => return Err(PyTypeError::new_err("an outcome or an amount is needed")),
        };
        let observed = self.observed.clone();
        Ok(Finishing::new(self.engine.clone(), (self.held.clone(), observed), self.take(py)?, ending))
    }

    /// Whether it can still be finished.
    #[getter]
    fn open(&self) -> bool {
        self.held.is_open()
    }

    fn __repr__(&self) -> &'static str {
        if self.open() { "<Reservation open>" } else { "<Reservation finished>" }
    }
}

fn end_async<'py>(
    reservation: &Bound<'py, Reservation>,
    outcome: Option<&Bound<'py, PyAny>>,
    actual: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    static END: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let end = END.import(reservation.py(), "callgate._awaiting", "end")?;
    end.call1((reservation, outcome, actual))
}

pub(super) fn parsed(outcome: &str) -> PyResult<Outcome> {
    outcome.parse().map_err(|error: ParseError| PyValueError::new_err(error.to_string()))
}

/// One amount, or a mapping of the names of counters to amounts.
fn settled(value: &Bound<'_, PyAny>) -> PyResult<Actual> {
    let Ok(by_counter) = value.cast::<PyMapping>() else { return amount(value).map(Actual::from) };
    let mut amounts = BTreeMap::new();
    for item in by_counter.items()? {
        let (counter, actual): (String, Bound<'_, PyAny>) = item.extract()?;
        amounts.insert(counter.into(), amount(&actual)?);
    }
    Ok(Actual::ByCounter(amounts))
}

/// An exact amount: an `int`, a `float` by its shortest decimal, a `Decimal` or a string of digits.
fn amount(value: &Bound<'_, PyAny>) -> PyResult<Amount> {
    let number = if value.is_instance_of::<PyBool>() {
        None
    } else if let Ok(whole) = value.cast::<PyInt>() {
        integer::number(whole).ok()
    } else if let Ok(float) = value.cast::<PyFloat>() {
        Number::from_f64(float.value())
    } else if let Ok(text) = value.cast::<PyString>() {
        Number::from_literal(text.to_str()?).map(Number::into_owned)
    } else if is_decimal(value)? {
        Number::from_literal(value.str()?.to_str()?).map(Number::into_owned)
    } else {
        return Err(PyTypeError::new_err("an amount is an int, float, Decimal or str"));
    };
    number.and_then(|number| number.to_amount()).ok_or_else(|| {
        PyValueError::new_err("an amount is a decimal from 0 to 9223372036854.775807, in steps of 0.000001")
    })
}

fn is_decimal(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.is_instance(&value.py().import("decimal")?.getattr("Decimal")?)
}
