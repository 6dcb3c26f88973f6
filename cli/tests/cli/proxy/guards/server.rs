//! A server with the tools, resources and prompts of a scenario of `spec/guards`, as raw JSON-RPC on a socket.
//!
//! In: lines of a gateway. Out: answers, and what the handlers did. Must not decide anything, nor check what the gateway passes on.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use callgate_tests::guards::{self, Change, Does, Scenario, Tool};
use serde_json::{Map, Value, json};

/// What happened on the server's side.
#[derive(Default)]
pub(super) struct Happened {
    pub(super) ran: BTreeMap<String, u32>,
    /// Definitions that are others than at the beginning.
    pub(super) changes: BTreeMap<String, Change>,
    /// Handlers that wait, by the arguments of their calls.
    waiting: Vec<(Value, Sender<()>)>,
    /// States that were given, with the number of each.
    states: BTreeMap<String, u32>,
}

#[derive(Clone)]
pub(super) struct Server(Arc<Inner>);

struct Inner {
    tools: BTreeMap<String, Tool>,
    resources: Vec<String>,
    prompts: Vec<String>,
    pages: usize,
    cache: Map<String, Value>,
    happened: Mutex<Happened>,
}

/// One connection: where answers go, and requests of the server that have none yet.
#[derive(Clone)]
struct Peer {
    stream: Arc<Mutex<UnixStream>>,
    asked: Arc<Mutex<BTreeMap<u64, Sender<Value>>>>,
}

