//! A batch on its way to the store, and the ruling that follows from the store's answer (spec 6.7, 8.8, 8.9).

use std::borrow::Cow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::amount::Amount;
use crate::evaluate::OnStoreError;
use crate::policy::{Compiled, StateTest};
use crate::ruling::{Asking, Code, Counted, Detail, Effect, Ruling};
use crate::store::{Batch, BatchOutcome, Bound, Guard, GuardMode, Owner, Refusal, Slot, Verdict};
use crate::time::Timestamp;
use crate::trace::{Sink, Step};

/// A batch with what is needed to read the answer.
#[derive(Debug, Default)]
pub(crate) struct PendingBatch<'p> {
    pub(crate) batch: Batch<'p>,
    /// The declared counter of each slot.
    pub(crate) declared: SmallVec<[u32; 4]>,
    /// The slot of each, once they are more than [`FEW`].
    slots: Option<Box<HashMap<u32, usize, RandomState>>>,
    /// What the tests of the guards were written as, in order.
    pub(crate) states: SmallVec<[&'p StateTest; 1]>,
    /// The rule of each bound, by its order.
    rules: SmallVec<[u32; 4]>,
    approval: Option<Box<Asking>>,
}

/// The single charge of a call without conditions on counters. It needs no batch.
#[derive(Debug)]
pub(crate) struct Alone<'p> {
    pub(crate) slot: Slot<'p>,
    pub(crate) declared: u32,
    pub(crate) rule: u32,
}

impl<'p> From<Alone<'p>> for PendingBatch<'p> {
    fn from(Alone { slot, declared, rule }: Alone<'p>) -> Self {
        let mut prepared = Self::default();
        prepared.batch.slots.push(slot);
        prepared.declare(declared);
        prepared.order(rule);
        prepared
    }
}

impl Alone<'_> {
    /// What the store's answer means for the call.
    pub(crate) fn rule(self, outcome: &BatchOutcome) -> Ruling {
        let Self { slot, declared, rule } = self;
        let (mut ruling, charged, usage) = match (&outcome.verdict, outcome.usage.as_slice()) {
            (Verdict::Reserved, [usage]) => {
                (Ruling::new(Effect::Allow, Code::Allowed, None), slot.charge, usage)
            }
            (Verdict::Refused(refusals), [usage]) if !refusals.is_empty() => {
                let is_full = matches!(refusals.first(), Some(Refusal { bound: Bound::Full(_), .. }));
                let mut ruling = limit_exceeded((!is_full).then_some(declared), Some(rule));
                ruling.more_mut().retry_millis = retry_millis(refusals, outcome.now);
                (ruling, None, usage)
            }
            // An answer that does not fit the question decides nothing, so nothing gets through.
            _ => return Ruling::deny(Code::StoreUnavailable, None),
        };
        ruling.more_mut().counters.push(Counted::new(declared, slot.scope, charged, usage));
        ruling
    }
}

/// Counters that are found by looking at each.
const FEW: usize = 16;

