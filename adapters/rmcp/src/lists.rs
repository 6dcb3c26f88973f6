//! Lists on their way to the client (spec 10.9, G4).
//!
//! In: the server's answer. Out: the same without what this caller may not see, for no cache that others share. Must not change the rest.

use std::sync::Arc;

use callgate::Call;
use rmcp::model::{CacheScope, ClientRequest, ServerResult};
use serde_json::{Value, json};

use crate::call::{Caller, identity_of};
use crate::mistake;
use crate::seen::shows;

/// For how long a client may keep a list that was filtered, in milliseconds: a reload is seen then.
const KEPT: u64 = 60_000;

/// Whether the request asks for a list that may be filtered.
pub(crate) const fn is_list(request: &ClientRequest) -> bool {
    matches!(
        request,
        ClientRequest::ListToolsRequest(_)
            | ClientRequest::ListResourcesRequest(_)
            | ClientRequest::ListResourceTemplatesRequest(_)
            | ClientRequest::ListPromptsRequest(_)
    )
}

/// Leaves out what the caller may not see. `left_out` says that something was left out already.
pub(crate) fn filter(
    result: &mut ServerResult,
    caller: &Caller,
    server: Option<&Arc<str>>,
    is_modern: bool,
    left_out: bool,
) {
    if mistake::is_on("list_unfiltered") {
        return;
    }
    let policy = caller.engine.policy();
    let decides = policy.decides_request("resources/read") || policy.decides_request("prompts/get");
    let may = |method: &str, params: Value| {
        let call = Call::request(method, &params).identity(identity_of(caller.identity.as_ref()));
        policy.shows_request(&match server {
            Some(server) => call.server(server),
            None => call,
        })
    };
    let (before, after, ttl, scope, by_caller) = match result {
        ServerResult::ListToolsResult(list) => {
            let before = list.tools.len();
            list.tools.retain(|tool| shows(caller, server, &tool.name));
            let by_caller = policy.lists_by_caller() || left_out;
            (before, list.tools.len(), &mut list.ttl_ms, &mut list.cache_scope, by_caller)
        }
        // What may be read can depend on who asks.
        ServerResult::ListResourcesResult(list) if decides => {
            let before = list.resources.len();
            list.resources.retain(|one| may("resources/read", json!({"uri": one.uri})));
            (before, list.resources.len(), &mut list.ttl_ms, &mut list.cache_scope, true)
        }
        ServerResult::ListResourceTemplatesResult(list) if decides => {
            let before = list.resource_templates.len();
            // Which resource it is for is open.
            list.resource_templates.retain(|_| may("resources/read", json!({})));
            (before, list.resource_templates.len(), &mut list.ttl_ms, &mut list.cache_scope, true)
        }
        ServerResult::ListPromptsResult(list) if decides => {
            let before = list.prompts.len();
            list.prompts.retain(|one| may("prompts/get", json!({"name": one.name})));
            (before, list.prompts.len(), &mut list.ttl_ms, &mut list.cache_scope, true)
        }
        _ => return,
    };
    // A list that says nothing of caches is kept by nobody before 2026-07-28.
    let may_be_kept = is_modern || ttl.is_some() || scope.is_some();
    if may_be_kept && (by_caller || after < before) {
        *scope = Some(CacheScope::Private);
        *ttl = ttl.map(|ttl| ttl.min(KEPT));
    }
}
