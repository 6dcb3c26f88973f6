//! The engine beside the reference interpreter: the same policy and calls, and where the decisions differ.

use std::collections::HashMap;
use std::sync::Arc;

use callgate::__binding::{Target, call_of};
use callgate::store::{Algorithm, Store};
use callgate::time::{ManualClock, Timestamp};
use callgate::{
    Amount, Approval, ArgsCheck, Call, Decision, Engine, Identity, InputSchema, MemoryStore, Policy,
    PolicyError, Reservation,
};
use callgate_reference::approval::Approval as Given;
use callgate_reference::check::Check;
use callgate_reference::json::Json;
use callgate_reference::{Reference, Target as Called, WantedBy, policies};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::generate::{GeneratedCall, GeneratedCase, GeneratedCheck, GeneratedStep, Ways};
use crate::plain::telling;
use crate::{loopback, yaml};

mod finish;
mod noticed;
mod shrink;
mod written;

pub use noticed::noticed;
pub use shrink::minimise;
pub use written::written;

/// What became of a case.
#[derive(Debug, Clone)]
pub enum Compared {
    /// All steps were decided alike, with these codes.
    Same(Vec<&'static str>),
    /// The policy does not load, or the reference does not know something in it.
    Skipped(String),
    /// The first step that was decided differently, with what the engine and the reference say.
    Different {
        /// The step's index.
        step: usize,
        /// Names of the fields that differ.
        fields: Vec<String>,
        /// The engine's decision.
        engine: Value,
        /// The reference's.
        reference: Value,
    },
}

/// Decides every step of a case with both.
pub fn compare(case: &GeneratedCase) -> Compared {
    let policy = match loaded(&case.policy, case.ways) {
        Ok(policy) => policy,
        Err(error) => return Compared::Skipped(format!("the policy does not load: {error}")),
    };
    let mut reference = match Reference::new(&case.policy) {
        Ok(reference) => reference,
        Err(error) => return Compared::Skipped(error),
    };
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let store: Arc<dyn Store> =
        if case.ways.remote { Arc::new(loopback::store()) } else { Arc::new(MemoryStore::new()) };
    let engine = Engine::builder(policy).clock(clock.clone()).store(store).build();
    let mut reservations: Vec<(Option<Reservation>, Option<callgate_reference::Decision>)> = Vec::new();
    let mut keys: Vec<(Option<String>, Option<String>)> = Vec::new();
    // Equal keys of the one must be equal keys of the other.
    let mut alike: HashMap<String, String> = HashMap::new();
    let mut codes = Vec::new();
    for (index, step) in case.steps.iter().enumerate() {
        if let Some(schema) = step.call.check.as_ref().and_then(|check| check.schema.as_deref())
            && let Err(error) = InputSchema::from_json(schema)
        {
            return Compared::Skipped(format!("a host cannot read the schema: {error}"));
        }
        clock.set(Timestamp::from_millis(step.at));
        if let Some((of, how)) = &step.finish
            && let Some((one, other)) = reservations.get_mut(*of)
        {
            let (one, other) = finish::finish(&engine, &mut reference, one, other, how, step.at);
            if one != other {
                let fields = vec!["settle".to_owned()];
                let (engine, reference) = (json!({"settled": one}), json!({"settled": other}));
                return Compared::Different { step: index, fields, engine, reference };
            }
        }
        if let Some(text) = &step.reload {
            match (loaded(text, case.ways), reference.replace(text)) {
                (Ok(policy), Ok(())) => engine.replace(policy),
                (Err(error), _) => return Compared::Skipped(format!("the policy does not load: {error}")),
                (_, Err(error)) => return Compared::Skipped(error),
            }
        }
        let name = step.call.name.as_str();
        let unapproved = callgate_reference::Call {
            target: if step.call.is_request { Called::Method(name) } else { Called::Tool(name) },
            args: Some(&step.call.args),
            identity: step.call.identity.as_deref(),
            server: step.call.server.as_deref(),
            approval: None,
            check: step
                .call
                .check
                .as_ref()
                .map(|check| Check { schema: check.schema.as_deref(), folding: check.folding }),
        };
        let approve = step.approve.as_ref();
        let (key, other_key) = match approve.map(|approve| approve.of) {
            None => (None, None),
            Some(Some(of)) => keys.get(of).cloned().unwrap_or_default(),
            Some(None) => {
                let own = ask(&engine, step, None, case.ways, true)
                    .approval()
                    .map(|wanted| wanted.key().to_owned());
                let wanted = reference.clone().decide(&unapproved, step.at).approval;
                (own, wanted.map(|wanted| wanted.key))
            }
        };
        let approval = key.as_deref().zip(approve).map(|(key, approve)| Given {
            key,
            id: &approve.id,
            given_at: approve.given_at,
        });
        let explained = case.ways.explained.then(|| ask(&engine, step, approval, case.ways, true));
        let one = ask(&engine, step, approval, case.ways, false);
        let call = callgate_reference::Call {
            approval: other_key.as_deref().zip(approval).map(|(key, given)| Given { key, ..given }),
            ..unapproved
        };
        let other = reference.decide(&call, step.at);
        let (shown, expected) = (shown(&one.to_json()), expected(&step.call, &other));
        let mut fields: Vec<String> = Vec::new();
        for (field, value) in expected.as_object().into_iter().flatten() {
            if shown.get(field) != Some(value) {
                fields.push(field.clone());
            }
        }
        let other_key = other.approval.as_ref().map(|wanted| wanted.key.clone());
        if let (Some(key), Some(other)) = (one.approval().map(|approval| approval.key()), &other_key)
            && (alike.insert(key.to_owned(), other.clone()).is_some_and(|before| before != *other)
                || alike.insert(other.clone(), key.to_owned()).is_some_and(|before| before != key))
        {
            fields.push("approval (equal for one of them only)".to_owned());
        }
        let seen = visible(&engine, &reference, &step.call);
        if fields.is_empty() && seen.0 != seen.1 {
            let fields = vec!["visible".to_owned()];
            let (engine, reference) = (json!({"visible": seen.0}), json!({"visible": seen.1}));
            return Compared::Different { step: index, fields, engine, reference };
        }
        if !fields.is_empty() {
            return Compared::Different { step: index, fields, engine: shown, reference: expected };
        }
        if let Some(explained) = explained {
            let (told, decided) = uncharged(&explained, &one);
            if told != decided {
                let fields = vec!["explained".to_owned()];
                return Compared::Different { step: index, fields, engine: told, reference: decided };
            }
        }
        keys.push((one.approval().map(|approval| approval.key()).map(str::to_owned), other_key));
        codes.push(other.code);
        let reservation = one.take_reservation();
        if reservation.is_some() != other.is_reserved() {
            let fields = vec!["reservation".to_owned()];
            let engine = json!({"reserved": reservation.is_some()});
            let reference = json!({"reserved": other.is_reserved()});
            return Compared::Different { step: index, fields, engine, reference };
        }
        reservations.push((reservation, other.is_reserved().then_some(other)));
    }
    Compared::Same(codes)
}

/// Whether each shows the tool to the caller in a list.
fn visible(engine: &Engine, reference: &Reference, call: &GeneratedCall) -> (bool, bool) {
    let caller = Caller::read(call.identity.as_deref()).expect("an identity is JSON");
    let asked = Call::without_args(&call.name).identity(caller.identity());
    let asked = match &call.server {
        Some(server) => asked.server(server),
        None => asked,
    };
    (engine.shows(&asked), reference.visible(&call.name, call.identity.as_deref(), call.server.as_deref()))
}

/// The policy or the stack of them, in the form in which it is to be read.
pub(crate) fn loaded(text: &str, ways: Ways) -> Result<Policy, String> {
    let texts = policies(text);
    let loaded: Result<Vec<Policy>, PolicyError> = texts.iter().map(|text| one(text, ways)).collect();
    let loaded = loaded.map_err(|error| error.to_string())?;
    Policy::stack(loaded).map_err(|error| error.to_string())
}

/// One policy of a stack.
fn one(text: &str, ways: Ways) -> Result<Policy, PolicyError> {
    let yaml = ways.yaml.then(|| Json::read(text).ok().and_then(|document| yaml::written(&document)));
    match yaml.flatten() {
        Some(yaml) => Policy::from_yaml(&yaml),
        None => text.parse(),
    }
}

/// What the engine decides, or says that it would decide.
pub(crate) fn ask(
    engine: &Engine,
    step: &GeneratedStep,
    approval: Option<Given<'_>>,
    ways: Ways,
    explained: bool,
) -> Decision<'static> {
    let check = step.call.check.as_ref().map(compiled);
    if let Some((args, given)) = ways.values.then(|| host_values(step)).flatten() {
        let identity = match &given {
            None => Identity::Absent,
            Some(Value::String(id)) => Identity::Id(id.as_str()),
            Some(claims) => Identity::claims(claims),
        };
        let call = approved(call_of(step.call.target(), telling(&args)).identity(identity), approval);
        let call = to_server(checked(call, check.as_ref()), step);
        return if explained { engine.explain(&call).decision } else { engine.decide(&call) }.into_owned();
    }
    let caller = Caller::read(step.call.identity.as_deref()).expect("an identity is JSON");
    let call = call_of(step.call.target(), step.call.args.as_str()).identity(caller.identity());
    let call = approved(call, approval);
    let call = to_server(checked(call, check.as_ref()), step);
    if explained { engine.explain_json(&call).decision } else { engine.decide_json(&call) }.into_owned()
}

