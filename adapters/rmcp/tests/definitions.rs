//! What the guard knows of a server's tools: it asks for all pages of the list, remembers it only where it hears of each change,
//! and lets no call through where the server fails to say.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test tells by panicking")]

use std::sync::{Arc, Mutex};

use callgate::{Engine, Policy};
use callgate_rmcp::Guard;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorCode, ErrorData,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleClient, RoleServer, RunningService};
use rmcp::{ServerHandler, ServiceExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

const POLICY: &str = r#"
version: "1"
default: allow
tools: {pay: {limits: [{counter: calls, window: day, max: 9, scope: [args.amount]}]}}
"#;

/// How a server lists its tools.
#[derive(Clone, Copy, Default, PartialEq)]
enum Lists {
    /// One tool on each page, and nothing said of changes.
    #[default]
    Pages,
    /// The same, and it says that it tells of changes.
    Announces,
    Fails,
    /// It has no such request.
    Never,
    /// Each page has another one after it.
    WithoutEnd,
}

#[derive(Default)]
struct Seen {
    /// Pages that were asked for.
    pages: usize,
    /// Whether the progress of a list was asked for, as rmcp's client does with each request.
    followed: bool,
    /// Calls that ran.
    ran: Vec<String>,
    /// The type of `amount`, as the server has it now.
    amount: Option<&'static str>,
    /// Whether there is a tool `late` by now, whose `amount` is a string.
    late: bool,
}

#[derive(Clone, Default)]
struct Server(Lists, Arc<Mutex<Seen>>);

impl Server {
    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.1.lock().unwrap())
    }

    fn pages(&self) -> usize {
        self.seen(|seen| std::mem::take(&mut seen.pages))
    }
}

fn tool(name: &str, amount: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object", "properties": {"amount": {"type": amount}}}})
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let tools = ServerCapabilities::builder().enable_tools();
        ServerConfig::new(match self.0 {
            Lists::Announces => tools.enable_tool_list_changed().build(),
            _ => tools.build(),
        })
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let (amount, late) = self.seen(|seen| {
            seen.pages = seen.pages.saturating_add(1);
            seen.followed |= context.meta.get_progress_token().is_some();
            (seen.amount.unwrap_or("number"), seen.late)
        });
        let mut pages = vec![tool("first", "string"), tool("pay", amount)];
        pages.extend(late.then(|| tool("late", "string")));
        let page: usize = match request.and_then(|request| request.cursor) {
            None => 0,
            Some(cursor) => cursor.parse().unwrap(),
        };
        let next = page.saturating_add(1);
        let has_next = match self.0 {
            Lists::Fails => return Err(ErrorData::internal_error("no list today", None)),
            Lists::Never => return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "tools/list", None)),
            Lists::WithoutEnd => true,
            Lists::Pages | Lists::Announces => next < pages.len(),
        };
        let tools = pages.get(page).map(|tool| serde_json::from_value(tool.clone()).unwrap());
        let mut listed = ListToolsResult::with_all_items(tools.into_iter().collect());
        listed.next_cursor = has_next.then(|| next.to_string());
        Ok(listed)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name == "change" {
            self.seen(|seen| seen.amount = Some("string"));
            context.peer.notify_tool_list_changed().await.unwrap();
        }
        self.seen(|seen| seen.ran.push(request.name.to_string()));
        Ok(CallToolResult::success(vec![ContentBlock::text("done")]).into())
    }
}

type Client = RunningService<RoleClient, ()>;

fn guard(server: &Server) -> Guard<Server> {
    Guard::new(server.clone(), Engine::new(Policy::from_yaml(POLICY).unwrap()))
}

async fn connect(guard: Guard<Server>) -> Client {
    let (client, server) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move { guard.serve(server).await.unwrap().waiting().await });
    ().serve(client).await.unwrap()
}

async fn call(client: &Client, tool: &'static str, args: Value) -> String {
    let params = CallToolRequestParams::new(tool).with_arguments(args.as_object().unwrap().clone());
    let result = serde_json::to_value(client.call_tool(params).await.unwrap()).unwrap();
    let text = result["content"][0]["text"].as_str().unwrap();
    assert_eq!(result["isError"] == true, text != "done", "{text}");
    text.to_owned()
}

fn refused_for_its_type(text: &str) {
    assert!(text.contains("args.amount is of another type than the tool's schema admits"), "{text}");
}

