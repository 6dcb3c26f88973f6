//! The nodes of a document, flat: the tape of raw JSON, on which YAML is laid as well.
//!
//! In: nodes in the order of the text, a collection before what is in it. Out: the document's values, each with its span. Must not
//! copy a text that stands in the document as it reads.

use std::borrow::Cow;

use crate::diagnostic::Span;
use crate::raw::{NodeKind, Shape, TapeNode};

/// A document: texts are slices of its own text, and nothing is allocated for a node.
#[derive(Debug)]
pub struct Tree<'t> {
    text: &'t str,
    /// INVARIANT: once complete, a whole value: not empty, and every collection is followed by its children.
    pub(super) nodes: Vec<TapeNode>,
    /// Texts that do not stand in the document as they read: of the nodes that are [`NodeKind::Escaped`], by their link.
    texts: Vec<Box<str>>,
}

/// What the text of a scalar is, beyond what its kind says: a mark on its node. JSON needs none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Reading {
    String = 0,
    Number = 1,
    /// Ambiguous, and a word.
    Word = 2,
    /// Ambiguous.
    Mixed = 3,
}

/// The mark of a text that has no quotes around it.
const BARE: u32 = 4;

/// A value, or the key of a member, with its place.
#[derive(Clone, Copy)]
pub struct Node<'n> {
    tree: &'n Tree<'n>,
    index: u32,
}

