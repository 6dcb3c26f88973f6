//! Windows: the stretch of time over which a counter counts (spec 8.3).

use std::fmt;

use crate::ceilings::WINDOW_SECONDS;
use crate::time::{Timestamp, civil_from_days, days_from_civil};

/// The window of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Window {
    /// A minute of the UTC calendar.
    Minute,
    /// An hour of the UTC calendar.
    Hour,
    /// A day of the UTC calendar.
    Day,
    /// A week of the UTC calendar, from Monday.
    Week,
    /// A month of the UTC calendar.
    Month,
    /// One window that does not end.
    Ever,
    /// So many seconds, 1 to [`WINDOW_SECONDS`], aligned to multiples from the epoch.
    Seconds(u32),
}

/// How a counter forgets (spec 8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Algorithm {
    /// Counts from the start of the window it is in.
    #[default]
    Fixed,
    /// Counts over the interval of the window's length that ends now.
    Sliding,
}

impl Window {
    /// Reads `minute`, `hour`, `day`, `week`, `month`, `ever`, or a whole number with a unit: `90s`, `15m`, `6h`, `7d`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "minute" => return Some(Self::Minute),
            "hour" => return Some(Self::Hour),
            "day" => return Some(Self::Day),
            "week" => return Some(Self::Week),
            "month" => return Some(Self::Month),
            "ever" => return Some(Self::Ever),
            _ => {}
        }
        let unit = match text.as_bytes().last()? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            _ => return None,
        };
        let digits = text.get(..text.len().checked_sub(1)?)?;
        if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Self::from_seconds(digits.parse::<i64>().ok()?.checked_mul(unit)?)
    }

    /// A window of so many seconds; `None` outside 1 to [`WINDOW_SECONDS`].
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        if (1..=WINDOW_SECONDS).contains(&seconds) {
            u32::try_from(seconds).ok().map(Self::Seconds)
        } else {
            None
        }
    }

    /// Its length in seconds; `None` for `month`, which has no fixed length, and for `ever`.
    pub const fn seconds(self) -> Option<i64> {
        Some(match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 604_800,
            Self::Month | Self::Ever => return None,
            Self::Seconds(seconds) => seconds as i64,
        })
    }

    /// The start of the window that holds `now`.
    #[expect(clippy::arithmetic_side_effects, reason = "a Timestamp is below 2^48 and no divisor is zero")]
    pub fn start(self, now: Timestamp) -> Timestamp {
        let millis = now.as_millis();
        let aligned = |length: i64, offset: i64| (millis - offset).div_euclid(length) * length + offset;
        Timestamp::from_millis(match self {
            Self::Minute => aligned(60_000, 0),
            Self::Hour => aligned(3_600_000, 0),
            Self::Day => aligned(86_400_000, 0),
            // 1970-01-05 was the first Monday. Weeks before it start at the epoch itself.
            Self::Week => aligned(604_800_000, 4 * 86_400_000),
            Self::Month => {
                let (year, month, _) = civil_from_days(millis.div_euclid(86_400_000));
                days_from_civil(year, month, 1) * 86_400_000
            }
            Self::Ever => return Timestamp::MIN,
            Self::Seconds(seconds) => aligned(i64::from(seconds.max(1)) * 1_000, 0),
        })
    }

    /// The end of the window that starts at `start`: the first moment that is no longer in it. [`Timestamp::MAX`] for `ever`.
    #[expect(clippy::arithmetic_side_effects, reason = "a Timestamp is below 2^48")]
    pub fn end(self, start: Timestamp) -> Timestamp {
        match self.seconds() {
            // The clamped first week began before the epoch; align again so that it ends on a Monday.
            Some(604_800) if matches!(self, Self::Week) && start == Timestamp::MIN => {
                Timestamp::from_millis(4 * 86_400_000)
            }
            Some(seconds) => start.plus_millis(seconds * 1_000),
            None if self == Self::Ever => Timestamp::MAX,
            None => {
                let (year, month, _) = civil_from_days(start.as_millis().div_euclid(86_400_000));
                let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                Timestamp::from_millis(days_from_civil(year, month, 1) * 86_400_000)
            }
        }
    }
}

/// The canonical name, part of every stored key: `minute`, `90s`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minute => f.write_str("minute"),
            Self::Hour => f.write_str("hour"),
            Self::Day => f.write_str("day"),
            Self::Week => f.write_str("week"),
            Self::Month => f.write_str("month"),
            Self::Ever => f.write_str("ever"),
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        // `YYYY-MM-DDTHH` is enough here.
        let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
        let days = days_from_civil(number(0..4), number(5..7), number(8..10));
        Timestamp::from_millis((days * 24 + number(11..13)) * 3_600_000)
    }

    #[test]
    fn windows_align_to_the_utc_calendar() {
        for (window, now, start, end) in [
            (Window::Week, "2026-11-21T10", "2026-11-16T00", "2026-11-23T00"),
            (Window::Month, "2024-02-29T23", "2024-02-01T00", "2024-03-01T00"),
            (Window::Month, "2026-12-31T23", "2026-12-01T00", "2027-01-01T00"),
            (Window::Day, "2026-11-21T10", "2026-11-21T00", "2026-11-22T00"),
            (Window::Hour, "2026-11-21T10", "2026-11-21T10", "2026-11-21T11"),
            (Window::Seconds(7 * 86_400), "1970-01-09T03", "1970-01-08T00", "1970-01-15T00"),
            (Window::Week, "1970-01-02T00", "1970-01-01T00", "1970-01-05T00"),
        ] {
            assert_eq!(window.start(at(now)), at(start), "{window} start");
            assert_eq!(window.end(at(start)), at(end), "{window} end");
        }
    }

    #[test]
    fn reads_only_the_documented_forms() {
        assert_eq!(Window::parse("15m"), Some(Window::Seconds(900)));
        assert_eq!(Window::parse("366d"), Some(Window::Seconds(31_622_400)));
        for text in
            ["", "m", "0s", "015m", "-1s", "1.5h", "1 h", "367d", "99999999999999999999s", "Minute", "1é"]
        {
            assert_eq!(Window::parse(text), None, "{text}");
        }
    }
}
