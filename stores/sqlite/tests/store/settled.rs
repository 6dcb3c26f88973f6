//! What a call really cost, and windows that slide over more than a day: their rows (spec 8.3, 8.14).

use callgate::Amount;
use callgate::ceilings::SLIDING_CHARGES;
use callgate::store::{
    Algorithm, Batch, BatchOutcome, Counter, Inspect as _, Owner, ScopeValue, Settlement, Slot, Store as _,
    Verdict, Window,
};
use callgate::time::Timestamp;
use callgate_sqlite::SqliteStore;
use rusqlite::Connection;

use crate::charges::at;
use crate::scratch::{Scratch, open};

const MINUTE: i64 = 60_000;
const QUARTER: i64 = 15 * MINUTE;
const DAY: i64 = 96 * QUARTER;

fn sliding(window: Window) -> Counter {
    Counter::new(Owner::Tool("t".into()), "c", window, Algorithm::Sliding, "grant")
}

fn long() -> Counter {
    sliding(Window::Seconds(7 * 86_400))
}

fn scope() -> ScopeValue {
    ScopeValue::from(&b"a"[..])
}

fn charge(store: &SqliteStore, counter: &Counter, micros: i64, max: i64, now: i64) -> BatchOutcome {
    let [charge, max] = [micros, max].map(Amount::from_micros);
    let slot = Slot { counter, scope: scope(), charge, max: max.unwrap(), order: 0 };
    store.reserve(&Batch { slots: [slot].into_iter().collect(), ..Batch::default() }, at(now)).unwrap()
}

/// Charges what must fit.
fn charged(store: &SqliteStore, counter: &Counter, micros: i64, now: i64) -> Timestamp {
    let outcome = charge(store, counter, micros, i64::MAX, now);
    assert_eq!(outcome.verdict, Verdict::Reserved);
    outcome.usage[0].stamp
}

/// What it holds, when it will hold nothing, and how many rows its charges are.
fn state(store: &SqliteStore, counter: &Counter, now: i64) -> (i64, Timestamp) {
    let slot = Slot { counter, scope: scope(), charge: None, max: Amount::MAX, order: 0 };
    let batch = Batch { slots: [slot].into_iter().collect(), ..Batch::default() };
    let usage = store.peek(&batch, at(now)).unwrap().usage[0];
    (usage.used.as_micros(), usage.resets_at)
}

fn settle(store: &SqliteStore, counter: &Counter, stamp: Timestamp, [from, to]: [i64; 2], now: i64) {
    let [charged, actual] = [from, to].map(|micros| Amount::from_micros(micros).unwrap());
    let scope = scope();
    store.settle(&[Settlement { counter, scope: &scope, stamp, charged, actual }], at(now)).unwrap();
}

fn charges(file: &std::path::Path) -> i64 {
    let connection = Connection::open(file).unwrap();
    // What the row says is what its charges come to.
    let sums = "SELECT used, entries, (SELECT sum(micros) FROM charges), (SELECT count(*) FROM charges) FROM counters";
    let read = |row: &rusqlite::Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]);
    let [used, entries, sum, count]: [i64; 4] = connection.query_row(sums, [], read).unwrap();
    assert_eq!([used, entries], [sum, count]);
    count
}

#[test]
fn what_a_full_log_is_settled_with_joins_its_newest_charge() {
    let scratch = Scratch::new("settled-full");
    let file = scratch.path("counters.db");
    let (store, day) = (open(&file), sliding(Window::Day));
    let full = i64::try_from(SLIDING_CHARGES).unwrap();
    let mut stamp = at(0);
    for n in 0..full {
        stamp = charged(&store, &day, 1, n);
    }
    let later = full + MINUTE;
    assert_ne!(charge(&store, &day, 1, i64::MAX, later).verdict, Verdict::Reserved);
    settle(&store, &day, stamp, [1, 11], later);
    assert_eq!(charges(&file), full);
    assert_eq!(state(&store, &day, later), (full + 10, at(later + DAY)));
    // It counts from then, with what it was before. So it is no longer where it was, and nothing is taken back there.
    assert_eq!(state(&store, &day, stamp.as_millis() - at(0).as_millis() + DAY).0, 11);
    settle(&store, &day, stamp, [1, 0], later);
    assert_eq!(state(&store, &day, later).0, full + 10);
    // Where a charge has expired there is room again.
    settle(&store, &day, stamp, [1, 3], DAY);
    assert_eq!(state(&store, &day, DAY), (full + 10 - 1 + 2, at(2 * DAY)));
}

