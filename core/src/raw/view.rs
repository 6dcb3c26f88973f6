//! [`View`] over raw JSON text: members and elements by hopping along the tape.
//!
//! In: a validated text. Out: kinds, members and elements in place. Must not allocate, but for a string with escapes
//! whose text is asked for.

use std::borrow::Cow;
use std::iter::FusedIterator;
use std::ops::ControlFlow;

use super::tape::{NodeKind, RawJson, TapeNode};
use super::{keys, string};
use crate::budget::Budget;
use crate::diagnostic::Span;
use crate::number::Number;
use crate::view::{Access, Kind, Reached, Unreadable, View};

/// A value of a validated text. Two words, cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct RawView<'t> {
    raw: &'t RawJson<'t>,
    index: u32,
}

impl<'t> RawView<'t> {
    #[inline]
    pub(super) fn new(raw: &'t RawJson<'t>, index: u32) -> Self {
        Self { raw, index }
    }

    /// The value's text as written.
    #[inline]
    pub fn text(self) -> &'t str {
        let Span { start, end } = self.span();
        self.raw.text().get(start as usize..end as usize).unwrap_or_default()
    }

    /// Its place in the text; a string's includes the quotes.
    #[inline]
    pub(crate) fn span(self) -> Span {
        let node = self.node();
        Span { start: node.start, end: node.end }
    }

    #[inline]
    pub(crate) fn node_kind(self) -> NodeKind {
        self.node().kind()
    }

    /// Index of its node, by which [`super::Duplicate`] names keys.
    pub(crate) fn index(self) -> u32 {
        self.index
    }

    /// Index of the node behind it and everything in it.
    #[inline]
    pub(crate) fn end_index(self) -> u32 {
        self.node().next(self.index)
    }

    /// What the string or key means, or the text of another scalar, borrowed from `raw` itself: it outlives this view. `raw` must be the text that
    /// this is a view of.
    pub(crate) fn string_of<'r>(self, raw: &RawJson<'r>) -> Cow<'r, str> {
        raw.string(raw.node(self.index))
    }

    /// The members of an object, each key before its value; none of anything else.
    #[inline]
    pub(crate) fn entries(self) -> Entries<'t> {
        let left = if self.node_kind() == NodeKind::Object { self.node().count() } else { 0 };
        Entries { raw: self.raw, next: self.index.saturating_add(1), left }
    }

    /// The elements of an array; none of anything else.
    #[inline]
    pub(crate) fn items(self) -> Items<'t> {
        let left = if self.node_kind() == NodeKind::Array { self.node().count() } else { 0 };
        Items { raw: self.raw, next: self.index.saturating_add(1), left }
    }

    #[inline]
    fn node(self) -> &'t TapeNode {
        self.raw.node(self.index)
    }

    #[inline]
    fn string(self) -> Cow<'t, str> {
        self.raw.string(self.node())
    }
}

/// See [`RawView::entries`].
#[derive(Debug, Clone)]
pub(crate) struct Entries<'t> {
    raw: &'t RawJson<'t>,
    next: u32,
    left: u32,
}

impl<'t> Iterator for Entries<'t> {
    type Item = (RawView<'t>, RawView<'t>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let key = RawView::new(self.raw, self.next);
        let value = RawView::new(self.raw, self.next.saturating_add(1));
        self.next = value.end_index();
        Some((key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Entries<'_> {}
impl FusedIterator for Entries<'_> {}

/// See [`RawView::items`].
#[derive(Debug, Clone)]
pub(crate) struct Items<'t> {
    raw: &'t RawJson<'t>,
    next: u32,
    left: u32,
}

impl<'t> Iterator for Items<'t> {
    type Item = RawView<'t>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let item = RawView::new(self.raw, self.next);
        self.next = item.end_index();
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Items<'_> {}
impl FusedIterator for Items<'_> {}

impl View for RawView<'_> {
    #[inline]
    fn kind(&self) -> Result<Kind<'_>, Unreadable> {
        Ok(match self.node_kind() {
            NodeKind::Null => Kind::Null,
            NodeKind::False => Kind::Bool(false),
            NodeKind::True => Kind::Bool(true),
            NodeKind::Number => Number::from_literal(self.text()).map_or(Kind::Foreign, Kind::Number),
            NodeKind::Plain | NodeKind::Escaped => Kind::String(self.string()),
            NodeKind::Array => Kind::Array,
            NodeKind::Object => Kind::Object,
        })
    }

    #[inline]
    fn is_object(&self) -> Result<bool, Unreadable> {
        Ok(self.node_kind() == NodeKind::Object)
    }

    #[inline]
    fn as_i64(&self) -> Option<i64> {
        match self.node_kind() {
            NodeKind::Number => {
                // What is longer takes a step to read.
                let short = Some(self.text()).filter(|text| Budget::of_bytes(text.len()) == 0);
                Number::from_literal(short?)?.as_i64()
            }
            _ => None,
        }
    }

    #[inline]
    fn as_str(&self) -> Option<&str> {
        match self.node_kind() {
            NodeKind::Plain => Some(self.raw.content(self.node())),
            _ => None,
        }
    }

    fn member(&self, name: &str) -> Result<Option<Self>, Unreadable> {
        let fingerprint = keys::fingerprint(name.as_bytes());
        let means = |key: RawView<'_>| {
            let node = key.node();
            node.link == fingerprint
                && match node.kind() {
                    NodeKind::Escaped => string::unescaped(self.raw.content(node)).eq(name.chars()),
                    _ => self.raw.is_named(node, name),
                }
        };
        Ok(self.entries().find(|(key, _)| means(*key)).map(|(_, value)| value))
    }

    #[inline]
    fn step(&self, name: &str) -> Result<Reached<Self>, Unreadable> {
        Ok(match self.node_kind() {
            NodeKind::Object => self.member(name)?.map_or(Reached::Absent, Reached::Value),
            NodeKind::Null => Reached::Absent,
            _ => Reached::WrongType,
        })
    }

    fn element(&self, index: usize) -> Result<Option<Self>, Unreadable> {
        Ok(self.items().nth(index))
    }

    #[inline]
    fn cost(&self, access: Access) -> u64 {
        /// Parts that are passed by in one step.
        const PASSED: u64 = 4;
        let node = self.node();
        match (access, node.kind()) {
            (Access::Read, NodeKind::Number | NodeKind::Escaped) => {
                Budget::of_bytes(node.end.saturating_sub(node.start) as usize)
            }
            (Access::Read | Access::LateMember, _) => 0,
            (Access::Member, _) => u64::from(node.count()) / PASSED,
            (Access::Element(index), _) => (index as u64).min(u64::from(node.count())) / PASSED,
        }
    }

    #[inline]
    fn size(&self) -> Result<usize, Unreadable> {
        // Scalars have no parts.
        Ok(self.node().count() as usize)
    }

    fn elements(&self, each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        // Breaking is the caller's way to stop early, not a failure.
        let _ = self.items().try_for_each(each);
        Ok(())
    }

    fn members(&self, mut each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        let _ = self.entries().try_for_each(|(key, value)| each(&key.string(), value));
        Ok(())
    }
}
