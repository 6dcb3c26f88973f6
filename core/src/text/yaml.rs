//! YAML text to nodes.
//!
//! In: the text of one document. Out: its [`Tree`], or diagnostics. Structure comes from granit-parser's events,
//! the types of plain scalars from `scalar`. It must not recurse over the document, build more than the text spells
//! out (aliases are counted), or choose between readings: what YAML 1.1 and 1.2 read differently stays ambiguous.

mod anchors;
mod breaks;
mod keys;
mod message;
mod scalar;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use foldhash::fast::RandomState;
use granit_parser::{Event, Parser, ScalarStyle, StructureStyle, Tag};
use hashbrown::HashTable;

use self::anchors::{Anchors, Refusal};
use self::breaks::Breaks;
use self::message::excerpt;
use self::scalar::{Plain, resolve};
use super::tree::Reading;
use super::{Content, Tree};
use crate::ceilings::{DOCUMENT_DEPTH, DOCUMENT_NODES};
use crate::diagnostic::{Diagnostics, Span, push_segment};
use crate::raw::NodeKind;
use crate::suggest::operator;

/// Parses one YAML document.
///
/// `None` means that an error left no tree. A tree that comes with errors is whole but for what they name: a mapping
/// keeps both entries of a duplicate key, and leaves out an entry whose key is none.
pub(crate) fn parse_yaml<'t>(text: &'t str, diagnostics: &mut Diagnostics<'_>) -> Option<Tree<'t>> {
    let mut options = granit_parser::options! {
        flow_nesting_limit: DOCUMENT_DEPTH,
        block_nesting_limit: DOCUMENT_DEPTH,
    };
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut loader = Loader::new(text, diagnostics);
    while let Some(next) = parser.next_event() {
        if loader.diagnostics.is_full() {
            return None;
        }
        match next {
            Ok((event, span)) => loader.event(event, &span).ok()?,
            Err(error) => {
                let problem = message::syntax_error(text, &error);
                loader.breaks.report(problem.span.start as usize, loader.diagnostics);
                loader.diagnostics.error(problem.code, problem.span, "", problem.message, problem.help);
                return None;
            }
        }
    }
    loader.breaks.report(text.len(), loader.diagnostics);
    let mut tree = loader.tree;
    if tree.len() == 0 {
        tree.push(NodeKind::Null, Span::default());
    }
    Some(tree)
}

/// An error was reported after which there is no tree.
struct Stop;

/// A collection that is still open.
struct Frame {
    /// Its node, which counts the children that are complete.
    index: u32,
    style: StructureStyle,
    /// Its nodes will not be in the tree: it is a key, or the value of no key.
    dropped: bool,
    children: Children,
}

enum Children {
    Sequence,
    /// Its keys are `keys[first..]`, hashed once they are many.
    Mapping {
        first: usize,
        key: Pending,
        seen: Option<HashTable<usize>>,
    },
}

/// What a mapping waits for.
enum Pending {
    Key,
    /// Of the key with this index.
    Value(u32),
    /// The value of a key that is an error.
    Dropped,
}

struct Loader<'t, 'd, 'l> {
    text: &'t str,
    diagnostics: &'d mut Diagnostics<'l>,
    breaks: Breaks<'t>,
    documents: usize,
    /// Nodes and keys seen so far.
    count: usize,
    tree: Tree<'t>,
    /// Where the last token ended.
    end: u32,
    frames: Vec<Frame>,
    /// The keys of all open mappings, innermost last.
    keys: Vec<u32>,
    anchors: Anchors,
    hasher: RandomState,
}

impl<'t, 'd, 'l> Loader<'t, 'd, 'l> {
    fn new(text: &'t str, diagnostics: &'d mut Diagnostics<'l>) -> Self {
        Self {
            text,
            diagnostics,
            breaks: Breaks::new(text),
            documents: 0,
            count: 0,
            tree: Tree::new(text, Vec::new(), Vec::new()),
            end: 0,
            frames: Vec::new(),
            keys: Vec::new(),
            anchors: Anchors::default(),
            hasher: RandomState::default(),
        }
    }