/// The stored sum has expired charges, too, until as much time has passed for the file.
#[test]
fn sums_stop_at_the_largest_amount_and_count_on_after_it() {
    for window in [Window::Minute, Window::Seconds(2 * 86_400)] {
        let scratch = Scratch::new(&format!("settled-largest-{window}"));
        let file = scratch.path("counters.db");
        let (store, counter) = (open(&file), sliding(window));
        let stamp = charged(&store, &counter, 5, 0);
        for _ in 0..2 {
            settle(&store, &counter, stamp, [5, i64::MAX], 1);
            assert_eq!(state(&store, &counter, 1).0, i64::MAX);
        }
        let ended = window.seconds().unwrap() * 1_000 + QUARTER;
        assert_eq!(state(&store, &counter, ended).0, 0);
        charged(&store, &counter, 7, ended);
        assert_eq!(state(&store, &counter, ended).0, 7);
        assert_ne!(charge(&store, &counter, 1, 7, ended + 1).verdict, Verdict::Reserved);
        settle(&store, &counter, stamp, [5, i64::MAX], ended + 1);
        assert_eq!(state(&store, &counter, ended + 1).0, i64::MAX);
        charges(&file);
    }
}

#[test]
fn what_is_settled_counts_in_the_window_of_its_time() {
    let scratch = Scratch::new("settled-window");
    let store = open(scratch.path("counters.db"));
    let minute = Counter::new(Owner::Budget, "b", Window::Minute, Algorithm::Fixed, "grant");
    let stamp = charge(&store, &minute, 5, 5, 0).usage[0].stamp;
    settle(&store, &minute, stamp, [5, 8], 1);
    assert_eq!(state(&store, &minute, 1), (8, at(MINUTE)));
    settle(&store, &minute, stamp, [5, 9], MINUTE);
    assert_eq!(state(&store, &minute, MINUTE), (4, at(2 * MINUTE)));
    // Up to a minute behind, as a batch.
    settle(&store, &minute, stamp, [5, 6], 1);
    assert_eq!(state(&store, &minute, MINUTE), (5, at(2 * MINUTE)));
    // One settlement changes all of its counters or none, and each once.
    let other = Counter::new(Owner::Budget, "c", Window::Hour, Algorithm::Fixed, "grant");
    let [five, two] = [5, 2].map(|micros| Amount::from_micros(micros).unwrap());
    let (scope, stamp) = (scope(), at(MINUTE));
    let more = Settlement { counter: &other, scope: &scope, stamp, charged: two, actual: five };
    let less = Settlement { counter: &minute, scope: &scope, stamp, charged: five, actual: two };
    store.settle(&[more, less, more], at(MINUTE)).unwrap();
    assert_eq!([&minute, &other].map(|counter| state(&store, counter, MINUTE).0), [2, 6]);
}

#[test]
fn charges_of_a_quarter_of_an_hour_are_one_row() {
    let scratch = Scratch::new("long-rows");
    let file = scratch.path("counters.db");
    let (store, long) = (open(&file), long());
    // A clock that is behind never makes a quarter of its own that has passed, nor moves the next one on.
    for (now, quarter) in
        [(0, 1), (QUARTER - 1, 1), (MINUTE, 1), (QUARTER, 2), (MINUTE, 2), (0, 2), (QUARTER, 2)]
    {
        assert_eq!(charged(&store, &long, 1, now), at(quarter * QUARTER), "{now}");
    }
    assert_eq!(charges(&file), 2);
    assert_eq!(state(&store, &long, QUARTER), (7, at(2 * QUARTER + 7 * DAY)));
    for (now, used) in [(7 * DAY + QUARTER - 1, 7), (7 * DAY + QUARTER, 4), (7 * DAY + 2 * QUARTER, 0)] {
        assert_eq!(state(&store, &long, now).0, used, "{now}");
    }
    // It is kept for as long as it counts, and purged then.
    assert_eq!(store.purge(at(7 * DAY + 2 * QUARTER - 1)).unwrap(), 0);
    assert_eq!(charge(&store, &long, 1, 4, 7 * DAY + QUARTER).usage[0].used.as_micros(), 4);
    assert_eq!(store.purge(at(7 * DAY + 2 * QUARTER)).unwrap(), 1);
}

#[test]
fn what_was_charged_before_a_reset_in_the_same_quarter_is_not_given_back() {
    let scratch = Scratch::new("long-reset");
    let file = scratch.path("counters.db");
    let (store, long) = (open(&file), long());
    let mut before = charged(&store, &long, 5, MINUTE);
    for _ in 0..3 {
        assert!(store.reset(long.id(), &scope(), at(2 * MINUTE)).unwrap());
        assert!(!store.reset(long.id(), &scope(), at(2 * MINUTE)).unwrap());
        let after = charged(&store, &long, 5, 2 * MINUTE);
        assert!(after > before);
        settle(&store, &long, before, [5, 0], 3 * MINUTE);
        assert_eq!(state(&store, &long, 3 * MINUTE).0, 5);
        before = after;
    }
    // Later charges of the quarter join, and the next one begins in time.
    assert_eq!(charged(&store, &long, 1, QUARTER - 1), before);
    assert_eq!((charged(&store, &long, 1, QUARTER), charges(&file)), (at(2 * QUARTER), 2));
    settle(&store, &long, before, [6, 0], QUARTER);
    assert_eq!(state(&store, &long, QUARTER).0, 1);
}
