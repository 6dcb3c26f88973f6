//! A server that records what reached it, a client that a person sits at, and the ways to connect them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callgate::time::ManualClock;
use callgate::{Engine, MemoryStore, Policy};
use callgate_rmcp::{CurrentReservation, Guard};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rmcp::model::*;
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt as _, NotificationContext, RequestContext, RoleClient, RoleServer,
    RunningService,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::{ClientHandler, ServerHandler, ServiceError};
use serde_json::{Value, json};

/// Nothing that a test waits for takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What reached the server: what was called, with what, in which round.
pub(crate) type Reached = Arc<Mutex<Vec<(String, Value)>>>;

#[derive(Clone, Default)]
pub(crate) struct Bank {
    pub(crate) reached: Reached,
    /// The tools that it lists beside its own.
    pub(crate) more: Arc<Mutex<Vec<String>>>,
}

pub(crate) fn text_of(text: &str) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

fn question(message: &str) -> ElicitRequest {
    let requested_schema = ElicitationSchema::builder().build().unwrap();
    let message = message.to_owned();
    ElicitRequest::new(ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema })
}

/// An answer that asks for input and has this state.
pub(crate) fn asks(state: &str) -> InputRequiredResult {
    let mut requests = InputRequests::new();
    requests.insert("name".to_owned(), InputRequest::Elicitation(question("Which name?")));
    InputRequiredResult::new(Some(requests), Some(state.to_owned()))
}

impl Bank {
    pub(crate) fn reached(&self) -> Vec<String> {
        self.reached.lock().unwrap().iter().map(|(name, _)| name.clone()).collect()
    }

    fn reach(&self, name: &str, with: Value) {
        self.reached.lock().unwrap().push((name.to_owned(), with));
    }
}

impl ServerHandler for Bank {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_resources()
            .enable_prompts()
            .enable_completions();
        ServerConfig::new(capabilities.build())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let more = self.more.lock().unwrap().clone();
        let names = ["pay", "typed", "ask", "settle", "undo", "fail", "elicit", "slow"];
        let names = names.iter().map(|name| (*name).to_owned()).chain(more);
        let tool = |name: String| {
            let mut tool = json!({"name": name, "inputSchema": {"type": "object"}});
            if name == "typed" {
                let properties = json!({"balance": {"type": "number"}});
                tool["outputSchema"] =
                    json!({"type": "object", "properties": properties, "required": ["balance"]});
            }
            serde_json::from_value(tool).unwrap()
        };
        Ok(ListToolsResult::with_all_items(names.map(tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let args = Value::Object(request.arguments.clone().unwrap_or_default());
        let state = request.request_state.clone();
        self.reach(&request.name, json!({"args": args, "state": state, "inputs": request.input_responses}));
        let charges = context.extensions.get::<CurrentReservation>().unwrap();
        match &*request.name {
            "typed" => Ok(CallToolResult::structured(json!({"balance": 3})).into()),
            "ask" => Ok(match state.as_deref() {
                None => asks("one").into(),
                Some("one") => asks("two").into(),
                Some("loop") => asks("loop").into(),
                Some(_) => text_of("asked").into(),
            }),
            "settle" => {
                let amount = callgate::Amount::from_whole(args["cost"].as_i64().unwrap()).unwrap();
                charges.settle(amount).await.unwrap();
                assert!(!charges.is_open().await);
                Ok(text_of("settled").into())
            }
            "undo" => {
                charges.finish(callgate::Outcome::NotRun).await.unwrap();
                Ok(text_of("undone").into())
            }
            "fail" => Err(ErrorData::internal_error("it failed", None)),
            "elicit" => {
                let asked = ServerRequest::ElicitRequest(question("Sure?"));
                Ok(match context.peer.send_request(asked).await {
                    Ok(ClientResult::ElicitResult(answer)) => text_of(&format!("{:?}", answer.action)),
                    Ok(other) => text_of(&format!("{other:?}")),
                    Err(ServiceError::McpError(error)) => {
                        text_of(&format!("{}: {}", error.code.0, error.message))
                    }
                    Err(other) => text_of(&other.to_string()),
                }
                .into())
            }
            "slow" => {
                context.ct.cancelled().await;
                Ok(text_of("late").into())
            }
            _ => Ok(text_of("done").into()),
        }
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let uris = ["file:///notes", "secret:///keys"];
        Ok(ListResourcesResult::with_all_items(uris.iter().map(|uri| Resource::new(*uri, *uri)).collect()))
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompt = |name: &&str| Prompt::new(*name, None::<String>, None);
        Ok(ListPromptsResult::with_all_items(["review", "root"].iter().map(prompt).collect()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.reach(&request.uri, json!({"state": request.request_state}));
        if request.uri == "ask:///name" && request.request_state.is_none() {
            return Ok(asks("read").into());
        }
        Ok(ReadResourceResult::new(vec![ResourceContents::text("text", request.uri)]).into())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.reach(&request.name, json!({}));
        Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, "hello")]).into())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.reach("complete", json!({}));
        Ok(CompleteResult::default())
    }
}

/// A client at which a person answers, always in the same way.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) answers: ElicitationAction,
    pub(crate) elicits: bool,
    pub(crate) version: String,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    pub(crate) progress: Arc<AtomicU32>,
    pub(crate) changed: Arc<AtomicU32>,
}

