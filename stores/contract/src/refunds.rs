//! Taking charges back: only in the window that was charged (spec 8.10, trap 24).

use callgate::store::{Refund, Window};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.10" a_refund_makes_room_again,
    "8.10" a_refund_may_be_partial,
    "8.10" a_refund_touches_no_other_window,
    "8.10" a_refund_touches_only_its_charge_in_a_sliding_window,
    "8.10" a_refund_touches_no_other_counter,
    "8.10" a_refund_never_goes_below_nothing,
    "8.4" a_refund_does_not_turn_time_back,
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
        let refunds = [
            Refund { counter: &pair[0], scope: &scope("b"), stamp: stamps[0], amount: micros(5) },
            Refund { counter: &pair[1], scope: &scope("a"), stamp: stamps[1], amount: micros(2) },
        ];
        ledger.store().refund(&refunds, at(1)).unwrap();
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
