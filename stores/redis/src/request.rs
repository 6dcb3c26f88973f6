//! Questions as commands: what the scripts are given (pure).
//!
//! In: a batch, or refunds. Out: one command. Must leave nothing to the script but what depends on the counters.

use callgate::ceilings::{APPROVAL_DAYS, SLIDING_CHARGES};
use callgate::store::judge::live_millis;
use callgate::store::{Algorithm, Batch, Counter, CounterId, GuardMode, Refund, ScopeValue, Slot};
use callgate::time::Timestamp;
use callgate::{Amount, StoreError};

use crate::declaration;
use crate::key::{Keys, hex};
use crate::numbers::{INEXACT, Packed};
use crate::script::Script;
use crate::wire::{Digits, parts, push_bulk, push_line};

/// Room for a call of one or two counters.
const BYTES: usize = 512;
/// About how many keys one step of a listing reads: no caller notices the pause.
const PAGE: usize = 200;
const DAY_MILLIS: i64 = 86_400_000;
/// How long declarations are kept after any counter was first charged in its window. Longer than any window, so they outlive
/// the counters.
const DECLARED_MILLIS: i64 = 800 * DAY_MILLIS;
const APPROVED_MILLIS: i64 = APPROVAL_DAYS * DAY_MILLIS;
const LIVE_CHARGES: i64 = SLIDING_CHARGES as i64;
/// The highest maximum that `lua/quick.lua` takes. It never refuses, and stands for all higher ones.
const USUAL_MAX: i64 = INEXACT - 1;

/// A call of a script, as it goes over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// To be loaded where it is missing.
    pub(crate) script: Script,
    bytes: Vec<u8>,
}

impl Request {
    /// This many keys and then this many arguments must follow.
    pub(crate) fn new(script: Script, keys: usize, arguments: usize) -> Self {
        let mut bytes = Vec::with_capacity(BYTES);
        push_line(&mut bytes, b'*', keys.saturating_add(arguments).saturating_add(3));
        bytes.extend_from_slice(script.head());
        let mut request = Self { script, bytes };
        request.push_digits(count(keys));
        request
    }

    pub(crate) fn push(&mut self, part: &[u8]) {
        push_bulk(&mut self.bytes, &[part]);
    }

    pub(crate) fn push_digits(&mut self, number: i64) {
        self.push(Digits::of_signed(number).as_bytes());
    }

    pub(crate) fn push_keys(&mut self, push: impl FnOnce(&mut Vec<u8>)) {
        push(&mut self.bytes);
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The command for the client library.
    pub(crate) fn command(&self) -> redis::Cmd {
        let mut command = redis::Cmd::with_capacity(8, self.bytes.len());
        parts(&self.bytes).for_each(|part| {
            command.arg(part);
        });
        command
    }
}

/// Whether a batch is taken or only asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    Take,
    Ask,
}

/// The caller's time in milliseconds, or nothing where the server's counts.
pub(crate) type Given = Option<i64>;

/// Decides a batch, as of `at` where it charges fixed windows: the server says so if it is in others.
pub(crate) fn decide(
    keys: &Keys,
    batch: &Batch<'_>,
    intent: Intent,
    now: Given,
    at: Timestamp,
) -> Result<Request, StoreError> {
    refuse_twins(batch)?;
    let intent = if batch.only_looks { Intent::Ask } else { intent };
    let (slots, usual) = (batch.slots.len(), intent == Intent::Take && is_usual(batch, now));
    let keys_given = slots.saturating_add(if batch.approval.is_some() { 2 } else { 1 });
    let arguments = if usual { slots.saturating_mul(2).saturating_add(1) } else { 1 };
    let mut request = Request::new(Script::Decide, keys_given, arguments);
    push_slots(&mut request, keys, batch, at);
    keys.push_declarations(&mut request.bytes);
    if let Some(id) = batch.approval.as_deref() {
        keys.push_approval(&mut request.bytes, id);
    }
    if usual {
        push_maxima(&mut request, batch);
        push_charges(&mut request, batch);
    }
    let mut terms = Packed::with_capacity(BYTES);
    let data = &mut terms;
    data.extend(&[if usual { count(slots) } else { 0 }]);
    let takes = i64::from(intent == Intent::Take);
    data.extend(&[
        clock(now),
        count(batch.slots.len()),
        takes,
        LIVE_CHARGES,
        DECLARED_MILLIS,
        APPROVED_MILLIS,
    ]);
    data.extend(&[count(batch.guards.len())]);
    for (index, slot) in batch.slots.iter().enumerate() {
        push_terms(data, batch, index, slot, at);
    }
    push_guards(data, batch)?;
    for slot in &batch.slots {
        let (id, declaration) = (hex(slot.counter.id()), declaration::write(slot.counter));
        data.extend(&[count(id.len()), count(declaration.len())]);
        data.push_bytes(&id);
        data.push_bytes(&declaration);
    }
    request.push(terms.as_bytes());
    Ok(request)
}

