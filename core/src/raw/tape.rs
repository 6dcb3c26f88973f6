//! The tape: every value and key of a text in order, with its span and where the next sibling stands.
//!
//! In: what the scanner pushes. Out: nodes by index. Must not allocate for small texts, nor copy any content.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::error::RawError;
use super::keys::Duplicate;
use super::view::RawView;
use super::{scan, string};
use crate::ceilings::{ARGUMENT_BYTES, ARGUMENT_DEPTH};

/// Nodes that lie inline: an object of 32 scalar members takes 65, and a few are left for a nested value.
const INLINE_NODES: usize = 72;

/// JSON text that was validated whole and can be read in place, without building values.
///
/// Refuses what two parsers could read as two values: duplicate keys at any depth, lone surrogates, a byte order mark.
/// Allocates nothing for texts of up to 72 keys and values, arrays and objects among them.
#[derive(Debug, Clone)]
pub struct RawJson<'t> {
    text: &'t str,
    nodes: Tape,
}

/// INVARIANT: after a scan it holds a whole value: not empty, and every container is followed by its children.
pub(super) type Tape = SmallVec<[TapeNode; INLINE_NODES]>;

/// One value or key: 16 bytes, since writing them is much of what reading a text costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TapeNode {
    pub(crate) start: u32,
    /// Behind the last byte. While a container is open, what was [seen](super::keys::Seen) of its keys.
    pub(crate) end: u32,
    /// Of a container, the index of the node behind it and everything in it; while it is open, of the container around
    /// it. Of a key, its fingerprint. Of a string or key with escapes, once it is [a document's
    /// node](RawJson::into_nodes), the index of its text. Of anything else, 0.
    pub(crate) link: u32,
    pub(crate) shape: Shape,
}

impl TapeNode {
    pub(crate) const fn kind(&self) -> NodeKind {
        self.shape.kind()
    }

    /// Elements of an array, members of an object; of anything else, its marks.
    pub(crate) const fn count(&self) -> u32 {
        self.shape.count()
    }

    /// Index of the node behind this one and everything in it, this one being at `index`.
    pub(crate) const fn next(&self, index: u32) -> u32 {
        match self.kind() {
            NodeKind::Array | NodeKind::Object => self.link,
            _ => index.wrapping_add(1),
        }
    }
}

/// A kind in the low three bits, and a count of parts above them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape(u32);

/// Bytes that a text may have at most whatever its ceilings are: counts have 29 bits, and a part takes a byte.
pub(super) const LONGEST: usize = (u32::MAX >> Shape::KIND_BITS) as usize;

impl Shape {
    const KIND_BITS: u32 = 3;

    /// Without parts.
    pub(crate) const fn new(kind: NodeKind) -> Self {
        Self(kind as u32)
    }

    /// Of what has no parts, with marks in their place: policy documents say there what JSON's kinds do not.
    pub(crate) const fn marked(kind: NodeKind, marks: u32) -> Self {
        Self(kind as u32 | marks << Self::KIND_BITS)
    }

    /// With one part more.
    pub(crate) const fn grown(self) -> Self {
        Self(self.0.wrapping_add(1 << Self::KIND_BITS))
    }

    pub(super) const fn kind(self) -> NodeKind {
        // In the order of the discriminants, so that this costs nothing.
        match self.0 & 7 {
            0 => NodeKind::Null,
            1 => NodeKind::False,
            2 => NodeKind::True,
            3 => NodeKind::Number,
            4 => NodeKind::Plain,
            5 => NodeKind::Escaped,
            6 => NodeKind::Array,
            _ => NodeKind::Object,
        }
    }

    pub(super) const fn count(self) -> u32 {
        self.0 >> Self::KIND_BITS
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum NodeKind {
    Null,
    False,
    True,
    Number,
    /// A string or key without escapes.
    Plain,
    /// A string or key with at least one escape.
    Escaped,
    Array,
    /// Its keys are nodes of their own, each before its value.
    Object,
}

/// What a text may be at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    /// Arrays and objects around one another.
    pub(crate) depth: usize,
}

impl Limits {
    /// Those of call arguments (spec 11).
    pub(crate) const ARGUMENTS: Self = Self { bytes: ARGUMENT_BYTES, depth: ARGUMENT_DEPTH };
}

impl<'t> RawJson<'t> {
    /// Validates the arguments of a call.
    ///
    /// # Errors
    /// [`RawError`] with the first thing that is wrong: syntax, a ceiling, or one of the refusals above.
    pub fn parse(text: &'t str) -> Result<Self, RawError> {
        Self::parse_within(text, Limits::ARGUMENTS)
    }

