//! Amounts: exact over their whole range (spec 8.2, traps 20 and 21).

use callgate::store::{Bound, Window};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.2" amounts_are_exact_over_the_whole_range,
    "8.8" a_sum_that_no_counter_can_hold_is_refused,
    "8.2" fractions_add_up,
    "8.2" a_charge_of_zero_passes_at_the_maximum,
    "8.2" a_charge_of_zero_leaves_no_trace,
}

fn amounts_are_exact_over_the_whole_range(subject: &dyn Subject) {
    // 2^53 + 1 is the first whole number that a double does not have.
    for counter in both() {
        for edge in [1, (1 << 53) + 1, i64::MAX - 1, i64::MAX] {
            let ledger = Ledger::open(subject);
            assert_eq!(ledger.charged(&counter, edge - 1, 0).used, micros(edge - 1));
            assert!(taken(&ledger.charge(&counter, 1, edge, 1)));
            assert_eq!(ledger.used(&counter, 2), edge);
            assert!(!taken(&ledger.charge(&counter, 1, edge, 3)));
            assert_eq!(ledger.held(4)[0].used, micros(edge));
        }
    }
}

fn a_sum_that_no_counter_can_hold_is_refused(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        ledger.charged(&counter, i64::MAX - 5, 0);
        for amount in [6, i64::MAX - 1, i64::MAX] {
            let outcome = ledger.charge(&counter, amount, i64::MAX, 1);
            assert_eq!(refusals(&outcome)[0].bound, Bound::Full(0), "{amount}");
            assert_eq!(retry_at(&outcome), Some(HOUR));
        }
        assert_eq!(ledger.charged(&counter, 5, 2).used, micros(i64::MAX));
        // With a maximum, that is what refuses.
        let outcome = ledger.charge(&counter, i64::MAX, i64::MAX - 1, 3);
        assert_eq!(refusals(&outcome)[0].bound, Bound::Max(0));
        assert_eq!(retry_at(&outcome), None);
        assert_eq!(ledger.used(&counter, 4), i64::MAX);
        // A sliding counter whose old charges expire has room for as much again.
        assert_eq!(ledger.charged(&counter, i64::MAX, 2 * HOUR).used, micros(i64::MAX));
    }
}

fn fractions_add_up(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        for now in 0..100 {
            ledger.charged(&counter, 990_001, now);
        }
        assert_eq!(ledger.used(&counter, 100), 99_000_100);
    }
}

fn a_charge_of_zero_passes_at_the_maximum(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        assert!(taken(&ledger.charge(&counter, 0, 0, 0)));
        ledger.charged(&counter, 5, 1);
        let outcome = ledger.charge(&counter, 0, 5, 2);
        assert!(taken(&outcome));
        assert_eq!(outcome.usage[0].used, micros(5));
        // A maximum that was lowered below what is used holds nothing more, not even that.
        assert!(!taken(&ledger.charge(&counter, 0, 4, 3)));
    }
}

fn a_charge_of_zero_leaves_no_trace(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let (fixed, sliding) = (fixed(Window::Minute), sliding(60));
    for counter in [&fixed, &sliding] {
        ledger.charged(counter, 0, 0);
    }
    assert_eq!(ledger.held(0), []);
    for counter in [&fixed, &sliding] {
        ledger.charged(counter, 3, 1);
    }
    // It does not lengthen the life of anything.
    for counter in [&fixed, &sliding] {
        let before = ledger.usage(counter, 2);
        let outcome = ledger.charge(counter, 0, 9, 50 * SECOND);
        assert_eq!((outcome.usage[0].used, outcome.usage[0].resets_at), (before.used, before.resets_at));
        assert_eq!(ledger.used(counter, MINUTE + 1), 0);
    }
}
