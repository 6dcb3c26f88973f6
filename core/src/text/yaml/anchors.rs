//! Anchors and aliases.
//!
//! In: where in the growing tree each anchored node is. Out: a copy of the node that an alias names. It keeps no
//! copies itself (nested anchors would multiply a document), and copies no more than [`ALIAS_NODES`] in total.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::{Children, Frame};
use crate::ceilings::{ALIAS_NODES, DOCUMENT_DEPTH};
use crate::diagnostic::Span;
use crate::text::{Content, Key, Node};

/// Bytes of copied text that count as one node, so that aliases of a long text are bounded too.
const NODE_TEXT_BYTES: usize = 64;

/// A node's place in the tree: its parent's place, and its index there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Place {
    pub(super) const ROOT: Self = Self(u32::MAX);
    /// Not asked for yet.
    pub(super) const UNKNOWN: Self = Self(u32::MAX - 1);
}

/// Why an alias cannot be followed.
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    pub(super) help: &'static str,
}

const UNDEFINED: Refusal = Refusal {
    code: "syntax",
    message: "the alias names no anchor",
    help: "define the anchor above with `&name`; quote text that begins with `*`",
};
const RECURSIVE: Refusal = Refusal {
    code: "syntax",
    message: "the alias names a value that contains it",
    help: "a policy cannot contain itself: write the value out",
};
const BOMB: Refusal = Refusal {
    code: "alias_bomb",
    message: "the aliases of this document repeat too much",
    help: "write the values out, or use fewer aliases of values that contain aliases",
};
const DEEP: Refusal = Refusal {
    code: "too_deep",
    message: "the alias nests the document too deeply",
    help: "flatten the document",
};

#[derive(Debug)]
enum Target<'t> {
    At(Place),
    /// Keys are not nodes of the tree.
    Key(Box<Node<'t>>),
    /// Not in the tree, because of an error that was reported.
    Dropped,
}

#[derive(Debug)]
pub(super) struct Anchors<'t> {
    places: Vec<(Place, u32)>,
    /// By granit's ids, which count from 1.
    targets: Vec<Option<Target<'t>>>,
    budget: usize,
}

impl Default for Anchors<'_> {
    fn default() -> Self {
        Self { places: Vec::new(), targets: Vec::new(), budget: ALIAS_NODES }
    }
}

impl<'t> Anchors<'t> {
    pub(super) fn place(&mut self, parent: Place, index: usize) -> Place {
        let place = Place(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
        self.places.push((parent, u32::try_from(index).unwrap_or(u32::MAX)));
        place
    }

    pub(super) fn node(&mut self, id: usize, place: Place) {
        self.define(id, Target::At(place));
    }

    pub(super) fn key(&mut self, id: usize, node: Node<'t>) {
        self.define(id, Target::Key(Box::new(node)));
    }

    pub(super) fn dropped(&mut self, id: usize) {
        self.define(id, Target::Dropped);
    }

    fn define(&mut self, id: usize, target: Target<'t>) {
        if self.targets.len() <= id {
            self.targets.resize_with(id.saturating_add(1), || None);
        }
        if let Some(slot) = self.targets.get_mut(id) {
            *slot = Some(target);
        }
    }

    /// A copy of what the anchor `id` names, with the spans of its definition.
    pub(super) fn expand(
        &mut self,
        id: usize,
        span: Span,
        frames: &[Frame<'t>],
        nodes: &[Node<'t>],
        entries: &[(Key<'t>, Node<'t>)],
    ) -> Result<Node<'t>, Refusal> {
        let target = self.targets.get(id).and_then(Option::as_ref).ok_or(UNDEFINED)?;
        let node = match target {
            Target::Dropped => return Ok(Node { content: Content::Null, span }),
            Target::Key(node) => node,
            Target::At(place) => {
                let path = self.path(*place);
                find(path, frames, nodes, entries).ok_or(RECURSIVE)?
            }
        };
        let levels = DOCUMENT_DEPTH.saturating_sub(frames.len());
        self.budget = charge(node, levels, self.budget)?;
        Ok(node.clone())
    }

    /// The indices that lead to a place, innermost first.
    fn path(&self, mut place: Place) -> SmallVec<[usize; DOCUMENT_DEPTH]> {
        let mut path = SmallVec::new();
        while let Some((parent, index)) = self.places.get(place.0 as usize) {
            path.push(*index as usize);
            place = *parent;
        }
        path
    }
}

/// Follows a path. `None` where it ends at a collection that is still open.
fn find<'a, 't>(
    mut path: SmallVec<[usize; DOCUMENT_DEPTH]>,
    frames: &[Frame<'t>],
    nodes: &'a [Node<'t>],
    entries: &'a [(Key<'t>, Node<'t>)],
) -> Option<&'a Node<'t>> {
    let mut open = frames.iter();
    let mut node = loop {
        let frame = open.next()?;
        let index = path.pop()?;
        // The child that is not complete yet is the next open collection.
        if index < frame.count {
            break match &frame.children {
                Children::Sequence { first } => nodes.get(first.saturating_add(index))?,
                Children::Mapping { first, .. } => &entries.get(first.saturating_add(index))?.1,
            };
        }
    };
    while let Some(index) = path.pop() {
        node = match &node.content {
            Content::Sequence(nodes) => nodes.get(index)?,
            Content::Mapping(entries) => &entries.get(index)?.1,
            _ => return None,
        };
    }
    Some(node)
}

/// What is left of `budget` once `node` is copied. Recursion ends at `levels`, which the depth ceiling bounds.
fn charge(node: &Node<'_>, levels: usize, budget: usize) -> Result<usize, Refusal> {
    let mut budget = spend(budget, 1)?;
    match &node.content {
        Content::Null | Content::Bool(_) => {}
        Content::Number(text) | Content::String(text) | Content::Ambiguous { text, .. } => {
            budget = spend(budget, text_weight(text))?;
        }
        Content::Sequence(nodes) => {
            let levels = levels.checked_sub(1).ok_or(DEEP)?;
            for node in nodes {
                budget = charge(node, levels, budget)?;
            }
        }
        Content::Mapping(entries) => {
            let levels = levels.checked_sub(1).ok_or(DEEP)?;
            for (key, node) in entries {
                budget = charge(node, levels, spend(budget, text_weight(&key.text))?)?;
            }
        }
    }
    Ok(budget)
}

fn spend(budget: usize, weight: usize) -> Result<usize, Refusal> {
    budget.checked_sub(weight).ok_or(BOMB)
}

/// Text that lies in the document as it stands is shared, other text is copied.
#[expect(clippy::ptr_arg, reason = "whether the text is borrowed is the question")]
fn text_weight(text: &Cow<'_, str>) -> usize {
    match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.len().div_ceil(NODE_TEXT_BYTES),
    }
}
