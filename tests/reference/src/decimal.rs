//! Numbers by their exact value (clause 5.3), and amounts (clause 8.2).

use std::cmp::Ordering;

/// A sign, digits, and where the point stands: `0.digits` times ten to the power of `point`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// Neither leading nor trailing zeros; empty is zero.
    digits: String,
    point: i64,
}

/// The largest amount, in steps of 0.000001 (clause 8.2).
pub const LARGEST: i128 = 9_223_372_036_854_775_807;

impl Decimal {
    /// Clauses 5.2 and 5.3: the value of a JSON number, or none where JSON has no type for it.
    pub fn read(literal: &str) -> Option<Decimal> {
        let (negative, unsigned) = match literal.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, literal),
        };
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.chars().all(|digit| digit == '0') {
            return Some(Decimal { negative: false, digits: String::new(), point: 0 });
        }
        if literal.contains(['.', 'e', 'E']) {
            // Clause 5.2: a non-integer literal that a double reads as infinite or, without being zero, as zero.
            let double: f64 = literal.parse().ok()?;
            if double.is_infinite() || double == 0.0 {
                return None;
            }
        }
        let point = whole.len() as i64 + exponent.parse::<i64>().ok()?;
        let leading = digits.len() - digits.trim_start_matches('0').len();
        Some(Decimal { negative, digits: digits.trim_matches('0').to_owned(), point: point - leading as i64 })
    }

    /// An amount as a number.
    pub fn of_amount(micros: i128) -> Decimal {
        Decimal::read(&amount_text(micros)).expect("an amount is a number")
    }

    /// Clause 5.3: comparison by exact value.
    pub fn compare(&self, other: &Decimal) -> Ordering {
        match (self.sign(), other.sign()) {
            (1, 1) => self.compare_size(other),
            (-1, -1) => other.compare_size(self),
            (one, another) => one.cmp(&another),
        }
    }

    fn sign(&self) -> i32 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn compare_size(&self, other: &Decimal) -> Ordering {
        // Digits that begin with no zero compare like the words of a dictionary.
        self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits))
    }

    /// Clause 8.2: the amount in steps of 0.000001, if it is one.
    pub fn to_amount(&self) -> Option<i128> {
        let micros = self.floor_micros();
        let exact = micros >= 0 && Decimal::of_amount(micros).compare(self) == Ordering::Equal;
        (exact && micros <= LARGEST).then_some(micros)
    }

    /// The largest number of steps of 0.000001 that is not above a number of zero or more; -1 below zero.
    pub fn floor_micros(&self) -> i128 {
        if self.sign() < 0 {
            return -1;
        }
        if self.point > 20 {
            return LARGEST + 1;
        }
        let wanted = self.point + 6;
        let mut micros = 0;
        for place in 0..wanted {
            let digit = self.digits.as_bytes().get(place as usize).map_or(0, |digit| digit - b'0');
            micros = micros * 10 + i128::from(digit);
        }
        micros
    }

    /// Whether it is an integer, by value.
    pub fn is_integer(&self) -> bool {
        self.digits.len() as i64 <= self.point || self.digits.is_empty()
    }

    /// Clause 10.7: plain decimal notation without exponent or trailing zeros.
    pub fn plain(&self) -> String {
        if self.digits.is_empty() {
            return "0".to_owned();
        }
        let sign = if self.negative { "-" } else { "" };
        let length = self.digits.len() as i64;
        if self.point <= 0 {
            let zeros = "0".repeat(self.point.unsigned_abs() as usize);
            format!("{sign}0.{zeros}{}", self.digits)
        } else if self.point >= length {
            format!("{sign}{}{}", self.digits, "0".repeat((self.point - length) as usize))
        } else {
            let (whole, fraction) = self.digits.split_at(self.point as usize);
            format!("{sign}{whole}.{fraction}")
        }
    }
}

/// Clause 10.4: an amount as a decimal string.
pub fn amount_text(micros: i128) -> String {
    let (whole, rest) = (micros / 1_000_000, micros % 1_000_000);
    let fraction = format!("{rest:06}");
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
}
