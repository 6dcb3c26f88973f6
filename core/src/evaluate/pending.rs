//! A batch on its way to the store, and the ruling that follows from the store's answer (spec 6.7, 8.8, 8.9).

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::amount::Amount;
use crate::evaluate::OnStoreError;
use crate::policy::{Compiled, StateTest};
use crate::ruling::{Asking, Code, Counted, Detail, Effect, Paid, Ruling};
use crate::store::{
    Batch, BatchOutcome, Bound, Grant, Guard, GuardMode, Owner, Refusal, Slot, Test, Verdict,
};
use crate::time::Timestamp;
use crate::trace::{Sink, Step};

/// A batch with what is needed to read the answer.
#[derive(Debug, Default)]
pub(crate) struct PendingBatch<'p> {
    pub(crate) batch: Batch<'p>,
    /// The declared counter of each slot.
    pub(crate) declared: SmallVec<[u32; 4]>,
    /// What is paid into which slot, by which payment.
    pub(super) paid: SmallVec<[(usize, u32, Amount); 4]>,
    /// The slot of each, once they are more than [`FEW`].
    pub(super) slots: Option<Box<HashMap<u32, usize, RandomState>>>,
    /// What the tests of the guards were written as, in order.
    pub(crate) states: SmallVec<[&'p StateTest; 1]>,
    /// The rule of each bound, by its order.
    pub(super) rules: SmallVec<[u32; 4]>,
    /// What the call asks to approve, or may ask.
    asking: Option<Box<Asking>>,
    /// The rules that ask whatever the counters hold, in order.
    noted: SmallVec<[u32; 2]>,
    /// The name of the inner tool, where the call has one in it.
    pub(crate) inner: Option<Box<str>>,
}

/// The single charge of a call without conditions on counters. It needs no batch.
#[derive(Debug)]
pub(crate) struct Alone<'p> {
    pub(crate) slot: Slot<'p>,
    pub(crate) declared: u32,
    pub(crate) payment: u32,
    pub(crate) rule: u32,
}