impl PendingBatch<'_> {
    /// The slot of a declared counter, if it has one.
    pub(crate) fn slot_of(&self, index: u32) -> Option<usize> {
        if self.declared.len() <= FEW {
            return self.declared.iter().position(|declared| *declared == index);
        }
        self.slots.as_ref()?.get(&index).copied()
    }

    /// Gives the next slot to a declared counter.
    pub(crate) fn declare(&mut self, index: u32) {
        self.declared.push(index);
        if self.declared.len() > FEW {
            self.file();
        }
    }

    #[cold]
    fn file(&mut self) {
        let slots = self.slots.get_or_insert_default();
        let new = self.declared.iter().enumerate().skip(slots.len());
        slots.extend(new.map(|(slot, declared)| (*declared, slot)));
    }

    /// The next place in the order of bounds, for a bound of `rule`.
    pub(crate) fn order(&mut self, rule: u32) -> u32 {
        self.rules.push(rule);
        u32::try_from(self.rules.len()).unwrap_or(u32::MAX).saturating_sub(1)
    }

    pub(crate) fn approve(&mut self, asking: Box<Asking>, id: &str) {
        self.batch.approval = Some(Cow::Owned(id.to_owned()));
        self.approval = Some(asking);
    }

    /// Lets the batch be looked at only: the call asks for approval if no bound refuses it (spec 6.6).
    pub(crate) fn ask_after_a_look(&mut self, asking: Box<Asking>) {
        self.batch.only_looks = true;
        self.approval = Some(asking);
    }

    /// What the call asks to approve, if its counters let it.
    pub(crate) fn looking(&self) -> Option<&Asking> {
        self.approval.as_deref().filter(|_| self.batch.only_looks)
    }

    /// The ruling where the store did not answer (spec 8.11).
    pub(crate) fn unanswered(&self, choice: OnStoreError) -> Ruling {
        let effect = match choice {
            OnStoreError::Allow if self.approval.is_none() => Effect::Allow,
            OnStoreError::Allow | OnStoreError::Deny => Effect::Deny,
        };
        Ruling::new(effect, Code::StoreUnavailable, None)
    }

    /// What the store's answer means for the call. Takes the scope values out.
    pub(crate) fn rule(&mut self, outcome: &BatchOutcome) -> Ruling {
        // An answer that does not fit the question decides nothing, so nothing gets through.
        if outcome.usage.len() != self.batch.slots.len() {
            return Ruling::deny(Code::StoreUnavailable, None);
        }
        let mut ruling = match &outcome.verdict {
            Verdict::Reserved if self.batch.only_looks => match &self.approval {
                Some(asking) => Ruling::ask(Code::ApprovalRequired, asking.clone()),
                None => return Ruling::deny(Code::StoreUnavailable, None),
            },
            Verdict::Reserved => Ruling::new(Effect::Allow, Code::Allowed, None),
            Verdict::ApprovalSpent => match &self.approval {
                Some(asking) if !self.batch.only_looks => Ruling::ask(Code::ApprovalSpent, asking.clone()),
                _ => return Ruling::deny(Code::StoreUnavailable, None),
            },
            Verdict::Refused(refusals) => match refusals.first() {
                Some(first) => self.refused(first, refusals, outcome),
                None => return Ruling::deny(Code::StoreUnavailable, None),
            },
        };
        let taken = self.is_taken(outcome);
        // A batch of an approval alone has no counters to show.
        if !self.declared.is_empty() {
            let counters = &mut ruling.more_mut().counters;
            counters.reserve_exact(self.declared.len());
            for ((slot, declared), usage) in
                self.batch.slots.iter_mut().zip(&self.declared).zip(&outcome.usage)
            {
                let scope = std::mem::take(&mut slot.scope);
                counters.push(Counted::new(*declared, scope, slot.charge.filter(|_| taken), usage));
            }
        }
        ruling
    }

    fn refused(&self, first: &Refusal, all: &[Refusal], outcome: &BatchOutcome) -> Ruling {
        let rule = self.rules.get(first.order as usize).copied();
        let mut ruling = match first.bound {
            Bound::Full(_) => limit_exceeded(None, rule),
            Bound::Max(slot) => limit_exceeded(self.declared.get(slot).copied(), rule),
            Bound::Guard(guard) => {
                let code = self
                    .batch
                    .guards
                    .get(guard)
                    .map_or(Code::LimitExceeded, |guard| self.code(guard, outcome));
                Ruling::deny(code, rule)
            }
        };
        ruling.more_mut().retry_millis = retry_millis(all, outcome.now);
        ruling
    }

    /// Whether what the outcome tells of the counters has the charges in it.
    fn is_taken(&self, outcome: &BatchOutcome) -> bool {
        outcome.verdict == Verdict::Reserved && !self.batch.only_looks
    }

    /// What a test of the slot's counter reads (spec 8.5).
    fn used_with_charge(&self, slot: usize, outcome: &BatchOutcome) -> Amount {
        let held = outcome.usage.get(slot).map_or(Amount::ZERO, |usage| usage.used);
        if self.is_taken(outcome) {
            return held;
        }
        let charge = self.batch.slots.get(slot).and_then(|slot| slot.charge).unwrap_or_default();
        held.checked_add(charge).unwrap_or(Amount::MAX)
    }

    /// The code of a guard that refuses: too much of a counter is a limit, anything else a condition (spec 8.8).
    fn code(&self, guard: &Guard<'_>, outcome: &BatchOutcome) -> Code {
        let too_high = guard.tests.iter().any(|test| {
            let used = self.used_with_charge(test.slot, outcome);
            match guard.mode {
                GuardMode::RequireAll => {
                    // A condition that no amount satisfies is not a limit.
                    let highest = test.ranges.last().map(|(_, high)| *high).filter(|high| *high >= 0);
                    highest.is_some_and(|highest| !test.holds(used) && used.as_micros() > highest)
                }
                // What the condition admits are the gaps between the ranges: the counter is above them all when it
                // lies in a range that has no end.
                GuardMode::RefuseAll => test
                    .ranges
                    .last()
                    .is_some_and(|(low, high)| *high == i64::MAX && *low > 0 && used.as_micros() >= *low),
            }
        });
        match (too_high, guard.mode) {
            (true, _) => Code::LimitExceeded,
            (false, GuardMode::RequireAll) => Code::ConditionFailed,
            (false, GuardMode::RefuseAll) => Code::Denied,
        }
    }
}

