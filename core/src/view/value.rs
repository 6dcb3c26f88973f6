//! [`View`] over `serde_json::Value`.
//!
//! In: a borrowed value. Out: its kind and parts, in place. Must not read a number through a float first: where another
//! crate of the build turns on serde_json's `arbitrary_precision`, `as_f64` rounds silently.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::ops::ControlFlow;

use serde_json::Value;

use super::{Access, Kind, Reached, Unreadable, View};
use crate::budget::Budget;
use crate::number::{Number, StackText, cost_of_f64};

/// Bytes of the number literals that are read without allocating; the longest of a float is 24.
const SHORT_LITERAL: usize = 48;

impl View for &Value {
    #[inline]
    fn kind(&self) -> Result<Kind<'_>, Unreadable> {
        Ok(match self {
            Value::Null => Kind::Null,
            Value::Bool(value) => Kind::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Kind::Number(Number::from_i64(whole)),
                None => no_i64(number),
            },
            Value::String(text) => Kind::String(Cow::Borrowed(text)),
            Value::Array(_) => Kind::Array,
            Value::Object(_) => Kind::Object,
        })
    }

    #[inline]
    fn is_object(&self) -> Result<bool, Unreadable> {
        Ok(Value::is_object(self))
    }

    #[inline]
    fn member(&self, name: &str) -> Result<Option<Self>, Unreadable> {
        Ok(self.get(name))
    }

    #[inline]
    fn as_i64(&self) -> Option<i64> {
        Value::as_i64(self)
    }

    #[inline]
    fn as_str(&self) -> Option<&str> {
        Value::as_str(self)
    }

    #[inline]
    fn step(&self, name: &str) -> Result<Reached<Self>, Unreadable> {
        Ok(match self {
            Value::Object(members) => members.get(name).map_or(Reached::Absent, Reached::Value),
            Value::Null => Reached::Absent,
            _ => Reached::WrongType,
        })
    }

    #[inline]
    fn element(&self, index: usize) -> Result<Option<Self>, Unreadable> {
        Ok(self.get(index))
    }

    #[inline]
    fn cost(&self, access: Access) -> u64 {
        /// Its map lies somewhere in memory and is searched there.
        const OBJECT: u64 = 10;
        /// From so many members on, a search goes through memory that no cache holds.
        const MANY: usize = 4_096;
        const FAR: u64 = 32;
        match (access, self) {
            (Access::Read, Value::Number(number)) => cost_of(number),
            (Access::Read, Value::Object(_)) => OBJECT,
            (Access::LateMember, Value::Object(members)) if members.len() > MANY => FAR,
            _ => 0,
        }
    }

    fn size(&self) -> Result<usize, Unreadable> {
        Ok(match self {
            Value::Array(elements) => elements.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        })
    }

    fn elements(&self, each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        // Breaking is the caller's way to stop early, not a failure.
        let _ = self.as_array().into_iter().flatten().try_for_each(each);
        Ok(())
    }

    fn members(&self, mut each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        let _ = self.as_object().into_iter().flatten().try_for_each(|(name, value)| each(name, value));
        Ok(())
    }
}

/// What the steps of a number are taken for: a float, or with `arbitrary_precision` a literal of any length.
fn cost_of(number: &serde_json::Number) -> u64 {
    /// That feature belongs to the whole build; a number that is its literal is as large as a `String`.
    const IS_LITERAL: bool = size_of::<serde_json::Number>() == size_of::<String>();
    if number.is_i64() || number.is_u64() {
        return 0;
    }
    if !IS_LITERAL {
        return number.as_f64().map_or(0, cost_of_f64);
    }
    let mut length = Length(0);
    // Counting cannot fail.
    let _ = write!(length, "{number}");
    Budget::of_bytes(length.0)
}

/// The bytes of what is written to it.
struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

#[cold]
fn no_i64(number: &serde_json::Number) -> Kind<'static> {
    match number.as_u64() {
        Some(whole) => Kind::Number(Number::from(whole)),
        None => from_display(number).map_or(Kind::Foreign, Kind::Number),
    }
}

/// The number that prints as a JSON literal: the shortest decimal of a float, or with `arbitrary_precision` the literal
/// as it was read. `None` where it is not a number, or beyond the range (see [`Number::from_literal`]).
fn from_display(number: &impl fmt::Display) -> Option<Number<'static>> {
    let mut short = StackText::<SHORT_LITERAL>::new();
    if write!(short, "{number}").is_ok() {
        return Number::from_literal(short.as_str()).map(Number::into_owned);
    }
    Number::from_literal(&number.to_string()).map(Number::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn number(value: &Value) -> Number<'static> {
        match value.kind().unwrap() {
            Kind::Number(number) => number.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_are_exact() {
        for (value, text) in [
            (json!(0.1), "0.1"),
            (json!(-0.0), "0"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(i64::MIN), "-9223372036854775808"),
            (json!(1e300), &format!("1{}", "0".repeat(300))),
            (json!(5e-324), &format!("0.{}5", "0".repeat(323))),
            (json!(5.0), "5"),
        ] {
            assert_eq!(number(&value).to_string(), text);
        }
    }

    /// What `arbitrary_precision` hands on is a literal of any length and range.
    #[test]
    fn literals_of_arbitrary_precision_are_exact() {
        let long = format!("0.{}1", "3".repeat(200));
        assert_eq!(from_display(&long).unwrap().to_string(), long);
        assert_ne!(from_display(&"9007199254740993").unwrap(), Number::from_i64(9007199254740992));
        assert_eq!(from_display(&"0.10"), Number::from_f64(0.1));
        for foreign in ["1e999", "-1e999", "1e-999", "NaN", "", "1_000", "0x10"] {
            assert_eq!(from_display(&foreign), None, "trap 14: {foreign}");
        }
    }

    #[test]
    fn parts_are_own_members_only() {
        let value = json!({"a": [1, null, "x"], "": {"__proto__": true}});
        let view = &value;
        assert_eq!(view.size().unwrap(), 2);
        assert!(view.member("constructor").unwrap().is_none());
        assert!(view.member("__proto__").unwrap().is_none(), "trap 16");
        assert!(view.member("").unwrap().unwrap().member("__proto__").unwrap().is_some(), "trap 16");
        let list = view.member("a").unwrap().unwrap();
        assert_eq!(list.element(1).unwrap().unwrap().kind().unwrap(), Kind::Null);
        assert!(list.element(3).unwrap().is_none());
        let mut seen = 0;
        list.elements(|_| {
            seen += 1;
            if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert_eq!(seen, 2);
        let mut names = Vec::new();
        view.members(|name, value| {
            names.push((name.to_owned(), value.size().unwrap()));
            ControlFlow::Continue(())
        })
        .unwrap();
        names.sort();
        assert_eq!(names, [(String::new(), 1), ("a".to_owned(), 3)]);
    }
}
