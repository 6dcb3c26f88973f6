//! Charges that become what the call really cost: less is taken back only from the window that was charged, more is a charge of
//! its own (spec 8.10, 8.14, trap 24).

use callgate::ceilings::SLIDING_CHARGES;
use callgate::store::{Algorithm, Bound, Counter, ScopeValue, Settlement, Slot, Window};
use callgate::time::Timestamp;

use crate::ledger::*;
use crate::{Subject, TimeKept, group};

group! {
    "8.10" a_refund_makes_room_again,
    "8.10" a_refund_may_be_partial,
    "8.10" a_refund_touches_no_other_window,
    "8.10" a_refund_touches_only_its_charge_in_a_sliding_window,
    "8.10" a_refund_touches_no_other_counter,
    "8.10" a_refund_never_goes_below_nothing,
    "8.4" a_refund_does_not_turn_time_back,
    "8.14" more_is_charged_when_it_is_settled,
    "8.14" no_bound_refuses_what_a_call_cost,
    "8.14" more_of_an_ended_window_is_charged_in_the_running_one,
    "8.14" what_is_settled_as_it_was_charged_changes_nothing,
    "8.14" a_charge_of_zero_can_be_settled,
    "8.14" sums_stop_at_the_largest_amount,
    "8.14" more_joins_the_newest_charge_of_a_full_window,
    "8.14" less_and_more_are_settled_together,
    "8.14" more_is_charged_for_whom_it_is_settled,
    "8.4" more_is_charged_at_the_latest_time,
    "8.12" what_was_charged_before_a_reset_may_cost_more_after_it,
}

fn a_refund_makes_room_again(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        for now in 0..3 {
            let outcome = ledger.charge(&counter, 5, 5, now);
            assert!(taken(&outcome));
            ledger.refund(&counter, outcome.usage[0].stamp, 5, now);
            assert_eq!(ledger.used(&counter, now), 0);
            assert_eq!(ledger.held(now), []);
        }
    }
}

fn a_refund_may_be_partial(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        let stamp = ledger.charged(&counter, 50, 0).stamp;
        ledger.refund(&counter, stamp, 20, 1);
        assert_eq!(ledger.used(&counter, 2), 30);
        ledger.refund(&counter, stamp, 1, 1);
        assert_eq!(ledger.used(&counter, 2), 29);
        assert_eq!(ledger.usage(&counter, 2).resets_at, at(HOUR));
    }
}

fn a_refund_touches_no_other_window(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Minute));
    let old = ledger.charged(&counter, 5, 0).stamp;
    let new = ledger.charged(&counter, 5, MINUTE).stamp;
    ledger.refund(&counter, old, 5, MINUTE + 1);
    assert_eq!(ledger.used(&counter, MINUTE + 1), 5);
    // A clock that runs behind refunds in the newer window, if that is what was charged.
    ledger.refund(&counter, new, 2, 0);
    assert_eq!(ledger.used(&counter, MINUTE + 1), 3);
    // Once everything has ended, there is nothing to take back.
    ledger.refund(&counter, new, 3, 5 * MINUTE);
    ledger.purge(6 * MINUTE);
    ledger.refund(&counter, new, 3, 7 * MINUTE);
    assert_eq!(ledger.used(&counter, 7 * MINUTE), 0);
}

fn a_refund_touches_only_its_charge_in_a_sliding_window(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), sliding(60));
    let first = ledger.charged(&counter, 5, 0).stamp;
    let second = ledger.charged(&counter, 7, 10 * SECOND).stamp;
    ledger.refund(&counter, first, 5, 20 * SECOND);
    assert_eq!(ledger.used(&counter, 20 * SECOND), 7);
    assert_eq!(ledger.used(&counter, MINUTE + 5 * SECOND), 7);
    // What has expired is left alone, and so is a time at which nothing was charged.
    ledger.refund(&counter, first, 5, MINUTE);
    ledger.refund(&counter, at(5 * SECOND), 5, MINUTE);
    assert_eq!(ledger.used(&counter, MINUTE), 7);
    ledger.refund(&counter, second, 7, MINUTE + 10 * SECOND);
    assert_eq!(ledger.charged(&counter, 1, MINUTE + 10 * SECOND).used, micros(1));
}

fn a_refund_touches_no_other_counter(subject: &dyn Subject) {
    for pair in [[fixed(Window::Hour), fixed(Window::Day)], [sliding(3_600), sliding(7_200)]] {
        let ledger = Ledger::open(subject);
        let stamps = pair.each_ref().map(|counter| ledger.charged(counter, 5, 0).stamp);
        let scopes = ["b", "a"].map(scope);
        let refunds = [
            Settlement::refund(&pair[0], &scopes[0], stamps[0], micros(5)),
            Settlement::refund(&pair[1], &scopes[1], stamps[1], micros(2)),
        ];
        ledger.store().settle(&refunds, at(1)).unwrap();
        assert_eq!(pair.each_ref().map(|counter| ledger.used(counter, 1)), [5, 3]);
    }
}

