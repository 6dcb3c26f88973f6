//! From a schema document to nodes.
//!
//! In: any value. Out: nodes, the whole first. Must not fail: what it cannot read admits everything. Takes no more time and memory
//! than the ceilings allow: a reference leads to what others lead to as well, and may be written in many ways.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{ANYTHING, Node, NodeId, Nodes, Types};
use crate::ceilings::{SCHEMA_DEPTH, SCHEMA_NODES, SCHEMA_PARTS};
use crate::view::{Access, Kind, View};

pub(super) fn compile<V: View>(root: &V) -> Nodes {
    let mut compiler = Compiler { parts_left: SCHEMA_PARTS, ..Compiler::default() };
    // The whole is what `#` names.
    compiler.target("#");
    while let Some((id, pointer)) = compiler.waiting.pop_front() {
        match compiler.resolve(root, &pointer) {
            // A reference without a target says nothing.
            None => {}
            Some(None) => compiler.fill(id, root, 0),
            Some(Some(target)) => compiler.fill(id, &target, 1),
        }
    }
    Nodes(compiler.nodes)
}

#[derive(Default)]
struct Compiler {
    nodes: Vec<Node>,
    /// The nodes of what references name.
    targets: HashMap<String, NodeId, RandomState>,
    /// Those that are not filled yet.
    waiting: VecDeque<(NodeId, String)>,
    /// Members and elements that can still be looked at.
    parts_left: usize,
}

/// Keywords that are looked for in each subschema.
const KEYWORDS: u64 = 16;

impl Compiler {
    /// Notes that so many members or elements are looked at. False, from then on, where they are too many.
    fn look_at(&mut self, parts: usize) -> bool {
        self.parts_left = self.parts_left.saturating_sub(parts);
        self.parts_left > 0
    }

    /// [`Self::look_at`] for one that takes so many steps to find.
    fn find(&mut self, cost: u64) -> bool {
        self.look_at(usize::try_from(cost).unwrap_or(usize::MAX).saturating_add(1))
    }

    /// The next node, which admits everything until it is filled.
    fn add(&mut self) -> NodeId {
        if self.nodes.len() >= SCHEMA_NODES {
            return ANYTHING;
        }
        self.nodes.push(Node {
            types: Types::ALL,
            members: HashMap::default(),
            others: ANYTHING,
            first: Box::default(),
            rest: ANYTHING,
            all: Vec::new(),
            any: Vec::new(),
        });
        u32::try_from(self.nodes.len()).map_or(ANYTHING, |count| count.saturating_sub(1))
    }

    /// The node of what a reference within the document names.
    fn target(&mut self, pointer: &str) -> NodeId {
        if let Some(id) = self.targets.get(pointer) {
            return *id;
        }
        let id = self.add();
        self.targets.insert(pointer.to_owned(), id);
        if id != ANYTHING {
            self.waiting.push_back((id, pointer.to_owned()));
        }
        id
    }

    /// The node of a subschema. Recursion is as deep as the ceiling allows.
    fn node<V: View>(&mut self, schema: &V, depth: usize) -> NodeId {
        let says_something = match schema.kind() {
            Ok(Kind::Object) => schema.size().is_ok_and(|size| size > 0),
            Ok(Kind::Bool(admits)) => !admits,
            _ => false,
        };
        if !says_something || depth >= SCHEMA_DEPTH {
            return ANYTHING;
        }
        let id = self.add();
        if id != ANYTHING {
            self.fill(id, schema, depth);
        }
        id
    }

    fn fill<V: View>(&mut self, id: NodeId, schema: &V, depth: usize) {
        let deeper = depth.saturating_add(1);
        let mut types = Types::ALL;
        match schema.kind() {
            Ok(Kind::Bool(false)) => types = Types::NONE,
            Ok(Kind::Object) => {}
            _ => return,
        }
        if !self.find(schema.cost(Access::Member).saturating_mul(KEYWORDS)) {
            return;
        }
        // A part with an identifier of its own is another document, to which its references belong.
        if depth > 0 && (part(schema, "$id").is_some() || part(schema, "id").is_some_and(|id| is_text(&id))) {
            return;
        }
        if let Some(named) = part(schema, "type").filter(|named| self.look_at_all(named)) {
            types = types.and(named_types(&named));
        }
        if let Some(constant) = part(schema, "const") {
            types = types.and(type_of(&constant));
        }
        let list = part(schema, "enum").filter(|list| self.look_at_all(list));
        if let Some(members) = list.and_then(|list| types_of(&list)) {
            types = types.and(members);
        }
        let mut members = HashMap::default();
        if let Some(properties) = part(schema, "properties").filter(is_mapping) {
            let _ = properties.members(|name, property| {
                if !self.look_at((name.len() / 16).saturating_add(1)) {
                    return ControlFlow::Break(());
                }
                members.insert(Box::from(name), self.node(&property, deeper));
                ControlFlow::Continue(())
            });
        }
        // Members that a pattern names are not told from others.
        let others = match part(schema, "additionalProperties") {
            Some(others) if part(schema, "patternProperties").is_none() => self.node(&others, deeper),
            _ => ANYTHING,
        };
        let (first, rest) = match (self.list(schema, "prefixItems", deeper), part(schema, "items")) {
            (Some(first), Some(rest)) => (first, self.node(&rest, deeper)),
            (Some(first), None) => (first, ANYTHING),
            // In older drafts `items` is a list.
            (None, Some(items)) if is_list(&items) => {
                let first = self.nodes_of(&items, deeper);
                let rest = part(schema, "additionalItems");
                (first, rest.map_or(ANYTHING, |rest| self.node(&rest, deeper)))
            }
            (None, Some(rest)) => (Box::default(), self.node(&rest, deeper)),
            (None, None) => (Box::default(), ANYTHING),
        };
        let mut all = self.list(schema, "allOf", deeper).map_or_else(Vec::new, Vec::from);
        if let Some(pointer) = part(schema, "$ref").as_ref().and_then(text)
            && pointer.starts_with('#')
        {
            all.push(self.target(&pointer));
        }
        all.retain(|id| *id != ANYTHING);
        let any = ["anyOf", "oneOf"].into_iter().filter_map(|name| self.list(schema, name, deeper));
        // An alternative that admits everything makes the others idle.
        let any = any.filter(|list| !list.is_empty() && !list.contains(&ANYTHING)).collect();
        // What was not looked at to its end admits everything.
        if self.parts_left > 0
            && let Some(node) = self.nodes.get_mut(id as usize)
        {
            *node = Node { types, members, others, first, rest, all, any };
        }
    }

