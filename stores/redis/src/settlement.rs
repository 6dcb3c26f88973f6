//! Settlements as a command (pure).
//!
//! In: charges that become other amounts. Out: one command for all of them. Must not decide which windows have ended: the script does,
//! by its clock.

use callgate::store::Settlement;
use callgate::time::Timestamp;

use crate::key::Keys;
use crate::kind::{push_counter, window};
use crate::numbers::Packed;
use crate::request::{DECLARED_MILLIS, Given, LIVE_CHARGES, Request, clock, push_names};
use crate::script::Script;

/// Makes charges what calls really cost; what is more is charged as of `at`.
pub(crate) fn settle(keys: &Keys, settlements: &[Settlement<'_>], now: Given, at: Timestamp) -> Request {
    write(keys, settlements, now, at, false)
}

/// A purge. Keys expire by themselves, so it only stores a caller's time and checks that the counters can be reached.
pub(crate) fn purge(keys: &Keys, now: Given) -> Request {
    write(keys, &[], now, Timestamp::MIN, true)
}

fn write(keys: &Keys, settlements: &[Settlement<'_>], now: Given, at: Timestamp, ticks: bool) -> Request {
    let differ = || settlements.iter().filter(|settlement| settlement.actual != settlement.charged);
    let parts = differ().count().saturating_add(1);
    let mut request = Request::new(Script::Settle, parts, parts);
    for settlement in differ() {
        request.push_keys(|to| {
            push_counter(to, keys, settlement.counter, settlement.scope, within(settlement, at));
        });
    }
    request.push_keys(|to| keys.push_declarations(to));
    request.push(Packed::of(&[clock(now), i64::from(ticks), DECLARED_MILLIS, LIVE_CHARGES]).as_bytes());
    differ().for_each(|settlement| request.push(terms(settlement, at).as_bytes()));
    request
}

/// A time within the window that changes: what is taken back is taken from the one that was charged, what is added counts in that of
/// `at`.
fn within(settlement: &Settlement<'_>, at: Timestamp) -> Timestamp {
    if settlement.actual > settlement.charged { at } else { settlement.stamp }
}

/// What the script needs about a settlement.
fn terms(settlement: &Settlement<'_>, at: Timestamp) -> Packed {
    let Settlement { counter, stamp, charged, actual, .. } = *settlement;
    let adds = actual > charged;
    let mut terms = Packed::of(&[i64::from(adds), stamp.as_millis()]);
    terms.push_micros(actual.max(charged).as_micros().saturating_sub(actual.min(charged).as_micros()));
    terms.extend(&window(counter, within(settlement, at)));
    if adds {
        push_names(&mut terms, counter);
    } else {
        terms.extend(&[0, 0]);
    }
    terms
}

#[cfg(test)]
mod tests {
    use callgate::Amount;
    use callgate::store::{Algorithm, Counter, Owner, ScopeValue, Window};

    use super::*;
    use crate::numbers::Numbers;

    fn counter() -> Counter {
        Counter::new(Owner::Budget, "n", Window::Minute, Algorithm::Fixed, "global")
    }

    fn numbers(terms: &Packed, count: usize) -> Vec<i64> {
        let mut read = Numbers(terms.as_bytes());
        (0..count).map(|_| read.next().unwrap()).collect()
    }

    #[test]
    fn what_is_more_names_the_window_of_its_time_and_what_is_less_that_of_the_charge() {
        let (counter, scope, at) = (counter(), ScopeValue::default(), Timestamp::from_millis(200_000));
        let [three, eight] = [3, 8].map(|micros| Amount::from_micros(micros).unwrap());
        let stamp = Timestamp::from_millis(60_001);
        let more = Settlement { counter: &counter, scope: &scope, stamp, charged: three, actual: eight };
        let declared = i64::try_from(crate::declaration::write(&counter).len()).unwrap();
        assert_eq!(numbers(&terms(&more, at), 9), [1, 60_001, 0, 5, 0, 180_000, 240_000, 32, declared]);
        let less = Settlement { charged: eight, actual: three, ..more };
        assert_eq!(numbers(&terms(&less, at), 9), [0, 60_001, 0, 5, 0, 60_000, 120_000, 0, 0]);
        // What cost what was charged is not sent.
        let keys = Keys::new("n").unwrap();
        let same = Settlement { actual: three, ..more };
        let sent = |settlements: &[Settlement<'_>]| settle(&keys, settlements, None, at).as_bytes().to_vec();
        assert_eq!(sent(&[same]), sent(&[]));
        assert_eq!(sent(&[same, less]), sent(&[less]));
    }
}
