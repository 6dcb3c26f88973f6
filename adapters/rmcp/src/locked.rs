//! Tools that are not as they were approved (G13).
//!
//! In: the server's own answers to `tools/list`. Out: whether a call may run, and lists without such tools. Must not take a tool for approved that the
//! server does not list now.

use std::collections::HashMap;

use callgate::lock::{OnDrift, Pins, changed_message, changed_meta};
use rmcp::model::{CallToolResult, ServerResult, Tool};
use rmcp::service::{RequestContext, RoleServer, Service};
use serde_json::json;

use crate::definitions::tools;
use crate::mistake;
use crate::refusal::{Unchecked, as_the_client_reads_it};

/// Whether the only tool of this name, as the server lists it to this caller, is as it was approved.
///
/// # Errors
/// Why the server's list is missing.
pub(crate) async fn is_approved(
    tool: &str,
    pins: &Pins,
    server: &impl Service<RoleServer>,
    context: &RequestContext<RoleServer>,
) -> Result<bool, Unchecked> {
    if mistake::is_on("lock_ignored") {
        return Ok(true);
    }
    let listed = tools(server, context).await.map_err(Unchecked)?;
    let mut of_name = listed.iter().filter(|listed| listed.name == tool);
    Ok(match (of_name.next(), of_name.next()) {
        (Some(listed), None) => admits(pins, listed),
        _ => false,
    })
}

/// Leaves out what is not as it was approved, where that is to be hidden; whether something was.
pub(crate) fn filter(result: &mut ServerResult, (pins, on_drift): &(Pins, OnDrift)) -> bool {
    let ServerResult::ListToolsResult(list) = result else { return false };
    if *on_drift == OnDrift::Deny || mistake::is_on("lock_lists") {
        return false;
    }
    let mut count: HashMap<String, usize> = HashMap::new();
    for tool in &list.tools {
        let count = count.entry(tool.name.clone().into_owned()).or_default();
        *count = count.saturating_add(1);
    }
    let before = list.tools.len();
    list.tools.retain(|tool| count.get(&*tool.name) == Some(&1) && admits(pins, tool));
    list.tools.len() < before
}

fn admits(pins: &Pins, tool: &Tool) -> bool {
    serde_json::to_string(tool).is_ok_and(|text| pins.admits(&text))
}

/// What the client is told.
pub(crate) fn refusal(tool: &str, context: &RequestContext<RoleServer>) -> Option<ServerResult> {
    let meta: serde_json::Value = serde_json::from_str(&changed_meta()).ok()?;
    let content = [json!({"type": "text", "text": changed_message(tool)})];
    let result = json!({"content": content, "isError": true, "_meta": meta});
    let result: CallToolResult = serde_json::from_value(result).ok()?;
    Some(as_the_client_reads_it(result, context))
}
