//! Days, weeks and months of a time zone, and weeks from Sunday (spec 8.17).

use std::sync::Arc;

use callgate::store::{Algorithm, Calendar, Counter, Usage, Window};

use crate::ledger::*;
use crate::{Subject, TimeKept, group};

group! {
    "8.17" a_window_of_a_zone_follows_its_clock,
    "8.17" weeks_may_begin_on_sunday,
    "8.17" a_window_of_a_zone_ends_when_it_was_to_end,
    "8.17" a_window_of_a_zone_begins_where_the_one_before_ended,
    "8.17" a_later_window_of_a_zone_begins_as_its_caller_says,
    "8.17" a_clock_behind_counts_in_the_window_of_its_zone,
    "8.17" a_clock_ahead_begins_the_window_of_all,
    "8.17" what_is_refused_or_asked_begins_no_window,
    "8.17" a_window_of_a_zone_is_taken_back_from_and_settled,
    "8.17" a_purge_keeps_the_window_of_a_zone,
    "8.17" a_window_of_a_zone_is_listed_and_reset,
    "8.17" callers_who_differ_stay_within_the_maximum,
}

/// Zones with what lies around their changes of the clock: window, its start, its end.
const CHANGES: [(&str, Window, &str, &str); 13] = [
    // Nights of 23 and of 25 hours: the clock changes within the day.
    ("America/New_York", Window::Day, "2025-03-09T05:00:00Z", "2025-03-10T04:00:00Z"),
    ("America/New_York", Window::Day, "2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z"),
    ("America/New_York", Window::Week, "2025-03-03T05:00:00Z", "2025-03-10T04:00:00Z"),
    ("America/New_York", Window::Month, "2025-03-01T05:00:00Z", "2025-04-01T04:00:00Z"),
    // From 0:00 to 1:00, and from 1:00 back to 0:00.
    ("America/Havana", Window::Day, "2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z"),
    ("America/Havana", Window::Day, "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z"),
    // From 0:00 to 1:00, and from 24:00 back to 23:00: the date goes on.
    ("Asia/Beirut", Window::Day, "2025-03-29T22:00:00Z", "2025-03-30T21:00:00Z"),
    ("Asia/Beirut", Window::Day, "2025-10-24T21:00:00Z", "2025-10-25T22:00:00Z"),
    ("Asia/Beirut", Window::Month, "2025-09-30T21:00:00Z", "2025-10-31T22:00:00Z"),
    ("America/Asuncion", Window::Day, "2023-10-01T04:00:00Z", "2023-10-02T03:00:00Z"),
    ("America/Asuncion", Window::Day, "2024-03-23T03:00:00Z", "2024-03-24T04:00:00Z"),
    ("America/Asuncion", Window::Week, "2024-03-18T03:00:00Z", "2024-03-25T04:00:00Z"),
    ("Asia/Kathmandu", Window::Day, "2026-11-15T18:15:00Z", "2026-11-16T18:15:00Z"),
];

fn of_zone(zone: &str, window: Window) -> Counter {
    let calendar = Calendar::new(Some(zone), false).expect("the zone is known");
    fixed(window).in_calendar(&Arc::new(calendar))
}

/// The same counter, as two hosts know it: one has the zone go forward in summer, the other does not.
fn two_callers() -> [Counter; 2] {
    ["EST5EDT,M3.2.0,M11.1.0", "EST5"].map(|rules| {
        let calendar = Calendar::with_rules("America/New_York", rules, false).expect("these are rules");
        fixed(Window::Day).in_calendar(&Arc::new(calendar))
    })
}

/// The hour of 1 July 2025 UTC, in milliseconds from [`BASE`]. Days begin at 4 for the first caller, at 5 for the second.
fn hour(hour: i64) -> i64 {
    on("2025-07-01T00:00:00Z") + hour * HOUR
}

fn usage(used: i64, stamp: i64, resets_at: i64) -> Usage {
    Usage { used: micros(used), resets_at: at(resets_at), stamp: at(stamp) }
}

