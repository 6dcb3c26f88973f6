//! Python integers of any size as exact numbers.
//!
//! In: an `int`. Out: its number. Must not fail on the interpreter's limit on digits, and must not take quadratic time
//! over integers without end.

use callgate::{Number, Unreadable};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};

/// Hexadecimal digits of the largest integer that is read where the interpreter does not print it (it stops at 4,300
/// decimal digits by default): conversion is quadratic, and this takes about a millisecond.
const HEX_DIGITS: usize = 16_384;
/// The largest power of ten in `u64`, and its digits.
const LIMB: u64 = 10_000_000_000_000_000_000;
const LIMB_DIGITS: usize = 19;

/// The number that an integer is.
pub(crate) fn number(value: &Bound<'_, PyInt>) -> Result<Number<'static>, Unreadable> {
    small(value).map_or_else(|| long(value), |whole| Ok(Number::from_i64(whole)))
}

/// The integer, if it fits 64 bits.
#[inline]
pub(crate) fn small(value: &Bound<'_, PyInt>) -> Option<i64> {
    value.extract().ok()
}

/// The number that an integer beyond 64 bits is. `int`'s own methods are called, never those of a subclass.
#[cold]
pub(crate) fn long(value: &Bound<'_, PyInt>) -> Result<Number<'static>, Unreadable> {
    let text = decimal(value).ok_or(Unreadable::TooLarge)?;
    Number::from_literal(&text).map(Number::into_owned).ok_or(Unreadable::Host)
}

fn decimal(value: &Bound<'_, PyInt>) -> Option<String> {
    let py = value.py();
    let int = py.get_type::<PyInt>();
    if let Ok(text) = int.call_method1(intern!(py, "__repr__"), (value,)) {
        return text.extract().ok();
    }
    let hex = int.call_method1(intern!(py, "__format__"), (value, intern!(py, "x"))).ok()?;
    let hex = hex.cast_into::<PyString>().ok()?;
    let hex = hex.to_str().ok()?;
    let (sign, digits) = hex.strip_prefix('-').map_or(("", hex), |digits| ("-", digits));
    (digits.len() <= HEX_DIGITS).then(|| format!("{sign}{}", from_hex(digits)))
}

/// Decimal digits of a hexadecimal number.
#[expect(clippy::arithmetic_side_effects, reason = "a limb times 16 and a digit more is below 2^68 in u128")]
fn from_hex(digits: &str) -> String {
    // Limbs in base 10^19, the lowest first.
    let mut limbs: Vec<u64> = vec![0];
    for digit in digits.chars().filter_map(|digit| digit.to_digit(16)) {
        let mut carry = u128::from(digit);
        for limb in &mut limbs {
            let wide = u128::from(*limb) * 16 + carry;
            *limb = u64::try_from(wide % u128::from(LIMB)).unwrap_or(0);
            carry = wide / u128::from(LIMB);
        }
        if carry > 0 {
            limbs.push(u64::try_from(carry).unwrap_or(0));
        }
    }
    let mut limbs = limbs.iter().rev();
    let mut text = limbs.next().copied().unwrap_or(0).to_string();
    for limb in limbs {
        let part = limb.to_string();
        text.extend(std::iter::repeat_n('0', LIMB_DIGITS.saturating_sub(part.len())));
        text.push_str(&part);
    }
    text
}
