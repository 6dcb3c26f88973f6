//! The answer to a call that does not run.
//!
//! In: a decision, or why there is none. Out: what the client gets (spec 10.6, G1.4): an MCP result with `isError: true`, for another
//! method an error. Must not show an argument's value, or the text of a failure.

use callgate::{Decision, MCP_DENIED};
use rmcp::model::{CallToolResult, ContentBlock, ErrorCode, ErrorData, ProtocolVersion, ServerResult};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value, json};

use crate::call::Called;

/// The message when a call cannot be decided. Details are in the log.
const UNCHECKED: &str = "The call could not be checked against the policy";

/// Why a call cannot be decided, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unchecked(pub(crate) String);

/// What else the caller is told: where the call stands that was filed for a person (spec 7.9).
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) id: Option<String>,
    pub(crate) words: Option<String>,
}

/// The answer that says why the call does not run.
pub(crate) fn refusal(
    decision: &Decision<'_>,
    told: &Told,
    called: &Called,
    context: &RequestContext<RoleServer>,
) -> Result<ServerResult, ErrorData> {
    let mut meta: Map<String, Value> =
        decision.to_mcp_meta().and_then(|meta| serde_json::from_str(&meta).ok()).unwrap_or_default();
    if let Some(id) = &told.id {
        meta.insert("callgate/approval_id".to_owned(), json!(id));
    }
    if let Called::Method(_) = called {
        let message = decision.message().unwrap_or_default().into_owned();
        let message =
            [Some(message), told.words.clone()].into_iter().flatten().collect::<Vec<_>>().join("\n");
        return Err(ErrorData::new(ErrorCode(MCP_DENIED), message, Some(Value::Object(meta))));
    }
    let result = decision.to_mcp_result().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let text = result.as_ref().and_then(|result| result.pointer("/content/0/text")).and_then(Value::as_str);
    let Some(text) = text else { return unchecked(called, context) };
    let text = [Some(text), told.words.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("\n");
    let result = json!({"content": [{"type": "text", "text": text}], "isError": true, "_meta": meta});
    match serde_json::from_value(result) {
        Ok(result) => Ok(as_the_client_reads_it(result, context)),
        Err(_) => unchecked(called, context),
    }
}

/// The answer to a call that was not decided.
pub(crate) fn unchecked(
    called: &Called,
    context: &RequestContext<RoleServer>,
) -> Result<ServerResult, ErrorData> {
    match called {
        Called::Tool(_) => {
            let result = CallToolResult::error(vec![ContentBlock::text(UNCHECKED)]);
            Ok(as_the_client_reads_it(result, context))
        }
        Called::Method(_) => Err(unchecked_error()),
    }
}

/// The error to a request that was not decided.
pub(crate) fn unchecked_error() -> ErrorData {
    ErrorData::internal_error(UNCHECKED, None)
}

/// Whether the client speaks the generation of 2026-07-28, or a later one.
pub(crate) fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// With what the client's revision wants of a result.
pub(crate) fn as_the_client_reads_it(
    mut result: CallToolResult,
    context: &RequestContext<RoleServer>,
) -> ServerResult {
    result.result_type = is_modern(context).then_some(rmcp::model::ResultType::COMPLETE);
    ServerResult::CallToolResult(result)
}
