//! A client's messages through the relay, under the policy of [`crate::messages`]; and how parsers read them.
//!
//! In: lines. Out: those that reach the server. Must not tell the relay more than a gateway does.

use callgate::{Call, Engine, Policy};
use callgate_relay::{Action, Options, Peer, Refusal, Relay, Verdict};
use serde_json::Value;

use crate::messages::{POLICY, TOOLS};

/// A relay behind its handshake, whose server answers every request at once.
pub struct Relayed {
    relay: Relay,
    engine: Engine,
    /// Calls that were decided.
    pub decided: usize,
}

impl Default for Relayed {
    fn default() -> Self {
        let policy = Policy::from_json(POLICY).unwrap();
        let of_arguments = policy.clone();
        let options = Options::new("n").reads_args(move |_, tool| of_arguments.reads_args(tool));
        let mut this = Self { relay: Relay::new(options), engine: Engine::new(policy), decided: 0 };
        this.forwarded(br#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#);
        this.forwarded(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        this
    }
}

impl Relayed {
    /// What reaches the server of a line, other than the relay's own question.
    pub fn forwarded(&mut self, line: &[u8]) -> Vec<Vec<u8>> {
        let mut actions = self.relay.from_client(line, 0, 0);
        let mut forwarded = Vec::new();
        while !actions.is_empty() {
            let mut next = Vec::new();
            for action in actions {
                match action {
                    Action::Decide(ask) => {
                        self.decided += 1;
                        let call = Call::new(
                            ask.tool.as_deref().unwrap_or_default(),
                            ask.args.as_deref().unwrap_or("{}"),
                        );
                        let call = call.checked(&ask.check);
                        let verdict = match self.engine.decide_json(&call).to_mcp_result() {
                            None => Verdict::Allow,
                            Some(result) => {
                                Verdict::Refuse(Refusal { result, message: "no".to_owned(), data: None })
                            }
                        };
                        next.extend(self.relay.decided(ask.call, verdict, 0));
                    }
                    Action::Send { to: Peer::Server, message, .. } => {
                        next.extend(self.answered(&message));
                        if line == message {
                            forwarded.push(message);
                        } else {
                            assert!(is_own_question(&message), "{}", String::from_utf8_lossy(&message));
                        }
                    }
                    _ => {}
                }
            }
            actions = next;
        }
        forwarded
    }

    /// The server's answer, so that the id is free again.
    fn answered(&mut self, message: &[u8]) -> Vec<Action> {
        let message: Value = serde_json::from_slice(message).unwrap();
        let Some(id) = message.get("id") else { return Vec::new() };
        self.relay.from_server(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{TOOLS}}}"#).as_bytes(), 0, 0)
    }
}

fn is_own_question(message: &[u8]) -> bool {
    message.starts_with(br#"{"jsonrpc":"2.0","id":"callgate-n-"#)
}

/// Whether `serde_json` reads a call that is denied.
pub fn reads_as_denied(line: &[u8]) -> bool {
    denied(line, &|object, name, wanted| object.get(name).is_some_and(wanted))
}

/// Whether a server that ends lines at a carriage return, whose parser ignores case, or cuts names at NUL, reads a call that is denied.
pub fn may_read_as_denied(line: &[u8]) -> bool {
    let parts = line.split(|byte| *byte == b'\r').filter(|part| part.len() < line.len());
    parts.chain([line]).any(may_read_part_as_denied)
}

fn may_read_part_as_denied(line: &[u8]) -> bool {
    denied(line, &|object, name, wanted| {
        object.as_object().is_some_and(|members| {
            members.iter().any(|(key, value)| {
                let key = key.split('\0').next().unwrap_or_default().replace('\u{17f}', "s");
                key.eq_ignore_ascii_case(name) && wanted(value)
            })
        })
    })
}

/// Whether an object has a member of a name, as some parser reads it, whose value is as wanted.
type Member<'m> = &'m dyn Fn(&Value, &str, &dyn Fn(&Value) -> bool) -> bool;

fn denied(line: &[u8], member: Member<'_>) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return false };
    let messages = match &value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let is_large = |amount: &Value| amount.as_f64().is_some_and(|amount| amount >= 9.0);
    messages.into_iter().any(|message| {
        member(message, "method", &|method| method == "tools/call")
            && member(message, "params", &|params| {
                member(params, "name", &|name| name == "pay")
                    || member(params, "name", &|name| name == "get")
                        && member(params, "arguments", &|args| member(args, "amount", &is_large))
            })
    })
}
