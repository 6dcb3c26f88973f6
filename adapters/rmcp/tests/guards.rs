//! The scenarios of `spec/guards`, in front of a real rmcp server: over a pair of streams, and over streamable HTTP by rmcp's client
//! transport. The client is the wire itself, so that every message is the scenario's own.
//!
//! Over streams time stands still while anything can still happen, threads for blocking calls included: so a test waits until all is at
//! rest, not for a time. Over HTTP there are sockets, so that it waits for what is to happen, and a moment for what is not.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test tells by panicking"
)]

mod scenario_server;

use std::collections::BTreeMap;
use std::time::Duration;

use callgate::lock::{CHANGED, changed_result};
use callgate::{ArgsCheck, Call, Decision, Identity, InputSchema, MCP_DENIED, Policy};
use callgate_tests::guards::{self, Approvals, Era, Expect, Scenario, Step};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use scenario_server::hosted::Hosted;
use scenario_server::wire::{Wire, serve_http};

/// What this guard is called in the scenarios.
const GUARD: &str = "rmcp";
const UNCHECKED: &str = "The call could not be checked against the policy";
const PREFIX: &str = "io.modelcontextprotocol/";

/// A request of the client.
struct Made {
    id: u64,
    method: String,
    params: Value,
    identity: Option<Value>,
    /// The last result that asked for input.
    asked: Option<Value>,
    /// The most progress that was told.
    told: f64,
}

struct Run {
    host: Hosted,
    era: Option<Era>,
    wire: Option<Wire>,
    /// Where the guard is served, if that is over HTTP.
    uri: Option<String>,
    over_http: bool,
    /// Answers on this connection, by the id of their call.
    answers: BTreeMap<u64, Value>,
    /// Requests and notifications of the server on this connection.
    seen: Vec<Value>,
    calls: BTreeMap<String, Made>,
    ids: u64,
}

/// Where nothing is to happen over HTTP, it is waited for so long.
const MOMENT: Duration = Duration::from_millis(40);
/// What is to happen over HTTP has happened by then.
const PATIENCE: Duration = Duration::from_secs(10);

impl Run {
    fn new(mut scenario: Scenario, over_http: bool) -> Self {
        Self {
            host: Hosted::new(&mut scenario),
            era: scenario.era,
            wire: None,
            uri: None,
            over_http,
            answers: BTreeMap::new(),
            seen: Vec::new(),
            calls: BTreeMap::new(),
            ids: 0,
        }
    }