/// An error where two slots would each be judged without the other's charge.
fn refuse_twins(batch: &Batch<'_>) -> Result<(), StoreError> {
    let same =
        |one: &Slot<'_>, other: &Slot<'_>| one.counter.id() == other.counter.id() && one.scope == other.scope;
    if batch.slots.iter().enumerate().any(|(n, one)| batch.slots.iter().take(n).any(|other| same(one, other)))
    {
        return Err(StoreError::permanent("a batch names a counter twice for one scope value"));
    }
    Ok(())
}

fn push_slots(request: &mut Request, keys: &Keys, batch: &Batch<'_>, at: Timestamp) {
    for slot in &batch.slots {
        push_counter(&mut request.bytes, keys, slot.counter, &slot.scope, at);
    }
}

fn push_maxima(request: &mut Request, batch: &Batch<'_>) {
    for slot in &batch.slots {
        request.push_digits(slot.max.as_micros().min(USUAL_MAX));
    }
}

fn push_charges(request: &mut Request, batch: &Batch<'_>) {
    for slot in &batch.slots {
        request.push_digits(charged(slot));
    }
}

/// The key of a counter, as of `at`.
fn push_counter(to: &mut Vec<u8>, keys: &Keys, counter: &Counter, scope: &ScopeValue, at: Timestamp) {
    if is_sliding(counter) {
        keys.push_sliding(to, counter.id(), scope);
    } else {
        keys.push_fixed(to, counter.id(), scope, counter.window().start(at));
    }
}

/// What says more of a counter's window than its key: the length of one that slides, start and end of one that does not.
fn window(counter: &Counter, at: Timestamp) -> [i64; 2] {
    if is_sliding(counter) {
        return [live_millis(counter.window()), 0];
    }
    let start = counter.window().start(at);
    [start.as_millis(), counter.window().end(start).as_millis()]
}

/// A purge. Keys expire by themselves, so it only stores a caller's time and checks that the counters can be reached.
pub(crate) fn purge(keys: &Keys, now: Given) -> Request {
    take_back(keys, &[], now, true)
}

