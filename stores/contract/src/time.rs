//! Clocks that disagree: time does not run back (spec 8.4, trap 25).

use callgate::store::{Algorithm, Counter, Window};

use crate::ledger::*;
use crate::{Subject, TimeKept, group};

group! {
    "8.4" a_clock_behind_counts_in_the_newer_window,
    "8.4" a_clock_behind_counts_at_the_newest_charge,
    "8.4" a_clock_behind_is_told_the_newer_window,
    "8.4" an_ended_window_is_never_filled_again,
    "8.4" a_window_that_a_later_one_followed_is_not_filled_again,
    "8.4" a_clock_far_ahead_ends_no_window_of_the_others,
    "8.4" a_clock_far_behind_counts_in_its_own_windows,
    "8.4" a_store_that_keeps_its_time_uses_it_for_every_counter,
}

/// How far behind clocks may be, at least, and still count in the newest window.
fn far_enough(subject: &dyn Subject) -> &'static [i64] {
    match subject.time_kept() {
        TimeKept::Store => &[1, MINUTE, 61 * SECOND, 40 * DAY, 300 * DAY],
        TimeKept::EachCounter => &[1, SECOND, MINUTE],
    }
}

fn a_clock_behind_counts_in_the_newer_window(subject: &dyn Subject) {
    // The first of March, 1970, so that all of these begin.
    let begun = 59 * DAY;
    for window in [Window::Minute, Window::Month, Window::Seconds(60)] {
        let (ledger, counter) = (Ledger::open(subject), fixed(window));
        let stamp = ledger.charged(&counter, 3, begun).stamp;
        let mut used = 3;
        for behind in far_enough(subject) {
            let outcome = ledger.charge(&counter, 1, used, begun - behind.min(&begun));
            assert!(!taken(&outcome), "{window}: a clock {behind} ms behind found room");
            assert_eq!(outcome.usage[0].used, micros(used));
            assert_eq!(ledger.charged(&counter, 1, begun - behind.min(&begun)).stamp, stamp);
            used += 1;
        }
        assert_eq!(ledger.used(&counter, begun), used);
    }
}

fn a_clock_behind_counts_at_the_newest_charge(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), sliding(60));
    ledger.charged(&counter, 1, 0);
    ledger.charged(&counter, 1, 61 * SECOND);
    // The first has expired by then, and does not come back.
    let behind = 2 * SECOND;
    assert_eq!(ledger.used(&counter, behind), 1);
    assert_eq!(ledger.charged(&counter, 1, behind).stamp, at(61 * SECOND));
    assert_eq!(retry_at(&ledger.charge(&counter, 1, 2, behind)), Some(121 * SECOND));
    assert_eq!(ledger.used(&counter, 121 * SECOND - 1), 2);
    assert_eq!(ledger.used(&counter, 121 * SECOND), 0);
}

fn a_clock_behind_is_told_the_newer_window(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Minute));
    let newest = ledger.charged(&counter, 3, 10 * MINUTE);
    assert_eq!(ledger.usage(&counter, 9 * MINUTE), newest);
    assert_eq!(retry_at(&ledger.charge(&counter, 1, 3, 9 * MINUTE)), Some(11 * MINUTE));
}

/// What ended may be forgotten, but a clock that is still in it must not find it empty.
fn an_ended_window_is_never_filled_again(subject: &dyn Subject) {
    for counter in [fixed(Window::Minute), sliding(60)] {
        for purged in [true, false] {
            let ledger = Ledger::open(subject);
            let first = ledger.charged(&counter, 5, 0).stamp;
            // Traffic of others, of which a store may take the occasion to forget what has ended.
            let other = other_counter(&counter);
            for n in 0..500 {
                let slot = callgate::store::Slot { scope: scope(&n.to_string()), ..charge(&other, 1, 9) };
                assert!(taken(&ledger.reserve(&batch([slot]), 3 * MINUTE + n * 500)));
            }
            if purged {
                ledger.purge(10 * MINUTE);
            }
            for behind in [0, 1, MINUTE - 1] {
                let outcome = ledger.charge(&counter, 1, 5, behind);
                let again = taken(&outcome) && outcome.usage[0].stamp.since(first).as_millis() < 60_000;
                assert!(!again, "a window was filled twice: {outcome:?}");
            }
        }
    }
}

