use callgate::lock::{Definition, Entry, Lock, Origin};
use serde_json::{Value, json};

use super::*;

fn drifts(old: &[Value], new: &[Value]) -> Vec<Drift> {
    let read = |tool: &Value| Definition::read(&tool.to_string()).unwrap();
    let mut lock = Lock::new();
    lock.put_server("s", Origin { protocol: String::new(), date: "2026-11-30".to_owned() }).unwrap();
    for tool in old {
        let entry = Entry { class: String::new(), severity: String::new(), definition: read(tool) };
        lock.put("s", entry).unwrap();
    }
    compare("s", &lock, &new.iter().map(read).collect::<Vec<_>>())
}

/// The kind of a change of a schema, there and back.
fn kinds(old: &Value, new: &Value) -> (Kind, Kind) {
    let tool = |schema: &Value| [json!({"name": "get_note", "inputSchema": schema})];
    let kind = |old, new| drifts(&tool(old), &tool(new)).remove(0).kind;
    (kind(old, new), kind(new, old))
}

#[test]
fn schemas_are_compared_keyword_by_keyword() {
    use Kind::{Narrower, Wider, Wording};
    let a = || json!({"type": "string"});
    for (old, new, there, back) in [
        (json!({}), json!({"maxProperties": 1}), Narrower, Wider),
        (json!({"exclusiveMinimum": 1.5}), json!({"exclusiveMinimum": 2}), Narrower, Wider),
        (json!({"exclusiveMinimum": true, "minimum": 1}), json!({"minimum": 1}), Wider, Wider),
        (json!({"type": ["string", "null"]}), json!({"type": "string"}), Narrower, Wider),
        (json!({"type": ["string", "null"]}), json!({"type": ["null", "string"]}), Wording, Wording),
        (json!({"type": "number"}), json!({"type": "integer"}), Narrower, Wider),
        (json!({"type": "text"}), json!({"type": "integer"}), Wider, Wider),
        (json!({"enum": [1, 2]}), json!({"enum": [2]}), Narrower, Wider),
        (json!({"const": 1}), json!({"const": 2}), Wider, Wider),
        (json!({"uniqueItems": false}), json!({"uniqueItems": true}), Narrower, Wider),
        (json!({"uniqueItems": false}), json!({}), Wording, Wording),
        (json!({"items": {}}), json!({"items": a()}), Narrower, Wider),
        (json!({"items": [a()]}), json!({"items": a()}), Wider, Wider),
        (json!({"prefixItems": [a()]}), json!({"prefixItems": [a(), a()]}), Wider, Wider),
        (json!({"additionalProperties": a()}), json!({"additionalProperties": false}), Narrower, Wider),
        (json!({}), json!({"additionalProperties": false}), Narrower, Wider),
        (json!({"allOf": [a()]}), json!({"allOf": [a(), {"maxLength": 1}]}), Narrower, Wider),
        (json!({"allOf": [a()]}), json!({"allOf": [{"type": "string", "maxLength": 1}]}), Narrower, Wider),
        (json!({"anyOf": [a(), {"type": "null"}]}), json!({"anyOf": [a()]}), Narrower, Wider),
        // An open schema takes the property before and after, but the tool knows it.
        (json!({"properties": {"a": a()}}), json!({"properties": {}}), Wider, Wider),
        (json!({"properties": {}}), json!({}), Wording, Wording),
        (json!({"properties": {"a": {}}}), json!({"properties": {"a": a()}}), Narrower, Wider),
        (json!({"format": "uri"}), json!({"format": "email"}), Wider, Wider),
        (json!({"$schema": "a"}), json!({"$schema": "b"}), Wider, Wider),
        (
            json!({"properties": {"a": {"minimum": "1"}}}),
            json!({"properties": {"a": {"minimum": 2}}}),
            Wider,
            Wider,
        ),
    ] {
        assert_eq!(kinds(&old, &new), (there, back), "{old} {new}");
    }
}

/// What is narrower on its own may be wider where it stands.
#[test]
fn less_of_a_part_is_not_less_of_the_whole() {
    let (old, new) = (json!({"maxLength": 2}), json!({"maxLength": 1}));
    for around in [
        |part: &Value| json!({"not": part}),
        |part: &Value| json!({"if": part, "then": false}),
        |part: &Value| json!({"oneOf": [part, {"type": "null"}]}),
        |part: &Value| json!({"$defs": {"a": part}, "not": {"$ref": "#/$defs/a"}}),
        |part: &Value| json!({"properties": {"a": part}, "not": {"properties": {"b": {"$ref": "#/properties/a"}}}}),
        |part: &Value| json!({"$ref": "#/$defs/a", "properties": {"a": part}, "$defs": {"a": {}}}),
        |part: &Value| json!({"patternProperties": {"a": part}}),
        |part: &Value| json!({"dependentSchemas": {"a": part}}),
        |part: &Value| json!({"propertyNames": part}),
        |part: &Value| json!({"contains": part, "maxContains": 1}),
    ] {
        assert_eq!(kinds(&around(&old), &around(&new)), (Kind::Wider, Kind::Wider), "{}", around(&old));
    }
    let texts = (json!({"not": {"description": "a"}}), json!({"not": {"description": "b"}}));
    assert_eq!(kinds(&texts.0, &texts.1), (Kind::Wording, Kind::Wording));
}

