//! Counters that never reset (spec 8.3, 8.18).

use callgate::store::{Bound, GuardMode, Settlement, Usage, Window};
use callgate::time::Timestamp;

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.18" what_never_resets_tells_no_time,
    "8.18" what_never_resets_outlives_every_window,
    "8.18" what_never_resets_is_kept_by_a_purge,
    "8.18" what_never_resets_is_taken_back_at_any_time,
    "8.12" what_never_resets_is_listed_and_can_be_reset,
}

/// The last millisecond that there is, from [`BASE`].
const END: i64 = Timestamp::MAX.as_millis() - BASE;

fn usage(used: i64) -> Usage {
    Usage { used: micros(used), resets_at: Timestamp::MAX, stamp: Timestamp::MIN }
}

fn what_never_resets_tells_no_time(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Ever));
    assert_eq!(ledger.usage(&counter, 0), usage(0));
    assert_eq!(ledger.charged(&counter, 5, 0), usage(5));
    let refused = ledger.charge(&counter, 1, 5, 1);
    assert_eq!((refusals(&refused)[0].bound, retry_at(&refused)), (Bound::Max(0), None));
    assert_eq!(refused.usage[0], usage(5));
    let tests: [(GuardMode, &[(i64, i64)]); 2] =
        [(GuardMode::RequireAll, &[(0, 4)]), (GuardMode::RefuseAll, &[(5, 5)])];
    for (mode, ranges) in tests {
        assert_eq!(retry_at(&ledger.peek(&guarded([read(&counter)], mode, &[(0, ranges)]), 1)), None);
    }
    // One that holds as it stands holds for good: what else refuses is all there is to wait for.
    let hour = fixed(Window::Hour);
    ledger.charged(&hour, 5, 1);
    let both =
        guarded([read(&counter), read(&hour)], GuardMode::RequireAll, &[(0, &[(5, 5)]), (1, &[(0, 4)])]);
    assert_eq!(retry_at(&ledger.peek(&both, 1)), Some(HOUR));
}

fn what_never_resets_outlives_every_window(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Ever));
    let times = [0, DAY, 400 * DAY, 36_600 * DAY, END - DAY, END - 1, END];
    for (n, now) in (1..).zip(times) {
        assert_eq!(ledger.charged(&counter, 1, now), usage(n), "{now}");
        assert!(!taken(&ledger.charge(&counter, 1, n, now)), "{now}");
    }
    assert_eq!(ledger.used(&counter, END), 7);
}

fn what_never_resets_is_kept_by_a_purge(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Ever));
    let minute = fixed(Window::Minute);
    ledger.charged(&counter, 5, 0);
    for now in [MINUTE, 400 * DAY, 36_600 * DAY, END - 1, END] {
        if now < END {
            ledger.charged(&minute, 1, now);
        }
        ledger.purge(now);
        assert_eq!(ledger.usage(&counter, now), usage(5), "{now}");
        assert!(!taken(&ledger.charge(&counter, 1, 5, now)), "{now}");
    }
}

fn what_never_resets_is_taken_back_at_any_time(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Ever));
    let stamp = ledger.charged(&counter, 5, 0).stamp;
    ledger.refund(&counter, stamp, 2, 4_000 * DAY);
    assert_eq!(ledger.used(&counter, 4_000 * DAY), 3);
    ledger.settle(&[Settlement { actual: micros(9), ..settlement(&counter, &scope("a"), stamp, 3) }], END);
    assert_eq!(ledger.usage(&counter, END), usage(9));
    ledger.refund(&counter, stamp, 9, END);
    assert_eq!(ledger.held(END), []);
    ledger.purge(END);
    assert_eq!(ledger.charged(&counter, 1, END), usage(1));
}

fn what_never_resets_is_listed_and_can_be_reset(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Ever));
    let before = ledger.charged(&counter, 5, 0).stamp;
    for now in [0, 400 * DAY] {
        let held = ledger.held(now);
        assert_eq!(held.len(), 1);
        assert_eq!((&held[0].counter, held[0].resets_at), (&counter, Timestamp::MAX));
    }
    assert!(ledger.reset(&counter, 500 * DAY));
    assert_eq!(ledger.used(&counter, 500 * DAY), 0);
    // What was charged before is not taken back from what is charged after, forgotten or not.
    ledger.purge(500 * DAY);
    let after = ledger.charged(&counter, 5, 500 * DAY).stamp;
    ledger.refund(&counter, before, 5, 501 * DAY);
    assert_eq!(ledger.used(&counter, 501 * DAY), 5);
    ledger.refund(&counter, after, 5, 501 * DAY);
    assert_eq!(ledger.used(&counter, 501 * DAY), 0);
}
