//! The scenarios of `spec/guards`, through the real gateway: a client that is the wire itself, and a server on a socket.
//!
//! Counters and approvals are in a file, so that they outlive a gateway that its client left. Time goes on, so seconds that a message
//! tells are not compared.

mod server;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ChildStdin;
use std::sync::{Arc, Condvar, Mutex};

use callgate::lock::{CHANGED, changed_message, changed_meta, changed_result};
use callgate::store::{Inspect as _, Owner};
use callgate::time::Timestamp;
use callgate::{Call, Engine, Identity, MCP_DENIED, Policy};
use callgate_host::{StoreOptions, open_store};
use callgate_tests::guards::{self, Approvals, Era, Expect, Scenario, Step};
use serde_json::Map;

use self::server::Server;
use super::*;
use crate::callgate;

/// What the gateway is called in the scenarios.
const GUARD: &str = "gateway";
const UNCHECKED: &str = "The call could not be checked against the policy";
const PREFIX: &str = "io.modelcontextprotocol/";

/// What a client got.
#[derive(Default)]
struct Got {
    answers: BTreeMap<u64, Value>,
    /// Requests and notifications of the server.
    seen: Vec<Value>,
}

/// A connection: a gateway, as its client holds it.
struct Connection {
    proxy: Proxy,
    to: Arc<Mutex<Option<ChildStdin>>>,
    got: Arc<(Mutex<Got>, Condvar)>,
    reader: JoinHandle<()>,
}

impl Connection {
    fn open(setup: Setup) -> Self {
        let mut proxy = setup.start();
        let to = Arc::new(Mutex::new(proxy.stdin.take()));
        let got = Arc::<(Mutex<Got>, Condvar)>::default();
        let lines = BufReader::new(proxy.stdout.take().unwrap()).lines();
        let (into, reply) = (got.clone(), to.clone());
        let reader = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let message: Value = serde_json::from_str(&line).unwrap();
                if message["method"] == "sampling/createMessage" {
                    let content = json!({"type": "text", "text": "sampled"});
                    let sample = json!({"role": "assistant", "content": content, "model": "none"});
                    write(&reply, &json!({"id": message["id"], "result": sample}));
                }
                let mut got = into.0.lock().unwrap();
                if message.get("method").is_some() {
                    got.seen.push(message);
                } else {
                    let id = message["id"].as_u64().unwrap();
                    assert!(got.answers.insert(id, message).is_none(), "one call was answered twice");
                }
                into.1.notify_all();
            }
        });
        Self { proxy, to, got, reader }
    }

    /// Closes the client's end, and waits for the gateway's.
    fn close(mut self) {
        *self.to.lock().unwrap() = None;
        self.proxy.exit();
        self.reader.join().unwrap();
    }

    fn answer(&self, id: u64) -> Option<Value> {
        self.got.0.lock().unwrap().answers.get(&id).cloned()
    }
}

fn write(to: &Mutex<Option<ChildStdin>>, message: &Value) {
    let mut message = message.clone();
    message["jsonrpc"] = "2.0".into();
    to.lock().unwrap().as_mut().unwrap().write_all(format!("{message}\n").as_bytes()).unwrap();
}

/// A request of the client.
#[derive(Clone)]
struct Made {
    id: u64,
    method: String,
    params: Value,
    /// The last result that asked for input.
    asked: Option<Value>,
}

struct Run {
    setup: Box<dyn Fn() -> Setup>,
    folder: PathBuf,
    store: String,
    name: String,
    policy: String,
    identity: Value,
    era: Option<Era>,
    approvals: Approvals,
    server: Server,
    connection: Option<Connection>,
    calls: BTreeMap<String, Made>,
    ids: u64,
    reloads: usize,
}

