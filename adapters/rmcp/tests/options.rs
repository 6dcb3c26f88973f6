//! What a host chooses of a guard: its store, what it gives back; and what it cannot choose, to guard a server twice.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test tells by panicking")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use callgate::store::BatchOutcome;
use callgate::store::{AsyncStore, Batch, Settlement, Store, StoreFuture};
use callgate::time::{ManualClock, Timestamp};
use callgate::{Engine, EngineBuilder, MemoryStore, Policy, StoreError};
use callgate_rmcp::Guard;
use rmcp::model::{
    CacheScope, CallToolRequest, CallToolRequestParams, CallToolResponse, CallToolResult, ClientRequest,
    ContentBlock, ErrorCode, ErrorData, ListToolsResult, PaginatedRequestParams, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::{PeerRequestOptions, RequestContext, RoleClient, RoleServer, RunningService, Service};
use rmcp::{ServerHandler, ServiceError, ServiceExt};
use serde_json::json;

const POLICY: &str =
    r#"{version: "1", default: deny, tools: {open: {}, pay: {rules: [{rate_limit: 2/hour}]}}}"#;

/// Counts its calls. `pay` fails by a code of the caller's choice: what a client can provoke.
#[derive(Clone, Default)]
struct Server(Arc<AtomicU32>);

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let code = request.arguments.and_then(|args| args.get("code")?.as_i64());
        match code {
            Some(code) => Err(ErrorData::new(ErrorCode(i32::try_from(code).unwrap()), "no", None)),
            None => Ok(CallToolResult::success(vec![ContentBlock::text("done")]).into()),
        }
    }
}

type Client = RunningService<RoleClient, ()>;

async fn connect<S: Service<RoleServer>>(guard: Guard<S>) -> Client {
    let (client, server) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move { guard.serve(server).await.unwrap().waiting().await });
    ().serve(client).await.unwrap()
}

/// The text of a result, or the message of an error.
async fn call(client: &Client, tool: &'static str, args: serde_json::Value) -> String {
    let params = CallToolRequestParams::new(tool).with_arguments(args.as_object().unwrap().clone());
    match client.call_tool(params).await {
        Ok(result) => {
            serde_json::to_value(result).unwrap()["content"][0]["text"].as_str().unwrap().to_owned()
        }
        Err(ServiceError::McpError(error)) => error.message.into_owned(),
        Err(other) => other.to_string(),
    }
}

const REFUSED: &str = "Rate limit of 2 per hour reached. Try again in 3600 seconds.";

/// Time stands still, so that a message which tells one can be compared.
fn builder() -> EngineBuilder {
    let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00.000Z".parse().unwrap()));
    Engine::builder(Policy::from_yaml(POLICY).unwrap()).clock(clock)
}

fn engine() -> Engine {
    builder().build()
}

#[tokio::test]
async fn only_errors_that_the_host_names_give_charges_back() {
    let server = Server::default();
    let guard = Guard::new(server.clone(), engine())
        .refund_on_error(|params, error| params.name == "pay" && error.code == ErrorCode::INVALID_PARAMS);
    let client = connect(guard).await;
    for _ in 0..5 {
        assert_eq!(call(&client, "pay", json!({"code": ErrorCode::INVALID_PARAMS.0})).await, "no");
    }
    for expected in ["no", "no", REFUSED] {
        assert_eq!(call(&client, "pay", json!({"code": ErrorCode::INTERNAL_ERROR.0})).await, expected);
    }
    assert_eq!(server.0.load(Ordering::SeqCst), 7);
}

/// Lists its tools for everybody.
struct Listing;

impl ServerHandler for Listing {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tool =
            |name| serde_json::from_value(json!({"name": name, "inputSchema": {"type": "object"}})).unwrap();
        let mut list = ListToolsResult::with_all_items(["own", "open", "lab", "unlisted"].map(tool).into());
        list.cache_scope = Some(CacheScope::Public);
        Ok(list)
    }
}

