//! Questions as commands: what the scripts are given (pure).
//!
//! In: a batch, or refunds. Out: one command. Must not leave anything to be decided but what the counters hold.

use callgate::ceilings::{APPROVAL_DAYS, SLIDING_CHARGES};
use callgate::judge::live_millis;
use callgate::{
    Algorithm, Amount, Batch, Counter, CounterId, GuardMode, Refund, ScopeValue, Slot, StoreError, Window,
};
use redis::Cmd;

use crate::declaration;
use crate::key::{Keys, hex};
use crate::numbers::Packed;
use crate::script::Script;

/// About how many keys are looked at in one step of a listing: no caller notices the pause.
const PAGE: usize = 200;
const DAY_MILLIS: i64 = 86_400_000;
/// For how long a declaration is kept after a counter of any declaration was first charged in its window. Longer than any
/// window, so that it outlives the counters that it declares.
const DECLARED_MILLIS: i64 = 800 * DAY_MILLIS;
const APPROVED_MILLIS: i64 = APPROVAL_DAYS * DAY_MILLIS;
const LIVE_CHARGES: i64 = SLIDING_CHARGES as i64;
/// The Monday from which weeks count: 1970-01-05.
const MONDAY_MILLIS: i64 = 4 * DAY_MILLIS;

/// What goes over the wire: a call of a script.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) command: Cmd,
    /// To be loaded where it is missing.
    pub(crate) script: Script,
}

/// Whether a batch is taken or only asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    Take,
    Ask,
}

/// The caller's time in milliseconds, or nothing where the server's counts.
pub(crate) type Given = Option<i64>;

/// Decides a batch.
pub(crate) fn decide(
    keys: &Keys,
    batch: &Batch<'_>,
    intent: Intent,
    now: Given,
) -> Result<Request, StoreError> {
    let mut names: Vec<_> =
        batch.slots.iter().map(|slot| keys.counter(slot.counter.id(), &slot.scope)).collect();
    // Both would be judged without the other's charge.
    if names.iter().enumerate().any(|(index, name)| names.iter().take(index).any(|other| other == name)) {
        return Err(StoreError::permanent("a batch names a counter twice for one scope value"));
    }
    names.push(keys.declarations());
    names.extend(batch.approval.as_deref().map(|id| keys.approval(id)));
    let mut command = Script::Decide.call(names.iter().map(Vec::as_slice));
    let takes = i64::from(intent == Intent::Take);
    let header = [takes, clock(now), LIVE_CHARGES, DECLARED_MILLIS, APPROVED_MILLIS];
    command.arg(Packed::of(&header).as_bytes()).arg(guards(batch)?.as_bytes());
    for (index, slot) in batch.slots.iter().enumerate() {
        let counter = slot.counter;
        command.arg(terms(slot, floor(batch, index, slot)).as_bytes());
        command.arg(&hex(counter.id())).arg(declaration::write(counter));
    }
    Ok(Request { command, script: Script::Decide })
}