    async fn connect(&mut self) {
        let wire = if self.over_http {
            if self.uri.is_none() {
                self.uri = Some(serve_http(self.host.guard.clone()).await);
            }
            Wire::http(self.uri.as_deref().unwrap())
        } else {
            Wire::streams(self.host.guard.clone())
        };
        self.wire = Some(wire);
        self.answers.clear();
        self.seen.clear();
        if self.era.is_some() {
            if self.over_http {
                self.request("server/discover", json!({})).await;
            }
            return;
        }
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities(), "clientInfo": client_info()});
        self.request("initialize", params).await;
        self.send(json!({"method": "notifications/initialized"})).await;
    }

    async fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = "2.0".into();
        self.wire.as_mut().expect("there is a connection").send(message).await;
        self.receive().await;
    }

    /// Reads what has come, until nothing more does.
    async fn receive(&mut self) {
        let moment = if self.over_http { MOMENT } else { Duration::from_millis(1) };
        if !self.over_http {
            tokio::time::sleep(moment).await;
        }
        while self.receive_one(moment).await {}
    }

    async fn receive_one(&mut self, patience: Duration) -> bool {
        let Some(wire) = &mut self.wire else {
            // Nothing comes, but the server's side notices.
            if self.over_http {
                tokio::time::sleep(patience).await;
            }
            return false;
        };
        let Some(message) = wire.next(patience).await else { return false };
        if message.get("method").is_none() {
            let id = message["id"].as_u64().expect("an answer has an id");
            assert!(self.answers.insert(id, message).is_none(), "one call was answered twice");
            return true;
        }
        if message["method"] == "sampling/createMessage" {
            let content = json!({"type": "text", "text": "sampled"});
            let sample = json!({"role": "assistant", "content": content, "model": "none"});
            wire.send(json!({"jsonrpc": "2.0", "id": message["id"], "result": sample})).await;
        }
        self.seen.push(message);
        true
    }

    /// Over HTTP: until this is so.
    async fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        let begun = std::time::Instant::now();
        while self.over_http && !is_so(self) && begun.elapsed() < PATIENCE {
            self.receive_one(Duration::from_millis(5)).await;
        }
    }

    async fn request(&mut self, method: &str, params: Value) -> Made {
        self.ids += 1;
        self.host.shared.lock().sending = self.ids;
        let mut sent = params.clone();
        if self.era.is_some() {
            sent["_meta"][format!("{PREFIX}protocolVersion")] = "2026-07-28".into();
            sent["_meta"][format!("{PREFIX}clientInfo")] = client_info();
            sent["_meta"][format!("{PREFIX}clientCapabilities")] = capabilities();
        }
        let (id, asked) = (self.ids, self.seen.len());
        self.send(json!({"id": id, "method": method, "params": sent})).await;
        self.until(|run| {
            let happened = run.host.shared.lock();
            run.answers.contains_key(&id)
                || happened.approvals.contains_key(&id)
                || happened.finishes.contains_key(&id) && happened.waits
                || run.seen.iter().skip(asked).any(|message| message["method"] == "elicitation/create")
        })
        .await;
        let identity = self.host.identity.lock().unwrap().clone();
        Made { id: self.ids, method: method.to_owned(), params, identity, asked: None, told: -1.0 }
    }

    async fn call(&mut self, tool: &str, step: &Step) -> Made {
        let mut params = json!({ "name": tool });
        if let Some(arguments) = &step.arguments {
            params["arguments"] = arguments.clone();
        }
        if let Some(task) = &step.task {
            params["task"] = task.clone();
        }
        if step.progress {
            params["_meta"] = json!({"progressToken": step.named});
        }
        self.request("tools/call", params).await
    }

    async fn step(&mut self, step: &Step) {
        *self.host.identity.lock().unwrap() = step.identity.clone().or_else(|| self.host.known.clone());
        if step.connect == Some(true) {
            self.connect().await;
        } else if step.disconnect == Some(true) {
            self.wire = None;
            self.until(|run| run.host.shared.lock().approvals.values().all(oneshot::Sender::is_closed)).await;
        } else if let (Some(tool), Some(name)) = (&step.call, &step.named) {
            let made = self.call(tool, step).await;
            self.calls.insert(name.clone(), made);
        } else if let (Some(tool), Some(times)) = (&step.call, step.at_once) {
            self.at_once(tool, times, step).await;
        } else if let Some(tool) = &step.call {
            for _ in 0..step.times.unwrap_or(1) {
                let made = self.call(tool, step).await;
                self.expect(&made, step);
            }
        } else if let Some(method) = &step.request {
            for _ in 0..step.times.unwrap_or(1) {
                let made = self.request(method, step.params.clone().unwrap_or_default()).await;
                self.expect(&made, step);
            }
        } else if let Some(name) = &step.round {
            self.round(name, step).await;
        } else if let Some(name) = &step.approve {
            self.answer(name, true).await;
        } else if let Some(name) = &step.refuse {
            self.answer(name, false).await;
        } else if let Some(name) = &step.finish {
            let id = self.calls[name].id;
            let _ = self.host.shared.lock().finishes.remove(&id).unwrap().send(());
        } else if let Some(name) = &step.cancel {
            let id = self.calls[name].id;
            self.send(json!({"method": "notifications/cancelled", "params": {"requestId": id}})).await;
            self.until(|run| {
                run.host.shared.lock().approvals.get(&id).is_none_or(oneshot::Sender::is_closed)
            })
            .await;
        } else if let Some(name) = &step.progressed {
            self.progressed(name).await;
        } else if let Some(policy) = &step.reload {
            self.host.engine.replace(Policy::from_yaml(&guards::policy(policy)).unwrap());
        } else if let Some(changes) = &step.change {
            self.host.shared.lock().changes.extend(changes.clone());
        }
        self.receive().await;
        if let (Some(name), Some(Expect::Each(kind))) = (&step.answer, &step.expect)
            && kind != "none"
        {
            let id = self.calls[name].id;
            self.until(|run| run.answers.contains_key(&id)).await;
        }
        if let Some(name) = &step.answer {
            self.expect(&self.calls[name], step);
        }
        if let Some(listed) = &step.listed {
            assert_eq!(self.listed(step).await, *listed);
        }
        let named = |messages: &[Value], method: &str| {
            messages.iter().filter(|message| message["method"] == *method).count()
        };
        self.until(|run| {
            let happened = run.host.shared.lock();
            let ran = |(tool, times): (&String, &u32)| happened.ran.get(tool).copied().unwrap_or(0) == *times;
            step.seen.iter().flatten().all(|(method, times)| named(&run.seen, method) == *times as usize)
                && step.ran.iter().flatten().all(ran)
                && step.used.iter().flatten().all(|(tool, amount)| run.host.used(tool) == *amount)
        })
        .await;
        for (method, times) in step.seen.iter().flatten() {
            let seen = named(&self.seen, method);
            assert_eq!(seen, *times as usize, "how often {method} came");
        }
        for (tool, times) in step.ran.iter().flatten() {
            assert_eq!(
                self.host.shared.lock().ran.get(tool).copied().unwrap_or(0),
                *times,
                "how often {tool} ran"
            );
        }
        for (tool, amount) in step.used.iter().flatten() {
            assert_eq!(self.host.used(tool), *amount, "the counter of {tool}");
        }
    }

    /// Calls that are sent in one piece.
    async fn at_once(&mut self, tool: &str, times: u32, step: &Step) {
        let first = self.ids + 1;
        let params = json!({"name": tool, "arguments": step.arguments});
        self.ids += u64::from(times);
        for id in first..=self.ids {
            let message = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
            self.wire.as_mut().unwrap().send(message).await;
        }
        self.receive().await;
        let last = self.ids;
        self.until(|run| (first..=last).all(|id| run.answers.contains_key(&id))).await;
        let mut counts = BTreeMap::<String, u32>::new();
        for id in first..=self.ids {
            *counts.entry(kind_of(&self.answers[&id])).or_default() += 1;
        }
        let Some(Expect::Counts(expected)) = &step.expect else { panic!("counts are expected") };
        assert_eq!(counts, *expected);
    }

    /// Somebody answers whether a call may run.
    async fn answer(&mut self, name: &str, is_yes: bool) {
        let id = self.calls[name].id;
        let action = if is_yes { "accept" } else { "decline" };
        match (self.host.approvals, self.era) {
            (Approvals::Store, _) => {
                let filed = self.answers[&id]["result"]["_meta"]["callgate/approval_id"].as_str();
                self.host.answer_in_store(filed.expect("nothing was filed"), is_yes);
            }
            (Approvals::Elicitation, None) => {
                let asked = self.seen.iter().rev().find(|message| message["method"] == "elicitation/create");
                let id = asked.expect("the client was not asked")["id"].clone();
                self.send(json!({"id": id, "result": {"action": action, "content": {}}})).await;
            }
            (Approvals::Elicitation, Some(_)) => {
                let mut again = self.again(name, &Step::default(), action).await;
                again.asked = self.calls[name].asked.clone();
                self.calls.insert(name.to_owned(), again);
            }
            (Approvals::Callback | Approvals::Nobody, _) => {
                self.host.answer(id, is_yes);
            }
        }
    }

    /// The call once more, with what its last answer asked for.
    async fn round(&mut self, name: &str, step: &Step) {
        let mut again = self.again(name, step, "accept").await;
        self.expect(&again, step);
        if matches!(&step.expect, Some(Expect::Each(kind)) if kind == "input_required")
            && step.arguments.is_none()
        {
            again.asked = Some(self.answers[&again.id]["result"].clone());
            self.calls.insert(name.to_owned(), again);
        }
    }

    async fn again(&mut self, name: &str, step: &Step, action: &str) -> Made {
        let made = &self.calls[name];
        let asked = made.asked.clone().unwrap_or_else(|| self.answers[&made.id]["result"].clone());
        let mut params = made.params.clone();
        let keys = asked["inputRequests"].as_object().into_iter().flat_map(Map::keys);
        let answer = json!({"action": action, "content": {"which": "this"}});
        params["inputResponses"] = keys.map(|key| (key.clone(), answer.clone())).collect();
        params["requestState"] =
            step.state.clone().map_or_else(|| asked["requestState"].clone(), Value::from);
        if let Some(arguments) = &step.arguments {
            params["arguments"] = arguments.clone();
        }
        self.calls.get_mut(name).unwrap().asked = Some(asked);
        self.request("tools/call", params).await
    }

    async fn progressed(&mut self, name: &str) {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.receive().await;
            let told = self.seen.iter().map(|message| &message["params"]);
            let told = told.filter(|params| params["progressToken"] == *name);
            let most = told.filter_map(|params| params["progress"].as_f64()).fold(-1.0, f64::max);
            let made = self.calls.get_mut(name).unwrap();
            if most > made.told {
                made.told = most;
                return;
            }
        }
        panic!("there was no progress");
    }

    async fn listed(&mut self, step: &Step) -> Vec<String> {
        let method = step.of.as_deref().unwrap_or("tools/list");
        let (member, key) = match method {
            "resources/list" => ("resources", "uri"),
            "prompts/list" => ("prompts", "name"),
            _ => ("tools", "name"),
        };
        let mut names = Vec::new();
        let mut params = json!({});
        loop {
            let page = self.request(method, params).await;
            let result = &self.answers[&page.id]["result"];
            let items = result[member].as_array().unwrap();
            names.extend(items.iter().map(|item| item[key].as_str().unwrap().to_owned()));
            for (name, value) in step.cache.iter().flatten() {
                assert_eq!(result[name], *value, "{name}");
            }
            let Some(cursor) = result["nextCursor"].as_str() else { break };
            params = json!({ "cursor": cursor });
        }
        names.sort_unstable();
        names
    }

    fn expect(&self, made: &Made, step: &Step) {
        let answer = self.answers.get(&made.id);
        let Some(Expect::Each(expected)) = &step.expect else { panic!("one kind is expected") };
        if expected == "none" {
            return assert_eq!(answer, None);
        }
        let answer = answer.expect("there is no answer");
        let error = answer["error"]["message"].as_str();
        let told = answer["result"]["content"][0]["text"].as_str().or(error);
        let told = told.map_or_else(|| answer.to_string(), str::to_owned);
        assert!(told.contains(step.text.as_deref().unwrap_or_default()), "{told}");
        let kind = kind_of(answer);
        match &**expected {
            "result" | "tool_error" | "error" | "input_required" => assert_eq!(kind, **expected, "{told}"),
            "failed" => assert!(error.is_some() || answer["result"]["isError"] == true, "{told}"),
            "unchecked" => assert_eq!((&*kind, &*told), ("tool_error", UNCHECKED)),
            CHANGED => self.is_told_of_the_change(made, answer),
            _ => self.refused(made, answer, expected),
        }
    }

    /// The guard refused a tool that is not as it was approved (G13.3).
    fn is_told_of_the_change(&self, made: &Made, answer: &Value) {
        let text = changed_result(made.params["name"].as_str().unwrap());
        let mut result: Value = serde_json::from_str(&text).unwrap();
        let mut told = answer["result"].clone();
        if self.era.is_some() {
            // Beside what the SDK for the server says of each result.
            told["_meta"].as_object_mut().unwrap().remove(&format!("{PREFIX}serverInfo"));
            result["resultType"] = "complete".into();
        }
        assert_eq!(told, result);
    }

    /// The guard refused, and told what it has to.
    fn refused(&self, made: &Made, answer: &Value, expected: &str) {
        let identity = made.identity.as_ref().map_or(Identity::Absent, Identity::claims);
        let tool = made.params["name"].as_str().unwrap_or_default();
        let check = self.host.checked.as_ref().map(|server| {
            let check = ArgsCheck::new();
            match server.tools.get(tool).and_then(|tool| tool.input.as_ref()) {
                Some(schema) => check.schema(InputSchema::new(schema)),
                None => check,
            }
        });
        let call = match made.params.get("arguments") {
            _ if made.method != "tools/call" => Call::request(&made.method, &made.params),
            Some(arguments) => Call::new(tool, arguments),
            None => Call::without_args(tool),
        };
        let call = match &check {
            Some(check) => call.checked(check),
            None => call,
        };
        let call = match &self.host.server_name {
            Some(name) => call.server(name),
            None => call,
        };
        let decision: Decision<'_> = self.host.engine.explain(&call.identity(identity)).decision;
        assert_eq!(decision.code().as_str(), expected, "{answer}");
        if made.method != "tools/call" {
            let meta: Value = serde_json::from_str(&decision.to_mcp_meta().unwrap()).unwrap();
            let error = json!({"code": MCP_DENIED, "message": decision.message().unwrap(), "data": meta});
            return assert_eq!(answer["error"], error);
        }
        // Also to a call that asked for a task, which rmcp does not read.
        let mut result: Value = serde_json::from_str(&decision.to_mcp_result().unwrap()).unwrap();
        let mut told = answer["result"].clone();
        if self.era.is_some() {
            // Beside what the SDK for the server says of each result.
            told["_meta"].as_object_mut().unwrap().remove(&format!("{PREFIX}serverInfo"));
            result["resultType"] = "complete".into();
        }
        if let Approvals::Store = self.host.approvals {
            // Beside where the call stands.
            let id = told["_meta"].as_object_mut().unwrap().remove("callgate/approval_id");
            assert!(id.is_some_and(|id| id.as_str().is_some_and(|id| id.len() == 8)));
            let text = result["content"][0]["text"].take();
            let longer = told["content"][0]["text"].take();
            assert!(longer.as_str().unwrap().starts_with(text.as_str().unwrap()), "{longer}");
        }
        assert_eq!(told, result);
    }
}