    /// The nodes of a keyword's list of subschemas.
    fn list<V: View>(&mut self, schema: &V, name: &str, depth: usize) -> Option<Box<[NodeId]>> {
        let list = part(schema, name).filter(is_list)?;
        Some(self.nodes_of(&list, depth))
    }

    /// [`Self::look_at`] for all elements of a list.
    fn look_at_all<V: View>(&mut self, list: &V) -> bool {
        self.look_at(list.size().unwrap_or(0))
    }

    fn nodes_of<V: View>(&mut self, list: &V, depth: usize) -> Box<[NodeId]> {
        let mut ids = Vec::new();
        if !self.look_at_all(list) {
            return Box::default();
        }
        let _ = list.elements(|schema| {
            ids.push(self.node(&schema, depth));
            ControlFlow::Continue(())
        });
        ids.into()
    }

    /// What a pointer within the document names: `Some(None)` is the whole.
    #[expect(clippy::option_option, reason = "the whole is borrowed, and its parts are not")]
    fn resolve<V: View>(&mut self, root: &V, reference: &str) -> Option<Option<V>> {
        let pointer = decoded(reference.strip_prefix('#')?)?;
        if pointer.is_empty() {
            return Some(None);
        }
        let mut found: Option<V> = None;
        for token in pointer.strip_prefix('/')?.split('/') {
            let token = token.replace("~1", "/").replace("~0", "~");
            let value = found.as_ref().unwrap_or(root);
            let next = match value.kind() {
                Ok(Kind::Object) if self.find(value.cost(Access::Member)) => value.member(&token),
                Ok(Kind::Array) => {
                    let index = token.parse().ok()?;
                    if !self.find(value.cost(Access::Element(index))) {
                        return None;
                    }
                    value.element(index)
                }
                _ => return None,
            };
            found = Some(next.ok().flatten()?);
        }
        Some(found)
    }
}

/// A fragment without its percent encoding.
fn decoded(fragment: &str) -> Option<Cow<'_, str>> {
    if !fragment.contains('%') {
        return Some(Cow::Borrowed(fragment));
    }
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high << 4 | low).ok()?);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn part<V: View>(schema: &V, name: &str) -> Option<V> {
    match schema.kind() {
        Ok(Kind::Object) => schema.member(name).ok().flatten(),
        _ => None,
    }
}

fn is_mapping<V: View>(value: &V) -> bool {
    matches!(value.kind(), Ok(Kind::Object))
}

fn is_list<V: View>(value: &V) -> bool {
    matches!(value.kind(), Ok(Kind::Array))
}

fn is_text<V: View>(value: &V) -> bool {
    matches!(value.kind(), Ok(Kind::String(_)))
}

fn text<V: View>(value: &V) -> Option<String> {
    match value.kind() {
        Ok(Kind::String(text)) => Some(text.into_owned()),
        _ => None,
    }
}

/// What `type` names, one or several. A name that JSON Schema does not have admits everything.
fn named_types<V: View>(named: &V) -> Types {
    let of = |value: &V| match text(value).as_deref() {
        Some("null") => Types::NULL,
        Some("boolean") => Types::BOOLEAN,
        Some("integer") => Types::INTEGER,
        Some("number") => Types::NUMBER,
        Some("string") => Types::STRING,
        Some("array") => Types::ARRAY,
        Some("object") => Types::OBJECT,
        _ => Types::ALL,
    };
    if !is_list(named) {
        return of(named);
    }
    let mut types = Types::NONE;
    let _ = named.elements(|name| {
        types = types.or(of(&name));
        ControlFlow::Continue(())
    });
    if types == Types::NONE { Types::ALL } else { types }
}

/// The types of a list's elements; none for anything but a list with elements.
fn types_of<V: View>(list: &V) -> Option<Types> {
    let mut types = Types::NONE;
    if is_list(list) {
        let _ = list.elements(|value| {
            types = types.or(type_of(&value));
            ControlFlow::Continue(())
        });
    }
    Some(types).filter(|types| *types != Types::NONE)
}

fn type_of<V: View>(value: &V) -> Types {
    match value.kind() {
        Ok(kind) => Types::of(&kind),
        Err(_) => Types::ALL,
    }
}
