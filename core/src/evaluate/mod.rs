//! Evaluation: pure, sans I/O (spec 6).
//!
//! In: the compiled policy and a call. Out: a decision, or the batch of charges that must succeed for the call to be
//! allowed. Reads no clock, consults no store.

pub(crate) mod approval;
mod args_check;
mod beside;
mod charges;
mod completion;
mod join;
mod maximum;
mod nested;
mod pending;
mod pure;
mod visible;

use smallvec::SmallVec;

pub(crate) use pending::{Alone, PendingBatch};
pub use pure::{Decided, Evaluation, OnStoreError, Pending};

use crate::call::{Beside, Call, Target};
use crate::condition::{CallContext, Outcome, Place};
use crate::identity::Identity;
use crate::policy::nested::NESTED;
use crate::policy::{Compiled, Found, Step};
use crate::ruling::{Asking, Code, Effect, Ruling};
use crate::trace::{Sink, Step as At};
use crate::view::{Unreadable, View};

/// The result of an evaluation.
pub(crate) enum Evaluated<'p> {
    Decided(Ruling),
    /// Boxed, so that decisions without counters do not pay for moving it.
    Pending(Box<PendingBatch<'p>>),
}

/// Answers for the counters that decide a call. The batch stays on the stack where the store is asked immediately.
pub(crate) trait Charger<'p> {
    /// The ruling on a single charge, or `None` where its batch is kept.
    fn charge_one(&mut self, alone: &mut Alone<'p>) -> Option<Ruling> {
        self.decide(&mut alone.batch())
    }

    /// The ruling, or `None` where the batch is kept.
    fn decide(&mut self, prepared: &mut PendingBatch<'p>) -> Option<Ruling>;
}

/// Keeps the batch.
struct Deferred<'p>(Option<Box<PendingBatch<'p>>>);

impl<'p> Charger<'p> for Deferred<'p> {
    fn decide(&mut self, prepared: &mut PendingBatch<'p>) -> Option<Ruling> {
        self.0 = Some(Box::new(std::mem::take(prepared)));
        None
    }
}

/// Evaluates, and keeps the batch for a caller that asks the store later.
#[inline]
pub(crate) fn deferred<'p>(evaluate: impl FnOnce(&mut dyn Charger<'p>) -> Option<Ruling>) -> Evaluated<'p> {
    let mut keep = Deferred(None);
    match (evaluate(&mut keep), keep.0) {
        (Some(ruling), _) => Evaluated::Decided(ruling),
        (None, Some(prepared)) => Evaluated::Pending(prepared),
        (None, None) => Evaluated::Decided(undecided()),
    }
}

/// The denial in place of a missing ruling. Unreachable.
#[cold]
pub(crate) fn undecided() -> Ruling {
    Ruling::deny(Code::StoreUnavailable, None)
}

/// Budget that need counters, in order.
pub(crate) type Counting<'p> = SmallVec<[&'p Step; 4]>;

/// What is left to ask after the stateless conditions.
#[derive(Default)]
struct Remaining<'p> {
    counting: Counting<'p>,
    /// The rules that ask for approval or may ask, in order.
    askers: SmallVec<[u32; 2]>,
}

impl<'p> Remaining<'p> {
    /// Adds what a step asks for, its stateless conditions having come to `outcome`. A function of its own: most steps ask for
    /// nothing, and it would take the registers of their loop.
    #[inline(never)]
    fn add(&mut self, step: &'p Step, outcome: Outcome) {
        // A block place whose stateless conditions fail is settled: its counters need not be read (spec 6.4). A limit whose conditions
        // fail does not apply (spec 2.21).
        if step.place != Place::Permit && outcome == Outcome::Fails {
            return;
        }
        if step.approves {
            self.askers.push(step.rule);
        }
        if step.charge.is_some() || !step.states.is_empty() {
            self.counting.push(step);
        }
    }

    /// The rules that ask whatever counters hold: all that ask but those that read some.
    #[cold]
    fn noted(&self) -> SmallVec<[u32; 2]> {
        let reads = |step: &&&Step| step.approves && !step.states.is_empty();
        let mut may_ask = self.counting.iter().filter(reads).map(|step| step.rule).peekable();
        // Both are in the order of the policy.
        let asks = |rule: &u32| may_ask.next_if_eq(rule).is_none();
        self.askers.iter().copied().filter(asks).collect()
    }

    #[inline]
    fn is_nothing(&self) -> bool {
        self.counting.is_empty() && self.askers.is_empty()
    }
}