/// A window may be forgotten just as a later one of its counter begins, far ahead of a clock that is still in the first.
fn a_window_that_a_later_one_followed_is_not_filled_again(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Seconds(7)));
    let begun = 7_004 * SECOND;
    let first = ledger.charged(&counter, 5, begun).stamp;
    assert_eq!(first, at(begun), "such a window begins then");
    let other = fixed(Window::Day);
    for second in 1..7 {
        ledger.charged(&other, 1, begun + second * SECOND);
    }
    ledger.charged(&counter, 1, begun + 100 * SECOND);
    let outcome = ledger.charge(&counter, 1, 5, begun + SECOND);
    assert!(!taken(&outcome) || outcome.usage[0].stamp != first, "a window was filled twice: {outcome:?}");
}

/// Where each counter goes by itself, one clock that is wrong must not count for everybody's.
fn a_clock_far_ahead_ends_no_window_of_the_others(subject: &dyn Subject) {
    if subject.time_kept() != TimeKept::EachCounter {
        return;
    }
    let (ledger, ahead) = (Ledger::open(subject), 365 * DAY);
    let counters = [fixed(Window::Minute), fixed(Window::Day), sliding(60), sliding(86_400)];
    let ends = [MINUTE, DAY, MINUTE, DAY];
    for counter in &counters {
        ledger.charged(counter, 5, 0);
    }
    // One that charges the same counters, and some of its own, of which a store may take the occasion to forget.
    for counter in &counters {
        assert!(taken(&ledger.charge(counter, 1, 5, ahead)));
        let other = other_counter(counter);
        for n in 0..200 {
            let slot = callgate::store::Slot { scope: scope(&n.to_string()), ..charge(&other, 1, 9) };
            assert!(taken(&ledger.reserve(&batch([slot]), ahead + n)));
        }
    }
    for (counter, ends) in counters.iter().zip(ends) {
        let outcome = ledger.charge(counter, 1, 5, SECOND);
        assert_eq!(retry_at(&outcome), Some(ends), "{counter:?}");
        assert_eq!(outcome.usage[0].used, micros(5));
        // It comes to an end for those who are in it, and the next one is theirs.
        assert_eq!(ledger.used(counter, ends), 0);
        assert_eq!(ledger.charged(counter, 1, ends).stamp, at(ends));
        assert_eq!(ledger.used(counter, ends + 1), 1);
    }
    // What the other charged stays charged.
    for counter in &counters {
        assert_eq!(ledger.used(counter, ahead + 1), 1);
    }
}

fn a_clock_far_behind_counts_in_its_own_windows(subject: &dyn Subject) {
    if subject.time_kept() != TimeKept::EachCounter {
        return;
    }
    for counter in [fixed(Window::Minute), sliding(60)] {
        let (ledger, newer) = (Ledger::open(subject), 70 * DAY);
        ledger.charged(&counter, 3, newer);
        for behind in [2 * MINUTE, 300 * MINUTE, 40 * DAY] {
            let now = newer - behind;
            assert_eq!(ledger.charged(&counter, 2, now).stamp, at(now), "{behind} ms behind");
            // Never more than the maximum there, either.
            assert!(!taken(&ledger.charge(&counter, 1, 2, now + 1)));
            assert_eq!(retry_at(&ledger.charge(&counter, 1, 2, now + 1)), Some(now + MINUTE));
        }
        assert_eq!(ledger.used(&counter, newer), 3);
        assert!(!taken(&ledger.charge(&counter, 1, 3, newer + 1)));
    }
}

fn other_counter(like: &Counter) -> Counter {
    counter("other", like.window(), like.algorithm())
}

fn a_store_that_keeps_its_time_uses_it_for_every_counter(subject: &dyn Subject) {
    if subject.time_kept() != TimeKept::Store {
        return;
    }
    let ledger = Ledger::open(subject);
    let [one, _] = both();
    ledger.charged(&one, 1, 10 * DAY);
    let never_charged = counter("never", Window::Minute, Algorithm::Fixed);
    assert_eq!(ledger.charged(&never_charged, 1, 0).stamp, at(10 * DAY));
    assert_eq!(ledger.charged(&sliding(60), 1, 0).stamp, at(10 * DAY));
    // A refused batch was decided, too; asking decides nothing.
    assert!(!taken(&ledger.charge(&one, 9, 1, 20 * DAY)));
    assert_eq!(ledger.charged(&never_charged, 1, 0).stamp, at(20 * DAY));
    ledger.used(&one, 30 * DAY);
    assert_eq!(ledger.charged(&never_charged, 1, 0).stamp, at(20 * DAY));
}
