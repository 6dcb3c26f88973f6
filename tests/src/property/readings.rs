//! Whether a text has two readings (spec 5.27), by the engine and by the reference, which share no code.

use std::sync::LazyLock;

use callgate::{Call, Code, Engine, Evaluation, Policy};
use callgate_reference::readings::{Other, other};
use serde_json::json;

const TEXT: &str = r#"{"version": "1", "default": "deny", "tools": {
    "permit": {"require": [{"path": "args.a", "op": "contains", "value": ""}]},
    "block": {"deny_if": [{"not": {"path": "args.a", "op": "contains", "value": ""}}]},
    "null": {"require": [{"path": "args.a", "op": "exists", "value": true}]},
    "text": {"require": [{"path": "args.a.@text", "op": "exists", "value": true}]},
    "scope": {"limits": [{"counter": "n", "window": "day", "max": 1, "scope": ["args.a"]}]}}}"#;

static POLICY: LazyLock<Policy> = LazyLock::new(|| TEXT.parse().expect("the policy loads"));

/// A rule is unknown on the text exactly where the reference finds another reading, and a scope by it is missing.
pub fn a_text_has_the_readings_that_the_reference_finds(text: &str) {
    let args = json!({"a": text});
    let raw = args.to_string();
    if raw.len() > callgate::ceilings::ARGUMENT_BYTES {
        return;
    }
    let passes = |tool: &str| {
        let code = |evaluation| match evaluation {
            Evaluation::Decided(decision) => decision.code() == Code::Allowed,
            Evaluation::Pending(_) => true,
        };
        let by_value = code(POLICY.evaluate(&Call::new(tool, &args)));
        assert_eq!(
            code(POLICY.evaluate_json(&Call::new(tool, raw.as_str()))),
            by_value,
            "{tool}: as raw text"
        );
        by_value
    };
    let other = other(text);
    assert_eq!(passes("permit"), other.is_none(), "in a permit place");
    assert_eq!(passes("block"), other.is_none(), "in a block place");
    assert_eq!(passes("null"), other != Some(Other::Null), "for `exists`");
    assert!(passes("text"), "for `@text`");
    let is_scope = (1..=callgate::ceilings::SCOPE_BYTES).contains(&text.len());
    assert_eq!(passes("scope"), other.is_none() && is_scope, "for a scope");
    let explained = Engine::new(POLICY.clone()).explain(&Call::new("permit", &args));
    let why =
        explained.checks.first().and_then(|check| check.checks.first()).and_then(|check| check.why.clone());
    assert_eq!(why.as_deref(), other.map(|_| "this text is JSON, too"));
}