impl<'p> Alone<'p> {
    /// The batch of it. Takes the scope value out.
    pub(crate) fn batch(&mut self) -> PendingBatch<'p> {
        let scope = std::mem::take(&mut self.slot.scope);
        let Slot { counter, charge, max, order, .. } = self.slot;
        let mut prepared = PendingBatch::default();
        prepared.paid.push((0, self.payment, charge.unwrap_or_default()));
        prepared.batch.slots.push(Slot { counter, scope, charge, max, order });
        prepared.declare(self.declared);
        prepared.order(self.rule);
        prepared
    }

    /// What the store's answer means for the call. Takes the scope value out.
    pub(crate) fn rule(&mut self, outcome: &BatchOutcome) -> Ruling {
        let Self { slot, declared, payment, rule } = self;
        let (declared, payment, rule) = (*declared, *payment, *rule);
        let (mut ruling, taken, usage) = match (&outcome.verdict, outcome.usage.as_slice()) {
            (Verdict::Reserved, [usage]) => (Ruling::new(Effect::Allow, Code::Allowed, None), true, usage),
            (Verdict::Refused(refusals), [usage]) if !refusals.is_empty() => {
                let detail = match refusals.first().map(|refusal| refusal.bound) {
                    Some(Bound::Full(_)) => full(declared, usage.used, slot.charge),
                    _ => Detail::Declared(declared),
                };
                let mut ruling = limit_exceeded(detail, Some(rule));
                ruling.more_mut().retry_millis = retry_millis(refusals, outcome.now);
                (ruling, false, usage)
            }
            // An answer that does not fit the question decides nothing, so nothing gets through.
            _ => return Ruling::deny(Code::StoreUnavailable, None),
        };
        let paid = Paid::from_buf([(payment, slot.charge.unwrap_or_default())]);
        ruling.more_mut().counters.push(Counted::new(declared, slot, paid, taken, usage));
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

    /// Adds what a rule pays to the charge of a slot; false if the sum is no amount. The first that pays is the reported rule.
    pub(crate) fn pay(&mut self, slot: usize, rule: u32, payment: u32, amount: Amount) -> bool {
        let order = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        let Some(of) = self.batch.slots.get_mut(slot) else { return false };
        match of.charge {
            None => {
                (of.charge, of.order) = (Some(amount), order);
                self.rules.push(rule);
            }
            Some(held) => {
                let Some(sum) = held.checked_add(amount) else { return false };
                of.charge = Some(sum);
            }
        }
        self.paid.push((slot, payment, amount));
        true
    }

    /// Has the batch ask for what `asking` says, with the approval that the call has. Without one, and if a rule asks whatever the
    /// counters hold, it is looked at only (spec 6.6).
    pub(crate) fn ask(&mut self, asking: Box<Asking>, noted: &[u32], grant: Option<Grant<'static>>) {
        self.batch.asks = !noted.is_empty();
        self.batch.approval = grant;
        self.noted = noted.into();
        self.asking = Some(asking);
    }

    /// What the call asks to approve, or may ask, if its counters let it and it has no approval.
    pub(crate) fn unapproved(&self) -> Option<&Asking> {
        self.asking.as_deref().filter(|_| self.batch.approval.is_none())
    }

    /// The rules that ask because of what the counters hold, with the charge added (spec 6.7).
    fn acting<'a>(&'a self, outcome: &'a BatchOutcome) -> impl Iterator<Item = u32> + 'a {
        let holds = |test: &Test<'_>| test.holds(self.used_with_charge(test.slot, outcome));
        let asks = self.batch.guards.iter().filter(|guard| guard.mode == GuardMode::AskAll);
        let acts = asks.filter(move |guard| guard.tests.iter().all(holds));
        acts.filter_map(|guard| self.rules.get(guard.order as usize).copied())
    }

    /// The ruling that the call needs an approval, by the first rule that asks.
    fn asked(&self, code: Code, asking: &Asking, outcome: &BatchOutcome) -> Ruling {
        // Both are in the order of the policy, as the rules that ask or may ask are.
        let firsts = [self.noted.first().copied(), self.acting(outcome).next()];
        let first = asking.rules.iter().find(|rule| firsts.contains(&Some(**rule)));
        Ruling::ask(code, first.or(asking.rules.first()).copied(), Box::new(asking.clone()))
    }

    /// The ruling where the store did not answer (spec 8.11).
    pub(crate) fn unanswered(&self, choice: OnStoreError) -> Ruling {
        let effect = match choice {
            OnStoreError::Allow if self.asking.is_none() => Effect::Allow,
            OnStoreError::Allow | OnStoreError::Deny => Effect::Deny,
        };
        let ruling = Ruling::new(effect, Code::StoreUnavailable, None);
        match &self.inner {
            Some(inner) => ruling.of_inner(inner),
            None => ruling,
        }
    }

    /// What the store's answer means for the call. Takes the scope values out.
    pub(crate) fn rule(&mut self, outcome: &BatchOutcome) -> Ruling {
        let ruling = self.ruled(outcome);
        match &self.inner {
            Some(inner) => ruling.of_inner(inner),
            None => ruling,
        }
    }

    fn ruled(&mut self, outcome: &BatchOutcome) -> Ruling {
        // An answer that does not fit the question decides nothing, so nothing gets through.
        if outcome.usage.len() != self.batch.slots.len() {
            return Ruling::deny(Code::StoreUnavailable, None);
        }
        let mut ruling = match &outcome.verdict {
            Verdict::Asks(_) => match &self.asking {
                Some(asking) => self.asked(Code::ApprovalRequired, asking, outcome),
                None => return Ruling::deny(Code::StoreUnavailable, None),
            },
            Verdict::Reserved
                if self.unapproved().is_some()
                    && (self.batch.only_looks() || self.acting(outcome).next().is_some()) =>
            {
                return Ruling::deny(Code::StoreUnavailable, None);
            }
            Verdict::Reserved => Ruling::new(Effect::Allow, Code::Allowed, None),
            Verdict::ApprovalSpent => match &self.asking {
                Some(asking) if self.batch.approval.is_some() => {
                    self.asked(Code::ApprovalSpent, asking, outcome)
                }
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
            let slots = self.batch.slots.iter_mut().zip(&self.declared).zip(&outcome.usage);
            for ((slot, declared), usage) in slots {
                counters.push(Counted::new(*declared, slot, Paid::new(), taken, usage));
            }
            for (slot, payment, amount) in &self.paid {
                if let Some(counted) = counters.get_mut(*slot) {
                    counted.paid.push((*payment, *amount));
                }
            }
        }
        ruling
    }

    fn refused(&self, first: &Refusal, all: &[Refusal], outcome: &BatchOutcome) -> Ruling {
        let rule = self.rules.get(first.order as usize).copied();
        let mut ruling = match first.bound {
            Bound::Full(slot) => {
                let used = outcome.usage.get(slot).map_or(Amount::ZERO, |usage| usage.used);
                let charge = self.batch.slots.get(slot).and_then(|slot| slot.charge);
                let detail = self.declared.get(slot).map(|declared| full(*declared, used, charge));
                limit_exceeded(detail.unwrap_or_default(), rule)
            }
            Bound::Max(slot) => {
                let detail = self.declared.get(slot).copied().map(Detail::Declared);
                limit_exceeded(detail.unwrap_or_default(), rule)
            }
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

    /// Whether nothing was taken for want of an approval.
    fn is_unapproved(&self, outcome: &BatchOutcome) -> bool {
        matches!(outcome.verdict, Verdict::Asks(_) | Verdict::ApprovalSpent)
    }

    /// Whether what the outcome tells of the counters has the charges in it.
    fn is_taken(&self, outcome: &BatchOutcome) -> bool {
        outcome.verdict == Verdict::Reserved
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
                GuardMode::AskAll => false,
            }
        });
        match (too_high, guard.mode) {
            (true, _) => Code::LimitExceeded,
            (false, GuardMode::RequireAll) => Code::ConditionFailed,
            (false, GuardMode::RefuseAll | GuardMode::AskAll) => Code::Denied,
        }
    }
}

