//! Evaluation: pure, sans I/O (spec 6).
//!
//! In: the compiled policy and a call. Out: a decision, or the batch of charges that must succeed for the call to be
//! allowed. Reads no clock, consults no store.

mod charges;
mod pending;

use smallvec::SmallVec;

pub(crate) use pending::Prepared;

use crate::call::{Approval, Call};
use crate::canonical::approval_key;
use crate::condition::{Facts, Outcome, Place};
use crate::decision::{Code, Effect, Ruling};
use crate::identity::Identity;
use crate::policy::{Compiled, Found, Step};
use crate::trace::{Sink, Step as At};
use crate::view::{Kind, Unreadable, View};

/// What evaluation comes to.
pub(crate) enum Evaluated<'p> {
    Decided(Ruling),
    /// Boxed, so that decisions without counters do not pay for moving it.
    Pending(Box<Prepared<'p>>),
}

/// Steps that need counters, in order.
pub(crate) type Counting<'p> = SmallVec<[&'p Step; 4]>;

impl Compiled {
    /// Decides a call.
    pub(crate) fn evaluate<A: View, I: View, S: Sink>(
        &self,
        call: &Call<'_, A, I>,
        sink: &mut S,
    ) -> Evaluated<'_> {
        match self.admit(call.tool, &mut Found::new()) {
            Ok(entries) => {
                let facts = Facts::new(call.tool, call.args.as_ref(), &call.identity);
                self.check(entries, &facts, call.approval, sink)
            }
            Err(ruling) => Evaluated::Decided(ruling),
        }
    }

    /// Decides a call that was admitted.
    #[inline]
    pub(crate) fn check<A: View, I: View, S: Sink>(
        &self,
        entries: &[u32],
        facts: &Facts<'_, A, I>,
        approval: Option<Approval<'_>>,
        sink: &mut S,
    ) -> Evaluated<'_> {
        match facts.args.map_or(Ok(Kind::Object), View::kind) {
            Ok(Kind::Object) => {}
            Ok(_) => return Evaluated::Decided(Ruling::invalid_args("they are no object")),
            Err(unreadable) => return Evaluated::Decided(Ruling::invalid_args(unreadable.to_string())),
        }
        if let Identity::Claims(claims) = facts.identity
            && !matches!(claims.kind(), Ok(Kind::Object))
        {
            return Evaluated::Decided(Ruling::deny(Code::InvalidIdentity, None));
        }
        match self.decide(entries, facts, approval, sink) {
            Ok(evaluated) => evaluated,
            Err(unreadable) => Evaluated::Decided(Ruling::invalid_args(unreadable.to_string())),
        }
    }

    fn decide<A: View, I: View, S: Sink>(
        &self,
        entries: &[u32],
        facts: &Facts<'_, A, I>,
        approval: Option<Approval<'_>>,
        sink: &mut S,
    ) -> Result<Evaluated<'_>, Unreadable> {
        let mut counting = Counting::new();
        let mut approver = None;
        for entry in entries {
            let Some(entry) = self.entries.get(*entry as usize) else { continue };
            for step in &entry.steps {
                let (outcome, denial) = self.stateless(step, facts, sink)?;
                if let Some(code) = denial {
                    return Ok(Evaluated::Decided(Ruling::deny(code, Some(step.rule))));
                }
                if step.approves && outcome != Outcome::Fails && approver.is_none() {
                    approver = Some(step.rule);
                }
                // A block place whose stateless conditions fail is settled: its counters need not be read (spec 6.4).
                let settled = step.place == Place::Block && outcome == Outcome::Fails;
                if (step.charge.is_some() || !step.states.is_empty()) && !settled {
                    counting.push(step);
                }
            }
        }
        if counting.is_empty() && approver.is_none() {
            return Ok(Evaluated::Decided(Ruling::new(Effect::Allow, Code::Allowed, None)));
        }
        self.ask(&counting, approver, facts, approval)
    }

    /// What is left once no stateless rule is against the call: charges, then approval (spec 6.5, 6.6).
    #[inline(never)]
    fn ask<'p, A: View, I: View>(
        &'p self,
        counting: &Counting<'p>,
        approver: Option<u32>,
        facts: &Facts<'_, A, I>,
        approval: Option<Approval<'_>>,
    ) -> Result<Evaluated<'p>, Unreadable> {
        let mut prepared = Box::<Prepared<'_>>::default();
        if let Some(ruling) = self.prepare(counting, facts, &mut prepared)? {
            return Ok(Evaluated::Decided(ruling));
        }
        if let Some(rule) = approver {
            let key = approval_key(&self.digest, facts.tool, facts.args, facts.identity)?;
            match approval.filter(|approval| approval.is_valid() && approval.key == key) {
                Some(approval) => prepared.approve(rule, key, approval.id),
                None => {
                    let mut ruling = Ruling::new(Effect::RequireApproval, Code::ApprovalRequired, Some(rule));
                    ruling.more_mut().approval_key = Some(key.into());
                    return Ok(Evaluated::Decided(ruling));
                }
            }
        }
        Ok(Evaluated::Pending(prepared))
    }

    /// The outcome of a step's stateless conditions, and the code of the denial that follows, if one does (spec 6.3).
    fn stateless<A: View, I: View, S: Sink>(
        &self,
        step: &Step,
        facts: &Facts<'_, A, I>,
        sink: &mut S,
    ) -> Result<(Outcome, Option<Code>), Unreadable> {
        sink.open(At::Root(self.rule(step.rule).map_or("", |rule| &rule.pointer)), || self.describe(step));
        let mut whole = Outcome::Holds;
        for clause in &step.conditions {
            sink.enter(clause.index.map_or(At::Here, |index| At::Item("conditions", index)));
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
        let code = match step.place {
            Place::Permit if whole != Outcome::Holds => Some(Code::ConditionFailed),
            Place::Block if whole != Outcome::Fails && !step.approves && step.states.is_empty() => {
                Some(Code::Denied)
            }
            _ => None,
        };
        let text = match (code, step.place, whole) {
            (Some(_), ..) => "denies",
            (None, Place::Permit, _) if step.states.is_empty() && step.charge.is_none() => "passes",
            (None, Place::Permit, _) => "counts",
            (None, Place::Block, Outcome::Fails) => "does not act",
            (None, Place::Block, _) if step.approves => "asks for approval",
            (None, Place::Block, _) => "acts if its counters say so",
        };
        sink.close(text, None);
        Ok((whole, code))
    }

    fn describe(&self, step: &Step) -> String {
        let what = match (step.place, step.approves) {
            (Place::Block, true) => "require_approval",
            (Place::Block, false) => "deny",
            (Place::Permit, _) => "permit",
        };
        match self.rule(step.rule).and_then(|rule| rule.name.as_deref()) {
            Some(name) => format!("{what} \"{name}\""),
            None => what.to_owned(),
        }
    }
}
