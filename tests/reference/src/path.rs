//! Paths into the data of a call (section 4).

use crate::json::Json;

/// One step of a path (clause 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// `.name` or `["name"]`
    Name(String),
    /// `[N]`
    Index(usize),
    /// `[*]`
    Each,
    /// `.@text`
    Text,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy)]
pub enum Leaf<'v> {
    /// A value.
    Value(&'v Json),
    /// Clause 4.4: nothing there.
    Absent,
    /// Clause 4.4: a step into what it cannot step into.
    WrongType,
}

/// Clauses 4.1 and 4.2: the root and the segments.
pub fn read(path: &str) -> (String, Vec<Segment>) {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (root, mut rest) = path.split_at(end);
    let mut segments = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[', ']']).unwrap_or(after.len());
            // Clause 4.5: names of counters are no views.
            let is_view = root != "state" && &after[..end] == "@text";
            segments.push(if is_view { Segment::Text } else { Segment::Name(after[..end].to_owned()) });
            rest = &after[end..];
        } else if rest.starts_with("[\"") {
            let end = rest
                .match_indices("\"]")
                .map(|(at, quote)| at + quote.len())
                .find(|end| Json::read(&rest[1..end - 1]).is_ok())
                .expect("a quoted segment ends");
            let Ok(Json::String(name)) = Json::read(&rest[1..end - 1]) else { panic!("no string: {path}") };
            segments.push(Segment::Name(name));
            rest = &rest[end..];
        } else {
            let (inner, after) = rest[1..].split_once(']').expect("an index ends");
            // An index that no machine can count to is past the end of everything.
            let index = || Segment::Index(inner.parse().unwrap_or(usize::MAX));
            segments.push(if inner == "*" { Segment::Each } else { index() });
            rest = after;
        }
    }
    (root.to_owned(), segments)
}

/// Clause 5.27: whether strings that the path leads to may have two readings.
pub fn has_readings(path: &str) -> bool {
    let (root, segments) = read(path);
    root == "args" && segments.last() != Some(&Segment::Text)
}

/// Clauses 4.3, 4.4 and 5.6: everything that the segments lead to from a value, flattened.
pub fn follow<'v>(value: &'v Json, segments: &[Segment]) -> Vec<Leaf<'v>> {
    let Some((segment, rest)) = segments.split_first() else { return vec![Leaf::Value(value)] };
    match (segment, value) {
        // Clause 4.7: a value without the view is of the wrong type, null too.
        (Segment::Text, Json::String(_)) => vec![Leaf::Value(value)],
        (Segment::Text, _) => vec![Leaf::WrongType],
        (_, Json::Null) => vec![Leaf::Absent],
        (Segment::Name(name), Json::Object(_)) => match value.get(name) {
            Some(member) => follow(member, rest),
            None => vec![Leaf::Absent],
        },
        (Segment::Index(index), Json::Array(elements)) => match elements.get(*index) {
            Some(element) => follow(element, rest),
            None => vec![Leaf::Absent],
        },
        (Segment::Each, Json::Array(elements)) => {
            elements.iter().flat_map(|element| follow(element, rest)).collect()
        }
        _ => vec![Leaf::WrongType],
    }
}
