//! Amounts: what a call charges to a counter, exact to 10^-6 (spec 8.2).

use std::fmt;

/// An exact decimal amount in units of 10^-6: 0 to 9,223,372,036,854.775807.
///
/// Prints without exponent and without trailing zeros: `5`, `0.99`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i64);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);
    /// The largest amount, and the maximum of a counter that declares none.
    pub const MAX: Amount = Amount(i64::MAX);
    /// Units in one whole.
    pub const SCALE: i64 = 1_000_000;

    /// From a whole number; `None` if negative or too large.
    pub const fn from_whole(whole: i64) -> Option<Self> {
        match whole.checked_mul(Self::SCALE) {
            Some(micros) => Self::from_micros(micros),
            None => None,
        }
    }

    /// From units of 10^-6; `None` if negative.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < 0 { None } else { Some(Self(micros)) }
    }

    /// In units of 10^-6; never negative.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The sum, or `None` above [`Amount::MAX`].
    pub const fn checked_add(self, other: Amount) -> Option<Amount> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// This amount less `other`, not below zero.
    pub const fn saturating_sub(self, other: Amount) -> Amount {
        if self.0 > other.0 { Self(self.0.saturating_sub(other.0)) } else { Self(0) }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, micros) = (self.0 / Self::SCALE, self.0 % Self::SCALE);
        if micros == 0 {
            return write!(f, "{whole}");
        }
        let text = format!("{micros:06}");
        write!(f, "{whole}.{}", text.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_exactly() {
        for (micros, text) in [
            (0, "0"),
            (1, "0.000001"),
            (990_000, "0.99"),
            (5_000_000, "5"),
            (i64::MAX, "9223372036854.775807"),
        ] {
            let amount = Amount::from_micros(micros).unwrap();
            assert_eq!(amount.to_string(), text);
            assert_eq!(text.parse(), Ok(amount));
        }
        assert_eq!("1e-6".parse(), Ok(Amount(1)));
        for wrong in ["", "-1", "1e-7", "9223372036854.775808", "a", " 1", "NaN"] {
            assert!(wrong.parse::<Amount>().is_err(), "{wrong}");
        }
        assert_eq!(Amount::from_micros(-1), None);
        assert_eq!(Amount::from_whole(9_223_372_036_855), None);
    }
}