fn a_refund_never_goes_below_nothing(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        let stamp = ledger.charged(&counter, 5, 0).stamp;
        ledger.refund(&counter, stamp, 9, 1);
        ledger.refund(&counter, stamp, 9, 1);
        assert_eq!(ledger.used(&counter, 2), 0);
        assert_eq!(ledger.charged(&counter, 5, 3).used, micros(5));
        assert!(!taken(&ledger.charge(&counter, 1, 5, 4)));
    }
}

fn a_refund_does_not_turn_time_back(subject: &dyn Subject) {
    // What the newest charge pushed out is gone; without that charge, a clock behind it must not find the room.
    for (counter, later) in [(fixed(Window::Minute), MINUTE), (sliding(60), MINUTE)] {
        let ledger = Ledger::open(subject);
        let first = ledger.charged(&counter, 5, 0).stamp;
        let second = ledger.charged(&counter, 5, later).stamp;
        ledger.refund(&counter, second, 5, later);
        let outcome = ledger.charge(&counter, 5, 5, later - 1);
        assert!(!taken(&outcome) || outcome.usage[0].stamp.since(first).as_millis() >= 60_000, "{outcome:?}");
    }
}

/// The charge of `charged` for `a` becomes `actual`.
fn becomes<'r>(
    counter: &'r Counter,
    who: &'r ScopeValue,
    stamp: Timestamp,
    charged: i64,
    actual: i64,
) -> Settlement<'r> {
    Settlement { actual: micros(actual), ..settlement(counter, who, stamp, charged) }
}

fn more_is_charged_when_it_is_settled(subject: &dyn Subject) {
    let [fixed, sliding] = both();
    let (ledger, who) = (Ledger::open(subject), scope("a"));
    let stamp = ledger.charged(&fixed, 2, 0).stamp;
    ledger.settle(&[becomes(&fixed, &who, stamp, 2, 9)], MINUTE);
    assert_eq!((ledger.used(&fixed, MINUTE), ledger.usage(&fixed, MINUTE).resets_at), (9, at(HOUR)));
    assert_eq!(ledger.used(&fixed, HOUR), 0);
    // In a sliding window the difference lasts as long as any charge made then.
    let ledger = Ledger::open(subject);
    let stamp = ledger.charged(&sliding, 2, 0).stamp;
    ledger.settle(&[becomes(&sliding, &who, stamp, 2, 9)], MINUTE);
    assert_eq!(ledger.used(&sliding, MINUTE), 9);
    assert_eq!(ledger.usage(&sliding, MINUTE).resets_at, at(HOUR + MINUTE));
    assert_eq!(retry_at(&ledger.charge(&sliding, 1, 9, MINUTE)), Some(HOUR));
    assert_eq!([HOUR - 1, HOUR, HOUR + MINUTE].map(|now| ledger.used(&sliding, now)), [9, 7, 0]);
    // A charge that was made at the same time is one with it.
    let ledger = Ledger::open(subject);
    for (now, amount) in [(0, 2), (MINUTE, 5)] {
        ledger.charged(&sliding, amount, now);
    }
    ledger.settle(&[becomes(&sliding, &who, at(0), 2, 3)], MINUTE);
    ledger.refund(&sliding, at(MINUTE), 6, 2 * MINUTE);
    assert_eq!(ledger.used(&sliding, 2 * MINUTE), 2);
}

fn no_bound_refuses_what_a_call_cost(subject: &dyn Subject) {
    for counter in both() {
        let (ledger, who) = (Ledger::open(subject), scope("a"));
        let stamp = ledger.charge(&counter, 5, 5, 0).usage[0].stamp;
        assert!(!taken(&ledger.charge(&counter, 1, 5, 1)));
        ledger.settle(&[becomes(&counter, &who, stamp, 5, 12)], 2);
        assert_eq!(ledger.used(&counter, 2), 12);
        // What was used passes the maximum, and the next call is refused.
        let refused = ledger.charge(&counter, 1, 5, 3);
        assert_eq!((refusals(&refused)[0].bound, refused.usage[0].used), (Bound::Max(0), micros(12)));
        assert!(!taken(&ledger.charge(&counter, 0, 11, 3)));
        assert!(taken(&ledger.charge(&counter, 1, 13, 4)));
    }
}

