//! What an explanation says about each check: its kind, its outcome, and why.

#![expect(clippy::panic, reason = "a test fails by panicking, and computes")]

use std::sync::Arc;

use callgate::time::*;
use callgate::*;
use serde_json::{Value, json};

fn engine(policy: &str) -> Engine {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_763_719_200_000)));
    Engine::builder(policy.parse().unwrap_or_else(|error| panic!("{error}"))).clock(clock).build()
}

/// The outermost checks of a call, as they would be shown.
fn shown(engine: &Engine, tool: &str, args: &Value) -> Vec<String> {
    let explanation = engine.explain(&Call::new(tool, args));
    let line = |check: &Check| {
        let why = check.why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        format!("{}: {}: {}{why}", check.pointer, check.what, check.outcome)
    };
    explanation.checks.iter().map(line).collect()
}

#[test]
fn every_kind_of_rule_says_what_it_does() {
    let engine = engine(
        "{version: '1', default: deny, tools: {
            permit: {require: [{path: args.a, op: eq, value: 1}]},
            block: {deny_if: [{path: args.a, op: eq, value: 1}]},
            named: {rules: [{name: big, action: deny, conditions: [{path: args.a, op: eq, value: 1}]}]},
            ask: {rules: [{action: require_approval, conditions: [{path: args.a, op: eq, value: 1}]}]},
            count: {rules: [{name: rate, rate_limit: 1/hour}]},
            some: {limits: [{counter: n, window: hour, max: 1, when: [{path: args.a, op: eq, value: 1}]}]},
            state: {rules: [{action: deny, conditions: [{path: args.a, op: eq, value: 1}, {path: state.count._rate_hour, op: gt, value: 0}]}]}}}",
    );
    let resets = "maximum 1, resets at 2025-11-21T11:00:00.000Z";
    for (tool, a, expected) in [
        ("permit", 1, vec!["/tools/permit/require/0: permit: passes".to_owned()]),
        ("permit", 2, vec!["/tools/permit/require/0: permit: denies".to_owned()]),
        ("block", 1, vec!["/tools/block/deny_if/0: deny: denies".to_owned()]),
        ("block", 2, vec!["/tools/block/deny_if/0: deny: does not act".to_owned()]),
        ("named", 1, vec!["/tools/named/rules/0: deny \"big\": denies".to_owned()]),
        ("ask", 1, vec!["/tools/ask/rules/0: require_approval: asks for approval".to_owned()]),
        ("ask", 2, vec!["/tools/ask/rules/0: require_approval: does not act".to_owned()]),
        ("state", 2, vec!["/tools/state/rules/0: deny: does not act".to_owned()]),
        ("some", 2, vec!["/tools/some/limits/0: limit: does not apply".to_owned()]),
        (
            "some",
            1,
            vec![
                "/tools/some/limits/0: limit: counts".to_owned(),
                format!("/tools/some/limits/0: counter some.n: charged (holds 1 with this call, {resets})"),
            ],
        ),
        (
            "state",
            1,
            vec![
                "/tools/state/rules/0: deny: acts if its counters say so".to_owned(),
                format!(": counter count._rate_hour: read (holds 0 with this call, {resets})"),
                "/tools/state/rules/0/conditions/1: state.count._rate_hour gt 0: fails (the counter reads 0)"
                    .to_owned(),
            ],
        ),
        (
            "count",
            1,
            vec![
                "/tools/count/rules/0: permit \"rate\": counts".to_owned(),
                format!(
                    "/tools/count/rules/0: counter count._rate_hour: charged (holds 1 with this call, {resets})"
                ),
            ],
        ),
    ] {
        assert_eq!(shown(&engine, tool, &json!({"a": a})), expected);
    }
    assert!(engine.evaluate("count", &json!({}), &Identity::absent()).allowed());
    assert_eq!(
        shown(&engine, "count", &json!({}))[1..],
        [
            format!("/tools/count/rules/0: counter count._rate_hour: charged (holds 1 without this call, {resets})"),
            "/tools/count/rules/0: maximum: refuses (would hold at 2025-11-21T11:00:00.000Z if nothing else happened)"
                .to_owned(),
        ]
    );
}

