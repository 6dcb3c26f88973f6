//! Definitions that a hostile server could send are read in bounded time, and never into something harmless. What is quadratic in a megabyte takes hours,
//! so that a test which ends has shown that it is not.

#![allow(missing_docs, reason = "a test")]

use callgate_analysis::risk::{Class, Options, Risk, Severity, classify, to_json};
use serde_json::{Map, Value, json};

fn one(definition: &Value) -> Risk {
    classify("server", std::slice::from_ref(definition), &Options::new()).remove(0)
}

#[test]
fn a_verb_behind_a_megabyte_is_read() {
    for filler in [
        "Gets a thing. ",
        "not ",
        "irreversible-not never ",
        "a, ",
        "\n",
        "get and ",
        "\u{200b}",
        "é",
        "((((",
        "permanently delete without ",
        "ignore all previous do not tell ",
        "read the file and <[",
    ] {
        let padding = filler.repeat(1_048_576 / filler.len());
        let risk =
            one(&json!({"name": "sync_files", "description": format!("{padding}.\nDeletes all files.")}));
        assert_eq!(risk.class, Class::Destructive, "{filler:?}");
        assert!(risk.reasons.iter().all(|reason| reason.text.chars().count() <= 200), "{filler:?}");
    }
}

#[test]
fn a_deep_schema_is_not_taken_for_a_harmless_one() {
    let mut schema = json!({"type": "object", "properties": {"action": {"enum": ["get", "delete"]}}});
    for _ in 0..4_000 {
        // By moves: `json!` would serialise what is inside again at each level.
        let properties: Map<String, Value> = [("a".to_owned(), schema)].into_iter().collect();
        schema =
            [("properties".to_owned(), Value::Object(properties))].into_iter().collect::<Map<_, _>>().into();
    }
    let definition: Value = [("name".to_owned(), json!("sync_things")), ("inputSchema".to_owned(), schema)]
        .into_iter()
        .collect::<Map<_, _>>()
        .into();
    assert_eq!(one(&definition).class, Class::Unknown);
    // Dropping a value recurses; this one is deeper than any parser lets through.
    std::mem::forget(definition);
}

#[test]
fn a_wide_schema_is_read_in_time() {
    let members: Vec<String> = (0..20_000).map(|n| format!("get_{n}")).collect();
    let properties: Map<String, Value> =
        (0..5_000).map(|n| (format!("p{n}_action"), json!({"$ref": "#/$defs/Action"}))).collect();
    let schema = json!({"type": "object", "properties": properties, "$defs": {"Action": {"enum": members}}});
    assert_eq!(one(&json!({"name": "sync_things", "inputSchema": schema})).class, Class::Unknown);
}

#[test]
fn references_in_a_circle_end() {
    let branches: Vec<Value> = (0..50).map(|n| json!({"$ref": format!("#/$defs/d{n}")})).collect();
    let circle: Map<String, Value> = (0..50)
        .map(|n| (format!("d{n}"), json!({"anyOf": branches, "properties": {"x": {"anyOf": branches}}})))
        .collect();
    one(&json!({"name": "get_thing", "inputSchema": {"$ref": "#/$defs/d0", "$defs": circle}}));
    one(&json!({"name": "get_thing", "inputSchema": {"$ref": "#"}}));
}

#[test]
fn what_has_the_wrong_type_is_as_absent() {
    for definition in [
        json!(null),
        json!([]),
        json!("delete"),
        json!({}),
        json!({"name": 5}),
        json!({"name": null, "description": ["x"], "inputSchema": []}),
        json!({"name": "aks", "inputSchema": {"properties": []}, "annotations": "no"}),
        json!({"name": "aks", "inputSchema": {"properties": {"action": 7}, "anyOf": {}, "$ref": 5}}),
    ] {
        let risk = one(&definition);
        assert_eq!((risk.class, risk.severity), (Class::Unknown, Severity::High), "{definition}");
    }
}

#[test]
fn odd_characters_neither_hide_a_verb_nor_come_out() {
    for name in [
        "de\u{200b}lete_repo",
        "delete\u{202e}_repo",
        "delete_\u{feff}repo",
        "DELETE-repo",
        "delete\u{0}repo",
        "delete\u{301}.repo",
    ] {
        let risk =
            one(&json!({"name": name, "description": "\u{202e}\u{e0041}Gets it\u{7}\u{1b}[2J \u{2066}now"}));
        assert!(risk.class.strength() >= Class::Execute.strength(), "{name:?}: {:?}", risk.class);
        for reason in &risk.reasons {
            let clean = |letter: char| {
                !letter.is_control()
                    && !matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e0fff}')
            };
            assert!(reason.text.chars().chain(reason.place.chars()).all(clean), "{reason:?}");
        }
        assert!(risk.findings.iter().any(|finding| finding.code.name() == "hidden_characters"));
    }
    // Another alphabet's letters make another word, which nobody knows.
    assert_eq!(one(&json!({"name": "d\u{435}lete_repo"})).class, Class::Unknown);
    assert_eq!(one(&json!({"name": "🗑️"})).class, Class::Unknown);
}

#[test]
fn names_of_properties_are_quoted_like_any_text() {
    let long = format!("a\u{202e}\n{}", "x".repeat(5_000));
    let schema = json!({"properties": {long: {"properties": {"action": {"enum": ["get", "delete\u{202e}\u{7}_all"]}}}}});
    let risk = one(&json!({"name": "manage_x", "inputSchema": schema}));
    assert_eq!(risk.class, Class::Destructive);
    let text = to_json(&[risk]).to_string();
    assert!(!text.contains("\\u0007") && !text.contains('\u{202e}'), "{text}");
    assert!(text.len() < 4_000, "{}", text.len());
}

/// What is quadratic takes far longer than this bound; `tests/RESULTS.md` has the figure of a release build.
#[test]
fn ten_thousand_tools_are_classified() {
    let verbs = ["get", "list", "create", "delete", "run", "update", "cancel", "aks", "manage", "send"];
    let tools: Vec<Value> = (0..10_000)
        .map(|n| {
            json!({
                "name": format!("{}_thing_{n}", verbs[n % verbs.len()]),
                "description": "Changes a thing of the account. Takes its id, and answers with the thing. Use list_things to find ids first. \
                    Args:\n  id: the id of the thing\n  fields: which fields to answer with\n",
                "inputSchema": {"type": "object", "required": ["id"], "properties": {
                    "id": {"type": "string", "description": "The id of the thing."},
                    "fields": {"type": "array", "items": {"type": "string"}, "description": "Which fields to answer with."},
                    "mode": {"type": "string", "enum": ["fast", "slow"]},
                    "filter": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null},
                }},
                "annotations": {"readOnlyHint": false, "title": "A thing"},
            })
        })
        .collect();
    assert_eq!(classify("things", &tools, &Options::new()).len(), 10_000);
}