impl Person {
    pub(crate) fn who(answers: ElicitationAction) -> Self {
        let (asked, progress, changed) = (Arc::default(), Arc::default(), Arc::default());
        Self { answers, elicits: true, version: "1".to_owned(), asked, progress, changed }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(crate) fn changed(&self) -> u32 {
        self.changed.load(Ordering::SeqCst)
    }
}

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder();
        let capabilities =
            if self.elicits { capabilities.enable_elicitation().build() } else { capabilities.build() };
        ClientConfig::new(capabilities, Implementation::new("person", self.version.clone()))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, .. } = request else {
            return Err(ErrorData::invalid_params("a form was expected", None));
        };
        self.asked.lock().unwrap().push(message);
        let answer = ElicitResult::new(self.answers.clone());
        Ok(if self.answers == ElicitationAction::Accept { answer.with_content(json!({})) } else { answer })
    }

    async fn on_progress(&self, _: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.progress.fetch_add(1, Ordering::SeqCst);
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) type Client = RunningService<RoleClient, Person>;

/// How a client and a guard speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Streams,
    StreamsOf2026,
    Http,
    HttpOf2026,
}

impl Over {
    pub(crate) const ALL: [Self; 4] = [Self::Streams, Self::StreamsOf2026, Self::Http, Self::HttpOf2026];

    fn lifecycle(self) -> ClientLifecycleMode {
        match self {
            Self::Streams | Self::Http => ClientLifecycleMode::Initialize,
            Self::StreamsOf2026 | Self::HttpOf2026 => {
                ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
            }
        }
    }

    pub(crate) async fn connect(self, guard: &Guard<Bank>, person: &Person) -> Client {
        let (guard, person) = (guard.clone(), person.clone());
        match self {
            Self::Streams | Self::StreamsOf2026 => {
                let (client, server) = tokio::io::duplex(1 << 16);
                tokio::spawn(async move {
                    if let Ok(running) = guard.serve(server).await {
                        let _ = running.waiting().await;
                    }
                });
                person.serve_with_lifecycle(client, self.lifecycle()).await.unwrap()
            }
            Self::Http | Self::HttpOf2026 => {
                let uri = serve_http(guard).await;
                let transport = StreamableHttpClientTransport::from_uri(uri);
                person.serve_with_lifecycle(transport, self.lifecycle()).await.unwrap()
            }
        }
    }
}

/// Serves a guard over streamable HTTP, and gives its address.
pub(crate) async fn serve_http(guard: Guard<Bank>) -> String {
    let service: StreamableHttpService<_, LocalSessionManager> = StreamableHttpService::new(
        move || Ok(guard.clone().handler()),
        Arc::default(),
        rmcp::transport::streamable_http_server::StreamableHttpServerConfig::default(),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let serving =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving);
        }
    });
    format!("http://{address}/mcp")
}

/// Connects to a guard over HTTP in the generation of 2026-07-28.
pub(crate) async fn connect_to(uri: &str, person: &Person) -> Client {
    let transport = StreamableHttpClientTransport::from_uri(uri.to_owned());
    person.clone().serve_with_lifecycle(transport, Over::HttpOf2026.lifecycle()).await.unwrap()
}

/// An engine whose time stands still, and its counters.
pub(crate) fn engine(policy: &str) -> (Arc<Engine>, Arc<MemoryStore>) {
    let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00.000Z".parse().unwrap()));
    let store = Arc::new(MemoryStore::new());
    let policy = Policy::from_yaml(policy).unwrap();
    (Arc::new(Engine::builder(policy).clock(clock).store(store.clone()).build()), store)
}

fn held(store: &MemoryStore) -> Vec<String> {
    use callgate::store::Inspect as _;
    let mut used = Vec::new();
    let mut show = |held: callgate::store::LiveCounter| used.push(held.used.to_string());
    store.each(callgate::time::Timestamp::MIN, &mut show).unwrap();
    used
}

/// What the only counter holds.
pub(crate) fn used(store: &MemoryStore) -> String {
    let mut used = held(store);
    assert!(used.len() < 2, "{used:?}");
    used.pop().unwrap_or_else(|| "0".to_owned())
}

/// What all counters hold.
pub(crate) fn used_in_all(store: &MemoryStore) -> u64 {
    held(store).iter().map(|used| used.parse::<u64>().unwrap()).sum()
}

pub(crate) fn params(tool: &str, args: &Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool.to_owned()).with_arguments(args.as_object().unwrap().clone())
}

/// One round of a call: what the client sees, as JSON. An error is `{"error": …}`.
pub(crate) async fn once(client: &Client, params: CallToolRequestParams) -> Value {
    let called = client.call_tool_once(params);
    match tokio::time::timeout(PATIENCE, called).await.expect("an answer in time") {
        Ok(CallToolResponse::Complete(result)) => serde_json::to_value(result).unwrap(),
        Ok(CallToolResponse::InputRequired(result)) => serde_json::to_value(result).unwrap(),
        Ok(other) => panic!("{other:?}"),
        Err(ServiceError::McpError(error)) => json!({"error": error}),
        Err(other) => panic!("{other}"),
    }
}

/// A whole call, with all of its rounds.
pub(crate) async fn call(client: &Client, tool: &str, args: Value) -> Value {
    match tokio::time::timeout(PATIENCE, client.call_tool(params(tool, &args)))
        .await
        .expect("an answer in time")
    {
        Ok(result) => serde_json::to_value(result).unwrap(),
        Err(ServiceError::McpError(error)) => json!({"error": error}),
        Err(other) => panic!("{other}"),
    }
}

pub(crate) fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{result}"))
}

pub(crate) fn code(result: &Value) -> &str {
    let meta = result.get("_meta").unwrap_or(&result["error"]["data"]);
    meta["callgate/code"].as_str().unwrap_or_else(|| panic!("{result}"))
}

/// Waits until something is so.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it becomes so in time");
}
