//! Many threads at one limit: exactly the limit gets through, and the test would notice if it were otherwise.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and computes")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use callgate::store::{Batch, BatchOutcome, Settlement, Store, Verdict};
use callgate::time::{ManualClock, Timestamp};
use callgate::{Engine, Identity, MemoryStore, Policy, StoreError};

const THREADS: usize = 8;
const LIMIT: usize = 10;

fn policy(algorithm: &str) -> Policy {
    Policy::from_yaml(&format!(
        "{{version: '1', default: deny, tools: {{t: {{limits: [{{counter: n, window: minute, max: {LIMIT}, algorithm: {algorithm}}}]}}}}}}"
    ))
    .unwrap()
}

/// How many of many threads' calls are allowed.
fn admitted(policy: &Policy, store: Arc<dyn Store>, calls: usize) -> usize {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    let engine = Engine::builder(policy.clone()).store(store).clock(clock).build();
    let (allowed, barrier) = (AtomicUsize::new(0), Barrier::new(THREADS));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..calls {
                    if engine.evaluate("t", &serde_json::json!({}), &Identity::absent()).allowed() {
                        allowed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    allowed.into_inner()
}

/// Trap 22: what a store does that checks first and charges afterwards.
struct CheckThenAct(MemoryStore);

impl Store for CheckThenAct {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        let outcome = self.0.peek(batch, now)?;
        if outcome.verdict != Verdict::Reserved {
            return Ok(outcome);
        }
        std::thread::yield_now();
        let mut unlimited = batch.clone();
        unlimited.slots.iter_mut().for_each(|slot| slot.max = callgate::Amount::MAX);
        self.0.reserve(&unlimited, now)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.0.peek(batch, now)
    }

    fn settle(&self, refunds: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.0.settle(refunds, now)
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.0.purge(now)
    }
}

#[test]
fn exactly_the_limit_is_admitted() {
    for algorithm in ["fixed", "sliding"] {
        let policy = policy(algorithm);
        for round in 0..300 {
            assert_eq!(
                admitted(&policy, Arc::new(MemoryStore::new()), 5),
                LIMIT,
                "{algorithm}, round {round}"
            );
        }
    }
}

#[test]
fn the_test_notices_a_store_that_checks_and_then_acts() {
    for algorithm in ["fixed", "sliding"] {
        let policy = policy(algorithm);
        let over =
            (0..1_000).any(|_| admitted(&policy, Arc::new(CheckThenAct(MemoryStore::new())), 5) > LIMIT);
        assert!(over, "{algorithm}: a thousand rounds did not expose it");
    }
}
