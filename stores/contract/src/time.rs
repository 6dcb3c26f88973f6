//! Clocks that disagree: time does not run back (spec 8.4, trap 25).

use callgate::{Algorithm, Counter, Window};

use crate::ledger::*;
use crate::{Subject, TimeKept, group};

group! {
    "8.4" a_clock_behind_counts_in_the_newer_window,
    "8.4" a_clock_behind_counts_at_the_newest_charge,
    "8.4" a_clock_behind_is_told_the_newer_window,
    "8.4" an_ended_window_is_never_filled_again,
    "8.4" a_store_that_keeps_its_time_uses_it_for_every_counter,
}

fn a_clock_behind_counts_in_the_newer_window(subject: &dyn Subject) {
    for window in [Window::Minute, Window::Month, Window::Seconds(60)] {
        let (ledger, counter) = (Ledger::open(subject), fixed(window));
        let stamp = ledger.charged(&counter, 3, 70 * DAY).stamp;
        for behind in [1, 61 * SECOND, 40 * DAY, 300 * DAY] {
            let outcome = ledger.charge(&counter, 1, 3, 70 * DAY - behind);
            assert!(!taken(&outcome), "{window}: a clock {behind} ms behind found room");
            assert_eq!(outcome.usage[0].used, micros(3));
        }
        assert_eq!(ledger.charged(&counter, 1, 0).stamp, stamp);
        assert_eq!(ledger.used(&counter, 70 * DAY), 4);
    }
}

fn a_clock_behind_counts_at_the_newest_charge(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), sliding(60));
    ledger.charged(&counter, 1, 0);
    ledger.charged(&counter, 1, 90 * SECOND);
    // The first has expired by then, and does not come back.
    assert_eq!(ledger.used(&counter, 10), 1);
    assert_eq!(ledger.charged(&counter, 1, 10).stamp, at(90 * SECOND));
    assert_eq!(retry_at(&ledger.charge(&counter, 1, 2, 10)), Some(150 * SECOND));
    assert_eq!(ledger.used(&counter, 150 * SECOND - 1), 2);
    assert_eq!(ledger.used(&counter, 150 * SECOND), 0);
}

fn a_clock_behind_is_told_the_newer_window(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Minute));
    let newest = ledger.charged(&counter, 3, 10 * MINUTE);
    assert_eq!(ledger.usage(&counter, 2 * MINUTE), newest);
    assert_eq!(retry_at(&ledger.charge(&counter, 1, 3, 2 * MINUTE)), Some(11 * MINUTE));
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
                let slot = callgate::Slot { scope: scope(&n.to_string()), ..charge(&other, 1, 9) };
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
