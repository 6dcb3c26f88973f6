//! Windows of a time zone, shared by hosts that know the zone by different rules (spec 8.17), and windows that do not end (8.18).

use std::collections::BTreeMap;
use std::sync::Arc;

use callgate::Amount;
use callgate::store::{
    Algorithm, Batch, BatchOutcome, Calendar, Counter, Inspect as _, LiveCounter, Owner, ScopeValue,
    Settlement, Slot, Store as _, Verdict, Window,
};
use callgate::time::Timestamp;
use callgate_sqlite::SqliteStore;

use crate::charges::at;
use crate::scratch::{Scratch, open};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const MAX: i64 = 20;

/// The same counter, as two hosts know it: one hour of time lies between the starts of its days, weeks and months.
fn hosts(window: Window) -> [Counter; 2] {
    ["EST5", "EST5EDT,M1.1.0/0,M12.5.0/0"].map(|rules| {
        let calendar = Arc::new(Calendar::with_rules("America/New_York", rules, true).unwrap());
        let counter = Counter::new(Owner::Budget, "b", window, Algorithm::Fixed, "grant");
        counter.in_calendar(&calendar)
    })
}

fn scope() -> ScopeValue {
    ScopeValue::from(&b"a"[..])
}

fn charge(store: &SqliteStore, counter: &Counter, micros: i64, now: i64) -> BatchOutcome {
    let [charge, max] = [micros, MAX].map(Amount::from_micros);
    let slot = Slot { counter, scope: scope(), charge, max: max.unwrap(), order: 0 };
    store.reserve(&Batch { slots: [slot].into_iter().collect(), ..Batch::default() }, at(now)).unwrap()
}

fn taken(outcome: &BatchOutcome) -> bool {
    outcome.verdict == Verdict::Reserved
}

fn held(store: &SqliteStore, now: i64) -> Vec<LiveCounter> {
    let mut held = Vec::new();
    store.each(at(now), &mut |live| held.push(live)).unwrap();
    held
}

/// Numbers that look like chance and are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % end
    }
}

/// What is known of the windows that the store began: by their stamps, the end and what is charged.
type Windows = BTreeMap<Timestamp, (Timestamp, i64)>;

/// Lets two hosts charge and give back in any order, with clocks up to `apart` from each other.
fn property(window: Window, apart: i64, purges: bool, seed: u64) -> Windows {
    let scratch = Scratch::new(&format!("zones-{window}-{apart}-{purges}-{seed}"));
    let (file, counters) = (scratch.path("counters.db"), hosts(window));
    let stores = [open(&file), open(&file)];
    let (mut chance, mut time) = (Chance(seed), 0);
    let (mut windows, mut charges) = (Windows::new(), Vec::new());
    for _ in 0..250 {
        time += chance.below(if window == Window::Day { 3 * HOUR } else { 40 * HOUR });
        let host = usize::try_from(chance.below(2)).unwrap();
        let (store, counter) = (&stores[host], &counters[host]);
        let now = time - chance.below(apart + 1);
        match chance.below(8) {
            0 if purges => {
                store.purge(at(time)).unwrap();
            }
            1 if !charges.is_empty() => {
                let index = usize::try_from(chance.below(i64::try_from(charges.len()).unwrap())).unwrap();
                let (stamp, micros) = charges.swap_remove(index);
                let amount = Amount::from_micros(micros).unwrap();
                store.settle(&[Settlement::refund(counter, &scope(), stamp, amount)], at(now)).unwrap();
                windows.entry(stamp).and_modify(|(_, used)| *used -= micros);
            }
            _ => {
                let micros = 1 + chance.below(5);
                let outcome = charge(store, counter, micros, now);
                let usage = outcome.usage[0];
                let (end, used) = windows.entry(usage.stamp).or_insert((usage.resets_at, 0));
                assert_eq!(*end, usage.resets_at, "a window got another end");
                if taken(&outcome) {
                    *used += micros;
                    charges.push((usage.stamp, micros));
                }
                assert!(*used <= MAX, "{used} in one window");
                assert_eq!(usage.used.as_micros(), *used, "what is charged is not what is held");
                assert!(taken(&outcome) || *used + micros > MAX, "refused while there was room");
                let shown = held(store, now);
                let expected = if *used > 0 { vec![(*used, *end)] } else { vec![] };
                let shown: Vec<_> =
                    shown.iter().map(|live| (live.used.as_micros(), live.resets_at)).collect();
                assert_eq!(shown, expected);
            }
        }
    }
    windows
}

