//! A call that waits for its counters: what lets `evaluate_async` wait without blocking.
//!
//! In: the batch that evaluation prepared. Out: the decision that follows from the store's answer. The arguments were read
//! before; none are held here.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use callgate::store::{AsyncStore, BatchOutcome};
use callgate::time::Timestamp;
use callgate::{Call, Evaluation, Identity, OnStoreError, Pending, StoreError};
use callgate_host::carry;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use self_cell::self_cell;

use crate::args_check::checked;
use crate::audit::About;
use crate::call::{Caller, Given};
use crate::decision::Decision;
use crate::engine::Engine;
use crate::root::Top;
use crate::view::Budget;

/// What a pending call borrows.
pub(crate) struct Owned {
    pub(crate) policy: callgate::Policy,
    pub(crate) tool: String,
    pub(crate) id: Option<String>,
    pub(crate) approved: Option<Given>,
    pub(crate) check: Option<callgate::ArgsCheck>,
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
    state: Mutex<State>,
}

/// How far a pending call has come.
enum State {
    /// The store is yet to be asked.
    Unasked(Held, Option<Box<About>>),
    /// The store was asked, and what it said is to come.
    Asked(Option<Box<About>>),
    Answered(Box<Decided>, Option<Box<About>>),
    Decided,
}

impl PendingCall {
    pub(crate) fn new(engine: Py<Engine>, held: Held, about: Option<Box<About>>) -> Self {
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

impl Held {
    /// Evaluates a call as far as that goes without counters: what waits for them, or the decision.
    pub(crate) fn evaluate(
        owned: Owned,
        args: Option<&Top<'_, '_>>,
        caller: &Caller<'_, '_>,
        budget: &Budget,
    ) -> Result<Self, Box<Decided>> {
        Self::try_new(owned, |owned| {
            let identity = match (&owned.id, caller.identity(budget)) {
                (Some(id), _) => Identity::Id(id.as_str()),
                (None, Identity::Claims(claims)) => Identity::Claims(claims),
                (None, _) => Identity::Absent,
            };
            let evaluation = match args {
                Some(args) => {
                    let call = Call::new(&owned.tool, args.view(budget)).identity(identity);
                    let call = approved(call, owned.approved.as_ref());
                    owned.policy.evaluate(&checked(call, owned.check.as_ref()))
                }
                None => {
                    let call = Call::without_args(&owned.tool).identity(identity);
                    let call = approved(call, owned.approved.as_ref());
                    owned.policy.evaluate(&checked(call, owned.check.as_ref()))
                }
            };
            match evaluation {
                Evaluation::Decided(decision) => Err(Box::new(decision.into_owned())),
                Evaluation::Pending(pending) => Ok(Question::Unasked(pending)),
            }
        })
    }

    /// The decision, once the store has been waited for.
    fn decide(mut self, engine: &Engine) -> Option<Decided> {
        self.with_dependent_mut(|_, question| match std::mem::replace(question, Question::Answered) {
            Question::Unasked(pending) => {
                let answer = engine.core().reserve(pending.batch());
                Some(decided(pending, answer, engine.on_store_error()))
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

/// The call with the approval that the host holds for it.
pub(crate) fn approved<'c, A, I>(call: Call<'c, A, I>, approved: Option<&'c Given>) -> Call<'c, A, I> {
    match approved {
        Some(approved) => call.approved(approved.approval()),
        None => call,
    }
}

#[pymethods]
impl PendingCall {
    /// Asks the store without blocking, and calls `wake` on another thread once `decide` would not wait. Returns false, and
    /// has done nothing, where the store can only be waited for.
    fn start(slf: &Bound<'_, Self>, wake: Py<PyAny>) -> bool {
        let Some((store, now)) = slf.get().engine.get().unblocking() else { return false };
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
        let ask = held.decide_with(store, now, slf.get().engine.get().on_store_error());
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
        let engine = self.engine.get();
        let taken = std::mem::replace(&mut *self.state(), State::Decided);
        let (decision, about) = match taken {
            State::Unasked(held, about) => (held.decide(engine).ok_or_else(again)?, about),
            State::Answered(decision, about) => (*decision, about),
            State::Asked(_) => return Err(PyRuntimeError::new_err("the store could not be asked")),
            State::Decided => return Err(again()),
        };
        engine.finish(py, decision, about)
    }
}

fn again() -> PyErr {
    PyRuntimeError::new_err("this call was decided before")
}

/// Whether the interpreter is about to shut down.
static CLOSED: AtomicBool = AtomicBool::new(false);
/// The process in which a thread that Python did not make is about to hold the GIL, or holds it; 0 if none does.
static INSIDE: AtomicU32 = AtomicU32::new(0);

/// Does `work` without blocking, keeps what came of it, and calls `wake`, both with the GIL on another thread. False if there
/// can be no thread, and so no call. Where the work panicked, nothing is kept.
pub(crate) fn carry_and_wake<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    keep: impl FnOnce(T) + Send + 'static,
    wake: Py<PyAny>,
) -> bool {
    let then = move |done: Option<T>| {
        hand_over(|py| {
            if let Some(done) = done {
                keep(done);
            }
            if let Err(error) = wake.call0(py) {
                error.write_unraisable(py, None);
            }
        });
    };
    carry(work, then).is_ok()
}

/// Runs `work` with the GIL, unless the interpreter is shutting down: a thread that waits for the GIL then never comes back.
fn hand_over(work: impl FnOnce(Python<'_>)) {
    INSIDE.store(std::process::id(), Ordering::SeqCst);
    if !CLOSED.load(Ordering::SeqCst) {
        let _ = Python::try_attach(work);
    }
    INSIDE.store(0, Ordering::SeqCst);
}

/// Ends the handing over of answers. Called by `callgate._awaiting` when the interpreter exits.
#[pyfunction]
pub(crate) fn _stop_handing_over(py: Python<'_>) {
    CLOSED.store(true, Ordering::SeqCst);
    py.detach(|| {
        while INSIDE.load(Ordering::SeqCst) == std::process::id() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}
