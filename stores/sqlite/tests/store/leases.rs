//! Calls in flight: places that processes take and give back, or leave behind when they are killed (spec 2.28).
//!
//! Each holder writes to one file when it has taken a place, and before it gives it back. So what these times say was held at once is
//! never more than what was.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use callgate::Amount;
use callgate::store::{Algorithm, Batch, Counter, Owner, ScopeValue, Settlement, Slot, Store as _, Window};
use callgate::time::Timestamp;

use crate::charges::is_taken;
use crate::scratch::{Scratch, open};
use crate::started::{PROCESSES, given, start};

const PLACES: i64 = 4;
const LEASE: i64 = 1_000;
const KILLS: u64 = 30;
const TEST: &str = "leases::no_more_calls_are_in_flight_than_there_are_places";

fn counter() -> Counter {
    Counter::new(Owner::Tool("t".into()), "_in_flight", Window::Seconds(1), Algorithm::Sliding, "global")
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap())
}

fn place(counter: &Counter) -> Batch<'_> {
    let [charge, max] = [1, PLACES].map(Amount::from_whole);
    let slot = Slot { counter, scope: ScopeValue::default(), charge, max: max.unwrap(), order: 0 };
    Batch { slots: [slot].into_iter().collect(), ..Batch::default() }
}

fn log(directory: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(directory.join("log")).unwrap()
}

/// Takes places and gives them back, for ever.
fn hold(file: &Path, number: usize) {
    let (store, counter, scope) = (open(file), counter(), ScopeValue::default());
    let mut log = log(file.parent().unwrap());
    for turn in 0_u64.. {
        let outcome = store.reserve(&place(&counter), now()).unwrap();
        if !is_taken(&outcome) {
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        let stamp = outcome.usage[0].stamp;
        let taken = format!("{number} {} {}\n", now().as_millis(), stamp.as_millis() + LEASE);
        log.write_all(taken.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(5 + turn % 17));
        log.write_all(format!("{number} {}\n", now().as_millis()).as_bytes()).unwrap();
        let one = Amount::from_whole(1).unwrap();
        store.settle(&[Settlement::refund(&counter, &scope, stamp, one)], now()).unwrap();
    }
}

/// From when until when a place was held.
fn held(log: &str) -> Vec<(i64, i64)> {
    let (mut open, mut all) = (vec![None; 1_000], Vec::new());
    for line in log.lines() {
        let numbers: Vec<i64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
        let holder = &mut open[usize::try_from(numbers[0]).unwrap()];
        match (&numbers[1..], *holder) {
            ([from, until], None) => *holder = Some((*from, *until)),
            // It gave the place back, or died.
            ([at], Some((from, until))) => {
                all.push((from, until.min(*at)));
                *holder = None;
            }
            // It died without a place.
            _ => assert_eq!(numbers.len(), 2, "{line}"),
        }
    }
    all
}

#[test]
fn no_more_calls_are_in_flight_than_there_are_places() {
    if let Some((file, number)) = given() {
        return hold(&file, number);
    }
    let scratch = Scratch::new("leases");
    let file = scratch.path("counters.db");
    let (store, counter) = (open(&file), counter());
    let mut holders: Vec<_> = (0..PROCESSES).map(|number| (number, start(TEST, &file, number))).collect();
    let mut log = log(&scratch.path(""));
    // All of them contend, before the first of them leaves a place behind.
    thread::sleep(Duration::from_millis(500));
    for kill in 0..KILLS {
        thread::sleep(Duration::from_millis(30 + kill * 37 % 211));
        let (number, mut holder) = holders.remove(usize::try_from(kill * 5 % 8).unwrap() % holders.len());
        holder.kill().unwrap();
        holder.wait().unwrap();
        log.write_all(format!("{number} {}\n", now().as_millis()).as_bytes()).unwrap();
        let next = PROCESSES + usize::try_from(kill).unwrap();
        holders.push((next, start(TEST, &file, next)));
    }
    for (number, mut holder) in holders {
        holder.kill().unwrap();
        holder.wait().unwrap();
        log.write_all(format!("{number} {}\n", now().as_millis()).as_bytes()).unwrap();
    }
    let all = held(&std::fs::read_to_string(scratch.path("log")).unwrap());
    let at_once = |at: i64| all.iter().filter(|(from, until)| *from <= at && at < *until).count();
    let most = all.iter().map(|(from, _)| at_once(*from)).max().unwrap();
    assert_eq!(i64::try_from(most).unwrap(), PLACES, "of {} calls", all.len());
    // Who was killed in flight left a place behind; no longer than the lease.
    let left = store.peek(&place(&counter), now()).unwrap().usage[0];
    assert!(left.used.as_micros() <= PLACES * Amount::SCALE);
    let free = now().plus_millis(LEASE);
    for n in 1..=PLACES {
        let outcome = store.reserve(&place(&counter), free).unwrap();
        assert!(is_taken(&outcome), "a place is not free after the lease");
        assert_eq!(outcome.usage[0].used.as_micros(), n * Amount::SCALE);
    }
    assert!(!is_taken(&store.reserve(&place(&counter), free).unwrap()));
}
