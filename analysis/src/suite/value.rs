//! Values of a test file as JSON text: arguments stay the text that the engine reads.
//!
//! In: a node. Out: JSON text with the numbers as they are written. Must not read a scalar that YAML 1.1 and 1.2 read differently.

use callgate::__analysis::{Content, Node, Reader};

use crate::document::Json;

/// The JSON text of a value.
pub(super) fn json<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<String> {
    match ambiguous(node) {
        None => Some(Json::of(node).to_text()),
        Some(scalar) => {
            reader.mismatch(scalar, "a JSON value");
            None
        }
    }
}

/// The first scalar in a value that YAML 1.1 and 1.2 read differently. Recursion is as deep as the document, which has a ceiling.
fn ambiguous(node: Node<'_>) -> Option<Node<'_>> {
    match node.content() {
        Content::Ambiguous { .. } => Some(node),
        Content::Sequence(mut items) => items.find_map(ambiguous),
        Content::Mapping(mut members) => members.find_map(|(_, value)| ambiguous(value)),
        _ => None,
    }
}

/// A value for a comparison with a decision's JSON.
pub(super) fn value<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<serde_json::Value> {
    let text = json(reader, node)?;
    let value = serde_json::from_str(&text).ok();
    if value.is_none() {
        reader.error("invalid_expect", node.span(), "no decision has such a number", "");
    }
    value
}
