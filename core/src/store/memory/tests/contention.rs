//! Many threads at one limit: exactly as many pass as it says (trap 22). The same harness is shown to catch a store that
//! checks first and charges afterwards.

use std::slice::from_ref;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const THREADS: usize = 8;

/// Eight threads charge one at a time, each often enough to exhaust the limit alone; returns how many charges passed.
fn admitted(store: &dyn Store, counters: &[Counter], limit: i64) -> i64 {
    let start = Barrier::new(THREADS);
    let thread = |order: usize| {
        start.wait();
        let mut admitted = 0;
        for attempt in 0..=limit {
            // Some threads name the counters the other way round: only an order of locking keeps them from a deadlock.
            let mut slots: Vec<_> =
                counters.iter().map(|counter| slot(counter, "a", Some(1), limit)).collect();
            slots.rotate_left(order % counters.len());
            let outcome = store.reserve(&batch(slots), at(attempt)).unwrap();
            admitted += i64::from(outcome.verdict == Verdict::Reserved);
        }
        admitted
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|order| {
                let thread = &thread;
                scope.spawn(move || thread(order))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

#[test]
fn eight_threads_pass_exactly_the_limit() {
    let (one, two) = (fixed(Window::Day), sliding(86_400));
    let more: Vec<_> = (0..4).map(|n| counter(&format!("{n}"), Window::Hour, Algorithm::Fixed)).collect();
    let all: Vec<_> = more.into_iter().chain([one.clone(), two.clone()]).collect();
    for round in 0..150 {
        for counters in [from_ref(&one), from_ref(&two), &all] {
            let store = MemoryStore::new();
            assert_eq!(admitted(&store, counters, 10), 10, "round {round}");
            for counter in counters {
                assert_eq!(used(&store, counter, "a", 10), 10);
            }
        }
    }
}

/// Asks, then charges without a bound. The first call of each thread waits between the two for all the others.
struct CheckThenAct {
    store: MemoryStore,
    gap: Barrier,
    calls: AtomicUsize,
}

impl Store for CheckThenAct {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        let outcome = self.store.peek(batch, now)?;
        if self.calls.fetch_add(1, Ordering::SeqCst) < THREADS {
            self.gap.wait();
        }
        if outcome.verdict != Verdict::Reserved {
            return Ok(outcome);
        }
        let mut unbounded = batch.clone();
        unbounded.slots.iter_mut().for_each(|slot| slot.max = Amount::MAX);
        self.store.reserve(&unbounded, now)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.store.peek(batch, now)
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.store.settle(settlements, now)
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.store.purge(now)
    }
}

#[test]
fn the_harness_catches_a_check_before_the_act() {
    for counter in [fixed(Window::Day), sliding(86_400)] {
        let wrong = CheckThenAct {
            store: MemoryStore::new(),
            gap: Barrier::new(THREADS),
            calls: AtomicUsize::new(0),
        };
        let limit = 5;
        assert!(admitted(&wrong, &[counter], limit) > limit);
    }
}

#[test]
fn eight_threads_spend_an_approval_once() {
    for _ in 0..100 {
        let store = MemoryStore::new();
        let start = Barrier::new(THREADS);
        let spend = || {
            start.wait();
            let batch = Batch { approval: Some("ticket".into()), asks: true, ..Batch::default() };
            usize::from(store.reserve(&batch, at(0)).unwrap().verdict == Verdict::Reserved)
        };
        let spent: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(spend)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(spent, 1);
    }
}

#[test]
fn refunds_and_charges_from_many_threads_end_even() {
    for counter in [fixed(Window::Day), sliding(86_400)] {
        let store = MemoryStore::new();
        let run = |thread: usize| {
            let who = scope("a");
            for _ in 0..200 {
                let now = at(i64::try_from(thread).unwrap());
                let outcome = store.reserve(&batch([slot(&counter, "a", Some(2), 8)]), now).unwrap();
                assert!(outcome.usage[0].used <= micros(8));
                if outcome.verdict == Verdict::Reserved {
                    let stamp = outcome.usage[0].stamp;
                    store.settle(&[Settlement::refund(&counter, &who, stamp, micros(2))], now).unwrap();
                }
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let run = &run;
                scope.spawn(move || run(thread));
            }
        });
        assert_eq!(used(&store, &counter, "a", 100), 0);
    }
}
