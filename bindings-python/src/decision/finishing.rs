//! A reservation that is being finished: what lets `finish_async` and `settle_async` wait without blocking.
//!
//! In: the charges, taken from the reservation. Out: that they were given back, or why not. Once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callgate::__binding::{finish_with, settle_with};
use callgate::store::AsyncStore;
use callgate::{Actual, Engine, Outcome, SettleError};
use callgate_host::Observed;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::charges::Charges;
use crate::error;
use crate::live::LiveEngine;
use crate::wake::carry_and_wake;

/// How a reservation is finished.
#[derive(Clone)]
pub(super) enum Ending {
    Ended(Outcome),
    Settled(Actual),
}

impl Ending {
    pub(super) fn apply(&self, engine: &Engine, charges: &mut callgate::Reservation) -> Finished {
        match self {
            Self::Ended(outcome) => engine.finish(charges, *outcome),
            Self::Settled(actual) => engine.settle(charges, actual.clone()),
        }
    }

    /// Does the same to the charges of a candidate.
    pub(super) fn observe(&self, observed: Option<&Observed>) {
        match (observed, self) {
            (Some(observed), Self::Ended(outcome)) => observed.finish(*outcome),
            (Some(observed), Self::Settled(actual)) => observed.settle(actual.clone()),
            (None, _) => {}
        }
    }
}

type Finished = Result<(), SettleError>;

/// Charges on their way back. Not public: `finish_async` and `settle_async` make and finish it.
#[pyclass(module = "callgate._native", frozen)]
pub(crate) struct Finishing {
    engine: Arc<LiveEngine>,
    /// Where the charges go back to if nothing was changed.
    held: Arc<Charges>,
    observed: Option<Observed>,
    ending: Ending,
    state: Mutex<State>,
}

/// How far it has come.
enum State {
    /// The store is yet to be asked.
    Unasked(callgate::Reservation),
    /// The store was asked, and what it said is to come.
    Asked,
    Answered(Finished),
    Over,
}

impl Finishing {
    pub(super) fn new(
        engine: Arc<LiveEngine>,
        (held, observed): (Arc<Charges>, Option<Observed>),
        charges: callgate::Reservation,
        ending: Ending,
    ) -> Self {
        Self { engine, held, observed, ending, state: Mutex::new(State::Unasked(charges)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ended(
    engine: Arc<LiveEngine>,
    held: Arc<Charges>,
    mut charges: callgate::Reservation,
    ending: Ending,
    store: Arc<dyn AsyncStore>,
) -> Finished {
    let finished = match &ending {
        Ending::Ended(outcome) => finish_with(engine.core(), &mut charges, *outcome, &*store).await,
        Ending::Settled(actual) => settle_with(engine.core(), &mut charges, actual, &*store).await,
    };
    held.keep(charges);
    finished
}

#[pymethods]
impl Finishing {
    /// Asks the store without blocking, and calls `wake` on another thread once `finish` would not wait. Returns false, and
    /// has done nothing, where the store can only be waited for.
    fn start(slf: &Bound<'_, Self>, wake: Py<PyAny>) -> bool {
        let finishing = slf.get();
        let Some(store) = finishing.engine.unblocking() else { return false };
        let mut state = finishing.state();
        let charges = match std::mem::replace(&mut *state, State::Asked) {
            State::Unasked(charges) => charges,
            other => {
                *state = other;
                return false;
            }
        };
        drop(state);
        let (engine, held) = (finishing.engine.clone(), finishing.held.clone());
        let ask = ended(engine, held, charges, finishing.ending.clone(), store);
        let this = slf.clone().unbind();
        let keep = move |finished| *this.get().state() = State::Answered(finished);
        // Without a thread nobody would wake the caller: `finish` then says so at once.
        carry_and_wake(ask, keep, wake)
    }

    /// Asks the store unless it was asked already, which may block, and returns the outcome. Once.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        let taken = std::mem::replace(&mut *self.state(), State::Over);
        let finished = match taken {
            State::Unasked(mut charges) => {
                let finished = self.ending.apply(self.engine.core(), &mut charges);
                self.held.keep(charges);
                finished
            }
            State::Answered(finished) => finished,
            State::Asked => return Err(PyRuntimeError::new_err("the store could not be asked")),
            State::Over => return Err(error::finished(py)),
        };
        if finished.is_ok() {
            self.ending.observe(self.observed.as_ref());
        }
        finished.map_err(|error| error::settle(py, &error))
    }
}
