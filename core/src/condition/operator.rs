//! The operators (spec 5.10 to 5.29): each is a row of [`Operator::compile`], an arm of [`Operator::test`] and a name in
//! [`NAMES`].

use std::cmp::Ordering;

use super::directory::Directory;
use super::from_call::Comparison;
use super::operand::{List, Operand, every};
use super::outcome::{Outcome, Quantifier};
use super::readings::is_plain;
use super::types::Types;
use crate::budget::Budget;
use crate::bytes::same;
use crate::number::Number;
use crate::path::Reading;
use crate::pattern::Pattern;
use crate::view::{Kind, Unreadable, View};

/// Every operator that a policy may name.
pub(crate) const NAMES: [&str; 20] = [
    "eq",
    "neq",
    "in",
    "not_in",
    "lt",
    "lte",
    "gt",
    "gte",
    "regex",
    "not_regex",
    "contains",
    "not_contains",
    "includes",
    "not_includes",
    "exists",
    "type",
    "starts_with",
    "ends_with",
    "subset_of",
    "within",
];

/// An operator with its operand, compiled. `neq` and the `not_` operators are their positive form, negated.
#[derive(Debug, Clone)]
pub(crate) enum Operator {
    Equal(Operand),
    Member(Box<List>),
    Ordered(Box<Ordered>),
    Matches(Box<Pattern>),
    Contains(Operand),
    Includes(Operand),
    Exists(bool),
    HasType(Types),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    SubsetOf(Box<List>),
    Within(Box<Directory>),
    /// With an operand that the call brings: `from_call` makes one of the others of it.
    FromCall(Comparison),
}

/// An order and its operand.
#[derive(Debug, Clone)]
pub(crate) struct Ordered {
    pub(crate) order: Order,
    pub(crate) operand: Number<'static>,
    /// The whole numbers of 64 bits that it admits; from is above to where it admits none.
    from: i64,
    to: i64,
}

/// Which side of the operand a number must lie on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Less => "lt",
            Self::LessOrEqual => "lte",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "gte",
        }
    }

    #[inline]
    fn admits(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering == Ordering::Less,
            Self::LessOrEqual => ordering != Ordering::Greater,
            Self::Greater => ordering == Ordering::Greater,
            Self::GreaterOrEqual => ordering != Ordering::Less,
        }
    }
}

impl Ordered {
    pub(super) fn new(order: Order, operand: Number<'static>) -> Self {
        if let Some(whole) = operand.as_i64() {
            let nothing = (i64::MAX, i64::MIN);
            let (from, to) = match order {
                Order::Less => whole.checked_sub(1).map_or(nothing, |to| (i64::MIN, to)),
                Order::LessOrEqual => (i64::MIN, whole),
                Order::Greater => whole.checked_add(1).map_or(nothing, |from| (from, i64::MAX)),
                Order::GreaterOrEqual => (whole, i64::MAX),
            };
            return Self { order, operand, from, to };
        }
        let admits = |whole: i64| order.admits(Number::from_i64(whole).compare(&operand));
        // What is admitted is all up to some number, or all from some number on.
        let (from, to) = match (admits(i64::MIN), admits(i64::MAX)) {
            (true, true) => (i64::MIN, i64::MAX),
            (false, false) => (i64::MAX, i64::MIN),
            (true, false) => (i64::MIN, last(admits)),
            (false, true) => (last(|whole| !admits(whole)).saturating_add(1), i64::MAX),
        };
        Self { order, operand, from, to }
    }

    #[inline]
    fn admits_whole(&self, whole: i64) -> bool {
        self.from <= whole && whole <= self.to
    }
}

/// The last number for which `holds` is true: it is true for the least, false for the greatest, and changes once.
fn last(holds: impl Fn(i64) -> bool) -> i64 {
    (0..u64::BITS).rev().fold(i64::MIN, |last, bit| match last.checked_add_unsigned(1 << bit) {
        Some(next) if holds(next) => next,
        _ => last,
    })
}

/// Operands whose members are compared by name (spec 3.8).
#[derive(Debug)]
pub(crate) struct Compared<'o> {
    operands: [&'o [Operand]; 2],
    /// Whether each is compared with the elements of the value, not with the value.
    pub(crate) with_elements: bool,
}

impl<'o> Compared<'o> {
    pub(crate) fn operands(&self) -> impl Iterator<Item = &'o Operand> + use<'o> {
        self.operands.into_iter().flatten().filter(|operand| operand.has_members())
    }
}

