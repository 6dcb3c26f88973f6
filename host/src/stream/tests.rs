//! The relay as other languages see it.

use callgate::{Call, Outcome};
use serde_json::json;

use super::*;

const POLICY: &str = "
version: '1'
default: deny
list: callable
hide: [secret]
requests: {default: deny}
dispatchers: {run: {tool: args.tool, args: args.with}}
tools:
  pay: {rules: [{conditions: [{path: identity.role, op: eq, value: admin}]}]}
  get: {}
  run: {}
";

fn engine(policy: &str) -> Arc<callgate::Engine> {
    Arc::new(callgate::Engine::new(Policy::from_yaml(policy).unwrap()))
}

fn list(id: u32) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"}).to_string()
}

fn call(id: u32, tool: &str, args: &serde_json::Value) -> String {
    let params = json!({"name": tool, "arguments": args});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
}

/// The call that is to be identified last.
fn to_identify(steps: &[Step]) -> u64 {
    steps
        .iter()
        .rev()
        .find_map(|step| match step {
            Step::Identify { call, .. } => Some(*call),
            _ => None,
        })
        .unwrap()
}

fn to_decide(mut steps: Vec<Step>) -> Box<Decide> {
    match steps.pop() {
        Some(Step::Decide(ask)) => ask,
        other => panic!("{other:?} after {steps:?}"),
    }
}

fn to_client(steps: &[Step]) -> Vec<&str> {
    let messages = steps.iter().filter_map(|step| match step {
        Step::ToClient { message, .. } => Some(&**message),
        _ => None,
    });
    messages.collect()
}

fn to_server(steps: &[Step]) -> Vec<&str> {
    let messages = steps.iter().filter_map(|step| match step {
        Step::ToServer { message, .. } => Some(&**message),
        _ => None,
    });
    messages.collect()
}

/// Behind the handshake, with the server's list known.
fn connected(engine: Option<Arc<callgate::Engine>>) -> Stream<callgate::Engine> {
    let mut stream = Stream::new(engine, Options::new());
    stream.from_client(r#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#, 1, 0);
    stream.from_server(
        r#"{"jsonrpc":"2.0","id":0,"result":{"capabilities":{"tools":{"listChanged":true}}}}"#,
        2,
        0,
    );
    let steps = stream.from_client(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 3, 0);
    let question: serde_json::Value = serde_json::from_str(to_server(&steps)[1]).unwrap();
    let schema = json!({"type": "object", "properties": {"amount": {"type": "number"}}});
    let tools = ["pay", "get", "secret", "run"].map(|name| json!({"name": name, "inputSchema": schema}));
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"tools": tools}});
    let steps = stream.from_server(&answer.to_string(), 4, 0);
    assert!(matches!(&steps[..], [Step::Note(Note::Listed(tools))] if tools.len() == 4), "{steps:?}");
    stream
}

