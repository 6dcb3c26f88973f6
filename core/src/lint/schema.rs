//! What a tool's input schema says of the values that a path leads to, for warnings.
//!
//! In: a schema and the segments of a path. Out: whether there can be such a value, and its types. What a schema leaves open is no fault.

use std::ops::ControlFlow;

use crate::path::{PathView, Segment};
use crate::view::{Kind, View};

fn names_of<V: View>(properties: &V) -> Vec<String> {
    let mut names = Vec::new();
    let _ = properties.members(|name, _| {
        names.push(name.to_owned());
        ControlFlow::Continue(())
    });
    names
}

/// Where a schema leaves no room for a path: the segment, counted from 0, and the names that may stand there; `None` where there is
/// room. Follows `properties` and `items`; anything else may be anything. Recursion is as deep as the path.
pub(super) fn missing<V: View>(schema: &V, segments: &[Segment], at: usize) -> Option<(usize, Vec<String>)> {
    let (segment, rest) = segments.split_first()?;
    let next = at.saturating_add(1);
    match segment {
        Segment::Name(name) | Segment::Quoted(name) => {
            let open = ["$ref", "allOf", "anyOf", "oneOf", "patternProperties"];
            let properties = member(schema, "properties")?;
            if open.iter().any(|key| member(schema, key).is_some()) {
                return None;
            }
            match member(&properties, name) {
                Some(known) => missing(&known, rest, next),
                // A schema that lists its properties and says nothing of others means these, to its reader.
                None if member(schema, "additionalProperties").is_some_and(|more| is_open(&more)) => None,
                None => Some((at, names_of(&properties))),
            }
        }
        Segment::Index(_) | Segment::Each => missing(&member(schema, "items")?, rest, next),
        // Views say for themselves what they do not take; behind `@json` and where any member may stand nothing is known.
        Segment::Members | Segment::Scalars | Segment::View(_) => None,
    }
}

/// What `read` says of the schema of what a path leads to. Recursion is as deep as the path.
fn at<V: View, R>(schema: &V, segments: &[Segment], read: &impl Fn(&V) -> Option<R>) -> Option<R> {
    let Some((segment, rest)) = segments.split_first() else { return read(schema) };
    let part = match segment {
        Segment::Name(name) | Segment::Quoted(name) => member(&member(schema, "properties")?, name)?,
        Segment::Index(_) | Segment::Each => member(schema, "items")?,
        // What a view gives has one reading, and wildcards over members lead anywhere.
        Segment::Members | Segment::Scalars | Segment::View(_) => return None,
    };
    at(&part, rest, read)
}

/// The types that a schema names for what a path leads to: by `type`, or by those of its alternatives.
pub(super) fn types_at<V: View>(schema: &V, segments: &[Segment]) -> Option<Vec<String>> {
    at(schema, segments, &|schema| {
        named_types(schema).or_else(|| {
            let mut types = Vec::new();
            let alternatives = member(schema, "anyOf").or_else(|| member(schema, "oneOf"))?;
            let _ = alternatives.elements(|alternative| {
                types.extend(named_types(&alternative).into_iter().flatten());
                ControlFlow::Continue(())
            });
            Some(types)
        })
    })
}

/// The types of what a path leads to, if the schema names them and a scope can have none of them (spec 9.3).
pub(super) fn types_of_no_scope<V: View>(schema: &V, segments: &[Segment]) -> Option<Vec<String>> {
    // What is read as text must be a string: of the types that are no scope, it makes none.
    let is_of_text = |segment: &Segment| matches!(segment, Segment::View(PathView::Text | PathView::Lower));
    let end = segments.iter().position(is_of_text).unwrap_or(segments.len());
    let types = at(schema, segments.get(..end)?, &named_types)?;
    let is_none = |name: &String| matches!(name.as_str(), "object" | "array" | "boolean" | "null");
    (!types.is_empty() && types.iter().all(is_none)).then_some(types)
}

/// The names in `type`.
fn named_types<V: View>(schema: &V) -> Option<Vec<String>> {
    let named = member(schema, "type")?;
    let mut types = Vec::new();
    let mut take = |name: &V| {
        if let Ok(Kind::String(name)) = name.kind() {
            types.push(name.into_owned());
        }
    };
    if matches!(named.kind(), Ok(Kind::Array)) {
        let _ = named.elements(|name| {
            take(&name);
            ControlFlow::Continue(())
        });
    } else {
        take(&named);
    }
    Some(types)
}

fn is_open<V: View>(more: &V) -> bool {
    !matches!(more.kind(), Ok(Kind::Bool(false)))
}

fn member<V: View>(value: &V, name: &str) -> Option<V> {
    match value.kind() {
        Ok(Kind::Object) => value.member(name).ok().flatten(),
        _ => None,
    }
}