    /// As [`RawJson::parse`], with other ceilings.
    pub(crate) fn parse_within(text: &'t str, limits: Limits) -> Result<Self, RawError> {
        Self::scan(text, 0, limits, None)
    }

    /// As [`RawJson::parse_within`], but begins at byte `from`, and lists duplicate keys instead of refusing the first.
    pub(crate) fn parse_listing(
        text: &'t str,
        from: usize,
        limits: Limits,
        duplicates: &mut Vec<Duplicate>,
    ) -> Result<Self, RawError> {
        Self::scan(text, from, limits, Some(duplicates))
    }

    fn scan(
        text: &'t str,
        from: usize,
        limits: Limits,
        duplicates: Option<&mut Vec<Duplicate>>,
    ) -> Result<Self, RawError> {
        // Made as the result at once: over a kilobyte that is then filled where the caller wants it, not moved there.
        let mut result = Ok(Self::unread(text));
        if let Ok(raw) = &mut result
            && let Err(error) = scan::scan(text, from, limits, &mut raw.nodes, duplicates)
        {
            result = Err(error);
        }
        result
    }

    /// A place to read `text` into, which must not be looked at before [`RawJson::read`].
    #[inline]
    pub(crate) fn unread(text: &'t str) -> Self {
        Self { text, nodes: Tape::new() }
    }

    /// As [`RawJson::parse`], in place.
    pub(crate) fn read(&mut self) -> Result<(), RawError> {
        scan::scan(self.text, 0, Limits::ARGUMENTS, &mut self.nodes, None)
    }

    /// Whether it lies inline, without an allocation.
    #[cfg(test)]
    pub(super) fn is_inline(&self) -> bool {
        !self.nodes.spilled()
    }

    /// How many nodes it has, keys among them.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The nodes on their own, and the texts of the strings and keys with escapes, each at its node's link.
    pub(crate) fn into_nodes(self) -> (Vec<TapeNode>, Vec<Box<str>>) {
        let mut texts = Vec::new();
        let mut nodes = self.nodes.into_vec();
        for node in &mut nodes {
            if node.kind() == NodeKind::Escaped {
                node.link = u32::try_from(texts.len()).unwrap_or(u32::MAX);
                texts.push(string::unescape(content(self.text, node), true).into());
            }
        }
        (nodes, texts)
    }

    /// The whole value.
    pub fn root(&self) -> RawView<'_> {
        RawView::new(self, 0)
    }

    /// The text that was validated.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The value or key with this index.
    pub(crate) fn view(&self, index: u32) -> RawView<'_> {
        RawView::new(self, index)
    }

    #[inline]
    pub(super) fn node(&self, index: u32) -> &TapeNode {
        /// INVARIANT: never met; the indexes of views are those of nodes.
        const NOTHING: &TapeNode = &TapeNode { start: 0, end: 0, link: 0, shape: Shape::new(NodeKind::Null) };
        self.nodes.get(index as usize).unwrap_or(NOTHING)
    }

    /// The text of a node as written; of a string, without its quotes.
    #[inline]
    pub(super) fn content(&self, node: &TapeNode) -> &'t str {
        content(self.text, node)
    }

    /// Whether a key without escapes is this one.
    #[inline]
    pub(super) fn is_named(&self, key: &TapeNode, name: &str) -> bool {
        let inside = (key.start as usize).wrapping_add(1)..(key.end as usize).wrapping_sub(1);
        // Bytes have no characters whose borders were to be checked.
        self.text.as_bytes().get(inside) == Some(name.as_bytes())
    }

    /// What a string or key of this text means.
    #[inline]
    pub(super) fn string(&self, node: &TapeNode) -> Cow<'t, str> {
        string::unescape(self.content(node), node.kind() == NodeKind::Escaped)
    }
}

#[inline]
pub(super) fn content<'t>(text: &'t str, node: &TapeNode) -> &'t str {
    let (start, end) = (node.start as usize, node.end as usize);
    let range = match node.kind() {
        NodeKind::Plain | NodeKind::Escaped => start.saturating_add(1)..end.saturating_sub(1),
        _ => start..end,
    };
    // INVARIANT: spans begin and end at ASCII characters of the text.
    text.get(range).unwrap_or_default()
}