#[test]
fn windows_of_hosts_with_other_rules_never_overlap() {
    for window in [Window::Day, Window::Week, Window::Month] {
        let mut began = 0;
        for seed in 0..2 {
            for (apart, purges) in [(0, false), (30_000, true), (30 * DAY, false)] {
                let windows = property(window, apart, purges, seed);
                let spans: Vec<_> = windows.iter().map(|(stamp, (end, _))| (*stamp, *end)).collect();
                for pair in spans.windows(2) {
                    assert!(pair[0].1 <= pair[1].0, "{window}: {pair:?}");
                }
                began += spans.len();
            }
        }
        assert!(began > 30, "{window}: {began} windows");
    }
}

#[test]
fn the_stored_end_decides_for_a_host_that_computes_another() {
    let scratch = Scratch::new("zones-end");
    let file = scratch.path("counters.db");
    let (stores, [early, late]) = ([open(&file), open(&file)], hosts(Window::Day));
    // 00:00 UTC: the day before, at five hours and at four hours behind. It ends at 5:00 and at 4:00.
    let first = charge(&stores[0], &early, 7, 0).usage[0];
    assert_eq!((first.stamp, first.resets_at), (at(-19 * HOUR), at(5 * HOUR)));
    // In the next day of one host, and in the day before for another whose clock is behind.
    for (now, used) in [(4 * HOUR + MINUTE, 8), (-40 * DAY, 9), (5 * HOUR - 1, 10)] {
        let usage = charge(&stores[1], &late, 1, now).usage[0];
        let expected = (first.stamp, first.resets_at, used);
        assert_eq!((usage.stamp, usage.resets_at, usage.used.as_micros()), expected, "{now}");
    }
    let refused = charge(&stores[1], &late, 20, 4 * HOUR + MINUTE);
    let Verdict::Refused(refusals) = &refused.verdict else { panic!("{refused:?}") };
    assert_eq!(refusals[0].retry_at, Some(at(5 * HOUR)));
    // It begins where the one before ended, and not when the host says that it began.
    let next = charge(&stores[1], &late, 3, 5 * HOUR).usage[0];
    assert_eq!((next.stamp, next.resets_at), (at(5 * HOUR), at(28 * HOUR)));
    let [live] = &held(&stores[0], 6 * HOUR)[..] else { panic!("one counter is held") };
    assert_eq!((live.used.as_micros(), live.resets_at, live.counter == early), (3, at(28 * HOUR), true));
    assert_eq!(live.counter.zone(), Some("America/New_York"));
    // Also where the row of the one before is gone: what was charged in that is not taken from the new one.
    assert_eq!(stores[0].purge(at(28 * HOUR)).unwrap(), 1);
    let after = charge(&stores[0], &early, 5, 28 * HOUR).usage[0];
    assert_eq!((after.stamp, after.resets_at), (at(28 * HOUR), at(29 * HOUR)));
    for stamp in [first.stamp, next.stamp] {
        let amount = Amount::from_micros(5).unwrap();
        stores[0].settle(&[Settlement::refund(&early, &scope(), stamp, amount)], at(28 * HOUR)).unwrap();
    }
    assert_eq!(charge(&stores[1], &late, 1, 28 * HOUR).usage[0].used.as_micros(), 6);
}

#[test]
fn a_reset_empties_a_window_of_a_zone_and_keeps_its_end() {
    let scratch = Scratch::new("zones-reset");
    let file = scratch.path("counters.db");
    let (stores, [early, late]) = ([open(&file), open(&file)], hosts(Window::Day));
    let before = charge(&stores[0], &early, 20, 0).usage[0];
    assert!(stores[1].reset(late.id(), &scope(), at(4 * HOUR + MINUTE)).unwrap());
    assert!(!stores[1].reset(late.id(), &scope(), at(4 * HOUR + MINUTE)).unwrap());
    let after = charge(&stores[0], &early, 20, HOUR).usage[0];
    assert!(after.stamp > before.stamp && after.resets_at == before.resets_at);
    let amount = Amount::from_micros(20).unwrap();
    stores[1].settle(&[Settlement::refund(&late, &scope(), before.stamp, amount)], at(HOUR)).unwrap();
    assert!(!taken(&charge(&stores[1], &late, 1, HOUR)));
    // One that a clock far ahead began holds everybody up, until somebody resets it.
    let ahead = charge(&stores[0], &early, 20, 400 * DAY).usage[0];
    assert!(!taken(&charge(&stores[1], &late, 1, 2 * DAY)));
    assert!(stores[1].reset(late.id(), &scope(), at(2 * DAY)).unwrap());
    let own = charge(&stores[1], &late, 1, 2 * DAY);
    assert!(taken(&own) && own.usage[0].resets_at < ahead.stamp, "{own:?}");
}

