//! Exact decimal numbers (spec 5.3): a number is its decimal value, whatever its notation or host type.
//!
//! In: integers, binary floats and literals by JSON's grammar. Out: exact comparison, amounts, canonical text. Must
//! not do floating arithmetic, and must not round: what does not fit a machine word keeps its literal (traps 10, 14,
//! 20).

mod literal;
impl FromStr for Amount {
    type Err = ParseError;

    /// From a JSON number: exact, never rounded.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Number::from_literal(text)
            .and_then(|number| number.to_amount())
            .ok_or(ParseError("an amount is a decimal from 0 to 9223372036854.775807, in steps of 0.000001"))
    }
}

#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::str::FromStr;

pub(crate) use self::literal::StackText;
use self::literal::{Digits, Literal};
use crate::amount::Amount;
use crate::budget::Budget;
use crate::parse::ParseError;

/// An exact decimal number. Equal by value: `1`, `1.0` and `10e-1` are one number, and `-0` is `0`.
///
/// Prints in plain notation, without exponent and superfluous zeros: `1000`, `0.0000005`.
#[derive(Clone)]
pub struct Number<'a>(Repr<'a>);

/// INVARIANT: which variant holds a value depends on the value alone: `Int` where it is an integer of 64 bits, else
/// `Scaled` where its significant digits fit `u64` (and its exponent `i32`), else `Long`.
#[derive(Clone)]
enum Repr<'a> {
    Int(i64),
    /// `mantissa * 10^exponent`; the mantissa is not a multiple of ten.
    Scaled {
        negative: bool,
        mantissa: u64,
        exponent: i32,
    },
    /// A literal by JSON's grammar, with at least 20 significant digits.
    Long(Cow<'a, str>),
}

/// Micros have six digits after the point.
const MICRO_DIGITS: i64 = 6;
/// Digits that decide whether a decimal rounds to infinity or to zero: half of the least double has 752.
const DECISIVE_DIGITS: usize = 800;
/// The powers of ten in `u64`.
const TENS: [u64; 20] = {
    let (mut tens, mut ten) = ([1; 20], 1_u64);
    let mut rest: &mut [u64] = &mut tens;
    while let Some((first, after)) = rest.split_first_mut() {
        *first = ten;
        ten = ten.saturating_mul(10);
        rest = after;
    }
    tens
};
/// Bytes of the longest decimal of a double that JSON writes, and a few: sign, 17 digits, point, `e-324` are 24.
const FLOAT_BYTES: usize = 32;

impl<'a> Number<'a> {
    /// A whole number.
    pub const fn from_i64(value: i64) -> Self {
        Self(Repr::Int(value))
    }