fn more_of_an_ended_window_is_charged_in_the_running_one(subject: &dyn Subject) {
    for (counter, used_after) in [(fixed(Window::Minute), 0), (sliding(60), 7)] {
        let (ledger, who) = (Ledger::open(subject), scope("a"));
        let old = ledger.charged(&counter, 2, 0).stamp;
        ledger.charged(&counter, 1, 5 * MINUTE);
        ledger.settle(&[becomes(&counter, &who, old, 2, 9)], 5 * MINUTE + SECOND);
        assert_eq!(ledger.used(&counter, 5 * MINUTE + SECOND), 8);
        // And less of an ended one nowhere.
        ledger.settle(&[becomes(&counter, &who, old, 9, 3)], 5 * MINUTE + 2 * SECOND);
        assert_eq!(ledger.used(&counter, 5 * MINUTE + 2 * SECOND), 8);
        assert_eq!(ledger.used(&counter, 6 * MINUTE), used_after);
        // Where nothing runs, it begins a window.
        ledger.settle(&[becomes(&counter, &who, old, 2, 5)], 20 * MINUTE);
        assert_eq!(ledger.used(&counter, 20 * MINUTE), 3);
        assert_eq!(ledger.used(&counter, 21 * MINUTE), 0);
    }
}

fn what_is_settled_as_it_was_charged_changes_nothing(subject: &dyn Subject) {
    for counter in both() {
        let (ledger, who) = (Ledger::open(subject), scope("a"));
        let before = ledger.charged(&counter, 5, 0);
        ledger.settle(&[becomes(&counter, &who, before.stamp, 5, 5)], MINUTE);
        ledger.settle(&[becomes(&counter, &who, before.stamp, 0, 0)], MINUTE);
        ledger.settle(&[], MINUTE);
        let after = ledger.usage(&counter, 2 * MINUTE);
        assert_eq!((after.used, after.resets_at), (before.used, before.resets_at));
        // Nor does it make a counter that nobody charged.
        ledger.settle(&[becomes(&counter, &scope("b"), before.stamp, 3, 3)], MINUTE);
        assert_eq!(ledger.held(MINUTE).len(), 1);
    }
}

fn a_charge_of_zero_can_be_settled(subject: &dyn Subject) {
    for counter in both() {
        let (ledger, who) = (Ledger::open(subject), scope("a"));
        let stamp = ledger.charge(&counter, 0, 5, 7).usage[0].stamp;
        ledger.settle(&[becomes(&counter, &who, stamp, 0, 4)], 8);
        assert_eq!(ledger.used(&counter, 9), 4);
        assert!(!taken(&ledger.charge(&counter, 2, 5, 9)));
        assert!(taken(&ledger.charge(&counter, 1, 5, 9)));
    }
}

fn sums_stop_at_the_largest_amount(subject: &dyn Subject) {
    for counter in both() {
        let (ledger, who) = (Ledger::open(subject), scope("a"));
        let stamp = ledger.charged(&counter, i64::MAX - 5, 0).stamp;
        // As far as it goes, to the last step, and no further.
        ledger.settle(&[becomes(&counter, &who, stamp, 1, 5)], 1);
        assert_eq!(ledger.used(&counter, 1), i64::MAX - 1);
        for (charged, actual) in [(0, i64::MAX), (1, i64::MAX), (5, 7)] {
            ledger.settle(&[becomes(&counter, &who, stamp, charged, actual)], 2);
            assert_eq!(ledger.used(&counter, 2), i64::MAX, "{charged} to {actual}");
        }
        assert_eq!(refusals(&ledger.charge(&counter, 1, i64::MAX, 3))[0].bound, Bound::Full(0));
        assert!(taken(&ledger.charge(&counter, 0, i64::MAX, 3)));
        // What found no room does not come back when there is some.
        let after = if counter.algorithm() == Algorithm::Sliding { 5 } else { 0 };
        assert_eq!(ledger.used(&counter, HOUR), after);
        assert_eq!(ledger.used(&counter, HOUR + 2), 0);
    }
}

fn more_joins_the_newest_charge_of_a_full_window(subject: &dyn Subject) {
    let (ledger, counter, who) = (Ledger::open(subject), sliding(86_400), scope("a"));
    let ceiling = i64::try_from(SLIDING_CHARGES).unwrap();
    for now in 0..ceiling {
        ledger.charged(&counter, 1, now);
    }
    ledger.settle(&[becomes(&counter, &who, at(5), 1, 8)], 20 * SECOND);
    assert_eq!(ledger.used(&counter, 20 * SECOND), ceiling + 7);
    assert_eq!(ledger.usage(&counter, 20 * SECOND).resets_at, at(DAY + 20 * SECOND));
    // It is as full as before.
    assert_eq!(refusals(&ledger.charge(&counter, 1, i64::MAX, 20 * SECOND + 1))[0].bound, Bound::Full(0));
    // Nothing is taken back of a charge that counts from another time.
    ledger.refund(&counter, at(ceiling - 1), 1, 20 * SECOND);
    assert_eq!(ledger.used(&counter, 20 * SECOND), ceiling + 7);
    // The newest counts from then, with all that it was, and no other does.
    for (now, used) in [(0, ceiling + 6), (ceiling - 2, 8), (ceiling, 8), (20 * SECOND - 1, 8)] {
        assert_eq!(ledger.used(&counter, DAY + now), used, "{now}");
    }
    assert_eq!(ledger.used(&counter, DAY + 20 * SECOND), 0);
}