/// What a node is.
#[derive(Clone)]
pub enum Content<'n> {
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// The literal by JSON's grammar for numbers, whatever its size.
    Number(&'n str),
    /// Text, quoted or not.
    String(&'n str),
    /// A plain YAML scalar that YAML 1.1 and 1.2 read differently; the text as written.
    Ambiguous {
        /// As written.
        text: &'n str,
        /// Whether it is a word, such as `yes`.
        word: bool,
    },
    /// A list.
    Sequence(Items<'n>),
    /// A mapping.
    Mapping(Members<'n>),
}

impl<'t> Tree<'t> {
    /// A tree of `text`, with the nodes that were read so far.
    pub(super) fn new(text: &'t str, nodes: Vec<TapeNode>, texts: Vec<Box<str>>) -> Self {
        Self { text, nodes, texts }
    }

    /// The whole document.
    pub fn root(&self) -> Node<'_> {
        self.node(0)
    }

    /// The node at this index.
    pub(super) fn node(&self, index: u32) -> Node<'_> {
        Node { tree: self, index }
    }

    /// Where the next node will be. The ceilings of documents keep it far below.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// Adds a value without text, or a collection that is still open.
    pub(super) fn push(&mut self, kind: NodeKind, span: Span) -> u32 {
        let at = self.len();
        self.nodes.push(TapeNode { start: span.start, end: span.end, link: 0, shape: Shape::new(kind) });
        at
    }

    /// Adds a key, or a value with a text.
    pub(super) fn push_text(&mut self, text: Cow<'t, str>, reading: Reading, span: Span) -> u32 {
        let at = self.len();
        let stands = |inset: u32| {
            let range = span.start.saturating_add(inset) as usize..span.end.saturating_sub(inset) as usize;
            self.text.get(range).is_some_and(|there| std::ptr::eq(there, &*text))
        };
        let (kind, marks, link) = if stands(0) {
            (NodeKind::Plain, reading as u32 | BARE, 0)
        } else if stands(1) {
            (NodeKind::Plain, reading as u32, 0)
        } else {
            let link = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
            self.texts.push(text.into_owned().into());
            (NodeKind::Escaped, reading as u32, link)
        };
        self.nodes.push(TapeNode {
            start: span.start,
            end: span.end,
            link,
            shape: Shape::marked(kind, marks),
        });
        at
    }

    /// Drops the node at this index and everything behind it.
    pub(super) fn truncate(&mut self, index: u32) {
        self.nodes.truncate(index as usize);
    }

    /// Copies a value that is complete, with everything in it, behind all others.
    pub(super) fn copy(&mut self, index: u32) {
        let end = self.node(index).stored().next(index);
        let at = self.nodes.len();
        let behind = self.len().saturating_sub(index);
        self.nodes.extend_from_within(index as usize..end as usize);
        for node in self.nodes.iter_mut().skip(at) {
            if let NodeKind::Array | NodeKind::Object = node.kind() {
                node.link = node.link.saturating_add(behind);
            }
        }
    }

    #[inline]
    fn text_of(&self, node: &TapeNode) -> &str {
        let inset = match node.kind() {
            NodeKind::Escaped => return self.texts.get(node.link as usize).map_or("", |text| text),
            NodeKind::Plain if node.count() & BARE == 0 => 1,
            _ => 0,
        };
        // INVARIANT: spans begin and end at characters of the text, and quotes are a byte.
        let range = node.start.saturating_add(inset) as usize..node.end.saturating_sub(inset) as usize;
        self.text.get(range).unwrap_or_default()
    }
}

impl<'n> Node<'n> {
    #[inline]
    pub(super) fn stored(self) -> &'n TapeNode {
        /// INVARIANT: never met; indexes are those of nodes.
        const NOTHING: &TapeNode = &TapeNode { start: 0, end: 0, link: 0, shape: Shape::new(NodeKind::Null) };
        self.tree.nodes.get(self.index as usize).unwrap_or(NOTHING)
    }

    /// Its place; a string's includes the quotes.
    #[inline]
    pub fn span(self) -> Span {
        let node = self.stored();
        Span { start: node.start, end: node.end }
    }

    /// The node's content. Always inlined: a caller asks for one kind, and the whole enum would go through memory.
    #[inline]
    pub fn content(self) -> Content<'n> {
        let node = self.stored();
        match node.kind() {
            NodeKind::Null => Content::Null,
            NodeKind::False => Content::Bool(false),
            NodeKind::True => Content::Bool(true),
            NodeKind::Number => Content::Number(self.text()),
            NodeKind::Plain | NodeKind::Escaped => {
                let text = self.text();
                match node.count() & !BARE {
                    0 => Content::String(text),
                    1 => Content::Number(text),
                    marks => Content::Ambiguous { text, word: marks == Reading::Word as u32 },
                }
            }
            NodeKind::Array => Content::Sequence(Items(self.children())),
            NodeKind::Object => Content::Mapping(Members(self.children())),
        }
    }

    /// Whether it is null.
    pub fn is_null(self) -> bool {
        self.stored().kind() == NodeKind::Null
    }

    /// Whether it is null, or a list or mapping that nothing is in.
    pub fn is_empty(self) -> bool {
        match self.content() {
            Content::Null => true,
            Content::Sequence(items) => items.len() == 0,
            Content::Mapping(members) => members.len() == 0,
            _ => false,
        }
    }

    /// The text of a key, or of a scalar that has one.
    #[inline]
    pub fn text(self) -> &'n str {
        self.tree.text_of(self.stored())
    }

    /// The value of a key.
    #[inline]
    pub fn value(self) -> Node<'n> {
        Node { tree: self.tree, index: self.index.saturating_add(1) }
    }

    /// Whether it is a collection to which more may be added.
    pub(super) fn is_open(self) -> bool {
        let node = self.stored();
        matches!(node.kind(), NodeKind::Array | NodeKind::Object) && node.link == 0
    }

    /// Whether its text does not stand in the document as it reads.
    pub(super) fn has_own_text(self) -> bool {
        self.stored().kind() == NodeKind::Escaped
    }

    #[inline]
    fn children(self) -> Children<'n> {
        Children { tree: self.tree, next: self.index.saturating_add(1), left: self.stored().count() }
    }
}

#[derive(Clone, Copy)]
struct Children<'n> {
    tree: &'n Tree<'n>,
    next: u32,
    left: u32,
}

impl<'n> Children<'n> {
    #[inline]
    fn take(&mut self) -> Node<'n> {
        let node = self.tree.node(self.next);
        self.next = node.stored().next(self.next);
        node
    }
}

/// The items of a sequence.
#[derive(Clone)]
pub struct Items<'n>(Children<'n>);

impl<'n> Iterator for Items<'n> {
    type Item = Node<'n>;

    #[inline]
    fn next(&mut self) -> Option<Node<'n>> {
        self.0.left = self.0.left.checked_sub(1)?;
        Some(self.0.take())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.left as usize, Some(self.0.left as usize))
    }
}

impl ExactSizeIterator for Items<'_> {}

/// The members of a mapping, each as its key and its value.
#[derive(Clone)]
pub struct Members<'n>(Children<'n>);

impl<'n> Iterator for Members<'n> {
    type Item = (Node<'n>, Node<'n>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.left = self.0.left.checked_sub(1)?;
        Some((self.0.take(), self.0.take()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.left as usize, Some(self.0.left as usize))
    }
}

impl ExactSizeIterator for Members<'_> {}
