//! Nothing that a client can send gives a charge back, uses an approval twice or reaches a handler that is denied: whatever it sends, by a
//! server that records what reached it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test tells by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callgate::store::{Inspect as _, LiveCounter, Owner};
use callgate::time::{ManualClock, Timestamp};
use callgate::{Engine, MemoryStore, Policy};
use callgate_rmcp::Guard;
use proptest::prelude::*;
use rmcp::ServerHandler;
use rmcp::model::*;
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};

const POLICY: &str = "
version: '1'
default: deny
hide: [hidden]
tools:
  pay: {rules: [{rate_limit: 100000/hour}]}
  fail: {rules: [{rate_limit: 100000/hour}]}
  ask: {rules: [{rate_limit: 100000/hour}]}
  big: {rules: [{action: require_approval}, {rate_limit: 100000/hour}]}
  denied: {rules: [{action: deny}]}
  capped: {rules: [{conditions: [{path: args.a, op: eq, value: 1}]}]}
requests: {default: deny, methods: {resources/read: {require: [{path: args.uri, op: eq, value: 'file:///ok'}]}, elicitation/create: {}}}
";
const TOOLS: [&str; 8] = ["pay", "fail", "ask", "big", "denied", "capped", "hidden", "none"];

/// What reached it: what was called, with which arguments and state.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Vec<Reached>>>);

type Reached = (String, Value, Option<String>);

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_resources().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let args = Value::Object(request.arguments.unwrap_or_default());
        let state = request.request_state;
        assert!(
            !state.as_deref().is_some_and(|state| state.starts_with("callgate:")),
            "the guard's state reached the server"
        );
        self.0.lock().unwrap().push((request.name.to_string(), args, state.clone()));
        match (&*request.name, state.as_deref()) {
            ("fail", _) => Err(ErrorData::invalid_params("no", None)),
            ("ask", None | Some("one")) => {
                let next = if state.as_deref() == Some("one") { "two" } else { "one" };
                Ok(InputRequiredResult::from_request_state(next).into())
            }
            _ => Ok(CallToolResult::success(vec![ContentBlock::text("done")]).into()),
        }
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.0.lock().unwrap().push((request.uri, Value::Null, None));
        Ok(ReadResourceResult::new(Vec::new()).into())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.0.lock().unwrap().push((request.method, Value::Null, None));
        Ok(CustomResult::new(json!({})))
    }
}

#[derive(Debug, Clone)]
enum Op {
    Call { tool: usize, args: usize, state: usize, input: usize, more: usize },
    Raw(usize),
    Cancel(u64),
    Reconnect(bool),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let call = (0..TOOLS.len(), 0..6usize, 0..10usize, 0..5usize, 0..6usize)
        .prop_map(|(tool, args, state, input, more)| Op::Call { tool, args, state, input, more });
    let op = prop_oneof![
        12 => call,
        3 => (0..12usize).prop_map(Op::Raw),
        1 => (0..30u64).prop_map(Op::Cancel),
        1 => any::<bool>().prop_map(Op::Reconnect),
    ];
    proptest::collection::vec(op, 1..60)
}

struct Wire {
    to: WriteHalf<DuplexStream>,
    from: Lines<BufReader<ReadHalf<DuplexStream>>>,
    modern: bool,
}

struct Run {
    guard: Guard<Server>,
    server: Server,
    store: Arc<MemoryStore>,
    wire: Wire,
    ids: u64,
    /// States that the client has seen, the guard's and the server's.
    states: Vec<String>,
    /// The guard's questions to which a yes was sent.
    granted: BTreeSet<String>,
    /// Approvals that the client gave before 2026-07-28.
    answered: usize,
}

async fn connect(guard: &Guard<Server>, modern: bool) -> Wire {
    let (client, server) = tokio::io::duplex(1 << 20);
    let guard = guard.clone();
    tokio::spawn(async move {
        if let Ok(running) = guard.serve(server).await {
            let _ = running.waiting().await;
        }
    });
    let (from, to) = tokio::io::split(client);
    Wire { to, from: BufReader::new(from).lines(), modern }
}

