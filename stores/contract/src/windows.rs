//! Fixed windows: those of the UTC calendar, and multiples of a length from the epoch (spec 8.3).

use callgate::store::{Usage, Window};
use callgate::time::Timestamp;

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.3" a_window_rolls_over_at_its_end_and_not_before,
    "8.3" a_refused_call_is_told_the_end_of_the_window,
    "8.1" a_window_that_ended_holds_nothing,
}

/// Windows with the start and the end of one of each, in milliseconds since the epoch.
fn windows() -> Vec<(Window, i64, i64)> {
    let (february, march, december, january) =
        (1_706_745_600_000, 1_709_251_200_000, 1_796_083_200_000, 1_798_761_600_000);
    vec![
        (Window::Minute, BASE, BASE + MINUTE),
        (Window::Hour, BASE + HOUR, BASE + 2 * HOUR),
        (Window::Day, BASE + DAY, BASE + 2 * DAY),
        (Window::Week, BASE, BASE + 7 * DAY),
        // February of a leap year, and the month before a new year.
        (Window::Month, february, march),
        (Window::Month, december, january),
        (Window::Seconds(1), BASE, BASE + SECOND),
        (Window::Seconds(90), BASE, BASE + 90 * SECOND),
        (Window::Seconds(604_800), BASE - 4 * DAY, BASE + 3 * DAY),
    ]
}

fn a_window_rolls_over_at_its_end_and_not_before(subject: &dyn Subject) {
    for (window, start, end) in windows() {
        let (ledger, counter) = (Ledger::open(subject), fixed(window));
        let take = |millis: i64| ledger.charge(&counter, 1, 2, millis - BASE);
        let usage = |used| Usage {
            used: micros(used),
            resets_at: Timestamp::from_millis(end),
            stamp: Timestamp::from_millis(start),
        };
        assert_eq!(take(start).usage[0], usage(1), "{window}");
        assert_eq!(take(end - 1).usage[0], usage(2), "{window}");
        let outcome = take(end - 1);
        assert_eq!(retry_at(&outcome), Some(end - BASE), "{window}");
        assert_eq!(outcome.usage[0], usage(2), "{window}");
        let outcome = take(end);
        assert!(taken(&outcome), "{window}: {outcome:?}");
        assert_eq!(outcome.usage[0].used, micros(1), "{window}");
        assert_eq!(outcome.usage[0].stamp, Timestamp::from_millis(end), "{window}");
    }
}

fn a_refused_call_is_told_the_end_of_the_window(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Day));
    ledger.charged(&counter, 5, 0);
    for now in [0, 1, HOUR, DAY - 1] {
        assert_eq!(retry_at(&ledger.charge(&counter, 1, 5, now)), Some(DAY));
    }
}

fn a_window_that_ended_holds_nothing(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Minute));
    ledger.charged(&counter, 5, 0);
    assert_eq!(ledger.used(&counter, MINUTE - 1), 5);
    let later = ledger.usage(&counter, MINUTE);
    assert_eq!(later, Usage { used: micros(0), resets_at: at(2 * MINUTE), stamp: at(MINUTE) });
    assert_eq!(ledger.held(MINUTE), []);
    // Asking has not begun a window, and a long pause changes nothing.
    assert_eq!(ledger.charged(&counter, 1, 90 * DAY).used, micros(1));
}