/// Takes charges back.
pub(crate) fn refund(keys: &Keys, refunds: &[Refund<'_>], now: Given) -> Request {
    let names: Vec<_> =
        refunds.iter().map(|refund| keys.counter(refund.counter.id(), refund.scope)).collect();
    let mut command = Script::Refund.call(names.iter().map(Vec::as_slice));
    command.arg(Packed::of(&[clock(now)]).as_bytes());
    for refund in refunds {
        let mut numbers = Packed::of(&[i64::from(is_sliding(refund.counter)), refund.stamp.as_millis()]);
        numbers.push_micros(refund.amount.as_micros());
        command.arg(numbers.as_bytes());
    }
    Request { command, script: Script::Refund }
}

/// Shows counters, from `cursor` on.
pub(crate) fn list(keys: &Keys, cursor: &[u8], now: Given) -> Request {
    let mut command = Script::List.call([keys.declarations().as_slice()].into_iter());
    command.arg(clock(now));
    command.arg(cursor).arg(keys.pattern()).arg(PAGE).arg(keys.id_position());
    Request { command, script: Script::List }
}

/// Makes a counter hold nothing.
pub(crate) fn reset(keys: &Keys, counter: CounterId, scope: &ScopeValue, now: Given) -> Request {
    let mut command = Script::Reset.call([keys.counter(counter, scope).as_slice()].into_iter());
    command.arg(clock(now));
    Request { command, script: Script::Reset }
}

/// What the script has to know of a slot, but for its names.
fn terms(slot: &Slot<'_>, floor: i64) -> Packed {
    let (length, offset) = lengths(slot.counter);
    let mut numbers = Packed::of(&[i64::from(is_sliding(slot.counter)), length, offset]);
    match slot.charge {
        Some(charge) => numbers.push_micros(charge.as_micros()),
        None => numbers.extend(&[-1, 0]),
    }
    numbers.push_micros(slot.max.as_micros());
    numbers.push_micros(floor);
    numbers
}

/// The conditions of a batch, one after the other.
fn guards(batch: &Batch<'_>) -> Result<Packed, StoreError> {
    let mut numbers = Packed::default();
    for guard in &batch.guards {
        numbers.extend(&[i64::from(guard.mode == GuardMode::RequireAll), count(guard.tests.len())]);
        for test in &guard.tests {
            if test.slot >= batch.slots.len() {
                return Err(StoreError::permanent("a condition of a batch names no slot"));
            }
            let ranges = || test.ranges.iter().filter(|(low, high)| *high >= 0 && low <= high);
            numbers.extend(&[count(test.slot).saturating_add(1), count(ranges().count())]);
            for (low, high) in ranges() {
                numbers.push_micros((*low).max(0));
                numbers.push_micros(*high);
            }
        }
    }
    Ok(numbers)
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

/// At or below this, nothing that a bound says of the slot depends on what it holds: it is the lowest value at which a
/// bound changes its mind. What the charge alone exceeds is never reached by waiting.
fn floor(batch: &Batch<'_>, index: usize, slot: &Slot<'_>) -> i64 {
    let charge = slot.charge.map_or(0, Amount::as_micros);
    let max = slot.charge.map(|_| slot.max.as_micros());
    let tests = batch.guards.iter().flat_map(|guard| &guard.tests).filter(|test| test.slot == index);
    let edges = tests.flat_map(|test| test.ranges).flat_map(|(low, high)| [low.saturating_sub(1), *high]);
    edges.chain(max).filter(|edge| *edge >= charge).min().unwrap_or(i64::MAX)
}

/// The time as the scripts are given it.
fn clock(now: Given) -> i64 {
    now.unwrap_or(-1)
}

/// An algorithm that this store does not know would have to be exact, and a log is.
pub(crate) fn is_sliding(counter: &Counter) -> bool {
    !matches!(counter.algorithm(), Algorithm::Fixed)
}

/// Length of the window in milliseconds, 0 for a month of the calendar, and from where windows of that length count.
fn lengths(counter: &Counter) -> (i64, i64) {
    let window = counter.window();
    if is_sliding(counter) {
        return (live_millis(window), 0);
    }
    let offset = if window == Window::Week { MONDAY_MILLIS } else { 0 };
    (window.seconds().map_or(0, |seconds| seconds.max(1).saturating_mul(1_000)), offset)
}

#[cfg(test)]
mod tests {
    use callgate::{Guard, Owner, Test};

    use super::*;

    fn counter() -> Counter {
        Counter::new(Owner::AllTools, "n", Window::Minute, Algorithm::Sliding, "global")
    }

    fn slot(counter: &Counter, charge: i64, max: i64) -> Slot<'_> {
        let (charge, max) = (Amount::from_micros(charge), Amount::from_micros(max).unwrap());
        Slot { counter, scope: ScopeValue::default(), charge, max, order: 0 }
    }

    #[test]
    fn the_floor_is_where_the_lowest_bound_changes_its_mind() {
        let counter = counter();
        let ranges = [(5, 7), (20, 30)];
        let guarded = |charge| {
            let mut batch =
                Batch { slots: [slot(&counter, charge, 25)].into_iter().collect(), ..Batch::default() };
            let tests = [Test { slot: 0, ranges: &ranges }].into_iter().collect();
            batch.guards.push(Guard { mode: GuardMode::RequireAll, tests, order: 0 });
            floor(&batch, 0, &batch.slots[0])
        };
        let floors = [(0, 4), (4, 4), (5, 7), (8, 19), (20, 25), (26, 30), (31, i64::MAX)];
        assert_eq!(floors.map(|(charge, _)| (charge, guarded(charge))), floors);
    }

    #[test]
    fn a_counter_that_is_named_twice_is_refused() {
        let counter = counter();
        let twice = [slot(&counter, 1, 1), slot(&counter, 1, 1)].into_iter().collect();
        let batch = Batch { slots: twice, ..Batch::default() };
        let keys = Keys::new("n").unwrap();
        assert!(!decide(&keys, &batch, Intent::Take, None).unwrap_err().is_transient());
    }
}
