//! Values of a test file as JSON text: arguments stay the text that the engine reads.
//!
//! In: a node. Out: JSON text with the numbers as they are written. Must not read a scalar that YAML 1.1 and 1.2 read differently.

use callgate::__analysis::{Content, Node, Reader};

/// Appends the JSON text of a value; false after an error.
pub(super) fn write<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>, out: &mut String) -> bool {
    match node.content() {
        Content::Null => out.push_str("null"),
        Content::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Content::Number(text) => out.push_str(text),
        Content::String(text) => quote(text, out),
        Content::Ambiguous { .. } => {
            reader.mismatch(node, "a JSON value");
            return false;
        }
        Content::Sequence(items) => {
            out.push('[');
            for (index, item) in items.enumerate() {
                if index > 0 {
                    out.push(',');
                }
                if !write(reader, item, out) {
                    return false;
                }
            }
            out.push(']');
        }
        Content::Mapping(members) => {
            out.push('{');
            for (index, (key, value)) in members.enumerate() {
                if index > 0 {
                    out.push(',');
                }
                quote(key.text(), out);
                out.push(':');
                if !write(reader, value, out) {
                    return false;
                }
            }
            out.push('}');
        }
    }
    true
}

/// The JSON text of a value.
pub(super) fn json<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<String> {
    let mut text = String::new();
    write(reader, node, &mut text).then_some(text)
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

/// Appends a JSON string.
pub(crate) fn quote(text: &str, out: &mut String) {
    // A string is always written.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
