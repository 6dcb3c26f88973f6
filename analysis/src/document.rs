//! A document as JSON that can be changed by pointer.
//!
//! In: the nodes of a policy or a test file. Out: JSON text that means the same, with numbers as they are written. Knows nothing of the language.

use callgate::__analysis::{Content, Diagnostics, Node, parse};

/// A value of the document.
#[derive(Debug, Clone)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    String(String),
    List(Vec<Json>),
    /// In the order of the document.
    Map(Vec<(String, Json)>),
}

impl Json {
    /// A policy's document; `None` where the text has none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut diagnostics = Diagnostics::new(text);
        parse(text, &mut diagnostics).map(|tree| Self::of(tree.root()))
    }

    /// Recursion is as deep as the document, which has a ceiling.
    pub(crate) fn of(node: Node<'_>) -> Self {
        match node.content() {
            Content::Null => Self::Null,
            Content::Bool(value) => Self::Bool(value),
            Content::Number(text) => Self::Number(text.to_owned()),
            // Where the policy loads, an ambiguous scalar stands for its text, or where nobody looks.
            Content::String(text) | Content::Ambiguous { text, .. } => Self::String(text.to_owned()),
            Content::Sequence(items) => Self::List(items.map(Self::of).collect()),
            Content::Mapping(members) => {
                Self::Map(members.map(|(key, value)| (key.text().to_owned(), Self::of(value))).collect())
            }
        }
    }

    pub(crate) fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    pub(crate) fn map<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Map(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// A member of a mapping.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(members) = self else { return None };
        members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Map(members) = self else { return None };
        members.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The value at a JSON Pointer (RFC 6901).
    pub(crate) fn at_mut(&mut self, pointer: &str) -> Option<&mut Self> {
        let mut value = self;
        for segment in pointer.split('/').skip(1) {
            value = match value {
                Self::List(items) => items.get_mut(segment.parse::<usize>().ok()?)?,
                map => map.get_mut(&segment.replace("~1", "/").replace("~0", "~"))?,
            };
        }
        Some(value)
    }

    /// Sets a member; anything but a mapping stays as it is.
    pub(crate) fn set(&mut self, name: &str, value: Self) {
        match self.get_mut(name) {
            Some(member) => *member = value,
            None => {
                if let Self::Map(members) = self {
                    members.push((name.to_owned(), value));
                }
            }
        }
    }

    /// Takes a member out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Self> {
        let Self::Map(members) = self else { return None };
        let at = members.iter().position(|(key, _)| key == name)?;
        Some(members.remove(at).1)
    }

    /// The items of the list `name`, which becomes an empty one where it is absent or null.
    pub(crate) fn list_mut(&mut self, name: &str) -> Option<&mut Vec<Self>> {
        if !matches!(self.get(name), Some(Self::List(_))) {
            self.set(name, Self::List(Vec::new()));
        }
        match self.get_mut(name) {
            Some(Self::List(items)) => Some(items),
            _ => None,
        }
    }

    /// The document as JSON text.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::String(text) => quote(text, out),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Map(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    quote(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Appends a JSON string.
pub(crate) fn quote(text: &str, out: &mut String) {
    // A string is always written.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
