//! A call that waits for its counters: what lets `evaluate_async` wait without blocking.
//!
//! In: the batch that evaluation prepared. Out: the decision that follows from the store's answer. The arguments were read
//! before; none are held here.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use callgate::__binding::{Target, call_of};
use callgate::store::{AsyncStore, BatchOutcome};
use callgate::time::Timestamp;
use callgate::{Call, Evaluation, Identity, OnStoreError, Pending, StoreError};
use callgate_host::Begun;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use self_cell::self_cell;

use super::call::{GivenApproval, host_call};
use super::parts::EngineParts;
use crate::decision::{About, Decision};
use crate::values::{Budget, Caller, PyView, RootValue};
use crate::wake::carry_and_wake;

/// What a pending call borrows.
pub(super) struct PendingOwner {
    policy: callgate::Policy,
    /// The tool's, or the method's.
    name: String,
    is_tool: bool,
    id: Option<String>,
    approval: Option<GivenApproval>,
    check: Option<callgate::ArgsCheck>,
    server: Option<String>,
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

/// What is kept for the record of a call, and for a candidate that has read it.
type Later = (Option<Box<About>>, Option<Box<Begun>>);

/// How far a pending call has come.
enum State {
    /// The store is yet to be asked.
    Unasked(HeldCall, Later),
    /// The store was asked, and what it said is to come.
    Asked(Later),
    Answered(Box<Decided>, Later),
    Decided,
}

impl PendingCall {
    fn new(engine: Arc<EngineParts>, held: HeldCall, later: Later) -> Self {
        Self { engine, state: Mutex::new(State::Unasked(held, later)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what the store said, for `decide`.
    fn answered(&self, decision: Decided) {
        let mut state = self.state();
        *state = match std::mem::replace(&mut *state, State::Decided) {
            State::Asked(later) => State::Answered(Box::new(decision), later),
            other => other,
        };
    }
}

/// The arguments of a call that may wait.
pub(super) enum PendingArgs<'r, 'py> {
    Read(&'r RootValue<'r, 'py>),
    Json(&'r str),
}

/// What a host passes beside the arguments, and a candidate that has read the call.
type Beside<'b> =
    (Option<GivenApproval>, Option<&'b callgate::ArgsCheck>, Option<&'b str>, Option<Box<Begun>>);

/// The decision about a call, or what waits for the store.
pub(super) fn begin(
    py: Python<'_>,
    parts: &Arc<EngineParts>,
    target: Target<'_>,
    args: &PendingArgs<'_, '_>,
    (caller, budget): (&Caller<'_, '_>, &Budget),
    (approval, check, server, begun): Beside<'_>,
) -> PyResult<Py<PyAny>> {
    let (policy, identity) = (parts.core().policy(), || caller.identity(budget));
    let id = match identity() {
        Identity::Id(id) => Some(id.to_owned()),
        _ => None,
    };
    let (Target::Tool(name) | Target::Method(name)) = target;
    let (name, is_tool) = (name.to_owned(), matches!(target, Target::Tool(_)));
    let owner = PendingOwner {
        policy: policy.clone(),
        name,
        is_tool,
        id,
        approval,
        check: check.cloned(),
        server: server.map(str::to_owned),
    };
    let about = |decision: &callgate::Decision<'_>| match args {
        PendingArgs::Read(args) => {
            parts.about(decision, &call_of(target, args.view(budget)).identity(identity()))
        }
        PendingArgs::Json(text) => parts.about_json(decision, target, text, identity()),
    };
    match HeldCall::evaluate(owner, args, identity(), budget) {
        Err(decision) => {
            let about = about(&decision);
            parts.conclude_late(py, *decision, (about, begun)).map(Py::into_any)
        }
        Ok(held) => {
            let about = if parts.observer.listens() {
                // A record needs a decision to be made about; what it says of the call is the same for any. Arguments that are no
                // object are always decided without counters.
                let any = policy.evaluate(&Call::new("", &serde_json::Value::Null)).decided();
                any.and_then(|decision| about(&decision))
            } else {
                None
            };
            Ok(Py::new(py, PendingCall::new(parts.clone(), held, (about, begun)))?.into_any())
        }
    }
}

impl HeldCall {
    /// Evaluates a call as far as that goes without counters: what waits for them, or the decision.
    fn evaluate(
        owner: PendingOwner,
        args: &PendingArgs<'_, '_>,
        identity: Identity<'_, PyView<'_, '_>>,
        budget: &Budget,
    ) -> Result<Self, Box<Decided>> {
        Self::try_new(owner, |owner| {
            let identity = match (&owner.id, identity) {
                (Some(id), _) => Identity::Id(id.as_str()),
                (None, Identity::Claims(claims)) => Identity::Claims(claims),
                (None, _) => Identity::Absent,
            };
            let PendingOwner { policy, name, is_tool, approval, check, server, .. } = owner;
            let target = if *is_tool { Target::Tool(name) } else { Target::Method(name) };
            let (approval, check, server) = (approval.as_ref(), check.as_ref(), server.as_deref());
            let evaluation = match args {
                PendingArgs::Read(args) => {
                    policy.evaluate(&host_call(target, args.view(budget), identity, approval, check, server))
                }
                PendingArgs::Json(text) => {
                    policy.evaluate_json(&host_call(target, *text, identity, approval, check, server))
                }
            };
            match evaluation {
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
                            let answer = pending.ask_async(&*store, now).await;
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
        let (held, later) = match std::mem::replace(&mut *state, State::Decided) {
            State::Unasked(held, later) => (held, later),
            other => {
                *state = other;
                return false;
            }
        };
        *state = State::Asked(later);
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
        let (decision, later) = match taken {
            State::Unasked(held, later) => (held.decide(engine).ok_or_else(again)?, later),
            State::Answered(decision, later) => (*decision, later),
            State::Asked(_) => return Err(PyRuntimeError::new_err("the store could not be asked")),
            State::Decided => return Err(again()),
        };
        engine.conclude_late(py, decision, later)
    }
}

fn again() -> PyErr {
    PyRuntimeError::new_err("this call was decided before")
}
