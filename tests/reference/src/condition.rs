//! Conditions (section 5).

use std::cmp::Ordering;

use crate::Facts;
use crate::decimal::Decimal;
use crate::json::Json;
use crate::path::{self, Leaf};
use crate::pattern::Regex;
use crate::readings;

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
}

/// Clause 5.6: what `[*]` makes of its outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elements {
    All,
    Any,
}

use Outcome::{Fails, Holds, Unknown};

fn decided(holds: bool) -> Outcome {
    if holds { Holds } else { Fails }
}

/// Clause 5.4: `not` swaps holds and fails.
fn not(outcome: Outcome) -> Outcome {
    match outcome {
        Holds => Fails,
        Fails => Holds,
        Unknown => Unknown,
    }
}

/// Clause 5.4: fails if one fails, else unknown if one is unknown, else holds.
fn all(outcomes: &[Outcome]) -> Outcome {
    if outcomes.contains(&Fails) {
        Fails
    } else if outcomes.contains(&Unknown) {
        Unknown
    } else {
        Holds
    }
}

/// Clause 5.4: holds if one holds, else unknown if one is unknown, else fails.
fn any(outcomes: &[Outcome]) -> Outcome {
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
    let elements = if place == Place::Permit { Elements::All } else { Elements::Any };
    let outcomes: Vec<_> =
        conditions.iter().map(|condition| one(condition, facts, place, elements)).collect();
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
        // Clause 5.6: each `not` swaps the two.
        let swapped = if elements == Elements::All { Elements::Any } else { Elements::All };
        return not(one(inner, facts, place, swapped));
    }
    let path = condition.get("path").and_then(Json::text).expect("a path");
    let op = condition.get("op").and_then(Json::text).expect("an operator");
    let operand = condition.get("value").expect("an operand");
    let outcome = |leaf: &Leaf<'_>| match leaf {
        Leaf::Value(value) if path::has_readings(path) => operator(&readings::opened(value), op, operand),
        leaf => at_leaf(*leaf, op, operand, place),
    };
    let outcomes: Vec<_> = facts.leaves(path).iter().map(outcome).collect();
    // Clause 5.6. A path without `[*]` has one outcome, which is the same by either.
    if elements == Elements::All { all(&outcomes) } else { any(&outcomes) }
}

/// The table of clause 5.5.
fn at_leaf(leaf: Leaf<'_>, op: &str, operand: &Json, place: Place) -> Outcome {
    match (leaf, op) {
        (Leaf::WrongType, _) => Unknown,
        (Leaf::Absent, "exists") => decided(*operand == Json::Bool(false)),
        (Leaf::Absent, _) if place == Place::Permit => Unknown,
        (Leaf::Absent, "neq" | "not_in" | "not_regex" | "not_contains") => Holds,
        (Leaf::Absent, _) => Fails,
        (Leaf::Value(value), _) => operator(value, op, operand),
    }
}

/// Clauses 5.10 to 5.22.
fn operator(value: &Json, op: &str, operand: &Json) -> Outcome {
    // Clause 5.27: whether it is null may be known, and nothing else.
    if let Json::Open { null } = value {
        return match op {
            "exists" if !null => decided(*operand == Json::Bool(true)),
            "eq" => equal(value, operand),
            "neq" => not(equal(value, operand)),
            _ => Unknown,
        };
    }
    // Clause 5.2: what has no type is unknown to every operator but `exists`.
    if kind(value).is_none() && op != "exists" {
        return Unknown;
    }
    match op {
        "eq" => equal(value, operand),
        "neq" => not(equal(value, operand)),
        "in" => is_in(value, operand),
        "not_in" => not(is_in(value, operand)),
        "lt" | "lte" | "gt" | "gte" => match (number(value), number(operand)) {
            (Some(value), Some(operand)) => decided(compares(op, value.compare(&operand))),
            _ => Unknown,
        },
        "regex" => regex(value, operand),
        "not_regex" => not(regex(value, operand)),
        "contains" => contains(value, operand),
        "not_contains" => not(contains(value, operand)),
        // Clause 5.19: a value that is not null.
        "exists" => decided((*value != Json::Null) == (*operand == Json::Bool(true))),
        "starts_with" => strings(value, operand, |value, operand| decided(value.starts_with(operand))),
        "ends_with" => strings(value, operand, |value, operand| decided(value.ends_with(operand))),
        // Clause 5.21
        "subset_of" => match value {
            Json::Array(elements) => {
                all(&elements.iter().map(|element| is_in(element, operand)).collect::<Vec<_>>())
            }
            _ => Unknown,
        },
        "within" => strings(value, operand, within),
        _ => panic!("no operator: {op}"),
    }
}

