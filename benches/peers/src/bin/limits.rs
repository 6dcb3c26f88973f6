//! One limit for each of many callers: callgate with its clock, `governor` with its own, and a bare sharded map of atomics, which
//! neither reads a clock nor knows a maximum. The same keys in the same order, by one thread and by two.

use std::hash::BuildHasher as _;
use std::num::NonZeroU32;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use callgate::{Engine, Identity};
use callgate_benches::{Role, Turns, identities, limit_policy, limits_policy};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde_json::json;

/// A map in 64 parts: the least that callers who share counters need.
struct Bare {
    hasher: foldhash::fast::RandomState,
    shards: Vec<RwLock<hashbrown::HashMap<String, AtomicU64, foldhash::fast::RandomState>>>,
}

impl Bare {
    fn new() -> Self {
        Self { hasher: Default::default(), shards: (0..64).map(|_| RwLock::default()).collect() }
    }

    fn charge(&self, key: &str) -> u64 {
        let shard = &self.shards[(self.hasher.hash_one(key) >> 58) as usize];
        if let Some(count) = shard.read().expect("no thread fails").get(key) {
            return count.fetch_add(1, Ordering::Relaxed);
        }
        let mut shard = shard.write().expect("no thread fails");
        shard.entry(key.to_owned()).or_default().fetch_add(1, Ordering::Relaxed)
    }
}

fn main() {
    let empty = json!({});
    let names = identities(1_000_000);
    let call = |engine: &Engine, name: &str| engine.evaluate("t", &empty, &Identity::new(name)).allowed();
    let sets: Vec<(u64, Engine, DefaultKeyedRateLimiter<String>, Bare)> = [10_000, 1_000_000]
        .into_iter()
        .map(|count| {
            let quota = Quota::per_second(NonZeroU32::new(100_000_000).expect("it is not zero"));
            (count, Engine::new(limit_policy()), RateLimiter::keyed(quota), Bare::new())
        })
        .collect();
    let four = Engine::new(limits_policy(4));
    for (count, engine, limiter, bare) in &sets {
        for name in &names[..*count as usize] {
            assert!(call(engine, name) && limiter.check_key(name).is_ok() && bare.charge(name) == 0);
        }
    }
    assert!(names[..10_000].iter().all(|name| call(&four, name)));

    let mut turns = Turns::new("limits", 100).turn(Duration::from_millis(10));
    for (count, engine, limiter, bare) in &sets {
        let names = &names;
        let name = move |thread: u64, n: u64| &names[((n + thread * 5_003) * 7_919 % count) as usize];
        for threads in [1, 2] {
            let case = format!(
                "one limit, {count} identities, {threads} thread{}",
                if threads > 1 { "s" } else { "" }
            );
            let call = &call;
            turns.add_threads(
                Role::Floor,
                &case,
                "sharded map of atomics, no clock",
                threads,
                move |thread, n| bare.charge(name(thread, n)),
            );
            turns.add_threads(Role::Ours, &case, "Engine::evaluate", threads, move |thread, n| {
                call(engine, name(thread, n))
            });
            turns.add_threads(Role::Peer, &case, "governor", threads, move |thread, n| {
                limiter.check_key(name(thread, n)).is_ok()
            });
        }
    }
    let names = &names;
    let bare = &sets[0].3;
    let case = "four limits, 10000 identities, 1 thread";
    turns.add_threads(Role::Floor, case, "sharded map of atomics, four times", 1, |_, n| {
        (0..4).map(|_| bare.charge(&names[(n * 7_919 % 10_000) as usize])).sum::<u64>()
    });
    turns.add_threads(Role::Ours, case, "Engine::evaluate", 1, |_, n| {
        call(&four, &names[(n * 7_919 % 10_000) as usize])
    });
    turns.measure();
}