impl Run {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00.000Z".parse().unwrap()));
        let store = Arc::new(MemoryStore::new());
        let engine =
            Engine::builder(Policy::from_yaml(POLICY).unwrap()).clock(clock).store(store.clone()).build();
        let server = Server::default();
        let guard = Guard::new(server.clone(), engine).approve_by_elicitation();
        let wire = connect(&guard, true).await;
        let (states, granted) = (Vec::new(), BTreeSet::new());
        Self { guard, server, store, wire, ids: 0, states, granted, answered: 0 }
    }

    async fn send(&mut self, message: &str) {
        // A server may have closed a connection on which it got nonsense.
        let _ = self.wire.to.write_all(format!("{message}\n").as_bytes()).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        while let Ok(Ok(Some(line))) =
            tokio::time::timeout(Duration::from_millis(1), self.wire.from.next_line()).await
        {
            let message: Value = serde_json::from_str(&line).unwrap();
            if let Some(state) = message["result"]["requestState"].as_str() {
                self.states.push(state.to_owned());
            }
            if message["method"] == "elicitation/create" {
                self.answered += 1;
                let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": {"action": "accept", "content": {}}});
                let _ = self.wire.to.write_all(format!("{answer}\n").as_bytes()).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    fn meta(&self) -> Value {
        if !self.wire.modern {
            return json!({});
        }
        json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "hostile", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
        })
    }

    async fn request(&mut self, method: &str, mut params: Value) {
        self.ids += 1;
        params["_meta"] = self.meta();
        let message = json!({"jsonrpc": "2.0", "id": self.ids, "method": method, "params": params});
        self.send(&message.to_string()).await;
    }

    async fn step(&mut self, op: &Op) {
        match op {
            Op::Call { tool, args, state, input, more } => {
                let mut params = json!({"name": TOOLS[*tool]});
                match args {
                    0 => {}
                    5 => params["arguments"] = Value::Null,
                    args => params["arguments"] = json!({ "a": args }),
                }
                let state = match state {
                    0 | 1 => None,
                    2 => Some("one".to_owned()),
                    3 => Some("callgate:0123456789abcdef0123456789abcdef".to_owned()),
                    back => self.states.len().checked_sub(back - 3).map(|at| self.states[at].clone()),
                };
                let input = match input {
                    0 => None,
                    1 => Some(json!({"callgate/approval": {"action": "accept"}})),
                    2 => Some(json!({"callgate/approval": {"action": "decline"}})),
                    3 => Some(json!({"callgate/approval": "accept", "accept": {"action": "accept"}})),
                    _ => Some(json!({"callgate/approval": {"action": ["accept"]}})),
                };
                if let Some(state) = &state {
                    params["requestState"] = json!(state);
                    let is_yes =
                        input.as_ref().is_some_and(|input| input["callgate/approval"]["action"] == "accept");
                    if is_yes && self.states.contains(state) {
                        self.granted.insert(state.clone());
                    }
                }
                if let Some(input) = input {
                    params["inputResponses"] = input;
                }
                match more {
                    1 => params["task"] = json!({"ttl": 1000}),
                    2 => params["Name"] = json!("pay"),
                    _ => {}
                }
                self.request("tools/call", params).await;
            }
            Op::Raw(which) => {
                let id = self.ids + 1;
                self.ids = id;
                let meta = self.meta();
                let raw = [
                    json!({"id": id, "method": "tools/call", "params": {"name": "denied", "arguments": [1], "_meta": meta}}),
                    json!({"id": id, "method": "tools/call", "params": {"name": ["denied"], "_meta": meta}}),
                    json!({"id": id, "method": "tools/call ", "params": {"name": "denied", "_meta": meta}}),
                    json!({"id": id, "method": "Tools/call", "params": {"name": "denied", "_meta": meta}}),
                    json!({"method": "tools/call", "params": {"name": "pay", "_meta": meta}}),
                    json!({"id": id, "method": "resources/read", "params": {"uri": "secret:///x", "_meta": meta}}),
                    json!({"id": id, "method": "resources/read", "params": {"uri": ["secret:///x"], "_meta": meta}}),
                    json!({"id": id, "method": "resources/read", "params": {"uri": "file:///ok", "_meta": meta}}),
                    json!({"id": id, "method": "custom/thing", "params": {"_meta": meta}}),
                    json!({"id": id, "result": {"action": "accept", "content": {}}}),
                    json!({"id": 1, "method": "tools/call", "params": {"name": "big", "_meta": meta}}),
                    json!({"id": "1", "method": "tools/list", "params": {"_meta": meta}}),
                ];
                let mut message = raw[*which].clone();
                message["jsonrpc"] = "2.0".into();
                self.send(&message.to_string()).await;
            }
            Op::Cancel(id) => {
                let message = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
                self.send(&message.to_string()).await;
            }
            Op::Reconnect(modern) => {
                self.wire = connect(&self.guard, *modern).await;
                if !modern {
                    let client = json!({"name": "hostile", "version": "1"});
                    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}, "clientInfo": client});
                    self.request("initialize", params).await;
                    self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
                }
            }
        }
    }

    fn charged(&self) -> BTreeMap<String, usize> {
        let mut charged = BTreeMap::new();
        let mut show = |held: LiveCounter| {
            if let Owner::Tool(tool) = held.counter.owner() {
                charged.insert(tool.to_string(), held.used.to_string().parse().unwrap());
            }
        };
        self.store.each(Timestamp::MIN, &mut show).unwrap();
        charged
    }

    fn check(&self) {
        let reached = self.server.0.lock().unwrap();
        let charged = self.charged();
        let count = |tool: &str| reached.iter().filter(|(name, ..)| name == tool).count();
        let paid = |tool: &str| charged.get(tool).copied().unwrap_or(0);
        for (name, args, _) in &*reached {
            let may = match name.as_str() {
                "pay" | "fail" | "ask" | "big" | "file:///ok" => true,
                "capped" => args["a"] == 1,
                _ => false,
            };
            assert!(may, "{name} was reached with {args}");
        }
        for tool in ["pay", "fail", "big"] {
            assert!(count(tool) <= paid(tool), "{tool} ran {} times and paid {}", count(tool), paid(tool));
        }
        // Each first round was paid for, and each last one.
        let rounds = |which: Option<&str>| {
            reached.iter().filter(|(name, _, state)| name == "ask" && state.as_deref() == which).count()
        };
        assert!(rounds(None) <= paid("ask") && rounds(Some("two")) <= paid("ask"));
        assert!(count("ask") <= 8 * paid("ask"));
        assert!(count("big") <= self.granted.len() + self.answered, "an approval let two calls through");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn nothing_that_a_client_sends_gets_around_the_policy(ops in ops()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new().await;
            for op in &ops {
                run.step(op).await;
                run.check();
            }
        });
    }
}

/// The calls above reach what they may: else they would show nothing.
#[test]
fn what_is_allowed_is_reached() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut run = Run::new().await;
        let call = |tool, state, input| Op::Call { tool, args: 1, state, input, more: 0 };
        for op in [call(0, 0, 0), call(2, 0, 0), call(2, 4, 0), call(3, 0, 0), call(3, 4, 1), Op::Raw(7)] {
            run.step(&op).await;
            run.check();
        }
        let reached: Vec<_> = run.server.0.lock().unwrap().iter().map(|(name, ..)| name.clone()).collect();
        assert_eq!(reached, ["pay", "ask", "ask", "big", "file:///ok"]);
        assert_eq!(run.charged().values().sum::<usize>(), 3);
        for op in [Op::Reconnect(false), call(3, 0, 0)] {
            run.step(&op).await;
            run.check();
        }
        assert_eq!((run.server.0.lock().unwrap().len(), run.answered), (6, 1));
    });
}
