//! The operand of `type`: names of types (spec 5.29).

use std::fmt;

use super::describe::write_array;
use super::operand::Operand;
use super::outcome::Outcome;
use crate::json_text::write_string;
use crate::view::Kind;

/// Every name of a type. An integer is a number without a fraction.
pub(crate) const TYPES: [&str; 7] = ["null", "boolean", "number", "integer", "string", "array", "object"];

/// One or more of [`TYPES`], a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Types(u8);

impl Types {
    /// `None` where the operand is neither a name nor a list of different ones.
    pub(crate) fn new(operand: &Operand) -> Option<Self> {
        let members = match operand {
            Operand::Array(members) if !members.is_empty() => members,
            Operand::String(_) => std::slice::from_ref(operand),
            _ => return None,
        };
        members.iter().try_fold(Self(0), |types, member| {
            let Operand::String(name) = member else { return None };
            let bit = Self::bit(name);
            (bit != 0 && types.0 & bit == 0).then_some(Self(types.0 | bit))
        })
    }

    fn bit(name: &str) -> u8 {
        TYPES.iter().zip(0..).find(|(known, _)| **known == name).map_or(0, |(_, at)| 1 << at)
    }

    fn has(self, name: &str) -> bool {
        self.0 & Self::bit(name) != 0
    }

    /// Whether a value is of one of the types; unknown for one that JSON has no type for.
    pub(crate) fn admit(self, kind: &Kind<'_>) -> Outcome {
        let found = match kind {
            Kind::Null => self.has("null"),
            Kind::Bool(_) => self.has("boolean"),
            Kind::Number(number) => self.has("number") || self.has("integer") && number.is_integer(),
            Kind::String(_) => self.has("string"),
            Kind::Array => self.has("array"),
            Kind::Object => self.has("object"),
            Kind::Foreign => return Outcome::Unknown,
        };
        found.into()
    }

    /// Whether both readings of a text, which has two, come to the same.
    pub(crate) fn agree_on(self, text: &str) -> bool {
        let other = match text.trim_ascii_start().as_bytes().first() {
            Some(b'[') => "array",
            Some(b'{') => "object",
            _ => "null",
        };
        self.has("string") == self.has(other)
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = TYPES.into_iter().filter(|name| self.has(name)).collect();
        match names.as_slice() {
            [name] => write_string(f, name),
            names => write_array(f, names, |f, name| write_string(f, name)),
        }
    }
}
