//! Conditions (section 5).

use crate::Facts;
use crate::json::Json;
use crate::mistake::{Mistake::*, is_made};
use crate::operator::{normal, of_no_members, operator};
use crate::path::Leaf;

/// Clause 5.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It fails.
    Fails,
    /// It cannot be decided.
    Unknown,
}

/// Clause 5.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Passes only if the outcome is holds.
    Permit,
    /// Acts if the outcome is holds or unknown.
    Block,
    /// Clause 2.21: the limit applies if the outcome is holds or unknown.
    Limit,
}

/// Clause 5.6: what a wildcard makes of its outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elements {
    All,
    Any,
}

impl Elements {
    pub(crate) fn of(place: Place) -> Elements {
        let is_all = place == Place::Permit || place == Place::Limit && is_made(WhenOfEveryElement);
        if is_all { Elements::All } else { Elements::Any }
    }

    /// Each `not` swaps the two.
    pub(crate) fn swapped(self) -> Elements {
        if self == Elements::All { Elements::Any } else { Elements::All }
    }
}

use Outcome::{Fails, Holds, Unknown};

pub(crate) fn decided(holds: bool) -> Outcome {
    if holds { Holds } else { Fails }
}

/// Clause 5.4: `not` swaps holds and fails.
pub(crate) fn not(outcome: Outcome) -> Outcome {
    match outcome {
        Holds => Fails,
        Fails => Holds,
        Unknown => Unknown,
    }
}

/// Clause 5.4: fails if one fails, else unknown if one is unknown, else holds.
pub(crate) fn all(outcomes: &[Outcome]) -> Outcome {
    if outcomes.contains(&Fails) {
        Fails
    } else if outcomes.contains(&Unknown) {
        Unknown
    } else {
        Holds
    }
}

/// Clause 5.4: holds if one holds, else unknown if one is unknown, else fails.
pub(crate) fn any(outcomes: &[Outcome]) -> Outcome {
    if outcomes.contains(&Holds) {
        Holds
    } else if outcomes.contains(&Unknown) {
        Unknown
    } else {
        Fails
    }
}

/// Clause 5.1: a list of conditions holds when all do.
pub fn list(conditions: &[&Json], facts: &Facts<'_>, place: Place) -> Outcome {
    let outcomes: Vec<_> =
        conditions.iter().map(|condition| one(condition, facts, place, Elements::of(place))).collect();
    all(&outcomes)
}

fn one(condition: &Json, facts: &Facts<'_>, place: Place, elements: Elements) -> Outcome {
    let each = |list: &Json| -> Vec<Outcome> {
        list.list().iter().map(|condition| one(condition, facts, place, elements)).collect()
    };
    if let Some(list) = condition.get("any") {
        return any(&each(list));
    }
    if let Some(list) = condition.get("all") {
        return all(&each(list));
    }
    if let Some(inner) = condition.get("not") {
        return not(one(inner, facts, place, elements.swapped()));
    }
    test(condition, facts, place, elements)
}

/// Clause 5.1: a condition that is no combination of others.
pub(crate) fn test(condition: &Json, facts: &Facts<'_>, place: Place, elements: Elements) -> Outcome {
    let path = condition.get("path").and_then(Json::text).expect("a path");
    let op = condition.get("op").and_then(Json::text).expect("an operator");
    let from = condition.get("value_from").and_then(Json::text);
    // Clause 5.30: the operand is looked at first.
    let operand = match from {
        Some(from) => from_call(from, op, facts),
        None => condition.get("value").cloned(),
    };
    let optional = condition.get("optional") == Some(&Json::Bool(true));
    let lacks = optional && facts.lacks(path);
    let Some(operand) = operand else {
        let is_overlooked = is_made(OperandLast) && facts.leaves(path, place).is_empty();
        return match elements {
            _ if lacks && is_made(OptionalFirst) => Holds,
            Elements::All if is_overlooked => Holds,
            Elements::Any if is_overlooked => Fails,
            _ => Unknown,
        };
    };
    if lacks {
        // Clause 5.31
        return if place == Place::Limit && !is_made(OptionalApplies) { Fails } else { Holds };
    }
    let has_no_members = from.is_some() && operand == Json::Array(vec![]);
    let outcome = |leaf: &Leaf| match leaf {
        Leaf::Value(value) if has_no_members && matches!(op, "in" | "not_in" | "subset_of") => {
            of_no_members(value, op)
        }
        Leaf::Value(value) => operator(value, op, &operand),
        Leaf::Absent if optional && place == Place::Permit && is_made(OptionalElement) => Holds,
        Leaf::Absent => of_absent(op, &operand, place),
        Leaf::WrongType => Unknown,
    };
    let outcomes: Vec<_> = facts.leaves(path, place).iter().map(outcome).collect();
    // Clause 5.6. A path without a wildcard has one outcome, which is the same by either.
    if elements == Elements::All { all(&outcomes) } else { any(&outcomes) }
}

/// Clause 5.30: what a path gives as an operand; none where that decides nothing.
fn from_call(path: &str, op: &str, facts: &Facts<'_>) -> Option<Json> {
    let leaves = facts.leaves(path, Place::Permit);
    let [Leaf::Value(operand)] = &leaves[..] else { return None };
    if let (Json::Open { .. }, true) = (operand, is_made(TwoReadingsFromCall)) {
        return from_call(&format!("{path}.@text"), op, facts);
    }
    let takes = match (op, operand) {
        (_, Json::Null) => is_made(NullFromCall),
        _ if !operand.has_type() => false,
        ("in" | "not_in" | "subset_of", operand) => matches!(operand, Json::Array(_)),
        ("lt" | "lte" | "gt" | "gte", operand) => matches!(operand, Json::Number(_)),
        ("within", Json::String(directory)) => normal(directory).is_some(),
        ("within", _) => false,
        (_, operand) => operand.text() != Some("") || is_made(EmptyTextFromCall),
    };
    takes.then(|| operand.clone())
}

/// The table of clause 5.5 for an absent value.
fn of_absent(op: &str, operand: &Json, place: Place) -> Outcome {
    match op {
        "exists" => decided(*operand == Json::Bool(false)),
        _ if place == Place::Limit && is_made(WhenAbsentSpares) => Fails,
        _ if place != Place::Block => Unknown,
        "not_includes" if is_made(AbsentIsNotExcluded) => Fails,
        "neq" | "not_in" | "not_regex" | "not_contains" | "not_includes" => Holds,
        _ => Fails,
    }
}
