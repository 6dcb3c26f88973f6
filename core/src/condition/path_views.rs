//! Where a path goes on by more than a step: every element, and views (spec 4.7, 5.6).
//!
//! In: a value and what is left of a path. Out: each value reached. Strict as the walk is: what a view does not take is of the wrong
//! type, and nothing is converted.

use std::ops::ControlFlow;

use super::made::{Made, Names};
use super::path_walk::{Leaf, Visitor, Way, Wrong, kind_of, walk};
use crate::path::{PathView, Reading, Segment};
use crate::view::{Kind, Unreadable, View};

/// Bytes of text that are put in lower case in a step: outside ASCII, each character is searched in a table.
const LOWERED: u64 = 2;

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
