//! Any order of messages, identities, decisions and endings: nothing reaches the server or the client that was to be decided and was not
//! allowed.
//!
//! In: bytes, each a choice. Out: a panic at the first thing that passes and should not. Must not know how the relay keeps its promises.

use std::collections::HashMap;

use callgate_relay::{Action, Ask, CallId, Caller, Options, Peer, Refusal, Relay, Verdict, WithoutSchema};
use serde_json::{Value, json};

use crate::messages::Choices;

/// Whose policy decides requests of other methods, and hides a tool. The other caller's does neither.
const STRICT: Caller = Caller(1);
const IDS: [&str; 5] = ["1", "\"1\"", "2", "\"a\"", "3"];
const TOOLS: [&str; 4] = ["pay", "run", "secret", "unlisted"];
const ARGS: [&str; 4] = ["{}", r#"{"a":1}"#, r#"{ "a" : 1 }"#, r#"{"a":2}"#];
const DECIDED: [&str; 5] =
    ["resources/read", "resources/subscribe", "sampling/createMessage", "roots/list", "elicitation/create"];
const STATES: [&str; 2] = ["s", "t"];

/// Choices, until there are no more.
struct Script<'b>(&'b [u8]);

impl Script<'_> {
    fn below(&mut self, most: usize) -> usize {
        let (byte, rest) = self.0.split_first().map_or((0, self.0), |(byte, rest)| (*byte, rest));
        self.0 = rest;
        usize::from(byte) % most
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A call that was asked about.
struct Known {
    ask: Ask,
    /// It may be sent: once.
    may_pass: bool,
    allowed: bool,
    ended: bool,
}

struct World<'b> {
    script: Script<'b>,
    relay: Relay,
    now: u64,
    /// Every message that came, by its tag less one.
    lines: Vec<String>,
    /// The call within which a message came.
    within: HashMap<u64, CallId>,
    /// What is to be identified, with the tag, and for whom it was.
    unidentified: Vec<(CallId, u64)>,
    callers: HashMap<CallId, Caller>,
    /// The caller of each message of the client that was identified.
    senders: HashMap<u64, Caller>,
    calls: HashMap<CallId, Known>,
    /// Calls that were asked about because of a message of the server.
    inputs: HashMap<u64, Vec<CallId>>,
    /// The call that runs under an id, as the server knows it, and the tag of its message.
    runs: HashMap<String, (Option<CallId>, u64)>,
    rounds: HashMap<String, CallId>,
    inner: HashMap<CallId, (String, Value)>,
    /// How many requests of the client had an id, and how many answers it got.
    asked: HashMap<String, usize>,
    questions: Vec<String>,
}

/// Runs a sequence.
pub fn nothing_passes_that_was_not_allowed(bytes: &[u8]) {
    let (_, choices) = bytes.split_at(bytes.len().min(1));
    let unlisted = bytes.first().is_some_and(|byte| byte % 2 == 1);
    let options = Options::new("n")
        .identifies(true)
        .without_schema(if unlisted { WithoutSchema::AllowUnlisted } else { WithoutSchema::Allow })
        .reads_args(move |_, tool| unlisted && tool != "run")
        .visible(|caller, tool| caller != STRICT || tool != "secret")
        .by_caller(|_| true)
        .decides(|caller, method| {
            caller.is_none_or(|caller| caller == STRICT) && (method.is_empty() || DECIDED.contains(&method))
        })
        .shows(|_, _, params| !params.contains("secret"));
    let mut world = World {
        script: Script(choices),
        relay: Relay::new(options),
        now: 0,
        lines: Vec::new(),
        within: HashMap::new(),
        unidentified: Vec::new(),
        callers: HashMap::new(),
        senders: HashMap::new(),
        calls: HashMap::new(),
        inputs: HashMap::new(),
        runs: HashMap::new(),
        rounds: HashMap::new(),
        inner: HashMap::new(),
        asked: HashMap::new(),
        questions: Vec::new(),
    };
    while !world.script.0.is_empty() {
        world.step();
    }
    world.end();
}

