//! Reading nodes as what the language expects, with every complaint at its place (spec 1.5, 1.6, 12).

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

use crate::diagnostic::{Diagnostics, Span};
use crate::pattern::Pattern;
use crate::suggest::nearest;
use crate::text::{Content, Key, Node};

/// Walks a document, knowing where it is.
pub(super) struct Reader<'d, 'l> {
    pub(super) diagnostics: &'d mut Diagnostics<'l>,
    /// The patterns so far, by their text.
    pub(super) patterns: HashMap<Box<str>, Pattern, foldhash::fast::RandomState>,
    pointer: String,
}

/// A field of a mapping: its key and its value.
#[derive(Clone, Copy)]
pub(super) struct Field<'n, 't> {
    pub(super) key: &'n Key<'t>,
    pub(super) value: &'n Node<'t>,
}

pub(super) fn is_free(key: &str) -> bool {
    key.starts_with("x-")
}

impl<'d, 'l> Reader<'d, 'l> {
    pub(super) fn new(diagnostics: &'d mut Diagnostics<'l>) -> Self {
        Self { diagnostics, patterns: HashMap::default(), pointer: String::new() }
    }

    pub(super) fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Reads below the member `name`.
    pub(super) fn within<R>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.pointer.len();
        push_segment(&mut self.pointer, name);
        let result = read(self);
        self.pointer.truncate(length);
        result
    }

    /// Reads below the element `index`.
    pub(super) fn item<R>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.pointer.len();
        // Writing to a String cannot fail.
        let _ = write!(self.pointer, "/{index}");
        let result = read(self);
        self.pointer.truncate(length);
        result
    }

    pub(super) fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let help = help.into();
        let help = if help.is_empty() { None } else { Some(help) };
        self.diagnostics.error(code, span, self.pointer.clone(), message, help);
    }

    pub(super) fn warning(&mut self, code: &'static str, span: Span, message: impl Into<String>, help: &str) {
        self.diagnostics.warning(code, span, self.pointer.clone(), message, Some(help.to_owned()));
    }

    /// Complains that a node is not what was expected.
    pub(super) fn mismatch(&mut self, node: &Node<'_>, expected: &str) {
        let found = match &node.content {
            Content::Ambiguous { text, word } => {
                let other = if *word { "`true` or `false`" } else { "a plain decimal number" };
                let help = format!("write `\"{text}\"` for the text, or {other}");
                let message = format!("YAML 1.1 and 1.2 read `{text}` differently; expected {expected}");
                self.error("ambiguous_scalar", node.span, message, help);
                return;
            }
            Content::Null => "null",
            Content::Bool(_) => "a boolean",
            Content::Number(_) => "a number",
            Content::String(_) => "a string",
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a mapping",
        };
        let help = match &node.content {
            Content::Number(text) if expected.contains("string") => format!("quote it: `\"{text}\"`"),
            Content::Bool(value) if expected.contains("string") => format!("quote it: `\"{value}\"`"),
            _ => String::new(),
        };
        self.error("wrong_type", node.span, format!("expected {expected}, found {found}"), help);
    }

    /// The members of a mapping.
    pub(super) fn mapping<'n, 't>(
        &mut self,
        node: &'n Node<'t>,
        expected: &str,
    ) -> Option<&'n [(Key<'t>, Node<'t>)]> {
        match &node.content {
            Content::Mapping(members) => Some(members),
            _ => {
                self.mismatch(node, expected);
                None
            }
        }
    }

    /// The fields of a mapping by name, in the order of `names`; all others are unknown.
    pub(super) fn fields<'n, 't, const N: usize>(
        &mut self,
        node: &'n Node<'t>,
        expected: &str,
        names: [&str; N],
    ) -> Option<[Option<Field<'n, 't>>; N]> {
        let members = self.mapping(node, expected)?;
        let mut found = [None; N];
        for (key, value) in members {
            match names.iter().position(|name| *name == key.text) {
                Some(index) => {
                    if let Some(place) = found.get_mut(index) {
                        *place = Some(Field { key, value });
                    }
                }
                None => self.unknown(key, names),
            }
        }
        Some(found)
    }

    /// Complains of a field that is not known, unless it is free.
    pub(super) fn unknown<const N: usize>(&mut self, key: &Key<'_>, names: [&str; N]) {
        if is_free(&key.text) {
            return;
        }
        let help = match nearest(&key.text, names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("known fields here: {}; keys that begin with `x-` are free", names.join(", ")),
        };
        let message = format!("unknown field `{}`", shown(&key.text));
        self.within(&key.text, |reader| reader.error("unknown_field", key.span, message, help));
    }

    /// Complains of a field that is missing from `node`.
    pub(super) fn missing(&mut self, node: &Node<'_>, name: &str, help: &str) {
        self.error("missing_field", node.span, format!("field `{name}` is missing"), help);
    }

    /// The items of a list.
    pub(super) fn list<'n, 't>(&mut self, node: &'n Node<'t>, expected: &str) -> Option<&'n [Node<'t>]> {
        match &node.content {
            Content::Sequence(items) => Some(items),
            _ => {
                self.mismatch(node, expected);
                None
            }
        }
    }

    /// A string; a bare YAML word is one here.
    pub(super) fn string<'n>(&mut self, node: &'n Node<'_>, expected: &str) -> Option<&'n str> {
        match &node.content {
            Content::String(text) | Content::Ambiguous { text, word: true } => Some(text),
            _ => {
                self.mismatch(node, expected);
                None
            }
        }
    }

    /// The string in a field, if the field is there.
    pub(super) fn text(&mut self, field: Option<Field<'_, '_>>) -> Option<Box<str>> {
        let field = field?;

        self.within(&field.key.text, |reader| reader.string(field.value, "a string").map(Into::into))
    }
}

/// Appends the member `name` to a JSON Pointer.
pub(super) fn push_segment(pointer: &mut String, name: &str) {
    pointer.push('/');
    if !name.bytes().any(|byte| matches!(byte, b'~' | b'/')) {
        return pointer.push_str(name);
    }
    for c in name.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// Text of the author's for a message, cut where it is long.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(80) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}
