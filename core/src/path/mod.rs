//! Paths: how a condition names a value (spec 4).
//!
//! In: the text of a path. Out: a root and segments, or what is wrong with it. Reading the value is `condition`'s work.

mod parse;
mod segment;
#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use parse::PathError;
pub use segment::{PathView, Segment};

/// Where a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Root {
    Args,
    Identity,
    State,
    /// A budget, by its name.
    Budget,
    Tool,
    Server,
}

/// How a string is read (spec 5.27).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reading {
    /// As it is: those of identities, the tool's name, and what a view gives.
    Plain,
    /// Those of arguments, which a server may parse.
    Twofold,
}

/// What a path can give, by its views (spec 4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Gives {
    Anything,
    /// `@text`
    Text,
    /// `@lower`: text that is its own lower case.
    Lower,
    /// `@length` and `@count`
    Number,
    /// `@keys`
    Names,
    /// An element of `@keys`.
    Name,
    /// `.**`: scalars, of which only text is tested.
    Scalars,
    /// The same behind `@text`.
    ScalarsText,
    /// The same behind `@lower`.
    ScalarsLower,
}

impl Gives {
    /// What a path gives that goes on with `segment`; `None` where it cannot.
    fn after(self, segment: &Segment) -> Option<Self> {
        Some(match (self, segment) {
            (
                Self::Anything,
                Segment::Name(_)
                | Segment::Quoted(_)
                | Segment::Index(_)
                | Segment::Each
                | Segment::Members
                | Segment::View(PathView::Json),
            ) => Self::Anything,
            (Self::Anything, Segment::Scalars) => Self::Scalars,
            (Self::Scalars, Segment::View(PathView::Text)) => Self::ScalarsText,
            (Self::Scalars | Self::ScalarsText, Segment::View(PathView::Lower)) => Self::ScalarsLower,
            (Self::Anything, Segment::View(PathView::Text)) => Self::Text,
            (Self::Anything | Self::Text | Self::Name, Segment::View(PathView::Lower)) => Self::Lower,
            (Self::Anything | Self::Text | Self::Lower | Self::Name, Segment::View(PathView::Length))
            | (Self::Anything | Self::Names, Segment::View(PathView::Count)) => Self::Number,
            (Self::Anything, Segment::View(PathView::Keys)) => Self::Names,
            (Self::Names, Segment::Index(_) | Segment::Each) => Self::Name,
            _ => return None,
        })
    }
}

/// A path, with its text as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub(crate) root: Root,
    pub(crate) segments: Box<[Segment]>,
    /// Whether one of them is a wildcard, so that the path stands for several values.
    pub(crate) has_each: bool,
    /// Whether it only steps by names and indexes, as nearly all do.
    pub(crate) is_direct: bool,
    /// How strings are read that its root has.
    pub(crate) reading: Reading,
    pub(crate) gives: Gives,
    /// The name, where the path is that of a member of the arguments and nothing else, as nearly all are.
    pub(crate) member: Option<Box<str>>,
    pub(crate) text: Box<str>,
}

impl Root {
    /// Whether its paths name a counter, which evaluation does not walk to.
    pub(crate) const fn counts(self) -> bool {
        matches!(self, Self::State | Self::Budget)
    }
}

impl Path {
    /// The path of those segments, for which `text` stands.
    pub(crate) fn new(root: Root, segments: Box<[Segment]>, text: Box<str>) -> Self {
        let has_each = segments.iter().any(Segment::is_wildcard);
        let is_direct = segments.iter().all(Segment::is_step);
        let member = match (root, &*segments) {
            (Root::Args, [Segment::Name(name) | Segment::Quoted(name)]) => Some(name.clone()),
            _ => None,
        };
        let reading = if root == Root::Args { Reading::Twofold } else { Reading::Plain };
        let gives = segments.iter().try_fold(Gives::Anything, Gives::after).unwrap_or(Gives::Anything);
        Self { root, segments, has_each, is_direct, reading, gives, member, text }
    }

    /// The views on the way.
    pub(crate) fn views(&self) -> impl Iterator<Item = PathView> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::View(view) => Some(*view),
            _ => None,
        })
    }

    /// A text that paths have in common which lead to the same value, and no others.
    pub(crate) fn key(&self) -> String {
        let mut key = format!("{:?}", self.root);
        for segment in &self.segments {
            let name = segment.name().map(Segment::member);
            key.push_str(&name.as_ref().unwrap_or(segment).to_string());
        }
        key
    }

    /// Whether both lead to the same value, however they are written.
    pub(crate) fn leads_where(&self, other: &Self) -> bool {
        let same = |(one, another): (&Segment, &Segment)| {
            one == another || one.name().is_some_and(|one| Some(one) == another.name())
        };
        self.root == other.root
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(same)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
