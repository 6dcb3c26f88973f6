//! What the in-memory store promises, one clause at a time. Beside this file: the model, contention,
//! and what is reclaimed.

#![expect(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]

mod contention;
mod model;
mod reclaim;

use super::*;
use crate::ceilings::{APPROVAL_DAYS, SLIDING_CHARGES};
use crate::store::{Bound, Counter, Guard, GuardMode, Owner, Refusal, ScopeValue, Test};
use crate::time::days_from_civil;
use crate::window::{Algorithm, Window};

const DAY: i64 = 86_400_000;

fn counter(name: &str, window: Window, algorithm: Algorithm) -> Counter {
    Counter::new(Owner::Tool("t".into()), name, window, algorithm, "grant")
}

fn fixed(window: Window) -> Counter {
    counter("fixed", window, Algorithm::Fixed)
}

fn sliding(seconds: u32) -> Counter {
    counter("sliding", Window::Seconds(seconds), Algorithm::Sliding)
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn micros(micros: i64) -> Amount {
    Amount::from_micros(micros).unwrap()
}

fn scope(text: &str) -> ScopeValue {
    ScopeValue::from(text.as_bytes())
}

fn slot<'p>(counter: &'p Counter, who: &str, charge: Option<i64>, max: i64) -> Slot<'p> {
    Slot { counter, scope: scope(who), charge: charge.map(micros), max: micros(max), order: 0 }
}

fn batch<'p>(slots: impl IntoIterator<Item = Slot<'p>>) -> Batch<'p> {
    Batch { slots: slots.into_iter().collect(), ..Batch::default() }
}

/// Reserves one slot; whether it was taken, and what it holds.
fn take(store: &MemoryStore, counter: &Counter, charge: i64, max: i64, now: i64) -> (bool, i64) {
    let outcome = store.reserve(&batch([slot(counter, "a", Some(charge), max)]), at(now)).unwrap();
    (outcome.verdict == Verdict::Reserved, outcome.usage[0].used.as_micros())
}

fn used(store: &MemoryStore, counter: &Counter, who: &str, now: i64) -> i64 {
    let outcome = store.peek(&batch([slot(counter, who, None, 0)]), at(now)).unwrap();
    assert_eq!(outcome.verdict, Verdict::Reserved);
    outcome.usage[0].used.as_micros()
}

