//! YAML and JSON of one document mean the same (spec 1.1).

use std::sync::Arc;

use callgate::time::{ManualClock, Timestamp};
use callgate::{Call, Diagnostic, Engine, Policy};
use callgate_reference::json::Json;
use serde_json::Value;

use crate::caller::Caller;
use crate::generate::{Generator, START};
use crate::yaml;

/// Calls that both policies decide.
const CALLS: usize = 8;

/// A JSON document and the same document in YAML have the same diagnostics, and decide alike.
pub fn yaml_and_json_mean_the_same(json: &str) {
    let Ok(document) = Json::read(json) else { return };
    let Some(yaml) = yaml::written(&document) else { return };
    match (Policy::from_json(json), Policy::from_yaml(&yaml)) {
        (Ok(one), Ok(other)) => {
            assert_eq!(without_places(one.warnings()), without_places(other.warnings()), "{yaml}");
            decide_alike(json, one, other, &yaml);
        }
        (Err(one), Err(other)) => {
            assert_eq!(without_places(one.diagnostics()), without_places(other.diagnostics()), "{yaml}");
        }
        (one, other) => panic!("as JSON: {one:?}\nas YAML: {other:?}\n{yaml}"),
    }
}

/// What is the same in both forms: all but lines, also where a message names one, and the order of a mapping and its first
/// key, which begin at one place in YAML only.
fn without_places(diagnostics: &[Diagnostic]) -> Vec<(&str, &str, &str)> {
    let said = |found: &'_ Diagnostic| found.message().find(" on line ").unwrap_or(found.message().len());
    let mut found: Vec<_> = diagnostics
        .iter()
        .map(|found| (found.code(), found.pointer(), &found.message()[..said(found)]))
        .collect();
    found.sort_unstable();
    found
}

fn decide_alike(choices: &str, one: Policy, other: Policy, yaml: &str) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(START)));
    let engines = [one, other].map(|policy| Engine::builder(policy).clock(clock.clone()).build());
    let mut generator = Generator::from_bytes(choices.as_bytes());
    for _ in 0..CALLS {
        let call = generator.call();
        let caller = Caller::read(call.identity.as_deref()).expect("an identity is JSON");
        let [one, other] = engines.each_ref().map(|engine| {
            let decision =
                engine.decide_json(&Call::new(&call.name, call.args.as_str()).identity(caller.identity()));
            let mut shown: Value = serde_json::from_str(&decision.to_json()).expect("a decision is JSON");
            if let Some(rule) = shown["rule"].as_object_mut() {
                rule.remove("line");
            }
            // Both name the digest of the text.
            shown["approval"] = shown["approval"].is_null().into();
            shown["policy"] = Value::Null;
            shown
        });
        assert_eq!(one, other, "{call:?}\n{yaml}");
    }
}
