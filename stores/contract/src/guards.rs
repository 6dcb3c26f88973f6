//! Conditions on counters, decided inside the atomic step (spec 8.5, 8.8, 8.9).

use callgate::store::{Bound, GuardMode, Slot};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.5" a_condition_reads_with_the_charge_added,
    "8.5" a_condition_reads_other_counters_as_they_stand,
    "8.5" both_modes_mean_what_they_say,
    "8.5" ranges_are_inclusive_and_may_be_several_or_none,
    "8.9" a_condition_tells_when_it_holds_for_good,
    "8.8" conditions_and_maxima_are_reported_together,
}

fn a_condition_reads_with_the_charge_added(subject: &dyn Subject) {
    // `lte 5` admits five (trap 26).
    for counter in both() {
        let ledger = Ledger::open(subject);
        let batch = guarded([charge(&counter, 1, i64::MAX)], GuardMode::RequireAll, &[(0, &[(0, 5)])]);
        for now in 0..7 {
            let outcome = ledger.reserve(&batch, now);
            assert_eq!(taken(&outcome), now < 5, "{outcome:?}");
            assert_eq!(outcome.usage[0].used.as_micros(), (now + 1).min(5));
        }
        assert_eq!(ledger.used(&counter, 7), 5);
    }
}

fn a_condition_reads_other_counters_as_they_stand(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let [charged, looked_at] = both();
    let batch =
        guarded([charge(&charged, 1, i64::MAX), read(&looked_at)], GuardMode::RequireAll, &[(1, &[(0, 2)])]);
    // An unused counter reads 0.
    assert!(taken(&ledger.reserve(&batch, 0)));
    ledger.charged(&looked_at, 2, 1);
    assert!(taken(&ledger.reserve(&batch, 2)));
    ledger.charged(&looked_at, 1, 3);
    assert!(!taken(&ledger.reserve(&batch, 4)));
    assert_eq!([ledger.used(&charged, 5), ledger.used(&looked_at, 5)], [2, 3]);
}

fn both_modes_mean_what_they_say(subject: &dyn Subject) {
    let [one, other] = both();
    let (low, high) = ([(0, 9)], [(10, i64::MAX)]);
    for (first, second, require, refuse) in [
        (low, low, true, false),
        (low, high, false, true),
        (high, low, false, true),
        (high, high, false, true),
    ] {
        for (mode, expected) in [(GuardMode::RequireAll, require), (GuardMode::RefuseAll, refuse)] {
            let ledger = Ledger::open(subject);
            let slots = [charge(&one, 1, i64::MAX), charge(&other, 1, i64::MAX)];
            let batch = guarded(slots, mode, &[(0, &first), (1, &second)]);
            assert_eq!(taken(&ledger.peek(&batch, 0)), expected);
            assert_eq!(taken(&ledger.reserve(&batch, 0)), expected);
            let held = i64::from(expected);
            assert_eq!([ledger.used(&one, 0), ledger.used(&other, 0)], [held, held]);
        }
    }
}

fn ranges_are_inclusive_and_may_be_several_or_none(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        let ranges = [(i64::MIN, -1), (2, 3), (5, 5), (8, i64::MAX)];
        for used in 0..10 {
            let outcome =
                ledger.peek(&guarded([read(&counter)], GuardMode::RequireAll, &[(0, &ranges)]), used);
            assert_eq!(taken(&outcome), [2, 3, 5, 8, 9].contains(&used), "{used}");
            let never = guarded([read(&counter)], GuardMode::RequireAll, &[(0, &[])]);
            assert_eq!(retry_at(&ledger.peek(&never, used)), None);
            ledger.charged(&counter, 1, used);
        }
    }
}

fn a_condition_tells_when_it_holds_for_good(subject: &dyn Subject) {
    let [fixed, sliding] = both();
    let ledger = Ledger::open(subject);
    for (amount, now) in [(1, 0), (1, 10), (2, 20)] {
        ledger.charged(&sliding, amount, now);
        ledger.charged(&fixed, amount, now);
    }
    // Without a charge of its own, the sliding counter reads 4, then 3, 2 and 0, the fixed one 4 and then 0.
    let when = |mode, tests: &[(usize, &[(i64, i64)])]| {
        retry_at(&ledger.peek(&guarded([read(&sliding), read(&fixed)], mode, tests), 30))
    };
    let require = |ranges: &[(i64, i64)]| when(GuardMode::RequireAll, &[(0, ranges)]);
    assert_eq!(require(&[(0, 3)]), Some(HOUR));
    assert_eq!(require(&[(0, 2)]), Some(HOUR + 10));
    assert_eq!(require(&[(0, 1)]), Some(HOUR + 20));
    // It holds for a moment, and then no more.
    assert_eq!(require(&[(2, 2)]), None);
    assert_eq!(require(&[(0, 0), (3, 3)]), Some(HOUR + 20));
    assert_eq!(when(GuardMode::RequireAll, &[(1, &[(1, 3)])]), None);
    // All of them: the latest, also of one that holds now.
    assert_eq!(when(GuardMode::RequireAll, &[(0, &[(0, 3)]), (1, &[(0, 0)])]), Some(HOUR));
    assert_eq!(when(GuardMode::RequireAll, &[(0, &[(0, 2)]), (1, &[(0, 3)])]), Some(HOUR + 10));
    assert_eq!(when(GuardMode::RequireAll, &[(0, &[(4, 4)]), (1, &[(0, 0)])]), None);
    // One that fails for good is enough: the earliest.
    let refuse = |tests: &[(usize, &[(i64, i64)])]| when(GuardMode::RefuseAll, tests);
    assert_eq!(refuse(&[(0, &[(3, 9)]), (1, &[(1, 9)])]), Some(HOUR));
    assert_eq!(refuse(&[(0, &[(3, 9)])]), Some(HOUR + 10));
    assert_eq!(refuse(&[(0, &[(0, 0), (4, 4)]), (1, &[(4, 4)])]), Some(HOUR));
    assert_eq!(refuse(&[(0, &[(0, 9)])]), None);
}

fn conditions_and_maxima_are_reported_together(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let [fixed, _] = both();
    ledger.charged(&fixed, 5, 0);
    let slots = [Slot { order: 12, ..charge(&fixed, 1, 5) }];
    let outcome = ledger.reserve(&guarded(slots, GuardMode::RefuseAll, &[(0, &[(6, 6)])]), 1);
    let bounds: Vec<_> = refusals(&outcome).iter().map(|refusal| (refusal.bound, refusal.order)).collect();
    assert_eq!(bounds, [(Bound::Guard(0), 9), (Bound::Max(0), 12)]);
    assert_eq!(ledger.used(&fixed, 2), 5);
}
