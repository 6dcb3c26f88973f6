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

/// One value or key.
#[derive(Debug, Clone, Copy)]
pub(super) struct TapeNode {
    pub(super) start: u32,
    /// Behind the last byte.
    pub(super) end: u32,
    /// Index of the node behind this one and everything in it.
    pub(super) next: u32,
    /// Elements of an array, members of an object; of a key, its fingerprint.
    pub(super) count: u32,
    pub(super) kind: NodeKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        let mut result = Ok(Self { text, nodes: Tape::new() });
        if let Ok(raw) = &mut result
            && let Err(error) = scan::scan(text, from, limits, &mut raw.nodes, duplicates)
        {
            result = Err(error);
        }
        result
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

    pub(super) fn node(&self, index: u32) -> TapeNode {
        /// INVARIANT: never met; the indexes of views are those of nodes.
        const NOTHING: TapeNode =
            TapeNode { start: 0, end: 0, next: u32::MAX, count: 0, kind: NodeKind::Null };
        self.nodes.get(index as usize).copied().unwrap_or(NOTHING)
    }

    /// The text of a node as written; of a string, without its quotes.
    pub(super) fn content(&self, node: TapeNode) -> &'t str {
        content(self.text, node)
    }

    /// What a string or key of this text means.
    pub(super) fn string(&self, node: TapeNode) -> Cow<'t, str> {
        string::unescape(self.content(node), node.kind == NodeKind::Escaped)
    }
}

pub(super) fn content(text: &str, node: TapeNode) -> &str {
    let (start, end) = (node.start as usize, node.end as usize);
    let range = match node.kind {
        NodeKind::Plain | NodeKind::Escaped => start.saturating_add(1)..end.saturating_sub(1),
        _ => start..end,
    };
    // INVARIANT: spans begin and end at ASCII characters of the text.
    text.get(range).unwrap_or_default()
}
