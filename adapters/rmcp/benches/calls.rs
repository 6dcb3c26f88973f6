//! What a guard adds to a call: rmcp's client and server over a pair of streams, on one thread, with a guard and without.

#![expect(clippy::unwrap_used, reason = "a bench may fail by panicking")]

use std::time::Duration;

use callgate::{Engine, Policy};
use callgate_benches::{Role, Turns};
use callgate_rmcp::Guard;
use rmcp::model::*;
use rmcp::service::{RequestContext, RoleClient, RoleServer, RunningService};
use rmcp::{ServerHandler, ServiceExt as _};
use serde_json::json;
use tokio::runtime::Runtime;

#[derive(Clone)]
struct Server;

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema =
            json!({"type": "object", "properties": {"path": {"type": "string"}, "text": {"type": "string"}}});
        let tool = json!({"name": "write", "inputSchema": schema});
        Ok(ListToolsResult::with_all_items(vec![serde_json::from_value(tool).unwrap()]))
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        Ok(CallToolResult::success(vec![ContentBlock::text("written")]).into())
    }
}

type Client = RunningService<RoleClient, ()>;

async fn alone() -> Client {
    let (client, server) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move { Server.serve(server).await.unwrap().waiting().await });
    ().serve(client).await.unwrap()
}

async fn guarded(policy: &str, checks: bool) -> Client {
    let engine = Engine::new(Policy::from_yaml(policy).unwrap());
    let guard = Guard::new(Server, engine).check_args(checks);
    let (client, server) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move { guard.serve(server).await.unwrap().waiting().await });
    ().serve(client).await.unwrap()
}

/// A call with 1 KiB of arguments.
fn call(runtime: &Runtime, client: &Client) -> CallToolResult {
    let arguments = json!({"path": "/data/notes.txt", "text": "a line of text ".repeat(65)});
    let params = CallToolRequestParams::new("write").with_arguments(arguments.as_object().unwrap().clone());
    let result = runtime.block_on(client.call_tool(params)).unwrap();
    assert_ne!(result.is_error, Some(true));
    result
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plain = "{version: '1', default: deny, tools: {write: {}}}";
    let reads = "{version: '1', default: deny, tools: {write: {require: [{path: args.path, op: within, value: /data}]}}}";
    let counts = "{version: '1', default: deny, tools: {write: {rules: [{rate_limit: 1000000000/hour}]}}}";
    let case = "a call over rmcp";
    let mut turns = Turns::new("rmcp", 200).turn(Duration::from_millis(4));
    for (role, name, client) in [
        (Role::Floor, "the server alone", runtime.block_on(alone())),
        (Role::Ours, "guarded, a tool that is listed", runtime.block_on(guarded(plain, true))),
        (Role::Ours, "guarded, a rule that reads an argument", runtime.block_on(guarded(reads, true))),
        (Role::Ours, "guarded, a limit in memory", runtime.block_on(guarded(counts, true))),
        (Role::Ours, "guarded, a limit, arguments not checked", runtime.block_on(guarded(counts, false))),
    ] {
        let runtime = &runtime;
        turns.add(role, case, name, move || call(runtime, &client));
    }
    turns.measure();
}
