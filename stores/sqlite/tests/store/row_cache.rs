//! Rows that a connection knows and does not read again: what they say is what the file says.

use callgate::Amount;
use callgate::store::{
    Algorithm, Batch, BatchOutcome, Bound, Counter, Inspect as _, Owner, ScopeValue, Settlement, Slot,
    Store as _, Verdict, Window,
};
use callgate::time::Timestamp;
use callgate_sqlite::SqliteStore;

use crate::charges::{at, charge, counter, is_taken, used};
use crate::scratch::{Scratch, open};

fn fixed(name: &str) -> Counter {
    counter(name, Algorithm::Fixed)
}

/// Charges this many millionths.
fn slot<'c>(counter: &'c Counter, scope: &str, micros: i64, max: i64) -> Slot<'c> {
    let [charge, max] = [micros, max].map(Amount::from_micros);
    Slot { counter, scope: ScopeValue::from(scope.as_bytes()), charge, max: max.unwrap(), order: 0 }
}

fn reserve<const N: usize>(store: &SqliteStore, slots: [Slot<'_>; N], now: Timestamp) -> BatchOutcome {
    store.reserve(&Batch { slots: slots.into_iter().collect(), ..Batch::default() }, now).unwrap()
}

/// What each slot's counter holds after the batch, or without it.
fn held(outcome: &BatchOutcome) -> Vec<i64> {
    outcome.usage.iter().map(|usage| usage.used.as_micros()).collect()
}

/// What the file holds, as a connection sees it that knows nothing yet.
fn in_file(file: &std::path::Path, counter: &Counter, scope: &str, now: Timestamp) -> i64 {
    let slot = Slot { charge: None, ..slot(counter, scope, 0, i64::MAX) };
    let batch = Batch { slots: [slot].into_iter().collect(), ..Batch::default() };
    open(file).peek(&batch, now).unwrap().usage[0].used.as_micros()
}

#[test]
fn a_batch_that_a_later_counter_refuses_charges_none() {
    let scratch = Scratch::new("known-refused");
    let file = scratch.path("counters.db");
    let (store, [a, b, c]) = (open(&file), ["a", "b", "c"].map(fixed));
    // Scope values of one batch may differ.
    let slots = || [slot(&a, "x", 2, 100), slot(&b, "y", 3, 9), slot(&c, "x", 4, 100)];
    for n in 1..=3 {
        let outcome = reserve(&store, slots(), at(n));
        assert!(is_taken(&outcome));
        assert_eq!(held(&outcome), [2 * n, 3 * n, 4 * n]);
    }
    for _ in 0..2 {
        let outcome = reserve(&store, slots(), at(4));
        let Verdict::Refused(refusals) = &outcome.verdict else { panic!("{outcome:?}") };
        assert_eq!((refusals.len(), refusals[0].bound), (1, Bound::Max(1)));
        assert_eq!(held(&outcome), [6, 9, 12]);
    }
    assert_eq!(
        [(&a, "x"), (&b, "y"), (&c, "x"), (&a, "y")].map(|(c, s)| in_file(&file, c, s, at(4))),
        [6, 9, 12, 0]
    );
}

#[test]
fn the_largest_amount_is_held_and_not_passed() {
    let scratch = Scratch::new("known-largest");
    let file = scratch.path("counters.db");
    let (store, [a, b]) = (open(&file), ["a", "b"].map(fixed));
    let charge = |micros| reserve(&store, [slot(&b, "", 1, i64::MAX), slot(&a, "", micros, i64::MAX)], at(0));
    assert_eq!(held(&charge(i64::MAX - 2)), [1, i64::MAX - 2]);
    for micros in [3, i64::MAX] {
        let outcome = charge(micros);
        assert!(
            matches!(&outcome.verdict, Verdict::Refused(refusals) if refusals[0].bound == Bound::Full(1))
        );
        assert_eq!(held(&outcome), [1, i64::MAX - 2]);
    }
    assert_eq!(held(&charge(2)), [2, i64::MAX]);
    assert!(!is_taken(&charge(1)));
    assert_eq!([&a, &b].map(|counter| in_file(&file, counter, "", at(0))), [i64::MAX, 2]);
}

#[test]
fn a_window_that_ended_begins_anew_and_a_clock_behind_counts_there() {
    let scratch = Scratch::new("known-ended");
    let file = scratch.path("counters.db");
    let minute = Counter::new(Owner::AllTools, "m", Window::Minute, Algorithm::Fixed, "grant");
    let store = open(&file);
    let charge = |now| reserve(&store, [slot(&minute, "x", 1, 3)], at(now));
    for (now, used, start) in [
        (0, 1, 0),
        (59_999, 2, 0),
        (60_000, 1, 60_000),
        (59_999, 2, 60_000),
        (0, 3, 60_000),
        (120_000, 1, 120_000),
    ] {
        let outcome = charge(now);
        assert!(is_taken(&outcome), "{now}");
        let usage = outcome.usage[0];
        assert_eq!((held(&outcome)[0], usage.stamp, usage.resets_at), (used, at(start), at(start + 60_000)));
        assert_eq!(in_file(&file, &minute, "x", at(now)), used);
    }
    let outcome = reserve(&store, [slot(&minute, "x", 3, 3)], at(119_999));
    let Verdict::Refused(refusals) = &outcome.verdict else { panic!("{outcome:?}") };
    assert_eq!(refusals[0].retry_at, Some(at(180_000)));
}

#[test]
fn what_another_connection_writes_is_seen() {
    let scratch = Scratch::new("known-others");
    let file = scratch.path("counters.db");
    let (ours, theirs, c) = (open(&file), open(&file), fixed("c"));
    let charge = |store: &SqliteStore| charge(store, &c, "x", 5, 0).unwrap();
    let ours_then = |outcome: BatchOutcome, used: i64| {
        assert!(is_taken(&outcome));
        assert_eq!(held(&outcome), [used * Amount::SCALE]);
    };
    ours_then(charge(&ours), 1);
    ours_then(charge(&ours), 2);
    let stamp = charge(&theirs).usage[0].stamp;
    ours_then(charge(&ours), 4);
    let scope = ScopeValue::from(&b"x"[..]);
    let amount = Amount::from_whole(3).unwrap();
    theirs.settle(&[Settlement::refund(&c, &scope, stamp, amount)], at(0)).unwrap();
    ours_then(charge(&ours), 2);
    assert!(theirs.reset(c.id(), &scope, at(0)).unwrap());
    let outcome = charge(&ours);
    assert!(outcome.usage[0].stamp > stamp);
    ours_then(outcome, 1);
    ours_then(charge(&ours), 2);
    // A charge from before the reset is not taken back, by whomever.
    ours.settle(&[Settlement::refund(&c, &scope, stamp, amount)], at(0)).unwrap();
    ours_then(charge(&ours), 3);
    // Forgotten by the other, the window is counted into no more.
    let later = 86_400_000;
    assert_eq!(theirs.purge(at(later)).unwrap(), 1);
    let outcome = crate::charges::charge(&ours, &c, "x", 5, later - 1).unwrap();
    assert_eq!(outcome.usage[0].stamp, at(later));
    ours_then(outcome, 1);
}

#[test]
fn what_was_forgotten_is_not_known() {
    let scratch = Scratch::new("known-forgotten");
    let file = scratch.path("counters.db");
    let minute = |name| Counter::new(Owner::AllTools, name, Window::Minute, Algorithm::Fixed, "grant");
    let (store, [c, other]) = (open(&file), ["c", "other"].map(minute));
    let by_purge = |now| assert_eq!(store.purge(at(now)).unwrap(), 1);
    // Calls forget what has ended, once they have seen it pass.
    let by_call = |now| {
        for seconds in (0..=60).rev() {
            assert!(is_taken(&charge(&store, &other, "x", 99, now - seconds * 1_000).unwrap()));
        }
    };
    for (minutes, forget) in [(1, &by_purge as &dyn Fn(i64)), (2, &by_call)] {
        let (begun, ended) = ((minutes - 1) * 60_000, minutes * 60_000);
        for n in 1..=2 {
            assert_eq!(held(&charge(&store, &c, "x", 9, begun).unwrap()), [n * Amount::SCALE]);
        }
        forget(ended);
        // A clock behind counts in no window that may have been full.
        let outcome = charge(&store, &c, "x", 9, ended - 1).unwrap();
        assert!(is_taken(&outcome));
        assert_eq!((held(&outcome)[0], outcome.usage[0].stamp), (Amount::SCALE, at(ended)));
        assert_eq!(in_file(&file, &c, "x", at(ended)), Amount::SCALE);
        store.reset(c.id(), &ScopeValue::from(&b"x"[..]), at(ended)).unwrap();
    }
}

#[test]
fn a_spent_approval_charges_nothing() {
    let scratch = Scratch::new("known-approval");
    let file = scratch.path("counters.db");
    let (store, [a, b]) = (open(&file), ["a", "b"].map(fixed));
    for (id, verdict, used) in [
        ("one", Verdict::Reserved, 1),
        ("one", Verdict::ApprovalSpent, 1),
        ("two", Verdict::Reserved, 2),
        ("two", Verdict::ApprovalSpent, 2),
    ] {
        let slots = [slot(&a, "x", 1, 9), slot(&b, "x", 1, 9)];
        let batch = Batch {
            slots: slots.into_iter().collect(),
            approval: Some(id.into()),
            asks: true,
            ..Batch::default()
        };
        let outcome = store.reserve(&batch, at(0)).unwrap();
        assert_eq!((&outcome.verdict, held(&outcome)), (&verdict, vec![used; 2]));
        assert_eq!([&a, &b].map(|counter| in_file(&file, counter, "x", at(0))), [used; 2]);
    }
}

#[test]
fn a_counter_that_a_batch_names_twice_is_charged_both() {
    let scratch = Scratch::new("known-twice");
    let file = scratch.path("counters.db");
    let (store, c) = (open(&file), fixed("c"));
    for n in 1..=3 {
        let outcome =
            reserve(&store, [slot(&c, "x", 1, 9), slot(&c, "x", 2, 9), slot(&c, "y", 5, 99)], at(0));
        assert!(is_taken(&outcome));
        assert_eq!(held(&outcome), [3 * n, 3 * n, 5 * n]);
        assert_eq!(in_file(&file, &c, "x", at(0)), 3 * n);
    }
    assert!(!is_taken(&reserve(&store, [slot(&c, "x", 1, 11), slot(&c, "x", 2, 11)], at(0))));
    assert_eq!(held(&reserve(&store, [slot(&c, "x", 1, 10)], at(0))), [10]);
}

#[test]
fn more_counters_than_are_known_at_a_time() {
    let scratch = Scratch::new("known-many");
    let file = scratch.path("counters.db");
    let (store, c) = (open(&file), fixed("c"));
    for n in 1..=3 {
        for scope in 0..2_500 {
            let outcome = charge(&store, &c, &scope.to_string(), 3, 0).unwrap();
            assert!(is_taken(&outcome));
            assert_eq!(held(&outcome), [n * Amount::SCALE]);
        }
    }
    assert!((0..2_500).all(|scope: i32| used(&store, &c, &scope.to_string(), 0) == 3));
}
