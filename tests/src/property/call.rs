//! Any policy with any call: one decision, however it is asked for and shown.

use std::sync::Arc;

use callgate::time::{ManualClock, Timestamp};
use callgate::value::RawJson;
use callgate::{Approval, ArgsHash, Call, Code, Decision, Effect, Engine, Policy};
use callgate_reference::json::Json;
use serde_json::Value;

use super::oracle::{self, Reading, Tree};
use crate::caller::Caller;
use crate::differ::uncharged;
use crate::generate::START;

/// What stands between a policy, a tool's name, its arguments and an identity, which may be left out.
pub(super) const BETWEEN: &str = "\n====\n";

/// The parts of the text are a policy and a call. The decision is the same when it is explained, when the arguments are
/// host values, and when its JSON is read back; an approval lets the call through once.
pub fn a_call_is_decided_one_way(text: &str) {
    let mut parts = text.splitn(4, BETWEEN);
    let (Some(policy), Some(tool), Some(args)) = (parts.next(), parts.next(), parts.next()) else { return };
    let (Ok(policy), Ok(caller)) = (policy.parse::<Policy>(), Caller::read(parts.next())) else { return };
    let engine = || {
        let clock = ManualClock::new(Timestamp::from_millis(START));
        Engine::builder(policy.clone()).clock(Arc::new(clock)).build()
    };
    let used = engine();
    let call = Call::new(tool, args).identity(caller.identity());
    let explained = used.explain_json(&call);
    let decision = used.decide_json(&call);
    let (told, decided) = uncharged(&explained.decision, &decision);
    assert_eq!(told, decided, "explained otherwise");
    shown_as_it_is(&decision);
    let visible = used.visible(tool, &caller.identity());
    // Which other tools are visible is the policy's to say (spec 10.9).
    match (decision.code(), decision.effect()) {
        // An inner tool may be hidden, too.
        (Code::Hidden | Code::InvalidTool, _) if decision.inner().is_none() => assert!(!visible),
        (_, Effect::Deny) => {}
        _ => assert!(visible, "a tool that may be called is not visible"),
    }

    if let Ok(args) = RawJson::parse(args) {
        let call = Call::new(tool, args.root()).identity(caller.identity());
        let record = decision.audit(&call, ArgsHash::Sha256);
        assert!(record.keys().is_sorted());
        reads_back(&record.to_json());
    }
    if let Some(value) = as_host_value(args) {
        let by_value = engine().decide(&Call::new(tool, &value).identity(caller.identity())).to_json();
        assert_eq!(by_value, decision.to_json(), "host values are decided otherwise");
    }
    if let Some((key, uses)) = decision.approval().map(|approval| (approval.key(), approval.uses())) {
        approved(&used, &call, key, uses);
    }
    if let Some(mut reservation) = decision.take_reservation() {
        used.finish(&mut reservation, callgate::Outcome::NotRun).expect("memory answers");
        let again = used.decide_json(&call);
        assert_eq!(again.to_json(), decision.to_json(), "a call that did not run keeps a charge");
    }
}

/// Text that another reader reads and writes as it stands: in this order, without white space, minimally escaped.
fn reads_back(text: &str) {
    assert_eq!(Json::read(text).expect("it is JSON").write(), text);
}

