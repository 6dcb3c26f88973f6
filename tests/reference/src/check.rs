//! What a host has checked in arguments before any rule (clauses 3.7 and 3.8).

use crate::decimal::Decimal;
use crate::json::{Json, quoted};
use crate::mistake::{
    Mistake::{JsonUnfolded, OnlyArgsUnread},
    is_made,
};
use crate::path::Segment;
use crate::payment::{Charge, Counter, Scope};
use crate::policy::{Document, Entry};
use crate::view::View;
use crate::{state, syntax};

/// What a host wants checked.
#[derive(Debug, Clone, Copy)]
pub struct Check<'c> {
    /// The tool's input schema, as JSON text.
    pub schema: Option<&'c str>,
    /// Whether members that fold to one that is read deny.
    pub folding: bool,
}

/// Clauses 3.7 and 3.8: whether the server may read the arguments otherwise than a matching entry does.
pub(crate) fn refuses(document: &Document, check: &Check<'_>, entries: &[&Entry], args: &Json) -> bool {
    let schema = check.schema.map(|text| Json::read(text).expect("a schema is JSON"));
    entries.iter().any(|entry| {
        let mut texts: Vec<String> = Vec::new();
        let mut compared = Vec::new();
        for item in &entry.items {
            // Clause 2.20: the names of `only_args` count as read.
            let names = item.only_args.iter().filter(|_| !is_made(OnlyArgsUnread));
            texts.extend(names.map(|name| format!("args[{}]", quoted(name))));
            let mut counters: Vec<&Counter> = item.pays.iter().map(|payment| &payment.counter).collect();
            for condition in item.conditions.iter().chain(&item.when) {
                if state::is_state(condition) {
                    let path = condition.get("path").and_then(Json::text).expect("a path");
                    counters.push(document.counter(path));
                } else {
                    texts.extend(syntax::paths(condition));
                    compared.extend(syntax::compared(condition));
                }
            }
            if let Some(Charge::From(path)) = item.pays.as_ref().map(|payment| &payment.charge) {
                texts.push(path.clone());
            }
            for counter in counters {
                if let Scope::Paths(paths) = &counter.scope {
                    texts.extend(paths.iter().cloned());
                }
            }
        }
        let mut paths: Vec<_> = texts.iter().map(|text| crate::path::read(text)).collect();
        for (text, operand) in compared {
            let (root, path) = crate::path::read(&text);
            paths.extend(paths_in(operand, &path).into_iter().map(|path| (root.clone(), path)));
        }
        paths.retain(|(root, _)| root == "args");
        let read: Vec<&[Segment]> = paths.iter().map(|(_, path)| path.as_slice()).collect();
        let whole: Vec<&[Segment]> = read.iter().map(|path| before_views(path)).collect();
        // Nothing is looked at where no rule looks.
        !paths.is_empty()
            && (schema.as_ref().is_some_and(|schema| !admits(schema, schema, args, &whole))
                || check.folding && folds(args, &read))
    })
}

/// Clause 3.7: the part of a path that a schema speaks of: what a view or `.**` reads is read whole.
pub fn before_views(path: &[Segment]) -> &[Segment] {
    let goes_on = |segment: &Segment| !matches!(segment, Segment::View(_) | Segment::Scalars);
    &path[..path.iter().take_while(|segment| goes_on(segment)).count()]
}

/// Clause 3.7: whether a schema admits what paths lead to, by JSON types.
pub fn admits(root: &Json, schema: &Json, value: &Json, paths: &[&[Segment]]) -> bool {
    if *schema == Json::Bool(false) {
        return false;
    }
    let Json::Object(_) = schema else { return true };
    let list = |name: &str| schema.get(name).map(Json::list).unwrap_or_default();
    let named = match schema.get("type") {
        Some(Json::Array(names)) => names.iter().any(|name| is_of_type(value, name)) || names.is_empty(),
        Some(name) => is_of_type(value, name),
        None => true,
    };
    let constant = schema.get("const").is_none_or(|constant| same_type(constant, value));
    let members = list("enum");
    let listed = members.is_empty() || members.iter().any(|member| same_type(member, value));
    let all = list("allOf").iter().all(|part| admits(root, part, value, paths));
    let any = |list: &[Json]| list.is_empty() || list.iter().any(|part| admits(root, part, value, paths));
    let referred = match schema.get("$ref").and_then(Json::text).and_then(|pointer| target(root, pointer)) {
        Some(target) => admits(root, target, value, paths),
        None => true,
    };
    if !(named && constant && listed && all && any(list("anyOf")) && any(list("oneOf")) && referred) {
        return false;
    }
    match value {
        Json::Object(members) => parts_of_object(members, paths).into_iter().all(|(name, value, paths)| {
            let others = || match schema.get("patternProperties") {
                Some(_) => None,
                None => schema.get("additionalProperties"),
            };
            let part = schema.get("properties").and_then(|known| known.get(name)).or_else(others);
            part.is_none_or(|part| admits(root, part, value, &paths))
        }),
        Json::Array(elements) => parts_of_array(elements, paths).into_iter().all(|(index, value, paths)| {
            // In older drafts `items` is a list, and `additionalItems` is for what follows.
            let items = schema.get("items");
            let (first, rest) = match (schema.get("prefixItems"), items) {
                (None, Some(Json::Array(first))) => (first.as_slice(), schema.get("additionalItems")),
                _ => (list("prefixItems"), items),
            };
            first.get(index).or(rest).is_none_or(|part| admits(root, part, value, &paths))
        }),
        _ => true,
    }
}

/// The rests of the paths that go on with this segment.
fn rests<'p>(paths: &[&'p [Segment]], segment: &Segment) -> Vec<&'p [Segment]> {
    paths.iter().filter(|path| path.first() == Some(segment)).map(|path| &path[1..]).collect()
}

