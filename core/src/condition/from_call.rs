//! What few tests have: an operand that the call brings, and a value that may be left out (spec 5.30, 5.31).
//!
//! In: a test and the values of the call. Out: the test with that operand, which is then decided as any other. Must not compare anything
//! itself.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::directory::Directory;
use super::operand::{List, Members, Operand};
use super::operator::{Operator, Order, Ordered};
use super::path_walk::{CallContext, Leaf, Visitor, Wrong};
use crate::budget::Budget;
use crate::ceilings::ARGUMENT_DEPTH;
use crate::path::{Path, Reading};
use crate::view::{Kind, Unreadable, View};

/// What few tests have.
#[derive(Debug, Clone, Default)]
pub(crate) struct More {
    /// Where the operand is read.
    pub(crate) operand: Option<Arc<Path>>,
    /// The path up to its first wildcard, if the value may be left out.
    pub(crate) optional: Option<Arc<Path>>,
}

/// How a value is compared with an operand that the call brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Member,
    Includes,
    SubsetOf,
    Ordered(Order),
    Within,
}

/// The operators that take an operand from the call, and which of them are the negation of another.
const COMPARISONS: [(&str, Comparison, bool); 12] = [
    ("eq", Comparison::Equal, false),
    ("neq", Comparison::Equal, true),
    ("in", Comparison::Member, false),
    ("not_in", Comparison::Member, true),
    ("includes", Comparison::Includes, false),
    ("not_includes", Comparison::Includes, true),
    ("subset_of", Comparison::SubsetOf, false),
    ("lt", Comparison::Ordered(Order::Less), false),
    ("lte", Comparison::Ordered(Order::LessOrEqual), false),
    ("gt", Comparison::Ordered(Order::Greater), false),
    ("gte", Comparison::Ordered(Order::GreaterOrEqual), false),
    ("within", Comparison::Within, false),
];

/// Steps of a value that becomes part of an operand: it is copied, and put where a search finds it.
const EACH: u64 = 8;
/// Steps of a member besides: its name is copied, and a table of many members grows through memory that no cache holds.
const MEMBER: u64 = 20;
/// Comparisons to find a place between two whole numbers: see [`Ordered`].
const SEARCH: u64 = 66;

impl Comparison {
    /// The operator called `name`, and whether its outcome is negated; `None` where its operand stands in the policy.
    pub(crate) fn named(name: &str) -> Option<(Self, bool)> {
        COMPARISONS
            .iter()
            .find(|(known, ..)| *known == name)
            .map(|(_, comparison, negated)| (*comparison, *negated))
    }

    pub(super) fn name(self, negated: bool) -> &'static str {
        COMPARISONS
            .iter()
            .find(|(_, comparison, is_negated)| (*comparison, *is_negated) == (self, negated))
            .map_or("", |(name, ..)| name)
    }

    /// The operator with an operand; `None` where it does not take that.
    fn with(self, operand: Operand, taken: &Taken<'_>) -> Result<Option<Operator>, Unreadable> {
        Ok(Some(match (self, operand) {
            (_, Operand::Null | Operand::Undecided) => return Ok(None),
            (_, Operand::String(text)) if text.is_empty() => return Ok(None),
            (Self::Equal, operand) => Operator::Equal(operand),
            (Self::Includes, operand) => Operator::Includes(operand),
            (Self::Member, Operand::Array(members)) => Operator::Member(taken.list(members)?),
            (Self::SubsetOf, Operand::Array(members)) => Operator::SubsetOf(taken.list(members)?),
            (Self::Ordered(order), Operand::Number(number)) => {
                taken.steps.take(taken.reading_numbers().saturating_mul(SEARCH))?;
                Operator::Ordered(Box::new(Ordered::new(order, number)))
            }
            (Self::Within, Operand::String(text)) => {
                taken.steps.take(text.len() as u64 / 2)?;
                match Directory::new(&text) {
                    Some(directory) => Operator::Within(Box::new(directory)),
                    None => return Ok(None),
                }
            }
            _ => return Ok(None),
        }))
    }
}

/// The operator with the operand that `path` gives; `None` where the condition cannot be decided.
pub(super) fn operator<A: View, I: View>(
    comparison: Comparison,
    path: &Path,
    facts: &CallContext<'_, A, I>,
) -> Result<Option<Operator>, Unreadable> {
    let mut taken = Taken { steps: &facts.steps, numbers: 0, longest: 0, operand: None };
    facts.reach(path, &mut taken)?;
    match taken.operand.take() {
        Some(operand) => comparison.with(operand, &taken),
        None => Ok(None),
    }
}

/// Takes a value of the call as an operand.
struct Taken<'s> {
    steps: &'s Budget,
    /// How many numbers are in it.
    numbers: u64,
    /// The steps of reading the longest of them.
    longest: u64,
    operand: Option<Operand>,
}

