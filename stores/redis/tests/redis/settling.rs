//! What calls really cost, beyond what was charged, and windows that do not end, on a server with its own clock and memory.

use std::sync::Arc;

use callgate::store::{
    Algorithm, Batch, Calendar, Counter, Inspect as _, Owner, ScopeValue, Settlement, Slot, Store as _,
    Usage, Verdict, Window,
};
use callgate::time::Timestamp;
use callgate::{Amount, ceilings::SLIDING_CHARGES};
use callgate_redis::{RedisOptions, RedisStore};

use crate::server::Server;

/// A caller's clock that no decision may depend on.
const NOW: Timestamp = Timestamp::MIN;
const QUARTER: i64 = 900_000;

fn micros(amount: i64) -> Amount {
    Amount::from_micros(amount).unwrap()
}

fn counter(name: &str, window: Window, algorithm: Algorithm) -> Counter {
    Counter::new(Owner::AllTools, name, window, algorithm, "global")
}

/// A counter of each kind.
fn all() -> [Counter; 5] {
    let zone = Arc::new(Calendar::new(Some("Asia/Kathmandu"), false).unwrap());
    [
        counter("fixed", Window::Seconds(366 * 86_400), Algorithm::Fixed),
        counter("ever", Window::Ever, Algorithm::Fixed),
        counter("zoned", Window::Month, Algorithm::Fixed).in_calendar(&zone),
        counter("sliding", Window::Hour, Algorithm::Sliding),
        counter("long", Window::Week, Algorithm::Sliding),
    ]
}

fn charge(store: &RedisStore, counter: &Counter, amount: i64, now: Timestamp) -> Usage {
    let (charge, scope) = (Some(micros(amount)), ScopeValue::default());
    let slot = Slot { counter, scope, charge, max: Amount::MAX, order: 0 };
    let outcome = store.reserve(&Batch { slots: [slot].into_iter().collect(), ..Batch::default() }, now);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.verdict, Verdict::Reserved);
    outcome.usage[0]
}

fn usage(store: &RedisStore, counter: &Counter, now: Timestamp) -> Usage {
    let slot = Slot { counter, scope: ScopeValue::default(), charge: None, max: Amount::MAX, order: 0 };
    store.peek(&Batch { slots: [slot].into_iter().collect(), ..Batch::default() }, now).unwrap().usage[0]
}

fn settle(store: &RedisStore, counter: &Counter, stamp: Timestamp, from: i64, to: i64, now: Timestamp) {
    let (charged, actual, scope) = (micros(from), micros(to), ScopeValue::default());
    store.settle(&[Settlement { counter, scope: &scope, stamp, charged, actual }], now).unwrap();
}

#[test]
fn what_a_call_cost_more_is_charged_when_it_is_known() {
    let server = Server::start();
    let store = server.open();
    for counter in all() {
        let charged = charge(&store, &counter, 5, NOW);
        let after = |from, to| {
            settle(&store, &counter, charged.stamp, from, to, NOW);
            usage(&store, &counter, NOW).used.as_micros()
        };
        assert_eq!([after(5, 9), after(0, 3), after(5, 4), after(7, 7)], [9, 12, 11, 11], "{counter:?}");
        assert_eq!(after(0, i64::MAX), i64::MAX, "a sum stops at the largest amount");
        assert_eq!(after(0, 1), i64::MAX);
        assert!(store.reset(counter.id(), &ScopeValue::default(), NOW).unwrap());
        assert_eq!(after(1, 2), 1, "{counter:?}");
        server.ask(&["FLUSHALL"]);
        // What nobody has charged is begun, and listed.
        assert_eq!(after(1, 3), 2, "{counter:?}");
        let mut listed = Vec::new();
        store.each(NOW, &mut |held| listed.push((held.counter, held.used))).unwrap();
        assert_eq!(listed, [(counter.clone(), micros(2))]);
        server.ask(&["FLUSHALL"]);
    }
}

/// All settlements of a call are one step, so one that cannot be made changes nothing of the others.
#[test]
fn settlements_of_a_call_are_made_all_or_none() {
    let server = Server::start();
    let store = server.open();
    let scope = ScopeValue::default();
    let settle_all = |changes: &[(i64, i64)]| {
        let counters = all();
        let stamps: Vec<_> = counters.iter().map(|counter| usage(&store, counter, NOW).stamp).collect();
        let settlements: Vec<_> = (0..counters.len())
            .map(|n| {
                let [charged, actual] = [changes[n].0, changes[n].1].map(micros);
                Settlement { counter: &counters[n], scope: &scope, stamp: stamps[n], charged, actual }
            })
            .collect();
        store.settle(&settlements, NOW)
    };
    let held = || all().map(|counter| usage(&store, &counter, NOW).used.as_micros());
    for counter in all() {
        charge(&store, &counter, 5, NOW);
    }
    settle_all(&[(5, 2), (5, 9), (5, 1), (5, 6), (0, 3)]).unwrap();
    assert_eq!(held(), [2, 9, 1, 6, 8]);
    for (kind, found) in [("f", 2), ("z", 1), ("s", 2)] {
        let keys = server.ask(&["KEYS", &format!("*:{kind}:*")]);
        assert_eq!(keys.lines().count(), found);
        for key in keys.lines() {
            let before = held();
            server.ask(&["RENAME", key, "{callgate}:elsewhere"]);
            server.ask(&["HSET", key, "of", "somebody"]);
            assert!(add_to_all(&store).is_err(), "{key}");
            server.ask(&["DEL", key]);
            server.ask(&["RENAME", "{callgate}:elsewhere", key]);
            assert_eq!(held(), before, "{key}");
        }
    }
}