/// The JSON of a decision says what the decision says (spec 10.3, 10.4, 10.6).
fn shown_as_it_is(decision: &Decision<'_>) {
    let text = decision.to_json();
    reads_back(&text);
    let shown: Value = serde_json::from_str(&text).expect("a decision is JSON");
    let string = |text: &str| Value::from(text);
    let optional = |text: Option<String>| text.map_or(Value::Null, Value::from);
    assert_eq!(shown["effect"], string(decision.effect().as_str()));
    assert_eq!(shown["code"], string(decision.code().as_str()));
    assert_eq!(shown["tool"], optional(decision.tool().map(Into::into)));
    assert_eq!(shown["method"], string(decision.method()));
    assert_eq!(shown["message"], optional(decision.message().map(Into::into)));
    assert_eq!(shown["message"].is_null(), decision.allowed());
    match decision.rule() {
        None => assert!(shown["rule"].is_null()),
        Some(rule) => {
            assert_eq!(shown["rule"]["name"], optional(rule.name().map(Into::into)));
            assert_eq!(shown["rule"]["pointer"], string(rule.pointer()));
            assert_eq!(shown["rule"]["line"], Value::from(rule.line()));
        }
    }
    let counters = shown["counters"].as_array().expect("a list");
    assert_eq!(counters.len(), decision.counters().count());
    for (shown, counter) in counters.iter().zip(decision.counters()) {
        assert_eq!(shown["entry"], optional(counter.entry().map(Into::into)));
        assert_eq!(shown["counter"], string(counter.counter().name()));
        assert_eq!(shown["scope"], string(counter.counter().scope()));
        assert_eq!(shown["window"], string(counter.window()));
        assert_eq!(shown["charged"], optional(counter.charged().map(|amount| amount.to_string())));
        assert_eq!(shown["used"], string(&counter.used().to_string()));
        assert_eq!(shown["max"], optional(counter.max().map(|amount| amount.to_string())));
        assert_eq!(shown["resets_at"], optional(counter.resets_at().map(|at| at.to_string())));
        assert_eq!(shown["budget"], optional(counter.budget().map(Into::into)));
    }
    assert_eq!(shown["retry_after"], decision.retry_after().map_or(Value::Null, Value::from));
    assert_eq!(
        shown["approval"]["key"],
        optional(decision.approval().map(|approval| approval.key()).map(Into::into))
    );
    assert_eq!(shown["approval"].is_null(), decision.effect() != Effect::RequireApproval);

    let result = decision.to_mcp_result();
    assert_eq!(result.is_none(), decision.allowed());
    if let Some(result) = result {
        reads_back(&result);
        let result: Value = serde_json::from_str(&result).expect("a result is JSON");
        let mut text = shown["message"].as_str().expect("a message").to_owned();
        let mut meta = serde_json::Map::from_iter([("callgate/code".to_owned(), shown["code"].clone())]);
        if !shown["retry_after"].is_null() {
            meta.insert("callgate/retry_after".to_owned(), shown["retry_after"].clone());
        }
        if let Some(key) = shown["approval"]["key"].as_str() {
            text.push_str("\nApproval key: ");
            text.push_str(key);
            meta.insert("callgate/approval_key".to_owned(), key.into());
        }
        let content = serde_json::json!([{"type": "text", "text": text}]);
        assert_eq!(result, serde_json::json!({"content": content, "isError": true, "_meta": meta}));
    }
}

/// Arguments that a host can hold without loss: an integer is one, a fraction may be rounded.
fn as_host_value(args: &str) -> Option<Value> {
    fn is_exact(tree: &Tree) -> bool {
        match tree {
            Tree::Number(number) => !number.is_f64(),
            Tree::Array(elements) => elements.iter().all(is_exact),
            Tree::Object(members) => members.iter().all(|(_, value)| is_exact(value)),
            _ => true,
        }
    }
    if oracle::depth(args) > callgate::ceilings::ARGUMENT_DEPTH {
        return None;
    }
    match oracle::read(args) {
        Reading::Value(tree) if is_exact(&tree) && !tree.repeats_a_key() => serde_json::from_str(args).ok(),
        _ => None,
    }
}

/// Another key asks again; the right one uses its id, as often as it may be.
fn approved(engine: &Engine, call: &Call<'_, &str, callgate::value::RawView<'_>>, key: &str, uses: u32) {
    let given = Timestamp::from_millis(START);
    let with =
        |key, id| engine.decide_json(&call.approved(Approval::new(key, id).given_at(given))).into_owned();
    assert_eq!(with("ak1:another", "id").approval().map(|approval| approval.key()), Some(key));
    for turn in 0..uses.min(8) {
        let decision = with(key, "id");
        assert_ne!(decision.code(), Code::ApprovalRequired);
        assert_ne!(decision.code(), Code::ApprovalSpent, "turn {turn} of {uses}");
    }
    if uses <= 8 {
        assert!(!with(key, "id").allowed(), "an approval let more than {uses} calls through");
    }
}