fn a_window_of_a_zone_follows_its_clock(subject: &dyn Subject) {
    for (zone, window, start, end) in CHANGES {
        let (ledger, counter) = (Ledger::open(subject), of_zone(zone, window));
        let (start, end) = (on(start), on(end));
        assert_eq!(counter.window_at(at(start)), (at(start), at(end)), "{zone} {window}: the zone's rules");
        let before = ledger.charged(&counter, 2, start - 1);
        assert_eq!(before.resets_at, at(start), "{zone} {window}");
        for (n, now) in (1..).zip([start, start + HOUR, end - HOUR, end - 1]) {
            assert_eq!(ledger.charge(&counter, 1, 4, now).usage[0], usage(n, start, end), "{zone} {window}");
        }
        assert_eq!(retry_at(&ledger.charge(&counter, 1, 4, end - 1)), Some(end), "{zone} {window}");
        let next = ledger.charged(&counter, 1, end);
        assert_eq!((next.used, next.stamp), (micros(1), at(end)), "{zone} {window}");
    }
}

fn weeks_may_begin_on_sunday(subject: &dyn Subject) {
    let sunday = |zone| {
        let calendar = Calendar::new(zone, true).expect("the zone is known");
        fixed(Window::Week).in_calendar(&Arc::new(calendar))
    };
    for (counter, start, end) in [
        (sunday(None), "2026-11-15T00:00:00Z", "2026-11-22T00:00:00Z"),
        (sunday(Some("America/New_York")), "2025-03-09T05:00:00Z", "2025-03-16T04:00:00Z"),
        (sunday(Some("Asia/Beirut")), "2025-10-18T21:00:00Z", "2025-10-25T22:00:00Z"),
    ] {
        let (ledger, start, end) = (Ledger::open(subject), on(start), on(end));
        for (n, now) in (1..).zip([start, end - 1]) {
            assert_eq!(ledger.charged(&counter, 1, now), usage(n, start, end), "{counter:?}");
        }
        assert_eq!(ledger.charged(&counter, 1, end).stamp, at(end), "{counter:?}");
        assert_eq!(ledger.held(end).len(), 1);
        assert_eq!(ledger.held(end)[0].counter, counter);
    }
    // The week from Monday beside it is another counter.
    let ledger = Ledger::open(subject);
    ledger.charged(&sunday(None), 5, 0);
    assert_eq!(ledger.used(&fixed(Window::Week), 0), 0);
}

fn a_window_of_a_zone_ends_when_it_was_to_end(subject: &dyn Subject) {
    let [one, other] = two_callers();
    // Begun by either, it is that of both, up to its end.
    for (first, second, start, end) in [(&one, &other, hour(4), hour(28)), (&other, &one, hour(5), hour(29))]
    {
        let ledger = Ledger::open(subject);
        assert_eq!(ledger.charged(first, 1, hour(6)), usage(1, start, end));
        for (n, now) in (2..).zip([hour(7), hour(27), end - 1]) {
            assert_eq!(ledger.usage(second, now), usage(n - 1, start, end));
            assert_eq!(ledger.charged(second, 1, now), usage(n, start, end));
        }
        for caller in [first, second] {
            let refused = ledger.charge(caller, 1, 4, end - 1);
            assert_eq!((retry_at(&refused), refused.usage[0]), (Some(end), usage(4, start, end)));
        }
        assert_eq!(ledger.used(first, end), 0);
        assert_eq!(ledger.used(second, end), 0);
    }
}

fn a_window_of_a_zone_begins_where_the_one_before_ended(subject: &dyn Subject) {
    let [one, other] = two_callers();
    let ledger = Ledger::open(subject);
    assert_eq!(ledger.charged(&one, 1, hour(6)), usage(1, hour(4), hour(28)));
    // For the second, the day before goes on an hour longer: that hour is a window of its own.
    assert_eq!(ledger.usage(&other, hour(28)), usage(0, hour(28), hour(29)));
    assert_eq!(ledger.charged(&other, 1, hour(28)), usage(1, hour(28), hour(29)));
    assert_eq!(ledger.charged(&one, 1, hour(29) - 1), usage(2, hour(28), hour(29)));
    // For the first, the day began before that.
    assert_eq!(ledger.usage(&one, hour(29)), usage(0, hour(29), hour(52)));
    assert_eq!(ledger.charged(&one, 1, hour(29)), usage(1, hour(29), hour(52)));
    assert_eq!(ledger.charged(&other, 1, hour(51)), usage(2, hour(29), hour(52)));
    // Alone, it is charged in the same way.
    let store = ledger.store();
    let alone = store.charge_one(&charge(&other, 1, 9), at(hour(52) - 1)).unwrap();
    assert_eq!(alone.usage[0], usage(3, hour(29), hour(52)));
    let alone = store.charge_one(&charge(&other, 1, 9), at(hour(52))).unwrap();
    assert_eq!(alone.usage[0], usage(1, hour(52), hour(53)));
    let refused = store.charge_one(&charge(&one, 1, 1), at(hour(52) + 1)).unwrap();
    assert_eq!((retry_at(&refused), refused.usage[0]), (Some(hour(53)), usage(1, hour(52), hour(53))));
}

