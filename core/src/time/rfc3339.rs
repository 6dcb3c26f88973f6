//! Points in time as RFC 3339 writes them.
//!
//! In: text such as `2026-11-21T10:00:00.250+01:00`. Out: the timestamp, whole milliseconds, or what is wrong.

use std::str::FromStr;

use super::{Timestamp, days_from_civil};
use crate::parse::ParseError;

impl FromStr for Timestamp {
    type Err = ParseError;

    /// RFC 3339 with any offset from UTC; digits beyond milliseconds are cut off.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let millis = millis(text.as_bytes())
            .ok_or(ParseError("not an RFC 3339 time, such as `2026-11-21T10:00:00Z`"))?;
        if (0..=Timestamp::MAX.as_millis()).contains(&millis) {
            Ok(Timestamp::from_millis(millis))
        } else {
            Err(ParseError("outside of the years 1970 to 9999"))
        }
    }
}

/// Milliseconds since the epoch.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "every term is a few digits that were checked, below 2^49"
)]
fn millis(mut rest: &[u8]) -> Option<i64> {
    let rest = &mut rest;
    let year = digits(rest, 4)?;
    let month = separated(rest, b"-")?;
    let day = separated(rest, b"-")?;
    literal(rest, b"Tt ")?;
    let hour = digits(rest, 2)?;
    let minute = separated(rest, b":")?;
    let second = separated(rest, b":")?;
    let mut fraction = 0;
    if literal(rest, b".").is_some() {
        let mut weight = 100;
        fraction = digits(rest, 1)? * weight;
        while let Some(digit) = digits(rest, 1) {
            weight /= 10;
            fraction += digit * weight;
        }
    }
    let offset = if literal(rest, b"Zz").is_some() {
        0
    } else {
        let sign = if literal(rest, b"+-")? == b'-' { -1 } else { 1 };
        let (hours, minutes) = (digits(rest, 2)?, separated(rest, b":")?);
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))?
    };
    // A leap second counts as the second before it: a day has 86,400 seconds here.
    let valid = rest.is_empty()
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let minutes = (days_from_civil(year, month, day) * 24 + hour) * 60 + minute - offset;
    valid.then_some((minutes * 60 + second) * 1_000 + fraction)
}

/// Takes `count` digits off the front.
fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let (digits, after) = rest.split_at_checked(count)?;
    *rest = digits.iter().all(u8::is_ascii_digit).then_some(after)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Takes one of some characters off the front.
fn literal(rest: &mut &[u8], any_of: &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = any_of.contains(first).then_some(after)?;
    Some(*first)
}

/// Takes a separator and two digits off the front.
fn separated(rest: &mut &[u8], by: &[u8]) -> Option<i64> {
    literal(rest, by)?;
    digits(rest, 2)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_rfc_3339_writes() {
        for (text, shown) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("2026-11-21T10:00:00.25Z", "2026-11-21T10:00:00.250Z"),
            ("2024-02-29t23:59:59.999999999z", "2024-02-29T23:59:59.999Z"),
            ("2026-01-01 00:30:00+01:00", "2025-12-31T23:30:00.000Z"),
            ("2000-12-31T23:00:00-02:30", "2001-01-01T01:30:00.000Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
            ("1969-12-31T23:59:59-00:01", "1970-01-01T00:00:59.000Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn reads_every_day_as_it_is_written() {
        for day in (0..2_932_897).step_by(11) {
            let time = Timestamp::from_millis(day * 86_400_000 + 1);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "now",
            "2026-11-21",
            "2026-11-21T10:00:00",
            "2026-11-21T10:00Z",
            "2026-02-29T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-00-01T10:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:60:00Z",
            "2026-06-30T23:59:60Z",
            "2026-11-21T10:00:00.Z",
            "2026-11-21T10:00:00+24:00",
            "2026-11-21T10:00:00Zx",
            "+026-11-21T10:00:00Z",
            "10000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
