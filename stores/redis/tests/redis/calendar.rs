//! Windows of a time zone: hosts that know it by different rules, one server, one window at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate::Amount;
use callgate::store::{
    Algorithm, Batch, BatchOutcome, Calendar, Counter, Inspect as _, LiveCounter, Owner, ScopeValue,
    Settlement, Slot, Store as _, Usage, Verdict, Window,
};
use callgate::time::{Clock as _, SystemClock, Timestamp};
use callgate_redis::RedisStore;

use crate::server::Server;

/// 2026-03-22T00:00:00Z, a Sunday a week before clocks change.
const BASE: i64 = 1_774_137_600_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const MAX: i64 = 40;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(BASE + millis)
}

/// A counter of a zone of one name, by these rules.
fn counter(window: Window, posix: &str) -> Counter {
    let calendar = Arc::new(Calendar::with_rules("Test/Zone", posix, false).unwrap());
    Counter::new(Owner::Budget, "n", window, Algorithm::Fixed, "global").in_calendar(&calendar)
}

fn slot(counter: &Counter, charge: i64) -> Slot<'_> {
    let charge = Some(Amount::from_micros(charge).unwrap());
    Slot { counter, scope: ScopeValue::default(), charge, max: Amount::from_micros(MAX).unwrap(), order: 0 }
}

fn charge(store: &RedisStore, counter: &Counter, amount: i64, now: Timestamp) -> BatchOutcome {
    let batch = Batch { slots: [slot(counter, amount)].into_iter().collect(), ..Batch::default() };
    store.reserve(&batch, now).unwrap()
}

fn usage(store: &RedisStore, counter: &Counter, now: Timestamp) -> Usage {
    let read = Slot { charge: None, ..slot(counter, 0) };
    store.peek(&Batch { slots: [read].into_iter().collect(), ..Batch::default() }, now).unwrap().usage[0]
}

fn held(store: &RedisStore, now: Timestamp) -> Vec<LiveCounter> {
    let mut all = Vec::new();
    store.each(now, &mut |counter| all.push(counter)).unwrap();
    all
}

/// Two hosts that differ over the zone, whose clocks differ, too, charge what they please for some months.
#[test]
fn hosts_that_differ_over_a_zone_count_in_one_window_after_the_other() {
    let server = Server::start();
    let store = RedisStore::open(&server.options().with_callers_time()).unwrap();
    // Half an hour and a day apart, and with a summer that one of them does not know of.
    let rules = [
        ("AAA0", "AAA-0:30"),
        ("AAA-1BBB,M3.5.0/12,M10.5.0", "AAA-1"),
        ("AAA11", "AAA-13"),
        ("AAA5BBB,M3.4.0,M11.1.0", "AAA5BBB,M3.5.0/1,M10.2.0"),
    ];
    let mut noise = 1_u64;
    let mut random = |below: i64| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(noise >> 33).unwrap() % below
    };
    for (window, step) in [(Window::Day, HOUR), (Window::Week, 5 * HOUR), (Window::Month, DAY)] {
        for (n, (one, other)) in rules.iter().enumerate() {
            let store = store.namespaced(&format!("{window}-{n}")).unwrap();
            let hosts = [counter(window, one), counter(window, other)];
            let (mut now, mut windows) = (0, BTreeMap::new());
            for _ in 0..300 {
                now += random(step);
                let host = &hosts[usize::try_from(random(2)).unwrap()];
                let amount = 1 + random(6);
                let outcome = charge(&store, host, amount, at(now - random(2 * HOUR)));
                let Usage { used, resets_at, stamp } = outcome.usage[0];
                let (ends, charged) = windows.entry(stamp).or_insert((resets_at, 0));
                assert_eq!(*ends, resets_at, "a window has one end");
                if outcome.verdict == Verdict::Reserved {
                    *charged += amount;
                } else {
                    assert!(*charged + amount > MAX, "refused while there is room");
                }
                assert_eq!(used.as_micros(), *charged);
                assert!(*charged <= MAX);
            }
            let all: Vec<_> = windows.iter().map(|(stamp, (ends, _))| (*stamp, *ends)).collect();
            let apart = all.windows(2).all(|two| two[0].1 <= two[1].0);
            assert!(apart && all.len() > 5, "{window} {one} {other}: {all:?}");
            assert!(all.iter().all(|(stamp, ends)| stamp < ends));
        }
    }
}