#[tokio::test]
async fn a_list_is_filtered_for_who_asks_and_is_for_nobody_else() {
    let shown = async |list: &str, caller: Option<&str>| {
        let policy = r#"{version: "1", default: deny, list: LIST, tools: {
            own: {require: [{path: identity.id, op: eq, value: alice}]},
            open: {require: [{path: server, op: eq, value: bank}]},
            lab: {require: [{path: server, op: eq, value: lab}]}}}"#;
        let engine = Engine::new(Policy::from_yaml(&policy.replace("LIST", list)).unwrap());
        let caller = caller.map(|id| json!(id));
        let guard = Guard::new(Listing, engine).server_name("bank").identity(move |_| caller.clone());
        let list = connect(guard).await.list_tools(None).await.unwrap();
        let names: Vec<_> = list.tools.iter().map(|tool| tool.name.to_string()).collect();
        (names.join(" "), list.cache_scope)
    };
    assert_eq!(shown("callable", Some("alice")).await, ("own open".to_owned(), Some(CacheScope::Private)));
    assert_eq!(shown("callable", Some("bob")).await, ("open".to_owned(), Some(CacheScope::Private)));
    assert_eq!(shown("callable", None).await, ("open".to_owned(), Some(CacheScope::Private)));
    assert_eq!(shown("all", None).await, ("own open lab unlisted".to_owned(), Some(CacheScope::Public)));
}

#[tokio::test]
async fn one_engine_guards_a_server_once() {
    let (server, engine) = (Server::default(), Arc::new(engine()));
    let twice = Guard::new(Guard::new(server.clone(), engine.clone()), engine.clone());
    let client = connect(twice).await;
    for tool in ["open", "pay"] {
        assert_eq!(call(&client, tool, json!({})).await, "this server is guarded twice by one engine");
    }
    assert_eq!(server.0.load(Ordering::SeqCst), 0);
    // Two policies, one after the other, are a choice.
    let both = Guard::new(Guard::new(server.clone(), engine), self::engine());
    assert_eq!(call(&connect(both).await, "open", json!({})).await, "done");
}

/// A store that blocks until it is told to go on.
struct Blocking {
    counters: MemoryStore,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Store for Blocking {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        let patience = Duration::from_secs(20);
        let told = self.go_on.lock().unwrap().recv_timeout(patience);
        told.map_err(|_| StoreError::transient("the runtime was blocked"))?;
        self.counters.reserve(batch, now)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.counters.peek(batch, now)
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.counters.settle(settlements, now)
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.counters.purge(now)
    }
}

/// While one call waits for a store that blocks, the only thread of the runtime serves others.
#[tokio::test]
async fn a_store_that_blocks_does_not_block_the_runtime() {
    let (sender, receiver) = mpsc::channel();
    let store = Blocking { counters: MemoryStore::new(), go_on: Mutex::new(receiver) };
    let engine = Engine::builder(Policy::from_yaml(POLICY).unwrap()).store(Arc::new(store)).build();
    let client = Arc::new(connect(Guard::new(Server::default(), engine)).await);
    let waiting = client.clone();
    let waiting = tokio::spawn(async move { call(&waiting, "pay", json!({})).await });
    for _ in 0..3 {
        assert_eq!(call(&client, "open", json!({})).await, "done");
    }
    assert!(!waiting.is_finished());
    sender.send(()).unwrap();
    assert_eq!(waiting.await.unwrap(), "done");
}

/// Counters in memory, asked without blocking, while somebody holds them up.
#[derive(Default)]
struct Yielding(MemoryStore, tokio::sync::Mutex<()>);

impl AsyncStore for Yielding {
    fn reserve<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        Box::pin(async move {
            let _held_up = self.1.lock().await;
            self.0.reserve(batch, now)
        })
    }

    fn peek<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        Box::pin(async move { self.0.peek(batch, now) })
    }

    fn settle<'f>(&'f self, settlements: &'f [Settlement<'_>], now: Timestamp) -> StoreFuture<'f, ()> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.settle(settlements, now)
        })
    }

    fn purge<'f>(&'f self, now: Timestamp) -> StoreFuture<'f, usize> {
        Box::pin(async move { self.0.purge(now) })
    }
}

