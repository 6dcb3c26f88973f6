//! Writes a case that differs in the form of `spec/cases`.

use std::fmt::Write;
use std::sync::Arc;

use callgate::Engine;
use callgate::time::{ManualClock, Timestamp};
use callgate_reference::decimal;
use callgate_reference::json::quoted;
use callgate_reference::policies;
use callgate_reference::time::rfc3339;
use serde_json::Value;

use super::{Compared, ask, compare, loaded, shown};
use crate::generate::{Finish, GeneratedApproval, GeneratedCase, Settled, Ways};

/// The case in the form of `spec/cases`, up to the step that differs, which expects what the reference says.
pub fn written(case: &GeneratedCase, name: &str) -> String {
    let Compared::Different { step: last, engine, reference, fields } = compare(case) else {
        return String::new();
    };
    let mut steps = Vec::new();
    for (index, step) in case.steps.iter().enumerate().take(last + 1) {
        let mut text = format!(
            "    {{\"at\": \"{}\", \"{}\": {}, \"{}\": {}",
            rfc3339(step.at),
            if step.call.is_request { "method" } else { "tool" },
            quoted(&step.call.name),
            if step.call.is_request { "params" } else { "args" },
            quoted(&step.call.args)
        );
        if let Some(identity) = &step.call.identity {
            let _ = write!(text, ", \"identity\": {}", quoted(identity));
        }
        if let Some(server) = &step.call.server {
            let _ = write!(text, ", \"server\": {}", quoted(server));
        }
        if let Some(check) = &step.call.check {
            let schema = check.schema.as_ref().map(|schema| format!("\"schema\": {schema}, "));
            let schema = schema.unwrap_or_default();
            let _ = write!(text, ", \"check\": {{{schema}\"folding\": {}}}", check.folding);
        }
        if step.call.raw_only {
            text.push_str(", \"raw_only\": \"generated\"");
        }
        if let Some(policy) = &step.reload {
            let _ = write!(text, ", \"reload\": {}", lines(policy).1);
        }
        if let Some(GeneratedApproval { id, of, given_at }) = &step.approve {
            let given = given_at.map(|at| format!(", \"given_at\": \"{}\"", rfc3339(at))).unwrap_or_default();
            let of = of.map(|of| format!(", \"key_of\": {of}")).unwrap_or_default();
            let _ = write!(text, ", \"approve\": {{\"id\": \"{id}\"{of}{given}}}");
        }
        match &step.finish {
            Some((of, Finish::Ended(outcome))) => {
                let _ = write!(text, ", \"finish_of\": {of}, \"finish\": \"{outcome}\"");
            }
            Some((of, Finish::Settled(actual))) => {
                let counters = &decided(case, *of)["counters"];
                let _ = write!(
                    text,
                    ", \"finish_of\": {of}, \"finish\": {{\"settle\": {}}}",
                    settled(actual, counters)
                );
            }
            None => {}
        }
        if index == last {
            let mut expect = reference.clone();
            if let Some(layer @ Value::String(_)) = expect["rule"].get("layer").cloned() {
                expect["layer"] = layer;
            }
            expect["rule"] = expect["rule"].get("pointer").cloned().unwrap_or(Value::Null);
            if let Some(expect) = expect.as_object_mut() {
                expect.remove("approval");
            }
            let _ = write!(text, ",\n     \"expect\": {expect}}}");
        } else {
            let decision = decided(case, index);
            let _ = write!(
                text,
                ", \"expect\": {{\"effect\": {}, \"code\": {}}}}}",
                decision["effect"], decision["code"]
            );
        }
        steps.push(text);
    }
    format!(
        "  {{\"name\": {}, \"clauses\": [],\n   \"{}\": {},\n   \"steps\": [\n{}\n   ]}}\nasked by {:?}, differ in {}\nengine:    {engine}\nreference: {reference}\n",
        quoted(name),
        lines(&case.policy).0,
        lines(&case.policy).1,
        steps.join(",\n"),
        case.ways,
        fields.join(", "),
    )
}

/// The field of a case that gives a policy or a stack, and what it is.
fn lines(policy: &str) -> (&'static str, String) {
    match &policies(policy)[..] {
        [one] => ("policy", format!("[{}]", quoted(one))),
        layers => {
            let layers: Vec<String> = layers.iter().map(|layer| format!("[{}]", quoted(layer))).collect();
            ("layers", format!("[{}]", layers.join(", ")))
        }
    }
}

/// What both say of a step before the one that differs.
fn decided(case: &GeneratedCase, index: usize) -> Value {
    let policy = loaded(&case.policy, Ways::default()).expect("it was loaded before");
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let engine: Engine = Engine::builder(policy).clock(clock.clone()).build();
    let mut decision = Value::Null;
    for step in case.steps.iter().take(index + 1) {
        clock.set(Timestamp::from_millis(step.at));
        if let Some(text) = &step.reload {
            engine.replace(loaded(text, Ways::default()).expect("it was loaded before"));
        }
        decision = shown(&ask(&engine, step, None, Ways::default(), false).to_json());
    }
    decision
}

/// What is settled, by the counters of the decision.
fn settled(actual: &[(Settled, i64)], counters: &Value) -> String {
    let amount = |micros: &i64| quoted(&decimal::amount_text(i128::from(*micros)));
    let named = actual.iter().map(|(which, micros)| {
        let name = match which {
            Settled::Only => return Err(amount(micros)),
            Settled::Nth(index) => {
                let length = counters.as_array().map_or(1, |counters| counters.len().max(1));
                counters[index % length]["counter"].as_str().unwrap_or("nobody").to_owned()
            }
            Settled::Named(name) => name.clone(),
        };
        Ok(format!("{}: {}", quoted(&name), amount(micros)))
    });
    match named.collect::<Result<Vec<_>, String>>() {
        Ok(named) => format!("{{{}}}", named.join(", ")),
        Err(only) => only,
    }
}
