//! What is added to a policy, or stacked with it, never lets a call through that the policy stops. Nor does a dispatcher.
//!
//! In: a generator. Out: how many calls were stopped, or the pair of policies and the call for which it does not hold. Must not look at
//! what was added.

use std::sync::Arc;

use callgate::time::{ManualClock, Timestamp};
use callgate::{Code, Engine, Policy};
use callgate_reference::json::Json;
use callgate_reference::policies;

use crate::differ::{ask, loaded};
use crate::generate::{GeneratedCase, Generator, Ways};

/// Calls of one pair of policies, and how many of them were stopped by the shorter one and how many by what was added.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stopped {
    /// All calls.
    pub calls: u64,
    /// Those that the policy stops.
    pub before: u64,
    /// Those that it lets through, and the longer one stops.
    pub added: u64,
}

/// Decides the calls of a generated case by a policy and by the same with an addition, each from the same counters.
///
/// # Errors
/// A call that the policy stops passes with the addition.
pub fn with_an_addition(generator: &mut Generator) -> Result<Stopped, String> {
    let case = generator.case();
    let mut layers = policies(&case.policy);
    let changed = generator.below(layers.len());
    if let Some(layer) = layers.get_mut(changed) {
        *layer = generator.with_addition(layer);
    }
    let text = match &layers[..] {
        [one] => one.clone(),
        layers => format!("[{}]", layers.join(",")),
    };
    // Some additions do not go together with the rest, such as a second counter of one name.
    let ways = Ways::default();
    let (Ok(policy), Ok(longer)) = (loaded(&case.policy, ways), loaded(&text, ways)) else {
        return Ok(Stopped::default());
    };
    // An entry may list a tool that was not listed before.
    compared(&case, &policy, &longer, &[Code::NotListed])
        .map_err(|found| format!("{}\n{text}\n{found}", case.policy))
}

/// A policy of this name; a stack, whose policies have names, stays as it is.
fn named(text: &str, name: &str) -> String {
    if let Ok(Json::Object(mut fields)) = Json::read(text)
        && let Some((_, own)) = fields.iter_mut().find(|(field, _)| field == "name")
    {
        *own = Json::String(name.to_owned());
        return Json::Object(fields).write();
    }
    if text.starts_with('[') {
        return text.to_owned();
    }
    text.replacen('{', &format!("{{\"name\":\"{name}\","), 1)
}

/// Decides the calls of a generated case by a policy, and by the same with another before or behind it in a stack.
///
/// # Errors
/// A call that the policy stops passes by the stack.
pub fn with_a_layer(generator: &mut Generator) -> Result<Stopped, String> {
    let case = generator.case();
    let (text, other) = (named(&case.policy, "own"), named(&generator.case().policy, "other"));
    let ways = Ways::default();
    let (Ok(policy), Ok(layer)) = (loaded(&text, ways), loaded(&other, ways)) else {
        return Ok(Stopped::default());
    };
    let layers = if generator.below(2) == 0 { [policy.clone(), layer] } else { [layer, policy.clone()] };
    // Two policies may have more globs and names than go together, or two dispatchers of one name that differ.
    let Ok(stack) = Policy::stack(layers) else { return Ok(Stopped::default()) };
    compared(&case, &policy, &stack, &[]).map_err(|found| format!("{text}\n{other}\n{found}"))
}

/// Decides the calls of a generated case by its policy, and by it with another that says nothing before or behind it: all but what names
/// the policy is the same.
///
/// # Errors
/// A call that is decided otherwise.
pub fn with_an_idle_layer(generator: &mut Generator) -> Result<u64, String> {
    let case = generator.case();
    let text = named(&case.policy, "own");
    let Ok(policy) = loaded(&text, Ways::default()) else { return Ok(0) };
    let idle: Policy = "{version: '1', name: idle, default: allow}".parse().expect("it loads");
    let layers = if generator.below(2) == 0 { [policy.clone(), idle] } else { [idle, policy.clone()] };
    let stack = Policy::stack(layers).map_err(|error| error.to_string())?;
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let [alone, stacked] = [policy, stack].map(|policy| Engine::builder(policy).clock(clock.clone()).build());
    let mut calls = 0;
    for step in &case.steps {
        clock.set(Timestamp::from_millis(step.at));
        let shown = |engine: &Engine| {
            let json = ask(engine, step, None, Ways::default(), false).to_json();
            let mut json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
            json["policy"].take();
            // The key is of the whole stack.
            json["approval"].as_object_mut().and_then(|approval| approval.remove("key"));
            json
        };
        let (one, other) = (shown(&alone), shown(&stacked));
        calls += 1;
        if one != other {
            return Err(format!("{text}\n{:?}\n{one}\n{other}", step.call));
        }
    }
    Ok(calls)
}