impl Run {
    fn new(test: &str, mut scenario: Scenario) -> Self {
        let policy = scenario.policy();
        let setup = Setup::new(test).policy(&policy);
        let folder = setup.folder.clone();
        let socket = std::env::temp_dir().join(format!("callgate-{}-{test}", std::process::id()));
        let _ = fs::remove_file(&socket);
        let server = Server::listen(&mut scenario, &socket);
        let store = format!("sqlite://{}", setup.path("store.db"));
        let name = scenario.options.get("server_name").map_or("tests", |name| name.as_str().unwrap());
        let known = ["server_name", "on_drift"];
        assert!(
            scenario.options.keys().all(|option| known.contains(&&**option)),
            "the gateway has no such option"
        );
        let identity = scenario.identity.clone().unwrap_or_else(|| "local".into());
        let caller = identity.as_str().map_or_else(|| identity.to_string(), str::to_owned);
        let mut flags = vec!["--name", name, "--identity", &caller, "--store", &store];
        let lock = setup.path("callgate.lock");
        if let Some(names) = &scenario.lock {
            fs::write(&lock, guards::lock(name, names, &server.tools()).to_string()).unwrap();
            flags.extend(["--lock", &lock]);
            flags.extend(
                scenario
                    .options
                    .get("on_drift")
                    .map(|way| way.as_str().unwrap())
                    .iter()
                    .flat_map(|way| ["--on-drift", way]),
            );
        }
        let bridge = helper("guards/bridge.py");
        let command = ["python3", "-S", &bridge, socket.to_str().unwrap()];
        flags.extend(["--policy"]);
        let file = setup.path("policy.yaml");
        flags.push(&file);
        let owned = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
        let (flags, command, own) = (owned(&flags), owned(&command), test.to_owned());
        let setup =
            Box::new(move || Setup { flags: flags.clone(), server: command.clone(), ..Setup::kept(&own) });
        Self {
            setup,
            folder,
            store,
            name: name.to_owned(),
            policy,
            identity,
            era: scenario.era,
            approvals: scenario.approvals,
            server,
            connection: None,
            calls: BTreeMap::new(),
            ids: 0,
            reloads: 0,
        }
    }

