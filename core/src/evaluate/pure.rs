//! The sans-I/O face: `policy.evaluate(&call)` gives a decision, or the batch that a store must take first (spec 6).

use super::{Charger, Evaluated, PendingBatch, deferred};
use crate::call::{Call, Target};
use crate::decision::Decision;
use crate::policy::{Found, Policy, Tool};
use crate::raw::RawJson;
use crate::ruling::Ruling;
use crate::store::error::StoreError;
use crate::store::{AsyncStore, Batch, BatchOutcome, Store};
use crate::time::Timestamp;
use crate::trace::{Check, Recorder, Silent, Sink};
use crate::view::View;

/// What the pure part of a decision comes to.
#[derive(Debug)]
#[must_use = "a call may run only if its decision allows it"]
pub enum Evaluation<'d> {
    /// The decision. No store is needed.
    Decided(Decision<'d>),
    /// The call is allowed if a store takes the batch; where it is yet to be approved, the store is only to look at it.
    Pending(Pending<'d>),
}

/// A call that counters decide: ask any store by [`Pending::ask`] or [`Pending::ask_async`], and hand its answer to
/// [`Pending::resolve`].
///
/// A call that is yet to be approved must charge nothing, but is denied at once where its limits refuse it (spec 6.6):
/// [`Pending::only_looks`]. The two questions see to that, and so does every store that keeps [`Batch::only_looks`].
///
/// ```
/// use callgate::{Call, Effect, Evaluation, MemoryStore, Policy};
/// use callgate::time::Timestamp;
/// let policy: Policy =
///     "{version: '1', default: deny, tools: {pay: {rules: [{action: require_approval}, {rate_limit: 1/hour}]}}}".parse()?;
/// let (store, now) = (MemoryStore::new(), Timestamp::from_millis(0));
/// for _ in 0..2 {
///     let Evaluation::Pending(pending) = policy.evaluate(&Call::without_args("pay")) else { panic!("it has a limit") };
///     assert!(pending.only_looks());
///     let answer = pending.ask(&store, now)?;
///     // Twice: nothing was charged.
///     assert_eq!(pending.resolve(&answer).effect(), Effect::RequireApproval);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a call may run only if its decision allows it"]
pub struct Pending<'d> {
    policy: &'d Policy,
    target: Target<'d>,
    prepared: Box<PendingBatch<'d>>,
}

/// What to do with a call when the store does not answer (spec 8.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnStoreError {
    /// Deny it.
    #[default]
    Deny,
    /// Let it through, uncounted. Every limit is void while the store is away: an explicit choice of the host. A call that a
    /// rule asks to approve is denied all the same: without the store, one approval would pass any number of calls.
    Allow,
}

impl<'d> Evaluation<'d> {
    /// The decision, if no store is needed for it.
    pub fn decided(self) -> Option<Decision<'d>> {
        match self {
            Self::Decided(decision) => Some(decision),
            Self::Pending(_) => None,
        }
    }
}

impl<'d> Pending<'d> {
    /// What the store must take, all or none; or only look at, as [`Pending::only_looks`] and [`Batch::only_looks`] say.
    pub fn batch(&self) -> &Batch<'d> {
        &self.prepared.batch
    }

    /// Whether the store must take nothing: a rule asks for an approval that the call does not have. It is then asked by
    /// [`Store::peek`].
    pub fn only_looks(&self) -> bool {
        self.prepared.batch.only_looks()
    }

    /// Asks a store: [`Store::reserve`], or [`Store::peek`] where it must take nothing.
    ///
    /// # Errors
    /// [`StoreError`] where the store did not answer: [`Pending::unanswered`] says what follows.
    pub fn ask(&self, store: &dyn Store, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.prepared.batch.ask(store, now)
    }

    /// [`Pending::ask`] without blocking.
    ///
    /// # Errors
    /// As [`Pending::ask`].
    pub async fn ask_async(
        &self,
        store: &dyn AsyncStore,
        now: Timestamp,
    ) -> Result<BatchOutcome, StoreError> {
        self.prepared.batch.ask_async(store, now).await
    }

    /// The decision that follows from the store's answer.
    pub fn resolve(mut self, outcome: &BatchOutcome) -> Decision<'d> {
        let ruling = self.prepared.rule(outcome);
        Decision::borrowing(self.policy, self.target, ruling)
    }

    /// The decision when the store did not answer.
    pub fn unanswered(self, choice: OnStoreError) -> Decision<'d> {
        Decision::borrowing(self.policy, self.target, self.prepared.unanswered(choice))
    }
}