fn less_and_more_are_settled_together(subject: &dyn Subject) {
    let [fixed, sliding] = both();
    let (ledger, who, other) = (Ledger::open(subject), scope("a"), scope("b"));
    let day = counter("day", Window::Day, Algorithm::Fixed);
    let stamps = [&fixed, &sliding, &day].map(|counter| ledger.charged(counter, 5, 0).stamp);
    let slot = Slot { scope: other.clone(), ..charge(&fixed, 5, 9) };
    assert!(taken(&ledger.reserve(&batch([slot]), 0)));
    ledger.settle(
        &[
            becomes(&fixed, &who, stamps[0], 5, 2),
            becomes(&sliding, &who, stamps[1], 5, 9),
            becomes(&day, &who, stamps[2], 5, 5),
            becomes(&fixed, &other, stamps[0], 5, 6),
            // Two parts of one charge.
            becomes(&fixed, &who, stamps[0], 1, 5),
        ],
        MINUTE,
    );
    assert_eq!([&fixed, &sliding, &day].map(|counter| ledger.used(counter, MINUTE)), [6, 9, 5]);
    let others = ledger.held(MINUTE).into_iter().filter(|held| held.scope == other);
    assert!(others.map(|held| held.used).eq([micros(6)]));
}

fn more_is_charged_for_whom_it_is_settled(subject: &dyn Subject) {
    for pair in [[fixed(Window::Hour), fixed(Window::Day)], [sliding(3_600), sliding(7_200)]] {
        let (ledger, who) = (Ledger::open(subject), scope("b"));
        let stamps = pair.each_ref().map(|counter| ledger.charged(counter, 5, 0).stamp);
        ledger.settle(&[becomes(&pair[1], &who, stamps[1], 5, 8)], 1);
        assert_eq!(pair.each_ref().map(|counter| ledger.used(counter, 1)), [5, 5]);
        let mut held: Vec<_> = ledger.held(1).into_iter().map(|held| (held.scope, held.used)).collect();
        held.sort();
        assert_eq!(held.last(), Some(&(scope("b"), micros(3))));
    }
}

fn more_is_charged_at_the_latest_time(subject: &dyn Subject) {
    for counter in [fixed(Window::Minute), sliding(60)] {
        let (ledger, who) = (Ledger::open(subject), scope("a"));
        let old = ledger.charged(&counter, 2, 0).stamp;
        let new = ledger.charged(&counter, 2, MINUTE).stamp;
        // A clock that runs behind settles in the newer window.
        ledger.settle(&[becomes(&counter, &who, old, 2, 5)], MINUTE - SECOND);
        assert_eq!(ledger.used(&counter, MINUTE), 5);
        assert_eq!(ledger.used(&counter, 2 * MINUTE - 1), 5);
        assert_eq!(ledger.used(&counter, 2 * MINUTE), 0);
        // So that it is one charge with what was made then.
        ledger.refund(&counter, new, 5, MINUTE);
        assert_eq!(ledger.used(&counter, MINUTE), 0);
    }
    if subject.time_kept() != TimeKept::Store {
        return;
    }
    // Time is as late for all as when it was settled; taking back does not move it on.
    let (ledger, who, minute) = (Ledger::open(subject), scope("a"), fixed(Window::Minute));
    let stamp = ledger.charged(&minute, 2, 0).stamp;
    ledger.settle(&[becomes(&minute, &who, stamp, 2, 1)], 9 * DAY);
    assert_eq!(ledger.charged(&sliding(60), 1, 1).stamp, at(1));
    ledger.settle(&[becomes(&minute, &who, stamp, 1, 2)], 9 * DAY);
    assert_eq!(ledger.charged(&sliding(60), 1, 1).stamp, at(9 * DAY));
}

fn what_was_charged_before_a_reset_may_cost_more_after_it(subject: &dyn Subject) {
    for counter in both() {
        let (ledger, who) = (Ledger::open(subject), scope("a"));
        let before = ledger.charged(&counter, 5, 10).stamp;
        assert!(ledger.reset(&counter, 10));
        // The difference is a charge of its own, made after it.
        ledger.settle(&[becomes(&counter, &who, before, 5, 7)], 10);
        assert_eq!(ledger.used(&counter, 11), 2);
        ledger.settle(&[becomes(&counter, &who, before, 5, 0)], 11);
        assert_eq!(ledger.used(&counter, 11), 2);
    }
}
