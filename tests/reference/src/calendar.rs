//! Days, weeks and months of a time zone (clause 8.17), by looking at one instant after the other.
//!
//! In: a window, and a time in milliseconds. Out: its start and its end. What the clocks of a zone show is all that it asks the zone
//! database; where a day begins is searched, minute by minute.

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::mistake::{Mistake::*, is_made};
use crate::time::{DAY, Window, date, first_of};

/// Whose days, weeks and months a counter counts; empty where it counts those of UTC, weeks from Monday.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    zone: Option<String>,
    from_sunday: bool,
}

thread_local! {
    /// First instants that were searched before.
    static FOUND: RefCell<HashMap<(String, i64), i64>> = RefCell::default();
}

impl Calendar {
    /// Clause 8.17: the zone and the first day of a week, as far as they have a part.
    pub(crate) fn of(window: &Window, sliding: bool, zone: Option<&str>, from_sunday: bool) -> Calendar {
        let is_week = *window == Window::Calendar("week");
        let has_zone = is_week || matches!(window, Window::Calendar(_) | Window::Seconds(86_400, true));
        Calendar {
            zone: zone.filter(|zone| *zone != "UTC" && has_zone && !sliding).map(str::to_owned),
            from_sunday: from_sunday && is_week && !sliding,
        }
    }

    /// Start and end of the fixed window that a time lies in; no end where there is none (clause 8.18).
    pub(crate) fn window_at(&self, window: &Window, time: i64) -> (i64, Option<i64>) {
        let days = match window {
            Window::Ever if is_made(EverResets) => return self.window_at(&Window::Calendar("month"), time),
            Window::Ever => return (i64::MIN, None),
            Window::Seconds(86_400, true) => 1,
            Window::Calendar("week") => 7,
            Window::Calendar(_) => 0,
            Window::Seconds(..) => {
                let start = window.start(time);
                return (start, Some(start + window.length()));
            }
        };
        let day = self.day_of(time);
        let (first, next) = match days {
            1 => (day, day + 1),
            7 => {
                // The epoch was a Thursday.
                let since = if self.from_sunday && !is_made(WeekFromMonday) { 4 } else { 3 };
                let first = day - (day + since).rem_euclid(7);
                (first, first + 7)
            }
            _ => match date(day) {
                (year, 12, _) => (first_of(year, 12), first_of(year + 1, 1)),
                (year, month, _) => (first_of(year, month), first_of(year, month + 1)),
            },
        };
        (self.first_instant(first), Some(self.first_instant(next)))
    }

    /// The day that a time is in, as days since the epoch: the latest one that has begun. A clock that goes back over midnight shows
    /// the day before again, which has ended.
    fn day_of(&self, time: i64) -> i64 {
        let shown = self.shown(time);
        if is_made(DayBeginsTwice) {
            return shown;
        }
        (shown - 1..=shown + 2).rev().find(|day| self.first_instant(*day) <= time).expect("days begin")
    }

    /// The date that clocks of the zone show, as days since the epoch.
    fn shown(&self, time: i64) -> i64 {
        (time + self.ahead(time)).div_euclid(DAY)
    }

    /// By how many milliseconds clocks of the zone are ahead of UTC.
    fn ahead(&self, time: i64) -> i64 {
        let Some(zone) = self.zone.as_deref().filter(|_| !is_made(DayOfUtc)) else { return 0 };
        thread_local! {
            static ZONES: RefCell<HashMap<String, TimeZone>> = RefCell::default();
        }
        ZONES.with_borrow_mut(|zones| {
            let rules = zones.entry(zone.to_owned()).or_insert_with(|| TimeZone::get(zone).expect("a zone"));
            let time = Timestamp::from_millisecond(time).expect("a time");
            i64::from(rules.to_offset(time).seconds()) * 1_000
        })
    }

    /// The first instant at which clocks show this date, or a later one where it is left out.
    fn first_instant(&self, day: i64) -> i64 {
        let key = (self.zone.clone().unwrap_or_default(), day);
        if let Some(found) = FOUND.with_borrow(|found| found.get(&key).copied())
            && !is_made(DayOfUtc)
        {
            return found;
        }
        // No clock is more than a day ahead of UTC, or behind it.
        let minutes = (day * DAY - DAY..=day * DAY + DAY + DAY).step_by(60_000);
        let minute = minutes.into_iter().find(|time| self.shown(*time) >= day).expect("every day comes");
        // Offsets of old times have seconds.
        let seconds = (minute - 59_000..=minute).step_by(1_000);
        let found = seconds.into_iter().find(|time| self.shown(*time) >= day).expect("the minute at least");
        if !is_made(DayOfUtc) {
            FOUND.with_borrow_mut(|all| all.insert(key, found));
        }
        found
    }
}
