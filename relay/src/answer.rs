//! Messages that the relay writes itself.

use std::fmt::Write as _;

use callgate::{Decision, MCP_DENIED};

use crate::machine::{Refusal, Running};

/// Tells a client that the list of tools changed.
pub(crate) const LIST_CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// The message to a caller whose call was not decided. Details are in a record.
const UNCHECKED: &str = "The call could not be checked against the policy";

impl From<&Decision<'_>> for Refusal {
    /// What the decision tells a client (spec 10.6). One that allows tells nothing, so the client hears that nothing was decided.
    fn from(decision: &Decision<'_>) -> Self {
        match (decision.to_mcp_result(), decision.message()) {
            (Some(result), Some(message)) => {
                Self { result, message: message.into_owned(), data: decision.to_mcp_meta() }
            }
            _ => Self::unchecked(),
        }
    }
}

impl Refusal {
    /// What a caller is told whose call was not decided.
    pub(crate) fn unchecked() -> Self {
        let result =
            format!(r#"{{"content":[{{"type":"text","text":{}}}],"isError":true}}"#, quoted(UNCHECKED));
        Self { result, message: UNCHECKED.to_owned(), data: None }
    }
}

/// A JSON-RPC error. `id` is the text of an id, or null.
pub(crate) fn error(id: Option<&str>, code: i32, message: &str, data: Option<&str>) -> String {
    let message = quoted(message);
    let id = id.unwrap_or("null");
    let mut text = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}"#);
    if let Some(data) = data {
        // Writing to a String cannot fail.
        let _ = write!(text, r#","data":{data}"#);
    }
    text.push_str("}}");
    text
}

/// The answer to a call with this result.
pub(crate) fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// The answer to a call that does not run.
pub(crate) fn refusal(call: &Running, refusal: &Refusal) -> String {
    if call.task {
        // The result of a task is no tool's result, so that it could not say why.
        return error(Some(&call.id_text), MCP_DENIED, &refusal.message, refusal.data.as_deref());
    }
    match (call.modern, refusal.result.strip_suffix('}')) {
        (true, Some(open)) => result(&call.id_text, &format!(r#"{open},"resultType":"complete"}}"#)),
        _ => result(&call.id_text, &refusal.result),
    }
}

pub(crate) fn quoted(text: &str) -> String {
    // A string is always written.
    serde_json::to_string(text).unwrap_or_default()
}