/// A text that a server may parse says so, and one that is read as text has nothing to say.
#[test]
fn a_text_with_two_readings_says_so() {
    let engine = engine(
        "{version: '1', default: allow, tools: {
            plain: {deny_if: [{path: args.v, op: eq, value: x}]},
            far: {deny_if: [{path: 'args.l[*].v', op: regex, value: x}]},
            nothing: {require: [{path: args.v, op: exists, value: true}]},
            text: {deny_if: [{path: args.v.@text, op: eq, value: x}]},
            length: {deny_if: [{path: args.v.@length, op: gt, value: 5}]},
            json: {deny_if: [{path: args.v.@json.a, op: eq, value: x}]},
            anywhere: {require: [{path: args.v.**, op: not_contains, value: x}]}}}",
    );
    let two = Some("this text is JSON, too");
    let other = Some("the value is of another type");
    for (tool, args, outcome, why) in [
        ("plain", json!({"v": "[1]"}), "unknown", two),
        ("plain", json!({"v": " null "}), "unknown", two),
        ("plain", json!({"v": "[1"}), "fails", None),
        ("plain", json!({"v": 1}), "unknown", other),
        ("far", json!({"l": [{"v": "a"}, {"v": "{}"}]}), "unknown", two),
        ("nothing", json!({"v": "null"}), "unknown", two),
        ("nothing", json!({"v": "[]"}), "holds", None),
        ("text", json!({"v": "[1]"}), "fails", None),
        ("text", json!({"v": null}), "unknown", Some("the value is null, which has no such view")),
        ("text", json!({"v": 1}), "unknown", Some("the value has no such view")),
        ("length", json!({"v": "[1]"}), "unknown", two),
        ("length", json!({"v": []}), "unknown", Some("the value has no such view")),
        ("length", json!({"v": "a"}), "fails", None),
        ("json", json!({"v": "a"}), "unknown", Some("the text is not JSON")),
        ("json", json!({"v": "5"}), "unknown", Some("the path steps into a value of another type")),
        ("json", json!({"v": "{\"a\":\"[]\"}"}), "unknown", two),
        ("json", json!({"v": "{}"}), "fails", Some("the path is absent")),
        ("anywhere", json!({"v": ["a", 5]}), "unknown", other),
        ("anywhere", json!({"v": ["{}"]}), "unknown", two),
        ("anywhere", json!({"v": []}), "holds", Some("there is no element")),
    ] {
        let explanation = engine.explain(&Call::new(tool, &args));
        let check = &explanation.checks[0].checks[0];
        assert_eq!((check.outcome.as_str(), check.why.as_deref()), (outcome, why), "{tool} {args}");
    }
}

/// Why a list comes to what it does: the reason of the element that made it so.
#[test]
fn a_list_gives_the_reason_of_what_settled_it() {
    let engine = engine(
        "{version: '1', default: deny, tools: {t: {require: [{path: 'args.l[*].v', op: eq, value: x}]}}}",
    );
    let item = |v: Value| json!({"v": v});
    for (list, outcome, why) in [
        (json!([item(json!("x"))]), "holds", None),
        (json!([item(json!("x")), item(json!("x"))]), "holds", None),
        (
            json!([item(json!("x")), item(json!(5)), json!("x")]),
            "unknown",
            Some("the value is of another type"),
        ),
        (
            json!([item(json!("x")), json!("x"), item(json!(5))]),
            "unknown",
            Some("the path steps into a value of another type"),
        ),
        (json!([]), "holds", Some("there is no element")),
    ] {
        let args = json!({"l": list});
        let explanation = engine.explain(&Call::new("t", &args));
        let check = &explanation.checks[0].checks[0];
        assert_eq!((check.outcome.as_str(), check.why.as_deref()), (outcome, why), "{list}");
    }
}

