//! Numbers as the scripts read and write them: doubles of 8 bytes, the highest first, one after the other (pure).
//!
//! In: whole numbers. Out: bytes, and back again. Must not round: every number that is written or read is below 2^53.

use callgate::time::Timestamp;

/// The base of an amount's two limbs: see `lua/amount.lua`.
const BASE: i64 = 1_000_000_000;
/// Bytes of one number.
pub(crate) const WIDTH: usize = 8;
/// 2^53: the first whole number whose successor is not a double.
pub(crate) const INEXACT: i64 = 1 << 53;

/// Numbers that go to a script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Packed(Vec<u8>);

impl Packed {
    /// None yet, with room for so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// These numbers.
    pub(crate) fn of(numbers: &[i64]) -> Self {
        let mut packed = Self::default();
        packed.extend(numbers);
        packed
    }

    #[expect(clippy::cast_precision_loss, reason = "times, limbs and counts are below 2^53")]
    pub(crate) fn extend(&mut self, numbers: &[i64]) {
        for number in numbers {
            self.0.extend_from_slice(&(*number as f64).to_be_bytes());
        }
    }

    /// An amount, as two numbers.
    pub(crate) fn push_micros(&mut self, micros: i64) {
        self.extend(&[micros / BASE, micros % BASE]);
    }

    /// Other bytes, unchanged.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The amount of two limbs; `None` if they are not one.
pub(crate) fn micros(hi: i64, lo: i64) -> Option<i64> {
    let in_range = hi >= 0 && (0..BASE).contains(&lo);
    hi.checked_mul(BASE)?.checked_add(lo).filter(|_| in_range)
}

/// Numbers that come from a script, read one by one.
#[derive(Debug)]
pub(crate) struct Numbers<'b>(pub(crate) &'b [u8]);

impl Numbers<'_> {
    /// The next number; `None` at the end, or where it is not whole.
    pub(crate) fn next(&mut self) -> Option<i64> {
        let (first, rest) = self.0.split_first_chunk::<WIDTH>()?;
        self.0 = rest;
        let number = f64::from_be_bytes(*first);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "2^53 and what is whole below it are exact"
        )]
        (number.fract() == 0.0 && number.abs() < INEXACT as f64).then_some(number as i64)
    }

    /// The next amount.
    pub(crate) fn next_micros(&mut self) -> Option<i64> {
        let (hi, lo) = (self.next()?, self.next()?);
        micros(hi, lo)
    }

    /// The next time.
    pub(crate) fn next_time(&mut self) -> Option<Timestamp> {
        self.next().map(Timestamp::from_millis)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let numbers = [0, -1, 1, 253_402_300_799_999, BASE];
        let packed = Packed::of(&numbers);
        let mut read = Numbers(packed.as_bytes());
        assert_eq!(numbers.map(|_| read.next()), numbers.map(Some));
        assert!(read.is_empty() && read.next().is_none());
    }

    #[test]
    fn amounts_are_exact_and_two_numbers_make_one_or_none() {
        for amount in [0, 1, BASE - 1, BASE, (1 << 53) + 1, i64::MAX] {
            let mut packed = Packed::default();
            packed.push_micros(amount);
            assert_eq!(Numbers(packed.as_bytes()).next_micros(), Some(amount));
        }
        for (hi, lo) in [(0, BASE), (-1, 0), (0, -1), (i64::MAX / BASE, BASE - 1), (i64::MAX, 0)] {
            assert_eq!(micros(hi, lo), None);
        }
    }

    #[test]
    fn what_is_no_whole_number_is_none() {
        for number in [0.5, f64::NAN, f64::INFINITY, 9_007_199_254_740_992.0] {
            assert_eq!(Numbers(&number.to_be_bytes()).next(), None);
        }
        assert_eq!(Numbers(&[0; 7]).next(), None);
    }
}