impl World<'_> {
    fn step(&mut self) {
        self.now += 1_000 * self.script.below(2) as u64;
        match self.script.below(16) {
            0..=3 => self.client_calls(),
            4 => self.client_asks(),
            5 => self.client_tells(),
            6..=7 => self.server_answers(),
            8 => self.server_asks(),
            9..=11 => self.identify(),
            12..=13 => self.decide(),
            14 => self.refuse_or_unsent(),
            _ => self.others(),
        }
    }

    fn tag(&self) -> u64 {
        self.lines.len() as u64
    }

    fn client(&mut self, line: String, id: Option<&str>) {
        if let Some(id) = id {
            *self.asked.entry(id.to_owned()).or_default() += 1;
        }
        self.lines.push(line.clone());
        let tag = self.tag();
        let actions = match self.any_call().filter(|_| self.script.below(4) == 0) {
            Some(outer) => {
                self.within.insert(tag, outer);
                self.relay.from_within(line.as_bytes(), tag, outer, self.now)
            }
            None => self.relay.from_client(line.as_bytes(), tag, self.now),
        };
        self.take(actions, None);
    }

    fn client_calls(&mut self) {
        let (id, tool, args) = (self.script.of(&IDS), self.script.of(&TOOLS), self.script.of(&ARGS));
        let more = match self.script.below(4) {
            0 => format!(r#","requestState":"{}""#, self.script.of(&STATES)),
            1 => {
                [r#","task":{}"#, r#","Name":"secret""#, r#","name":"pay""#][self.script.below(3)].to_owned()
            }
            _ => String::new(),
        };
        let params = format!(r#"{{"name":"{tool}","arguments":{args}{more}}}"#);
        self.client(
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#),
            Some(id),
        );
    }

    fn client_asks(&mut self) {
        let id = self.script.of(&IDS);
        let (method, params) = self.script.of(&[
            ("tools/list", "{}"),
            ("resources/list", "{}"),
            ("resources/read", r#"{"uri":"a:b"}"#),
            ("resources/subscribe", r#"{"uri":"a:b"}"#),
            ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":["a:b","a:c"]}}"#),
            ("initialize", "{}"),
            ("tasks/get", "{}"),
            ("ping", "{}"),
        ]);
        self.client(
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#),
            Some(id),
        );
    }

    fn client_tells(&mut self) {
        let id = self.script.of(&IDS);
        let line = match self.script.below(6) {
            0 => r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"pay"}}"#.to_owned(),
            1 => r#"{"jsonrpc":"2.0","method":"resources/read","params":{"uri":"a:b"}}"#.to_owned(),
            2 => r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
            3 => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#),
            _ => {
                format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
                )
            }
        };
        self.client(line, None);
    }

    fn server(&mut self, line: String) {
        self.lines.push(line.clone());
        let tag = self.tag();
        let actions = self.relay.from_server(line.as_bytes(), tag, self.now);
        self.take(actions, Some(tag));
    }

    fn server_answers(&mut self) {
        let question = self.questions.pop().filter(|_| self.script.below(3) == 0);
        if let Some(id) = question {
            let result = self.script.of(&[
                r#""result":{"tools":[{"name":"pay"},{"name":"run"},{"name":"secret"}]}"#,
                r#""result":{"tools":[{"name":"pay"}],"nextCursor":"c"}"#,
                r#""result":{"tools":7}"#,
                r#""error":{"code":1,"message":""}"#,
            ]);
            return self.server(format!(r#"{{"jsonrpc":"2.0","id":{id},{result}}}"#));
        }
        let id = self.script.of(&IDS);
        let answer = match self.script.below(9) {
            0 => r#""error":{"code":-32602,"message":"no"}"#.to_owned(),
            1 => {
                r#""error":{"code":-32042,"message":"","data":{"elicitations":[{"mode":"url"}]}}"#.to_owned()
            }
            2 => r#""result":{"content":[],"isError":true}"#.to_owned(),
            3 => r#""result":{"resultType":"task"}"#.to_owned(),
            4 => r#""result":{"tools":[{"name":"pay"},{"name":"secret"}]}"#.to_owned(),
            5 => r#""result":{},"Result":{}"#.to_owned(),
            6 | 7 => {
                let state = self.script.of(&STATES);
                if let Some((Some(call), _)) = self.runs.get(id) {
                    self.rounds.insert(state.to_owned(), *call);
                }
                let inputs = self
                    .script
                    .of(&["", r#","inputRequests":{"a":{"method":"roots/list"},"b":{"method":"ping"}}"#]);
                format!(r#""result":{{"resultType":"input_required","requestState":"{state}"{inputs}}}"#)
            }
            _ => r#""result":{}"#.to_owned(),
        };
        self.server(format!(r#"{{"jsonrpc":"2.0","id":{id},{answer}}}"#));
    }

    fn server_asks(&mut self) {
        let id = self.script.of(&IDS);
        let line = match self.script.below(6) {
            0 => r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#.to_owned(),
            1 => r#"{"jsonrpc":"2.0","method":"sampling/createMessage","params":{}}"#.to_owned(),
            2 => {
                r#"{"jsonrpc":"2.0","method":"notifications/tasks","params":{"inputRequests":{}}}"#.to_owned()
            }
            3 => {
                format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
                )
            }
            4 => format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#),
            _ => format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"sampling/createMessage","params":{{}}}}"#),
        };
        self.server(line);
    }

    /// Some call, known or not.
    fn any_call(&mut self) -> Option<CallId> {
        let most = self.callers.len() + self.unidentified.len() + 2;
        (most > 2).then(|| CallId::of(self.script.below(most) as u64))
    }

    fn identify(&mut self) {
        let caller = Caller(1 + self.script.below(2) as u64);
        let call = if self.unidentified.is_empty() {
            let Some(call) = self.any_call() else { return };
            call
        } else {
            let at = self.script.below(self.unidentified.len());
            let (call, tag) = self.unidentified.swap_remove(at);
            self.callers.insert(call, caller);
            self.senders.insert(tag, caller);
            call
        };
        let actions = self.relay.identified(call, caller, self.now);
        self.take(actions, None);
    }

    fn decide(&mut self) {
        let waits: Vec<CallId> = {
            let mut waits: Vec<_> =
                self.calls.iter().filter(|(_, known)| !known.ended && !known.allowed).collect();
            waits.sort_by_key(|(call, _)| **call);
            waits.into_iter().map(|(call, _)| *call).collect()
        };
        let call = if waits.is_empty() || self.script.below(8) == 0 {
            let Some(call) = self.any_call() else { return };
            call
        } else {
            self.script.of(&waits)
        };
        let choice = self.script.below(8);
        let verdict = match choice {
            0 | 1 => Verdict::Refuse(Refusal::new("no")),
            2 => Verdict::Answer("{}".to_owned()),
            3 => Verdict::AllowWith { tool: "pay".to_owned(), args: r#"{"a":1}"#.to_owned() },
            _ => Verdict::Allow,
        };
        // What was not asked about cannot be allowed.
        if let Some(known) = self.calls.get_mut(&call)
            && choice > 2
            && !known.allowed
            && !known.ended
        {
            (known.may_pass, known.allowed) = (true, true);
            if choice == 3 {
                self.inner.insert(call, ("pay".to_owned(), json!({"a": 1})));
            }
        }
        let actions = self.relay.decided(call, verdict, self.now);
        self.take(actions, None);
    }

    fn refuse_or_unsent(&mut self) {
        let Some(call) = self.any_call() else { return };
        let actions = if self.script.below(2) == 0 {
            self.relay.unsent(call)
        } else {
            self.relay.refuse(call, Refusal::new("who?"), self.now)
        };
        self.take(actions, None);
    }

    fn others(&mut self) {
        let actions = match self.script.below(8) {
            0 => self.relay.client_closed(),
            1 => self.relay.server_closed("gone"),
            2 | 3 => {
                self.now += 700_000;
                self.relay.wake(self.now)
            }
            _ => self.relay.reloaded(|caller| caller == STRICT, |tool| tool == "secret"),
        };
        self.take(actions, None);
    }

    fn end(&mut self) {
        for actions in [self.relay.client_closed(), self.relay.server_closed("gone")] {
            self.take(actions, None);
        }
        let mut open: Vec<_> = self.calls.keys().copied().collect();
        open.sort();
        for call in open {
            if !self.calls[&call].ended {
                let actions = self.relay.decided(call, Verdict::Allow, self.now);
                self.take(actions, None);
            }
            assert!(self.calls[&call].ended, "{call:?} never ends");
        }
        assert_eq!((self.relay.waiting_bytes(), self.relay.deciding_bytes()), (0, 0));
    }

    /// `server` is the tag of the server's message that led to this.
    fn take(&mut self, actions: Vec<Action>, server: Option<u64>) {
        for action in actions {
            match action {
                Action::Send { to: Peer::Server, tag, call, message } => {
                    self.reaches_server(tag, call, &message)
                }
                Action::Send { to: Peer::Client, tag, call, message } => {
                    self.reaches_client(tag, call, &message)
                }
                Action::Identify { call, tag, .. } => {
                    self.unidentified.push((call, tag));
                    self.inputs.entry(server.unwrap_or_default()).or_default().push(call);
                }
                Action::Decide(ask) => {
                    let call = ask.call;
                    if let Some(server) = server {
                        self.inputs.entry(server).or_default().push(call);
                    }
                    let known = Known { ask, may_pass: false, allowed: false, ended: false };
                    assert!(self.calls.insert(call, known).is_none(), "{call:?} is decided twice");
                }
                Action::Finish { call, .. } | Action::Accepted { call } => {
                    if let Some(known) = self.calls.get_mut(&call) {
                        assert!(!std::mem::replace(&mut known.ended, true), "{call:?} ends twice");
                    }
                }
                Action::GivenUp { .. } | Action::WakeAt(_) | Action::Note(_) => {}
            }
        }
    }

    fn reaches_server(&mut self, tag: u64, call: Option<CallId>, message: &[u8]) {
        let text = std::str::from_utf8(message).unwrap();
        let value: Value = serde_json::from_str(text).unwrap();
        let Some(method) = value["method"].as_str() else { return };
        if let Some(id) = value["id"].as_str().filter(|id| id.starts_with("callgate-n-")) {
            assert_eq!(method, "tools/list");
            return self.questions.push(format!("\"{id}\""));
        }
        assert_eq!(text, self.lines[tag as usize - 1], "what was judged is not what is sent");
        let sender = self.senders.get(&tag).copied();
        let is_decided = DECIDED.contains(&method) && sender != Some(Caller(2));
        if method == "tools/call" || is_decided {
            let call = call.unwrap_or_else(|| panic!("undecided: {text}"));
            assert!(self.may_pass(tag, call, &value, sender), "not allowed: {text}");
            self.runs.insert(value["id"].to_string(), (Some(call), tag));
            return;
        }
        if method == "subscriptions/listen" && sender != Some(Caller(2)) {
            let named = value["params"]["notifications"]["resourceSubscriptions"].as_array().unwrap();
            for uri in named {
                let allowed = self.calls.values().any(|known| {
                    let args: Value = serde_json::from_str(known.ask.args.as_deref().unwrap()).unwrap();
                    known.ask.tag == tag && known.allowed && args == json!({"uri": uri})
                });
                assert!(allowed, "undecided: {uri} of {text}");
            }
        }
        if method == "tools/list" {
            assert!(sender.is_some(), "a list for nobody");
        }
        if !value["id"].is_null() {
            self.runs.insert(value["id"].to_string(), (None, tag));
        }
    }

    fn may_pass(&mut self, tag: u64, call: CallId, value: &Value, sender: Option<Caller>) -> bool {
        let params = &value["params"];
        let same = |known: &Known| {
            let args: Value = serde_json::from_str(known.ask.args.as_deref().unwrap_or("{}")).unwrap();
            let sent = if known.ask.tool.is_some() { &params["arguments"] } else { params };
            known.ask.tool.as_deref() == params["name"].as_str()
                && args == *sent
                && Some(known.ask.caller) == sender
                && known.ask.from == Peer::Client
        };
        if let Some(known) = self.calls.get_mut(&call)
            && std::mem::take(&mut known.may_pass)
        {
            return !known.ended && known.ask.tag == tag && same(known);
        }
        // A round that goes on.
        let state = params["requestState"].as_str().and_then(|state| self.rounds.get(state));
        if state == Some(&call) {
            return self.calls.get(&call).is_some_and(|known| known.allowed && !known.ended && same(known));
        }
        // A call within another.
        let Some(outer) = self.within.get(&tag) else { return false };
        let Some((tool, args)) = self.inner.remove(outer) else { return false };
        let outer = &self.calls[outer];
        outer.allowed
            && !outer.ended
            && Some(outer.ask.caller) == sender
            && params["name"] == *tool
            && params["arguments"] == args
    }

    fn reaches_client(&mut self, tag: u64, call: Option<CallId>, message: &[u8]) {
        let text = std::str::from_utf8(message).unwrap();
        let value: Value = serde_json::from_str(text).unwrap();
        // Of each request for something that is decided, it was allowed, or it is for whom nothing is.
        let all_allowed = |world: &Self| {
            world.inputs.get(&tag).is_some_and(|calls| {
                calls.iter().all(|call| {
                    world.callers.get(call) == Some(&Caller(2))
                        || world.calls.get(call).is_some_and(|known| known.allowed)
                })
            })
        };
        if let Some(method) = value["method"].as_str() {
            assert!(value["params"].get("inputRequests").is_none(), "{text}");
            if DECIDED.contains(&method) {
                assert!(!value["id"].is_null() && all_allowed(self), "undecided: {text}");
                let allowed = call.is_none_or(|call| self.calls[&call].allowed);
                assert!(allowed, "not allowed: {text}");
            }
            return;
        }
        let id = value["id"].to_string();
        if !value["id"].is_null() {
            let left = self.asked.get_mut(&id).unwrap_or_else(|| panic!("nobody asked: {text}"));
            *left = left.checked_sub(1).unwrap_or_else(|| panic!("answered twice: {text}"));
        }
        let (asker, is_call) = match self.runs.get(&id) {
            Some((call, of)) => (self.senders.get(of).copied(), call.is_some()),
            None => (None, false),
        };
        let asks = value["result"].get("inputRequests").is_some()
            || value["error"]["data"].get("elicitations").is_some();
        if asks && asker != Some(Caller(2)) {
            assert!(all_allowed(self), "undecided: {text}");
        }
        let is_hidden = |tool: &Value| tool["name"] == "secret";
        if !is_call
            && asker == Some(STRICT)
            && let Some(of) = self.runs.get(&id)
            && self.lines[of.1 as usize - 1].contains("tools/list")
        {
            let tools = value["result"]["tools"].as_array();
            assert!(!tools.is_some_and(|tools| tools.iter().any(is_hidden)), "{text}");
        }
    }
}

/// Runs so many sequences, made at random.
pub fn random(count: u64, seed: u64) {
    let mut choices = Choices(seed);
    for _ in 0..count {
        let bytes: Vec<u8> = (0..choices.below(200)).map(|_| choices.below(256) as u8).collect();
        nothing_passes_that_was_not_allowed(&bytes);
    }
}