fn a_later_window_of_a_zone_begins_as_its_caller_says(subject: &dyn Subject) {
    let [one, other] = two_callers();
    for (first, second, start, end) in
        [(&one, &other, hour(53), hour(77)), (&other, &one, hour(52), hour(76))]
    {
        let ledger = Ledger::open(subject);
        ledger.charged(first, 1, hour(6));
        // A day without calls lies between.
        assert_eq!(ledger.charged(second, 1, hour(60)), usage(1, start, end));
        assert_eq!(ledger.charged(first, 1, hour(60)), usage(2, start, end));
    }
}

fn a_clock_behind_counts_in_the_window_of_its_zone(subject: &dyn Subject) {
    let [one, other] = two_callers();
    for caller in [&one, &other] {
        let ledger = Ledger::open(subject);
        ledger.charged(&one, 1, hour(6));
        let begun = usage(1, hour(4), hour(28));
        for (n, behind) in (1..).zip([0, MINUTE, 3 * HOUR, 2 * DAY, 40 * DAY, 400 * DAY]) {
            let now = hour(6) - behind;
            assert_eq!(ledger.usage(caller, now), Usage { used: micros(n), ..begun }, "{behind}");
            assert!(!taken(&ledger.charge(caller, 1, n, now)), "{behind}");
            assert_eq!(ledger.charged(caller, 1, now), Usage { used: micros(n + 1), ..begun }, "{behind}");
        }
        assert_eq!(ledger.used(&one, hour(28) - 1), 7);
    }
}

fn a_clock_ahead_begins_the_window_of_all(subject: &dyn Subject) {
    let [one, other] = two_callers();
    let ledger = Ledger::open(subject);
    ledger.charged(&one, 3, hour(6));
    let begun = ledger.charged(&other, 1, hour(6) + 40 * DAY);
    for (n, caller) in (2..).zip([&one, &other]) {
        assert_eq!(ledger.charged(caller, 1, hour(7)), Usage { used: micros(n), ..begun });
    }
    assert!(!taken(&ledger.charge(&one, 1, 3, hour(7) + 39 * DAY)));
}

fn what_is_refused_or_asked_begins_no_window(subject: &dyn Subject) {
    let [one, other] = two_callers();
    let with_room = counter("room", Window::Ever, Algorithm::Fixed);
    let ledger = Ledger::open(subject);
    for _ in 0..2 {
        assert!(!taken(&ledger.charge(&one, 2, 1, hour(6))));
        let store = ledger.store();
        assert!(!taken(&store.charge_one(&charge(&one, 2, 1), at(hour(6))).unwrap()));
        ledger.peek(&batch([charge(&one, 1, 9)]), hour(6));
        // One that is refused for another counter, and a charge of zero.
        ledger.charged(&with_room, 1, hour(6));
        assert!(!taken(&ledger.reserve(&batch([charge(&one, 1, 9), charge(&with_room, 1, 1)]), hour(6))));
        ledger.charged(&one, 0, hour(6));
    }
    assert_eq!(ledger.charged(&other, 1, hour(6)), usage(1, hour(5), hour(29)));
    assert!(!taken(&ledger.charge(&one, 2, 1, hour(29))));
    assert_eq!(ledger.charged(&other, 1, hour(29)), usage(1, hour(29), hour(53)));
}