fn listed(
    stream: &mut Stream<callgate::Engine>,
    identity: Option<&str>,
    of: &Arc<callgate::Engine>,
) -> String {
    let steps = stream.from_client(&list(5), 5, 0);
    let steps = stream.identified(to_identify(&steps), identity, of, 0);
    assert_eq!(to_server(&steps), [list(5)]);
    let tools = ["pay", "get", "secret"].map(|name| json!({"name": name}));
    let answer = json!({"jsonrpc": "2.0", "id": 5, "result": {"tools": tools}}).to_string();
    let steps = stream.from_server(&answer, 6, 0);
    let told: serde_json::Value = serde_json::from_str(to_client(&steps)[0]).unwrap();
    let names = told["result"]["tools"].as_array().unwrap().iter();
    names.map(|tool| tool["name"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_caller_sees_what_it_may_call() {
    let engine = engine(POLICY);
    let mut stream = connected(Some(engine.clone()));
    let admin = r#"{"id":"a","role":"admin"}"#;
    for (identity, names) in [
        (Some(admin), "pay get"),
        (Some(r#""alice""#), "get"),
        (Some("null"), "get"),
        (None, "get"),
        // No identity: nothing can be called.
        (Some("7"), ""),
        (Some("{"), ""),
    ] {
        assert_eq!(listed(&mut stream, identity, &engine), names, "{identity:?}");
    }
    // Equal ones are one, and nobody is nobody.
    let numbers = [Some(admin), Some(admin), None, Some("null")].map(|identity| {
        let steps = stream.from_client(&call(7, "get", &json!({})), 7, 0);
        let ask = to_decide(stream.identified(to_identify(&steps), identity, &engine, 0));
        stream.decided(ask.call, None, None, 0);
        ask.caller
    });
    assert!(numbers[0] == numbers[1] && numbers[2] == numbers[3] && numbers[0] != numbers[2], "{numbers:?}");
}

#[test]
fn a_decision_or_a_text_is_what_the_client_is_told() {
    let engine = engine(POLICY);
    let mut stream = connected(Some(engine.clone()));
    let mut told = |said, decided: bool| {
        let steps = stream.from_client(&call(1, "drop", &json!({})), 9, 0);
        let ask = to_decide(stream.identified(to_identify(&steps), None, &engine, 0));
        assert_eq!((ask.tag, ask.tool.as_deref(), ask.args.as_deref()), (9, Some("drop"), Some("{}")));
        let decision = engine.decide_json(&Call::new("drop", "{}").checked(&ask.check));
        let steps = stream.decided(ask.call, decided.then_some(&decision), said, 0);
        let [Step::Finish { outcome: Outcome::NotRun, .. }, Step::ToClient { tag: 9, message, .. }] =
            &steps[..]
        else {
            panic!("{steps:?}")
        };
        serde_json::from_str::<serde_json::Value>(message).unwrap()["result"].clone()
    };
    let plain = told(None, true);
    assert_eq!(plain["_meta"], json!({"callgate/code": "not_listed"}));
    let text = plain["content"][0]["text"].as_str().unwrap().to_owned();
    let filed = told(Some(("It waits.", Some("a-1"))), true);
    assert_eq!(filed["content"][0]["text"], format!("{text}\nIt waits."));
    assert_eq!(filed["_meta"], json!({"callgate/code": "not_listed", "callgate/approval_id": "a-1"}));
    assert_eq!(told(Some(("Later.", None)), true)["_meta"], plain["_meta"]);
    let unchecked = told(None, false);
    assert_eq!(unchecked["content"][0]["text"], "The call could not be checked against the policy");

    let steps = stream.from_client(&call(2, "get", &json!({})), 10, 0);
    let steps = stream.refuse(to_identify(&steps), "Who are you?", 0);
    assert!(to_client(&steps)[0].contains("Who are you?") && steps.len() == 1, "{steps:?}");
}

/// The schema that the server lists goes on to the engine.
#[test]
fn arguments_are_checked_by_the_servers_own_schema() {
    let engine = engine(
        "{version: '1', default: deny, tools: {pay: {rules: [{conditions: [{path: args.amount, op: lt, value: 5}]}]}}}",
    );
    let mut stream = connected(Some(engine.clone()));
    for (args, allowed) in [(json!({"amount": 1}), true), (json!({"amount": 1, "Amount": 9}), false)] {
        let steps = stream.from_client(&call(1, "pay", &args), 9, 0);
        let ask = to_decide(stream.identified(to_identify(&steps), None, &engine, 0));
        let args = ask.args.as_deref().unwrap();
        let decision = engine.decide_json(&Call::new("pay", args).checked(&ask.check));
        assert_eq!(decision.allowed(), allowed, "{args}");
        let steps = stream.decided(ask.call, Some(&decision), None, 0);
        assert_eq!(to_server(&steps).len(), usize::from(allowed));
        stream.from_server(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 10, 0);
    }
}

/// A guard hears of it by its subscription.
#[test]
fn a_reload_is_told_where_a_known_caller_sees_another_list() {
    let (engine, other) = (engine(POLICY), engine(POLICY));
    let mut stream = connected(None);
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    let reload = |stream: &mut Stream<_>, of: &callgate::Engine, text: &str| {
        of.replace(Policy::from_yaml(text).unwrap());
        to_client(&stream.reloaded()).iter().filter(|told| **told == changed).count()
    };
    let hides_get = POLICY.replace("hide: [secret]", "hide: [secret, get]");
    assert_eq!(reload(&mut stream, &engine, &hides_get), 0, "nobody saw it");
    assert_eq!(listed(&mut stream, Some(r#""alice""#), &other), "get");
    assert_eq!(reload(&mut stream, &engine, POLICY), 0, "another engine's");
    assert_eq!(reload(&mut stream, &other, &hides_get), 1);
    assert_eq!(listed(&mut stream, Some(r#""alice""#), &other), "");
    assert_eq!(reload(&mut stream, &other, &hides_get.replace("pay", "lay")), 0, "alice never saw it");
    assert_eq!(reload(&mut stream, &other, POLICY), 1);
    assert!(stream.reloaded().is_empty(), "nothing was replaced");
}

/// Where each caller has an engine of its own, what is decided is known with the caller alone.
#[test]
fn requests_are_decided_by_the_callers_engine() {
    let (strict, open) = (engine(POLICY), engine("{version: '1', default: allow}"));
    let read = r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b"}}"#;
    let mut stream = connected(None);
    let steps = stream.from_client(read, 5, 0);
    assert_eq!(to_server(&steps).len(), 0);
    let steps = stream.identified(to_identify(&steps), None, &open, 0);
    assert_eq!(to_server(&steps), [read]);
    stream.from_server(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 6, 0);
    let steps = stream.from_client(read, 7, 0);
    let ask = to_decide(stream.identified(to_identify(&steps), None, &strict, 0));
    assert_eq!((&*ask.method, ask.tool), ("resources/read", None));
    // A handshake asks nobody.
    let steps = stream.from_client(r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#, 8, 0);
    assert_eq!(to_server(&steps).len(), 1);
    // With one engine for all, what it does not decide passes at once.
    let mut stream = connected(Some(open));
    assert_eq!(to_server(&stream.from_client(read, 5, 0)), [read]);
}

/// Spec 3.11.
#[test]
fn the_call_in_a_dispatchers_arguments_passes_with_it_once() {
    let engine = engine(POLICY);
    let mut stream = connected(Some(engine.clone()));
    let args = json!({"tool": "get", "with": {"b": 1, "a": 2.0}});
    let steps = stream.from_client(&call(1, "run", &args), 5, 0);
    let ask = to_decide(stream.identified(to_identify(&steps), None, &engine, 0));
    let text = ask.args.clone().unwrap();
    let decision = engine.decide_json(&Call::new("run", &*text).checked(&ask.check));
    assert!(decision.allowed() && to_server(&stream.decided(ask.call, Some(&decision), None, 0)).len() == 1);
    let outer = ask.call;
    for times in [1, 0] {
        let inner = call(2, "get", &json!({"a": 2, "b": 1}));
        let steps = stream.from_within(&inner, 6, outer, 0);
        let steps = stream.identified(to_identify(&steps), None, &engine, 0);
        assert_eq!(to_server(&steps).len(), times, "{steps:?}");
        if times == 1 {
            stream.from_server(r#"{"jsonrpc":"2.0","id":2,"result":{}}"#, 7, 0);
        }
    }
}

/// Who calls once is not known for ever, and who waits is not forgotten.
#[test]
fn callers_that_wait_for_nothing_are_forgotten_where_there_are_many() {
    let engine = engine(POLICY);
    let mut stream = connected(Some(engine.clone()));
    let identify = |stream: &mut Stream<_>, id: u32| {
        let steps = stream.from_client(&call(id, "get", &json!({})), 5, 0);
        to_decide(stream.identified(to_identify(&steps), Some(&format!("\"{id}\"")), &engine, 0))
    };
    let waits = identify(&mut stream, 1_000_000);
    for id in 0..2_500 {
        let ask = identify(&mut stream, id);
        stream.decided(ask.call, None, None, 0);
    }
    let known = stream.callers();
    assert!(known.count() <= 1_001, "{}", known.count());
    assert!(known.policy(waits.caller).is_some() && known.policy(waits.caller + 1).is_none());
    drop(known);
    // What the forgotten saw is not known, so that each reload is told.
    engine.replace(Policy::from_yaml(POLICY).unwrap());
    assert_eq!(to_client(&stream.reloaded()).len(), 1);
}

/// A call in rounds that came to another stream, and its number there.
fn moved(engine: &Arc<callgate::Engine>) -> (Stream<callgate::Engine>, u64) {
    let mut first = connected(Some(engine.clone()));
    let steps = first.from_client(&call(1, "get", &json!({})), 10, 0);
    let steps = first.identified(to_identify(&steps), Some(r#""alice""#), engine, 0);
    let ask = to_decide(steps);
    let decision = engine.decide_json(&Call::new("get", "{}"));
    first.decided(ask.call, Some(&decision), None, 0);
    let asks =
        json!({"jsonrpc": "2.0", "id": 1, "result": {"resultType": "input_required", "requestState": "s"}});
    first.from_server(&asks.to_string(), 11, 0);
    let mut rounds = first.leave();
    let round = rounds.pop().unwrap();
    assert!(rounds.is_empty());
    assert_eq!(round.call(), ask.call);
    assert!(first.client_closed().is_empty(), "it has not ended");
    let mut second = connected(Some(engine.clone()));
    let number = second.join(round).unwrap();
    (second, number)
}

#[test]
fn a_call_goes_on_in_another_stream_for_the_same_caller_once() {
    let engine = engine(POLICY);
    let again = call(7, "get", &json!({})).replace("\"params\":{", "\"params\":{\"requestState\":\"s\",");
    let (mut second, number) = moved(&engine);
    let steps = second.from_client(&again, 20, 0);
    let steps = second.identified(to_identify(&steps), Some(r#""alice""#), &engine, 0);
    assert!(matches!(&steps[..], [Step::ToServer { call: Some(call), .. }] if *call == number), "{steps:?}");
    let steps = second.from_server(r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#, 21, 0);
    let end = matches!(steps.first(), Some(Step::Finish { call, outcome: Outcome::Done }) if *call == number);
    assert!(end, "{steps:?}");

    let (mut second, number) = moved(&engine);
    let steps = second.from_client(&again, 20, 0);
    let steps = second.identified(to_identify(&steps), Some(r#""bob""#), &engine, 0);
    assert_ne!(to_decide(steps).call, number, "it is another's");
    let steps = second.client_closed();
    let end = |step: &Step| matches!(step, Step::Finish { call, outcome: Outcome::Lost } if *call == number);
    assert!(steps.iter().any(end), "{steps:?}");
}

#[test]
fn a_call_waits_for_no_list_where_arguments_are_not_checked() {
    let engine =
        engine("{version: '1', default: deny, tools: {get: {deny_if: [{path: args.n, op: eq, value: 5}]}}}");
    for (checks, decides) in [(true, false), (false, true)] {
        let mut stream = Stream::new(Some(engine.clone()), Options::new().check_args(checks));
        let steps = stream.from_client(&call(1, "get", &json!({})), 1, 0);
        let steps = stream.identified(to_identify(&steps), None, &engine, 0);
        let asked = steps.iter().any(|step| matches!(step, Step::Decide(_)));
        assert_eq!(asked, decides, "{steps:?}");
    }
}