    fn connect(&mut self) {
        self.connection = Some(Connection::open((self.setup)()));
        if self.era.is_some() {
            return;
        }
        let capabilities = json!({"sampling": {}, "elicitation": {"form": {}}});
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities});
        let id = self.request("initialize", params).id;
        self.answered(id);
        self.send(&json!({"method": "notifications/initialized"}));
    }

    fn connection(&self) -> &Connection {
        self.connection.as_ref().unwrap()
    }

    fn send(&self, message: &Value) {
        write(&self.connection().to, message);
    }

    fn request(&mut self, method: &str, params: Value) -> Made {
        self.ids += 1;
        let mut sent = params.clone();
        if self.era.is_some() {
            sent["_meta"][format!("{PREFIX}protocolVersion")] = "2026-07-28".into();
            sent["_meta"][format!("{PREFIX}clientCapabilities")] = json!({});
        }
        self.send(&json!({"id": self.ids, "method": method, "params": sent}));
        Made { id: self.ids, method: method.to_owned(), params, asked: None }
    }

    fn answered(&self, id: u64) -> Value {
        until("an answer", || self.connection().answer(id).is_some());
        self.connection().answer(id).unwrap()
    }

    /// What the client sent before this was read, and all that came of it at once has come back.
    fn settled(&mut self) {
        let id = self.request("ping", json!({})).id;
        self.answered(id);
    }

    fn call(&mut self, tool: &str, step: &Step) -> Made {
        let mut params = json!({ "name": tool });
        if let Some(arguments) = &step.arguments {
            params["arguments"] = arguments.clone();
        }
        if let Some(task) = &step.task {
            params["task"] = task.clone();
        }
        self.request("tools/call", params)
    }

    fn step(&mut self, step: &Step) {
        assert!(step.identity.is_none() && step.progressed.is_none() && step.hang_up.is_none());
        if step.connect == Some(true) {
            self.connect();
        } else if step.disconnect == Some(true) {
            self.connection.take().unwrap().close();
        } else if let (Some(tool), Some(name)) = (&step.call, &step.named) {
            let before = self.server.happened().ran.get(tool).copied();
            let made = self.call(tool, step);
            until("the handler runs, or an answer comes", || {
                self.connection().answer(made.id).is_some()
                    || self.server.happened().ran.get(tool).copied() != before
            });
            self.calls.insert(name.clone(), made);
        } else if let (Some(tool), Some(times)) = (&step.call, step.at_once) {
            let made: Vec<_> = (0..times).map(|_| self.call(tool, step)).collect();
            let mut counts = BTreeMap::<String, u32>::new();
            for made in made {
                *counts.entry(kind_of(&self.answered(made.id))).or_default() += 1;
            }
            let Some(Expect::Counts(expected)) = &step.expect else { panic!("counts are expected") };
            assert_eq!(counts, *expected);
        } else if let Some(tool) = &step.call {
            for _ in 0..step.times.unwrap_or(1) {
                let made = self.call(tool, step);
                self.expect(&made, step);
            }
        } else if let Some(method) = &step.request {
            for _ in 0..step.times.unwrap_or(1) {
                let made = self.request(method, step.params.clone().unwrap_or_default());
                self.expect(&made, step);
            }
        } else if let Some(name) = &step.round {
            self.round(name, step);
        } else if let Some(name) = &step.approve {
            self.decide(name, &["approve"]);
        } else if let Some(name) = &step.refuse {
            self.decide(name, &["deny"]);
        } else if let Some(name) = &step.finish {
            self.server.finish(&self.calls[name].params["arguments"]);
        } else if let Some(name) = &step.cancel {
            let id = self.calls[name].id;
            self.send(&json!({"method": "notifications/cancelled", "params": {"requestId": id}}));
            self.settled();
        } else if let Some(name) = &step.answer {
            let made = self.calls[name].clone();
            if matches!(&step.expect, Some(Expect::Each(kind)) if kind == "none") {
                self.settled();
                assert_eq!(self.connection().answer(made.id), None);
            } else {
                self.expect(&made, step);
            }
        } else if let Some(policy) = &step.reload {
            self.reload(&guards::policy(policy));
        } else if let Some(changes) = &step.change {
            self.server.happened().changes.extend(changes.clone());
        }
        if let Some(listed) = &step.listed {
            assert_eq!(self.listed(step), *listed);
        }
        if let Some(seen) = &step.seen {
            self.settled();
            let got = self.connection().got.0.lock().unwrap();
            for (method, times) in seen {
                let came = got.seen.iter().filter(|message| message["method"] == **method).count();
                assert_eq!(came, *times as usize, "how often {method} came");
            }
        }
        for (tool, times) in step.ran.iter().flatten() {
            let ran = self.server.happened().ran.get(tool).copied().unwrap_or(0);
            assert_eq!(ran, *times, "how often {tool} ran");
        }
        for (tool, amount) in step.used.iter().flatten() {
            // A charge is given back after its call has ended.
            let began = Instant::now();
            while self.used(tool) != *amount && began.elapsed() < Duration::from_secs(5) {
                thread::sleep(Duration::from_millis(5));
            }
            assert_eq!(self.used(tool), *amount, "the counter of {tool}");
        }
    }

    /// A person answers, from another process.
    fn decide(&self, name: &str, command: &[&str]) {
        assert_eq!(self.approvals, Approvals::Store, "it asks nobody itself");
        let answer = self.answered(self.calls[name].id);
        let id = answer["result"]["_meta"]["callgate/approval_id"].as_str().unwrap();
        let place = ["--by", "ann", "--store", &self.store, "--namespace", &self.name];
        let run = callgate(&[&["approvals"], command, &[id], &place].concat());
        assert_eq!(run.status, 0, "{}{}", run.out, run.err);
    }

    fn reload(&mut self, policy: &str) {
        let (new, file) = (self.folder.join("next.yaml"), self.folder.join("policy.yaml"));
        fs::write(&new, policy).unwrap();
        fs::rename(&new, &file).unwrap();
        self.reloads += 1;
        let audit = (self.setup)().audit();
        until("the policy is in force", || {
            let reloads = records_of(&audit).into_iter().filter(|record| record["kind"] == "reload");
            reloads.count() == self.reloads
        });
        policy.clone_into(&mut self.policy);
    }

    /// The call once more, with what its last answer asked for.
    fn round(&mut self, name: &str, step: &Step) {
        let mut made = self.calls[name].clone();
        let asked = made.asked.take().unwrap_or_else(|| self.answered(made.id)["result"].clone());
        let mut params = made.params;
        let keys = asked["inputRequests"].as_object().into_iter().flat_map(Map::keys);
        let answer = json!({"action": "accept", "content": {"which": "this"}});
        params["inputResponses"] = keys.map(|key| (key.clone(), answer.clone())).collect();
        params["requestState"] =
            step.state.clone().map_or_else(|| asked["requestState"].clone(), Value::from);
        if let Some(arguments) = &step.arguments {
            params["arguments"] = arguments.clone();
        }
        self.calls.get_mut(name).unwrap().asked = Some(asked);
        let again = self.request("tools/call", params);
        self.expect(&again, step);
        if matches!(&step.expect, Some(Expect::Each(kind)) if kind == "input_required")
            && step.arguments.is_none()
        {
            self.calls.insert(name.to_owned(), again);
        }
    }

    fn listed(&mut self, step: &Step) -> Vec<String> {
        let method = step.of.as_deref().unwrap_or("tools/list");
        let (member, key) = match method {
            "resources/list" => ("resources", "uri"),
            "prompts/list" => ("prompts", "name"),
            _ => ("tools", "name"),
        };
        let (mut names, mut params) = (Vec::new(), json!({}));
        loop {
            let id = self.request(method, params).id;
            let result = self.answered(id)["result"].clone();
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
        let answer = self.answered(made.id);
        let Some(Expect::Each(expected)) = &step.expect else { panic!("one kind is expected") };
        let error = answer["error"]["message"].as_str();
        let told = answer["result"]["content"][0]["text"].as_str().or(error);
        let told = told.map_or_else(|| answer.to_string(), str::to_owned);
        let kind = kind_of(&answer);
        assert!(timeless(&told).contains(&timeless(step.text.as_deref().unwrap_or_default())), "{told}");
        match &**expected {
            "result" | "tool_error" | "error" | "input_required" => assert_eq!(kind, **expected, "{told}"),
            "failed" => assert!(error.is_some() || answer["result"]["isError"] == true, "{told}"),
            "unchecked" => assert_eq!((&*kind, &*told), ("tool_error", UNCHECKED)),
            // Another text stands there: where the call waits.
            "approval_required" => assert_eq!(kind, **expected, "{told}"),
            "invalid_args" => {
                assert_eq!(kind, **expected, "{told}");
                assert!(told.starts_with("Arguments are not valid: "), "{told}");
            }
            CHANGED => self.is_told_of_the_change(made, &answer),
            _ => self.refused(made, &answer, expected),
        }
    }

    /// The gateway refused a tool that is not as it was approved (G13.3).
    fn is_told_of_the_change(&self, made: &Made, answer: &Value) {
        let tool = made.params["name"].as_str().unwrap();
        let parsed = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        if made.params.get("task").is_some() {
            let data = parsed(changed_meta());
            let error = json!({"code": MCP_DENIED, "message": changed_message(tool), "data": data});
            return assert_eq!(answer["error"], error);
        }
        let mut result = parsed(changed_result(tool));
        if self.era.is_some() {
            result["resultType"] = "complete".into();
        }
        assert_eq!(answer["result"], result);
    }

    /// The gateway refused, and told what it has to.
    fn refused(&self, made: &Made, answer: &Value, expected: &str) {
        let policy = Policy::from_yaml(&self.policy).unwrap();
        let engine = Engine::builder(policy).store(self.opened().blocking()).build();
        let tool = made.params["name"].as_str().unwrap_or_default();
        let call = match made.params.get("arguments") {
            _ if made.method != "tools/call" => Call::request(&made.method, &made.params),
            Some(arguments) => Call::new(tool, arguments),
            None => Call::without_args(tool),
        };
        let identity = match self.identity.as_str() {
            Some(id) => Identity::new(id),
            None => Identity::claims(&self.identity),
        };
        let decision = engine.explain(&call.identity(identity).server(&self.name)).decision;
        assert_eq!(decision.code().as_str(), expected, "{answer}");
        let parsed = |text: Option<String>| timeless(&text.unwrap());
        if made.method != "tools/call" || made.params.get("task").is_some() {
            let meta: Value = serde_json::from_str(&parsed(decision.to_mcp_meta())).unwrap();
            let message = timeless(&decision.message().unwrap());
            let error = json!({"code": MCP_DENIED, "message": message, "data": meta});
            return assert_eq!(timeless(&answer["error"].to_string()), timeless(&error.to_string()));
        }
        let mut result: Value = serde_json::from_str(&parsed(decision.to_mcp_result())).unwrap();
        if self.era.is_some() {
            result["resultType"] = "complete".into();
        }
        let told: Value = serde_json::from_str(&timeless(&answer["result"].to_string())).unwrap();
        assert_eq!(told, result);
    }

    fn opened(&self) -> callgate_host::SharedStore {
        open_store(&self.store, &StoreOptions::new()).unwrap().namespaced(&self.name).unwrap()
    }

    fn used(&self, tool: &str) -> String {
        let mut used = Vec::new();
        let mut show = |held: callgate::store::LiveCounter| {
            if *held.counter.owner() == Owner::Tool(tool.into()) {
                used.push(held.used.to_string());
            }
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap());
        self.opened().blocking().each(now, &mut show).unwrap();
        used.pop().unwrap_or_else(|| "0".to_owned())
    }
}

/// A text with zeros in place of the seconds until a limit has room: they pass while a test runs.
fn timeless(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = ["Try again in ", "\"callgate/retry_after\":"]
        .iter()
        .filter_map(|mark| rest.find(mark).map(|at| at + mark.len()))
        .min()
    {
        out.push_str(&rest[..at]);
        out.push('0');
        rest = rest[at..].trim_start_matches(|digit: char| digit.is_ascii_digit());
    }
    out + rest
}

/// What kind of answer it is: the code, where the gateway refused.
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

#[test]
fn every_scenario_holds() {
    let mut count = 0;
    for (file, guards::File { scenarios, .. }) in guards::files() {
        for mut scenario in scenarios.into_iter().filter(|scenario| scenario.is_for(GUARD)) {
            count += 1;
            let (name, steps) = (scenario.name.clone(), std::mem::take(&mut scenario.steps));
            let mut run = Run::new(&format!("guards-{count}"), scenario);
            run.connect();
            for (index, step) in steps.iter().enumerate() {
                println!("{file}, {name}, step {index}");
                run.step(step);
            }
            if let Some(connection) = run.connection.take() {
                connection.close();
            }
        }
    }
    assert!(count > 25, "only {count} scenarios were run");
}
