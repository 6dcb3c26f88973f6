//! Batches: taken all or none, and what a refusal says (spec 8.1, 8.8, 8.9).

use callgate::store::{Algorithm, Batch, Bound, Counter, Refusal, Slot, Verdict, Window};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.1" a_batch_is_taken_whole_or_not_at_all,
    "8.1" a_batch_of_many_counters_is_one,
    "8.8" every_bound_that_refuses_is_named_in_order,
    "8.6" a_maximum_that_changes_acts_in_the_running_window,
    "8.1" asking_answers_like_taking_and_changes_nothing,
    "6.6" a_batch_that_is_only_looked_at_takes_nothing,
    "8.1" a_charge_alone_is_a_batch_of_one,
    "8.1" an_empty_batch_is_taken,
    "8.4" an_outcome_names_the_time_that_was_given,
}

fn a_batch_is_taken_whole_or_not_at_all(subject: &dyn Subject) {
    // Traps 23 and 30: a blocked call consumes nothing, on any counter, wherever in the batch the refusal stands.
    let [one, other] = both();
    for order in [[&one, &other], [&other, &one]] {
        let ledger = Ledger::open(subject);
        let batch = batch([charge(order[0], 1, 10), charge(order[1], 1, 2)]);
        for expected in [true, true, false, false] {
            let outcome = ledger.reserve(&batch, 0);
            assert_eq!(taken(&outcome), expected);
            let told = outcome.usage.iter().map(|usage| usage.used.as_micros()).collect::<Vec<_>>();
            assert_eq!(told, [ledger.used(order[0], 0), ledger.used(order[1], 0)]);
        }
        assert_eq!(ledger.used(&one, 0), 2);
        assert_eq!(ledger.used(&other, 0), 2);
    }
}

fn a_batch_of_many_counters_is_one(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let counters: Vec<Counter> = (0..24)
        .map(|n| {
            let [fixed, sliding] = both();
            let like = if n % 2 == 0 { fixed } else { sliding };
            counter(&format!("{n}"), like.window(), like.algorithm())
        })
        .collect();
    let all = |max| batch(counters.iter().map(|counter| charge(counter, 3, max)));
    assert!(taken(&ledger.reserve(&all(3), 0)));
    assert_eq!(refusals(&ledger.reserve(&all(3), 0)).len(), counters.len());
    let mut but_one = all(6);
    but_one.slots[23].max = micros(5);
    assert_eq!(refusals(&ledger.reserve(&but_one, 0)).len(), 1);
    assert!(counters.iter().all(|counter| ledger.used(counter, 0) == 3));
}

fn every_bound_that_refuses_is_named_in_order(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let [fixed, sliding] = both();
    ledger.charged(&fixed, 5, 0);
    ledger.charged(&sliding, 5, 7);
    let with_room = counter("room", Window::Day, Algorithm::Fixed);
    let full = batch([
        Slot { order: 4, ..charge(&fixed, 1, 5) },
        Slot { order: 2, ..charge(&sliding, 1, 5) },
        Slot { order: 3, ..charge(&with_room, 1, 5) },
    ]);
    let expected = [
        Refusal { bound: Bound::Max(1), order: 2, retry_at: Some(at(HOUR + 7)) },
        Refusal { bound: Bound::Max(0), order: 4, retry_at: Some(at(HOUR)) },
    ];
    assert_eq!(refusals(&ledger.reserve(&full, 8)), expected);
    assert_eq!(refusals(&ledger.peek(&full, 8)), expected);
    // A charge that alone exceeds its maximum never fits.
    assert_eq!(retry_at(&ledger.charge(&fixed, 6, 5, 9)), None);
    assert_eq!(retry_at(&ledger.charge(&sliding, 6, 5, 9)), None);
}

fn a_maximum_that_changes_acts_in_the_running_window(subject: &dyn Subject) {
    // Trap 30.
    for counter in both() {
        let ledger = Ledger::open(subject);
        assert!(taken(&ledger.charge(&counter, 5, 5, 0)));
        assert!(!taken(&ledger.charge(&counter, 1, 5, 1)));
        assert!(taken(&ledger.charge(&counter, 1, 6, 2)));
        assert!(!taken(&ledger.charge(&counter, 1, 3, 3)));
        assert_eq!(ledger.used(&counter, 3), 6);
    }
}

