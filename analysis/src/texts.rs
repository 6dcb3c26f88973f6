//! Every text of a definition.
//!
//! In: a definition. Out: its texts, one after another, the names of members among them, each with where it stands. Must not go deeper than a
//! thread's stack: what reads definitions from text refuses them far above that.

use std::ops::ControlFlow;

use serde_json::Value;

use crate::risk::quote;

/// The deepest level that is read. Raw JSON has half as many.
const DEPTH: usize = 256;

/// Where a text stands: the way there, from the outermost part.
pub(crate) type Way<'v> = [Part<'v>];

/// A step into a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'v> {
    Member(&'v str),
    Element(usize),
}

/// A text, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text<'v> {
    /// The name of a member.
    Name(&'v str),
    /// A string.
    String(&'v str),
}

/// Shows all texts until one ends it.
pub(crate) fn each<'v>(definition: &'v Value, see: &mut dyn FnMut(Text<'v>, &Way<'v>) -> ControlFlow<()>) {
    let _ = walk(definition, &mut Vec::new(), see);
}

fn walk<'v>(
    value: &'v Value,
    way: &mut Vec<Part<'v>>,
    see: &mut dyn FnMut(Text<'v>, &Way<'v>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if way.len() > DEPTH {
        return ControlFlow::Continue(());
    }
    match value {
        Value::String(text) => see(Text::String(text), way)?,
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                way.push(Part::Element(index));
                walk(element, way, see)?;
                way.pop();
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                way.push(Part::Member(name));
                see(Text::Name(name), way)?;
                walk(member, way, see)?;
                way.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    ControlFlow::Continue(())
}

/// The way as a JSON pointer, fit to be shown.
pub(crate) fn pointer(way: &Way<'_>) -> String {
    let mut pointer = String::new();
    for part in way {
        pointer.push('/');
        match part {
            Part::Member(name) => pointer.push_str(&name.replace('~', "~0").replace('/', "~1")),
            Part::Element(index) => pointer.push_str(&index.to_string()),
        }
    }
    quote::place(&pointer)
}

/// Whether a text is printed ASCII and lines: in most texts nothing is hidden, and this is soon known.
pub(crate) fn is_plain(text: &str) -> bool {
    text.is_ascii() && text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t'))
}
