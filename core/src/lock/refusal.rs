//! What a client is told whose call is refused because of a lock (guards G13.3): the same from every guard.

use super::CHANGED;
use crate::json_text::write_string;

/// The message.
pub fn changed_message(tool: &str) -> String {
    format!(
        "Tool \"{tool}\" is not as it was approved: its definition has changed, or it is new. Trying again does not help: somebody has to review it."
    )
}

/// The members of `_meta`, or of a JSON-RPC error's `data`, as a JSON object.
pub fn changed_meta() -> String {
    format!(r#"{{"callgate/code":"{CHANGED}"}}"#)
}

/// A tool's result, as a JSON object.
pub fn changed_result(tool: &str) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_string(&mut text, &changed_message(tool));
    format!(r#"{{"content":[{{"type":"text","text":{text}}}],"isError":true,"_meta":{}}}"#, changed_meta())
}
