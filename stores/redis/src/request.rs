//! Questions as commands: what the scripts are given (pure).
//!
//! In: a batch, or what an operator asks. Out: one command. Must leave nothing to the script but what depends on the counters.

use std::collections::{HashMap, HashSet};

use callgate::ceilings::{APPROVAL_DAYS, SLIDING_CHARGES};
use callgate::store::{Batch, Counter, CounterId, Grant, GuardMode, ScopeValue, Slot, Test};
use callgate::time::Timestamp;
use callgate::{Amount, StoreError};

use crate::declaration;
use crate::key::{Keys, hex};
use crate::kind::{Kind, kind, push_counter, window};
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
pub(crate) const DECLARED_MILLIS: i64 = 800 * DAY_MILLIS;
const APPROVED_MILLIS: i64 = APPROVAL_DAYS * DAY_MILLIS;
pub(crate) const LIVE_CHARGES: i64 = SLIDING_CHARGES as i64;
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
    let (slots, usual) = (batch.slots.len(), intent == Intent::Take && is_usual(batch, now));
    let keys_given = slots.saturating_add(if batch.approval.is_some() { 2 } else { 1 });
    let arguments = if usual { slots.saturating_mul(2).saturating_add(1) } else { 1 };
    let mut request = Request::new(Script::Decide, keys_given, arguments);
    push_slots(&mut request, keys, batch, at);
    keys.push_declarations(&mut request.bytes);
    if let Some(grant) = &batch.approval {
        keys.push_approval(&mut request.bytes, &grant.id);
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
    data.extend(&[count(batch.guards.len()), i64::from(batch.asks)]);
    data.extend(&grant(batch));
    let tests = tests_by_slot(batch);
    for (index, slot) in batch.slots.iter().enumerate() {
        push_terms(data, tests.get(&index).map_or(&[], Vec::as_slice), slot, at);
    }
    push_guards(data, batch)?;
    for slot in &batch.slots {
        push_names(data, slot.counter);
    }
    request.push(terms.as_bytes());
    Ok(request)
}

/// How many batches the approval of a batch lets through, from when on and until when; zeros where it has none.
fn grant(batch: &Batch<'_>) -> [i64; 3] {
    /// How far the clock of who gave it may be ahead, in milliseconds.
    const AHEAD: i64 = 60_000;
    let Some(Grant { uses, holds, .. }) = &batch.approval else { return [0; 3] };
    let (given, ends) = holds.unwrap_or((Timestamp::MIN, Timestamp::MAX));
    let ends = if holds.is_some() { ends.as_millis() } else { INEXACT - 1 };
    [i64::from(*uses), given.as_millis().saturating_sub(AHEAD), ends]
}

/// Slots that are compared with one another. More are looked up.
const FEW: usize = 16;

/// Slots of a usual batch: the script unpacks their sums at once, which Lua can of some thousands.
const USUAL_SLOTS: usize = 1_000;

