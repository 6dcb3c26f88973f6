//! The relay between a client that sends anything and a server that may read it in any way: no message that some parser reads as a call
//! passes without a decision, and what passes is what came.

use std::io::Write as _;
use std::process::{Command, Stdio};

use callgate_relay::{Action, Options, Peer, Refusal, Relay, Verdict};
use callgate_tests::messages::{Choices, message};
use serde_json::Value;

/// How many messages.
const MESSAGES: usize = 200_000;

/// Whether a parser that keeps the last of equal keys, ignores case or not, and cuts names at NUL or not, reads a call of a tool.
fn reads_as_a_call(line: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return false };
    let messages = match &value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let named = |object: &Value, name: &str, wanted: &dyn Fn(&Value) -> bool| {
        object.as_object().is_some_and(|members| {
            members.iter().any(|(key, value)| {
                let key = key.split('\0').next().unwrap_or_default().replace('\u{17f}', "s");
                key.eq_ignore_ascii_case(name) && wanted(value)
            })
        })
    };
    messages.into_iter().any(|message| {
        named(message, "method", &|method| method == "tools/call")
            && named(message, "params", &|params| named(params, "name", &|name| name == "pay"))
    })
}

/// Sends messages through a relay whose policy refuses every call. Gives those that reached the server.
fn relayed(seed: u64) -> Vec<Vec<u8>> {
    let mut relay = Relay::new(Options::new("n").reads_args(|_| false));
    // The handshake, so that the relay has asked for the server's tools before.
    relay.from_client(br#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#, 0);
    relay.from_server(br#"{"jsonrpc":"2.0","id":0,"result":{}}"#, 0);
    let asked = relay.from_client(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 0);
    let question = asked.iter().find_map(|action| match action {
        Action::Send { to: Peer::Server, message } => {
            serde_json::from_slice::<Value>(message).ok()?.get("id").cloned()
        }
        _ => None,
    });
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"tools":[]}}}}"#, question.unwrap());
    relay.from_server(answer.as_bytes(), 0);

    let mut choices = Choices(seed);
    let (mut passed, mut decided, mut calls) = (Vec::new(), 0, 0);
    for _ in 0..MESSAGES {
        let line = message(&mut choices);
        let shown = String::from_utf8_lossy(&line);
        let is_call = reads_as_a_call(&line);
        calls += usize::from(is_call);
        let mut actions = relay.from_client(&line, 0);
        let asks: Vec<_> = actions
            .iter()
            .filter_map(|action| match action {
                Action::Decide(ask) => Some(ask.call),
                _ => None,
            })
            .collect();
        decided += asks.len();
        for call in asks {
            let result = r#"{"content":[],"isError":true}"#.to_owned();
            let refusal = Refusal { result, message: "no".to_owned(), data: None };
            actions.extend(relay.decided(call, Verdict::Refuse(refusal)));
        }
        for action in actions {
            let Action::Send { to: Peer::Server, message } = action else { continue };
            assert_eq!(message, line, "{shown}");
            assert!(!is_call, "{shown}");
            // Its id is free again.
            if let Some(id) = serde_json::from_slice::<Value>(&message).unwrap().get("id") {
                let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":[]}}}}"#);
                relay.from_server(answer.as_bytes(), 0);
            }
            passed.push(message);
        }
    }
    let enough = passed.len() > MESSAGES / 50 && decided > MESSAGES / 50 && calls > 2 * decided;
    assert!(enough, "{} passed, {decided} decided, {calls} calls", passed.len());
    passed
}

/// What a parser of another language reads as a call, line by line: how many lines it read, and those that are calls.
const PYTHON: &str = "
import json, sys
read = calls = 0
for line in sys.stdin.buffer:
    try: value = json.loads(line)
    except ValueError: continue
    read += 1
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and one.get('method') == 'tools/call': calls += 1
print(read, calls)
";
const NODE: &str = "
let read = 0, calls = 0
for (const line of require('fs').readFileSync(0, 'utf8').split('\\n')) {
  let value
  try { value = JSON.parse(line) } catch { continue }
  read++
  for (const one of Array.isArray(value) ? value : [value]) if (one?.method === 'tools/call') calls++
}
console.log(read, calls)
";

#[test]
fn no_call_passes_without_a_decision_whoever_reads_it() {
    let mut lines = relayed(20_261_129).join(&b'\n');
    lines.push(b'\n');
    // The judges see a call where there is one.
    let call = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"method\":\"tools/call\"}\n";
    lines.extend_from_slice(call);
    let count = lines.iter().filter(|byte| **byte == b'\n').count();
    for (program, option, script) in [("python3", "-c", PYTHON), ("node", "-e", NODE)] {
        let mut judge = Command::new(program)
            .args([option, script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        judge.stdin.take().unwrap().write_all(&lines).unwrap();
        let output = judge.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.trim(), format!("{count} 1"), "{program}");
    }
}