impl Compiled {
    /// Decides a call; `None` where counters decide it and `ask` keeps their batch.
    pub(crate) fn evaluate<'p, A: View, I: View, S: Sink>(
        &'p self,
        call: &Call<'_, A, I>,
        sink: &mut S,
        ask: &mut dyn Charger<'p>,
    ) -> Option<Ruling> {
        match self.admit(call.target, &mut Found::new()) {
            Ok(entries) => {
                self.check(entries, call.target, call.args.as_ref(), &call.identity, &call.beside, sink, ask)
            }
            Err(ruling) => Some(ruling),
        }
    }

    /// Decides a call that was admitted.
    #[inline]
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of a call, of which raw text has its own arguments"
    )]
    pub(crate) fn check<'p, A: View, I: View, S: Sink>(
        &'p self,
        entries: &[u32],
        target: Target<'_>,
        args: Option<&A>,
        identity: &Identity<'_, I>,
        beside: &Beside<'_>,
        sink: &mut S,
        ask: &mut dyn Charger<'p>,
    ) -> Option<Ruling> {
        if entries.first().is_some_and(|first| *first >= NESTED) {
            return self.check_nested(entries, target, args, identity, beside, sink, ask);
        }
        match args.map_or(Ok(true), View::is_object) {
            Ok(true) => {}
            Ok(false) => return Some(Ruling::invalid_args("they are not an object")),
            Err(why) => return Some(unreadable(why)),
        }
        let facts = &CallContext::new(target, args, identity, beside);
        if let (Some(check), Some(args)) = (beside.checked, args)
            && let Some(ruling) = self.refused(entries, args, check, &facts.steps, sink)
        {
            return Some(ruling);
        }
        if let Identity::Claims(claims) = identity
            && !matches!(claims.is_object(), Ok(true))
        {
            return Some(Ruling::deny(Code::InvalidIdentity, None));
        }
        if entries.is_empty() {
            return Some(Ruling::new(Effect::Allow, Code::Allowed, None));
        }
        let mut left = Remaining::default();
        for entry in entries {
            let Some(entry) = self.entries.get(*entry as usize) else { continue };
            for step in &entry.steps {
                let outcome = match self.stateless(step, facts, sink) {
                    Ok(outcome) => outcome,
                    Err(why) => return Some(unreadable(why)),
                };
                if step.denies && outcome != step.place.passing() {
                    return Some(Ruling::deny(code(step.place), Some(step.rule)));
                }
                if step.asks {
                    left.add(step, outcome);
                }
            }
        }
        if left.is_nothing() {
            return Some(Ruling::new(Effect::Allow, Code::Allowed, None));
        }
        let ruling = match (left.counting.as_slice(), left.askers.is_empty()) {
            ([Step { charge: Some(counter), states, rule, .. }], true) if states.is_empty() => {
                self.charge_one(*rule, *counter, facts, ask)
            }
            _ => self.ask(entries, &left, facts, ask),
        };
        ruling.unwrap_or_else(|why| Some(unreadable(why)))
    }

    /// What is left once no stateless rule is against the call: charges, then approval (spec 6.5 to 6.7).
    #[inline(never)]
    fn ask<'p, A: View, I: View>(
        &'p self,
        entries: &[u32],
        left: &Remaining<'p>,
        facts: &CallContext<'_, A, I>,
        ask: &mut dyn Charger<'p>,
    ) -> Result<Option<Ruling>, Unreadable> {
        let mut prepared = PendingBatch::default();
        if let Some(ruling) = self.prepare(&left.counting, facts, &mut prepared)? {
            return Ok(Some(ruling));
        }
        if left.askers.is_empty() {
            return Ok(ask.decide(&mut prepared));
        }
        let asking = self.asking(&left.askers, entries, facts)?;
        Ok(Self::ask_prepared(asking, &left.noted(), facts, &mut prepared, ask))
    }

    /// The same once the batch is prepared, of a call that rules ask about or may ask about: the approval, and the store.
    #[cold]
    fn ask_prepared<'p, A: View, I: View>(
        asking: Box<Asking>,
        noted: &[u32],
        facts: &CallContext<'_, A, I>,
        prepared: &mut PendingBatch<'p>,
        ask: &mut dyn Charger<'p>,
    ) -> Option<Ruling> {
        let grant = asking.grant(facts.beside.approval);
        // Where counters have a part, nobody is asked about a call that its limits refuse.
        if grant.is_none() && prepared.batch.slots.is_empty() {
            return Some(Ruling::ask(Code::ApprovalRequired, noted.first().copied(), asking));
        }
        prepared.ask(asking, noted, grant);
        ask.decide(prepared)
    }

    /// The outcome of a step's stateless conditions (spec 6.3).
    #[inline]
    fn stateless<A: View, I: View, S: Sink>(
        &self,
        step: &Step,
        facts: &CallContext<'_, A, I>,
        sink: &mut S,
    ) -> Result<Outcome, Unreadable> {
        sink.open(At::Root(self.rule(step.rule).map_or("", |rule| rule.pointer())), || self.describe(step));
        let mut whole = Outcome::Holds;
        for clause in &step.conditions {
            sink.enter(clause.index.map_or(At::Here, |index| At::Item(step.field(), index)));
            let outcome = clause.condition.evaluate(facts, step.place, step.place.quantifier(), sink)?;
            sink.leave();
            match outcome {
                Outcome::Holds => {}
                Outcome::Unknown => whole = outcome,
                Outcome::Fails => {
                    whole = outcome;
                    break;
                }
            }
        }
        let passes = whole == step.place.passing();
        let text = match step.place {
            _ if step.denies && !passes => "denies",
            Place::Limit if passes => "does not apply",
            Place::Permit | Place::Limit if step.asks => "counts",
            Place::Permit | Place::Limit => "passes",
            Place::Block if passes => "does not act",
            Place::Block if step.approves && step.states.is_empty() => "asks for approval",
            Place::Block if step.approves => "asks for approval if its counters say so",
            Place::Block => "acts if its counters say so",
        };
        sink.close(text, None);
        Ok(whole)
    }

    fn describe(&self, step: &Step) -> String {
        let what = match (step.place, step.approves) {
            (Place::Block, true) => "require_approval",
            (Place::Block, false) => "deny",
            (Place::Permit, _) => "permit",
            (Place::Limit, _) => "limit",
        };
        let layer = self.in_layer(step.rule);
        match self.rule(step.rule).and_then(|rule| rule.name()) {
            Some(name) => format!("{what} \"{name}\"{layer}"),
            None => format!("{what}{layer}"),
        }
    }
}

/// The ruling on a call whose arguments cannot be read.
#[cold]
pub(crate) fn unreadable(why: Unreadable) -> Ruling {
    Ruling::invalid_args(why.to_string())
}

/// The code of a denial by stateless conditions.
const fn code(place: Place) -> Code {
    match place {
        Place::Permit | Place::Limit => Code::ConditionFailed,
        Place::Block => Code::Denied,
    }
}