fn a_window_of_a_zone_is_taken_back_from_and_settled(subject: &dyn Subject) {
    let [one, other] = two_callers();
    let who = scope("a");
    let ledger = Ledger::open(subject);
    let first = ledger.charged(&one, 5, hour(6)).stamp;
    ledger.refund(&other, first, 2, hour(27));
    assert_eq!(ledger.used(&one, hour(27)), 3);
    // More, in the window that runs, whatever its caller computes.
    let more = |caller, stamp, charged, actual| callgate::store::Settlement {
        actual: micros(actual),
        ..settlement(caller, &who, stamp, charged)
    };
    ledger.settle(&[more(&other, first, 1, 3)], hour(27));
    assert_eq!(ledger.usage(&one, hour(27)), usage(5, hour(4), hour(28)));
    // After its end, a window begins with it, and nothing is taken back from that.
    ledger.settle(&[more(&other, first, 1, 8)], hour(28));
    assert_eq!(ledger.usage(&one, hour(28)), usage(7, hour(28), hour(29)));
    ledger.refund(&one, first, 3, hour(28));
    assert_eq!(ledger.usage(&one, hour(28)), usage(7, hour(28), hour(29)));
    // What was taken back whole leaves the window as it was begun.
    ledger.refund(&one, at(hour(28)), 7, hour(28));
    assert_eq!(ledger.charged(&one, 1, hour(28)), usage(1, hour(28), hour(29)));
}

fn a_purge_keeps_the_window_of_a_zone(subject: &dyn Subject) {
    let [one, other] = two_callers();
    let ledger = Ledger::open(subject);
    ledger.charged(&one, 1, hour(6));
    for now in [hour(7), hour(28) - 1] {
        assert_eq!(ledger.purge(now), 0);
        assert_eq!(ledger.usage(&other, now), usage(1, hour(4), hour(28)));
    }
    ledger.purge(hour(28));
    assert_eq!(ledger.used(&other, hour(28)), 0);
    assert_eq!(ledger.held(hour(28)), []);
    // No window that has ended is filled again by a clock behind.
    if subject.time_kept() == TimeKept::Store {
        assert!(ledger.charged(&one, 1, hour(27)).stamp >= at(hour(28)));
    }
}

fn a_window_of_a_zone_is_listed_and_reset(subject: &dyn Subject) {
    let [one, other] = two_callers();
    let ledger = Ledger::open(subject);
    let before = ledger.charged(&one, 5, hour(6)).stamp;
    let held = ledger.held(hour(27));
    assert_eq!(held.len(), 1);
    assert_eq!((&held[0].counter, held[0].resets_at), (&one, at(hour(28))));
    assert_eq!(held[0].counter.zone(), Some("America/New_York"));
    assert_eq!(ledger.held(hour(28)), []);
    assert!(ledger.reset(&one, hour(27)));
    assert_eq!(ledger.held(hour(27)), []);
    let after = ledger.charged(&other, 2, hour(27));
    assert_eq!((after.used, after.resets_at), (micros(2), at(hour(28))));
    ledger.refund(&one, before, 5, hour(27));
    assert_eq!(ledger.used(&one, hour(27)), 2);
    ledger.refund(&one, after.stamp, 1, hour(27));
    assert_eq!(ledger.used(&one, hour(27)), 1);
}

/// Whoever comes first: what is admitted up to an end that a store told is within the maximum, and nobody ends it before.
fn callers_who_differ_stay_within_the_maximum(subject: &dyn Subject) {
    let callers = two_callers();
    let ledger = Ledger::open(subject);
    let (mut now, mut dice, mut window, mut admitted) = (hour(0), 7_u64, None::<Usage>, 0);
    for _ in 0..300 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let roll = i64::try_from(dice >> 40).unwrap();
        now += roll / 2 % (3 * HOUR);
        // Some are behind by up to a day.
        let clock = if roll % 8 == 3 { now - roll % DAY } else { now };
        let outcome = ledger.charge(&callers[usize::from(roll % 2 == 0)], 1, 3, clock);
        if !taken(&outcome) {
            continue;
        }
        let usage = outcome.usage[0];
        match window {
            Some(begun) if usage.stamp == begun.stamp => {
                assert_eq!(usage.resets_at, begun.resets_at, "its end was moved");
                admitted += 1;
            }
            _ => {
                assert!(window.is_none_or(|begun| usage.stamp >= begun.resets_at), "it was begun early");
                admitted = 1;
            }
        }
        window = Some(usage);
        assert!(admitted <= 3, "more than the maximum in one window");
        assert_eq!(usage.used, micros(admitted));
    }
}