fn approved<'c, A, I>(call: Call<'c, A, I>, approval: Option<Given<'c>>) -> Call<'c, A, I> {
    match approval {
        Some(Given { key, id, given_at: None }) => call.approved(Approval::new(key, id)),
        Some(Given { key, id, given_at: Some(at) }) => {
            call.approved(Approval::new(key, id).given_at(Timestamp::from_millis(at)))
        }
        None => call,
    }
}

fn to_server<'c, A, I>(call: Call<'c, A, I>, step: &'c GeneratedStep) -> Call<'c, A, I> {
    match &step.call.server {
        Some(server) => call.server(server),
        None => call,
    }
}

fn checked<'c, A, I>(call: Call<'c, A, I>, check: Option<&'c ArgsCheck>) -> Call<'c, A, I> {
    match check {
        Some(check) => call.checked(check),
        None => call,
    }
}

fn compiled(check: &GeneratedCheck) -> ArgsCheck {
    let compiled = if check.folding { ArgsCheck::new() } else { ArgsCheck::new().without_folding() };
    match &check.schema {
        Some(schema) => compiled.schema(InputSchema::from_json(schema).expect("a schema is JSON")),
        None => compiled,
    }
}

/// Arguments and identity as a host holds them; none where that loses something.
fn host_values(step: &GeneratedStep) -> Option<(Value, Option<Value>)> {
    let call = &step.call;
    // `Value` has no integers above 64 bits: they become floats, and the text is then another number.
    let texts = [Some(call.args.as_str()), call.identity.as_deref()];
    if call.raw_only || texts.iter().flatten().any(|text| text.contains("18446744073709551616")) {
        return None;
    }
    let identity = call.identity.as_deref().map(serde_json::from_str).transpose().ok()?;
    Some((serde_json::from_str(&call.args).ok()?, identity))
}

