//! A real rmcp server with the tools, resources and prompts of a scenario of `spec/guards`.
//!
//! In: what the scenario offers. Out: a server, and what its handlers did. Must not decide anything: only the handlers are the test's.

pub(crate) mod hosted;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use callgate::Amount;
use callgate_rmcp::CurrentReservation;
use callgate_tests::guards::{self, Change, Does, Scenario, Tool};
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CreateTaskResult, ErrorData,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, InputRequiredResult, ListPromptsResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

/// What happened on the server's side.
#[derive(Default)]
pub(crate) struct Happened {
    pub(crate) ran: BTreeMap<String, u32>,
    /// The call that is being sent: whatever begins now is its.
    pub(crate) sending: u64,
    pub(crate) approvals: BTreeMap<u64, oneshot::Sender<Option<String>>>,
    pub(crate) finishes: BTreeMap<u64, oneshot::Sender<()>>,
    /// Whether the handler that began last waits for the step that lets it go on.
    pub(crate) waits: bool,
    /// Definitions that are others than at the beginning.
    pub(crate) changes: BTreeMap<String, Change>,
    /// States that were given, with the number of each.
    states: BTreeMap<String, u32>,
}

#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Happened>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Happened> {
        self.0.lock().unwrap()
    }
}

/// The server.
pub(crate) struct Server {
    pub(crate) tools: BTreeMap<String, Tool>,
    resources: Vec<String>,
    prompts: Vec<String>,
    pages: usize,
    cache: Map<String, Value>,
    shared: Shared,
}

impl Server {
    pub(crate) fn new(scenario: &mut Scenario, shared: Shared) -> Self {
        Self {
            tools: std::mem::take(&mut scenario.tools),
            resources: std::mem::take(&mut scenario.resources),
            prompts: std::mem::take(&mut scenario.prompts),
            pages: scenario.pages.unwrap_or(usize::MAX),
            cache: std::mem::take(&mut scenario.cache),
            shared,
        }
    }

    /// A page of a list. A cursor is the number of its first item.
    fn page<T: DeserializeOwned>(
        &self,
        member: &str,
        items: Vec<Value>,
        request: Option<PaginatedRequestParams>,
    ) -> Result<T, ErrorData> {
        let first = request.and_then(|request| request.cursor).map_or(0, |cursor| cursor.parse().unwrap());
        let last = items.len().min(self.pages.saturating_add(first));
        let mut page = json!({"resultType": "complete", member: items[first..last]});
        if last < items.len() {
            page["nextCursor"] = last.to_string().into();
        }
        for (name, value) in &self.cache {
            page[name] = value.clone();
        }
        Ok(made(page))
    }

    /// A handler ran.
    fn got(&self, name: &str) {
        *self.shared.lock().ran.entry(name.to_owned()).or_default() += 1;
    }

    /// The question of a tool that asks, as long as it has one.
    fn question(&self, times: u32, state: Option<String>) -> Option<InputRequiredResult> {
        let states = &mut self.shared.lock().states;
        let number = state.and_then(|state| states.get(&state).copied()).unwrap_or(0);
        if number >= times {
            return None;
        }
        let state = format!("state {}", states.len());
        states.insert(state.clone(), number + 1);
        let schema = json!({"type": "object", "properties": {"which": {"type": "string"}}});
        let params = json!({"mode": "form", "message": "Which?", "requestedSchema": schema});
        let which = json!({"which": {"method": "elicitation/create", "params": params}});
        Some(made(json!({"resultType": "input_required", "inputRequests": which, "requestState": state})))
    }

    #[expect(deprecated, reason = "the revision of 2025-11-25 has it, and a policy decides it")]
    async fn sampled(&self, context: &RequestContext<RoleServer>) -> String {
        let message = json!({"role": "user", "content": {"type": "text", "text": "Say something"}});
        let asked = context.peer.create_message(made(json!({"messages": [message], "maxTokens": 10}))).await;
        match asked {
            Ok(sample) => json!(sample)["content"]["text"].as_str().unwrap().to_owned(),
            Err(error) => error.to_string(),
        }
    }

    async fn answer(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let finished = {
            let mut happened = self.shared.lock();
            *happened.ran.entry(request.name.to_string()).or_default() += 1;
            let (sender, finished) = oneshot::channel();
            let call = happened.sending;
            happened.finishes.insert(call, sender);
            happened.waits = matches!(self.tools[&*request.name].does, Does::Wait);
            finished
        };
        let tool = &self.tools[&*request.name];
        let arguments = Value::from(request.arguments.clone());
        let content = vec![ContentBlock::text(arguments.to_string())];
        let mut answer = CallToolResult::success(content.clone());
        answer.structured_content = tool.output.is_some().then_some(arguments.clone());
        match tool.does {
            Does::Answer => Ok(answer.into()),
            Does::ToolError => Ok(CallToolResult::error(content).into()),
            Does::Raise => Err(ErrorData::internal_error("the tool failed", None)),
            Does::ProtocolError => Err(ErrorData::invalid_params("the tool wants something else", None)),
            // The task is made, and runs; rmcp refuses to tell a client of it that did not ask for tasks.
            Does::InvalidResult => {
                let task: CreateTaskResult = made(json!({
                    "resultType": "task", "taskId": "1", "status": "working", "ttlMs": 1000,
                    "createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z",
                }));
                Ok(CallToolResponse::Task(task))
            }
            Does::Wait => {
                let _ = finished.await;
                Ok(answer.into())
            }
            Does::Ask(times) => {
                Ok(self.question(times, request.request_state).map_or_else(|| answer.into(), Into::into))
            }
            Does::Settle => {
                let reservation = context.extensions.get::<CurrentReservation>().unwrap();
                let cost = arguments["cost"].as_i64().and_then(Amount::from_whole).unwrap();
                reservation.settle(cost).await.unwrap();
                Ok(answer.into())
            }
            Does::Sample => {
                let text = ContentBlock::text(self.sampled(&context).await);
                Ok(CallToolResult::success(vec![text]).into())
            }
            // rmcp has no inner calls: a handler calls another one.
            Does::Dispatch => {
                let inner = json!({"name": arguments["name"], "arguments": arguments["arguments"]});
                Box::pin(self.answer(made(inner), context)).await
            }
        }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let can = ServerCapabilities::builder().enable_tools().enable_tool_list_changed().enable_resources();
        ServerConfig::new(can.enable_prompts().build())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let listed = guards::listed(&self.tools, &self.shared.lock().changes);
        self.page("tools", listed, request)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.answer(request, context).await
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resource = |uri: &String| json!({"uri": uri, "name": uri});
        self.page("resources", self.resources.iter().map(resource).collect(), request)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.got(&request.uri);
        let result: ReadResourceResult =
            made(json!({"contents": [{"uri": request.uri, "text": request.uri}]}));
        Ok(result.into())
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        self.page("prompts", self.prompts.iter().map(|name| json!({ "name": name })).collect(), request)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.got(&request.name);
        let content = json!({"type": "text", "text": request.name});
        let result: GetPromptResult = made(json!({"messages": [{"role": "user", "content": content}]}));
        Ok(result.into())
    }
}

/// What rmcp has for this JSON.
fn made<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}
