//! Windows, and the calendar of UTC (clause 8.3). Times are milliseconds since the epoch.

use crate::mistake::{Mistake::*, is_made};

/// A window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// `week` or `month`: the windows of the calendar that are no multiples of a length from the epoch.
    Calendar(&'static str),
    /// Clause 8.18: one window that does not end.
    Ever,
    /// A length in seconds; and whether it was written as a word: `minute` and `60s` are two (clause 8.6).
    Seconds(i64, bool),
}

pub(crate) const DAY: i64 = 86_400_000;

impl Window {
    /// Clause 8.3.
    pub fn read(text: &str) -> Window {
        match text {
            "minute" => Window::Seconds(60, true),
            "hour" => Window::Seconds(3_600, true),
            "day" => Window::Seconds(86_400, true),
            "week" => Window::Calendar("week"),
            "month" => Window::Calendar("month"),
            "ever" => Window::Ever,
            _ => {
                let digits = text.trim_end_matches(['s', 'm', 'h', 'd']);
                let unit = match text.chars().last() {
                    Some('m') => 60,
                    Some('h') => 3_600,
                    Some('d') => 86_400,
                    _ => 1,
                };
                Window::Seconds(digits.parse::<i64>().expect("a window") * unit, false)
            }
        }
    }

    /// Its length in milliseconds, for a sliding window, which is never a month.
    pub fn length(&self) -> i64 {
        match self {
            Window::Seconds(seconds, _) => seconds * 1_000,
            Window::Calendar(_) | Window::Ever => 7 * DAY,
        }
    }

    /// Start of the fixed window of seconds that a time lies in.
    pub fn start(&self, time: i64) -> i64 {
        time.div_euclid(self.length()) * self.length()
    }

    /// Clause 8.3: the time that a charge of a sliding window counts from, which for one longer than a day is the end of the quarter
    /// of an hour.
    pub(crate) fn charged_at(&self, time: i64) -> i64 {
        const QUARTER: i64 = 900_000;
        let start = time.div_euclid(QUARTER) * QUARTER;
        match self.length() > DAY {
            true if is_made(LongIsExact) => time,
            true if is_made(LongAtStart) => start,
            true => start + QUARTER,
            false => time,
        }
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the epoch to the first of a month, counted year by year.
pub(crate) fn first_of(year: i64, month: i64) -> i64 {
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    years + (1..month).map(|month| days_of(year, month)).sum::<i64>()
}

/// Year, month and day of a number of days since the epoch.
pub(crate) fn date(days: i64) -> (i64, i64, i64) {
    let (mut year, mut month) = (1970, 1);
    while first_of(year + 1, 1) <= days {
        year += 1;
    }
    while month < 12 && first_of(year, month + 1) <= days {
        month += 1;
    }
    (year, month, days - first_of(year, month) + 1)
}

/// Clause 10.4: RFC 3339 in UTC with milliseconds.
pub fn rfc3339(time: i64) -> String {
    let (year, month, day) = date(time.div_euclid(DAY));
    let ms = time.rem_euclid(DAY);
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", ms % 1_000)
}