/// What was explained, and what was decided right after it without its charges.
pub fn uncharged(explained: &Decision<'_>, decided: &Decision<'_>) -> (Value, Value) {
    let (mut told, mut expected) = (shown(&explained.to_json()), shown(&decided.to_json()));
    for (index, counter) in decided.counters().enumerate() {
        let Some(charged) = counter.charged() else { continue };
        let standing = counter.used().as_micros() - charged.as_micros();
        let standing = Amount::from_micros(standing).expect("a charge is part of what is held");
        expected["counters"][index]["used"] = standing.to_string().into();
        expected["counters"][index]["charged"] = Value::Null;
        // When the charges before this one end is not told by what holds it, too.
        if counter.counter().algorithm() == Algorithm::Sliding {
            told["counters"][index]["resets_at"] = Value::Null;
            expected["counters"][index]["resets_at"] = Value::Null;
        }
    }
    (told, expected)
}

/// The engine's decision, without what the reference does not say: lines, digests, and why arguments are not valid.
fn shown(text: &str) -> Value {
    let mut decision: Value = serde_json::from_str(text).expect("a decision is JSON");
    if let Some(rule) = decision["rule"].as_object_mut() {
        rule.remove("line");
    }
    if decision["code"] == "invalid_args"
        && let Some((before, _)) = decision["message"].as_str().and_then(|text| text.split_once(':'))
    {
        decision["message"] = format!("{before}:").into();
    }
    // Keys are compared by which are equal.
    if let Some(approval) = decision["approval"].as_object_mut() {
        approval.remove("key");
        for rule in approval["rules"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            rule.remove("line");
        }
    }
    if let Some(decision) = decision.as_object_mut() {
        decision.remove("policy");
    }
    decision
}

/// The reference's decision in the same form.
fn expected(call: &GeneratedCall, decision: &callgate_reference::Decision) -> Value {
    let (tool, method) = match call.target() {
        Target::Tool(tool) => (Some(tool), "tools/call"),
        Target::Method(method) => (None, method),
    };
    let counter = |counter: &callgate_reference::CounterUse| {
        json!({
            "entry": counter.entry, "counter": counter.counter, "scope": counter.scope,
            "window": counter.window, "charged": counter.charged, "used": counter.used, "max": counter.max,
            "resets_at": counter.resets_at, "budget": counter.budget,
        })
    };
    let rule = |layer: &Option<String>, name: &Option<String>, pointer: &str| json!({"layer": layer, "name": name, "pointer": pointer});
    let approval = decision.approval.as_ref().map(|wanted| {
        let rules = wanted.rules.iter().map(|WantedBy { layer, name, pointer, approvers }| {
            let mut rule = rule(layer, name, pointer);
            rule["approvers"] = json!(approvers);
            rule
        });
        json!({
            "rules": rules.collect::<Vec<_>>(), "ignored": wanted.ignored, "valid_for": wanted.valid_for,
            "uses": wanted.uses,
        })
    });
    json!({
        "effect": decision.effect, "code": decision.code, "tool": tool, "method": method,
        "message": decision.message,
        "rule": decision.rule.as_ref().map(|pointer| rule(&decision.layer, &decision.rule_name, pointer)),
        "counters": decision.counters.iter().map(counter).collect::<Vec<_>>(),
        "retry_after": decision.retry_after,
        "approval": approval,
        "inner": decision.inner,
    })
}
