//! Paths into the data of a call (section 4).

use crate::condition::Place;
use crate::json::Json;
use crate::mistake::{Mistake::*, is_made};
use crate::readings;
use crate::view::{self, View};

/// One step of a path (clause 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// `.name` or `["name"]`
    Name(String),
    /// `[N]`
    Index(usize),
    /// `[*]`
    Each,
    /// `.*`
    Members,
    /// `.**`
    Scalars,
    /// `.@view`
    View(View),
}

impl Segment {
    /// Clause 4.8.
    pub fn is_wildcard(&self) -> bool {
        matches!(self, Segment::Each | Segment::Members | Segment::Scalars)
    }
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// A value; strings in it that have two readings are [`Json::Open`].
    Value(Json),
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
            segments.push(plain(root, &after[..end]));
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

/// A plain `.name`.
fn plain(root: &str, name: &str) -> Segment {
    // Clause 4.5: names of counters are no views and no wildcards.
    match name {
        _ if root == "state" => Segment::Name(name.to_owned()),
        "*" => Segment::Members,
        "**" => Segment::Scalars,
        _ => match name.strip_prefix('@') {
            Some(view) => Segment::View(View::read(view)),
            None => Segment::Name(name.to_owned()),
        },
    }
}

/// A value on the way of a path, and whether strings in it may have two readings (clause 5.27).
#[derive(Debug, Clone)]
pub(crate) struct At {
    pub(crate) value: Json,
    pub(crate) readings: bool,
}

impl At {
    /// One step that is no wildcard: where it leads, or that it leads nowhere.
    fn step(&self, segment: &Segment) -> Result<At, Leaf> {
        let found = match (segment, &self.value) {
            (Segment::View(view), _) => return view::read(*view, self).ok_or(Leaf::WrongType),
            (_, Json::Null) => None,
            (Segment::Name(name), Json::Object(_)) => self.value.get(name),
            (Segment::Index(index), Json::Array(elements)) => elements.get(*index),
            _ => return Err(Leaf::WrongType),
        };
        found.map(|value| self.inside(value)).ok_or(Leaf::Absent)
    }

    fn inside(&self, value: &Json) -> At {
        At { value: value.clone(), readings: self.readings }
    }

    /// Clauses 4.3, 4.4 and 5.6: everything that the segments lead to, flattened.
    pub(crate) fn follow(self, segments: &[Segment], place: Place) -> Vec<Leaf> {
        let Some((segment, rest)) = segments.split_first() else {
            let value = if self.readings { readings::opened(&self.value) } else { self.value };
            return vec![Leaf::Value(value)];
        };
        let parts: Vec<At> = match (segment, &self.value) {
            (segment, Json::Null) if segment.is_wildcard() => return vec![Leaf::Absent],
            (Segment::Each, Json::Array(elements)) => {
                elements.iter().map(|element| self.inside(element)).collect()
            }
            (Segment::Members, Json::Array(elements)) if is_made(MembersOfLists) => {
                elements.iter().map(|element| self.inside(element)).collect()
            }
            (Segment::Members, Json::Object(members)) => {
                members.iter().map(|(_, value)| self.inside(value)).collect()
            }
            (Segment::Scalars, Json::String(_)) if is_made(BelowWithoutSelf) => vec![],
            (Segment::Scalars, _) => return self.scalars(rest, place),
            (segment, _) if segment.is_wildcard() => return vec![Leaf::WrongType],
            (segment, _) => match self.step(segment) {
                Ok(at) => vec![at],
                Err(leaf) => return vec![leaf],
            },
        };
        parts.into_iter().flat_map(|part| part.follow(rest, place)).collect()
    }

    /// Clauses 4.8 and 5.32: every scalar at any depth and every member's name, by the views behind `.**`.
    fn scalars(&self, views: &[Segment], place: Place) -> Vec<Leaf> {
        match &self.value {
            Json::String(_) => self.clone().follow(views, place),
            Json::Array(elements) => {
                elements.iter().flat_map(|element| self.inside(element).scalars(views, place)).collect()
            }
            Json::Object(members) => members
                .iter()
                .flat_map(|(name, value)| {
                    // Clause 5.27: names have one reading.
                    let name = At { value: Json::String(name.clone()), readings: false };
                    let mut leaves =
                        if is_made(BelowWithoutNames) { vec![] } else { name.follow(views, place) };
                    leaves.extend(self.inside(value).scalars(views, place));
                    leaves
                })
                .collect(),
            scalar if scalar.has_type() && is_made(BelowPassesInPermits) => vec![],
            scalar if place == Place::Permit || !scalar.has_type() || is_made(BelowCountsInBlocks) => {
                vec![Leaf::WrongType]
            }
            _ => vec![],
        }
    }

    /// Clause 5.31: whether the value is absent or null before the first wildcard.
    pub(crate) fn lacks(&self, segments: &[Segment]) -> bool {
        if self.value == Json::Null {
            return !is_made(OptionalIgnoresNull);
        }
        match segments.split_first() {
            Some((segment, rest)) if !segment.is_wildcard() => match self.step(segment) {
                Ok(at) => at.lacks(rest),
                Err(leaf) => leaf == Leaf::Absent,
            },
            _ => false,
        }
    }
}
