//! Sliding windows: the half-open interval of their length that ends now (spec 8.3).

use callgate::ceilings::SLIDING_CHARGES;
use callgate::store::{Bound, Usage};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.3" a_charge_expires_exactly_one_length_later,
    "8.3" charges_expire_one_by_one,
    "8.3" charges_of_one_millisecond_are_one,
    "8.3" a_log_has_a_ceiling,
    "8.3" a_long_log_expires_whole,
    "2.28" calls_in_flight_are_given_back_or_end,
}

fn a_charge_expires_exactly_one_length_later(subject: &dyn Subject) {
    for seconds in [1_u32, 60, 86_400] {
        let (ledger, counter, length) =
            (Ledger::open(subject), sliding(seconds), i64::from(seconds) * SECOND);
        let usage = ledger.charge(&counter, 1, 1, 7).usage[0];
        assert_eq!(usage, Usage { used: micros(1), resets_at: at(length + 7), stamp: at(7) });
        let refused = ledger.charge(&counter, 1, 1, length + 6);
        assert_eq!(retry_at(&refused), Some(length + 7));
        // What a refund would have to name is told also of a charge that was refused: the time that it would have had.
        let usage = Usage { used: micros(1), resets_at: at(length + 7), stamp: at(length + 6) };
        assert_eq!(refused.usage[0], usage);
        assert_eq!(
            ledger.usage(&counter, length + 7),
            Usage { used: micros(0), resets_at: at(length + 7), stamp: at(length + 7) }
        );
        assert!(taken(&ledger.charge(&counter, 1, 1, length + 7)));
    }
}

fn charges_expire_one_by_one(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), sliding(60));
    for n in 0..5 {
        ledger.charged(&counter, 10 + n, n * 10 * SECOND);
    }
    // 10, 11, 12, 13 and 14, at 0 to 40 s.
    let when = |amount, max| retry_at(&ledger.charge(&counter, amount, max, 50 * SECOND));
    assert_eq!(when(1, 60), Some(MINUTE));
    assert_eq!(when(10, 60), Some(MINUTE));
    assert_eq!(when(11, 60), Some(MINUTE + 10 * SECOND));
    assert_eq!(when(60, 60), Some(MINUTE + 40 * SECOND));
    assert_eq!(when(61, 60), None);
    for (now, used) in [(59_999, 60), (60_000, 50), (69_999, 50), (70_000, 39), (99_999, 14), (100_000, 0)] {
        assert_eq!(ledger.used(&counter, now), used, "{now}");
    }
    assert_eq!(ledger.charged(&counter, 1, 75 * SECOND).used, micros(40));
    assert_eq!(ledger.used(&counter, 100 * SECOND), 1);
}

fn charges_of_one_millisecond_are_one(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), sliding(60));
    for _ in 0..3 {
        assert_eq!(ledger.charged(&counter, 2, 5).stamp, at(5));
    }
    assert_eq!(ledger.used(&counter, MINUTE + 4), 6);
    assert_eq!(ledger.used(&counter, MINUTE + 5), 0);
    assert_eq!(retry_at(&ledger.charge(&counter, 1, 6, 6)), Some(MINUTE + 5));
}

fn a_log_has_a_ceiling(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), sliding(86_400));
    let ceiling = i64::try_from(SLIDING_CHARGES).unwrap();
    for now in 0..ceiling {
        ledger.charged(&counter, 1, now);
    }
    // Joining the newest charge takes no place, nor does a charge of zero.
    assert_eq!(ledger.charged(&counter, 1, ceiling - 1).used, micros(ceiling + 1));
    assert_eq!(ledger.charged(&counter, 0, ceiling).used, micros(ceiling + 1));
    let outcome = ledger.charge(&counter, 1, i64::MAX, ceiling);
    assert_eq!(refusals(&outcome)[0].bound, Bound::Full(0));
    assert_eq!(retry_at(&outcome), Some(DAY));
    // A maximum that refuses too is the one that is named.
    let outcome = ledger.charge(&counter, 1, ceiling, ceiling);
    assert_eq!(refusals(&outcome)[0].bound, Bound::Max(0));
    assert_eq!(retry_at(&outcome), Some(DAY + 1));
    // A refund and the end of the oldest make room for one each.
    ledger.refund(&counter, at(100), 1, ceiling);
    assert!(taken(&ledger.charge(&counter, 1, i64::MAX, ceiling)));
    assert!(!taken(&ledger.charge(&counter, 1, i64::MAX, ceiling + 1)));
    assert!(!taken(&ledger.charge(&counter, 1, i64::MAX, DAY - 1)));
    assert!(taken(&ledger.charge(&counter, 1, i64::MAX, DAY)));
}

fn a_long_log_expires_whole(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), sliding(60));
    for now in 0..2_000 {
        ledger.charged(&counter, 1, now);
    }
    assert_eq!(ledger.used(&counter, MINUTE + 999), 1_000);
    assert_eq!(ledger.charged(&counter, 1, 10 * MINUTE).used, micros(1));
    assert!(taken(&ledger.charge(&counter, 9, 10, 10 * MINUTE + 1)));
    assert!(!taken(&ledger.charge(&counter, 1, 10, 10 * MINUTE + 2)));
    ledger.purge(10 * MINUTE + 3);
    assert_eq!(ledger.used(&counter, 10 * MINUTE + 4), 10);
}

/// Leases: a place is free as soon as its call has ended, or when it was held for the window's length.
fn calls_in_flight_are_given_back_or_end(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), sliding(60));
    let take = |now| {
        let outcome = ledger.charge(&counter, 1, 2, now);
        taken(&outcome).then(|| outcome.usage[0].stamp)
    };
    let first = take(0).expect("there is a place");
    let second = take(10 * SECOND).expect("there is another");
    assert_eq!((take(20 * SECOND), ledger.used(&counter, 20 * SECOND)), (None, 2));
    assert_eq!(retry_at(&ledger.charge(&counter, 1, 2, 20 * SECOND)), Some(MINUTE));
    // In any order, and at once.
    ledger.refund(&counter, second, 1, 20 * SECOND);
    let third = take(20 * SECOND).expect("a place was given back");
    assert_eq!(take(20 * SECOND), None);
    // The first is lost, and ends by itself; what ends twice gives nothing back.
    assert_eq!(take(MINUTE - 1), None);
    assert!(take(MINUTE).is_some());
    ledger.refund(&counter, first, 1, MINUTE);
    ledger.refund(&counter, second, 1, MINUTE);
    assert_eq!((take(MINUTE), ledger.used(&counter, MINUTE)), (None, 2));
    ledger.refund(&counter, third, 1, MINUTE);
    assert_eq!(ledger.used(&counter, MINUTE), 1);
    // Two places of one time are given back one by one.
    let ledger = Ledger::open(subject);
    let stamps = [(); 2].map(|()| ledger.charged(&counter, 1, 5).stamp);
    for (left, stamp) in [1, 0].into_iter().zip(stamps) {
        ledger.refund(&counter, stamp, 1, 6);
        assert_eq!(ledger.used(&counter, 6), left);
    }
}