impl Taken<'_> {
    /// The steps of comparing each number once. One that is long may be compared with every other.
    fn reading_numbers(&self) -> u64 {
        self.numbers.saturating_mul(self.longest.saturating_add(1))
    }

    /// The members of a list. Numbers are put in order, which compares each several times.
    fn list(&self, members: Box<[Operand]>) -> Result<Box<List>, Unreadable> {
        let doublings = members.len().checked_ilog2().unwrap_or(0);
        self.steps.take(self.reading_numbers().saturating_mul(doublings.into()))?;
        Ok(Box::new(List::from_call(members)))
    }

    /// Recursion is bounded by the ceiling on depth.
    fn value<V: View>(&mut self, value: &V, reading: Reading, depth: usize) -> Result<Operand, Unreadable> {
        let deeper = depth.saturating_add(1);
        self.steps.take(EACH)?;
        self.steps.take_value(value)?;
        Ok(match value.kind()? {
            Kind::Null => Operand::Null,
            Kind::Bool(value) => Operand::Bool(value),
            Kind::Number(number) => {
                self.numbers = self.numbers.saturating_add(1);
                self.longest = self.longest.max(number.cost());
                Operand::Number(number.into_owned())
            }
            Kind::String(text) => {
                self.steps.take_text(&text)?;
                if reading.has_two(&text, self.steps)? {
                    Operand::Undecided
                } else {
                    Operand::String(text.into())
                }
            }
            Kind::Array | Kind::Object if depth >= ARGUMENT_DEPTH => return Err(Unreadable::TooDeep),
            Kind::Array => {
                let (mut members, mut failure) = (Vec::new(), None);
                value.elements(|element| match self.value(&element, reading, deeper) {
                    Ok(member) => {
                        members.push(member);
                        ControlFlow::Continue(())
                    }
                    Err(why) => {
                        failure = Some(why);
                        ControlFlow::Break(())
                    }
                })?;
                failure.map_or(Ok(Operand::Array(members.into())), Err)?
            }
            Kind::Object => {
                let (mut members, mut failure) = (Box::<Members>::default(), None);
                value.members(|name, member| {
                    let taken = self.steps.take(MEMBER).and_then(|()| self.steps.take_text(name));
                    let member = taken.and_then(|()| self.value(&member, reading, deeper));
                    match member {
                        Ok(member) => {
                            members.insert(name.into(), member);
                            ControlFlow::Continue(())
                        }
                        Err(why) => {
                            failure = Some(why);
                            ControlFlow::Break(())
                        }
                    }
                })?;
                failure.map_or(Ok(Operand::Members(members)), Err)?
            }
            Kind::Foreign => Operand::Undecided,
        })
    }
}

impl Visitor for Taken<'_> {
    fn leaf<V: View>(&mut self, leaf: Leaf<'_, V>) -> Result<ControlFlow<()>, Unreadable> {
        if let Leaf::Value(value, reading) = leaf {
            self.operand = Some(self.value(value, reading, 0)?);
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Whether what `path` leads to is absent or null. A null that a view would read counts.
pub(super) fn is_left_out<A: View, I: View>(
    path: &Path,
    facts: &CallContext<'_, A, I>,
) -> Result<bool, Unreadable> {
    let mut found = LeftOut(false);
    facts.reach(path, &mut found)?;
    Ok(found.0)
}

struct LeftOut(bool);

impl Visitor for LeftOut {
    fn leaf<V: View>(&mut self, leaf: Leaf<'_, V>) -> Result<ControlFlow<()>, Unreadable> {
        self.0 = match leaf {
            Leaf::Absent | Leaf::WrongType(Wrong::NullView) => true,
            Leaf::Value(value, _) => value.kind()? == Kind::Null,
            Leaf::WrongType(_) => false,
        };
        Ok(ControlFlow::Continue(()))
    }
}

/// What both sides of a comparison are, for an explanation. Takes no steps of the call's: an explanation must not come to another
/// decision.
pub(super) fn sides<A: View, I: View>(value: &Path, operand: &Path, facts: &CallContext<'_, A, I>) -> String {
    let mut facts = CallContext::new(facts.target(), facts.args, facts.identity, facts.beside);
    facts.steps = Budget::without_end();
    let side = |path: &Path| {
        let mut types = TypesFound { types: Vec::new(), left: SHOWN };
        // What cannot be read ends the decision, and the explanation with it.
        let _ = facts.reach(path, &mut types);
        match types.types.as_slice() {
            [] => format!("{path} has no element"),
            types => format!("{path} is {}", types.join(" and ")),
        }
    };
    format!("{}, {}", side(value), side(operand))
}

/// Values that an explanation looks at. Hosts bound how many are read for a call, and what is read here is read for the same call.
const SHOWN: usize = 256;

/// The types of the first values that a path leads to, each once.
struct TypesFound {
    types: Vec<&'static str>,
    /// How many values may still be looked at.
    left: usize,
}

impl Visitor for TypesFound {
    fn leaf<V: View>(&mut self, leaf: Leaf<'_, V>) -> Result<ControlFlow<()>, Unreadable> {
        let found = match leaf {
            Leaf::Absent => "absent",
            Leaf::WrongType(_) => "not there: a value on the way is of another type",
            Leaf::Value(value, reading) => match value.kind()? {
                Kind::Null => "null",
                Kind::Bool(_) => "a boolean",
                Kind::Number(_) => "a number",
                Kind::String(text) if text.is_empty() => "an empty string",
                Kind::String(text) if reading.has_two(&text, &Budget::without_end())? => {
                    "text that is JSON, too"
                }
                Kind::String(_) => "a string",
                Kind::Array => "a list",
                Kind::Object => "an object",
                Kind::Foreign => "no value of JSON",
            },
        };
        if !self.types.contains(&found) {
            self.types.push(found);
        }
        self.left = self.left.saturating_sub(1);
        Ok(if self.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}