/// Why an operator does not take an operand.
#[derive(Debug)]
pub(crate) struct OperatorError {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Operator {
    /// The operator called `name`, and whether its outcome is negated; `None` if there is none of that name.
    pub(crate) fn compile(name: &str, operand: Operand) -> Option<Result<(Self, bool), OperatorError>> {
        let wants = |what: &str| -> Result<Self, OperatorError> {
            let message = format!("`{name}` needs {what} as its `value`");
            Err(OperatorError { code: "invalid_operand", message, help: None })
        };
        let list = |operand: Operand, build: fn(Box<List>) -> Self| match operand {
            Operand::Array(members) => Ok(build(Box::new(List::new(members)))),
            _ => wants("a list"),
        };
        let text = |operand: Operand, build: fn(Box<str>) -> Self| match operand {
            Operand::String(text) => Ok(build(text)),
            _ => wants("a string"),
        };
        let ordered = |operand: Operand, order: Order| match operand {
            Operand::Number(number) => Ok(Self::Ordered(Box::new(Ordered::new(order, number)))),
            _ => wants("a number"),
        };
        let pattern = |operand: Operand| match operand {
            Operand::String(text) => match Pattern::compile(&text) {
                Ok(pattern) => Ok(Self::Matches(Box::new(pattern))),
                Err(error) => Err(OperatorError {
                    code: "invalid_regex",
                    message: error.message,
                    help: Some(error.help),
                }),
            },
            _ => wants("a string"),
        };
        let positive = |result: Result<Self, OperatorError>| result.map(|operator| (operator, false));
        let negative = |result: Result<Self, OperatorError>| result.map(|operator| (operator, true));
        Some(match name {
            "eq" => positive(Ok(Self::Equal(operand))),
            "neq" => negative(Ok(Self::Equal(operand))),
            "in" => positive(list(operand, Self::Member)),
            "not_in" => negative(list(operand, Self::Member)),
            "lt" => positive(ordered(operand, Order::Less)),
            "lte" => positive(ordered(operand, Order::LessOrEqual)),
            "gt" => positive(ordered(operand, Order::Greater)),
            "gte" => positive(ordered(operand, Order::GreaterOrEqual)),
            "regex" => positive(pattern(operand)),
            "not_regex" => negative(pattern(operand)),
            "contains" => positive(Ok(Self::Contains(operand))),
            "not_contains" => negative(Ok(Self::Contains(operand))),
            "includes" => positive(Ok(Self::Includes(operand))),
            "not_includes" => negative(Ok(Self::Includes(operand))),
            "type" => positive(match Types::new(&operand) {
                Some(types) => Ok(Self::HasType(types)),
                None => wants("the name of a type, or a list of different ones,"),
            }),
            "exists" => positive(match operand {
                Operand::Bool(wanted) => Ok(Self::Exists(wanted)),
                _ => wants("`true` or `false`"),
            }),
            "starts_with" => positive(text(operand, Self::StartsWith)),
            "ends_with" => positive(text(operand, Self::EndsWith)),
            "subset_of" => positive(list(operand, Self::SubsetOf)),
            "within" => positive(match &operand {
                Operand::String(text) => match Directory::new(text) {
                    Some(directory) => Ok(Self::Within(Box::new(directory))),
                    None => wants(
                        "an absolute path that begins with `/`, without `\\` and without a `..` above the root,",
                    ),
                },
                _ => wants("a string"),
            }),
            _ => return None,
        })
    }

    /// What it compares whole.
    pub(crate) fn compared(&self) -> Compared<'_> {
        let one = |operand| [std::slice::from_ref(operand), &[]];
        let (operands, with_elements) = match self {
            Self::Equal(operand) => (one(operand), false),
            Self::Member(list) => (list.parts(), false),
            Self::Contains(operand) | Self::Includes(operand) => (one(operand), true),
            Self::SubsetOf(list) => (list.parts(), true),
            Self::Ordered(_)
            | Self::Matches(_)
            | Self::Exists(_)
            | Self::HasType(_)
            | Self::StartsWith(_)
            | Self::EndsWith(_)
            | Self::Within(_)
            | Self::FromCall(_) => ([&[][..], &[]], false),
        };
        Compared { operands, with_elements }
    }