#[tokio::test]
async fn a_store_that_does_not_block_has_the_counters() {
    // Nobody lets the store go on that blocks.
    let (_sender, receiver) = mpsc::channel();
    let blocking = Blocking { counters: MemoryStore::new(), go_on: Mutex::new(receiver) };
    let engine = builder().store(Arc::new(blocking)).async_store(Arc::new(Yielding::default())).build();
    let guard = Guard::new(Server::default(), engine).refund_on_error(|_, error| error.code.0 == -1);
    let client = connect(guard).await;
    for (code, expected) in [(-1, "no"), (-2, "no"), (-1, "no"), (-2, "no"), (-2, REFUSED)] {
        assert_eq!(call(&client, "pay", json!({ "code": code })).await, expected);
    }
}

fn request(tool: &'static str) -> ClientRequest {
    ClientRequest::CallToolRequest(CallToolRequest::new(CallToolRequestParams::new(tool)))
}

/// What never reached the server costs nothing.
#[tokio::test]
async fn a_call_that_ends_while_it_is_charged_costs_nothing() {
    let (server, store) = (Server::default(), Arc::new(Yielding::default()));
    let engine = builder().async_store(store.clone()).build();
    let client = connect(Guard::new(server.clone(), engine)).await;
    for _ in 0..3 {
        let held_up = store.1.lock().await;
        let options = PeerRequestOptions::no_options();
        let waiting = client.send_cancellable_request(request("pay"), options).await.unwrap();
        // The server has begun with the call when it has answered one that came later, and the same for its end.
        assert_eq!(call(&client, "open", json!({})).await, "done");
        waiting.cancel(None).await.unwrap();
        assert_eq!(call(&client, "open", json!({})).await, "done");
        drop(held_up);
    }
    for expected in ["done", "done", REFUSED] {
        assert_eq!(call(&client, "pay", json!({})).await, expected);
    }
    assert_eq!(server.0.load(Ordering::SeqCst), 8);
}

/// Nobody is asked any longer for a call whose server stops.
#[tokio::test]
async fn a_server_that_stops_ends_calls_that_wait() {
    let policy =
        Policy::from_yaml(&POLICY.replace("rate_limit: 2/hour", "action: require_approval")).unwrap();
    let (server, (asked, mut was_asked)) = (Server::default(), tokio::sync::mpsc::unbounded_channel());
    let guard = Guard::new(server.clone(), Engine::new(policy)).on_approval(move |_| {
        let (answer, answered) = tokio::sync::oneshot::channel();
        asked.send(answer).unwrap();
        Box::pin(async move { answered.await.ok().into() })
    });
    let (client, end) = tokio::io::duplex(1 << 16);
    let (running, client) = tokio::join!(guard.serve(end), ().serve(client));
    let (running, client) = (running.unwrap(), client.unwrap());
    let options = PeerRequestOptions::no_options();
    let _waiting = client.send_cancellable_request(request("pay"), options).await.unwrap();
    let mut answer = was_asked.recv().await.unwrap();
    running.cancel().await.unwrap();
    answer.closed().await;
    assert!(answer.send("approval".to_owned()).is_err());
    assert_eq!(server.0.load(Ordering::SeqCst), 0);
}

/// A guard enforces a stack as any policy: what one of its policies stops does not reach the server.
#[tokio::test]
async fn a_stack_of_policies_is_enforced_whole() {
    let base = "{version: '1', name: base, default: deny, hide: [drop], tools: {open: {}, drop: {}, pay: {}, \
                refund: {rules: [{action: deny, on_deny: Not by anybody.}]}}}";
    let team = "{version: '1', name: team, default: deny, tools: {drop: {}, refund: {}, pay: {rules: \
                [{rate_limit: 2/hour}]}}}";
    let stack = Policy::stack([Policy::from_yaml(base).unwrap(), Policy::from_yaml(team).unwrap()]).unwrap();
    let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00.000Z".parse().unwrap()));
    let server = Server::default();
    let guard = Guard::new(server.clone(), Engine::builder(stack).clock(clock).build());
    let client = connect(guard).await;
    assert_eq!(call(&client, "refund", json!({})).await, "Not by anybody.");
    for expected in ["done", "done", REFUSED] {
        assert_eq!(call(&client, "pay", json!({})).await, expected);
    }
    for tool in ["open", "drop"] {
        assert_ne!(call(&client, tool, json!({})).await, "done", "{tool}");
    }
    assert_eq!(server.0.load(Ordering::SeqCst), 2);
}
