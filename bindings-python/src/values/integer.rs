//! Python integers of any size as exact numbers.
//!
//! In: an `int`. Out: its number. Must not fail on the interpreter's limit on digits, and must not take quadratic time
//! over integers without end.

use callgate::value::{Number, Unreadable};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};

/// Hexadecimal digits of the largest integer that is read where the interpreter does not print it (it stops at 4,300
/// decimal digits by default): conversion is quadratic, and this takes about a millisecond.
const HEX_DIGITS: usize = 8_192;
/// Hexadecimal digits that are converted at once.
const CHUNK: usize = 8;
/// The largest power of ten in `u32`, and its digits: more than that would not be divided by a multiplication.
const LIMB: u64 = 1_000_000_000;
const LIMB_DIGITS: usize = 9;
/// The [`cost`] of the least integers beyond 64 bits: the time of calling the interpreter.
const LEAST_COST: u64 = 80;

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

/// What [`View::cost`](callgate::value::View::cost) says of an integer beyond 64 bits: every reading converts it anew, in time by
/// the square of its length.
#[cold]
pub(crate) fn cost(value: &Bound<'_, PyInt>) -> u64 {
    let py = value.py();
    let bits = py.get_type::<PyInt>().call_method1(intern!(py, "bit_length"), (value,));
    let hex_digits = bits.and_then(|bits| bits.extract()).map_or(u64::MAX, |bits: u64| bits / 4);
    // A step is some 10 ns, and 3,570 hexadecimal digits take some 260 µs.
    LEAST_COST.saturating_add(hex_digits.saturating_mul(hex_digits) / 240)
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
#[expect(clippy::arithmetic_side_effects, reason = "a limb times 2^32 and a chunk more is below 2^62")]
fn from_hex(digits: &str) -> String {
    // Limbs in base 10^9, the lowest first.
    let mut limbs: Vec<u64> = vec![0];
    let mut add = |chunk: &str| {
        let mut carry = u64::from_str_radix(chunk, 16).unwrap_or(0);
        for limb in &mut limbs {
            let wide = (*limb << (4 * chunk.len())) + carry;
            *limb = wide % LIMB;
            carry = wide / LIMB;
        }
        while carry > 0 {
            limbs.push(carry % LIMB);
            carry /= LIMB;
        }
    };
    // The first chunk is what is left over.
    let (mut chunk, mut rest) = digits.split_at_checked(digits.len() % CHUNK).unwrap_or_default();
    while !chunk.is_empty() || !rest.is_empty() {
        add(chunk);
        (chunk, rest) = rest.split_at_checked(CHUNK).unwrap_or_default();
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
