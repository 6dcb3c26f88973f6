//! The scenarios of `spec/guards`, in front of a real rmcp server. The client is the wire itself, so that every message is the
//! scenario's own.
//!
//! Time stands still while anything can still happen, threads for blocking calls included: so a test waits until all is at rest,
//! not for a time.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test tells by panicking"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use callgate::store::{Inspect as _, Owner};
use callgate::time::{ManualClock, Timestamp};
use callgate::{ArgsCheck, Call, Engine, Identity, InputSchema, MemoryStore, Policy};
use callgate_rmcp::Guard;
use callgate_tests::guards::{self, Does, Scenario, Step, Tool};
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CreateTaskResult, ErrorData,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio::sync::oneshot;

/// What this guard is called in the scenarios.
const GUARD: &str = "rmcp";

/// What happened on the server's side.
#[derive(Default)]
struct Happened {
    ran: BTreeMap<String, u32>,
    /// The call that is being sent: whatever begins now is its.
    sending: u64,
    approvals: BTreeMap<u64, oneshot::Sender<Option<String>>>,
    finishes: BTreeMap<u64, oneshot::Sender<()>>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Happened>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Happened> {
        self.0.lock().unwrap()
    }
}

/// A server with the tools of a scenario.
struct Server {
    tools: BTreeMap<String, Tool>,
    shared: Shared,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tool = |(name, tool): (&String, &Tool)| {
            let schema = tool.input.clone().unwrap_or_else(|| json!({"type": "object"}));
            serde_json::from_value(json!({"name": name, "inputSchema": schema})).unwrap()
        };
        Ok(ListToolsResult::with_all_items(self.tools.iter().map(tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let finished = {
            let mut happened = self.shared.lock();
            *happened.ran.entry(request.name.to_string()).or_default() += 1;
            let (sender, finished) = oneshot::channel();
            let call = happened.sending;
            happened.finishes.insert(call, sender);
            finished
        };
        let content = vec![ContentBlock::text(Value::from(request.arguments).to_string())];
        match self.tools[&*request.name].does {
            Does::Answer => Ok(CallToolResult::success(content).into()),
            Does::ToolError => Ok(CallToolResult::error(content).into()),
            Does::Raise => Err(ErrorData::internal_error("the tool failed", None)),
            Does::ProtocolError => Err(ErrorData::invalid_params("the tool wants something else", None)),
            // The task is made, and runs; rmcp refuses to tell a client of it that did not ask for tasks.
            Does::InvalidResult => {
                let task: CreateTaskResult = serde_json::from_value(json!({
                    "resultType": "task", "taskId": "1", "status": "working", "ttlMs": 1000,
                    "createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z",
                }))
                .unwrap();
                Ok(CallToolResponse::Task(task))
            }
            Does::Wait => {
                let _ = finished.await;
                Ok(CallToolResult::success(content).into())
            }
        }
    }
}

/// The client's end of a connection.
struct Wire {
    to: WriteHalf<DuplexStream>,
    from: Lines<BufReader<ReadHalf<DuplexStream>>>,
}

struct Made {
    id: u64,
    tool: String,
    arguments: Option<Value>,
}

struct Run {
    engine: Arc<Engine>,
    store: Arc<MemoryStore>,
    guard: Guard<Arc<Server>>,
    /// Whose definitions are checked against.
    server: Option<Arc<Server>>,
    identity: Option<Value>,
    server_name: Option<String>,
    shared: Shared,
    wire: Option<Wire>,
    /// Answers on this connection, by the id of their call.
    answers: BTreeMap<u64, Value>,
    calls: BTreeMap<String, Made>,
    ids: u64,
}

/// All that is under way has come to rest.
async fn rest() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

impl Run {
    fn new(scenario: Scenario) -> Self {
        let store = Arc::new(MemoryStore::new());
        let policy = Policy::from_yaml(&scenario.policy()).unwrap();
        // Time stands still for counters, too, so that a message which tells one can be compared.
        let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00.000Z".parse().unwrap()));
        let engine = Arc::new(Engine::builder(policy).clock(clock).store(store.clone()).build());
        let shared = Shared::default();
        let server = Arc::new(Server { tools: scenario.tools, shared: shared.clone() });
        let mut guard = Guard::new(server.clone(), engine.clone());
        let mut checks = true;
        let mut server_name = None;
        for (option, value) in scenario.options {
            if option == "server_name" {
                let name = value.as_str().unwrap().to_owned();
                guard = guard.server_name(&name);
                server_name = Some(name);
            } else {
                assert_eq!(option, "check_args", "this guard has no such option");
                checks = value.as_bool().unwrap();
                guard = guard.check_args(checks);
            }
        }
        let identity = scenario.identity.clone();
        if let Some(caller) = scenario.identity {
            guard = guard.identity(move |_| Some(caller.clone()));
        }
        if scenario.approvals {
            let shared = shared.clone();
            guard = guard.on_approval(move |_| {
                let (sender, approval) = oneshot::channel();
                let mut happened = shared.lock();
                let call = happened.sending;
                happened.approvals.insert(call, sender);
                Box::pin(async move { approval.await.unwrap_or_default() })
            });
        }
        Self {
            engine,
            store,
            guard,
            server: checks.then_some(server),
            identity,
            server_name,
            shared,
            wire: None,
            answers: BTreeMap::new(),
            calls: BTreeMap::new(),
            ids: 0,
        }
    }

    async fn connect(&mut self) {
        let (client, server) = tokio::io::duplex(1 << 20);
        let guard = self.guard.clone();
        tokio::spawn(async move {
            if let Ok(running) = guard.serve(server).await {
                let _ = running.waiting().await;
            }
        });
        let (from, to) = tokio::io::split(client);
        self.wire = Some(Wire { to, from: BufReader::new(from).lines() });
        self.answers.clear();
        let client = json!({"name": "scenario", "version": "1"});
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
        self.request("initialize", params).await;
        self.send(json!({"method": "notifications/initialized"})).await;
    }

    async fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = "2.0".into();
        let wire = self.wire.as_mut().expect("there is a connection");
        wire.to.write_all(format!("{message}\n").as_bytes()).await.unwrap();
        self.receive().await;
    }

    /// Reads what has come, until nothing more does.
    async fn receive(&mut self) {
        rest().await;
        let Some(wire) = &mut self.wire else { return };
        while let Ok(line) = tokio::time::timeout(Duration::from_millis(1), wire.from.next_line()).await {
            let Some(line) = line.unwrap() else { break };
            let message: Value = serde_json::from_str(&line).unwrap();
            if let Some(id) = message["id"].as_u64().filter(|_| message.get("method").is_none()) {
                assert!(self.answers.insert(id, message).is_none(), "one call was answered twice");
            }
        }
    }

    async fn request(&mut self, method: &str, params: Value) -> u64 {
        self.ids += 1;
        self.shared.lock().sending = self.ids;
        self.send(json!({"id": self.ids, "method": method, "params": params})).await;
        self.ids
    }

    async fn call(&mut self, tool: &str, step: &Step) -> Made {
        let mut params = json!({ "name": tool });
        if let Some(arguments) = &step.arguments {
            params["arguments"] = arguments.clone();
        }
        if let Some(task) = &step.task {
            params["task"] = task.clone();
        }
        let id = self.request("tools/call", params).await;
        Made { id, tool: tool.to_owned(), arguments: step.arguments.clone() }
    }

    async fn step(&mut self, step: &Step) {
        if step.connect == Some(true) {
            self.connect().await;
        } else if step.disconnect == Some(true) {
            self.wire = None;
        } else if let (Some(tool), Some(name)) = (&step.call, &step.named) {
            let made = self.call(tool, step).await;
            self.calls.insert(name.clone(), made);
        } else if let Some(tool) = &step.call {
            for _ in 0..step.times.unwrap_or(1) {
                let made = self.call(tool, step).await;
                self.expect(&made, step);
            }
        } else if let Some(name) = &step.approve {
            let id = self.calls[name].id;
            let _ = self.shared.lock().approvals.remove(&id).unwrap().send(Some(format!("approval of {id}")));
        } else if let Some(name) = &step.refuse {
            let id = self.calls[name].id;
            let _ = self.shared.lock().approvals.remove(&id).unwrap().send(None);
        } else if let Some(name) = &step.finish {
            let id = self.calls[name].id;
            let _ = self.shared.lock().finishes.remove(&id).unwrap().send(());
        } else if let Some(name) = &step.cancel {
            let id = self.calls[name].id;
            self.send(json!({"method": "notifications/cancelled", "params": {"requestId": id}})).await;
        }
        self.receive().await;
        if let Some(name) = &step.answer {
            self.expect(&self.calls[name], step);
        }
        if let Some(listed) = &step.listed {
            let id = self.request("tools/list", json!({})).await;
            let tools = self.answers[&id]["result"]["tools"].as_array().unwrap();
            let mut names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
            names.sort_unstable();
            assert_eq!(names, *listed);
        }
        for (tool, times) in step.ran.iter().flatten() {
            assert_eq!(
                self.shared.lock().ran.get(tool).copied().unwrap_or(0),
                *times,
                "how often {tool} ran"
            );
        }
        for (tool, amount) in step.used.iter().flatten() {
            assert_eq!(self.used(tool), *amount, "the counter of {tool}");
        }
    }

    fn expect(&self, made: &Made, step: &Step) {
        let answer = self.answers.get(&made.id);
        let expected = step.expect.as_deref().unwrap();
        if expected == "none" {
            return assert_eq!(answer, None);
        }
        let answer = answer.expect("there is no answer");
        let error = answer["error"]["message"].as_str();
        let told = answer["result"]["content"][0]["text"].as_str().or(error).unwrap();
        assert!(told.contains(step.text.as_deref().unwrap_or_default()), "{told}");
        if expected == "error" {
            return assert!(error.is_some(), "{answer}");
        }
        assert!(error.is_none(), "{answer}");
        let is_error = answer["result"]["isError"] == true;
        if ["result", "tool_error"].contains(&expected) {
            return assert_eq!(is_error, expected == "tool_error", "{told}");
        }
        let call = match &made.arguments {
            Some(arguments) => Call::new(&made.tool, arguments),
            None => Call::without_args(&made.tool),
        };
        let check = self.server.as_ref().map(|server| {
            let check = ArgsCheck::new();
            match server.tools.get(&made.tool).and_then(|tool| tool.input.as_ref()) {
                Some(schema) => check.schema(InputSchema::new(schema)),
                None => check,
            }
        });
        let call = match &check {
            Some(check) => call.checked(check),
            None => call,
        };
        let call = match &self.server_name {
            Some(name) => call.server(name),
            None => call,
        };
        let identity = self.identity.as_ref().map_or(Identity::Absent, Identity::claims);
        let decision = self.engine.explain(&call.identity(identity)).decision;
        assert_eq!(decision.code().as_str(), expected, "{told}");
        // Also to a call that asked for a task, which rmcp does not read.
        let result: Value = serde_json::from_str(&decision.to_mcp_result().unwrap()).unwrap();
        assert_eq!(answer["result"], result);
    }

    fn used(&self, tool: &str) -> String {
        let mut used = Vec::new();
        let mut show = |held: callgate::store::LiveCounter| {
            if *held.counter.owner() == Owner::Tool(tool.into()) {
                used.push(held.used.to_string());
            }
        };
        self.store.each(Timestamp::MIN, &mut show).unwrap();
        used.pop().unwrap_or_else(|| "0".to_owned())
    }
}

#[tokio::test(start_paused = true)]
async fn every_scenario_holds() {
    let mut count = 0;
    for (file, guards::File { scenarios, .. }) in guards::files() {
        for mut scenario in scenarios {
            let runs = scenario.only.is_empty() || scenario.only.iter().any(|guard| guard == GUARD);
            if !runs || scenario.except.iter().any(|guard| guard == GUARD) {
                continue;
            }
            count += 1;
            let (name, steps) = (scenario.name.clone(), std::mem::take(&mut scenario.steps));
            let mut run = Run::new(scenario);
            run.connect().await;
            for (index, step) in steps.iter().enumerate() {
                println!("{file}, {name}, step {index}");
                run.step(step).await;
            }
        }
    }
    assert!(count > 5, "only {count} scenarios were run");
}
