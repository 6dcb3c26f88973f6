//! YAML text to nodes.
//!
//! In: the text of one document. Out: its [`Node`] tree, or diagnostics. Structure comes from granit-parser's events,
//! the types of plain scalars from `scalar`. It must not recurse over the document, build more than the text spells
//! out (aliases are counted), or choose between readings: what YAML 1.1 and 1.2 read differently stays ambiguous.

mod anchors;
mod message;
mod scalar;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use granit_parser::{Event, Parser, ScalarStyle, StructureStyle, Tag};
use hashbrown::HashTable;

use self::anchors::{Anchors, Place, Refusal};
use self::message::{excerpt, push_segment};
use self::scalar::{Plain, resolve};
use super::{Content, Key, Node};
use crate::ceilings::{DIAGNOSTICS, DOCUMENT_DEPTH, DOCUMENT_NODES};
use crate::diagnostic::{Diagnostics, Span};

/// Keys of one mapping that are compared pairwise; beyond it they are hashed. Nearly all mappings stay below.
const PAIRWISE_KEYS: usize = 16;

/// Children from which on a stack that holds nothing else is handed over whole instead of being copied.
const HANDED_OVER: usize = 65_536;

/// Parses one YAML document.
///
/// `None` means that an error left no tree. A tree that comes with errors is whole but for what they name: a mapping
/// keeps both entries of a duplicate key, and leaves out an entry whose key is none.
pub(crate) fn parse_yaml<'t>(text: &'t str, diagnostics: &mut Diagnostics<'_>) -> Option<Node<'t>> {
    let mut options = granit_parser::options! {
        flow_nesting_limit: DOCUMENT_DEPTH,
        block_nesting_limit: DOCUMENT_DEPTH,
    };
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut loader = Loader::new(text, diagnostics);
    while let Some(next) = parser.next_event() {
        match next {
            Ok((event, span)) => loader.event(event, &span).ok()?,
            Err(error) => {
                let problem = message::syntax_error(text, &error);
                loader.diagnostics.error(problem.code, problem.span, "", problem.message, problem.help);
                return None;
            }
        }
    }
    Some(loader.root.unwrap_or(Node { content: Content::Null, span: Span::default() }))
}

/// An error was reported after which there is no tree.
struct Stop;

/// A collection that is still open.
struct Frame<'t> {
    start: u32,
    style: StructureStyle,
    /// Children that are complete.
    count: usize,
    place: Place,
    /// Its nodes will not be in the tree: it is a key, or the value of no key.
    dropped: bool,
    children: Children<'t>,
}

/// Where the children of an open collection are.
enum Children<'t> {
    /// `nodes[first..]`
    Sequence { first: usize },
    /// `entries[first..]`, hashed by key once they are many.
    Mapping { first: usize, key: Pending<'t>, seen: Option<HashTable<usize>> },
}

/// What a mapping waits for.
enum Pending<'t> {
    Key,
    Value(Key<'t>),
    /// The value of a key that is an error.
    Dropped,
}

struct Loader<'t, 'd, 'l> {
    text: &'t str,
    diagnostics: &'d mut Diagnostics<'l>,
    errors: usize,
    documents: usize,
    /// Nodes and keys seen so far.
    count: usize,
    root: Option<Node<'t>>,
    /// Where the last token ended.
    end: u32,
    frames: Vec<Frame<'t>>,
    // The children of all open collections, innermost last: each collection is allocated once, at its exact size.
    nodes: Vec<Node<'t>>,
    entries: Vec<(Key<'t>, Node<'t>)>,
    anchors: Anchors<'t>,
    hasher: RandomState,
}

