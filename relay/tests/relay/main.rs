//! The relay, message by message.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail by panicking"
)]

mod callers;
mod calls;
mod envelope;
mod lists;
mod locked;
mod requests;

use callgate_relay::{
    Action, Ask, CallId, Caller, Note, Options, Peer, Refusal, Relay, Verdict, WithoutSchema,
};
use serde_json::Value;

/// A relay whose actions can be looked at by kind.
struct Subject {
    relay: Relay,
    now: u64,
    /// Of the message before.
    tag: u64,
    to_client: Vec<String>,
    to_server: Vec<String>,
    /// Of each message that was sent: to whom, the tag, and the call.
    sent: Vec<(Peer, u64, Option<CallId>)>,
    identifying: Vec<(CallId, u64, Peer)>,
    given_up: Vec<CallId>,
    asks: Vec<Ask>,
    finished: Vec<(CallId, String)>,
    notes: Vec<Note>,
}

impl Subject {
    /// No rule reads arguments, so that no call waits for a list.
    fn new() -> Self {
        Self::with(Options::new("n").reads_args(|_, _| false))
    }

    /// Every rule reads arguments.
    fn reading() -> Self {
        Self::with(Options::new("n"))
    }

    fn with(options: Options) -> Self {
        Self {
            relay: Relay::new(options),
            now: 0,
            tag: 0,
            to_client: Vec::new(),
            to_server: Vec::new(),
            sent: Vec::new(),
            identifying: Vec::new(),
            given_up: Vec::new(),
            asks: Vec::new(),
            finished: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn take(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send { to, tag, call, message } => {
                    self.sent.push((to, tag, call));
                    let text = String::from_utf8(message).unwrap();
                    match to {
                        Peer::Client => self.to_client.push(text),
                        Peer::Server => self.to_server.push(text),
                    }
                }
                Action::Decide(ask) => self.asks.push(ask),
                Action::Finish { call, outcome } => self.finished.push((call, outcome.to_string())),
                Action::Accepted { call } => self.finished.push((call, "accepted".to_owned())),
                Action::Note(note) => self.notes.push(note),
                Action::Identify { call, tag, from } => self.identifying.push((call, tag, from)),
                Action::GivenUp { call } => self.given_up.push(call),
                Action::WakeAt(_) => {}
            }
        }
    }

    fn client(&mut self, line: impl AsRef<[u8]>) {
        self.tag += 1;
        let actions = self.relay.from_client(line.as_ref(), self.tag, self.now);
        self.take(actions);
    }

    fn server(&mut self, line: &str) {
        self.tag += 1;
        let actions = self.relay.from_server(line.as_bytes(), self.tag, self.now);
        self.take(actions);
    }

    /// The newest request that is to be identified is this caller's.
    fn is_of(&mut self, caller: u64) {
        let (call, ..) = self.identifying.pop().unwrap();
        self.identified(call, caller);
    }

    fn identified(&mut self, call: CallId, caller: u64) {
        let actions = self.relay.identified(call, Caller(caller), self.now);
        self.take(actions);
    }

    fn refuse(&mut self, call: CallId) {
        let actions = self.relay.refuse(call, Refusal::new("who?"), self.now);
        self.take(actions);
    }

    fn decided(&mut self, call: CallId, verdict: Verdict) {
        let actions = self.relay.decided(call, verdict, self.now);
        self.take(actions);
    }

    /// The handshake of the older generations, and the answer to the relay's own question.
    fn connected(mut self) -> Self {
        self.client(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#);
        self.server(r#"{"jsonrpc":"2.0","id":0,"result":{"capabilities":{"tools":{"listChanged":true}}}}"#);
        self.client(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        let question: Value = serde_json::from_str(self.to_server.last().unwrap()).unwrap();
        assert_eq!(question["method"], "tools/list");
        let answer = serde_json::json!({"jsonrpc": "2.0", "id": question["id"], "result": {"tools": [
            {"name": "pay", "inputSchema": {"type": "object", "properties": {"amount": {"type": "number"}}}},
            {"name": "secret", "inputSchema": {"type": "object"}},
        ]}});
        self.server(&answer.to_string());
        self.to_client.clear();
        self.to_server.clear();
        self.sent.clear();
        self.notes.clear();
        self
    }
}

/// A call of `pay` with this id and these arguments.
fn call(id: u32, args: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"pay","arguments":{args}}}}}"#
    )
}

/// What a caller is told whom the policy refuses.
fn refusal() -> Verdict {
    Verdict::Refuse(Refusal {
        result: r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#.to_owned(),
        message: "no".to_owned(),
        data: Some(r#"{"callgate/code":"denied"}"#.to_owned()),
    })
}
