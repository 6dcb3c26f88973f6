//! Every order in which two threads can meet in the store, tried by loom, weak memory included: never more than a maximum,
//! nothing half done, no deadlock.
//!
//! `RUSTFLAGS="--cfg callgate_loom" cargo test -p callgate --lib --release interleavings`

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::store::{Counter, Owner};
use crate::window::{Algorithm, Window};

const MINUTE: i64 = 60_000;

fn counter(name: &str, algorithm: Algorithm) -> Counter {
    Counter::new(Owner::Tool("t".into()), name, Window::Seconds(60), algorithm, "grant")
}

fn both() -> [Counter; 2] {
    [counter("fixed", Algorithm::Fixed), counter("sliding", Algorithm::Sliding)]
}

fn amount(micros: i64) -> Amount {
    Amount::from_micros(micros).unwrap()
}

fn slot(counter: &Counter, max: i64) -> Slot<'_> {
    let scope = ScopeValue::from(&b"a"[..]);
    Slot { counter, scope, charge: Some(amount(1)), max: amount(max), order: 0 }
}

/// Charges 1 to each counter, and returns the outcome.
fn charge(store: &dyn Store, counters: &[&Counter], max: i64, now: i64) -> BatchOutcome {
    let slots = counters.iter().map(|counter| slot(counter, max)).collect();
    let batch = Batch { slots, ..Batch::default() };
    store.reserve(&batch, Timestamp::from_millis(now)).unwrap()
}

fn took(outcome: &BatchOutcome) -> bool {
    outcome.verdict == Verdict::Reserved
}

fn used(store: &dyn Store, counter: &Counter, now: i64) -> i64 {
    let slots = [Slot { charge: None, ..slot(counter, 0) }].into_iter().collect();
    let batch = Batch { slots, ..Batch::default() };
    store.peek(&batch, Timestamp::from_millis(now)).unwrap().usage[0].used.as_micros()
}

/// Runs two threads on one store in every order, then looks at what they did.
fn meet<A: Send + 'static, B: Send + 'static>(
    prepare: impl Fn(&MemoryStore) + Send + Sync + 'static,
    one: impl Fn(&MemoryStore) -> A + Copy + Send + Sync + 'static,
    other: impl Fn(&MemoryStore) -> B + Copy + Send + Sync + 'static,
    check: impl Fn(&MemoryStore, A, B) + Send + Sync + 'static,
) {
    loom::model(move || {
        let store = Arc::new(MemoryStore::new());
        prepare(&store);
        let theirs = Arc::clone(&store);
        let thread = thread::spawn(move || one(&theirs));
        let other = other(&store);
        let one = thread.join().unwrap();
        check(&store, one, other);
    });
}

#[test]
fn one_of_two_gets_the_last_of_a_limit() {
    for index in 0..2 {
        let take = move |store: &MemoryStore| took(&charge(store, &[&both()[index]], 1, 0));
        meet(
            |_| {},
            take,
            take,
            move |store, one, other| {
                assert_ne!(one, other);
                assert_eq!(used(store, &both()[index], 0), 1);
            },
        );
    }
}

/// They name the counters the other way round, so that locks taken as they come would wait for each other.
#[test]
fn two_counters_are_taken_together_or_not_at_all() {
    let take = |store: &MemoryStore, turn: bool| {
        let [one, other] = &both();
        took(&charge(store, &if turn { [other, one] } else { [one, other] }, 1, 0))
    };
    meet(
        |_| {},
        move |store| take(store, false),
        move |store| take(store, true),
        |store, one, other| {
            assert_ne!(one, other);
            both().iter().for_each(|counter| assert_eq!(used(store, counter, 0), 1));
        },
    );
}

#[test]
fn what_is_taken_back_lets_one_more_through() {
    for index in 0..2 {
        meet(
            move |store| assert!(took(&charge(store, &[&both()[index]], 1, 0))),
            move |store| {
                let (counter, scope) = (&both()[index], &ScopeValue::from(&b"a"[..]));
                let stamp = Timestamp::from_millis(0);
                let refund = Settlement::refund(counter, scope, stamp, amount(1));
                store.settle(&[refund], stamp).unwrap();
            },
            move |store| took(&charge(store, &[&both()[index]], 1, 0)),
            move |store, (), taken| assert_eq!(used(store, &both()[index], 0), i64::from(taken)),
        );
    }
}

/// Clause 8.4: whatever a purge at a later time drops, no charge goes into the window that was dropped.
#[test]
fn nothing_is_counted_into_a_window_that_was_forgotten() {
    for index in 0..2 {
        meet(
            move |store| assert!(took(&charge(store, &[&both()[index]], 1, 0))),
            |store| store.purge(Timestamp::from_millis(MINUTE)).unwrap(),
            move |store| charge(store, &[&both()[index]], 1, 0),
            |_, _, outcome| {
                assert!(!took(&outcome) || outcome.usage[0].stamp.as_millis() == MINUTE);
            },
        );
    }
}

#[test]
fn an_approval_is_spent_once() {
    let spend = |store: &MemoryStore| {
        let batch = Batch { approval: Some("id".into()), asks: true, ..Batch::default() };
        took(&store.reserve(&batch, Timestamp::from_millis(0)).unwrap())
    };
    meet(|_| {}, spend, spend, |_, one, other| assert_ne!(one, other));
}

/// The harness finds what it is for: a store that asks first and charges afterwards lets both through.
#[test]
#[should_panic(expected = "both were let through")]
fn a_check_before_the_act_is_caught() {
    let take = |store: &MemoryStore| {
        let counter = &both()[0];
        used(store, counter, 0) < 1 && took(&charge(store, &[counter], i64::MAX, 0))
    };
    meet(|_| {}, take, take, |_, one, other| assert!(!(one && other), "both were let through"));
}