    /// The shortest decimal that reads back as this float, as JSON writes it; `None` for NaN and the infinities
    /// (trap 14).
    pub fn from_f64(value: f64) -> Option<Number<'static>> {
        if !value.is_finite() {
            return None;
        }
        if let Some(whole) = whole(value) {
            return Some(Number::from_i64(whole));
        }
        // Not the standard library's shortest decimal: where two are equally near it takes the upper (…20.63 for
        // -135035712146820.625), while JSON, Python and JS take the even one (…20.62), and hosts must agree.
        let json = serde_json::Number::from_f64(value)?;
        let mut buffer = StackText::<FLOAT_BYTES>::new();
        write!(buffer, "{json}").ok()?;
        Number::from_literal(buffer.as_str()).map(Number::into_owned)
    }

    /// A literal by JSON's grammar for numbers; `None` if it is not one.
    ///
    /// Also `None` for a literal with a fraction or an exponent whose magnitude is beyond the range of a double, since
    /// hosts that read doubles would see an infinity, or a zero where digits are not (spec 5.3). Integer literals are
    /// exact at any length. Takes time linear in the literal.
    #[inline]
    pub fn from_literal(text: &'a str) -> Option<Self> {
        match literal::small_integer(text) {
            Some(whole) => Some(Self::from_i64(whole)),
            None => Self::from_long_literal(text),
        }
    }

    fn from_long_literal(text: &'a str) -> Option<Self> {
        let literal = Literal::split(text)?;
        let number = match literal.shorten() {
            Some((mantissa, exponent)) => Self(Repr::short(literal.negative, mantissa, exponent)),
            None => Self(Repr::Long(Cow::Borrowed(text))),
        };
        (literal.is_integer || number.is_in_range_of_double()).then_some(number)
    }

    /// The number, if it is a whole number of 64 bits.
    #[inline]
    pub(crate) fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Repr::Int(whole) => Some(whole),
            _ => None,
        }
    }

    /// Whether it has no fraction, however it is written. Takes time linear in the digits.
    pub(crate) fn is_integer(&self) -> bool {
        match &self.0 {
            Repr::Int(_) => true,
            Repr::Scaled { exponent, .. } => *exponent >= 0,
            Repr::Long(text) => Literal::split(text).is_some_and(|literal| {
                let digits = literal.digits();
                let zeros = digits.iter().rev().take_while(|digit| *digit == 0).count();
                let significant = digits.iter().count().saturating_sub(zeros);
                i64::try_from(significant).is_ok_and(|significant| significant <= digits.point)
            }),
        }
    }

    /// The steps of reading its literal (spec 11.1), which comparing does each time: 0 where it has none.
    #[inline]
    pub(crate) fn cost(&self) -> u64 {
        match &self.0 {
            Repr::Int(_) | Repr::Scaled { .. } => 0,
            Repr::Long(text) => Budget::of_bytes(text.len()),
        }
    }

    /// Keeps the number beyond the text that it was read from.
    pub fn into_owned(self) -> Number<'static> {
        Number(match self.0 {
            Repr::Int(value) => Repr::Int(value),
            Repr::Scaled { negative, mantissa, exponent } => Repr::Scaled { negative, mantissa, exponent },
            Repr::Long(text) => Repr::Long(Cow::Owned(text.into_owned())),
        })
    }

    /// Compares the exact values. Takes time linear in the digits.
    #[inline]
    pub fn compare(&self, other: &Number<'_>) -> Ordering {
        if let (Repr::Int(left), Repr::Int(right)) = (&self.0, &other.0) {
            return left.cmp(right);
        }
        self.compare_digits(other)
    }

    fn compare_digits(&self, other: &Number<'_>) -> Ordering {
        let (left, right) = (self.signum(), other.signum());
        if left != right || left == 0 {
            return left.cmp(&right);
        }
        let magnitudes = self.compare_magnitude(other);
        if left < 0 { magnitudes.reverse() } else { magnitudes }
    }

    /// The number as an amount; `None` if it is negative, finer than 10^-6 or above [`Amount::MAX`] (spec 8.2).
    pub fn to_amount(&self) -> Option<Amount> {
        match self.to_micros_floor() {
            (micros, true) => Amount::from_micros(micros),
            (_, false) => None,
        }
    }

    /// The largest number of millionths that is not above this number, and whether it is exactly this number. Beyond the
    /// range it is `i64::MIN` or `i64::MAX`, and not exact.
    pub(crate) fn to_micros_floor(&self) -> (i64, bool) {
        let (units, exact) = match &self.0 {
            Repr::Int(value) => (i128::from(*value).checked_mul(i128::from(Amount::SCALE)), true),
            Repr::Scaled { negative, mantissa, exponent } => {
                let shift = i64::from(*exponent).saturating_add(MICRO_DIGITS);
                let power = u32::try_from(shift.unsigned_abs()).ok().and_then(|n| 10i128.checked_pow(n));
                let mantissa = i128::from(*mantissa);
                let units = match power {
                    Some(power) if shift >= 0 => mantissa.checked_mul(power),
                    None if shift >= 0 => None,
                    // A mantissa has at most 20 digits, so dividing by a larger power leaves 0.
                    power => Some(power.and_then(|power| mantissa.checked_div(power)).unwrap_or(0)),
                };
                let exact = shift >= 0;
                (signed_floor(units, *negative, exact), exact)
            }
            Repr::Long(_) => {
                // With 20 significant digits or more, either it is out of range or digits remain below the millionths.
                let digits = self.digits();
                let take = digits.point.saturating_add(MICRO_DIGITS);
                let units = match usize::try_from(take) {
                    Err(_) if take < 0 => Some(0),
                    Ok(take) if take <= 19 => {
                        let digits = digits.iter().chain(std::iter::repeat(0)).take(take);
                        digits
                            .map(i128::from)
                            .try_fold(0i128, |sum, digit| sum.checked_mul(10)?.checked_add(digit))
                    }
                    _ => None,
                };
                (signed_floor(units, digits.negative, false), false)
            }
        };
        match units.map(i64::try_from) {
            Some(Ok(units)) => (units, exact),
            Some(Err(_)) | None if self.signum() < 0 => (i64::MIN, false),
            Some(Err(_)) | None => (i64::MAX, false),
        }
    }

    fn signum(&self) -> i8 {
        match &self.0 {
            Repr::Int(value) => value.signum() as i8,
            Repr::Scaled { negative: true, .. } => -1,
            Repr::Scaled { negative: false, .. } => 1,
            Repr::Long(text) if text.starts_with('-') => -1,
            Repr::Long(_) => 1,
        }
    }

    /// The magnitude as a mantissa and an exponent of ten, where that is how it is held.
    fn short(&self) -> Option<(u64, i32)> {
        match self.0 {
            Repr::Int(value) => Some((value.unsigned_abs(), 0)),
            Repr::Scaled { mantissa, exponent, .. } => Some((mantissa, exponent)),
            Repr::Long(_) => None,
        }
    }

    /// Compares two numbers other than zero without their signs.
    fn compare_magnitude(&self, other: &Number<'_>) -> Ordering {
        if let (Some(left), Some(right)) = (self.short(), other.short()) {
            return compare_short(left, right);
        }
        let (left, right) = (self.digits(), other.digits());
        left.point.cmp(&right.point).then_with(|| {
            let mut ours = left.iter();
            let mut theirs = right.iter();
            loop {
                match (ours.next(), theirs.next()) {
                    (None, None) => return Ordering::Equal,
                    (ours, theirs) => match ours.unwrap_or(0).cmp(&theirs.unwrap_or(0)) {
                        Ordering::Equal => {}
                        unequal => return unequal,
                    },
                }
            }
        })
    }

    fn is_in_range_of_double(&self) -> bool {
        // The value lies between 10^(point-1) and 10^point; doubles end at 1.8e308 and half of the least is 2.5e-324.
        let point = match &self.0 {
            Repr::Int(_) => return true,
            Repr::Scaled { mantissa, exponent, .. } => point(*mantissa, *exponent),
            Repr::Long(_) => self.digits().point,
        };
        match point {
            -322..=308 => true,
            309 | -323 => {
                let digits = self.digits();
                let mut text = String::from("0.");
                text.extend(
                    digits.iter().take(DECISIVE_DIGITS).map(|digit| char::from(b'0'.saturating_add(digit))),
                );
                if digits.iter().skip(DECISIVE_DIGITS).any(|digit| digit != 0) {
                    text.push('1');
                }
                let _ = write!(text, "e{point}");
                // The standard parser rounds correctly, so it is the definition of this boundary.
                text.parse().is_ok_and(|float: f64| float.is_finite() && float != 0.0)
            }
            _ => false,
        }
    }

    fn digits(&self) -> Digits<'_> {
        let short = |negative, mantissa: u64, exponent: i32| {
            let mut small = StackText::<20>::new();
            // Twenty bytes hold every u64.
            let _ = write!(small, "{mantissa}");
            Digits { negative, point: point(mantissa, exponent), small, integer: &[], fraction: &[] }
        };
        match &self.0 {
            Repr::Int(value) => short(*value < 0, value.unsigned_abs(), 0),
            Repr::Scaled { negative, mantissa, exponent } => short(*negative, *mantissa, *exponent),
            Repr::Long(text) => match Literal::split(text) {
                Some(literal) => literal.digits(),
                // INVARIANT: only literals are stored.
                None => short(false, 0, 0),
            },
        }
    }
}