    fn event(&mut self, event: Event<'t>, at: &granit_parser::Span) -> Result<(), Stop> {
        let span = bytes(at);
        let is_node = matches!(
            event,
            Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_)
        );
        self.count = self.count.saturating_add(is_node.into());
        if self.count > DOCUMENT_NODES {
            let message = format!("the document has more than {DOCUMENT_NODES} nodes");
            self.diagnostics.error("too_large", span, "", message, Some("split the policy".into()));
            return Err(Stop);
        }
        match event {
            Event::DocumentStart(..) => self.document(span),
            Event::Scalar(text, style, anchor, tag) => {
                if style == ScalarStyle::DoubleQuoted {
                    self.breaks.pass(span, self.diagnostics);
                }
                // Where nothing is written granit reports `~`.
                let text = if span.start == span.end { Cow::Borrowed("") } else { text };
                // Readers of YAML 1.1 go on to find a type for plain text behind a `!`.
                let takes_bare = style != ScalarStyle::Plain;
                let plain = self.tag(tag.as_deref(), at, true, takes_bare) && style == ScalarStyle::Plain;
                self.scalar(text, plain, anchor, span);
                Ok(())
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.tag(tag.as_deref(), at, false, false);
                self.open(Children::Sequence, style, anchor, span)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.tag(tag.as_deref(), at, false, false);
                let first = self.keys.len();
                self.open(Children::Mapping { first, key: Pending::Key, seen: None }, style, anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(span);
                Ok(())
            }
            Event::Alias(id) => self.alias(id, span),
            _ => Ok(()),
        }
    }

    fn document(&mut self, span: Span) -> Result<(), Stop> {
        self.documents = self.documents.saturating_add(1);
        if self.documents == 1 {
            return Ok(());
        }
        let help = "keep one document in a file: remove the `---` line and what follows it";
        self.diagnostics.error("syntax", span, "", "a second document begins here", Some(help.into()));
        Err(Stop)
    }

    /// Checks a tag. False where it makes a scalar a string, whatever it looks like.
    fn tag(
        &mut self,
        tag: Option<&Tag>,
        at: &granit_parser::Span,
        is_scalar: bool,
        takes_bare: bool,
    ) -> bool {
        let Some(tag) = tag else { return true };
        let tag_span = at.tag_span();
        let written = tag_span.and_then(|span| span.slice(self.text)).unwrap_or("!");
        if is_scalar && (takes_bare && written == "!" || tag.is_yaml_core_schema_tag("str")) {
            return false;
        }
        let span = tag_span.map_or_else(|| bytes(at), |span| bytes(&span));
        self.error(
            "yaml_tag",
            span,
            || format!("a policy takes no YAML tag, found `{}`", excerpt(written)),
            operator(written).map_or(
                "remove the tag; to make a string of a number or a word, quote it",
                |_| "an operator is a word: write `neq` for `!=`, and `not_regex` for `!~`",
            ),
        );
        // As a string, a scalar gives no second error about what the tag may have meant.
        false
    }

    fn wants_key(&self) -> bool {
        let innermost = self.frames.last().map(|frame| &frame.children);
        matches!(innermost, Some(Children::Mapping { key: Pending::Key, .. }))
    }

    /// Whether the node that comes next will be left out of the tree.
    fn drops_next(&self) -> bool {
        self.frames.last().is_some_and(|frame| {
            let orphan = matches!(&frame.children, Children::Mapping { key: Pending::Dropped, .. });
            frame.dropped || orphan
        })
    }

    fn scalar(&mut self, text: Cow<'t, str>, plain: bool, anchor: usize, span: Span) {
        self.end = span.end;
        if self.wants_key() {
            if anchor != 0 {
                // Laid out as the value that it may stand for elsewhere, and taken off again.
                self.push_scalar(text.clone(), plain, span);
                if let Some(node) = self.tree.nodes.pop() {
                    self.anchors.key(anchor, node);
                }
            }
            return self.key(text, plain, span);
        }
        self.anchor(anchor);
        let at = self.push_scalar(text, plain, span);
        self.attach(at);
    }

    fn push_scalar(&mut self, text: Cow<'t, str>, plain: bool, span: Span) -> u32 {
        let reading = if plain { resolve(text) } else { Plain::String(text) };
        match reading {
            Plain::Null => self.tree.push(NodeKind::Null, span),
            Plain::Bool(true) => self.tree.push(NodeKind::True, span),
            Plain::Bool(false) => self.tree.push(NodeKind::False, span),
            Plain::Number(text) => self.tree.push_text(text, Reading::Number, span),
            Plain::Word(text) => self.tree.push_text(text, Reading::Word, span),
            Plain::Mixed(text) => self.tree.push_text(text, Reading::Mixed, span),
            Plain::String(text) => self.tree.push_text(text, Reading::String, span),
        }
    }