/// Whether a path ends here, so that the value is read whole.
fn is_whole(paths: &[&[Segment]]) -> bool {
    paths.iter().any(|path| path.is_empty())
}

/// The members that paths lead to or through, each with what goes on from there; by its name and by `.*` are each for itself.
fn parts_of_object<'v, 'p>(
    members: &'v [(String, Json)],
    paths: &[&'p [Segment]],
) -> Vec<(&'v str, &'v Json, Vec<&'p [Segment]>)> {
    let mut parts = Vec::new();
    for (name, value) in members {
        if is_whole(paths) {
            parts.push((name.as_str(), value, vec![&[][..]]));
            continue;
        }
        for segment in [Segment::Name(name.clone()), Segment::Members] {
            let on = rests(paths, &segment);
            if !on.is_empty() {
                parts.push((name.as_str(), value, on));
            }
        }
    }
    parts
}

/// The elements that paths lead to or through; `[N]` and `[*]` are each for itself.
fn parts_of_array<'v, 'p>(
    elements: &'v [Json],
    paths: &[&'p [Segment]],
) -> Vec<(usize, &'v Json, Vec<&'p [Segment]>)> {
    let mut parts = Vec::new();
    for (index, value) in elements.iter().enumerate() {
        if is_whole(paths) {
            parts.push((index, value, vec![&[][..]]));
            continue;
        }
        for segment in [Segment::Index(index), Segment::Each] {
            let on = rests(paths, &segment);
            if !on.is_empty() {
                parts.push((index, value, on));
            }
        }
    }
    parts
}

/// What a reference within the document names.
fn target<'s>(root: &'s Json, pointer: &str) -> Option<&'s Json> {
    let pointer = pointer.strip_prefix('#')?;
    pointer
        .split('/')
        .skip(1)
        .try_fold(root, |at, token| at.get(&token.replace("~1", "/").replace("~0", "~")))
}

/// Clause 3.7: a name that JSON Schema does not have is every type.
fn is_of_type(value: &Json, name: &Json) -> bool {
    match (name.text().unwrap_or_default(), value) {
        ("integer", Json::Number(literal)) => {
            Decimal::read(literal).as_ref().is_some_and(Decimal::is_integer)
        }
        ("number", Json::Number(literal)) => Decimal::read(literal).is_some(),
        ("null", Json::Null)
        | ("boolean", Json::Bool(_))
        | ("string", Json::String(_))
        | ("array", Json::Array(_))
        | ("object", Json::Object(_)) => true,
        (name, _) => !["null", "boolean", "integer", "number", "string", "array", "object"].contains(&name),
    }
}

/// Whether two values are of one type; numbers with and without a fraction are two.
fn same_type(one: &Json, other: &Json) -> bool {
    let name = |value: &Json| match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(literal) => match Decimal::read(literal) {
            Some(number) if number.is_integer() => "integer",
            Some(_) => "fraction",
            None => "none",
        },
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
        Json::Open { .. } => unreachable!("only conditions see it"),
    };
    name(one) == name(other)
}

/// Clause 3.8: whether a member folds to one that paths step to by name, and is none of these.
pub fn folds(value: &Json, paths: &[&[Segment]]) -> bool {
    if paths.is_empty() {
        return false;
    }
    let names: Vec<&String> = paths
        .iter()
        .filter_map(|path| match path.first() {
            Some(Segment::Name(name)) => Some(name),
            _ => None,
        })
        .collect();
    // Behind `@json` the objects in a text are looked at, too; any other value stays as it is.
    let in_json = rests(paths, &Segment::View(View::Json));
    let folds_inside = match value {
        _ if in_json.is_empty() || is_made(JsonUnfolded) => false,
        Json::String(text) => Json::read(text).is_ok_and(|value| folds(&value, &in_json)),
        value => folds(value, &in_json),
    };
    folds_inside
        || match value {
            Json::Object(members) => members.iter().any(|(name, value)| {
                folds(value, &rests(paths, &Segment::Name(name.clone())))
                    || folds(value, &rests(paths, &Segment::Members))
                    || !names.contains(&name) && names.iter().any(|read| folded(read) == folded(name))
            }),
            Json::Array(elements) => elements.iter().enumerate().any(|(index, value)| {
                folds(value, &rests(paths, &Segment::Index(index)))
                    || folds(value, &rests(paths, &Segment::Each))
            }),
            _ => false,
        }
}

/// Clause 3.8: the paths to every member of what a value is compared with, from the path to the value.
pub fn paths_in(operand: &Json, path: &[Segment]) -> Vec<Vec<Segment>> {
    let on = |segment, value| {
        let path = [path, &[segment]].concat();
        let mut paths = paths_in(value, &path);
        if let Some(Segment::Name(_)) = path.last() {
            paths.push(path);
        }
        paths
    };
    match operand {
        Json::Object(members) => {
            members.iter().flat_map(|(name, value)| on(Segment::Name(name.clone()), value)).collect()
        }
        Json::Array(elements) => elements.iter().flat_map(|value| on(Segment::Each, value)).collect(),
        _ => vec![],
    }
}

/// A name up to its first NUL, in simple case folding: near enough for letters that have one lower and one upper case, of which the
/// dotless i is none.
pub(crate) fn folded(name: &str) -> String {
    let one = |mut chars: Box<dyn Iterator<Item = char>>, c: char| match (chars.next(), chars.next()) {
        (Some(other), None) => other,
        _ => c,
    };
    name.chars()
        .take_while(|c| *c != '\0')
        .map(|c| {
            let upper = if c == '\u{131}' { c } else { one(Box::new(c.to_uppercase()), c) };
            one(Box::new(upper.to_lowercase()), upper)
        })
        .collect()
}