/// The steps of reading a float (spec 11.1): 0 where that takes no longer than a whole number.
pub fn cost_of_f64(value: f64) -> u64 {
    // Its shortest decimal is searched, written and read.
    if whole(value).is_some() { 0 } else { 20 }
}

/// The float as an integer, if it is one whose shortest decimal is its exact value.
fn whole(value: f64) -> Option<i64> {
    /// From here on it no longer is.
    const EXACT: u64 = 1 << 53;
    // A cast saturates and drops the fraction, so comparing it back tells whether the float is whole.
    let whole = value as i64;
    (whole.unsigned_abs() < EXACT && whole as f64 == value).then_some(whole)
}

/// Where the point of a number stands from its first digit on: `mantissa * 10^exponent` is `0.digits * 10^point`.
fn point(mantissa: u64, exponent: i32) -> i64 {
    let digits = mantissa.checked_ilog10().map_or(1, |log| log.saturating_add(1));
    i64::from(exponent).saturating_add(i64::from(digits))
}

/// Compares two magnitudes other than zero.
fn compare_short(left: (u64, i32), right: (u64, i32)) -> Ordering {
    point(left.0, left.1).cmp(&point(right.0, right.1)).then_with(|| {
        // INVARIANT: both have their first digit at one place, so their exponents are no further apart than the lengths of two
        // mantissas, 19 digits; scaled by that, a mantissa of 64 bits stays within 128.
        let scaled = |mantissa: u64, by: i64| {
            let power = usize::try_from(by).ok().and_then(|by| TENS.get(by)).unwrap_or(&1);
            u128::from(mantissa).wrapping_mul(u128::from(*power))
        };
        let apart = i64::from(left.1).saturating_sub(i64::from(right.1));
        scaled(left.0, apart).cmp(&scaled(right.0, apart.saturating_neg()))
    })
}