    /// Remembers where the node that comes next will be.
    fn anchor(&mut self, anchor: usize) {
        if anchor == 0 {
            return;
        }
        if self.wants_key() || self.drops_next() {
            self.anchors.dropped(anchor);
        } else {
            self.anchors.node(anchor, self.tree.len());
        }
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Stop> {
        self.end = span.end;
        let levels = DOCUMENT_DEPTH.saturating_sub(self.frames.len());
        let copy = match self.anchors.expand(id, span, levels, &mut self.tree) {
            Ok(copy) => copy,
            Err(Refusal { code, message, help }) => {
                self.error(code, span, || message.into(), help);
                return Err(Stop);
            }
        };
        if !self.wants_key() {
            self.attach(copy);
            return Ok(());
        }
        let text = match self.tree.node(copy).content() {
            Content::String(text) | Content::Ambiguous { text, word: true } => Some(text.to_owned()),
            _ => None,
        };
        self.tree.truncate(copy);
        match text {
            Some(text) => self.key(text.into(), false, span),
            None => {
                let help = "write the key out, or let the anchor name a string";
                self.error(
                    "bad_key",
                    span,
                    || "a key must be text, this alias names something else".into(),
                    help,
                );
                self.set_key(Pending::Dropped);
            }
        }
        Ok(())
    }

    fn open(
        &mut self,
        children: Children,
        style: StructureStyle,
        anchor: usize,
        span: Span,
    ) -> Result<(), Stop> {
        if self.frames.len() >= DOCUMENT_DEPTH {
            let problem = message::too_deep(span);
            self.error(problem.code, span, || problem.message, &problem.help.unwrap_or_default());
            return Err(Stop);
        }
        let is_key = self.wants_key();
        if is_key {
            let kind = match children {
                Children::Sequence => "list",
                Children::Mapping { .. } => "mapping",
            };
            let help = "quote the key if it is text that begins with `[` or `{`";
            self.error("bad_key", span, || format!("a key must be text, this is a {kind}"), help);
        }
        let dropped = is_key || self.drops_next();
        self.anchor(anchor);
        let kind = match children {
            Children::Sequence => NodeKind::Array,
            Children::Mapping { .. } => NodeKind::Object,
        };
        let index = self.tree.push(kind, span);
        self.frames.push(Frame { index, style, dropped, children });
        Ok(())
    }

    fn close(&mut self, span: Span) {
        let Some(frame) = self.frames.pop() else { return };
        if let Children::Mapping { first, .. } = frame.children {
            self.keys.truncate(first);
        }
        // The end of a block collection is found only at what follows it: it ends where its last token did.
        if frame.style == StructureStyle::Flow {
            self.end = span.end;
        }
        let behind = self.tree.len();
        if let Some(node) = self.tree.nodes.get_mut(frame.index as usize) {
            (node.end, node.link) = (self.end.max(node.start), behind);
        }
        self.attach(frame.index);
    }

    /// Takes a node that is complete, the last one, for what its collection waits for.
    fn attach(&mut self, index: u32) {
        let Some(frame) = self.frames.last_mut() else { return };
        if let Children::Mapping { key: pending, .. } = &mut frame.children {
            let was = std::mem::replace(pending, Pending::Key);
            if !matches!(was, Pending::Value(_)) {
                // What stands where a key must is none, and neither is its value one.
                if matches!(was, Pending::Key) {
                    *pending = Pending::Dropped;
                }
                return self.tree.truncate(index);
            }
        }
        if let Some(node) = self.tree.nodes.get_mut(frame.index as usize) {
            node.shape = node.shape.grown();
        }
    }

    /// JSON Pointer of the place that is being read.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for frame in &self.frames {
            let fits = match &frame.children {
                Children::Sequence => {
                    push_segment(&mut pointer, 0, &self.tree.node(frame.index).stored().count().to_string())
                }
                Children::Mapping { key: Pending::Value(key), .. } => {
                    push_segment(&mut pointer, 0, self.tree.node(*key).text())
                }
                Children::Mapping { .. } => false,
            };
            if !fits {
                break;
            }
        }
        pointer
    }

    fn error(&mut self, code: &'static str, span: Span, message: impl FnOnce() -> String, help: &str) {
        if self.diagnostics.is_full() {
            return;
        }
        let pointer = self.pointer();
        self.diagnostics.error(code, span, pointer, message(), Some(help.to_owned()));
    }
}

/// granit's markers give bytes, also behind text that is not ASCII.
fn bytes(span: &granit_parser::Span) -> Span {
    let range = span.byte_range().unwrap_or_default();
    Span::new(range.start, range.end)
}
