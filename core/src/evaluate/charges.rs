//! From the rules that count to one batch of charges and guards (spec 6.5, 8.2, 8.5).

use std::ops::ControlFlow;

use smallvec::smallvec;

use super::maximum::claimed;
use super::pending::{Alone, PendingBatch};
use super::{Charger, Counting};
use crate::amount::Amount;
use crate::condition::{CallContext, Leaf, Place, Visitor};
use crate::document::{Charge, Declared};
use crate::path::Path;
use crate::policy::Compiled;
use crate::ruling::{Code, Detail, Ruling};
use crate::store::{Guard, GuardMode, ScopeValue, Slot, Test};
use crate::view::{Kind, Unreadable, View};

/// The steps of a counter: the store finds, judges and charges it, and the decision shows it.
const COUNTER: u64 = 80;

impl Compiled {
    /// Fills `prepared`, or denies.
    pub(super) fn prepare<'p, A: View, I: View>(
        &'p self,
        counting: &Counting<'p>,
        facts: &CallContext<'_, A, I>,
        prepared: &mut PendingBatch<'p>,
    ) -> Result<Option<Ruling>, Unreadable> {
        if counting.len() > prepared.batch.slots.inline_size() {
            prepared.batch.slots.reserve_exact(counting.len());
        }
        for step in counting {
            if let Some(payment) = step.charge
                && let Some(ruling) = self.pay(step.rule, payment, facts, prepared)?
            {
                return Ok(Some(ruling));
            }
            let mut tests = smallvec![];
            for state in &step.states {
                let Some(slot) = self.slot(state.declared, facts, prepared)? else {
                    let ruling = Ruling::deny(Code::IdentityRequired, Some(step.rule));
                    return Ok(Some(ruling.about(Detail::Declared(state.declared))));
                };
                let test = Test { slot, ranges: &state.ranges };
                prepared.states.push(state);
                if step.place == Place::Permit {
                    // Each condition is a bound of its own, so that each can say when it would hold.
                    let order = prepared.order(step.rule);
                    let guard = Guard { mode: GuardMode::RequireAll, tests: smallvec![test], order };
                    prepared.batch.guards.push(guard);
                } else {
                    tests.push(test);
                }
            }
            if !tests.is_empty() {
                let order = prepared.order(step.rule);
                let mode = if step.approves { GuardMode::AskAll } else { GuardMode::RefuseAll };
                prepared.batch.guards.push(Guard { mode, tests, order });
            }
        }
        Ok(None)
    }

    /// Adds what a rule pays to the charge of its counter, or denies.
    fn pay<'p, A: View, I: View>(
        &'p self,
        rule: u32,
        payment: u32,
        facts: &CallContext<'_, A, I>,
        prepared: &mut PendingBatch<'p>,
    ) -> Result<Option<Ruling>, Unreadable> {
        let deny = |code, detail| Ok(Some(Ruling::deny(code, Some(rule)).about(detail)));
        let Some(paid) = self.payment(payment) else { return deny(Code::InvalidAmount, Detail::None) };
        let index = paid.declared;
        let Some(amount) = amount(&paid.amount, facts)? else {
            return deny(Code::InvalidAmount, Detail::Payment(payment));
        };
        let Some(slot) = self.slot(index, facts, prepared)? else {
            return deny(Code::IdentityRequired, Detail::Declared(index));
        };
        if let Some(declared) = self.declared(index)
            && let Some(path) = &declared.max_from
        {
            match (claimed(path, declared, index, rule, facts)?, prepared.batch.slots.get_mut(slot)) {
                (Ok(max), Some(slot)) => slot.max = max,
                (Ok(_), None) => {}
                (Err(ruling), _) => return Ok(Some(ruling)),
            }
        }
        if prepared.pay(slot, rule, payment, amount) {
            return Ok(None);
        }
        deny(Code::InvalidAmount, Detail::Payment(payment))
    }

    /// The slot of a declared counter, made on first mention; `None` if its scope is missing.
    fn slot<'p, A: View, I: View>(
        &'p self,
        index: u32,
        facts: &CallContext<'_, A, I>,
        prepared: &mut PendingBatch<'p>,
    ) -> Result<Option<usize>, Unreadable> {
        if let Some(slot) = prepared.slot_of(index) {
            return Ok(Some(slot));
        }
        let Some(declared) = self.declared(index) else { return Ok(None) };
        facts.steps.take(COUNTER)?;
        let slot = prepared.batch.slots.len();
        prepared.batch.slots.push(unread(declared));
        prepared.declare(index);
        // Encoded in place. A call whose scope is missing is denied, and its batch dropped.
        let Some(Slot { scope, .. }) = prepared.batch.slots.get_mut(slot) else { return Ok(None) };
        Ok(declared.scope.encode(facts, scope)?.then_some(slot))
    }

    /// The one charge of a call without conditions on counters or an approval, as most calls that count are. The same as
    /// [`Self::prepare`] does for any.
    #[inline(never)]
    pub(super) fn charge_one<'p, A: View, I: View>(
        &'p self,
        rule: u32,
        payment: u32,
        facts: &CallContext<'_, A, I>,
        ask: &mut dyn Charger<'p>,
    ) -> Result<Option<Ruling>, Unreadable> {
        let deny = |code, detail| Ok(Some(Ruling::deny(code, Some(rule)).about(detail)));
        let Some(paid) = self.payment(payment) else { return deny(Code::InvalidAmount, Detail::None) };
        let index = paid.declared;
        let Some(declared) = self.declared(index) else { return deny(Code::InvalidAmount, Detail::None) };
        let Some(amount) = amount(&paid.amount, facts)? else {
            return deny(Code::InvalidAmount, Detail::Payment(payment));
        };
        facts.steps.take(COUNTER)?;
        // In the place that the store and the ruling read it at: it is large, and is not moved.
        let mut alone = Alone { slot: unread(declared), declared: index, payment, rule };
        if !declared.scope.encode(facts, &mut alone.slot.scope)? {
            return deny(Code::IdentityRequired, Detail::Declared(index));
        }
        if let Some(path) = &declared.max_from {
            match claimed(path, declared, index, rule, facts)? {
                Ok(max) => alone.slot.max = max,
                Err(ruling) => return Ok(Some(ruling)),
            }
        }
        alone.slot.charge = Some(amount);
        Ok(ask.charge_one(&mut alone))
    }
}