/// Adds to every counter.
fn add_to_all(store: &RedisStore) -> Result<(), callgate::StoreError> {
    let (counters, scope) = (all(), ScopeValue::default());
    let add =
        |counter| Settlement { counter, scope: &scope, stamp: NOW, charged: Amount::ZERO, actual: micros(1) };
    store.settle(&counters.each_ref().map(add), NOW)
}

/// The window that was charged has ended when the cost is known: the difference counts in the one that runs.
#[test]
fn a_difference_counts_in_the_window_of_its_time() {
    let server = Server::start();
    let store = server.open();
    let counter = counter("second", Window::Seconds(1), Algorithm::Fixed);
    let first = charge(&store, &counter, 5, NOW);
    let later = loop {
        let usage = usage(&store, &counter, NOW);
        if usage.stamp > first.stamp {
            break usage;
        }
    };
    assert_eq!(later.used, Amount::ZERO);
    // A second may end between settling and looking.
    let counted = (0..5).any(|_| {
        // Who settles has yet to learn the server's time, and is asked again.
        settle(&server.open(), &counter, first.stamp, 5, 9, NOW);
        let counted = usage(&store, &counter, NOW).used;
        assert!([0, 4, 8].contains(&counted.as_micros()), "{counted}");
        counted > Amount::ZERO
    });
    assert!(counted);
}

/// In a log without room the difference joins the newest charge, which counts from then on.
#[test]
fn a_difference_finds_room_in_a_full_log() {
    let server = Server::start();
    let store = RedisStore::open(&server.options().with_callers_time()).unwrap();
    let counter = counter("sliding", Window::Hour, Algorithm::Sliding);
    let full = i64::try_from(SLIDING_CHARGES).unwrap();
    for n in 1..=full {
        charge(&store, &counter, 1, Timestamp::from_millis(n));
    }
    let now = Timestamp::from_millis(full + 7);
    settle(&store, &counter, Timestamp::from_millis(5), 1, 5, now);
    settle(&store, &counter, Timestamp::from_millis(6), 1, 3, now);
    let Usage { used, resets_at, .. } = usage(&store, &counter, now);
    assert_eq!((used.as_micros(), resets_at.as_millis()), (full + 6, full + 7 + 3_600_000));
    let key = server.ask(&["KEYS", "*:s:*"]);
    assert_eq!(server.ask(&["ZCARD", &key]), (full + 1).to_string());
    // All but the joined one expire, each at its time.
    let left = |now: i64| usage(&store, &counter, Timestamp::from_millis(now)).used.as_micros();
    assert_eq!([left(3_600_002), left(3_600_000 + full), left(3_600_007 + full)], [full + 4, 7, 0]);
}

/// Charges of one quarter of an hour are one, which counts from its end; what was charged before a reset is not taken from what was
/// charged after it, though it is the same quarter.
#[test]
fn a_long_log_keeps_a_charge_for_each_quarter() {
    let server = Server::start();
    let store = RedisStore::open(&server.options().with_callers_time()).unwrap();
    let counter = counter("long", Window::Week, Algorithm::Sliding);
    let at = Timestamp::from_millis;
    let week = 7 * 86_400_000;
    for now in [0, 1, QUARTER - 1] {
        assert_eq!(charge(&store, &counter, 2, at(now)).stamp, at(QUARTER));
    }
    let next = charge(&store, &counter, 3, at(QUARTER));
    assert_eq!((next.stamp, next.used), (at(2 * QUARTER), micros(9)));
    let key = server.ask(&["KEYS", "*:s:*"]);
    assert_eq!(server.ask(&["ZCARD", &key]), "3");
    settle(&store, &counter, at(QUARTER), 6, 1, at(QUARTER));
    assert_eq!(usage(&store, &counter, at(week + QUARTER - 1)).used, micros(4));
    assert_eq!(usage(&store, &counter, at(week + QUARTER)).used, micros(3));
    let life: i64 = server.ask(&["PTTL", &key]).parse().unwrap();
    assert!(life > week + QUARTER && life <= week + QUARTER + 60_000, "{life}");
    let reset = |now| store.reset(counter.id(), &ScopeValue::default(), at(now)).unwrap();
    assert!(reset(QUARTER + 5) && !reset(QUARTER + 5));
    let after = charge(&store, &counter, 7, at(QUARTER + 6));
    assert_eq!((after.stamp, after.used), (at(2 * QUARTER + 1), micros(7)));
    settle(&store, &counter, next.stamp, 3, 0, at(QUARTER + 7));
    assert_eq!(usage(&store, &counter, at(QUARTER + 8)).used, micros(7));
    settle(&store, &counter, after.stamp, 7, 0, at(QUARTER + 8));
    let empty = usage(&store, &counter, at(QUARTER + 9));
    assert_eq!((empty.used, empty.resets_at), (Amount::ZERO, at(QUARTER + 9)));
    // It still tells what was charged before the reset.
    assert_eq!(charge(&store, &counter, 1, at(QUARTER + 9)).stamp, after.stamp);
    assert_eq!(charge(&store, &counter, 1, at(2 * QUARTER)).stamp, at(3 * QUARTER));
}