/// Clause 5.14.
fn compares(op: &str, order: Ordering) -> bool {
    match op {
        "lt" => order == Ordering::Less,
        "lte" => order != Ordering::Greater,
        "gt" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }
}

/// Clause 5.2: the type of a value; none for what JSON has no type for.
fn kind(value: &Json) -> Option<&'static str> {
    Some(match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(literal) => {
            Decimal::read(literal)?;
            "number"
        }
        Json::String(_) => "string",
        Json::Open { .. } => return None,
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    })
}

fn number(value: &Json) -> Option<Decimal> {
    match value {
        Json::Number(literal) => Decimal::read(literal),
        _ => None,
    }
}

/// Clause 5.7.
fn equal(value: &Json, operand: &Json) -> Outcome {
    match (value, operand) {
        // Clause 5.2 goes first: what has no type is unknown also against null.
        (Json::Number(literal), _) if Decimal::read(literal).is_none() => Unknown,
        (Json::Open { null: true }, _) => Unknown,
        (_, Json::Null) => decided(*value == Json::Null),
        (Json::Bool(one), Json::Bool(other)) => decided(one == other),
        (Json::Number(_), Json::Number(_)) => match (number(value), number(operand)) {
            (Some(one), Some(other)) => decided(one.compare(&other) == Ordering::Equal),
            _ => Unknown,
        },
        (Json::String(one), Json::String(other)) => decided(one == other),
        (Json::Array(ones), Json::Array(others)) => {
            if ones.len() != others.len() {
                return Fails;
            }
            all(&ones.iter().zip(others).map(|(one, other)| equal(one, other)).collect::<Vec<_>>())
        }
        (Json::Object(ones), Json::Object(others)) => {
            if ones.len() != others.len() || ones.iter().any(|(key, _)| operand.get(key).is_none()) {
                return Fails;
            }
            let pair = |(key, one): &(String, Json)| equal(one, operand.get(key).expect("the same keys"));
            all(&ones.iter().map(pair).collect::<Vec<_>>())
        }
        _ => Unknown,
    }
}

/// Clause 5.12: over the members of the value's type; unknown without such a member.
fn is_in(value: &Json, members: &Json) -> Outcome {
    let Some(of) = kind(value) else { return Unknown };
    let outcomes: Vec<_> = members
        .list()
        .iter()
        .filter(|member| kind(member) == Some(of))
        .map(|member| equal(value, member))
        .collect();
    if outcomes.is_empty() { Unknown } else { any(&outcomes) }
}

/// Clause 5.17.
fn contains(value: &Json, operand: &Json) -> Outcome {
    match (value, operand) {
        (Json::Array(elements), _) => {
            any(&elements.iter().map(|element| equal(element, operand)).collect::<Vec<_>>())
        }
        (Json::String(value), Json::String(part)) => decided(value.contains(part.as_str())),
        _ => Unknown,
    }
}

fn strings(value: &Json, operand: &Json, test: impl Fn(&str, &str) -> Outcome) -> Outcome {
    match (value, operand) {
        (Json::String(value), Json::String(operand)) => test(value, operand),
        _ => Unknown,
    }
}

/// Clause 5.15.
fn regex(value: &Json, operand: &Json) -> Outcome {
    strings(value, operand, |value, pattern| {
        decided(Regex::read(pattern).expect("a known pattern").matches(value))
    })
}

