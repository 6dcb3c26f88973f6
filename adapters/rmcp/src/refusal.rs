//! The answer to a call that does not run.
//!
//! In: a decision, or that there is none. Out: an MCP result with `isError: true` (spec 10.6), in the client's protocol version.

use std::borrow::Cow;

use callgate::Decision;
use rmcp::model::{CallToolResult, ContentBlock, MetaObject, ProtocolVersion, ServerResult};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;

/// Where in a result's `_meta` the approval key of a call stands that waits for approval.
pub const APPROVAL_KEY: &str = "callgate/approval_key";

/// The message when the arguments cannot be checked. Details are in the log.
const UNCHECKED: &str = "The call could not be checked against the policy";

/// The result that says why the call does not run.
pub(crate) fn refusal(decision: &Decision<'_>, context: &RequestContext<RoleServer>) -> ServerResult {
    let mut text = decision.message().map(Cow::into_owned).unwrap_or_default();
    let key = decision.approval().map(|approval| approval.key());
    if let Some(key) = key {
        text.push_str("\nApproval key: ");
        text.push_str(key);
    }
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    if let Some(key) = key {
        let mut meta = MetaObject::new();
        meta.0.insert(APPROVAL_KEY.to_owned(), Value::String(key.to_owned()));
        result.meta = Some(meta);
    }
    as_the_client_reads_it(result, context)
}

/// The result of a call that was not decided because its server does not list its tools.
pub(crate) fn unchecked(context: &RequestContext<RoleServer>) -> ServerResult {
    as_the_client_reads_it(CallToolResult::error(vec![ContentBlock::text(UNCHECKED)]), context)
}

fn as_the_client_reads_it(result: CallToolResult, context: &RequestContext<RoleServer>) -> ServerResult {
    let mut result = ServerResult::CallToolResult(result);
    let is_legacy = context
        .protocol_version()
        .is_none_or(|version| version.as_str() < ProtocolVersion::V_2026_07_28.as_str());
    if is_legacy {
        result.strip_result_type_for_legacy_peer();
    }
    result
}
