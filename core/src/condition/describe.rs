//! Conditions as text, for explanations only.

use std::fmt::{self, Write as _};

use super::operand::Operand;
use super::operator::Operator;
use super::{Outcome, Test};
use crate::json_text::write_string;

impl Outcome {
    /// `holds`, `fails` or `unknown`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.negated { "not_" } else { "" };
        write!(f, "{} ", self.path)?;
        match &self.operator {
            Operator::Equal(operand) => write!(f, "{} {operand}", if self.negated { "neq" } else { "eq" }),
            Operator::Member(list) => write!(f, "{not}in {list}"),
            Operator::Ordered(ordered) => {
                write!(f, "{} ", ordered.order.name())?;
                ordered.operand.write_canonical(f)
            }
            Operator::Matches(pattern) => write!(f, "{not}regex {}", Operand::String(pattern.text().into())),
            Operator::Contains(operand) => write!(f, "{not}contains {operand}"),
            Operator::Includes(operand) => write!(f, "{not}includes {operand}"),
            Operator::HasType(types) => write!(f, "type {types}"),
            Operator::Exists(wanted) => write!(f, "exists {wanted}"),
            Operator::StartsWith(text) => write!(f, "starts_with {}", Operand::String(text.clone())),
            Operator::EndsWith(text) => write!(f, "ends_with {}", Operand::String(text.clone())),
            Operator::SubsetOf(list) => write!(f, "subset_of {list}"),
            Operator::Within(directory) => write!(f, "within {directory}"),
            Operator::FromCall(comparison) => {
                f.write_str(comparison.name(self.negated))?;
                match self.more.as_ref().and_then(|more| more.operand.as_ref()) {
                    Some(path) => write!(f, " {path}"),
                    None => Ok(()),
                }
            }
        }?;
        let is_optional = self.more.as_ref().is_some_and(|more| more.optional.is_some());
        if is_optional { f.write_str(", optional") } else { Ok(()) }
    }
}

/// Writes an array, each of its members by `write`.
pub(super) fn write_array<T>(
    f: &mut fmt::Formatter<'_>,
    members: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_char('[')?;
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            f.write_char(',')?;
        }
        write(f, member)?;
    }
    f.write_char(']')
}

/// As canonical JSON.
impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            // No explanation shows what a call brings.
            Self::Undecided | Self::Members(_) => f.write_str("…"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => number.write_canonical(f),
            Self::String(text) => write_string(f, text),
            Self::Array(members) => write_array(f, members, |f, member| write!(f, "{member}")),
            Self::Object(members) => {
                f.write_char('{')?;
                for (index, (name, member)) in members.iter().enumerate() {
                    if index > 0 {
                        f.write_char(',')?;
                    }
                    write_string(f, name)?;
                    write!(f, ":{member}")?;
                }
                f.write_char('}')
            }
        }
    }
}
