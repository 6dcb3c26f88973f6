//! Reservations: the charges of an allowed call, in the host's hands.
//!
//! In: what the core reserved. Out: a release or a settlement, at most once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callgate::value::Number;
use callgate::{Amount, Engine, SettleError};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};

use crate::error;
use crate::finishing::Finishing;
use crate::in_force::Replaceable;
use crate::integer;

/// An engine as its decisions hold it: by Python's own count of references, which is no step between threads.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct Finisher(pub(crate) Arc<Replaceable>);

/// The charges of an allowed call. Dropped, they stand.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct Reservation {
    engine: Arc<Replaceable>,
    held: Arc<Held>,
}

/// The charges, while they can be finished and nobody is about it.
#[derive(Default)]
pub(crate) struct Held(Mutex<Option<callgate::Reservation>>);

impl Held {
    fn open(&self) -> MutexGuard<'_, Option<callgate::Reservation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives them back if finishing them changed nothing.
    pub(crate) fn keep(&self, charges: callgate::Reservation) {
        if charges.is_open() {
            *self.open() = Some(charges);
        }
    }
}

impl Reservation {
    pub(crate) fn new(engine: Arc<Replaceable>, held: callgate::Reservation) -> Self {
        Self { engine, held: Arc::new(Held(Mutex::new(Some(held)))) }
    }

    fn take(&self, py: Python<'_>) -> PyResult<callgate::Reservation> {
        let taken = self.held.open().take();
        taken.ok_or_else(|| error::finished(py))
    }

    fn finish(
        &self,
        py: Python<'_>,
        how: impl FnOnce(&Engine, &mut callgate::Reservation) -> Result<(), SettleError>,
    ) -> PyResult<()> {
        let mut charges = self.take(py)?;
        let finished = how(self.engine.core(), &mut charges);
        self.held.keep(charges);
        finished.map_err(|error| error::settle(py, &error))
    }
}

#[pymethods]
impl Reservation {
    /// Takes all charges back: the call never reached its tool.
    fn release(&self, py: Python<'_>) -> PyResult<()> {
        self.finish(py, |core, charges| core.release(charges))
    }

    /// Makes every charge that came from `increment_from` smaller, to what the call really cost.
    fn settle(&self, py: Python<'_>, actual: &Bound<'_, PyAny>) -> PyResult<()> {
        // Before the reservation is taken: a bad amount spends nothing.
        let actual = amount(actual)?;
        self.finish(py, |core, charges| core.settle(charges, actual))
    }

    /// `release`, without blocking the event loop. A coroutine.
    fn release_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        finish_async(slf, None)
    }

    /// `settle`, without blocking the event loop. A coroutine.
    fn settle_async<'py>(slf: &Bound<'py, Self>, actual: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        finish_async(slf, Some(actual))
    }

    /// What waits for the store, for `release_async` and `settle_async`.
    fn _finish(&self, py: Python<'_>, actual: Option<&Bound<'_, PyAny>>) -> PyResult<Finishing> {
        let actual = actual.map(amount).transpose()?;
        Ok(Finishing::new(self.engine.clone(), self.held.clone(), self.take(py)?, actual))
    }

    /// Whether it can still be released or settled.
    #[getter]
    fn open(&self) -> bool {
        self.held.open().is_some()
    }

    fn __repr__(&self) -> &'static str {
        if self.open() { "<Reservation open>" } else { "<Reservation finished>" }
    }
}

fn finish_async<'py>(
    reservation: &Bound<'py, Reservation>,
    actual: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    static FINISH: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let finish = FINISH.import(reservation.py(), "callgate._awaiting", "finish")?;
    finish.call1((reservation, actual))
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
