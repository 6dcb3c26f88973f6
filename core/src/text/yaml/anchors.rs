//! Anchors and aliases.
//!
//! In: where on the tape each anchored node is. Out: a copy of the node that an alias names. It keeps no copies itself
//! (nested anchors would multiply a document), and copies no more than [`ALIAS_NODES`] in total.

use crate::ceilings::ALIAS_NODES;
use crate::diagnostic::Span;
use crate::raw::{NodeKind, TapeNode};
use crate::text::{Content, Node, Tree};

/// Bytes of text that count as one node, so that aliases of a long text are bounded too: what is compiled copies it.
const NODE_TEXT_BYTES: usize = 64;

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

#[derive(Debug, Clone, Copy)]
enum Target {
    /// On the tape, by index.
    At(u32),
    /// The value that a key would be. A key itself is not a value on the tape.
    Key(TapeNode),
    /// Not in the tree, because of an error that was reported.
    Dropped,
}

#[derive(Debug)]
pub(super) struct Anchors {
    /// By granit's ids, which count from 1.
    targets: Vec<Option<Target>>,
    budget: usize,
}

impl Default for Anchors {
    fn default() -> Self {
        Self { targets: Vec::new(), budget: ALIAS_NODES }
    }
}

impl Anchors {
    pub(super) fn node(&mut self, id: usize, index: u32) {
        self.define(id, Target::At(index));
    }

    pub(super) fn key(&mut self, id: usize, node: TapeNode) {
        self.define(id, Target::Key(node));
    }

    pub(super) fn dropped(&mut self, id: usize) {
        self.define(id, Target::Dropped);
    }

    fn define(&mut self, id: usize, target: Target) {
        if self.targets.len() <= id {
            self.targets.resize_with(id.saturating_add(1), || None);
        }
        if let Some(slot) = self.targets.get_mut(id) {
            *slot = Some(target);
        }
    }

    /// Adds a copy of what the anchor `id` names, with the spans of its definition; its index. It may open so many `levels`.
    pub(super) fn expand(
        &mut self,
        id: usize,
        span: Span,
        levels: usize,
        tree: &mut Tree<'_>,
    ) -> Result<u32, Refusal> {
        let copy = tree.len();
        match self.targets.get(id).copied().flatten().ok_or(UNDEFINED)? {
            Target::Dropped => {
                tree.push(NodeKind::Null, span);
            }
            Target::Key(node) => {
                tree.nodes.push(node);
                self.budget = charge(tree.node(copy), levels, self.budget)?;
            }
            Target::At(index) => {
                let node = tree.node(index);
                if node.is_open() {
                    return Err(RECURSIVE);
                }
                self.budget = charge(node, levels, self.budget)?;
                tree.copy(index);
            }
        }
        Ok(copy)
    }
}

/// What is left of `budget` once `node` is copied. Recursion ends at `levels`, which the depth ceiling bounds.
fn charge(node: Node<'_>, levels: usize, budget: usize) -> Result<usize, Refusal> {
    let mut budget = spend(budget, weight(node).saturating_add(1))?;
    match node.content() {
        Content::Sequence(items) => {
            let levels = levels.checked_sub(1).ok_or(DEEP)?;
            for item in items {
                budget = charge(item, levels, budget)?;
            }
        }
        Content::Mapping(members) => {
            let levels = levels.checked_sub(1).ok_or(DEEP)?;
            for (key, value) in members {
                budget = charge(value, levels, spend(budget, weight(key))?)?;
            }
        }
        _ => {}
    }
    Ok(budget)
}

fn spend(budget: usize, weight: usize) -> Result<usize, Refusal> {
    budget.checked_sub(weight).ok_or(BOMB)
}

/// What the text of a node adds to it. A short one adds nothing, unless it has to be copied already for the tree.
fn weight(node: Node<'_>) -> usize {
    let text = match node.content() {
        Content::String(text) | Content::Number(text) | Content::Ambiguous { text, .. } => text.len(),
        Content::Null | Content::Bool(_) | Content::Sequence(_) | Content::Mapping(_) => 0,
    };
    if node.has_own_text() { text.div_ceil(NODE_TEXT_BYTES) } else { text / NODE_TEXT_BYTES }
}