/// A denial because a counter has no room: below its maximum or, for `None`, below the most that any can hold.
#[inline]
fn limit_exceeded(of: Option<u32>, rule: Option<u32>) -> Ruling {
    let mut ruling = Ruling::deny(Code::LimitExceeded, rule);
    ruling.more_mut().detail = of.map_or(Detail::Full, Detail::Declared);
    ruling
}

/// Milliseconds until the call could pass: every bound that refuses must hold by then, and one that waiting does not help never will.
fn retry_millis(refusals: &[Refusal], now: Timestamp) -> Option<u64> {
    let latest = refusals.iter().try_fold(now, |latest, refusal| Some(latest.max(refusal.retry_at?)))?;
    u64::try_from(latest.as_millis().saturating_sub(now.as_millis())).ok()
}

impl PendingBatch<'_> {
    /// Reports the store's answer on each counter and bound.
    pub(crate) fn explain(&self, policy: &Compiled, outcome: &BatchOutcome, sink: &mut impl Sink) {
        for ((slot, declared), usage) in self.batch.slots.iter().zip(&self.declared).zip(&outcome.usage) {
            let Some(declared) = policy.declared(*declared) else { continue };
            let owner = match slot.counter.owner() {
                Owner::Tool(key) => key,
                Owner::AllTools => "all_tools",
            };
            // Several rules may read a counter, but one charges it.
            let charges = slot.charge.and_then(|_| self.rules.get(slot.order as usize));
            let rule = charges.and_then(|rule| policy.rule(*rule));
            let place = Step::Root(rule.map_or("", |rule| rule.pointer()));
            sink.open(place, || format!("counter {owner}.{}", slot.counter.name()));
            let max = declared.max.map_or_else(|| "no maximum".to_owned(), |max| format!("maximum {max}"));
            let held = if self.is_taken(outcome) { "with this call" } else { "without this call" };
            let why = format!("holds {} {held}, {max}, resets at {}", usage.used, usage.resets_at);
            let what = match slot.charge {
                Some(_) if self.batch.only_looks => "looked at",
                Some(_) => "charged",
                None => "read",
            };
            sink.close(what, Some(&why));
        }
        let mut states = self.states.iter();
        for guard in &self.batch.guards {
            let rule = self.rules.get(guard.order as usize).and_then(|rule| policy.rule(*rule));
            for (test, state) in guard.tests.iter().zip(&mut states) {
                sink.enter(Step::Root(rule.map_or("", |rule| rule.pointer())));
                let place = state.index.map_or(Step::Here, |index| Step::Item("conditions", index));
                sink.open(place, || state.text.to_string());
                let used = self.used_with_charge(test.slot, outcome);
                let held = if test.holds(used) { "holds" } else { "fails" };
                sink.close(held, Some(&format!("the counter reads {used}")));
                sink.leave();
            }
        }
        if let Verdict::Refused(refusals) = &outcome.verdict {
            for refusal in refusals {
                let rule = self.rules.get(refusal.order as usize).and_then(|rule| policy.rule(*rule));
                let (what, outcome) = match refusal.bound {
                    Bound::Full(_) => ("room in the counter", "full"),
                    Bound::Max(_) => ("maximum", "refuses"),
                    Bound::Guard(_) => ("conditions on counters", "denies"),
                };
                sink.open(Step::Root(rule.map_or("", |rule| rule.pointer())), || what.to_owned());
                let why =
                    refusal.retry_at.map(|time| format!("would hold at {time} if nothing else happened"));
                sink.close(outcome, why.as_deref());
            }
        }
    }
}