/// Takes charges back.
pub(crate) fn refund(keys: &Keys, refunds: &[Refund<'_>], now: Given) -> Request {
    take_back(keys, refunds, now, false)
}

fn take_back(keys: &Keys, refunds: &[Refund<'_>], now: Given, ticks: bool) -> Request {
    let parts = refunds.len().saturating_add(1);
    let mut request = Request::new(Script::Refund, parts, parts);
    for refund in refunds {
        push_counter(&mut request.bytes, keys, refund.counter, refund.scope, refund.stamp);
    }
    keys.push_declarations(&mut request.bytes);
    request.push(Packed::of(&[clock(now), i64::from(ticks), DECLARED_MILLIS]).as_bytes());
    for refund in refunds {
        let mut terms = Packed::of(&[i64::from(is_sliding(refund.counter)), refund.stamp.as_millis()]);
        terms.push_micros(refund.amount.as_micros());
        terms.extend(&window(refund.counter, refund.stamp));
        request.push(terms.as_bytes());
    }
    request
}

/// Lists counters, from `cursor` on.
pub(crate) fn list(keys: &Keys, cursor: &[u8], now: Given) -> Request {
    let mut request = Request::new(Script::List, 1, 5);
    keys.push_declarations(&mut request.bytes);
    request.push(clock(now).to_string().as_bytes());
    request.push(cursor);
    request.push(keys.pattern().as_bytes());
    request.push(PAGE.to_string().as_bytes());
    request.push(keys.id_position().to_string().as_bytes());
    request
}

/// Reads a counter's declaration.
pub(crate) fn declared(keys: &Keys, counter: CounterId, now: Given) -> Request {
    let mut request = Request::new(Script::Declared, 1, 2);
    keys.push_declarations(&mut request.bytes);
    request.push(clock(now).to_string().as_bytes());
    request.push(&hex(counter));
    request
}

/// Empties a counter in the window of `at`.
pub(crate) fn reset(
    keys: &Keys,
    counter: &Counter,
    scope: &ScopeValue,
    now: Given,
    at: Timestamp,
) -> Request {
    let mut request = Request::new(Script::Reset, 1, 3);
    push_counter(&mut request.bytes, keys, counter, scope, at);
    request.push(clock(now).to_string().as_bytes());
    for edge in window(counter, at) {
        request.push(edge.to_string().as_bytes());
    }
    request
}

/// Tries commands, on one key of each kind.
pub(crate) fn permissions(keys: &Keys, tried: &[(i64, &str)]) -> Request {
    let mut request = Request::new(Script::Permissions, Keys::KINDS, tried.len().saturating_mul(2));
    keys.push_unused(&mut request.bytes);
    for (key, command) in tried {
        request.push_digits(*key);
        request.push(command.as_bytes());
    }
    request
}

/// Whether `lua/quick.lua` can take a batch. It cannot store a caller's time.
pub(crate) fn is_usual(batch: &Batch<'_>, now: Given) -> bool {
    let fits = |slot: &Slot<'_>| !is_sliding(slot.counter) && (1..INEXACT).contains(&charged(slot));
    now.is_none()
        && batch.guards.is_empty()
        && batch.approval.is_none()
        && !batch.slots.is_empty()
        && batch.slots.iter().all(fits)
}

/// What is charged, in units of 10^-6.
fn charged(slot: &Slot<'_>) -> i64 {
    slot.charge.map_or(0, Amount::as_micros)
}

/// What the script needs about a slot, without its names.
fn push_terms(terms: &mut Packed, batch: &Batch<'_>, index: usize, slot: &Slot<'_>, at: Timestamp) {
    match slot.charge {
        Some(charge) => terms.push_micros(charge.as_micros()),
        None => terms.extend(&[-1, 0]),
    }
    terms.push_micros(slot.max.as_micros());
    terms.extend(&[i64::from(is_sliding(slot.counter))]);
    terms.extend(&window(slot.counter, at));
    let edges = if is_sliding(slot.counter) { edges(batch, index, slot) } else { Vec::new() };
    terms.extend(&[count(edges.len())]);
    edges.iter().for_each(|edge| terms.push_micros(*edge));
}

/// The conditions of a batch, one after the other.
fn push_guards(terms: &mut Packed, batch: &Batch<'_>) -> Result<(), StoreError> {
    for guard in &batch.guards {
        terms.extend(&[i64::from(guard.mode == GuardMode::RequireAll), count(guard.tests.len())]);
        for test in &guard.tests {
            if test.slot >= batch.slots.len() {
                return Err(StoreError::permanent("a condition of a batch names no slot"));
            }
            let ranges = || test.ranges.iter().filter(|(low, high)| *high >= 0 && low <= high);
            terms.extend(&[count(test.slot).saturating_add(1), count(ranges().count())]);
            for (low, high) in ranges() {
                terms.push_micros((*low).max(0));
                terms.push_micros(*high);
            }
        }
    }
    Ok(())
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

/// The amounts at which a bound's answer changes, the highest first. An amount that the charge alone exceeds is left out:
/// waiting never reaches it.
fn edges(batch: &Batch<'_>, index: usize, slot: &Slot<'_>) -> Vec<i64> {
    let charge = charged(slot);
    let max = slot.charge.map(|_| slot.max.as_micros());
    let tests = batch.guards.iter().flat_map(|guard| &guard.tests).filter(|test| test.slot == index);
    let edges = tests.flat_map(|test| test.ranges).flat_map(|(low, high)| [low.saturating_sub(1), *high]);
    let mut edges: Vec<i64> = edges.chain(max).filter(|edge| *edge >= charge).collect();
    edges.sort_unstable_by(|one, other| other.cmp(one));
    edges.dedup();
    edges
}

/// The time as the scripts are given it.
pub(crate) fn clock(now: Given) -> i64 {
    now.unwrap_or(-1)
}

/// An algorithm that this store does not know is kept as a log, which is exact.
pub(crate) fn is_sliding(counter: &Counter) -> bool {
    !matches!(counter.algorithm(), Algorithm::Fixed)
}

#[cfg(test)]
mod tests {
    use callgate::store::{Guard, Owner, Test, Window};

    use super::*;

    fn counter() -> Counter {
        Counter::new(Owner::AllTools, "n", Window::Minute, Algorithm::Sliding, "global")
    }

    fn slot(counter: &Counter, charge: i64, max: i64) -> Slot<'_> {
        let (charge, max) = (Amount::from_micros(charge), Amount::from_micros(max).unwrap());
        Slot { counter, scope: ScopeValue::default(), charge, max, order: 0 }
    }

    #[test]
    fn a_slot_has_an_edge_wherever_a_bound_changes_its_mind() {
        let counter = counter();
        let ranges = [(5, 7), (20, 30)];
        let guarded = |charge| {
            let mut batch =
                Batch { slots: [slot(&counter, charge, 25)].into_iter().collect(), ..Batch::default() };
            let tests = [Test { slot: 0, ranges: &ranges }].into_iter().collect();
            batch.guards.push(Guard { mode: GuardMode::RequireAll, tests, order: 0 });
            edges(&batch, 0, &batch.slots[0])
        };
        assert_eq!(guarded(0), [30, 25, 19, 7, 4]);
        assert_eq!(guarded(5), [30, 25, 19, 7]);
        assert_eq!(guarded(26), [30]);
        assert_eq!(guarded(31), [0; 0]);
    }

    #[test]
    fn a_counter_that_is_named_twice_is_refused() {
        let counter = counter();
        let twice = [slot(&counter, 1, 1), slot(&counter, 1, 1)].into_iter().collect();
        let batch = Batch { slots: twice, ..Batch::default() };
        let keys = Keys::new("n").unwrap();
        assert!(!decide(&keys, &batch, Intent::Take, None, Timestamp::MIN).unwrap_err().is_transient());
    }
}