#[test]
fn tools_are_paired_by_name_and_then_by_what_they_are() {
    let tool = |name: &str, text: &str| json!({"name": name, "description": text});
    let old = [tool("get_a", "A"), tool("get_b", "B"), tool("get_c", "B"), tool("get_d", "D")];
    let new = [
        tool("get_a", "A"),
        tool("get_x", "B"),
        tool("get_y", "E"),
        tool("get_d", "D."),
        tool("get_z", "Z"),
        tool("get_z", "Z"),
    ];
    let found: Vec<_> = drifts(&old, &new)
        .into_iter()
        .map(|it| (it.name, it.kind.name(), it.was, it.changes.len()))
        .collect();
    let row = |name: &str, kind, was: Option<&str>, changes| {
        (name.to_owned(), kind, was.map(str::to_owned), changes)
    };
    assert_eq!(
        found,
        [
            row("get_c", "gone", None, 0),
            row("get_d", "wording", None, 1),
            row("get_x", "renamed", Some("get_b"), 0),
            row("get_y", "new", None, 0),
            row("get_z", "riskier", None, 1),
        ]
    );
    assert_eq!(drifts(&old, &old), []);
}

/// Numbers that a double cannot tell apart are a change all the same.
#[test]
fn what_cannot_be_shown_is_wider() {
    let tool = |most: &str| {
        Definition::read(&format!(r#"{{"name":"a","inputSchema":{{"maximum":{most}}}}}"#)).unwrap()
    };
    let mut lock = Lock::new();
    lock.put_server("s", Origin { protocol: String::new(), date: "2026-11-30".to_owned() }).unwrap();
    let definition = tool("100000000000000000000000000001");
    lock.put("s", Entry { class: String::new(), severity: String::new(), definition }).unwrap();
    let found = compare("s", &lock, &[tool("100000000000000000000000000000")]);
    assert_eq!((found.len(), found[0].kind), (1, Kind::Wider));
}

/// One place is no narrower where another decides what it means.
#[test]
fn a_schema_that_takes_more_is_wider_wherever_it_says_so() {
    let closed = json!({"properties": {"id": {"type": "string"}}, "unevaluatedProperties": false});
    let with = |schema: &Value, name: &str, value: Value| {
        let mut schema = schema.clone();
        schema[name] = value;
        schema
    };
    let open = json!({"properties": {"id": {"type": "string"}}});
    let example = |value: Value| json!({"properties": {"x": {"$ref": "#/examples/0"}}, "examples": [value]});
    let inner = |value: Value| json!({"$defs": {"e": {"examples": [value]}}, "properties": {"x": {"$ref": "#/$defs/e/examples/0"}}});
    for (old, new) in [
        (closed.clone(), with(&closed, "additionalProperties", json!(true))),
        (closed.clone(), with(&closed, "allOf", json!([{"additionalProperties": true}]))),
        (example(json!({"type": "string"})), example(json!({}))),
        (inner(json!({"type": "string"})), inner(json!({}))),
        (open.clone(), with(&open, "allOf", json!([{"properties": {"as_user": {"type": "string"}}}]))),
        (json!({"anyOf": [true]}), json!({"anyOf": [{"properties": {"as_user": {}}}]})),
        (json!({"properties": {"a": true}}), json!({"properties": {"a": {"properties": {"as_user": {}}}}})),
        (open.clone(), with(&open, "required", json!(["id", "env_secrets"]))),
        (open.clone(), with(&open, "enum", json!([{"as_user": "root"}]))),
    ] {
        assert_eq!(kinds(&old, &new).0, Kind::Wider, "{new}");
    }
    let required = (open.clone(), with(&open, "required", json!(["id"])));
    assert_eq!(kinds(&required.0, &required.1), (Kind::Narrower, Kind::Wider));
    let told = (with(&closed, "description", json!("a")), with(&closed, "description", json!("b")));
    assert_eq!(kinds(&told.0, &told.1).0, Kind::Wording);
}

/// Also beside a change that is shown.
#[test]
fn numbers_that_a_double_cannot_hold_are_wider_beside_other_texts() {
    let tool = |text: &str, most: &str| {
        let text = format!(r#"{{"name":"a","description":"{text}","inputSchema":{{"maximum":{most}}}}}"#);
        Definition::read(&text).unwrap()
    };
    let mut lock = Lock::new();
    lock.put_server("s", Origin { protocol: String::new(), date: "2026-11-30".to_owned() }).unwrap();
    let definition = tool("A.", "0.1");
    lock.put("s", Entry { class: String::new(), severity: String::new(), definition }).unwrap();
    let found = compare("s", &lock, &[tool("B.", "0.10000000000000000001")]);
    assert_eq!((found.len(), found[0].kind), (1, Kind::Wider));
    assert_eq!(compare("s", &lock, &[tool("B.", "0.1")])[0].kind, Kind::Wording);
}
