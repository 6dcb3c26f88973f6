//! Requests of other methods than `tools/call`, of the client and of the server (spec 3.10, G10).
//!
//! In: a request. Out: its method and params as policies read them, or what becomes of it. Must not decide.

use std::sync::Arc;

use callgate::{Decision, MCP_DENIED, Outcome};
use rmcp::model::{
    ClientRequest, ErrorCode, ErrorData, InputRequest, InputRequests, InputResponses, ServerRequest,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::call::{Asked, Called, Caller};
use crate::ending::Charges;
use crate::refusal::unchecked_error;

/// Members of params that are the protocol's, not the method's.
const PROTOCOL: [&str; 3] = ["_meta", "inputResponses", "requestState"];

/// What becomes of a request of the server.
pub(crate) enum Judged {
    Allowed(Charges),
    Denied(ErrorData),
}

/// The params of a request, as policies read them.
pub(crate) fn params(request: &impl Serialize) -> Option<Value> {
    let mut params = match serde_json::to_value(request).ok()? {
        Value::Object(mut request) => match request.remove("params") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(params)) => params,
            // No object, which denies.
            Some(other) => return Some(other),
        },
        _ => return None,
    };
    params.retain(|name, _| !PROTOCOL.contains(&name.as_str()));
    Some(Value::Object(params))
}

/// The state and the answers that a later round of a request brings, where its method has rounds.
pub(crate) fn round_of(
    request: &mut ClientRequest,
) -> Option<(&mut Option<String>, &mut Option<InputResponses>)> {
    Some(match request {
        ClientRequest::CallToolRequest(request) => {
            (&mut request.params.request_state, &mut request.params.input_responses)
        }
        ClientRequest::GetPromptRequest(request) => {
            (&mut request.params.request_state, &mut request.params.input_responses)
        }
        ClientRequest::ReadResourceRequest(request) => {
            (&mut request.params.request_state, &mut request.params.input_responses)
        }
        _ => return None,
    })
}

/// Decides a request of the server, before the client sees it. Nobody is asked to approve it.
pub(crate) async fn judge_of_server(
    request: &ServerRequest,
    caller: &Caller,
    server: Option<Arc<str>>,
) -> Judged {
    judge(method_of_server(request), params(request), caller, server).await
}

async fn judge(method: &str, params: Option<Value>, caller: &Caller, server: Option<Arc<str>>) -> Judged {
    let Some(args) = params else { return Judged::Denied(unchecked_error()) };
    let asked = Asked {
        called: Called::Method(method.to_owned()),
        args: Some(args),
        identity: caller.identity.clone(),
        server,
        check: Some(callgate::ArgsCheck::new()),
    };
    match Arc::new(asked).decide(&caller.engine, None).await {
        Ok(decision) if decision.allowed() => {
            Judged::Allowed(Charges::new(&caller.engine, decision.take_reservation()))
        }
        Ok(decision) => Judged::Denied(denied(&decision)),
        Err(_) => Judged::Denied(unchecked_error()),
    }
}

/// Decides what an answer asks the client for: all of it, or none. What a denial charged before it is given back.
pub(crate) async fn judge_inputs(
    inputs: &InputRequests,
    caller: &Caller,
    server: Option<&Arc<str>>,
) -> Result<(), ErrorData> {
    let policy = caller.engine.policy();
    let mut allowed = Vec::new();
    for input in inputs.values() {
        let method = method_of(input);
        if !policy.decides_request(method) {
            continue;
        }
        match judge(method, params(input), caller, server.cloned()).await {
            Judged::Allowed(charges) => allowed.push(charges),
            Judged::Denied(error) => {
                for mut charges in allowed {
                    charges.finish(Outcome::NotRun).await;
                }
                return Err(error);
            }
        }
    }
    for mut charges in allowed {
        charges.finish(Outcome::Done).await;
    }
    Ok(())
}

/// The method of a server's request.
pub(crate) fn method_of_server(request: &ServerRequest) -> &str {
    match request {
        ServerRequest::PingRequest(_) => "ping",
        ServerRequest::CreateMessageRequest(_) => "sampling/createMessage",
        ServerRequest::ListRootsRequest(_) => "roots/list",
        ServerRequest::ElicitRequest(_) => "elicitation/create",
        ServerRequest::CustomRequest(request) => &request.method,
        // A method that begins with `tools/` is denied.
        _ => "tools/unknown",
    }
}

fn method_of(input: &InputRequest) -> &'static str {
    match input {
        InputRequest::CreateMessage(_) => "sampling/createMessage",
        InputRequest::Elicitation(_) => "elicitation/create",
        InputRequest::ListRoots(_) => "roots/list",
        // A method that begins with `tools/` is denied.
        _ => "tools/unknown",
    }
}

/// The error for a request that the policy denies (spec 10.6).
fn denied(decision: &Decision<'_>) -> ErrorData {
    let message = decision.message().unwrap_or_default().into_owned();
    let meta = decision.to_mcp_meta().and_then(|meta| serde_json::from_str(&meta).ok());
    ErrorData::new(ErrorCode(MCP_DENIED), message, meta)
}
