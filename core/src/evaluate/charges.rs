//! From the rules that count to one batch of charges and guards (spec 6.5, 8.2, 8.5).

use std::ops::ControlFlow;

use smallvec::smallvec;

use super::pending::{Alone, PendingBatch};
use super::{Charger, Counting};
use crate::amount::Amount;
use crate::condition::{CallContext, Leaf, Place, Visitor};
use crate::document::{Charge, Declared};
use crate::path::Path;
use crate::policy::Compiled;
use crate::ruling::{Code, Ruling};
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
            if let Some(index) = step.charge {
                let Some(declared) = self.declared(index) else { continue };
                let Some(amount) = amount(declared, facts)? else {
                    return Ok(Some(Ruling::deny(Code::InvalidAmount, Some(step.rule)).about(index)));
                };
                let order = prepared.order(step.rule);
                match self.slot(index, facts, prepared)? {
                    Some(slot) => {
                        if let Some(slot) = prepared.batch.slots.get_mut(slot) {
                            slot.charge = Some(amount);
                            slot.max = declared.max.unwrap_or(Amount::MAX);
                            slot.order = order;
                        }
                    }
                    None => {
                        return Ok(Some(Ruling::deny(Code::IdentityRequired, Some(step.rule)).about(index)));
                    }
                }
            }
            let mut tests = smallvec![];
            for state in &step.states {
                let Some(slot) = self.slot(state.declared, facts, prepared)? else {
                    let ruling = Ruling::deny(Code::IdentityRequired, Some(step.rule));
                    return Ok(Some(ruling.about(state.declared)));
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
                prepared.batch.guards.push(Guard { mode: GuardMode::RefuseAll, tests, order });
            }
        }
        Ok(None)
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
        index: u32,
        facts: &CallContext<'_, A, I>,
        ask: &mut dyn Charger<'p>,
    ) -> Result<Option<Ruling>, Unreadable> {
        let deny = |code| Ok(Some(Ruling::deny(code, Some(rule)).about(index)));
        let Some(declared) = self.declared(index) else { return deny(Code::InvalidAmount) };
        let Some(amount) = amount(declared, facts)? else { return deny(Code::InvalidAmount) };
        facts.steps.take(COUNTER)?;
        let mut slot = unread(declared);
        (slot.charge, slot.max) = (Some(amount), declared.max.unwrap_or(Amount::MAX));
        if !declared.scope.encode(facts, &mut slot.scope)? {
            return deny(Code::IdentityRequired);
        }
        Ok(ask.charge_one(Alone { slot, declared: index, rule }))
    }
}

/// What a call charges a counter with; `None` if that is not an amount.
#[inline]
fn amount<A: View, I: View>(
    declared: &Declared,
    facts: &CallContext<'_, A, I>,
) -> Result<Option<Amount>, Unreadable> {
    match &declared.amount {
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

/// The slot of a counter that is only read, for nobody yet.
fn unread(declared: &Declared) -> Slot<'_> {
    Slot {
        counter: &declared.counter,
        scope: ScopeValue::default(),
        charge: None,
        max: Amount::MAX,
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