/// An error where two slots would each be judged without the other's charge.
fn refuse_twins(batch: &Batch<'_>) -> Result<(), StoreError> {
    let same =
        |one: &Slot<'_>, other: &Slot<'_>| one.counter.id() == other.counter.id() && one.scope == other.scope;
    let has_twins = if batch.slots.len() > FEW {
        let mut seen = HashSet::with_capacity(batch.slots.len());
        !batch.slots.iter().all(|slot| seen.insert((slot.counter.id(), slot.scope.as_bytes())))
    } else {
        let before = |n| batch.slots.iter().take(n);
        batch.slots.iter().enumerate().any(|(n, one)| before(n).any(|other| same(one, other)))
    };
    if has_twins {
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

/// A counter's id and its declaration, after their lengths.
pub(crate) fn push_names(terms: &mut Packed, counter: &Counter) {
    let (id, declaration) = (hex(counter.id()), declaration::write(counter));
    terms.extend(&[count(id.len()), count(declaration.len())]);
    terms.push_bytes(&id);
    terms.push_bytes(&declaration);
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
    let mut request = Request::new(Script::Reset, 1, 4);
    push_counter(&mut request.bytes, keys, counter, scope, at);
    request.push(clock(now).to_string().as_bytes());
    let (start, end) = counter.window_at(at);
    for number in [i64::from(kind(counter) == Kind::Zoned), start.as_millis(), end.as_millis()] {
        request.push_digits(number);
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
    let fits = |slot: &Slot<'_>| kind(slot.counter) == Kind::Fixed && (1..INEXACT).contains(&charged(slot));
    now.is_none()
        && batch.slots.len() <= USUAL_SLOTS
        && batch.guards.is_empty()
        && batch.approval.is_none()
        && !batch.asks
        && !batch.slots.is_empty()
        && batch.slots.iter().all(fits)
}

/// What is charged, in units of 10^-6.
fn charged(slot: &Slot<'_>) -> i64 {
    slot.charge.map_or(0, Amount::as_micros)
}

/// What the script needs about a slot, without its names.
fn push_terms(terms: &mut Packed, tests: &[&Test<'_>], slot: &Slot<'_>, at: Timestamp) {
    match slot.charge {
        Some(charge) => terms.push_micros(charge.as_micros()),
        None => terms.extend(&[-1, 0]),
    }
    terms.push_micros(slot.max.as_micros());
    terms.extend(&window(slot.counter, at));
    let edges = if kind(slot.counter) == Kind::Sliding { edges(tests, slot) } else { Vec::new() };
    terms.extend(&[count(edges.len())]);
    edges.iter().for_each(|edge| terms.push_micros(*edge));
}

/// The conditions of a batch, one after the other.
fn push_guards(terms: &mut Packed, batch: &Batch<'_>) -> Result<(), StoreError> {
    for guard in &batch.guards {
        terms.extend(&[mode(guard.mode), count(guard.tests.len())]);
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

fn mode(of: GuardMode) -> i64 {
    match of {
        GuardMode::RefuseAll => 0,
        GuardMode::RequireAll => 1,
        GuardMode::AskAll => 2,
    }
}

pub(crate) fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

/// The amounts at which a bound's answer changes, the highest first. An amount that the charge alone exceeds is left out:
/// waiting never reaches it.
fn edges(tests: &[&Test<'_>], slot: &Slot<'_>) -> Vec<i64> {
    let charge = charged(slot);
    let max = slot.charge.map(|_| slot.max.as_micros());
    let edges =
        tests.iter().flat_map(|test| test.ranges).flat_map(|(low, high)| [low.saturating_sub(1), *high]);
    let mut edges: Vec<i64> = edges.chain(max).filter(|edge| *edge >= charge).collect();
    edges.sort_unstable_by(|one, other| other.cmp(one));
    edges.dedup();
    edges
}

/// The tests of each slot that has some.
fn tests_by_slot<'b, 'p>(batch: &'b Batch<'p>) -> HashMap<usize, Vec<&'b Test<'p>>> {
    let mut tests: HashMap<usize, Vec<&Test<'_>>> = HashMap::new();
    for test in batch.guards.iter().flat_map(|guard| &guard.tests) {
        tests.entry(test.slot).or_default().push(test);
    }
    tests
}

/// The time as the scripts are given it.
pub(crate) fn clock(now: Given) -> i64 {
    now.unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use callgate::store::{Algorithm, Calendar, Guard, Owner, Window};

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
            edges(&tests_by_slot(&batch)[&0], &batch.slots[0])
        };
        assert_eq!(guarded(0), [30, 25, 19, 7, 4]);
        assert_eq!(guarded(5), [30, 25, 19, 7]);
        assert_eq!(guarded(26), [30]);
        assert_eq!(guarded(31), [0; 0]);
    }

    /// The short way knows neither logs nor zones, and spends no approval.
    #[test]
    fn only_what_is_usual_takes_the_short_way() {
        let of = |window, algorithm| Counter::new(Owner::Budget, "n", window, algorithm, "global");
        let paris = Arc::new(Calendar::new(Some("Europe/Paris"), true).unwrap());
        let sunday = Arc::new(Calendar::new(None, true).unwrap());
        let week = || of(Window::Week, Algorithm::Fixed);
        for (counter, expected) in [
            (of(Window::Ever, Algorithm::Fixed), true),
            (week().in_calendar(&sunday), true),
            (week().in_calendar(&paris), false),
            (of(Window::Week, Algorithm::Sliding), false),
        ] {
            let batch = || Batch { slots: [slot(&counter, 1, 1)].into_iter().collect(), ..Batch::default() };
            assert_eq!(is_usual(&batch(), None), expected, "{counter:?}");
            assert!(!is_usual(&batch(), Some(0)));
            assert!(!is_usual(&Batch { asks: true, ..batch() }, None));
            assert!(!is_usual(&Batch { approval: Some("id".into()), ..batch() }, None));
        }
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
