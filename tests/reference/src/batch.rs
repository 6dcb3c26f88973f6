//! What a call charges and what must hold (clauses 6.4 and 6.5).
//!
//! In: the items that count, and the call. Out: the batch, or a denial for what cannot be charged.

use crate::Facts;
use crate::condition::{self, Outcome, Place};
use crate::counters::{Batch, Bound, Kind, Paid, Part, Slot};
use crate::decimal::LARGEST;
use crate::decision::{Decision, about, label};
use crate::facts::Maximum;
use crate::json::Json;
use crate::mistake::{Mistake, is_made};
use crate::payment::{Charge, Counter, Payment, Refund};
use crate::policy::{Document, Item};
use crate::state;

/// An item that matches a call.
#[derive(Clone, Copy)]
pub(crate) struct Matched<'d> {
    /// Its place among all that match: a rule that matches the inner call, too, is there twice.
    pub(crate) number: usize,
    pub(crate) item: &'d Item,
    pub(crate) document: &'d Document,
    /// The level that it is about.
    pub(crate) level: usize,
}

/// Clause 6.5: each charge and each counter that is read, in order.
pub(crate) fn of(
    counting: &[Matched<'_>],
    facts: &[Facts<'_>],
    layers: &[Document],
) -> Result<Batch, Box<Decision>> {
    let mut batch = Batch { slots: vec![], bounds: vec![], asking: vec![] };
    for matched in counting {
        let (item, facts, level) = (matched.item, &facts[matched.level], matched.level);
        // Clause 2.21: a limit that does not apply is none.
        let when: Vec<&Json> = item.when.iter().collect();
        let applies = match condition::list(&when, facts, Place::Limit) {
            Outcome::Unknown => !is_made(Mistake::WhenUnknownSpares),
            outcome => outcome != Outcome::Fails || is_made(Mistake::WhenStillCharges),
        };
        if let Some(payment) = item.pays.as_ref().filter(|_| applies) {
            pay(&mut batch, payment, facts, item, level)?;
        }
        let mut tests = Vec::new();
        for test in item.conditions.iter().filter(|condition| state::is_state(condition)) {
            let path = test.get("path").and_then(Json::text).expect("a path");
            let other =
                layers.iter().find(|layer| is_made(Mistake::StateOfOtherLayer) && layer.declares(path));
            let document = other.unwrap_or(matched.document);
            let slot = slot(&mut batch, document.counter(path), facts, item)?;
            match item.place {
                Place::Permit => {
                    let kind = Kind::Needs(slot, test.clone());
                    batch.bounds.push(Bound { item: item.clone(), kind });
                }
                _ => tests.push((slot, test.clone())),
            }
        }
        if tests.is_empty() {
            continue;
        }
        if item.approves {
            batch.asking.push((matched.number, tests));
        } else {
            // Clause 6.4: it acts when all of them hold.
            batch.bounds.push(Bound { item: item.clone(), kind: Kind::Blocks(tests) });
        }
    }
    batch.slots.iter_mut().for_each(join);
    Ok(batch)
}

/// Clauses 2.25, 2.26 and 6.5: what an item pays, added to what others paid.
fn pay(
    batch: &mut Batch,
    payment: &Payment,
    facts: &Facts<'_>,
    item: &Item,
    level: usize,
) -> Result<(), Box<Decision>> {
    let invalid = |path: &str| {
        let mut denial = about(item, "deny", "invalid_amount");
        denial.message = Some(format!("Rule \"{}\" needs a valid amount at {path}", label(item)));
        Box::new(denial)
    };
    let path = match &payment.charge {
        Charge::From(path) => path.as_str(),
        Charge::Fixed(_) => "increment",
    };
    let amount = facts.amount(&payment.charge).ok_or_else(|| invalid(path))?;
    let index = slot(batch, &payment.counter, facts, item)?;
    let is_first = batch.slots[index].paid.is_empty();
    let paid = batch.slots[index].paid.iter().find(|paid| paid.level == level).map_or(0, |paid| paid.sum);
    let sum = Some(paid + amount).filter(|sum| *sum <= LARGEST).ok_or_else(|| invalid(path))?;
    let claimed = payment.counter.max_from.as_deref().unwrap_or_default();
    let max = match facts.maximum(&payment.counter) {
        Maximum::Is(max) => max,
        Maximum::Missing => return Err(missing(item, &format!("a maximum at {claimed}"))),
        Maximum::Invalid => return Err(invalid(claimed)),
    };
    let slot = &mut batch.slots[index];
    (slot.max, slot.payer) = (max, (facts.tool.clone(), item.entry.clone()));
    let part = Part { amount, settles: payment.settles, refund: payment.refund };
    match slot.paid.iter_mut().find(|paid| paid.level == level) {
        Some(paid) => {
            paid.sum = sum;
            paid.parts.push(part);
        }
        None => slot.paid.push(Paid { level, sum, parts: vec![part] }),
    }
    let alone = is_made(Mistake::BudgetAsSeveral).then_some(amount);
    if is_first || alone.is_some() {
        batch.bounds.push(Bound { item: item.clone(), kind: Kind::Max(index, alone) });
    } else if is_made(Mistake::LastPayerReported) {
        let first =
            batch.bounds.iter_mut().find(|bound| matches!(bound.kind, Kind::Max(of, _) if of == index));
        if let Some(bound) = first {
            bound.item = item.clone();
        }
    }
    Ok(())
}

/// Clause 3.11: of what the outer call and the inner one pay, the larger is charged.
fn join(slot: &mut Slot) {
    let Some(first) = slot.paid.first() else { return };
    let larger = |one: &Paid, other: &Paid| one.sum > other.sum;
    let mut chosen = first.clone();
    for paid in &slot.paid[1..] {
        if is_made(Mistake::InnerAddedUp) {
            chosen.sum = (chosen.sum + paid.sum).min(LARGEST);
            chosen.parts.extend(paid.parts.iter().cloned());
        } else if is_made(Mistake::SmallerCharged) {
            chosen = if larger(&chosen, paid) { paid.clone() } else { chosen };
        } else if larger(paid, &chosen) && !is_made(Mistake::OuterCharged) {
            chosen = paid.clone();
        }
    }
    if slot.paid.len() > 1 {
        // Whose terms would hold nobody can tell.
        for part in chosen.parts.iter_mut().filter(|part| part.refund != Refund::Always) {
            (part.refund, part.settles) = (Refund::Never, false);
        }
    }
    (slot.charge, slot.parts) = (Some(chosen.sum), chosen.parts);
}

/// Clause 10.5: a scope or a maximum that the identity does not say.
fn missing(item: &Item, what: &str) -> Box<Decision> {
    let mut denial = about(item, "deny", "identity_required");
    denial.message = Some(format!("Rule \"{}\" needs {what}", label(item)));
    Box::new(denial)
}

/// The slot of a counter, made on first mention (clause 10.4); clause 9.4: a missing scope denies.
fn slot(
    batch: &mut Batch,
    counter: &Counter,
    facts: &Facts<'_>,
    item: &Item,
) -> Result<usize, Box<Decision>> {
    let Some(scope) = facts.scope(&counter.scope) else {
        return Err(missing(item, &format!("an identity for scope {}", counter.scope.text())));
    };
    let is_same = |slot: &Slot| {
        slot.counter.is(counter) && (slot.scope == scope || is_made(Mistake::InnerScopeOfOuter))
    };
    if let Some(slot) = batch.slots.iter().position(is_same) {
        return Ok(slot);
    }
    batch.slots.push(Slot {
        counter: counter.clone(),
        scope,
        paid: vec![],
        charge: None,
        parts: vec![],
        max: counter.max,
        payer: (facts.tool.clone(), item.entry.clone()),
    });
    Ok(batch.slots.len() - 1)
}
