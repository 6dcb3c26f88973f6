//! Where a path goes on by more than a step: wildcards and views (spec 4.7, 4.8, 5.6).
//!
//! In: a value and what is left of a path. Out: each value reached. Strict as the walk is: what a view does not take is of the wrong
//! type, and nothing is converted.

use std::ops::ControlFlow;

use super::made::{Made, Names};
use super::path_walk::{Leaf, Visitor, Way, Wrong, kind_of, walk};
use crate::ceilings::ARGUMENT_DEPTH;
use crate::path::{PathView, Reading, Segment};
use crate::raw::{RawJson, RawView};
use crate::view::{Kind, Unreadable, View};

/// Bytes of text that are put in lower case in a step: outside ASCII, each character is searched in a table.
const LOWERED: u64 = 2;
/// Steps to come to an element of any depth: the walk goes down and up again.
const ELEMENT: u64 = 4;
/// Steps to come to a member, its name and its value: in a host's own object they lie anywhere in memory.
const MEMBER: u64 = 10;

/// Goes on by `segment`, behind which `way` leads on.
#[inline(never)]
pub(super) fn walk_far<V: View>(
    value: &V,
    segment: &Segment,
    way: Way<'_>,
    visitor: &mut impl Visitor,
) -> Result<ControlFlow<()>, Unreadable> {
    match segment {
        Segment::View(view) => through(value, *view, way, visitor),
        Segment::Members => members(value, way, visitor),
        Segment::Scalars => match kind_of(value, way.steps)? {
            Kind::Null => visitor.leaf::<V>(Leaf::Absent),
            _ => scalars(value, way, 0, visitor),
        },
        Segment::Each | Segment::Name(_) | Segment::Quoted(_) | Segment::Index(_) => {
            each(value, way, visitor)
        }
    }
}

/// Every element of a list.
fn each<V: View>(value: &V, way: Way<'_>, visitor: &mut impl Visitor) -> Result<ControlFlow<()>, Unreadable> {
    match kind_of(value, way.steps)? {
        Kind::Array => {}
        Kind::Null => return visitor.leaf::<V>(Leaf::Absent),
        _ => return visitor.leaf::<V>(Leaf::WrongType(Wrong::Step)),
    }
    let mut result = Ok(ControlFlow::Continue(()));
    value.elements(|element| {
        // One to come to it, and one to set out from there.
        result = way.steps.take(2).and_then(|()| {
            // Otherwise taken where the walk ends.
            if !way.segments.is_empty() {
                way.steps.take_value(&element)?;
            }
            walk(&element, way, visitor)
        });
        go_on(&result)
    })?;
    result
}

/// The value of every member of an object.
fn members<V: View>(
    value: &V,
    way: Way<'_>,
    visitor: &mut impl Visitor,
) -> Result<ControlFlow<()>, Unreadable> {
    match kind_of(value, way.steps)? {
        Kind::Object => {}
        Kind::Null => return visitor.leaf::<V>(Leaf::Absent),
        _ => return visitor.leaf::<V>(Leaf::WrongType(Wrong::Step)),
    }
    let mut result = Ok(ControlFlow::Continue(()));
    value.members(|name, member| {
        result = way.steps.take(MEMBER).and_then(|()| way.steps.take_text(name)).and_then(|()| {
            if !way.segments.is_empty() {
                way.steps.take_value(&member)?;
            }
            walk(&member, way, visitor)
        });
        go_on(&result)
    })?;
    result
}

