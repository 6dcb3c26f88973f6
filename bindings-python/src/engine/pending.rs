//! A call that waits for its counters: what lets `evaluate_async` wait without blocking.
//!
//! In: the batch that evaluation prepared. Out: the decision that follows from the store's answer. The arguments were read
//! before; none are held here.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use callgate::store::{AsyncStore, BatchOutcome};
use callgate::time::Timestamp;
use callgate::{Evaluation, Identity, OnStoreError, Pending, StoreError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use self_cell::self_cell;

use super::call::{GivenApproval, host_call};
use super::parts::EngineParts;
use crate::decision::{About, Decision};
use crate::values::PyView;
use crate::wake::carry_and_wake;

/// What a pending call borrows.
pub(super) struct PendingOwner {
    policy: callgate::Policy,
    tool: String,
    id: Option<String>,
    approval: Option<GivenApproval>,
    check: Option<callgate::ArgsCheck>,
}

type Decided = callgate::Decision<'static>;
type Asking<'q> = Pin<Box<dyn Future<Output = Decided> + Send + 'q>>;

/// How far the question to the store has come.
enum Question<'q> {
    Unasked(Pending<'q>),
    /// By a future that is polled.
    Asking(Asking<'q>),
    Answered,
}

self_cell!(
    /// A pending call together with what it borrows.
    pub(super) struct HeldCall {
        owner: PendingOwner,
        #[not_covariant]
        dependent: Question,
    }
);

/// A call that its counters decide. Not public: `evaluate_async` makes and finishes it.
#[pyclass(module = "callgate._native", frozen)]
pub(crate) struct PendingCall {
    engine: Arc<EngineParts>,
    state: Mutex<State>,
}

/// How far a pending call has come.
enum State {
    /// The store is yet to be asked.
    Unasked(HeldCall, Option<Box<About>>),
    /// The store was asked, and what it said is to come.
    Asked(Option<Box<About>>),
    Answered(Box<Decided>, Option<Box<About>>),
    Decided,
}

impl PendingCall {
    pub(super) fn new(engine: Arc<EngineParts>, held: HeldCall, about: Option<Box<About>>) -> Self {
        Self { engine, state: Mutex::new(State::Unasked(held, about)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what the store said, for `decide`.
    fn answered(&self, decision: Decided) {
        let mut state = self.state();
        *state = match std::mem::replace(&mut *state, State::Decided) {
            State::Asked(about) => State::Answered(Box::new(decision), about),
            other => other,
        };
    }
}

impl PendingOwner {
    pub(super) fn new(
        policy: callgate::Policy,
        tool: &str,
        identity: &Identity<'_, PyView<'_, '_>>,
        approval: Option<GivenApproval>,
        check: Option<&callgate::ArgsCheck>,
    ) -> Self {
        let id = match identity {
            Identity::Id(id) => Some((*id).to_owned()),
            _ => None,
        };
        Self { policy, tool: tool.to_owned(), id, approval, check: check.cloned() }
    }
}

impl HeldCall {
    /// Evaluates a call as far as that goes without counters: what waits for them, or the decision.
    pub(super) fn evaluate(
        owner: PendingOwner,
        args: PyView<'_, '_>,
        identity: Identity<'_, PyView<'_, '_>>,
    ) -> Result<Self, Box<Decided>> {
        Self::try_new(owner, |owner| {
            let identity = match (&owner.id, identity) {
                (Some(id), _) => Identity::Id(id.as_str()),
                (None, Identity::Claims(claims)) => Identity::Claims(claims),
                (None, _) => Identity::Absent,
            };
            let call = host_call(&owner.tool, args, identity, owner.approval.as_ref(), owner.check.as_ref());
            match owner.policy.evaluate(&call) {
                Evaluation::Decided(decision) => Err(Box::new(decision.into_owned())),
                Evaluation::Pending(pending) => Ok(Question::Unasked(pending)),
            }
        })
    }

    /// The decision, once the store has been waited for.
    fn decide(mut self, engine: &EngineParts) -> Option<Decided> {
        self.with_dependent_mut(|_, question| match std::mem::replace(question, Question::Answered) {
            Question::Unasked(pending) => {
                let answer = engine.core().reserve(pending.batch());
                Some(decided(pending, answer, engine.on_store_error))
            }
            _ => None,
        })
    }

    /// `decide` without blocking.
    async fn decide_with(
        mut self,
        store: Arc<dyn AsyncStore>,
        now: Timestamp,
        on_error: OnStoreError,
    ) -> Option<Decided> {
        poll_fn(|context| {
            self.with_dependent_mut(|_, question| {
                *question = match std::mem::replace(question, Question::Answered) {
                    Question::Unasked(pending) => {
                        let store = store.clone();
                        Question::Asking(Box::pin(async move {
                            let answer = store.reserve(pending.batch(), now).await;
                            decided(pending, answer, on_error)
                        }))
                    }
                    other => other,
                };
                match question {
                    Question::Asking(asking) => asking.as_mut().poll(context).map(Some),
                    _ => Poll::Ready(None),
                }
            })
        })
        .await
    }
}

fn decided(
    pending: Pending<'_>,
    answer: Result<BatchOutcome, StoreError>,
    on_error: OnStoreError,
) -> Decided {
    match answer {
        Ok(outcome) => pending.resolve(&outcome).into_owned(),
        Err(_) => pending.unanswered(on_error).into_owned(),
    }
}

#[pymethods]
impl PendingCall {
    /// Asks the store without blocking, and calls `wake` on another thread once `decide` would not wait. Returns false, and
    /// has done nothing, where the store can only be waited for.
    fn start(slf: &Bound<'_, Self>, wake: Py<PyAny>) -> bool {
        let Some((store, now)) = slf.get().engine.unblocking() else { return false };
        let mut state = slf.get().state();
        let (held, about) = match std::mem::replace(&mut *state, State::Decided) {
            State::Unasked(held, about) => (held, about),
            other => {
                *state = other;
                return false;
            }
        };
        *state = State::Asked(about);
        drop(state);
        let ask = held.decide_with(store, now, slf.get().engine.on_store_error);
        let pending = slf.clone().unbind();
        let keep = move |decision: Option<Decided>| {
            if let Some(decision) = decision {
                pending.get().answered(decision);
            }
        };
        // Without a thread nobody would wake the caller: `decide` then says so at once.
        carry_and_wake(ask, keep, wake)
    }

    /// Asks the store, unless it was asked, which may wait, and decides. Once.
    fn decide(&self, py: Python<'_>) -> PyResult<Py<Decision>> {
        let engine = &self.engine;
        let taken = std::mem::replace(&mut *self.state(), State::Decided);
        let (decision, about) = match taken {
            State::Unasked(held, about) => (held.decide(engine).ok_or_else(again)?, about),
            State::Answered(decision, about) => (*decision, about),
            State::Asked(_) => return Err(PyRuntimeError::new_err("the store could not be asked")),
            State::Decided => return Err(again()),
        };
        engine.conclude_late(py, decision, about)
    }
}

fn again() -> PyErr {
    PyRuntimeError::new_err("this call was decided before")
}
