//! Sizes as people write them.
//!
//! In: text such as `64MiB`. Out: bytes. Must not guess: a unit that some read as 1,000 and some as 1,024 is refused.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
///
/// ```
/// use callgate_gateway::Size;
/// assert_eq!("64MiB".parse::<Size>()?.bytes(), 64 << 20);
/// assert_eq!("100".parse::<Size>()?.bytes(), 100);
/// assert!("64MB".parse::<Size>().is_err());
/// # Ok::<(), callgate_gateway::SizeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// A text that is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a size is a number of bytes above 0, such as `4096`, or one with `KiB`, `MiB` or `GiB` behind it, such as `64MiB`"
)]
pub struct SizeError;

const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];

impl Size {
    /// So many bytes.
    pub const fn of(bytes: u64) -> Self {
        Self(bytes)
    }

    /// How many bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let unit = UNITS.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)));
        let (digits, shift) = unit.unwrap_or((text, 0));
        // `u64` would take a sign, too.
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(SizeError);
        }
        let number = digits.parse::<u64>().map_err(|_| SizeError)?;
        let bytes = number.checked_mul(1 << shift).filter(|bytes| *bytes > 0);
        bytes.map(Self).ok_or(SizeError)
    }
}

impl fmt::Display for Size {
    /// In the largest unit that it is a whole number of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, shift)| self.0 > 0 && self.0.trailing_zeros() >= *shift);
        match unit {
            Some((unit, shift)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for text in ["1", "1023", "1KiB", "1536KiB", "64MiB", "2GiB", "17179869183GiB"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("2048".parse(), Ok(Size::of(2_048)));
        for text in [
            "",
            "0",
            "0MiB",
            "MiB",
            "-1",
            "+1",
            "1.5MiB",
            "1 MiB",
            "1M",
            "1MB",
            "1mib",
            "17179869184GiB",
            "99999999999999999999",
        ] {
            assert_eq!(text.parse::<Size>(), Err(SizeError), "{text}");
        }
    }
}