/// Every scalar in a value, itself included, and every member's name, each of which has one reading (spec 4.8). Recursion is as deep as
/// the value, which is bounded as raw text is.
fn scalars<V: View>(
    value: &V,
    way: Way<'_>,
    depth: usize,
    visitor: &mut impl Visitor,
) -> Result<ControlFlow<()>, Unreadable> {
    let deeper = depth.saturating_add(1);
    let mut result = Ok(ControlFlow::Continue(()));
    match kind_of(value, way.steps)? {
        Kind::Array | Kind::Object if depth >= ARGUMENT_DEPTH => return Err(Unreadable::TooDeep),
        Kind::Array => value.elements(|element| {
            result = way.steps.take(ELEMENT).and_then(|()| scalars(&element, way, deeper, visitor));
            go_on(&result)
        })?,
        Kind::Object => value.members(|name, member| {
            let named = Way { reading: Reading::Plain, ..way };
            let taken = way.steps.take(MEMBER).and_then(|()| way.steps.take_text(name));
            result = taken.and_then(|()| walk(&Made::Text(name), named, visitor));
            if matches!(result, Ok(ControlFlow::Continue(()))) {
                result = scalars(&member, way, deeper, visitor);
            }
            go_on(&result)
        })?,
        Kind::Null | Kind::Bool(_) | Kind::Number(_) if visitor.passes_by() => {}
        // No operator is asked: on an empty list from the call `not_in` would hold (spec 5.30).
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => {
            return visitor.leaf::<V>(Leaf::WrongType(Wrong::NoText));
        }
        _ => return walk(value, way, visitor),
    }
    result
}

fn go_on(result: &Result<ControlFlow<()>, Unreadable>) -> ControlFlow<()> {
    if matches!(result, Ok(ControlFlow::Continue(()))) {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

/// What a view gives.
fn through<V: View>(
    value: &V,
    view: PathView,
    way: Way<'_>,
    visitor: &mut impl Visitor,
) -> Result<ControlFlow<()>, Unreadable> {
    let plain = Way { reading: Reading::Plain, ..way };
    let wrong = match (view, kind_of(value, way.steps)?) {
        (PathView::Text, Kind::String(_)) => return walk(value, plain, visitor),
        (PathView::Json, Kind::String(text)) => return in_text(&text, way, visitor),
        (PathView::Json, _) => return walk(value, way, visitor),
        (PathView::Lower | PathView::Length, Kind::String(text))
            if way.reading.has_two(&text, way.steps)? =>
        {
            Wrong::TwoReadings
        }
        (PathView::Lower, Kind::String(text)) => {
            way.steps.take(text.len() as u64 / LOWERED)?;
            let text: String = text.chars().map(lower).collect();
            return walk(&Made::Text(&text), plain, visitor);
        }
        (PathView::Length, Kind::String(text)) => {
            way.steps.take_text(&text)?;
            return walk(&whole(text.chars().count()), plain, visitor);
        }
        (PathView::Count, Kind::Array | Kind::Object) => {
            return walk(&whole(value.size()?), plain, visitor);
        }
        (PathView::Keys, Kind::Object) => {
            let names = Names::of(value, way.steps)?;
            return walk(&Made::Names(&names), plain, visitor);
        }
        (_, Kind::Null) => Wrong::NullView,
        _ => Wrong::View,
    };
    visitor.leaf::<V>(Leaf::WrongType(wrong))
}

/// Goes on in what a text says. A function of its own: the text's values lie in its frame. Its strings are read as those around it.
#[inline(never)]
fn in_text(text: &str, way: Way<'_>, visitor: &mut impl Visitor) -> Result<ControlFlow<()>, Unreadable> {
    way.steps.take_json(text.len())?;
    let mut raw = RawJson::unread(text);
    match raw.read() {
        Ok(()) => walk(&raw.root(), way, visitor),
        Err(_) => visitor.leaf::<RawView<'_>>(Leaf::WrongType(Wrong::Json)),
    }
}

fn whole(count: usize) -> Made<'static> {
    // No count that fits into memory is larger.
    Made::Whole(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The simple lower-case mapping of a character (spec 4.7): the first one of the full mapping, which differs for `İ` alone.
pub(crate) fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// Whether a text is its own lower case.
pub(crate) fn is_lower(text: &str) -> bool {
    text.chars().all(|c| lower(c) == c)
}

#[cfg(test)]
mod tests {
    use super::lower;

    /// The full mapping has one character for each but `İ`, so its first one is the simple mapping.
    #[test]
    fn one_character_alone_has_a_longer_lower_case() {
        let longer: Vec<char> = (char::MIN..=char::MAX).filter(|c| c.to_lowercase().count() != 1).collect();
        assert_eq!(longer, ['İ']);
        assert_eq!(['İ', 'Σ', 'K', 'ß', 'a'].map(lower), ['i', 'σ', 'k', 'ß', 'a']);
    }
}