impl Server {
    /// Serves every connection to this socket, as long as the test runs.
    pub(super) fn listen(scenario: &mut Scenario, socket: &Path) -> Self {
        let server = Self(Arc::new(Inner {
            tools: std::mem::take(&mut scenario.tools),
            resources: std::mem::take(&mut scenario.resources),
            prompts: std::mem::take(&mut scenario.prompts),
            pages: scenario.pages.unwrap_or(usize::MAX),
            cache: std::mem::take(&mut scenario.cache),
            happened: Mutex::default(),
        }));
        let (listener, own) = (UnixListener::bind(socket).unwrap(), server.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let own = own.clone();
                thread::spawn(move || own.serve(stream));
            }
        });
        server
    }

    pub(super) fn happened(&self) -> MutexGuard<'_, Happened> {
        self.0.happened.lock().unwrap()
    }

    /// The handler that waits with these arguments goes on.
    pub(super) fn finish(&self, arguments: &Value) {
        let waiting = &mut self.happened().waiting;
        let at = waiting.iter().position(|(of, _)| of == arguments).unwrap();
        let _ = waiting.remove(at).1.send(());
    }

    fn serve(&self, stream: UnixStream) {
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let peer = Peer { stream: Arc::new(Mutex::new(stream)), asked: Arc::default() };
        for line in lines.map_while(Result::ok) {
            let message: Value = serde_json::from_str(&line).unwrap();
            let (server, peer) = (self.clone(), peer.clone());
            match (&message["method"], message.get("id")) {
                (Value::Null, Some(id)) => {
                    let asked = peer.asked.lock().unwrap().remove(&id.as_u64().unwrap());
                    let _ = asked.unwrap().send(message);
                }
                // A handler may wait for the client.
                (_, Some(_)) => drop(thread::spawn(move || {
                    if let Some(answer) = server.answer(&message, &peer) {
                        peer.send(&answer);
                    }
                })),
                (_, None) => {}
            }
        }
        let _ = peer.stream.lock().unwrap().shutdown(Shutdown::Both);
    }

    fn answer(&self, message: &Value, peer: &Peer) -> Option<Value> {
        let params = &message["params"];
        let is_modern = params["_meta"].get("io.modelcontextprotocol/protocolVersion").is_some();
        let answered = match message["method"].as_str().unwrap_or_default() {
            "initialize" => Ok(json!({
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {"listChanged": true}, "resources": {}, "prompts": {}},
                "serverInfo": {"name": "tests", "version": "1"},
            })),
            "ping" => Ok(json!({})),
            "tools/list" => Ok(self.page("tools", self.tools(), params)),
            "resources/list" => {
                let resource = |uri: &String| json!({"uri": uri, "name": uri});
                Ok(self.page("resources", self.0.resources.iter().map(resource).collect(), params))
            }
            "prompts/list" => {
                let prompt = |name: &String| json!({ "name": name });
                Ok(self.page("prompts", self.0.prompts.iter().map(prompt).collect(), params))
            }
            "resources/read" => {
                let uri = self.got(&params["uri"]);
                Ok(json!({"contents": [{"uri": uri, "text": uri}]}))
            }
            "prompts/get" => {
                let content = json!({"type": "text", "text": self.got(&params["name"])});
                Ok(json!({"messages": [{"role": "user", "content": content}]}))
            }
            "tools/call" => self.called(params, peer)?,
            _ => Err(json!({"code": -32601, "message": "no such method"})),
        };
        let (member, mut answer) = match answered {
            Ok(result) => ("result", result),
            Err(error) => ("error", error),
        };
        if is_modern && member == "result" && answer.get("resultType").is_none() {
            answer["resultType"] = "complete".into();
        }
        Some(json!({"jsonrpc": "2.0", "id": message["id"], member: answer}))
    }

    pub(super) fn tools(&self) -> Vec<Value> {
        guards::listed(&self.0.tools, &self.happened().changes)
    }

    /// A page of a list. A cursor is the number of its first item.
    fn page(&self, member: &str, items: Vec<Value>, params: &Value) -> Value {
        let first = params["cursor"].as_str().map_or(0, |cursor| cursor.parse().unwrap());
        let last = items.len().min(self.0.pages.saturating_add(first));
        let mut page = json!({member: items[first..last]});
        if last < items.len() {
            page["nextCursor"] = last.to_string().into();
        }
        for (name, value) in &self.0.cache {
            page[name] = value.clone();
        }
        page
    }

    /// A handler ran.
    fn got<'n>(&self, name: &'n Value) -> &'n str {
        let name = name.as_str().unwrap();
        *self.happened().ran.entry(name.to_owned()).or_default() += 1;
        name
    }

    /// The answer to a call: a result, or an error; `None` where its client will not get one.
    fn called(&self, params: &Value, peer: &Peer) -> Option<Result<Value, Value>> {
        let name = self.got(&params["name"]);
        let arguments = params["arguments"].clone();
        let said = |text: &str| json!({"content": [{"type": "text", "text": text}]});
        let mut answer = said(&arguments.to_string());
        let tool = &self.0.tools[name];
        if tool.output.is_some() {
            answer["structuredContent"] = arguments.clone();
        }
        Some(Ok(match tool.does {
            Does::Answer => answer,
            Does::ToolError => {
                answer["isError"] = true.into();
                answer
            }
            Does::Raise | Does::ProtocolError => {
                return Some(Err(json!({"code": -32603, "message": "the tool failed"})));
            }
            Does::InvalidResult => json!({"content": 5}),
            Does::Wait => {
                let finished = self.wait(arguments);
                finished.recv().ok()?;
                answer
            }
            Does::Ask(times) => self.question(times, params["requestState"].as_str()).unwrap_or(answer),
            Does::Settle => panic!("a gateway's server knows of no charge"),
            Does::Sample => said(&peer.sampled()),
            Does::Dispatch => {
                let inner = json!({"name": arguments["name"], "arguments": arguments["arguments"]});
                return self.called(&inner, peer);
            }
        }))
    }

    fn wait(&self, arguments: Value) -> Receiver<()> {
        let (sender, finished) = mpsc::channel();
        self.happened().waiting.push((arguments, sender));
        finished
    }

    /// The question of a tool that asks, as long as it has one.
    fn question(&self, times: u32, state: Option<&str>) -> Option<Value> {
        let states = &mut self.happened().states;
        let number = state.and_then(|state| states.get(state).copied()).unwrap_or(0);
        if number >= times {
            return None;
        }
        let state = format!("state {}", states.len());
        states.insert(state.clone(), number + 1);
        let schema = json!({"type": "object", "properties": {"which": {"type": "string"}}});
        let params = json!({"mode": "form", "message": "Which?", "requestedSchema": schema});
        let which = json!({"which": {"method": "elicitation/create", "params": params}});
        Some(json!({"resultType": "input_required", "inputRequests": which, "requestState": state}))
    }
}

impl Peer {
    /// A peer that is gone takes nothing.
    fn send(&self, message: &Value) {
        let _ = self.stream.lock().unwrap().write_all(format!("{message}\n").as_bytes());
    }

    /// What the client is told to sample, or why not.
    fn sampled(&self) -> String {
        let (sender, answer) = mpsc::channel();
        let id = {
            let mut asked = self.asked.lock().unwrap();
            let id = asked.last_key_value().map_or(0, |(id, _)| id + 1);
            asked.insert(id, sender);
            id
        };
        let message = json!({"role": "user", "content": {"type": "text", "text": "Say something"}});
        let params = json!({"messages": [message], "maxTokens": 10});
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": "sampling/createMessage", "params": params}));
        let answer = answer.recv().unwrap();
        let text = answer["result"]["content"]["text"].as_str().or(answer["error"]["message"].as_str());
        text.unwrap().to_owned()
    }
}