/// What a host has checked before any rule is a check of its own, with its outcome.
#[test]
fn checks_of_arguments_are_explained() {
    let policy = "
version: \"1\"
default: deny
tools:
  pay: {require: [{path: args.amount, op: lte, value: 5}]}
";
    let engine = Engine::new(policy.parse().unwrap());
    let schema = json!({"properties": {"amount": {"type": "number"}}});
    let check = ArgsCheck::new().schema(InputSchema::new(&schema));
    for (args, outcome, checks) in
        [(json!({"amount": "5"}), "denies", 1), (json!({"amount": 5}), "passes", 2)]
    {
        let explained = engine.explain(&Call::new("pay", &args).checked(&check));
        let first = &explained.checks[0];
        assert_eq!((first.pointer.as_str(), first.outcome.as_str()), ("", outcome));
        assert_eq!(first.what, "arguments against the tool's schema, and members that fold");
        assert_eq!(explained.checks.len(), checks);
        let text = args.to_string();
        let raw = engine.explain_json(&Call::new("pay", text.as_str()).checked(&check));
        assert_eq!(raw.checks, explained.checks);
        assert_eq!(raw.decision.to_json(), explained.decision.to_json());
    }
    let args = json!({"amount": 5});
    assert_eq!(engine.explain(&Call::new("pay", &args)).checks.len(), 1);
}

#[test]
fn a_limit_shows_the_conditions_that_it_applies_by() {
    let engine = engine(
        "{version: '1', default: deny, tools: {t: {rules: [{rate_limit: 1/hour, when: [{path: args.a, op: exists, value: true}, {path: args.a, op: neq, value: 1}]}]}}}",
    );
    let explanation = engine.explain(&Call::new("t", &json!({"a": 1})));
    let checks: Vec<_> = explanation.checks[0]
        .checks
        .iter()
        .map(|check| format!("{}: {}: {}", check.pointer, check.what, check.outcome))
        .collect();
    assert_eq!(
        checks,
        [
            "/tools/t/rules/0/when/0: args.a exists true: holds",
            "/tools/t/rules/0/when/1: args.a neq 1: fails",
        ]
    );
    assert_eq!((&*explanation.checks[0].outcome, explanation.checks.len()), ("does not apply", 1));
}

#[test]
fn an_operand_from_the_call_is_named_by_its_path_and_type() {
    let engine = engine(
        "{version: '1', default: deny, tools: {t: {require: [{path: args.customer, op: eq, value_from: identity.customer}]}, u: {require: [{path: 'args.to[*]', op: not_in, value_from: args.blocked, optional: true}]}}}",
    );
    let shown = |tool: &str, args: Value, identity: Value| {
        let explanation = engine.explain(&Call::new(tool, &args).identity(Identity::claims(&identity)));
        let check = &explanation.checks[0].checks[0];
        format!("{}: {}: {}", check.what, check.outcome, check.why.as_deref().unwrap_or_default())
    };
    for (tool, args, identity, expected) in [
        (
            "t",
            json!({"customer": "a"}),
            json!({"id": "u"}),
            "args.customer eq identity.customer: unknown: args.customer is a string, identity.customer is absent",
        ),
        (
            "t",
            json!({"customer": "secret"}),
            json!({"customer": "other"}),
            "args.customer eq identity.customer: fails: args.customer is a string, identity.customer is a string",
        ),
        (
            "t",
            json!({"customer": "[1]"}),
            json!({"customer": ""}),
            "args.customer eq identity.customer: unknown: args.customer is text that is JSON, too, identity.customer is an empty string",
        ),
        (
            "u",
            json!({"to": ["a", 1, "b"], "blocked": ["c", 2]}),
            json!({}),
            "args.to[*] not_in args.blocked, optional: holds: args.to[*] is a string and a number, args.blocked is a list",
        ),
        (
            "u",
            json!({"blocked": []}),
            json!({}),
            "args.to[*] not_in args.blocked, optional: holds: args.to[*] is absent, args.blocked is a list",
        ),
    ] {
        assert_eq!(shown(tool, args, identity), expected);
    }
}