#[tokio::test]
async fn a_list_that_is_announced_is_remembered_until_it_changes() {
    let server = Server(Lists::Announces, Arc::default());
    let client = connect(guard(&server)).await;
    // The definition is on the second page, and nobody has asked for the list but the guard.
    for _ in 0..3 {
        refused_for_its_type(&call(&client, "pay", json!({"amount": "4"})).await);
    }
    assert_eq!(call(&client, "pay", json!({"amount": 4})).await, "done");
    assert_eq!(server.pages(), 2);
    // A tool that is not listed: it may have come since.
    for _ in 0..2 {
        assert_eq!(call(&client, "change", json!({})).await, "done");
    }
    assert_eq!(server.pages(), 4);
    refused_for_its_type(&call(&client, "pay", json!({"amount": 4})).await);
    assert_eq!(call(&client, "pay", json!({"amount": "4"})).await, "done");
    assert_eq!(server.pages(), 2);
    assert!(!server.seen(|seen| seen.followed), "the guard wants no progress of its own request");
    server.seen(|seen| (seen.late, seen.amount) = (true, Some("boolean")));
    assert_eq!(client.list_all_tools().await.unwrap().len(), 3);
    assert_eq!(server.pages(), 3);
    refused_for_its_type(&call(&client, "pay", json!({"amount": "4"})).await);
    assert_eq!(server.pages(), 3, "what the client was told is asked for again");
}

/// The next connection is another server's, as far as the guard knows.
#[tokio::test]
async fn each_connection_has_a_list_of_its_own() {
    let server = Server(Lists::Announces, Arc::default());
    let guard = guard(&server);
    let first = connect(guard.clone()).await;
    refused_for_its_type(&call(&first, "pay", json!({"amount": "4"})).await);
    server.seen(|seen| seen.amount = Some("string"));
    refused_for_its_type(&call(&connect(guard).await, "pay", json!({"amount": 4})).await);
    refused_for_its_type(&call(&first, "pay", json!({"amount": "4"})).await);
}

#[tokio::test]
async fn a_list_whose_changes_pass_elsewhere_is_asked_for_with_each_call() {
    let unannounced = Server::default();
    let client = connect(guard(&unannounced)).await;
    // Served by rmcp itself: the guard does not see what the server tells the client.
    let unwatched = Server(Lists::Announces, Arc::default());
    let (end, other) = tokio::io::duplex(1 << 16);
    let guard = guard(&unwatched);
    tokio::spawn(async move { ServiceExt::serve(guard, other).await.unwrap().waiting().await });
    for (server, client) in [(unannounced, client), (unwatched, ().serve(end).await.unwrap())] {
        refused_for_its_type(&call(&client, "pay", json!({"amount": "4"})).await);
        server.seen(|seen| seen.amount = Some("string"));
        refused_for_its_type(&call(&client, "pay", json!({"amount": 4})).await);
        assert_eq!(call(&client, "pay", json!({"amount": "4"})).await, "done");
        assert_eq!(server.pages(), 6);
    }
}

/// Without `initialize`, a client hears of changes only if it subscribed to them.
#[tokio::test]
async fn a_session_without_initialize_has_its_list_asked_for_with_each_call() {
    let server = Server(Lists::Announces, Arc::default());
    let guard = guard(&server);
    let (client, end) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move { guard.serve(end).await.unwrap().waiting().await });
    let (from, mut to) = tokio::io::split(client);
    let mut from = BufReader::new(from).lines();
    for (id, amount) in [(1, json!("4")), (2, json!(4))] {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "progressToken": id,
        });
        let params = json!({"name": "pay", "arguments": {"amount": amount}, "_meta": meta});
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        to.write_all(format!("{call}\n").as_bytes()).await.unwrap();
        let answer: Value = serde_json::from_str(&from.next_line().await.unwrap().unwrap()).unwrap();
        assert_eq!(answer["id"], id);
        refused_for_its_type(answer["result"]["content"][0]["text"].as_str().unwrap_or_default());
        server.seen(|seen| seen.amount = Some("string"));
    }
}

#[tokio::test]
async fn a_server_that_fails_to_list_its_tools_gets_no_call() {
    for lists in [Lists::Fails, Lists::WithoutEnd] {
        let server = Server(lists, Arc::default());
        let client = connect(guard(&server)).await;
        for tool in ["pay", "other"] {
            let told = call(&client, tool, json!({"amount": 4})).await;
            assert_eq!(told, "The call could not be checked against the policy");
        }
        assert!(server.seen(|seen| seen.ran.is_empty()));
    }
}

#[tokio::test]
async fn a_server_without_a_list_has_only_its_members_checked() {
    let client = connect(guard(&Server(Lists::Never, Arc::default()))).await;
    assert_eq!(call(&client, "pay", json!({"amount": 4})).await, "done");
    let told = call(&client, "pay", json!({"Amount": 9})).await;
    assert!(told.contains("some servers take a member of another name for args.amount"), "{told}");
}

#[tokio::test]
async fn a_host_that_wants_no_checks_has_nothing_asked() {
    let server = Server(Lists::Fails, Arc::default());
    let client = connect(guard(&server).check_args(false)).await;
    for args in [json!({"amount": 4}), json!({"amount": 4, "Amount": 9})] {
        assert_eq!(call(&client, "pay", args).await, "done");
    }
    assert_eq!(server.pages(), 0);
}
