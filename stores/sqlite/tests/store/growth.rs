//! The file stays small by itself: calls forget what has ended, a few rows each, and the log is taken over into the file.

use std::fs;

use callgate::store::{Algorithm, Counter, Inspect as _, Owner, ScopeValue, Store as _, Window};
use rusqlite::Connection;

use crate::charges::{at, charge, counter, is_taken, used};
use crate::scratch::{Scratch, open};

fn minute(algorithm: Algorithm) -> Counter {
    Counter::new(Owner::AllTools, "minute", Window::Minute, algorithm, "grant")
}

fn rows(file: &std::path::Path, table: &str) -> i64 {
    let connection = Connection::open(file).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn calls_forget_what_has_ended_as_fast_as_it_is_written() {
    for algorithm in [Algorithm::Fixed, Algorithm::Sliding] {
        let scratch = Scratch::new(&format!("growth-{}", algorithm.name()));
        let file = scratch.path("counters.db");
        let (store, counter) = (open(&file), minute(algorithm));
        // A new scope value every 20 ms for ten minutes: 3,000 live at a time, and 30,000 ever.
        for n in 0..30_000 {
            assert!(is_taken(&charge(&store, &counter, &n.to_string(), 1, n * 20).unwrap()));
        }
        let live = if algorithm == Algorithm::Fixed { 3_000 } else { 3_000 + 50 };
        let left = rows(&file, "counters");
        // Two windows at most: the one before may still be going, a few rows with each call.
        assert!(left >= 3_000 && left <= 2 * live, "{left} rows are left");
        store.purge(at(30_000 * 20 + 120_000)).unwrap();
        assert_eq!((rows(&file, "counters"), rows(&file, "charges")), (0, 0));
    }
}

#[test]
fn a_long_log_is_forgotten_in_steps_and_stays_true() {
    let scratch = Scratch::new("long-log");
    let file = scratch.path("counters.db");
    let (store, long, other) = (open(&file), minute(Algorithm::Sliding), counter("other", Algorithm::Fixed));
    for n in 0..2_000 {
        assert!(is_taken(&charge(&store, &long, "a", 2_000, n).unwrap()));
    }
    // Another counter's calls, once the first one has expired.
    let later = 62_000;
    for now in (2_000..later).step_by(1_000) {
        assert!(is_taken(&charge(&store, &other, "b", 1_000, now).unwrap()));
    }
    let mut left = rows(&file, "charges");
    for n in 0..400 {
        assert!(is_taken(&charge(&store, &other, "a", 1_000, later + n).unwrap()));
        if n == 20 {
            let now = rows(&file, "charges");
            assert!(now < left && left - now < 500, "{} of {left} rows went at once", left - now);
            left = now;
            // A clock that runs behind finds no room where there was none.
            assert_eq!(used(&store, &long, "a", 1_999), left);
            assert!(!is_taken(&charge(&store, &long, "a", left, 1_999).unwrap()));
        }
    }
    assert_eq!(rows(&file, "charges"), 0);
    // Forgotten whole, it is not counted into again.
    assert!(charge(&store, &long, "a", 2_000, 1_999).unwrap().usage[0].stamp >= at(1_999 + 60_000));
}

#[test]
fn the_log_does_not_grow_without_end() {
    let scratch = Scratch::new("log");
    let (store, counter) = (open(scratch.path("counters.db")), counter("c", Algorithm::Fixed));
    for n in 0..10_000 {
        charge(&store, &counter, "a", 100_000, n).unwrap();
    }
    // 10,000 pages would be 40 MB.
    let log = fs::metadata(scratch.path("counters.db-wal")).unwrap().len();
    assert!(log < 8 << 20, "the log has {log} bytes");
}

/// An operator's list may be read slowly, or not to its end.
#[test]
fn a_list_that_is_not_read_on_holds_nothing_up() {
    let scratch = Scratch::new("log-list");
    let (store, counter) = (open(scratch.path("counters.db")), counter("c", Algorithm::Fixed));
    for n in 0..1_000 {
        charge(&store, &counter, &n.to_string(), 100_000, 0).unwrap();
    }
    let mut shown = 0;
    let mut show = |_| {
        shown += 1;
        if shown == 1 {
            for n in 0..10_000 {
                charge(&store, &counter, "0", 100_000, n).unwrap();
            }
            let log = fs::metadata(scratch.path("counters.db-wal")).unwrap().len();
            assert!(log < 8 << 20, "the log has {log} bytes");
        }
    };
    store.each(at(0), &mut show).unwrap();
    // Each once, over several steps.
    assert_eq!(shown, 1_000);
}

#[test]
fn a_log_that_a_reader_made_grow_becomes_short_again() {
    let scratch = Scratch::new("log-reader");
    let file = scratch.path("counters.db");
    let (store, counter) = (open(&file), counter("c", Algorithm::Fixed));
    let charges = |count| {
        for n in 0..count {
            charge(&store, &counter, &n.to_string(), 100_000, 0).unwrap();
        }
        fs::metadata(scratch.path("counters.db-wal")).unwrap().len()
    };
    charges(1);
    let reader = Connection::open(&file).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM counters").unwrap();
    assert!(charges(4_000) > 8 << 20, "the reader holds on to nothing");
    reader.execute_batch("COMMIT").unwrap();
    let log = charges(2_000);
    assert!(log <= 4 << 20, "the log has {log} bytes");
}

/// It can neither hold up nor end what others count, but it can be undone.
#[test]
fn a_reset_clears_what_lies_ahead() {
    for algorithm in [Algorithm::Fixed, Algorithm::Sliding] {
        let scratch = Scratch::new(&format!("ahead-{}", algorithm.name()));
        let (store, counter, year) = (open(scratch.path("counters.db")), minute(algorithm), 365 * 86_400_000);
        for now in [0, year] {
            assert!(is_taken(&charge(&store, &counter, "a", 1, now).unwrap()));
        }
        assert!(store.reset(counter.id(), &ScopeValue::from(&b"a"[..]), at(1)).unwrap());
        assert_eq!([1, year].map(|now| used(&store, &counter, "a", now)), [0, 0]);
        assert!(is_taken(&charge(&store, &counter, "a", 1, 1).unwrap()));
        // Also where nothing else is held.
        assert!(is_taken(&charge(&store, &counter, "b", 1, year).unwrap()));
        assert!(store.reset(counter.id(), &ScopeValue::from(&b"b"[..]), at(1)).unwrap());
        assert_eq!(used(&store, &counter, "b", year), 0);
    }
}

/// Windows may be forgotten together that lie far apart, where one clock was ahead.
#[test]
fn a_forgotten_window_is_not_filled_again_beside_one_far_ahead() {
    let scratch = Scratch::new("forgotten-beside");
    let (store, counter, ahead) = (open(scratch.path("counters.db")), minute(Algorithm::Fixed), 75 * 60_000);
    for now in [ahead, 0, 1] {
        assert!(is_taken(&charge(&store, &counter, "a", 2, now).unwrap()));
    }
    assert_eq!(store.purge(at(0)).unwrap(), 0);
    assert_eq!(store.purge(at(60_000)).unwrap(), 2);
    for behind in [0, 1, 59_999] {
        let usage = charge(&store, &counter, "a", 9, behind).unwrap().usage[0];
        assert_eq!(usage.stamp, at(60_000), "{behind}");
    }
}
