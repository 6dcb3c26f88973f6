//! YAML and JSON of one document mean the same (spec 1.1).

use std::fmt::Write;
use std::sync::Arc;

use callgate::{Call, Diagnostic, Engine, ManualClock, Policy, Timestamp};
use callgate_reference::json::Json;
use serde_json::Value;

use crate::caller::Caller;
use crate::generate::{Generator, START};

/// Calls that both policies decide.
const CALLS: usize = 8;
/// YAML reads no longer key that stands before its colon on one line; this leaves room for escapes.
const KEY_CHARS: usize = 100;

/// A JSON document and the same document in YAML have the same diagnostics, and decide alike.
pub fn yaml_and_json_mean_the_same(json: &str) {
    let Ok(document) = Json::read(json) else { return };
    if !has_a_yaml_form(&document) {
        return;
    }
    let mut yaml = String::new();
    write_block(&mut yaml, &document, 0);
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

/// Whether every part of it may stand in YAML: no exponent (1.2), no empty key (1.3), no key too long for a line.
fn has_a_yaml_form(document: &Json) -> bool {
    match document {
        Json::Number(literal) => !literal.contains(['e', 'E']),
        Json::Array(elements) => elements.iter().all(has_a_yaml_form),
        Json::Object(members) => members.iter().all(|(key, value)| {
            !key.is_empty() && key != "<<" && key.chars().count() <= KEY_CHARS && has_a_yaml_form(value)
        }),
        _ => true,
    }
}

/// A value behind `key:` or `-`: containers as blocks on lines of their own.
fn write_block(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::Array(elements) if !elements.is_empty() => {
            for element in elements {
                let _ = write!(out, "\n{:indent$}- ", "");
                write_block(out, element, indent + 2);
            }
        }
        Json::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let _ = write!(out, "\n{:indent$}{}: ", "", scalar(key));
                write_block(out, value, indent + 2);
            }
        }
        Json::String(text) => out.push_str(&scalar(text)),
        other => out.push_str(&other.write()),
    }
}

/// A string: plain where it is a plain word, else in double quotes.
fn scalar(text: &str) -> String {
    let typed = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    if !text.is_empty()
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'))
        && !typed.contains(&text)
    {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c if c.is_alphanumeric() => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
        }
    }
    quoted + "\""
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
                engine.decide_json(&Call::new(&call.tool, call.args.as_str()).identity(caller.identity()));
            let mut shown: Value = serde_json::from_str(&decision.to_json()).expect("a decision is JSON");
            if let Some(rule) = shown["rule"].as_object_mut() {
                rule.remove("line");
            }
            // Both name the digest of the text.
            shown["approval_key"] = shown["approval_key"].is_null().into();
            shown["policy"] = Value::Null;
            shown
        });
        assert_eq!(one, other, "{call:?}\n{yaml}");
    }
}