/// Clause 5.22.
fn within(value: &str, directory: &str) -> Outcome {
    match (normal(value), normal(directory)) {
        (Some(value), Some(directory)) => decided(value.starts_with(&directory)),
        _ => Unknown,
    }
}

/// Clause 5.25: the segments of a path after lexical normalisation; none where it is unknown.
fn normal(path: &str) -> Option<Vec<&str>> {
    if !path.starts_with('/') || path.contains(['\0', '\\']) {
        return None;
    }
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            name => segments.push(name),
        }
    }
    Some(segments)
}

/// Clause 4.5: whether a condition reads a counter.
pub fn is_state(condition: &Json) -> bool {
    condition.get("path").and_then(Json::text).is_some_and(|path| path::read(path).0 == "state")
}

/// Every path of a condition.
pub fn paths(condition: &Json) -> Vec<String> {
    let parts = ["any", "all"].into_iter().filter_map(|form| condition.get(form)).flat_map(Json::list);
    let path = condition.get("path").and_then(Json::text).map(str::to_owned);
    parts.chain(condition.get("not")).flat_map(paths).chain(path).collect()
}

/// Clause 3.8: what the values at a condition's paths are compared with whole, each with its path; `[*]` is behind the path where the
/// elements are compared.
pub fn compared(condition: &Json) -> Vec<(String, &Json)> {
    let parts = ["any", "all"].into_iter().filter_map(|form| condition.get(form)).flat_map(Json::list);
    let mut found: Vec<_> = parts.chain(condition.get("not")).flat_map(compared).collect();
    if let (Some(path), Some(op), Some(operand)) = (
        condition.get("path").and_then(Json::text),
        condition.get("op").and_then(Json::text),
        condition.get("value"),
    ) {
        let elements = format!("{path}[*]");
        match op {
            "eq" | "neq" => found.push((path.to_owned(), operand)),
            "in" | "not_in" => found.extend(operand.list().iter().map(|one| (path.to_owned(), one))),
            "contains" | "not_contains" => found.push((elements, operand)),
            "subset_of" => found.extend(operand.list().iter().map(|one| (elements.clone(), one))),
            _ => {}
        }
    }
    found
}

/// Clause 8.5: whether a state condition holds for an amount.
pub fn state_holds(condition: &Json, amount: i128) -> bool {
    let amount = Decimal::of_amount(amount);
    let op = condition.get("op").and_then(Json::text).expect("an operator");
    let order = |operand: &Json| amount.compare(&number(operand).expect("a number"));
    let operand = condition.get("value").expect("an operand");
    let among = || operand.list().iter().any(|member| order(member) == Ordering::Equal);
    match op {
        "eq" => order(operand) == Ordering::Equal,
        "neq" => order(operand) != Ordering::Equal,
        "in" => among(),
        "not_in" => !among(),
        _ => compares(op, order(operand)),
    }
}

/// The amounts around every number that a state condition names: between two neighbours of them nothing changes.
pub fn state_borders(condition: &Json) -> Vec<i128> {
    let operand = condition.get("value").expect("an operand");
    let numbers: Vec<&Json> = match operand {
        Json::Array(members) => members.iter().collect(),
        other => vec![other],
    };
    numbers
        .into_iter()
        .filter_map(number)
        .flat_map(|number| [-1, 0, 1].map(|step| number.floor_micros() + step))
        .collect()
}

/// The patterns of a condition, at any depth.
pub fn patterns(condition: &Json) -> Vec<&str> {
    if let Some(list) = condition.get("any").or(condition.get("all")) {
        return list.list().iter().flat_map(patterns).collect();
    }
    if let Some(inner) = condition.get("not") {
        return patterns(inner);
    }
    match condition.get("op").and_then(Json::text) {
        Some("regex" | "not_regex") => condition.get("value").and_then(Json::text).into_iter().collect(),
        _ => vec![],
    }
}
