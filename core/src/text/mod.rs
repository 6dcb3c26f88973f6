//! From policy text to nodes: every key and value with its span.
//!
//! In: YAML or JSON. Out: one [`Node`] tree, the same for both, or diagnostics. Knows nothing of policies: types are
//! those of JSON, and what YAML 1.1 and 1.2 read differently stays [`Content::Ambiguous`] for the document to judge.

mod json;
mod yaml;

use std::borrow::Cow;

pub(crate) use json::parse_json;
pub(crate) use yaml::parse_yaml;

use crate::diagnostic::Span;

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node<'t> {
    pub(crate) content: Content<'t>,
    pub(crate) span: Span,
}

/// A mapping key with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key<'t> {
    pub(crate) text: Cow<'t, str>,
    pub(crate) span: Span,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content<'t> {
    Null,
    Bool(bool),
    /// The literal by JSON's grammar for numbers, whatever its size.
    Number(Cow<'t, str>),
    String(Cow<'t, str>),
    /// A plain YAML scalar that YAML 1.1 and 1.2 read differently; the text as written.
    Ambiguous {
        text: Cow<'t, str>,
        word: bool,
    },
    Sequence(Vec<Node<'t>>),
    Mapping(Vec<(Key<'t>, Node<'t>)>),
}