/// Nobody has to reset it: its windows are forgotten when as much time has passed as they had left, and follow one another.
#[test]
fn a_clock_far_ahead_holds_a_zone_up_no_longer_than_its_window_lasts() {
    let scratch = Scratch::new("zones-ahead");
    let file = scratch.path("counters.db");
    let (stores, [early, late]) = ([open(&file), open(&file)], hosts(Window::Day));
    let ahead = charge(&stores[0], &early, MAX, 400 * DAY).usage[0];
    assert_eq!(ahead.resets_at, at(400 * DAY + 5 * HOUR));
    for (now, is_over) in [(2 * DAY, false), (2 * DAY + 5 * HOUR - 1, false), (2 * DAY + 5 * HOUR, true)] {
        stores[1].purge(at(now)).unwrap();
        let outcome = charge(&stores[1], &late, MAX, now);
        assert_eq!(taken(&outcome), is_over, "{now}");
        let usage = outcome.usage[0];
        assert_eq!(usage.stamp, if is_over { ahead.resets_at } else { ahead.stamp }, "{now}");
        assert!(usage.stamp < usage.resets_at, "{now}");
    }
    // Its end is forgotten with a reset, too.
    stores[1].purge(at(4 * DAY)).unwrap();
    assert_eq!(held(&stores[1], 4 * DAY), []);
    stores[1].reset(late.id(), &scope(), at(4 * DAY)).unwrap();
    assert!(charge(&stores[1], &late, 1, 4 * DAY).usage[0].stamp < at(4 * DAY));
}

/// A file may be read where the zone is not known, such as by an older tool.
#[test]
fn a_zone_that_this_host_does_not_know_is_listed_and_reset() {
    let scratch = Scratch::new("zones-unknown");
    let store = open(scratch.path("counters.db"));
    let calendar = Arc::new(Calendar::with_rules("Mars/Olympus_Mons", "MTC-1", false).unwrap());
    let counter = Counter::new(Owner::AllTools, "c", Window::Day, Algorithm::Fixed, "grant");
    let counter = counter.in_calendar(&calendar);
    let usage = charge(&store, &counter, 2, 0).usage[0];
    let [live] = &held(&store, 1)[..] else { panic!("one counter is held") };
    assert!(live.counter == counter && live.resets_at == usage.resets_at);
    assert!(store.reset(live.counter.id(), &live.scope, at(1)).unwrap());
    assert_eq!(held(&store, 1), []);
}

#[test]
fn a_window_that_does_not_end_is_kept() {
    let scratch = Scratch::new("ever");
    let file = scratch.path("counters.db");
    let counter = Counter::new(Owner::Budget, "b", Window::Ever, Algorithm::Fixed, "grant");
    let first = charge(&open(&file), &counter, 15, 0).usage[0];
    assert_eq!((first.stamp, first.resets_at), (Timestamp::MIN, Timestamp::MAX));
    let ages = 7_000 * 365 * DAY;
    for now in [-20_000 * DAY, DAY, 400 * DAY, ages] {
        let store = open(&file);
        assert_eq!(store.purge(at(now)).unwrap(), 0);
        let refused = charge(&store, &counter, 6, now);
        let Verdict::Refused(refusals) = &refused.verdict else { panic!("{refused:?}") };
        assert_eq!((refusals[0].retry_at, refused.usage[0]), (None, first));
        let [live] = &held(&store, now)[..] else { panic!("{now}: one counter is held") };
        assert!(live.counter == counter && live.resets_at == Timestamp::MAX);
    }
    let store = open(&file);
    store.purge(Timestamp::MAX).unwrap();
    let slot = Slot { counter: &counter, scope: scope(), charge: None, max: Amount::MAX, order: 0 };
    let batch = Batch { slots: [slot].into_iter().collect(), ..Batch::default() };
    assert_eq!(store.peek(&batch, Timestamp::MAX).unwrap().usage[0], first);
    // Given back, reset, and charged again.
    let amount = Amount::from_micros(10).unwrap();
    store.settle(&[Settlement::refund(&counter, &scope(), first.stamp, amount)], at(ages)).unwrap();
    assert_eq!(charge(&store, &counter, 6, ages).usage[0].used.as_micros(), 11);
    assert!(store.reset(counter.id(), &scope(), at(ages)).unwrap());
    assert_eq!(held(&store, ages), []);
    assert!(taken(&charge(&store, &counter, MAX, 0)));
    store.settle(&[Settlement::refund(&counter, &scope(), first.stamp, amount)], at(0)).unwrap();
    assert!(!taken(&charge(&store, &counter, 1, ages)));
}
