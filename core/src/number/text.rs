//! Numbers as text.
//!
//! In: a number. Out: its canonical form (spec 10.7). Must not go through digits one by one: a literal may have millions.

use std::fmt;

use super::{Number, Repr};

/// What is written where a number has no digits of its own.
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl Number<'_> {
    /// Writes the canonical form (spec 10.7): plain decimal notation, no exponent, no superfluous zero, no `-0`. At
    /// most a few hundred characters more than the literal had.
    pub fn write_canonical(&self, to: &mut impl fmt::Write) -> fmt::Result {
        if let Repr::Int(value @ 0..=9) = self.0 {
            return to.write_char(char::from(b'0'.saturating_add(value as u8)));
        }
        if let Repr::Int(value) = &self.0 {
            return write!(to, "{value}");
        }
        let digits = self.digits();
        if digits.negative {
            to.write_char('-')?;
        }
        let whole = usize::try_from(digits.point).unwrap_or(0);
        if whole == 0 {
            to.write_char('0')?;
        }
        let below_point = usize::try_from(digits.point.saturating_neg()).unwrap_or(0);
        // The digits lie in the first of these or in the other two.
        let fraction = significant(digits.fraction);
        let integer = if fraction.is_empty() { significant(digits.integer) } else { digits.integer };
        let small = digits.small.as_str();
        let length = small.len().saturating_add(integer.len()).saturating_add(fraction.len());
        let mut plain = Plain { to, at: 0, whole };
        plain.zeros(below_point)?;
        plain.digits(small)?;
        plain.digits(ascii(integer))?;
        plain.digits(ascii(fraction))?;
        plain.zeros(whole.saturating_sub(length))
    }
}

/// Without the zeros at the end.
fn significant(mut digits: &[u8]) -> &[u8] {
    while let [rest @ .., b'0'] = digits {
        digits = rest;
    }
    digits
}

fn ascii(digits: &[u8]) -> &str {
    // INVARIANT: digits are ASCII.
    std::str::from_utf8(digits).unwrap_or_default()
}

/// Digits on their way, with a point where it belongs.
struct Plain<'t, W> {
    to: &'t mut W,
    /// Digits that were written.
    at: usize,
    /// Digits before the point, which is only written with a digit behind it.
    whole: usize,
}

impl<W: fmt::Write> Plain<'_, W> {
    fn digits(&mut self, digits: &str) -> fmt::Result {
        let before = self.whole.checked_sub(self.at);
        self.at = self.at.saturating_add(digits.len());
        match before.and_then(|before| digits.split_at_checked(before)) {
            Some((whole, fraction)) if !fraction.is_empty() => {
                self.to.write_str(whole)?;
                self.to.write_char('.')?;
                self.to.write_str(fraction)
            }
            _ => self.to.write_str(digits),
        }
    }

    fn zeros(&mut self, mut count: usize) -> fmt::Result {
        while count > 0 {
            let zeros = ZEROS.get(..count).unwrap_or(ZEROS);
            self.digits(zeros)?;
            count = count.saturating_sub(zeros.len());
        }
        Ok(())
    }
}