/// One host's day is an hour shorter. What the other one charged in it is not taken back from the window after it, though by that
/// host's rules it is still the same day.
#[test]
fn a_window_goes_on_to_its_stored_end_and_the_next_begins_there() {
    let server = Server::start();
    let store = RedisStore::open(&server.options().with_callers_time()).unwrap();
    // The clock is set forward at noon of the second Sunday.
    let (short, long) = (counter(Window::Day, "AAA0BBB,M3.5.0/12,M10.5.0"), counter(Window::Day, "AAA0"));
    let day = 7 * DAY;
    let first = charge(&store, &short, 5, at(day + HOUR)).usage[0];
    assert_eq!((first.stamp, first.resets_at), (at(day), at(day + 23 * HOUR)));
    // Whoever is behind, or computes another end, counts there.
    assert_eq!(usage(&store, &long, at(day + 22 * HOUR)).resets_at, first.resets_at);
    assert_eq!(charge(&store, &long, 2, at(day - DAY)).usage[0].used.as_micros(), 7);
    assert_eq!(held(&store, at(day + 22 * HOUR))[0].resets_at, first.resets_at);
    let late = at(day + 23 * HOUR);
    assert_eq!(held(&store, late), []);
    assert!(!store.reset(long.id(), &ScopeValue::default(), late).unwrap());
    let next = charge(&store, &long, 4, late).usage[0];
    assert_eq!((next.stamp, next.resets_at, next.used.as_micros()), (late, at(day + 24 * HOUR), 4));
    let scope = ScopeValue::default();
    let refund = |stamp, amount| {
        let amount = Amount::from_micros(amount).unwrap();
        store.settle(&[Settlement::refund(&long, &scope, stamp, amount)], late).unwrap();
        usage(&store, &long, late).used.as_micros()
    };
    assert_eq!(refund(first.stamp, 5), 4);
    assert_eq!(refund(next.stamp, 1), 3);
    let [shown] = &held(&store, late)[..] else { panic!("one counter holds something") };
    assert_eq!((shown.counter.zone(), shown.used.as_micros()), (Some("Test/Zone"), 3));
    assert!(store.reset(short.id(), &scope, late).unwrap());
    let again = charge(&store, &short, 2, late).usage[0];
    assert_eq!((again.stamp, again.used.as_micros()), (late.plus_millis(1), 2));
    assert_eq!(refund(next.stamp, 1), 2, "what was charged before the reset");
    // What a call cost beyond its charge counts in the window of the time when that is known.
    let actual = Amount::from_micros(50).unwrap();
    let settlement = Settlement { counter: &long, scope: &scope, stamp: late, charged: Amount::ZERO, actual };
    store.settle(&[settlement], late).unwrap();
    assert_eq!(usage(&store, &short, late).used.as_micros(), 52);
    let tomorrow = at(day + 25 * HOUR);
    store.settle(&[settlement], tomorrow).unwrap();
    let begun = usage(&store, &short, tomorrow);
    assert_eq!((begun.used.as_micros(), begun.stamp), (50, at(day + 24 * HOUR)));
    assert!(begun.resets_at > tomorrow);
}

/// The rules of a zone whose midnight comes so many seconds from now.
fn midnight_in(seconds: i64) -> String {
    let now = SystemClock.now().as_millis() / 1_000 + seconds;
    let behind = now % 86_400;
    format!("AAA{}:{:02}:{:02}", behind / 3_600, behind / 60 % 60, behind % 60)
}

/// The server's clock passes the end that a caller computed: that caller is asked again, and begins the window that the server is in.
#[test]
fn a_window_of_a_zone_ends_by_the_servers_clock() {
    let server = Server::start();
    let store = server.open();
    let hosts = [2, 3].map(|seconds| counter(Window::Day, &midnight_in(seconds)));
    let (begun, mut windows) = (Instant::now(), BTreeMap::new());
    // The hosts' clocks are wrong by years.
    let clocks = [Timestamp::MIN, at(2_000 * DAY)];
    while begun.elapsed() < Duration::from_millis(4_500) {
        for (host, clock) in hosts.iter().zip(clocks) {
            let outcome = charge(&store, host, 1, clock);
            let Usage { resets_at, stamp, .. } = outcome.usage[0];
            assert!(stamp <= outcome.now && outcome.now < resets_at, "{outcome:?}");
            let (ends, passed) = windows.entry(stamp).or_insert((resets_at, 0));
            assert_eq!(*ends, resets_at);
            *passed += i64::from(outcome.verdict == Verdict::Reserved);
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    let all: Vec<_> = windows.into_iter().collect();
    assert!(all.len() >= 2, "no window ended: {all:?}");
    assert!(all.windows(2).all(|two| two[0].1.0 <= two[1].0), "{all:?}");
    assert!(all.iter().all(|(_, (_, passed))| *passed == MAX), "{all:?}");
    // Whoever computes a later end finds when the stored one was, for a day and an hour.
    let life: i64 = server.ask(&["PTTL", &server.ask(&["KEYS", "*:z:*"])]).parse().unwrap();
    let left = all.last().unwrap().1.0.as_millis() - SystemClock.now().as_millis();
    assert!((left..left + 25 * HOUR + 1_000).contains(&life) && life > 25 * HOUR, "{life} and {left}");
}

/// What a caller computes is only needed to begin a window: one whose clock is wrong is not asked again while it goes on.
#[test]
fn a_wrong_clock_costs_no_question_within_a_window_of_a_zone() {
    let server = Server::start();
    let counter = counter(Window::Month, "AAA3");
    for (expected, clock) in [(2, Timestamp::MIN), (1, Timestamp::MIN), (1, at(2_000 * DAY))] {
        // Each store has yet to learn how the server's clock differs.
        let store = server.open();
        if expected == 2 {
            // The server knows the script.
            usage(&store, &counter, SystemClock.now());
        }
        server.ask(&["CONFIG", "RESETSTAT"]);
        assert_eq!(charge(&store, &counter, 1, clock).verdict, Verdict::Reserved);
        assert_eq!(server.calls("evalsha"), expected);
    }
}