/// A window that does not end has no time to live; nor do, from then on, the declarations, whatever begins later.
#[test]
fn what_does_not_end_is_kept_with_its_declaration() {
    let server = Server::start();
    let store = server.open();
    let [_, ever, zoned, ..] = all();
    let declared = || server.ask(&["PTTL", "{callgate}:2:d"]).parse::<i64>().unwrap();
    let centuries = 200 * 365 * 86_400_000;
    charge(&store, &zoned, 1, NOW);
    assert!((1..800 * 86_400_000 + 1).contains(&declared()));
    let Usage { stamp, resets_at, .. } = charge(&store, &ever, 1, NOW);
    assert_eq!((stamp, resets_at), (Timestamp::MIN, Timestamp::MAX));
    let key = server.ask(&["KEYS", "*:f:*"]);
    assert_eq!(server.ask(&["PTTL", &key]), "-1");
    assert!(declared() > centuries);
    for counter in all() {
        charge(&store, &counter, 1, NOW);
    }
    assert!(declared() > centuries);
    // The usual charge of it takes the short way, and one of what was given back begins it again.
    server.ask(&["CONFIG", "RESETSTAT"]);
    assert_eq!(charge(&store, &ever, 1, NOW).used, micros(3));
    assert_eq!((server.calls("incrby"), server.calls("set")), (1, 0));
    settle(&store, &ever, stamp, 3, 0, NOW);
    assert_eq!(charge(&store, &ever, 2, NOW).used, micros(2));
    assert_eq!(server.ask(&["PTTL", &key]), "-1");
    let mut held = Vec::new();
    store
        .each(NOW, &mut |counter| held.push((counter.counter.name().to_owned(), counter.resets_at)))
        .unwrap();
    assert!(held.contains(&("ever".to_owned(), Timestamp::MAX)), "{held:?}");
    assert!(store.reset(ever.id(), &ScopeValue::default(), NOW).unwrap());
    let after = charge(&store, &ever, 4, NOW);
    assert_eq!((after.stamp, after.used), (Timestamp::from_millis(1), micros(4)));
    assert_eq!(server.ask(&["PTTL", &key]), "-1");
}

/// At the latest time that there is, no window has ended that does not end.
#[test]
fn what_does_not_end_goes_on_at_the_end_of_time() {
    let server = Server::start();
    let store = RedisStore::open(&server.options().with_callers_time()).unwrap();
    let [_, ever, ..] = all();
    let stamp = charge(&store, &ever, 5, Timestamp::MAX).stamp;
    settle(&store, &ever, stamp, 5, 3, Timestamp::MAX);
    settle(&store, &ever, stamp, 0, 4, Timestamp::MAX);
    assert_eq!(usage(&store, &ever, Timestamp::MAX).used, micros(7));
    let mut held = Vec::new();
    store.each(Timestamp::MAX, &mut |counter| held.push(counter.used)).unwrap();
    assert_eq!(held, [micros(7)]);
}

/// A server without memory counts what a call has cost: that is known, and it is little.
#[test]
fn a_full_server_settles() {
    let server = Server::with(&["--save", "", "--maxmemory-policy", "noeviction"]);
    let store = server.open();
    for counter in all() {
        let charged = charge(&store, &counter, 5, NOW);
        server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
        settle(&store, &counter, charged.stamp, 5, 9, NOW);
        assert_eq!(usage(&store, &counter, NOW).used, micros(9));
        server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    }
}

/// Whoever may do what the README says may do all of it.
#[test]
fn the_documented_permissions_are_enough_for_every_kind_of_counter() {
    let server = Server::start();
    let user = crate::readme::permissions();
    assert_eq!(server.ask(&user.split_whitespace().collect::<Vec<_>>()), "OK");
    let url = format!("redis://callgate:secret@127.0.0.1:{}", server.port());
    let store = RedisStore::open(&RedisOptions::from_url(&url).unwrap().with_namespace("prod")).unwrap();
    for counter in all() {
        let stamp = charge(&store, &counter, 5, NOW).stamp;
        settle(&store, &counter, stamp, 5, 9, NOW);
        settle(&store, &counter, stamp, 5, 3, NOW);
        assert!(store.reset(counter.id(), &ScopeValue::default(), NOW).unwrap());
        settle(&store, &counter, stamp, 0, 1, NOW);
        charge(&store, &counter, 1, NOW);
    }
    let mut held = 0;
    store.each(NOW, &mut |_| held += 1).unwrap();
    assert_eq!(held, all().len());
}