    /// The outcome of [`Operator::test`] for a value that needs no look at its kind, for the same steps; `None`, without taking
    /// a step, for any other. Such values take no steps to read, and such a text has one reading.
    #[inline(always)]
    pub(super) fn test_at_once<V: View>(&self, value: &V, steps: &Budget) -> Option<Outcome> {
        match self {
            Self::Ordered(ordered) => {
                let whole = value.as_i64()?;
                Some(ordered.admits_whole(whole).into())
            }
            Self::Member(list) => {
                let text = value.as_str().filter(|text| is_plain(text))?;
                let found = list.has_word(text)?;
                steps.take(1).ok()?;
                Some(found)
            }
            Self::Equal(Operand::String(wanted)) => {
                let text = value.as_str().filter(|text| is_plain(text))?;
                if Budget::of_bytes(text.len()) > 0 {
                    return None;
                }
                steps.take(1).ok()?;
                Some(same(text, wanted).into())
            }
            Self::Equal(Operand::Number(wanted)) => {
                let (whole, wanted) = (value.as_i64()?, wanted.as_i64()?);
                steps.take(1).ok()?;
                Some((whole == wanted).into())
            }
            _ => None,
        }
    }

    /// The operator's outcome for a present value, whose reading has taken its steps.
    pub(crate) fn test<V: View>(
        &self,
        value: &V,
        reading: Reading,
        steps: &Budget,
    ) -> Result<Outcome, Unreadable> {
        match self {
            Self::Equal(operand) => return operand.equals_leaf(value, reading, steps),
            Self::Member(list) => return list.has_leaf(value, reading, steps),
            _ => {}
        }
        let kind = value.kind()?;
        if let Kind::String(text) = &kind {
            steps.take_text(text)?;
            let differs = match self {
                Self::HasType(types) => reading.has_two(text, steps)? && !types.agree_on(text),
                Self::Exists(_) => reading.may_be_null(text, steps)?,
                _ => reading.has_two(text, steps)?,
            };
            if differs {
                return Ok(Outcome::Unknown);
            }
        }
        Ok(match (self, kind) {
            (Self::Exists(wanted), kind) => ((kind != Kind::Null) == *wanted).into(),
            (Self::HasType(types), kind) => types.admit(&kind),
            (Self::Ordered(ordered), Kind::Number(number)) => {
                steps.take(ordered.operand.cost())?;
                ordered.order.admits(number.compare(&ordered.operand)).into()
            }
            (Self::Matches(pattern), Kind::String(text)) => {
                steps.take(pattern.steps(text.len()))?;
                pattern.is_match(&text).into()
            }
            (Self::Contains(Operand::String(part)), Kind::String(text)) => text.contains(&**part).into(),
            (Self::Contains(operand) | Self::Includes(operand), Kind::Array) => {
                every(value, Quantifier::Any, steps, |element| operand.equals(&element, reading, steps))?
            }
            (Self::StartsWith(prefix), Kind::String(text)) => text.starts_with(&**prefix).into(),
            (Self::EndsWith(suffix), Kind::String(text)) => text.ends_with(&**suffix).into(),
            (Self::SubsetOf(list), Kind::Array) if list.is_nothing() => (value.size()? == 0).into(),
            (Self::SubsetOf(list), Kind::Array) => {
                every(value, Quantifier::All, steps, |element| list.has(&element, reading, steps))?
            }
            (Self::Within(directory), Kind::String(text)) => {
                // Its names are taken one by one.
                steps.take(text.len() as u64 / 2)?;
                directory.contains(&text)
            }
            _ => Outcome::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole numbers that an order admits are the same by its range as by comparison, on both sides of every edge.
    #[test]
    fn a_range_admits_what_its_order_admits() {
        let edges = [i64::MIN, i64::MIN + 1, -11, -10, -1, 0, 1, 9, 10, 11, i64::MAX - 1, i64::MAX];
        let operands =
            ["0", "10", "10.5", "-10.5", "1e-300", "-1e-300", "9223372036854775807", "9223372036854775807.5"];
        let beyond = ["-9223372036854775808", "-9223372036854775808.5", "1e300", "-1e300"];
        for text in operands.into_iter().chain(beyond) {
            for order in [Order::Less, Order::LessOrEqual, Order::Greater, Order::GreaterOrEqual] {
                let operand = Number::from_literal(text).unwrap().into_owned();
                let ordered = Ordered::new(order, operand.clone());
                for whole in edges {
                    let by_comparison = order.admits(Number::from_i64(whole).compare(&operand));
                    assert_eq!(ordered.admits_whole(whole), by_comparison, "{whole} {order:?} {text}");
                }
            }
        }
    }
}
