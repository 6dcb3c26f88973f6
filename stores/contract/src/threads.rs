//! Many threads at one limit: exactly as many pass as it says (spec 8.1, trap 22).

use std::sync::Barrier;

use callgate::store::{Algorithm, Batch, Counter, Counters, Grant, GuardMode, Settlement, Window};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.1" threads_pass_exactly_the_limit_of_a_fixed_window,
    "8.1" threads_pass_exactly_the_limit_of_a_sliding_window,
    "8.1" threads_pass_exactly_the_limit_of_several_counters,
    "8.1" threads_stay_within_a_condition,
    "7.3" threads_spend_an_approval_once,
    "7.3" threads_use_an_approval_as_often_as_it_says,
    "6.7" threads_that_are_asked_charge_nothing,
    "8.10" charges_and_refunds_of_threads_end_even,
    "8.14" threads_see_a_settlement_whole,
}

/// More than a small machine has processors, so that threads are also stopped between any two steps.
const THREADS: usize = 8;
const LIMIT: i64 = 1_000;

/// Runs the same in every thread at once; what they say, added up.
pub(crate) fn together(run: impl Fn(usize) -> i64 + Sync) -> i64 {
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (run, start) = (&run, &start);
                scope.spawn(move || {
                    start.wait();
                    run(thread)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

/// Takes the batch, with its slots turned by the number of the thread, until it was refused or there would be enough.
pub(crate) fn storm(store: &dyn Counters, counters: &[Counter], limit: i64, thread: usize) -> i64 {
    let mut passed = 0;
    for attempt in 0..limit {
        let mut slots: Vec<_> = counters.iter().map(|counter| charge(counter, 1, limit)).collect();
        slots.rotate_left(thread % counters.len());
        // Times differ between threads and repeat within one, so that clocks run behind.
        let now = at(attempt / 3 + i64::try_from(thread).unwrap());
        if !taken(&store.reserve(&batch(slots), now).unwrap()) {
            return passed;
        }
        passed += 1;
    }
    passed
}

fn pass_exactly(subject: &dyn Subject, counters: &[Counter]) {
    let ledger = Ledger::open(subject);
    let passed = together(|thread| storm(ledger.store(), counters, LIMIT, thread));
    assert_eq!(passed, LIMIT);
    for counter in counters {
        assert_eq!(ledger.used(counter, LIMIT), LIMIT);
    }
}

fn threads_pass_exactly_the_limit_of_a_fixed_window(subject: &dyn Subject) {
    pass_exactly(subject, &[fixed(Window::Day)]);
}

fn threads_pass_exactly_the_limit_of_a_sliding_window(subject: &dyn Subject) {
    pass_exactly(subject, &[sliding(86_400)]);
}

fn threads_pass_exactly_the_limit_of_several_counters(subject: &dyn Subject) {
    let more = (0..3).map(|n| counter(&format!("{n}"), Window::Hour, Algorithm::Fixed));
    pass_exactly(subject, &more.chain([sliding(3_600)]).collect::<Vec<_>>());
}

fn threads_stay_within_a_condition(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Day));
    let ranges = [(0, 100)];
    let passed = together(|_| {
        let batch = guarded([charge(&counter, 1, i64::MAX)], GuardMode::RequireAll, &[(0, &ranges)]);
        (0..100).map(|now| i64::from(taken(&ledger.reserve(&batch, now)))).sum()
    });
    assert_eq!((passed, ledger.used(&counter, 100)), (100, 100));
}

fn threads_spend_an_approval_once(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    for round in 0..50 {
        let id = format!("ticket {round}");
        let passed = together(|_| {
            let batch = Batch { approval: Some(id.as_str().into()), asks: true, ..Batch::default() };
            i64::from(taken(&ledger.reserve(&batch, 0)))
        });
        assert_eq!(passed, 1);
    }
}

fn threads_use_an_approval_as_often_as_it_says(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Day));
    for round in 1..20 {
        let id = format!("ticket {round}");
        let passed = together(|_| {
            let grant = Grant { uses: 11, ..id.as_str().into() };
            let batch = Batch { approval: Some(grant), asks: true, ..batch([charge(&counter, 1, i64::MAX)]) };
            (0..3).map(|_| i64::from(taken(&ledger.reserve(&batch, 0)))).sum()
        });
        assert_eq!((passed, ledger.used(&counter, 0)), (11, 11 * round));
    }
}

fn threads_that_are_asked_charge_nothing(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        let ranges = [(101, i64::MAX)];
        let passed = together(|_| {
            let batch = guarded([charge(&counter, 1, i64::MAX)], GuardMode::AskAll, &[(0, &ranges)]);
            (0..100).map(|now| i64::from(taken(&ledger.reserve(&batch, now)))).sum()
        });
        assert_eq!((passed, ledger.used(&counter, 100)), (100, 100));
    }
}

/// One counter gets what the other loses, so that they hold as much together at every moment.
fn threads_see_a_settlement_whole(subject: &dyn Subject) {
    let (ledger, who) = (Ledger::open(subject), scope("a"));
    let counters = [0, 1].map(|n| counter(&format!("{n}"), Window::Day, Algorithm::Fixed));
    let stamps = counters.each_ref().map(|counter| ledger.charged(counter, 50, 0).stamp);
    together(|thread| {
        for round in 0..60 {
            if thread % 2 == 0 {
                let looked = ledger.peek(&batch(counters.each_ref().map(read)), 1);
                let [one, other] = [0, 1].map(|n| looked.usage[n].used.as_micros());
                assert_eq!(one + other, 100, "half of a settlement was seen");
                continue;
            }
            // As often one way as the other, so that none runs out.
            let (from, to) = if round % 2 == 0 { (0, 1) } else { (1, 0) };
            let becomes = |n: usize, charged, actual| Settlement {
                actual: micros(actual),
                ..settlement(&counters[n], &who, stamps[n], charged)
            };
            ledger.settle(&[becomes(from, 1, 0), becomes(to, 0, 1)], 1);
        }
        0
    });
    assert_eq!(counters.each_ref().map(|counter| ledger.used(counter, 1)), [50, 50]);
}

fn charges_and_refunds_of_threads_end_even(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        together(|thread| {
            let now = i64::try_from(thread).unwrap();
            for _ in 0..100 {
                let outcome = ledger.charge(&counter, 2, 8, now);
                assert!(outcome.usage[0].used <= micros(8), "above the maximum: {outcome:?}");
                if taken(&outcome) {
                    let stamp = outcome.usage[0].stamp;
                    ledger.refund(&counter, stamp, 2, now);
                }
            }
            0
        });
        assert_eq!(ledger.used(&counter, 100), 0);
    }
}