impl<'t, 'd, 'l> Loader<'t, 'd, 'l> {
    fn new(text: &'t str, diagnostics: &'d mut Diagnostics<'l>) -> Self {
        Self {
            text,
            diagnostics,
            errors: 0,
            documents: 0,
            count: 0,
            root: None,
            end: 0,
            frames: Vec::new(),
            nodes: Vec::new(),
            entries: Vec::new(),
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
                // Where nothing is written granit reports `~`.
                let text = if span.start == span.end { Cow::Borrowed("") } else { text };
                let plain = self.tag(tag.as_deref(), at, true) && style == ScalarStyle::Plain;
                self.scalar(text, plain, anchor, span);
                Ok(())
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.tag(tag.as_deref(), at, false);
                self.open(Children::Sequence { first: self.nodes.len() }, style, anchor, span)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.tag(tag.as_deref(), at, false);
                let first = self.entries.len();
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
    fn tag(&mut self, tag: Option<&Tag>, at: &granit_parser::Span, is_scalar: bool) -> bool {
        let Some(tag) = tag else { return true };
        let tag_span = at.tag_span();
        let written = tag_span.and_then(|span| span.slice(self.text)).unwrap_or("!");
        if is_scalar && (written == "!" || tag.is_yaml_core_schema_tag("str")) {
            return false;
        }
        let span = tag_span.map_or_else(|| bytes(at), |span| bytes(&span));
        self.error(
            "yaml_tag",
            span,
            || format!("a policy takes no YAML tag, found `{}`", excerpt(written)),
            "remove the tag; to make a string of a number or a word, quote it",
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
                let content = if plain { content(text.clone()) } else { Content::String(text.clone()) };
                self.anchors.key(anchor, Node { content, span });
            }
            return self.key(text, plain, span);
        }
        self.anchor(anchor);
        let content = if plain { content(text) } else { Content::String(text) };
        self.attach(Node { content, span });
    }

    /// Remembers where the node that comes next will be.
    fn anchor(&mut self, anchor: usize) -> Option<Place> {
        if anchor == 0 {
            return None;
        }
        if self.wants_key() || self.drops_next() {
            self.anchors.dropped(anchor);
            return None;
        }
        // A collection takes its place in the tree only once something in it has an anchor.
        let mut parent: Option<(Place, usize)> = None;
        for frame in &mut self.frames {
            if let (Place::UNKNOWN, Some((place, index))) = (frame.place, parent) {
                frame.place = self.anchors.place(place, index);
            }
            parent = Some((frame.place, frame.count));
        }
        let place = match parent {
            Some((place, index)) => self.anchors.place(place, index),
            None => Place::ROOT,
        };
        self.anchors.node(anchor, place);
        Some(place)
    }

    fn key(&mut self, text: Cow<'t, str>, plain: bool, span: Span) {
        let reading = if plain { resolve(text.clone()) } else { Plain::String(Cow::Borrowed("")) };
        if reading == Plain::Null {
            let message = if span.start == span.end { "a key is missing" } else { "a key is null" };
            let help = "write the key before the `:`, and quote it if this is its text";
            self.error("bad_key", span, || message.into(), help);
            return self.set_key(Pending::Dropped);
        }
        let is_merge = plain && text == "<<";
        // Set first, so that errors about the key point at it.
        self.set_key(Pending::Value(Key { text, span }));
        match reading {
            Plain::Mixed(_) if is_merge => {
                let help = "repeat the fields here, or share a whole value with an anchor and an alias";
                self.error("merge_key", span, || "a policy takes no merge key `<<`".into(), help);
                return self.set_key(Pending::Dropped);
            }
            Plain::Mixed(text) => {
                let message = format!("YAML readers do not agree what the key `{}` is", excerpt(&text));
                self.error("ambiguous_scalar", span, || message, "quote the key to make it text");
            }
            _ => {}
        }
        self.check_unique();
    }

    fn set_key(&mut self, pending: Pending<'t>) {
        if let Some(Children::Mapping { key, .. }) = self.frames.last_mut().map(|frame| &mut frame.children) {
            *key = pending;
        }
    }

    /// Trap 2: reports the pending key if its mapping has it already.
    fn check_unique(&mut self) {
        let Some(Frame { children: Children::Mapping { first, key: Pending::Value(key), seen }, .. }) =
            self.frames.last_mut()
        else {
            return;
        };
        let first = *first;
        let entries = self.entries.get(first..).unwrap_or_default();
        let earlier = if entries.len() < PAIRWISE_KEYS {
            entries.iter().find(|(earlier, _)| earlier.text == key.text)
        } else {
            let hash_of =
                |at: usize| entries.get(at).map_or(0, |(key, _)| self.hasher.hash_one(key.text.as_ref()));
            let seen = seen.get_or_insert_with(|| {
                let mut table = HashTable::with_capacity(entries.len().saturating_mul(2));
                for at in 0..entries.len() {
                    table.insert_unique(hash_of(at), at, |at| hash_of(*at));
                }
                table
            });
            let has_key = |at: &usize| entries.get(*at).is_some_and(|(earlier, _)| earlier.text == key.text);
            let hash = self.hasher.hash_one(key.text.as_ref());
            let found = seen.find(hash, has_key).and_then(|at| entries.get(*at));
            if found.is_none() {
                // This key will be the next entry, or be dropped with its mapping.
                let next = entries.len();
                seen.insert_unique(hash, next, |at| if *at == next { hash } else { hash_of(*at) });
            }
            found
        };
        if let Some((earlier, _)) = earlier {
            let line = self.diagnostics.lines().line(earlier.span.start);
            let (span, message) =
                (key.span, format!("key `{}` is already on line {line}", excerpt(&key.text)));
            self.error("duplicate_key", span, || message, "remove one of the two, or merge their values");
        }
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Stop> {
        self.end = span.end;
        let node = match self.anchors.expand(id, span, &self.frames, &self.nodes, &self.entries) {
            Ok(node) => node,
            Err(Refusal { code, message, help }) => {
                self.error(code, span, || message.into(), help);
                return Err(Stop);
            }
        };
        if !self.wants_key() {
            self.attach(node);
            return Ok(());
        }
        match node.content {
            Content::String(text) | Content::Ambiguous { text, word: true } => self.key(text, false, span),
            _ => {
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
        children: Children<'t>,
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
                Children::Sequence { .. } => "list",
                Children::Mapping { .. } => "mapping",
            };
            let help = "quote the key if it is text that begins with `[` or `{`";
            self.error("bad_key", span, || format!("a key must be text, this is a {kind}"), help);
        }
        let dropped = is_key || self.drops_next();
        let unanchored = if self.frames.is_empty() { Place::ROOT } else { Place::UNKNOWN };
        let place = self.anchor(anchor).unwrap_or(unanchored);
        self.frames.push(Frame { start: span.start, style, count: 0, place, dropped, children });
        Ok(())
    }

    fn close(&mut self, span: Span) {
        let Some(frame) = self.frames.pop() else { return };
        let content = match frame.children {
            Children::Sequence { first } => Content::Sequence(split(&mut self.nodes, first)),
            Children::Mapping { first, .. } => Content::Mapping(split(&mut self.entries, first)),
        };
        // The end of a block collection is found only at what follows it: it ends where its last token did.
        if frame.style == StructureStyle::Flow {
            self.end = span.end;
        }
        let span = Span { start: frame.start, end: self.end.max(frame.start) };
        self.attach(Node { content, span });
    }

    /// Puts a node that is complete where it belongs.
    fn attach(&mut self, node: Node<'t>) {
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut frame.children {
            Children::Sequence { .. } => self.nodes.push(node),
            Children::Mapping { key: pending, .. } => match std::mem::replace(pending, Pending::Key) {
                Pending::Value(key) => self.entries.push((key, node)),
                Pending::Dropped => return,
                Pending::Key => {
                    *pending = Pending::Dropped;
                    return;
                }
            },
        }
        frame.count = frame.count.saturating_add(1);
    }

    /// JSON Pointer of the place that is being read, or of its nearest ancestor that [`POINTER_BYTES`] can name.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for frame in &self.frames {
            let fits = match &frame.children {
                Children::Sequence { .. } => push_segment(&mut pointer, &frame.count.to_string()),
                Children::Mapping { key: Pending::Value(key), .. } => push_segment(&mut pointer, &key.text),
                Children::Mapping { .. } => false,
            };
            if !fits {
                break;
            }
        }
        pointer
    }

