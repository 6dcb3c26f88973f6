//! Messages that the relay writes itself.

use std::fmt::Write as _;

use callgate::lock::{changed_message, changed_meta, changed_result};
use callgate::{Decision, MCP_DENIED};
use serde_json::{Map, Value, json};

use crate::machine::{Called, Refusal, Running};
use crate::mistake::{Mistake::*, is_made};

/// Tells a client that the list of tools changed, on the stream of the request with this id, if it has one.
pub(crate) fn list_changed(id: Option<&str>) -> String {
    let params =
        id.map(|id| format!(r#","params":{{"_meta":{{"{SUBSCRIPTION}":{id}}}}}"#)).unwrap_or_default();
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed"{params}}}"#)
}

/// The member of `_meta` that names the request on whose stream a notification is.
pub(crate) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

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
    /// A text that is no decision's, without data.
    pub fn new(text: &str) -> Self {
        let result = format!(r#"{{"content":[{{"type":"text","text":{}}}],"isError":true}}"#, quoted(text));
        Self { result, message: text.to_owned(), data: None }
    }

    /// The same with words behind the message, on a line of their own, and members more in the data.
    pub fn and(self, words: &str, more: &[(&str, &str)]) -> Self {
        let message = format!("{}\n{words}", self.message);
        let mut meta: Map<String, Value> =
            self.data.as_deref().and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
        meta.extend(more.iter().map(|(name, text)| ((*name).to_owned(), Value::from(*text))));
        let result = json!({"content": [{"type": "text", "text": message}], "isError": true, "_meta": meta});
        Self { result: result.to_string(), message, data: Some(Value::Object(meta).to_string()) }
    }

    /// What a caller is told whose tool is not as it was approved (guards G13.3).
    pub fn changed(tool: &str) -> Self {
        Self { result: changed_result(tool), message: changed_message(tool), data: Some(changed_meta()) }
    }

    /// What a caller is told whose call was not decided.
    pub fn unchecked() -> Self {
        Self::new(UNCHECKED)
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
    if (call.task && !is_made(TaskGetsResult))
        || (!matches!(call.called, Called::Tool(_)) && !is_made(RequestGetsResult))
    {
        // The result of a task or of another method is no tool's result, so that it could not say why.
        return error(Some(&call.id_text), MCP_DENIED, &refusal.message, refusal.data.as_deref());
    }
    match (call.modern && !is_made(ResultWithoutType), refusal.result.strip_suffix('}')) {
        (true, Some(open)) => result(&call.id_text, &format!(r#"{open},"resultType":"complete"}}"#)),
        _ => result(&call.id_text, &refusal.result),
    }
}

pub(crate) fn quoted(text: &str) -> String {
    // A string is always written.
    serde_json::to_string(text).unwrap_or_default()
}