/// Decides the calls of a generated case, and each as the inner call of a dispatcher.
///
/// # Errors
/// A call that the policy stops passes in the dispatcher.
pub fn within_a_dispatcher(generator: &mut Generator) -> Result<Stopped, String> {
    let case = generator.case();
    if outer_call_may_help(&case.policy) {
        return Ok(Stopped::default());
    }
    let dispatchers = "{\"dispatchers\":{\"wrap\":{\"tool\":\"args.name\",\"args\":\"args.arguments\"}},";
    let text =
        case.policy.replacen('{', dispatchers, 1).replacen("\"tools\":{", "\"tools\":{\"wrap\":{},", 1);
    let text = text.replacen("\"wrap\":{},}", "\"wrap\":{}}", 1);
    let Ok(policy) = text.parse::<Policy>() else { return Ok(Stopped::default()) };
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let engine = Engine::builder(policy).clock(clock.clone()).build();
    let mut stopped = Stopped::default();
    for step in case.steps.iter().filter(|step| !step.call.is_request) {
        clock.set(Timestamp::from_millis(step.at));
        let mut alone = step.clone();
        // Nobody knows the schema of an inner tool.
        if let Some(check) = &mut alone.call.check {
            check.schema = None;
        }
        let mut wrapped = alone.clone();
        let name = callgate_reference::json::quoted(&step.call.name);
        wrapped.call.args = format!("{{\"name\":{name},\"arguments\":{}}}", step.call.args);
        wrapped.call.name = "wrap".to_owned();
        let [before, after] =
            [&alone, &wrapped].map(|step| ask(&engine, step, None, Ways::default(), true).code());
        stopped.calls += 1;
        stopped.before += u64::from(before != Code::Allowed);
        stopped.added += u64::from(before == Code::Allowed && after != Code::Allowed);
        if before != Code::Allowed && after == Code::Allowed {
            return Err(format!("{text}\n{:?}\n{before:?}, {after:?}", step.call));
        }
        let _ = ask(&engine, &alone, None, Ways::default(), false);
    }
    Ok(stopped)
}

/// Whether conditions on counters stand beside entries that match the outer call, too: what it pays may make one hold that is no upper
/// bound, or keep a rule from asking (clauses 3.11 and 6.7).
fn outer_call_may_help(policy: &str) -> bool {
    let reads = ["\"path\":\"budget.", "\"path\":\"state."].iter().any(|path| policy.contains(path));
    reads && ["\"*\":{", "\"*[", "\"all_tools\":{"].iter().any(|entry| policy.contains(entry))
}

/// Decides calls by a policy and by another, each from the counters of the first.
fn compared(
    case: &GeneratedCase,
    policy: &Policy,
    longer: &Policy,
    may_pass: &[Code],
) -> Result<Stopped, String> {
    let mut stopped = Stopped::default();
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let engine = Engine::builder(policy.clone()).clock(clock.clone()).build();
    for step in &case.steps {
        clock.set(Timestamp::from_millis(step.at));
        let explained = |engine: &Engine| ask(engine, step, None, Ways::default(), true).code();
        let before = explained(&engine);
        engine.replace(longer.clone());
        let after = explained(&engine);
        engine.replace(policy.clone());
        stopped.calls += 1;
        stopped.before += u64::from(before != Code::Allowed);
        stopped.added += u64::from(before == Code::Allowed && after != Code::Allowed);
        if before != Code::Allowed && after == Code::Allowed && !may_pass.contains(&before) {
            return Err(format!("{:?}\n{before:?}, {after:?}", step.call));
        }
        // The counters go on by the shorter policy.
        let _ = ask(&engine, step, None, Ways::default(), false);
    }
    Ok(stopped)
}
