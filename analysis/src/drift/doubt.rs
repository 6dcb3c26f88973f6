//! Schemas of which nobody can say place by place whether one accepts more.
//!
//! In: two schemas that differ. Out: why the difference may be more than its places say. Must not miss what makes one place depend on another.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::schema::REFERENCES;

/// Keywords that look at what other keywords left over.
const REST: [&str; 2] = ["unevaluatedProperties", "unevaluatedItems"];
/// Texts that bound nothing.
const TEXTS: [&str; 3] = ["title", "description", "$comment"];
/// Keywords whose members are names of arguments.
const BY_NAME: [&str; 4] = ["properties", "patternProperties", "dependentSchemas", "dependentRequired"];

/// Why a difference counts as wider, whatever its places say; `None` where they tell it.
pub(super) fn of(old: Option<&Value>, new: Option<&Value>) -> Option<&'static str> {
    let both = || [old, new].into_iter().flatten();
    if old.map(without_texts) == new.map(without_texts) {
        return None;
    }
    if both().any(|schema| has(schema, &|name, _| REST.contains(&name))) {
        return Some("what `unevaluatedProperties` or `unevaluatedItems` leave over cannot be compared");
    }
    let refers = |name: &str, member: &Value| {
        REFERENCES.contains(&name) && !member.as_str().is_some_and(is_definition)
    };
    if both().any(|schema| has(schema, &refers)) {
        return Some("the schema refers to a part of itself");
    }
    let (before, after) = (names(old), names(new));
    (!after.is_subset(&before)).then_some("it names arguments that it did not name before")
}

/// A definition as a whole, which stands nowhere else.
fn is_definition(text: &str) -> bool {
    let name = text.strip_prefix("#/$defs/").or_else(|| text.strip_prefix("#/definitions/"));
    name.is_some_and(|name| !name.contains('/'))
}

fn has(value: &Value, is_it: &dyn Fn(&str, &Value) -> bool) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, member)| is_it(name, member) || has(member, is_it))
        }
        Value::Array(elements) => elements.iter().any(|element| has(element, is_it)),
        _ => false,
    }
}

/// The same without what a person reads. A property that is called `title` is no text.
fn without_texts(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept =
                members.iter().filter(|(name, member)| !(TEXTS.contains(&&***name) && member.is_string()));
            Value::Object(
                kept.map(|(name, member)| (name.clone(), without_texts(member))).collect::<Map<_, _>>(),
            )
        }
        Value::Array(elements) => elements.iter().map(without_texts).collect(),
        other => other.clone(),
    }
}

/// All names of arguments that a schema speaks of.
fn names(schema: Option<&Value>) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    if let Some(schema) = schema {
        collect(schema, &mut names);
    }
    names
}

fn collect<'v>(value: &'v Value, names: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::Object(by_name) if BY_NAME.contains(&&**name) => {
                        names.extend(by_name.keys().map(String::as_str));
                    }
                    Value::Array(required) if name == "required" => {
                        names.extend(required.iter().filter_map(Value::as_str));
                    }
                    given if matches!(&**name, "const" | "enum") => keys(given, names),
                    _ => {}
                }
                collect(member, names);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, names)),
        _ => {}
    }
}

/// The names in values that a schema takes.
fn keys<'v>(value: &'v Value, names: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                names.insert(name);
                keys(member, names);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| keys(element, names)),
        _ => {}
    }
}
