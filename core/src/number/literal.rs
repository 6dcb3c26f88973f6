//! The parts of a number literal and its digits, read in place.
//!
//! In: text. Out: its sign, digits and exponent by JSON's grammar, and the digits as one run wherever they lie. Must
//! not allocate, nor take more than one pass over the text.

use std::fmt;

/// A literal by JSON's grammar, in its parts.
pub(super) struct Literal<'a> {
    pub(super) negative: bool,
    integer: &'a [u8],
    fraction: &'a [u8],
    /// Saturated far beyond any length of text.
    exponent: i64,
    /// Has neither fraction nor exponent.
    pub(super) is_integer: bool,
}

impl<'a> Literal<'a> {
    pub(super) fn split(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, rest) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (integer, rest) = split_digits(rest)?;
        if matches!(integer, [b'0', _, ..]) {
            return None;
        }
        let is_integer = rest.is_empty();
        let (fraction, rest): (&[u8], _) = match rest {
            [b'.', rest @ ..] => split_digits(rest)?,
            rest => (&[], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => {
                let (negative, rest) = match rest {
                    [b'-', rest @ ..] => (true, rest),
                    [b'+', rest @ ..] | rest => (false, rest),
                };
                let (digits, rest) = split_digits(rest)?;
                if !rest.is_empty() {
                    return None;
                }
                let magnitude = digits.iter().fold(0i64, |sum, byte| {
                    sum.saturating_mul(10).saturating_add(i64::from(digit(*byte))).min(i64::MAX >> 2)
                });
                if negative { magnitude.saturating_neg() } else { magnitude }
            }
            _ => return None,
        };
        Some(Self { negative, integer, fraction, exponent, is_integer })
    }

    /// Mantissa without trailing zeros, and exponent; `None` if they do not fit.
    pub(super) fn shorten(&self) -> Option<(u64, i32)> {
        let mut mantissa = 0u64;
        let mut zeros = 0u32;
        for byte in self.integer.iter().chain(self.fraction) {
            match digit(*byte) {
                0 if mantissa == 0 => {}
                0 => zeros = zeros.checked_add(1)?,
                digit => {
                    let power = match zeros {
                        0 => 10,
                        zeros => 10u64.checked_pow(zeros.checked_add(1)?)?,
                    };
                    mantissa = mantissa.checked_mul(power)?.checked_add(u64::from(digit))?;
                    zeros = 0;
                }
            }
        }
        if mantissa == 0 {
            return Some((0, 0));
        }
        let fraction = i64::try_from(self.fraction.len()).ok()?;
        let exponent = self.exponent.saturating_sub(fraction).saturating_add(i64::from(zeros));
        // Whatever does not fit has an exponent far beyond a double's, or more than 2^31 digits.
        Some((mantissa, i32::try_from(exponent).ok()?))
    }

    pub(super) fn digits(&self) -> Digits<'a> {
        let length = |digits: &[u8]| i64::try_from(digits.len()).unwrap_or(i64::MAX);
        let integer = strip_zeros(self.integer);
        let fraction = if integer.is_empty() { strip_zeros(self.fraction) } else { self.fraction };
        let leading = length(self.fraction).saturating_sub(length(fraction));
        let point = self.exponent.saturating_add(length(integer)).saturating_sub(leading);
        Digits { negative: self.negative, point, small: StackText::new(), integer, fraction }
    }
}

/// The usual case: a whole number of up to 18 digits.
#[inline]
pub(super) fn small_integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 18 || matches!(digits, [] | [b'0', _, ..]) {
        return None;
    }
    let mut magnitude = 0i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude.wrapping_mul(10).wrapping_add(i64::from(digit));
    }
    Some(if negative { magnitude.wrapping_neg() } else { magnitude })
}

fn split_digits(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 { None } else { bytes.split_at_checked(count) }
}

fn strip_zeros(mut digits: &[u8]) -> &[u8] {
    while let [b'0', rest @ ..] = digits {
        digits = rest;
    }
    digits
}

/// The value of an ASCII digit.
const fn digit(byte: u8) -> u8 {
    byte & 0x0f
}

/// The digits of a number other than zero, from the first that is not 0: the value is `0.digits * 10^point`.
pub(super) struct Digits<'n> {
    pub(super) negative: bool,
    pub(super) point: i64,
    /// Either this holds the digits, or the two slices do.
    pub(super) small: StackText<20>,
    pub(super) integer: &'n [u8],
    pub(super) fraction: &'n [u8],
}

impl Digits<'_> {
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = u8> + '_ {
        let small = self.small.as_str().as_bytes();
        small.iter().chain(self.integer).chain(self.fraction).map(|byte| digit(*byte))
    }
}

/// Short ASCII text on the stack; writing beyond its end is an error.
pub(crate) struct StackText<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> StackText<N> {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    pub(crate) fn as_str(&self) -> &str {
        // INVARIANT: whole strings are written, so this is UTF-8.
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Write for StackText<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.checked_add(text.len()).ok_or(fmt::Error)?;
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