impl Policy {
    /// Decides a call as far as that goes without counters. Pure: reads no clock, consults no store (spec 6).
    pub fn evaluate<'d, A: View, I: View>(&'d self, call: &Call<'d, A, I>) -> Evaluation<'d> {
        let evaluated = deferred(|ask| self.0.evaluate(call, &mut Silent, ask));
        self.evaluation(call.target, evaluated)
    }

    /// The same for arguments that are raw JSON text, checked whole before any rule acts (spec 3.5).
    pub fn evaluate_json<'d, I: View>(&'d self, call: &Call<'d, &str, I>) -> Evaluation<'d> {
        let evaluated = deferred(|ask| self.0.evaluate_json(call, &mut Silent, ask));
        self.evaluation(call.target, evaluated)
    }

    /// Every check that evaluation makes for a call, its place, its outcome and why, beside what it comes to.
    pub fn explain<'d, A: View, I: View>(&'d self, call: &Call<'d, A, I>) -> (Evaluation<'d>, Vec<Check>) {
        let mut recorder = Recorder::default();
        let evaluated = deferred(|ask| self.0.evaluate(call, &mut recorder, ask));
        (self.evaluation(call.target, evaluated), recorder.finish())
    }

    /// [`Policy::explain`] for arguments that are raw JSON text.
    pub fn explain_json<'d, I: View>(&'d self, call: &Call<'d, &str, I>) -> (Evaluation<'d>, Vec<Check>) {
        let mut recorder = Recorder::default();
        let evaluated = deferred(|ask| self.0.evaluate_json(call, &mut recorder, ask));
        (self.evaluation(call.target, evaluated), recorder.finish())
    }

    pub(super) fn evaluation<'d>(&'d self, target: Target<'d>, evaluated: Evaluated<'d>) -> Evaluation<'d> {
        match evaluated {
            Evaluated::Decided(ruling) => Evaluation::Decided(Decision::borrowing(self, target, ruling)),
            Evaluated::Pending(prepared) => Evaluation::Pending(Pending { policy: self, target, prepared }),
        }
    }
}

impl Tool {
    /// [`Policy::evaluate`], without looking for the tool if the call is of this one.
    #[inline]
    pub fn evaluate<'d, A: View, I: View>(&'d self, call: &Call<'d, A, I>) -> Evaluation<'d> {
        let evaluated = deferred(|ask| self.rule(call, ask));
        self.policy().evaluation(call.target, evaluated)
    }

    #[inline]
    pub(crate) fn rule<'d, A: View, I: View>(
        &'d self,
        call: &Call<'_, A, I>,
        ask: &mut dyn Charger<'d>,
    ) -> Option<Ruling> {
        if !matches!(call.target, Target::Tool(name) if self.is(name)) {
            return self.policy().0.evaluate(call, &mut Silent, ask);
        }
        match self.admitted() {
            Ok(entries) => {
                let Call { target, args, identity, beside } = call;
                self.policy().0.check(entries, *target, args.as_ref(), identity, beside, &mut Silent, ask)
            }
            Err(denial) => Some(denial.clone()),
        }
    }
}

/// What a call comes to, before a decision is made of it.
#[derive(Debug)]
#[must_use = "a call may run only if its decision allows it"]
pub struct Decided<'d> {
    pub(crate) tool: &'d Tool,
    /// What the call is of, which may be another.
    pub(crate) target: Target<'d>,
    pub(crate) ruling: Ruling,
}

impl<'d> Decided<'d> {
    /// [`Decision::cache_key`].
    #[inline]
    pub fn cache_key(&self) -> Option<u64> {
        self.ruling.cache_key()
    }

    /// The decision.
    pub fn decision(self) -> Decision<'d> {
        Decision::borrowing(self.tool.policy(), self.target, self.ruling)
    }
}

impl crate::policy::Compiled {
    pub(crate) fn evaluate_json<'p, I: View, S: Sink>(
        &'p self,
        call: &Call<'_, &str, I>,
        sink: &mut S,
        ask: &mut dyn Charger<'p>,
    ) -> Option<Ruling> {
        let mut found = Found::new();
        let entries = match self.admit(call.target, &mut found) {
            Ok(entries) => entries,
            Err(ruling) => return Some(ruling),
        };
        // Read in place: it is large.
        let mut raw = RawJson::unread(call.args.unwrap_or_default());
        let args = match call.args.map(|_| raw.read()) {
            None => None,
            Some(Ok(())) => Some(raw.root()),
            Some(Err(error)) => return Some(Ruling::invalid_args(error.to_string())),
        };
        let Call { target, identity, beside, .. } = call;
        self.check(entries, *target, args.as_ref(), identity, beside, sink, ask)
    }
}
