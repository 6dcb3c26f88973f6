//! Points in time and the clock. Core reads no clock anywhere but in [`SystemClock`].

mod rfc3339;

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
#[cfg(not(target_os = "linux"))]
use std::time::{SystemTime, UNIX_EPOCH};

pub use crate::calendar::ZONE_DATABASE;

/// A point in time: whole milliseconds since 1970-01-01T00:00:00Z, within the years 1970 to 9999.
///
/// Prints as RFC 3339 in UTC with milliseconds: `2026-11-21T10:00:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00.000Z.
    pub const MIN: Timestamp = Timestamp(0);
    /// 9999-12-31T23:59:59.999Z.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999);

    /// From milliseconds since the epoch; what lies outside of the range becomes its nearest end.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < Self::MIN.0 {
            Self::MIN
        } else if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This point moved forward by `millis` (backward if negative), within the range.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// The time from `earlier` to this point; zero if `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "the range of Timestamp keeps every term below 2^48")]
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Days since the epoch to year, month, day; the era is 400 years from 0000-03-01.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[expect(clippy::arithmetic_side_effects, reason = "years 1970 to 10000 keep every term below 2^32")]
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(86_400_000));
        let millis = self.0.rem_euclid(86_400_000);
        let (seconds, millis) = (millis / 1_000, millis % 1_000);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Where the time of a charge comes from. Called only when a charge is pending, possibly from many threads.
///
/// ```
/// use callgate::time::{Clock, ManualClock, Timestamp};
/// use std::time::Duration;
/// let clock = ManualClock::new(Timestamp::from_millis(1_000));
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().as_millis(), 61_000);
/// ```
pub trait Clock: Send + Sync {
    /// The time now. May run backwards; counters cope (spec 8.4).
    fn now(&self) -> Timestamp;
}

/// The machine's clock. On Linux as of the kernel's last tick, which is 10 milliseconds ago at most, since that takes a quarter of
/// the time to read; no window is shorter than a second.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[cfg(target_os = "linux")]
    fn now(&self) -> Timestamp {
        use nix::time::{ClockId, clock_gettime};
        // A kernel without this clock has another, and one that tells none shows the epoch, as one that is not set does.
        let since =
            clock_gettime(ClockId::CLOCK_REALTIME_COARSE).or_else(|_| clock_gettime(ClockId::CLOCK_REALTIME));
        let millis = |since: nix::sys::time::TimeSpec| {
            since.tv_sec().saturating_mul(1_000).saturating_add(since.tv_nsec() / 1_000_000)
        };
        Timestamp::from_millis(since.map_or(0, millis))
    }

    #[cfg(not(target_os = "linux"))]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // `as_millis` would multiply 128 bits.
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_millis(seconds.saturating_mul(1_000).saturating_add(since.subsec_millis().into()))
    }
}

/// A clock that stands still until it is told to move: for tests, and for replaying a log of calls.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Shows `now` from here on; may go backwards.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves forward by `step`, whole milliseconds.
    pub fn advance(&self, step: Duration) {
        let millis = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        self.set(self.now().plus_millis(millis));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_clock_tells_its_time() {
        let precise = || {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            i64::try_from(since.as_millis()).unwrap()
        };
        let (before, now, after) = (precise(), SystemClock.now().as_millis(), precise());
        assert!(before - 20 <= now && now <= after, "{before} {now} {after}");
    }

    #[test]
    fn civil_days_round_trip_over_the_whole_range() {
        for day in (0..2_932_897).step_by(13) {
            let (year, month, dom) = civil_from_days(day);
            assert_eq!(days_from_civil(year, month, dom), day);
        }
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_millis(1_709_164_800_001).to_string(), "2024-02-29T00:00:00.001Z");
    }
}
