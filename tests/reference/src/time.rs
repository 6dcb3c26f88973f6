//! Windows over UTC time (clause 8.3). Times are milliseconds since the epoch.

/// A window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// `week` or `month`: the windows of the calendar that are no multiples of a length from the epoch.
    Calendar(&'static str),
    /// A length in seconds; and whether it was written as a word: `minute` and `60s` are two (clause 8.6).
    Seconds(i64, bool),
}

const DAY: i64 = 86_400_000;

impl Window {
    /// Clause 8.3.
    pub fn read(text: &str) -> Window {
        match text {
            "minute" => Window::Seconds(60, true),
            "hour" => Window::Seconds(3_600, true),
            "day" => Window::Seconds(86_400, true),
            "week" => Window::Calendar("week"),
            "month" => Window::Calendar("month"),
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
            Window::Calendar(_) => 7 * DAY,
        }
    }

    /// Start of the fixed window that a time lies in.
    pub fn start(&self, time: i64) -> i64 {
        match self {
            Window::Seconds(..) => time.div_euclid(self.length()) * self.length(),
            // The epoch was a Thursday; four days later was the first Monday.
            Window::Calendar("week") => (time - 4 * DAY).div_euclid(7 * DAY) * 7 * DAY + 4 * DAY,
            Window::Calendar(_) => {
                let (year, month, _) = date(time.div_euclid(DAY));
                first_of(year, month) * DAY
            }
        }
    }

    /// End of the fixed window that begins at `start`.
    pub fn end(&self, start: i64) -> i64 {
        match self {
            Window::Seconds(..) | Window::Calendar("week") => start + self.length(),
            Window::Calendar(_) => match date(start.div_euclid(DAY)) {
                (year, 12, _) => first_of(year + 1, 1) * DAY,
                (year, month, _) => first_of(year, month + 1) * DAY,
            },
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
fn first_of(year: i64, month: i64) -> i64 {
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    years + (1..month).map(|month| days_of(year, month)).sum::<i64>()
}

/// Year, month and day of a number of days since the epoch.
fn date(days: i64) -> (i64, i64, i64) {
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
