//! A call that waits for its counters: what lets `evaluate_async` wait on another thread.
//!
//! In: the batch that evaluation prepared. Out: the decision that follows from the store's answer. The arguments were read
//! before; none are held here.

use std::sync::{Mutex, PoisonError};

use callgate::{Call, Evaluation, Identity, Pending};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use self_cell::self_cell;

use crate::audit::About;
use crate::call::Approved;
use crate::decision::Decision;
use crate::engine::Engine;
use crate::view::{Budget, PyView};

/// What a pending call borrows.
pub(crate) struct Owned {
    pub(crate) policy: callgate::Policy,
    pub(crate) tool: String,
    pub(crate) id: Option<String>,
    pub(crate) approved: Option<Approved>,
}

type Question<'q> = Option<Pending<'q>>;

self_cell!(
    /// A pending call together with what it borrows.
    pub(crate) struct Held {
        owner: Owned,
        #[not_covariant]
        dependent: Question,
    }
);

/// A call that its counters decide. Not public: `evaluate_async` makes and finishes it.
#[pyclass(module = "callgate._native", frozen)]
pub(crate) struct PendingCall {
    engine: Py<Engine>,
    held: Mutex<Option<(Held, Option<About>)>>,
}

impl PendingCall {
    pub(crate) fn new(engine: Py<Engine>, held: Held, about: Option<About>) -> Self {
        Self { engine, held: Mutex::new(Some((held, about))) }
    }
}

impl Held {
    /// Evaluates a call as far as that goes without counters: what waits for them, or the decision.
    pub(crate) fn evaluate(
        owned: Owned,
        args: Option<&Bound<'_, PyAny>>,
        claims: Option<&Bound<'_, PyAny>>,
        budget: &Budget,
    ) -> Result<Self, Box<callgate::Decision<'static>>> {
        Self::try_new(owned, |owned| {
            let identity = match (&owned.id, claims) {
                (Some(id), _) => Identity::Id(id.as_str()),
                (None, Some(claims)) => Identity::Claims(PyView::new(claims, budget)),
                (None, None) => Identity::Absent,
            };
            let evaluation = match args {
                Some(args) => {
                    let call = Call::new(&owned.tool, PyView::new(args, budget)).identity(identity);
                    owned.policy.evaluate(&approved(call, owned.approved.as_ref()))
                }
                None => {
                    let call = Call::without_args(&owned.tool).identity(identity);
                    owned.policy.evaluate(&approved(call, owned.approved.as_ref()))
                }
            };
            match evaluation {
                Evaluation::Decided(decision) => Err(Box::new(decision.into_owned())),
                Evaluation::Pending(pending) => Ok(Some(pending)),
            }
        })
    }
}

/// The call with the approval that the host holds for it.
pub(crate) fn approved<'c, A, I>(call: Call<'c, A, I>, approved: Option<&'c Approved>) -> Call<'c, A, I> {
    match approved {
        Some(approved) => call.approved(approved.approval()),
        None => call,
    }
}

#[pymethods]
impl PendingCall {
    /// Asks the store, which may wait, and decides. Once.
    fn decide(&self, py: Python<'_>) -> PyResult<Py<Decision>> {
        let taken = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        let again = || PyRuntimeError::new_err("this call was decided before");
        let (mut held, about) = taken.ok_or_else(again)?;
        let engine = self.engine.get();
        let decision = held.with_dependent_mut(|_, question| {
            question.take().map(|pending| match engine.core().reserve(pending.batch()) {
                Ok(outcome) => pending.resolve(&outcome).into_owned(),
                Err(_) => pending.unanswered(engine.on_store_error()).into_owned(),
            })
        });
        engine.finish(py, decision.ok_or_else(again)?, about)
    }
}
