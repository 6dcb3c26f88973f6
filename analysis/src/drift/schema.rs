//! Differences of JSON Schemas: whether one accepts more or less than another (spec L3.3).
//!
//! In: two schemas. Out: changes, each narrower, wider or neither. Must not call a schema narrower that may accept something new: what is not
//! known here is wider.

use std::cmp::Ordering;

use callgate::value::Number;
use serde_json::{Map, Value};

use super::changes::Changes;
use super::{Kind, doubt};

/// What an absent subschema is.
const ANYTHING: Value = Value::Bool(true);

/// Keywords that refer to another schema. What stands beside them may be ignored.
pub(super) const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// Compares two whole schemas.
pub(super) fn whole(changes: &mut Changes, old: Option<&Value>, new: Option<&Value>) {
    let before = changes.count();
    schema(changes, old, new);
    if let Some(why) = doubt::of(old, new).filter(|_| changes.are_harmless_since(before)) {
        changes.whole(Kind::Wider, why);
    }
}

fn schema(changes: &mut Changes, old: Option<&Value>, new: Option<&Value>) {
    match (old.unwrap_or(&ANYTHING), new.unwrap_or(&ANYTHING)) {
        (old, new) if old == new => changes.record(Kind::Wording, Some(old), Some(new)),
        (Value::Object(old), Value::Object(new)) => members(changes, old, new),
        (Value::Bool(true), Value::Object(_) | Value::Bool(_)) | (Value::Object(_), Value::Bool(false)) => {
            changes.record(Kind::Narrower, old, new);
        }
        _ => changes.record(Kind::Wider, old, new),
    }
}

fn members(changes: &mut Changes, old: &Map<String, Value>, new: &Map<String, Value>) {
    let was = changes.is_opaque;
    changes.is_opaque |= REFERENCES.iter().any(|name| old.contains_key(*name) || new.contains_key(*name));
    changes.each(old, new, |changes, name, before, after| match name {
        "title" | "description" | "$comment" => changes.text(before, after),
        "examples" => changes.record(Kind::Wording, before, after),
        "properties" => properties(changes, (old, before), (new, after)),
        "additionalProperties" => schema(changes, before, after),
        "items" if !is_list(before) && !is_list(after) => schema(changes, before, after),
        "allOf" | "anyOf" | "prefixItems" if are_lists_alike(before, after) => {
            elements(changes, before, after);
        }
        "oneOf" if are_lists_alike(before, after) => changes.opaque(|it| elements(it, before, after)),
        "not"
        | "if"
        | "then"
        | "else"
        | "contains"
        | "propertyNames"
        | "unevaluatedItems"
        | "unevaluatedProperties"
            if before.is_some() && after.is_some() =>
        {
            changes.opaque(|changes| schema(changes, before, after));
        }
        "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => {
            changes.opaque(|changes| named(changes, before, after));
        }
        name => {
            let kind = keyword(name, before, after);
            changes.record(kind, before, after);
        }
    });
    changes.is_opaque = was;
}

type Properties<'v> = (&'v Map<String, Value>, Option<&'v Value>);

/// `properties`: one that was not there is an argument more, also where any would be accepted.
fn properties(changes: &mut Changes, (in_old, old): Properties<'_>, (in_new, new): Properties<'_>) {
    let none = Value::Object(Map::new());
    let (Value::Object(old), Value::Object(new)) = (old.unwrap_or(&none), new.unwrap_or(&none)) else {
        return changes.record(Kind::Wider, old, new);
    };
    if old == new {
        return changes.record(Kind::Wording, None, None);
    }
    let others = ["patternProperties", "unevaluatedProperties"];
    let is_closed = |schema: &Map<String, Value>| {
        schema.get("additionalProperties") == Some(&Value::Bool(false))
            && !others.iter().any(|name| schema.contains_key(*name))
    };
    let is_closed = is_closed(in_old) && is_closed(in_new);
    changes.each(old, new, |changes, _, old, new| match (old, new) {
        (Some(_), None) if is_closed => changes.record(Kind::Narrower, old, new),
        (Some(_), Some(_)) => schema(changes, old, new),
        _ => changes.record(Kind::Wider, old, new),
    });
}

