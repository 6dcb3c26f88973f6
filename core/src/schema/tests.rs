//! What schemas admit, schema by schema.

use serde_json::{Value, json};

use super::{InputSchema, Walk};
use crate::admission::Place;
use crate::budget::Budget;
use crate::path::Path;
use crate::view::Unreadable;

fn places(paths: &[&str]) -> Place {
    Place::of(paths.iter().map(|path| Path::parse(path).unwrap()))
}

fn refused(schema: &Value, paths: &[&str], args: &Value) -> Result<Option<String>, Unreadable> {
    let (schema, places, steps) = (InputSchema::new(schema), places(paths), Budget::new());
    let refused = Walk::new(&schema, &steps).refused(&args, &places)?;
    Ok(refused.map(|place| place.path().to_owned()))
}

/// Of a schema for the member `a`: the values that it admits, and those that it does not.
#[test]
fn types_are_told_apart() {
    let any = [
        json!(null),
        json!(true),
        json!(5),
        json!(5.0),
        json!(5.5),
        json!("5"),
        json!(["x"]),
        json!({"b": 1}),
    ];
    for (schema, admitted) in [
        (json!({}), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
        (json!(true), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
        (json!(false), ""),
        (json!(7), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
        (json!({"type": "null"}), "null"),
        (json!({"type": "boolean"}), "true"),
        (json!({"type": "integer"}), "5 5.0"),
        (json!({"type": "number"}), "5 5.0 5.5"),
        (json!({"type": "string", "pattern": "^x", "minLength": 9}), "\"5\""),
        (json!({"type": "array"}), "[\"x\"]"),
        (json!({"type": "object"}), "{\"b\":1}"),
        (json!({"type": ["integer", "null"]}), "null 5 5.0"),
        (json!({"type": "decimal"}), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
        (json!({"type": ["string", "decimal"]}), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
        (json!({"type": []}), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
        (json!({"const": 7}), "5 5.0"),
        (json!({"enum": ["a", null]}), "null \"5\""),
        (json!({"enum": []}), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
        (json!({"type": "string", "enum": [1, "a"]}), "\"5\""),
        (json!({"type": "array", "items": {"type": "string"}}), "[\"x\"]"),
        (json!({"type": "array", "items": {"type": "integer"}}), ""),
        (json!({"type": "array", "items": false}), ""),
        (json!({"type": "array", "prefixItems": [{"type": "string"}], "items": false}), "[\"x\"]"),
        (json!({"type": "array", "prefixItems": [{"type": "null"}]}), ""),
        (json!({"type": "array", "items": [{"type": "null"}]}), ""),
        (json!({"type": "array", "items": [], "additionalItems": {"type": "null"}}), ""),
        (json!({"type": "object", "properties": {"b": {"type": "integer"}}}), "{\"b\":1}"),
        (json!({"type": "object", "properties": {"b": {"type": "string"}}}), ""),
        (json!({"type": "object", "properties": {"c": {}}, "additionalProperties": false}), ""),
        (json!({"type": "object", "additionalProperties": {"type": "integer"}}), "{\"b\":1}"),
        (
            json!({"type": "object", "additionalProperties": false, "patternProperties": {"^b": {}}}),
            "{\"b\":1}",
        ),
        (json!({"type": "object", "required": ["z"]}), "{\"b\":1}"),
        (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), "null 5 5.0"),
        (json!({"anyOf": []}), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
        (json!({"oneOf": [{"type": "string"}, {"type": "string"}]}), "\"5\""),
        (json!({"anyOf": [{"type": "string"}], "oneOf": [{"type": "null"}]}), ""),
        (json!({"allOf": [{"type": ["string", "null"]}, {"type": ["string", "array"]}]}), "\"5\""),
        (json!({"$ref": "#/$defs/whole"}), "5 5.0"),
        (json!({"$ref": "#/$defs/a~1b%20c"}), "true"),
        (json!({"$ref": "#/$defs/whole", "type": "string"}), ""),
        (json!({"$ref": "#/$defs/none"}), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
        (json!({"$ref": "other.json"}), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
        (json!({"$ref": "#/$defs/other"}), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
        (json!({"$id": "other", "type": "null"}), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
        (json!({"not": {"type": "string"}}), "null true 5 5.0 5.5 \"5\" [\"x\"] {\"b\":1}"),
    ] {
        let whole = json!({
            "type": "object",
            "properties": {"a": schema},
            "$defs": {"whole": {"type": "integer"}, "a/b c": {"type": "boolean"}, "other": {"$id": "other", "type": "null"}},
        });
        let found: Vec<String> = any
            .iter()
            .filter(|value| refused(&whole, &["args.a"], &json!({"a": value})).unwrap().is_none())
            .map(Value::to_string)
            .collect();
        assert_eq!(found.join(" "), admitted, "{schema}");
    }
}

/// Only places that are read count, with the containers on the way; the message names the path as the policy has it.
#[test]
fn only_what_is_read_is_looked_at() {
    let schema = json!({
        "type": "object",
        "properties": {
            "n": {"type": "integer"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"p": {"type": "number"}}}},
            "maybe": {"anyOf": [{"$ref": "#/$defs/options"}, {"type": "null"}]},
            "pair": {"prefixItems": [{"type": "string"}, {"type": "integer"}]},
        },
        "additionalProperties": false,
        "$defs": {"options": {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}}},
    });
    for (paths, args, expected) in [
        (&["args.n"][..], json!({"n": "5"}), Some("args.n")),
        (&["args.n"], json!({"list": "5", "z": 1}), None),
        (&["args.z"], json!({"z": 1}), Some("args.z")),
        (&["args.list"], json!({"list": [{"p": 1}, {"p": "1"}]}), Some("args.list")),
        (&["args.list"], json!({"list": [{"p": 1}, {"q": "1"}]}), None),
        (&["args.list[*].p"], json!({"list": [{"p": 1}, {"p": "1"}]}), Some("args.list[*].p")),
        (&["args.list[*].p"], json!({"list": [{"p": 1, "q": "1"}, 7]}), Some("args.list[*]")),
        (&["args.list[*].q"], json!({"list": [{"p": "1"}]}), None),
        (&["args.list[0].p"], json!({"list": [{"p": 1}, {"p": "1"}]}), None),
        (&["args.list[1].p"], json!({"list": [{"p": 1}, {"p": "1"}]}), Some("args.list[1].p")),
        (&["args.list[*].p"], json!({"list": "[{\"p\": 1}]"}), Some("args.list")),
        (&["args.maybe.x"], json!({"maybe": null}), None),
        (&["args.maybe.x"], json!({"maybe": {"x": 1, "y": "1"}}), None),
        (&["args.maybe.x"], json!({"maybe": {"x": "1"}}), Some("args.maybe.x")),
        (&["args.maybe"], json!({"maybe": {"x": 1, "y": "1"}}), Some("args.maybe")),
        (
            &["args.maybe.x", "args.maybe[\"y\"]"],
            json!({"maybe": {"x": 1, "y": "1"}}),
            Some("args.maybe[\"y\"]"),
        ),
        (&["args.pair[1]"], json!({"pair": [1, "1"]}), Some("args.pair[1]")),
        (&["args.pair[0]"], json!({"pair": ["1", "1"]}), None),
        (&["identity.n", "tool"], json!({"n": "5"}), None),
    ] {
        assert_eq!(refused(&schema, paths, &args).unwrap().as_deref(), expected, "{paths:?} {args}");
    }
}

/// Alternatives are taken with all that is read of a value: one of them has to admit all of it.
#[test]
fn one_alternative_admits_all_that_is_read() {
    let of = |one: &str, other: &str| json!({"properties": {"a": {"type": one}, "b": {"type": other}}});
    let schema = json!({"anyOf": [of("integer", "string"), of("string", "integer")]});
    let args = json!({"a": "1", "b": "1"});
    assert_eq!(refused(&schema, &["args.a"], &args).unwrap(), None);
    assert!(refused(&schema, &["args.a", "args.b"], &args).unwrap().is_some());
}

/// A schema that names itself is followed as deep as the arguments are, and no deeper than any stack.
#[test]
fn references_that_lead_back_are_bounded() {
    let tree = json!({
        "properties": {"t": {"$ref": "#/$defs/t"}},
        "$defs": {"t": {"type": "object", "properties": {"t": {"anyOf": [{"$ref": "#/$defs/t"}, {"type": "null"}]}}}},
    });
    let nested = |depth: usize, inner: Value| (0..depth).fold(inner, |inner, _| json!({"t": inner}));
    assert_eq!(refused(&tree, &["args.t"], &nested(90, json!(null))).unwrap(), None);
    assert_eq!(refused(&tree, &["args.t"], &nested(90, json!("x"))).unwrap().as_deref(), Some("args.t"));
    assert_eq!(refused(&tree, &["args.t"], &nested(130, json!(null))), Err(Unreadable::TooDeep));
    for endless in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"properties": {"t": {"$ref": "#/properties/t"}}}),
        json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}),
    ] {
        // Whatever such a schema means, it is no reason to deny, or it takes all steps.
        let found = refused(&endless, &["args.t"], &json!({"t": 1}));
        assert!(matches!(found, Ok(None) | Err(Unreadable::TooLarge)), "{endless} {found:?}");
    }
}

/// What lies beyond the ceilings admits everything, and arguments that would take too long to look at deny.
#[test]
fn ceilings_hold() {
    let deep = (0..100).fold(json!({"type": "null"}), |inner, _| json!({"allOf": [inner]}));
    assert_eq!(refused(&json!({"properties": {"a": deep}}), &["args.a"], &json!({"a": 1})).unwrap(), None);
    let mut wide: serde_json::Map<String, Value> =
        (0..12_000).map(|n| (format!("a{n:05}"), json!({"type": "null"}))).collect();
    wide.insert("z".to_owned(), json!({"type": "null"}));
    let wide = json!({"properties": wide});
    assert!(refused(&wide, &["args.a00001"], &json!({"a00001": 1})).unwrap().is_some());
    assert_eq!(refused(&wide, &["args.z"], &json!({"z": 1})).unwrap(), None);
    let list = json!({"properties": {"a": {"items": {"type": "integer"}}}});
    let long = json!({"a": vec![1; 400_000]});
    assert_eq!(refused(&list, &["args.a"], &long), Err(Unreadable::TooLarge));
}

/// References that lead to one large place, each written in another way, take no more time and memory than others.
#[test]
fn what_references_lead_to_is_bounded() {
    let large: serde_json::Map<String, Value> = (0..20_000).map(|n| (format!("m{n}"), json!(true))).collect();
    let spelled =
        |n: usize| -> String { (0..10).map(|bit| if n >> bit & 1 == 0 { "b" } else { "%62" }).collect() };
    let references =
        (0..1_024).map(|n| (format!("r{n}"), json!({"$ref": format!("#/$defs/{}", spelled(n))})));
    let mut properties: serde_json::Map<String, Value> = references.collect();
    properties.insert("n".to_owned(), json!({"type": "integer"}));
    let large = json!({"properties": large, "additionalProperties": false});
    let schema = json!({"properties": properties, "$defs": {"bbbbbbbbbb": large}}).to_string();
    let schema = InputSchema::from_json(&schema).unwrap();
    let members: usize = schema.0.0.iter().map(|node| node.members.len()).sum();
    assert!(members <= crate::ceilings::SCHEMA_PARTS, "{members}");
    let refused = |path: &str, args: Value| {
        let steps = Budget::new();
        Walk::new(&schema, &steps).refused(&&args, &places(&[path])).unwrap().is_some()
    };
    assert!(refused("args.n", json!({"n": "5"})));
    assert!(refused("args.r0", json!({"r0": {"z": 1}})) && !refused("args.r0", json!({"r0": {"m19999": 1}})));
    assert!(!refused("args.r999", json!({"r999": {"z": 1}})), "what lies beyond admits everything");
}

#[test]
fn text_is_read_as_a_value_is() {
    let schema = InputSchema::from_json("{\"properties\": {\"a\": {\"type\": \"integer\"}}}").unwrap();
    let (places, steps) = (places(&["args.a"]), Budget::new());
    assert!(Walk::new(&schema, &steps).refused(&&json!({"a": "1"}), &places).unwrap().is_some());
    assert!(InputSchema::from_json("{\"a\": ").is_err());
}