/// What a call charges a counter with; `None` if that is not an amount.
#[inline]
fn amount<A: View, I: View>(
    charge: &Charge,
    facts: &CallContext<'_, A, I>,
) -> Result<Option<Amount>, Unreadable> {
    match charge {
        Charge::Fixed(amount) => Ok(Some(*amount)),
        Charge::From(path) => sum(path, facts),
    }
}

/// The sum of the values at a path; `None` if one is not an amount.
fn sum<A: View, I: View>(path: &Path, facts: &CallContext<'_, A, I>) -> Result<Option<Amount>, Unreadable> {
    let mut sum = Sum(Some(Amount::ZERO));
    facts.reach(path, &mut sum)?;
    Ok(sum.0)
}

/// The slot of a counter that is only read, for nobody yet. Its maximum is the policy's.
fn unread(declared: &Declared) -> Slot<'_> {
    Slot {
        counter: &declared.counter,
        scope: ScopeValue::default(),
        charge: None,
        max: declared.max.unwrap_or(Amount::MAX),
        order: 0,
    }
}

/// Adds up amounts; `None` once one is not an amount.
struct Sum(Option<Amount>);

impl Visitor for Sum {
    fn leaf<V: View>(&mut self, leaf: Leaf<'_, V>) -> Result<ControlFlow<()>, Unreadable> {
        let amount = match leaf {
            Leaf::Value(value, _) => match value.kind()? {
                Kind::Number(number) => number.to_amount(),
                _ => None,
            },
            Leaf::Absent | Leaf::WrongType(_) => None,
        };
        self.0 = match (self.0, amount) {
            (Some(sum), Some(amount)) => sum.checked_add(amount),
            _ => None,
        };
        Ok(if self.0.is_none() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}
