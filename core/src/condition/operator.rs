//! The operators (spec 5.10 to 5.26): each is a row of [`Operator::compile`], an arm of [`Operator::test`] and a name in
//! [`NAMES`].

use std::cmp::Ordering;

use super::directory::Directory;
use super::operand::{List, Operand, every};
use super::outcome::{Outcome, Quantifier};
use super::steps::Steps;
use crate::number::Number;
use crate::pattern::Pattern;
use crate::view::{Kind, Unreadable, View};

/// Every operator that a policy may name.
pub(crate) const NAMES: [&str; 17] = [
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
    "exists",
    "starts_with",
    "ends_with",
    "subset_of",
    "within",
];

/// An operator with its operand, compiled. `neq` and the `not_` operators are their positive form, negated.
#[derive(Debug, Clone)]
pub(crate) enum Operator {
    Equal(Operand),
    Member(List),
    Ordered(Order, Number<'static>),
    Matches(Box<Pattern>),
    Contains(Operand),
    Exists(bool),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    SubsetOf(List),
    Within(Directory),
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

/// Why an operator and an operand do not go together.
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
        let list = |operand: Operand, build: fn(List) -> Self| match operand {
            Operand::Array(members) => Ok(build(List::new(members))),
            _ => wants("a list"),
        };
        let text = |operand: Operand, build: fn(Box<str>) -> Self| match operand {
            Operand::String(text) => Ok(build(text)),
            _ => wants("a string"),
        };
        let ordered = |operand: Operand, order: Order| match operand {
            Operand::Number(number) => Ok(Self::Ordered(order, number)),
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
            "exists" => positive(match operand {
                Operand::Bool(wanted) => Ok(Self::Exists(wanted)),
                _ => wants("`true` or `false`"),
            }),
            "starts_with" => positive(text(operand, Self::StartsWith)),
            "ends_with" => positive(text(operand, Self::EndsWith)),
            "subset_of" => positive(list(operand, Self::SubsetOf)),
            "within" => positive(match &operand {
                Operand::String(text) => match Directory::new(text) {
                    Some(directory) => Ok(Self::Within(directory)),
                    None => wants(
                        "an absolute path that begins with `/`, without `\\` and without a `..` above the root,",
                    ),
                },
                _ => wants("a string"),
            }),
            _ => return None,
        })
    }

    /// What the operator says of a value that is there.
    #[inline]
    pub(crate) fn test<V: View>(&self, value: &V, steps: &Steps) -> Result<Outcome, Unreadable> {
        match self {
            Self::Equal(operand) => return operand.equals(value, steps),
            Self::Member(list) => return list.has(value, steps),
            _ => {}
        }
        let kind = value.kind()?;
        if let Kind::String(text) = &kind {
            steps.take_text(text)?;
        }
        Ok(match (self, kind) {
            (Self::Exists(wanted), kind) => ((kind != Kind::Null) == *wanted).into(),
            (Self::Ordered(order, operand), Kind::Number(number)) => {
                order.admits(number.compare(operand)).into()
            }
            (Self::Matches(pattern), Kind::String(text)) => {
                steps.take(pattern.steps(text.len()))?;
                pattern.is_match(&text).into()
            }
            (Self::Contains(Operand::String(part)), Kind::String(text)) => text.contains(&**part).into(),
            (Self::Contains(operand), Kind::Array) => {
                every(value, Quantifier::Any, |element| operand.equals(&element, steps))?
            }
            (Self::StartsWith(prefix), Kind::String(text)) => text.starts_with(&**prefix).into(),
            (Self::EndsWith(suffix), Kind::String(text)) => text.ends_with(&**suffix).into(),
            (Self::SubsetOf(list), Kind::Array) => {
                every(value, Quantifier::All, |element| list.has(&element, steps))?
            }
            (Self::Within(directory), Kind::String(text)) => directory.contains(&text),
            _ => Outcome::Unknown,
        })
    }
}
