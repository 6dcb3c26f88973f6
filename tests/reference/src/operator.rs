//! Operators on a value and an operand (section 5).

use std::cmp::Ordering;

use crate::condition::Outcome::{self, Fails, Holds, Unknown};
use crate::condition::{all, any, decided, not};
use crate::decimal::Decimal;
use crate::json::Json;
use crate::mistake::{Mistake::*, is_made};
use crate::pattern::Regex;
use crate::readings::Other;

/// Clauses 5.10 to 5.22.
pub(crate) fn operator(value: &Json, op: &str, operand: &Json) -> Outcome {
    // Clause 5.27: of what kind it is may be known, and nothing else.
    if let Json::Open { other } = value {
        return match op {
            "exists" if *other != Other::Null => decided(*operand == Json::Bool(true)),
            "eq" => equal(value, operand),
            "neq" => not(equal(value, operand)),
            "type" => is_open_of_type(*other, operand),
            _ => Unknown,
        };
    }
    // Clause 5.2: what has no type is unknown to every operator but `exists`.
    if !value.has_type() && op != "exists" {
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
        "includes" => includes(value, operand),
        "not_includes" => not(includes(value, operand)),
        "type" if *value == Json::Null && is_made(TypeOfNullUnknown) => Unknown,
        "type" => decided(is_of_type(value, operand)),
        "within" => strings(value, operand, within),
        _ => panic!("no operator: {op}"),
    }
}

/// Clause 5.14.
pub(crate) fn compares(op: &str, order: Ordering) -> bool {
    match op {
        "lt" => order == Ordering::Less,
        "lte" => order != Ordering::Greater,
        "gt" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }
}

pub(crate) fn number(value: &Json) -> Option<Decimal> {
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
        (Json::Open { other: Other::Null }, _) => Unknown,
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

/// Clause 5.12: over the members of the value's type; unknown without such a member. Clause 5.30: a member without a type compares
/// unknown.
fn is_in(value: &Json, members: &Json) -> Outcome {
    let Some(of) = value.kind() else { return Unknown };
    let outcomes: Vec<_> = members
        .list()
        .iter()
        .filter(|member| member.kind().map_or(!is_made(UntypedMemberSkipped), |kind| kind == of))
        .map(|member| equal(value, member))
        .collect();
    if outcomes.is_empty() { Unknown } else { any(&outcomes) }
}

/// Clause 5.28.
fn includes(value: &Json, operand: &Json) -> Outcome {
    match value {
        Json::Array(elements) => {
            any(&elements.iter().map(|element| equal(element, operand)).collect::<Vec<_>>())
        }
        Json::String(_) if is_made(IncludesPartOfText) => contains(value, operand),
        _ => Unknown,
    }
}

/// Clause 5.29.
fn is_of_type(value: &Json, operand: &Json) -> bool {
    let names = match operand {
        Json::Array(names) => names.as_slice(),
        name => std::slice::from_ref(name),
    };
    names.iter().filter_map(Json::text).any(|name| match name {
        "integer" if is_made(IntegerByForm) => {
            matches!(value, Json::Number(literal) if !literal.contains(['.', 'e', 'E']))
        }
        "integer" => number(value).is_some_and(|number| number.is_integer()),
        name => value.kind() == Some(name),
    })
}

/// Clause 5.29: a text with two readings is decided on both.
fn is_open_of_type(other: Other, operand: &Json) -> Outcome {
    let other = match other {
        Other::Null => Json::Null,
        Other::List => Json::Array(vec![]),
        Other::Object => Json::Object(vec![]),
    };
    let as_text = is_of_type(&Json::String(String::new()), operand);
    if is_made(TypeOfTextAlone) || as_text == is_of_type(&other, operand) {
        decided(as_text)
    } else {
        Unknown
    }
}

/// Clause 5.30: an operator on the empty list, which no policy's own operand is to be.
pub(crate) fn of_no_members(value: &Json, op: &str) -> Outcome {
    match (op, value) {
        // Clauses 5.2, 5.26 and 5.27 go first.
        (_, Json::Null) => Unknown,
        _ if !value.has_type() => Unknown,
        _ if is_made(EmptyListFromCall) => Unknown,
        ("in", _) => Fails,
        ("not_in", _) => Holds,
        (_, Json::Array(elements)) => decided(elements.is_empty()),
        _ => Unknown,
    }
}

/// Clause 5.17.
fn contains(value: &Json, operand: &Json) -> Outcome {
    match (value, operand) {
        (Json::Array(_), _) => includes(value, operand),
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
pub(crate) fn normal(path: &str) -> Option<Vec<&str>> {
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