/// A denial because a counter has no room.
#[inline]
fn limit_exceeded(detail: Detail, rule: Option<u32>) -> Ruling {
    let mut ruling = Ruling::deny(Code::LimitExceeded, rule);
    ruling.more_mut().detail = detail;
    ruling
}

/// Why a counter that holds `used` has no room for a charge, whatever its maximum is (spec 8.8).
#[cold]
fn full(declared: u32, used: Amount, charge: Option<Amount>) -> Detail {
    match used.checked_add(charge.unwrap_or_default()) {
        Some(_) => Detail::FullOfCharges(declared),
        None => Detail::Full(declared),
    }
}

/// Milliseconds until the call could pass: every bound that refuses must hold by then, and one that waiting does not help never will.
fn retry_millis(refusals: &[Refusal], now: Timestamp) -> Option<u64> {
    let latest = refusals.iter().try_fold(now, |latest, refusal| Some(latest.max(refusal.retry_at?)))?;
    u64::try_from(latest.as_millis().saturating_sub(now.as_millis())).ok()
}

impl PendingBatch<'_> {
    /// Reports the store's answer on each counter and bound.
    pub(crate) fn explain(&self, policy: &Compiled, outcome: &BatchOutcome, sink: &mut impl Sink) {
        for ((slot, usage), declared) in self.batch.slots.iter().zip(&outcome.usage).zip(&self.declared) {
            let owner = match slot.counter.owner() {
                Owner::Tool(key) | Owner::Request(key) => key,
                Owner::AllTools => "all_tools",
                Owner::Budget => "budget",
            };
            // Several rules may read a counter, but one charges it.
            let charges = slot.charge.and_then(|_| self.rules.get(slot.order as usize));
            let layer = match slot.counter.policy().filter(|_| policy.is_stack()) {
                Some(layer) => format!(" in layer \"{layer}\""),
                None => String::new(),
            };
            let rule = charges.and_then(|rule| policy.rule(*rule));
            let place = Step::Root(rule.map_or("", |rule| rule.pointer()));
            sink.open(place, || format!("counter {owner}.{}{layer}", slot.counter.name()));
            let declared = policy.declared(*declared);
            let max = match declared.and_then(|declared| declared.max_from.as_ref()) {
                _ if slot.max == Amount::MAX => "no maximum".to_owned(),
                // Where they are equal, it does not matter who says it.
                Some(path) if declared.and_then(|declared| declared.max) != Some(slot.max) => {
                    format!("maximum {} ({path})", slot.max)
                }
                _ => format!("maximum {}", slot.max),
            };
            let held = if self.is_taken(outcome) { "with this call" } else { "without this call" };
            let resets = if usage.resets_at < Timestamp::MAX {
                format!("resets at {}", usage.resets_at)
            } else {
                "never resets".to_owned()
            };
            let why = format!("holds {} {held}, {max}, {resets}", usage.used);
            let what = match slot.charge {
                Some(_) if self.batch.only_looks() || self.is_unapproved(outcome) => "looked at",
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
        if !matches!(outcome.verdict, Verdict::Refused(_)) {
            let why = self.is_taken(outcome).then_some("the call is approved");
            for rule in self.acting(outcome).filter_map(|rule| policy.rule(rule)) {
                sink.open(Step::Root(rule.pointer()), || "conditions on counters".to_owned());
                sink.close("asks for approval", why);
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
                let layer = self.rules.get(refusal.order as usize).map(|rule| policy.in_layer(*rule));
                let what = || format!("{what}{}", layer.unwrap_or_default());
                sink.open(Step::Root(rule.map_or("", |rule| rule.pointer())), what);
                let why =
                    refusal.retry_at.map(|time| format!("would hold at {time} if nothing else happened"));
                sink.close(outcome, why.as_deref());
            }
        }
    }
}