/// Lists of subschemas, one by one.
fn elements(changes: &mut Changes, old: Option<&Value>, new: Option<&Value>) {
    let (Some(Value::Array(old)), Some(Value::Array(new))) = (old, new) else { return };
    for (index, (old, new)) in old.iter().zip(new).enumerate() {
        if old != new {
            changes.at(&index.to_string(), |changes| schema(changes, Some(old), Some(new)));
        }
    }
}

/// Subschemas by name, where the names stay.
fn named(changes: &mut Changes, old: Option<&Value>, new: Option<&Value>) {
    match (old, new) {
        (Some(Value::Object(before)), Some(Value::Object(after))) if before.keys().eq(after.keys()) => {
            changes.each(before, after, |changes, _, old, new| schema(changes, old, new));
        }
        _ => changes.record(Kind::Wider, old, new),
    }
}

fn is_list(value: Option<&Value>) -> bool {
    value.is_some_and(Value::is_array)
}

fn are_lists_alike(old: Option<&Value>, new: Option<&Value>) -> bool {
    let length = |value: Option<&Value>| value.and_then(Value::as_array).map(Vec::len);
    length(old).is_some() && length(old) == length(new)
}

/// A keyword that holds no schema, or lists of schemas that are not alike.
fn keyword(name: &str, old: Option<&Value>, new: Option<&Value>) -> Kind {
    match name {
        "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties" => {
            bound(old, new, Ordering::Greater)
        }
        "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" => {
            bound(old, new, Ordering::Less)
        }
        "type" => types(old).zip(types(new)).map_or(Kind::Wider, |(old, new)| match old & new {
            _ if old == new => Kind::Wording,
            both if both == new => Kind::Narrower,
            _ => Kind::Wider,
        }),
        "enum" | "anyOf" => choices(old, new),
        "required" => choices(new.or(Some(&NONE)), old.or(Some(&NONE))),
        "allOf" => choices(new.or(Some(&NONE)), old.or(Some(&NONE))),
        "uniqueItems" => {
            match (old.map_or(Some(false), Value::as_bool), new.map_or(Some(false), Value::as_bool)) {
                (Some(old), Some(new)) if old == new => Kind::Wording,
                (Some(false), Some(true)) => Kind::Narrower,
                _ => Kind::Wider,
            }
        }
        "const" | "multipleOf" | "pattern" | "format" if old.is_none() => Kind::Narrower,
        _ => Kind::Wider,
    }
}

const NONE: Value = Value::Array(Vec::new());

/// A bound that narrows as it goes in this direction.
fn bound(old: Option<&Value>, new: Option<&Value>, narrows: Ordering) -> Kind {
    let text = |value: &Value| match value {
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match (old, new.map(text)) {
        (None, Some(Some(_))) => Kind::Narrower,
        (Some(old), Some(Some(new))) => {
            let old = text(old);
            let numbers = old.as_deref().and_then(Number::from_literal).zip(Number::from_literal(&new));
            let is_narrower = numbers.is_some_and(|(old, new)| new.compare(&old) == narrows);
            if is_narrower { Kind::Narrower } else { Kind::Wider }
        }
        _ => Kind::Wider,
    }
}

/// Lists of which one has to match: fewer are narrower. `None` stands for every choice.
fn choices(old: Option<&Value>, new: Option<&Value>) -> Kind {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned();
    match (old, list(old), list(new)) {
        (None, _, Some(_)) => Kind::Narrower,
        (_, Some(old), Some(new)) => {
            let holds = |all: &[Value], some: &[Value]| {
                let texts: std::collections::HashSet<String> = all.iter().map(Value::to_string).collect();
                some.iter().all(|one| texts.contains(&one.to_string()))
            };
            match (holds(&old, &new), holds(&new, &old)) {
                (true, true) => Kind::Wording,
                (true, false) => Kind::Narrower,
                _ => Kind::Wider,
            }
        }
        _ => Kind::Wider,
    }
}

/// JSON types as bits, in which whole numbers are some of all numbers.
fn types(value: Option<&Value>) -> Option<u8> {
    let one = |name: &Value| {
        Some(match name.as_str()? {
            "null" => 1,
            "boolean" => 2,
            "integer" => 4,
            "number" => 4 | 8,
            "string" => 16,
            "array" => 32,
            "object" => 64,
            _ => return None,
        })
    };
    match value {
        None => Some(127),
        Some(Value::Array(names)) => names.iter().try_fold(0, |all, name| Some(all | one(name)?)),
        Some(name) => one(name),
    }
}