fn refusals(outcome: &BatchOutcome) -> &[Refusal] {
    match &outcome.verdict {
        Verdict::Refused(refusals) => refusals,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_window_rolls_over_at_its_end_and_not_before() {
    let day = |year, month, day| days_from_civil(year, month, day) * DAY;
    for (window, start, end) in [
        (Window::Minute, 60_000, 120_000),
        (Window::Month, day(2024, 2, 1), day(2024, 3, 1)),
        (Window::Month, day(2026, 12, 1), day(2027, 1, 1)),
        (Window::Week, day(2026, 11, 16), day(2026, 11, 23)),
        (Window::Seconds(90), 90_000, 180_000),
    ] {
        let (store, counter) = (MemoryStore::new(), fixed(window));
        let outcome = store.reserve(&batch([slot(&counter, "a", Some(1), 1)]), at(start)).unwrap();
        let usage = Usage { used: micros(1), resets_at: at(end), stamp: at(start) };
        assert_eq!(
            outcome,
            BatchOutcome { verdict: Verdict::Reserved, usage: [usage].into_iter().collect(), now: at(start) }
        );
        let outcome = store.reserve(&batch([slot(&counter, "a", Some(1), 1)]), at(end - 1)).unwrap();
        let refusal = Refusal { bound: Bound::Max(0), order: 0, retry_at: Some(at(end)) };
        assert_eq!(refusals(&outcome), [refusal], "{window}");
        assert_eq!(outcome.usage[0], usage);
        assert_eq!(take(&store, &counter, 1, 1, end), (true, 1), "{window}");
        // The second charge of the same window finds the first one, and asking changes nothing.
        assert_eq!(used(&store, &counter, "a", end), 1);
        assert_eq!(take(&store, &counter, 1, 1, end), (false, 1), "{window}");
    }
}

#[test]
fn a_batch_is_taken_whole_or_not_at_all() {
    // Trap 23, and trap 30: a blocked call consumes nothing.
    let store = MemoryStore::new();
    let (first, second) = (fixed(Window::Hour), sliding(60));
    let both = batch([
        Slot { order: 4, ..slot(&first, "a", Some(1), 10) },
        Slot { order: 2, ..slot(&second, "a", Some(1), 2) },
    ]);
    for taken in [true, true, false, false] {
        let outcome = store.reserve(&both, at(5)).unwrap();
        assert_eq!(outcome.verdict == Verdict::Reserved, taken);
        let after = outcome.usage.iter().map(|usage| usage.used.as_micros()).collect::<Vec<_>>();
        assert_eq!([used(&store, &first, "a", 5), used(&store, &second, "a", 5)], *after);
    }
    assert_eq!(used(&store, &first, "a", 5), 2);
    // All bounds that refuse are named, by their order, each with its own time.
    store.reserve(&batch([slot(&first, "a", Some(8), 10)]), at(6)).unwrap();
    let expected = [
        Refusal { bound: Bound::Max(1), order: 2, retry_at: Some(at(60_005)) },
        Refusal { bound: Bound::Max(0), order: 4, retry_at: Some(at(3_600_000)) },
    ];
    assert_eq!(refusals(&store.reserve(&both, at(7)).unwrap()), expected);
    assert_eq!(refusals(&store.peek(&both, at(7)).unwrap()), expected);
    // A maximum that was raised takes effect in the running window (trap 30).
    assert_eq!(take(&store, &first, 1, 11, 8), (true, 11));
}

#[test]
fn guards_read_with_the_charge_added() {
    let (store, counter, other) = (MemoryStore::new(), fixed(Window::Hour), sliding(60));
    let at_most_five = [(i64::MIN, 5)];
    let run = |mode, tests: &[(usize, &[(i64, i64)])], charge, now| {
        let tests = tests.iter().map(|(slot, ranges)| Test { slot: *slot, ranges }).collect();
        let mut batch = batch([slot(&counter, "a", Some(charge), i64::MAX), slot(&other, "a", None, 0)]);
        batch.guards.push(Guard { mode, tests, order: 9 });
        store.reserve(&batch, at(now)).unwrap()
    };
    // `lte 5` admits five (trap 26).
    for _ in 0..5 {
        assert_eq!(run(GuardMode::RequireAll, &[(0, &at_most_five)], 1, 0).verdict, Verdict::Reserved);
    }
    let refused = |outcome: &BatchOutcome| refusals(outcome)[0].retry_at.map(Timestamp::as_millis);
    let outcome = run(GuardMode::RequireAll, &[(0, &at_most_five)], 1, 0);
    assert_eq!(refusals(&outcome)[0].bound, Bound::Guard(0));
    assert_eq!(refusals(&outcome)[0].order, 9);
    assert_eq!(refused(&outcome), Some(3_600_000));
    assert_eq!(outcome.usage[0].used.as_micros(), 5);
    // A charge that no window could hold, and a test of nothing, are not cured by waiting.
    assert_eq!(refused(&run(GuardMode::RequireAll, &[(0, &at_most_five)], 6, 0)), None);
    assert_eq!(refused(&run(GuardMode::RequireAll, &[(0, &[])], 1, 0)), None);
    // RefuseAll needs all of its tests; the earliest one that ends frees the call.
    let more_than_five = [(6, i64::MAX)];
    assert_eq!(refused(&run(GuardMode::RefuseAll, &[(0, &more_than_five)], 1, 0)), Some(3_600_000));
    let unused = [(0, 0)];
    assert_eq!(
        refused(&run(GuardMode::RefuseAll, &[(0, &more_than_five), (1, &unused)], 1, 0)),
        Some(3_600_000)
    );
    let one = [(1, 1)];
    let outcome = run(GuardMode::RefuseAll, &[(0, &more_than_five), (1, &one)], 0, 0);
    assert_eq!(outcome.verdict, Verdict::Reserved);
    // Sliding steps: three charges of one, at 10, 20 and 30. What holds only for a while is no time to wait for.
    for now in [10, 20, 30] {
        assert!(take(&store, &other, 1, 9, now).0);
    }
    let at_most_one = [(0, 1)];
    let (some, not_two) = ([(1, 9)], [(0, 1), (3, 9)]);
    assert_eq!(refused(&run(GuardMode::RequireAll, &[(1, &at_most_one)], 0, 30)), Some(60_020));
    assert_eq!(refused(&run(GuardMode::RequireAll, &[(1, &one)], 0, 30)), None);
    assert_eq!(refused(&run(GuardMode::RequireAll, &[(1, &at_most_one), (1, &unused)], 0, 30)), Some(60_030));
    assert_eq!(refused(&run(GuardMode::RequireAll, &[(1, &at_most_one), (1, &some)], 0, 30)), None);
    assert_eq!(refused(&run(GuardMode::RefuseAll, &[(1, &not_two)], 0, 30)), None);
    assert_eq!(refused(&run(GuardMode::RefuseAll, &[(1, &[(2, 3)])], 0, 30)), Some(60_020));
    assert_eq!(refused(&run(GuardMode::RefuseAll, &[(1, &[(0, 9)])], 0, 30)), None);
    // A test that names no slot refuses.
    assert_eq!(refused(&run(GuardMode::RequireAll, &[(7, &[(0, 9)])], 0, 30)), None);
    assert_eq!(refused(&run(GuardMode::RefuseAll, &[(7, &[])], 0, 30)), None);
}

#[test]
fn a_charge_of_zero_passes_at_the_maximum() {
    for counter in [fixed(Window::Day), sliding(60)] {
        let store = MemoryStore::new();
        assert_eq!(take(&store, &counter, 0, 0, 0), (true, 0));
        assert_eq!(take(&store, &counter, 3, 3, 0), (true, 3));
        assert_eq!(take(&store, &counter, 0, 3, 0), (true, 3));
        // A maximum that was lowered under what is used refuses even that.
        assert_eq!(take(&store, &counter, 0, 2, 0), (false, 3));
    }
}

#[test]
fn exact_over_the_whole_range() {
    // Trap 20: no float, no wrap-around, no saturation that admits.
    for counter in [fixed(Window::Day), sliding(86_400)] {
        let store = MemoryStore::new();
        assert_eq!(take(&store, &counter, i64::MAX - 1, i64::MAX - 1, 0), (true, i64::MAX - 1));
        assert_eq!(take(&store, &counter, 1, i64::MAX - 1, 1), (false, i64::MAX - 1));
        assert_eq!(take(&store, &counter, 1, i64::MAX, 2), (true, i64::MAX));
        for charge in [1, i64::MAX] {
            let outcome =
                store.reserve(&batch([slot(&counter, "a", Some(charge), i64::MAX)]), at(3)).unwrap();
            assert_eq!(refusals(&outcome)[0].bound, Bound::Full(0));
            let retry_at = refusals(&outcome)[0].retry_at;
            // The fixed window ends at midnight; the sliding one lets 1 in with the first charge gone.
            let expected = match (counter.algorithm(), charge) {
                (Algorithm::Sliding, i64::MAX) => DAY + 2,
                _ => DAY,
            };
            assert_eq!(retry_at, Some(at(expected)));
            let bound = |max| {
                let outcome = store.reserve(&batch([slot(&counter, "a", Some(charge), max)]), at(3)).unwrap();
                refusals(&outcome)[0]
            };
            assert_eq!(bound(i64::MAX - 1).bound, Bound::Max(0));
            assert_eq!(bound(0).retry_at, None);
        }
    }
}

#[test]
fn a_refund_touches_only_what_was_charged() {
    // Trap 24: yesterday's late failures refunded today's quota.
    let mut store = MemoryStore::new();
    let refund = |store: &MemoryStore, counter: &Counter, stamp: i64, amount: i64, now: i64| {
        let who = scope("a");
        let refund = Settlement::refund(counter, &who, at(stamp), micros(amount));
        store.settle(&[refund], at(now)).unwrap();
        used(store, counter, "a", now)
    };
    let day = fixed(Window::Day);
    take(&store, &day, 5, 9, 0);
    take(&store, &day, 3, 9, DAY);
    assert_eq!(refund(&store, &day, 0, 5, DAY), 3);
    assert_eq!(refund(&store, &day, 2 * DAY, 3, DAY), 3);
    assert_eq!(refund(&store, &day, DAY, 1, DAY), 2);
    assert_eq!(refund(&store, &day, DAY, i64::MAX, DAY), 0);
    store = MemoryStore::new();
    let minute = sliding(60);
    for now in [10, 20, 30] {
        take(&store, &minute, 2, 9, now);
    }
    assert_eq!(refund(&store, &minute, 15, 2, 30), 6);
    assert_eq!(refund(&store, &minute, 20, 1, 30), 5);
    assert_eq!(refund(&store, &minute, 20, 9, 30), 4);
    assert_eq!(refund(&store, &minute, 30, 2, 30), 2);
    assert_eq!(
        store.peek(&batch([slot(&minute, "a", None, 0)]), at(0)).unwrap().usage[0].resets_at,
        at(60_010)
    );
    take(&store, &minute, 3, 9, 40);
    assert_eq!(refund(&store, &minute, 10, 2, 60_010), 3);
    assert_eq!(refund(&store, &minute, 40, 3, 60_010), 0);
}

#[test]
fn a_refunded_log_has_room_again() {
    let (store, counter, who) = (MemoryStore::new(), sliding(86_400), scope("a"));
    for now in 0..2 * i64::try_from(SLIDING_CHARGES).unwrap() {
        assert!(take(&store, &counter, 1, 1, now).0, "{now}");
        let refund = Settlement::refund(&counter, &who, at(now), micros(1));
        store.settle(&[refund], at(now)).unwrap();
    }
}

#[test]
fn a_sliding_log_has_a_ceiling() {
    let (store, counter) = (MemoryStore::new(), sliding(60));
    let ceiling = i64::try_from(SLIDING_CHARGES).unwrap();
    for now in 1..=ceiling {
        assert!(take(&store, &counter, 1, i64::MAX, now).0);
    }
    // The same time needs no room, and one more is there as soon as the oldest charge has expired.
    assert_eq!(take(&store, &counter, 1, i64::MAX, ceiling), (true, ceiling + 1));
    let outcome = store.reserve(&batch([slot(&counter, "a", Some(1), i64::MAX)]), at(ceiling + 1)).unwrap();
    let full = Refusal { bound: Bound::Full(0), order: 0, retry_at: Some(at(60_001)) };
    assert_eq!(refusals(&outcome), [full]);
    assert_eq!(take(&store, &counter, 0, i64::MAX, ceiling + 1), (true, ceiling + 1));
    assert!(!take(&store, &counter, 1, i64::MAX, 60_000).0);
    assert_eq!(take(&store, &counter, 1, i64::MAX, 60_001), (true, ceiling + 1));
}

#[test]
fn an_approval_lets_one_call_through() {
    let (store, counter) = (MemoryStore::new(), fixed(Window::Day));
    let approved = |charge, max| Batch {
        slots: [slot(&counter, "a", Some(charge), max)].into_iter().collect(),
        approval: Some("ticket".into()),
        asks: true,
        ..Batch::default()
    };
    let verdict = |batch: &Batch<'_>, now| store.reserve(batch, at(now)).unwrap().verdict;
    // A call that a bound refuses does not spend it; nor does asking.
    assert!(matches!(verdict(&approved(2, 1), 0), Verdict::Refused(_)));
    assert_eq!(store.peek(&approved(1, 1), at(0)).unwrap().verdict, Verdict::Reserved);
    assert_eq!(verdict(&approved(1, 1), 0), Verdict::Reserved);
    assert!(matches!(verdict(&approved(1, 1), 0), Verdict::Refused(_)));
    let outcome = store.reserve(&approved(1, 9), at(0)).unwrap();
    assert_eq!((outcome.verdict, outcome.usage[0].used), (Verdict::ApprovalSpent, micros(1)));
    assert_eq!(store.peek(&approved(1, 9), at(0)).unwrap().verdict, Verdict::ApprovalSpent);
    let bare = Batch { approval: Some("ticket".into()), asks: true, ..Batch::default() };
    let kept = APPROVAL_DAYS * DAY;
    store.purge(at(kept - 1)).unwrap();
    assert_eq!(verdict(&bare, kept - 1), Verdict::ApprovalSpent);
    store.purge(at(kept)).unwrap();
    assert_eq!(verdict(&bare, kept), Verdict::Reserved);
    assert_eq!(verdict(&bare, kept), Verdict::ApprovalSpent);
}

#[test]
fn spent_approvals_are_forgotten_by_those_that_are_spent_later() {
    let store = MemoryStore::new();
    let spend = |id: &'static str, now| {
        let batch = Batch { approval: Some(id.into()), asks: true, ..Batch::default() };
        store.reserve(&batch, at(now)).unwrap().verdict == Verdict::Reserved
    };
    let kept = APPROVAL_DAYS * DAY;
    assert!(spend("first", 0) && spend("second", 1));
    assert!(spend("early", kept - 1) && !spend("first", kept - 1));
    // The first is old enough now, the second is not.
    assert!(spend("third", kept) && spend("first", kept) && !spend("second", kept));
    // Nobody looks for what is old again before as much time has passed.
    assert!(spend("fourth", kept + 1) && !spend("second", kept + 1));
    assert!(spend("fifth", 2 * kept) && spend("second", 2 * kept) && spend("third", 2 * kept));
}

#[test]
fn a_counter_that_is_named_twice_keeps_its_maximum() {
    for counter in [fixed(Window::Day), sliding(60)] {
        let store = MemoryStore::new();
        let twice = batch([
            slot(&counter, "a", Some(2), 5),
            slot(&counter, "b", Some(1), 5),
            slot(&counter, "a", Some(1), 5),
            slot(&counter, "a", None, 0),
        ]);
        assert_eq!(store.reserve(&twice, at(0)).unwrap().verdict, Verdict::Reserved);
        assert_eq!((used(&store, &counter, "a", 0), used(&store, &counter, "b", 0)), (3, 1));
        let outcome = store.reserve(&twice, at(0)).unwrap();
        assert_eq!(
            refusals(&outcome).iter().map(|refusal| refusal.bound).collect::<Vec<_>>(),
            [Bound::Max(0), Bound::Max(2)]
        );
        assert_eq!(used(&store, &counter, "a", 0), 3);
    }
}

#[test]
fn equal_looking_keys_do_not_meet() {
    // Trap 27: owner, name and scope value are separate parts of the key.
    let store = MemoryStore::new();
    let named = |tool: &str, name| {
        Counter::new(Owner::Tool(tool.into()), name, Window::Day, Algorithm::Fixed, "grant")
    };
    let (one, other) = (named("a", "b.c"), named("a.b", "c"));
    assert!(take(&store, &one, 1, 1, 0).0 && take(&store, &other, 1, 1, 0).0);
    assert_eq!((used(&store, &one, "", 0), used(&store, &one, "a\0", 0)), (0, 0));
}

#[test]
fn a_poisoned_lock_is_taken_all_the_same() {
    let (store, counter) = (MemoryStore::new(), fixed(Window::Day));
    assert!(take(&store, &counter, 1, 2, 0).0);
    let poison = || {
        let _held: Vec<_> = (0..SHARDS).map(|shard| store.lock(shard)).collect();
        panic!("on purpose");
    };
    std::thread::scope(|threads| assert!(threads.spawn(poison).join().is_err()));
    assert_eq!(take(&store, &counter, 1, 2, 0), (true, 2));
    assert_eq!(take(&store, &counter, 1, 2, 0), (false, 2));
}