fn asking_answers_like_taking_and_changes_nothing(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let [fixed, sliding] = both();
    let two = batch([charge(&fixed, 2, 5), charge(&sliding, 2, 5)]);
    for now in 0..4 {
        let asked = ledger.peek(&two, now);
        assert_eq!(ledger.peek(&two, now), asked);
        assert_eq!(ledger.reserve(&two, now), asked);
    }
    assert_eq!([ledger.used(&fixed, 4), ledger.used(&sliding, 4)], [4, 4]);
}

fn a_batch_that_is_only_looked_at_takes_nothing(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let [fixed, sliding] = both();
    let looks = || Batch { asks: true, ..batch([charge(&fixed, 2, 5), charge(&sliding, 2, 5)]) };
    let standing = |ledger: &Ledger, now| ledger.peek(&batch([read(&fixed), read(&sliding)]), now).usage;
    for now in [0, 10, 20] {
        for outcome in [ledger.reserve(&looks(), now), ledger.peek(&looks(), now)] {
            assert_eq!(outcome.verdict, asks([]), "at {now}");
            // As they stand: without the charges.
            assert_eq!(outcome.usage, standing(&ledger, now));
        }
        if now < 20 {
            assert!(taken(&ledger.reserve(&batch([charge(&fixed, 1, 5), charge(&sliding, 1, 5)]), now)));
        }
    }
    assert_eq!([ledger.used(&fixed, 20), ledger.used(&sliding, 20)], [2, 2]);
    // What would refuse the charges refuses the look, and says until when.
    assert!(taken(&ledger.charge(&sliding, 2, 5, 30)));
    let refused = ledger.peek(&batch([charge(&fixed, 2, 5), charge(&sliding, 2, 5)]), 40);
    assert!(!refusals(&refused).is_empty());
    for outcome in [ledger.reserve(&looks(), 40), ledger.peek(&looks(), 40)] {
        assert_eq!(outcome, refused);
    }
    assert_eq!([ledger.used(&fixed, 40), ledger.used(&sliding, 40)], [2, 4]);
}

fn a_charge_alone_is_a_batch_of_one(subject: &dyn Subject) {
    for alone in both() {
        let ledger = Ledger::open(subject);
        let in_batches = counter("other", alone.window(), alone.algorithm());
        for (amount, max) in
            [(2, 1), (2, 5), (2, 5), (0, 5), (2, 5), (1, 5), (1, 5), (0, 5), (1, 4), (3, 8), (1, 8)]
        {
            let before = ledger.used(&alone, 0);
            let found = ledger.store().charge_one(&charge(&alone, amount, max), at(0)).unwrap();
            assert_eq!(found, ledger.charge(&in_batches, amount, max, 0));
            let used = found.usage[0].used.as_micros();
            assert_eq!(ledger.used(&alone, 0), used);
            // What it was stamped with is what takes it back.
            if taken(&found) && amount > 0 {
                ledger.refund(&alone, found.usage[0].stamp, amount, 0);
                assert_eq!(ledger.used(&alone, 0), before);
                assert!(taken(&ledger.charge(&alone, amount, max, 0)));
            }
        }
        // Where nothing is charged, it says how the counter stands.
        let looked = ledger.store().charge_one(&read(&alone), at(0)).unwrap();
        assert_eq!(looked, ledger.reserve(&batch([read(&in_batches)]), 0));
        // A window's first is charged like any other.
        let first = ledger.store().charge_one(&charge(&alone, 1, 9), at(7_200_000)).unwrap();
        assert_eq!((first.usage[0].used.as_micros(), taken(&first)), (1, true));
    }
}

fn an_empty_batch_is_taken(subject: &dyn Subject) {
    let outcome = Ledger::open(subject).reserve(&batch([]), 0);
    assert_eq!((outcome.verdict, outcome.usage.len()), (Verdict::Reserved, 0));
}

fn an_outcome_names_the_time_that_was_given(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let [fixed, _] = both();
    for now in [5, 3, 9] {
        assert_eq!(ledger.charge(&fixed, 1, 9, now).now, at(now));
        assert_eq!(ledger.peek(&batch([read(&fixed)]), now).now, at(now));
    }
}
