//! The answer to a call that does not run.
//!
//! In: a decision, or that there is none. Out: an MCP result with `isError: true` (spec 10.6), in the client's protocol version.

use callgate::Decision;
use rmcp::model::{CallToolResult, ContentBlock, ProtocolVersion, ServerResult};
use rmcp::service::{RequestContext, RoleServer};

/// The message when the arguments cannot be checked. Details are in the log.
const UNCHECKED: &str = "The call could not be checked against the policy";

/// The result that says why the call does not run.
pub(crate) fn refusal(decision: &Decision<'_>, context: &RequestContext<RoleServer>) -> ServerResult {
    let told = decision.to_mcp_result().and_then(|text| serde_json::from_str(&text).ok());
    told.map_or_else(|| unchecked(context), |result| as_the_client_reads_it(result, context))
}

/// The result of a call that was not decided: its server does not list its tools.
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
