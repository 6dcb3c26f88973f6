//! Writes a case that differs in the form of `spec/cases`.

use std::fmt::Write;
use std::sync::Arc;

use callgate::Engine;
use callgate::time::{ManualClock, Timestamp};
use callgate_reference::decimal;
use callgate_reference::json::quoted;
use callgate_reference::time::rfc3339;
use serde_json::Value;

use super::{Compared, ask, compare, shown};
use crate::generate::{GeneratedCase, Ways};

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
            let _ = write!(text, ", \"reload\": [{}]", quoted(policy));
        }
        if let Some((id, of)) = &step.approve {
            let _ = write!(text, ", \"approve\": {{\"id\": \"{id}\", \"key_of\": {of}}}");
        }
        match step.finish {
            Some((of, None)) => {
                let _ = write!(text, ", \"finish_of\": {of}, \"finish\": \"not_run\"");
            }
            Some((of, Some(actual))) => {
                let actual = decimal::amount_text(i128::from(actual));
                let _ = write!(text, ", \"finish_of\": {of}, \"finish\": {{\"settle\": \"{actual}\"}}");
            }
            None => {}
        }
        if index == last {
            let mut expect = reference.clone();
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
        "  {{\"name\": {}, \"clauses\": [],\n   \"policy\": [{}],\n   \"steps\": [\n{}\n   ]}}\nasked by {:?}, differ in {}\nengine:    {engine}\nreference: {reference}\n",
        quoted(name),
        quoted(&case.policy),
        steps.join(",\n"),
        case.ways,
        fields.join(", "),
    )
}

/// What both say of a step before the one that differs.
fn decided(case: &GeneratedCase, index: usize) -> Value {
    let policy = case.policy.parse().expect("it was parsed before");
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let engine: Engine = Engine::builder(policy).clock(clock.clone()).build();
    let mut decision = Value::Null;
    for step in case.steps.iter().take(index + 1) {
        clock.set(Timestamp::from_millis(step.at));
        if let Some(text) = &step.reload {
            engine.replace(text.parse().expect("it was parsed before"));
        }
        decision = shown(&ask(&engine, step, None, Ways::default(), false).to_json());
    }
    decision
}