/// The floor of a signed value from the integer part of its magnitude.
fn signed_floor(magnitude: Option<i128>, negative: bool, exact: bool) -> Option<i128> {
    match (magnitude?, negative, exact) {
        (magnitude, false, _) => Some(magnitude),
        (magnitude, true, true) => magnitude.checked_neg(),
        (magnitude, true, false) => magnitude.checked_neg()?.checked_sub(1),
    }
}

impl Repr<'_> {
    /// From a mantissa that is 0 or no multiple of ten.
    fn short(negative: bool, mantissa: u64, exponent: i32) -> Self {
        if mantissa == 0 {
            return Self::Int(0);
        }
        let power = u32::try_from(exponent).ok().and_then(|n| 10u64.checked_pow(n));
        let whole = power.and_then(|power| mantissa.checked_mul(power)).map(i128::from);
        let whole = whole.map(|whole| if negative { whole.saturating_neg() } else { whole });
        match whole.map(i64::try_from) {
            Some(Ok(whole)) => Self::Int(whole),
            _ => Self::Scaled { negative, mantissa, exponent },
        }
    }
}

impl From<i64> for Number<'_> {
    fn from(value: i64) -> Self {
        Self::from_i64(value)
    }
}

impl From<u64> for Number<'_> {
    fn from(value: u64) -> Self {
        if let Ok(value) = i64::try_from(value) {
            return Self::from_i64(value);
        }
        let (mut mantissa, mut exponent) = (value, 0i32);
        while mantissa % 10 == 0 && mantissa != 0 {
            mantissa /= 10;
            exponent = exponent.saturating_add(1);
        }
        Self(Repr::short(false, mantissa, exponent))
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other).is_eq()
    }
}

impl Eq for Number<'_> {}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other)
    }
}

impl fmt::Display for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_canonical(f)
    }
}

impl fmt::Debug for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({self})")
    }
}