    fn error(&mut self, code: &'static str, span: Span, message: impl FnOnce() -> String, help: &str) {
        self.errors = self.errors.saturating_add(1);
        if self.errors > DIAGNOSTICS {
            // It is only counted: spare the work of describing it.
            return self.diagnostics.error(code, span, "", "", None);
        }
        let pointer = self.pointer();
        self.diagnostics.error(code, span, pointer, message(), Some(help.to_owned()));
    }
}

/// What a plain scalar is.
fn content(text: Cow<'_, str>) -> Content<'_> {
    match resolve(text) {
        Plain::Null => Content::Null,
        Plain::Bool(value) => Content::Bool(value),
        Plain::Number(number) => Content::Number(number),
        Plain::Word(text) => Content::Ambiguous { text, word: true },
        Plain::Mixed(text) => Content::Ambiguous { text, word: false },
        Plain::String(text) => Content::String(text),
    }
}

/// Takes the last elements off a stack.
fn split<T>(stack: &mut Vec<T>, first: usize) -> Vec<T> {
    if first == 0 && stack.len() >= HANDED_OVER {
        let mut all = std::mem::take(stack);
        all.shrink_to_fit();
        return all;
    }
    stack.split_off(first.min(stack.len()))
}

/// granit's markers give bytes, also behind text that is not ASCII.
fn bytes(span: &granit_parser::Span) -> Span {
    let range = span.byte_range().unwrap_or_default();
    Span::new(range.start, range.end)
}