fn client_info() -> Value {
    json!({"name": "scenario", "version": "1"})
}

fn capabilities() -> Value {
    json!({"sampling": {}, "elicitation": {"form": {}}})
}

/// What kind of answer it is: the code, where the guard refused.
fn kind_of(answer: &Value) -> String {
    let codes = [&answer["error"]["data"]["callgate/code"], &answer["result"]["_meta"]["callgate/code"]];
    let result = &answer["result"];
    let kind = match () {
        () if answer.get("error").is_some() => "error",
        () if result["resultType"] == "input_required" => "input_required",
        () if result["isError"] == true => "tool_error",
        () => "result",
    };
    codes.iter().find_map(|code| code.as_str()).unwrap_or(kind).to_owned()
}

/// What a guard over HTTP cannot keep: the server's own requests go past it (G10.2).
const NOT_OVER_HTTP: &str = "requests of the server are decided before the client sees them";

/// The scenarios that this guard runs, each with its file.
fn scenarios() -> Vec<(String, Scenario)> {
    let files = guards::files().into_iter();
    let named = files.flat_map(|(file, guards::File { scenarios, .. })| {
        scenarios.into_iter().map(move |scenario| (file.clone(), scenario))
    });
    let all: Vec<_> = named.filter(|(_, scenario)| scenario.is_for(GUARD)).collect();
    assert!(all.len() > 50, "only {} scenarios were run", all.len());
    all
}

async fn run(file: String, mut scenario: Scenario, over_http: bool) {
    let (name, steps) = (scenario.name.clone(), std::mem::take(&mut scenario.steps));
    let mut run = Run::new(scenario, over_http);
    run.connect().await;
    for (index, step) in steps.iter().enumerate() {
        println!("{file}, {name}, step {index}");
        run.step(step).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_scenario_holds() {
    for (file, scenario) in scenarios() {
        run(file, scenario, false).await;
    }
}

#[tokio::test]
async fn every_scenario_holds_over_http() {
    let mut all = scenarios();
    all.retain(|(_, scenario)| scenario.name != NOT_OVER_HTTP);
    // Most of the time is spent on waiting for what is not to happen.
    let mut running = tokio::task::JoinSet::new();
    for (file, scenario) in all {
        if running.len() == 8 {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(run(file, scenario, true));
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}
