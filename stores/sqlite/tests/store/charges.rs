//! Charges in few words.

use callgate::store::{
    Algorithm, Batch, BatchOutcome, Counter, Owner, ScopeValue, Slot, Store, Verdict, Window,
};
use callgate::time::Timestamp;
use callgate::{Amount, StoreError};

pub(crate) fn counter(name: &str, algorithm: Algorithm) -> Counter {
    Counter::new(Owner::Tool("tool".into()), name, Window::Day, algorithm, "grant")
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_794_787_200_000).plus_millis(millis)
}

/// Charges 1 for a scope value.
pub(crate) fn charge(
    store: &dyn Store,
    counter: &Counter,
    scope: &str,
    max: i64,
    now: i64,
) -> Result<BatchOutcome, StoreError> {
    let slot = slot(counter, scope, max);
    store.reserve(&Batch { slots: [slot].into_iter().collect(), ..Batch::default() }, at(now))
}

/// A charge of 1.
pub(crate) fn slot<'c>(counter: &'c Counter, scope: &str, max: i64) -> Slot<'c> {
    let [charge, max] = [1, max].map(Amount::from_whole);
    Slot { counter, scope: ScopeValue::from(scope.as_bytes()), charge, max: max.unwrap(), order: 0 }
}

pub(crate) fn is_taken(outcome: &BatchOutcome) -> bool {
    outcome.verdict == Verdict::Reserved
}

/// How much was charged, in whole units.
pub(crate) fn used(store: &dyn Store, counter: &Counter, scope: &str, now: i64) -> i64 {
    let scope = ScopeValue::from(scope.as_bytes());
    let slot = Slot { counter, scope, charge: None, max: Amount::MAX, order: 0 };
    let batch = Batch { slots: [slot].into_iter().collect(), ..Batch::default() };
    store.peek(&batch, at(now)).unwrap().usage[0].used.as_micros() / Amount::SCALE
}
