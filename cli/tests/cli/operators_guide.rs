//! The tables of `docs/guide/operators.md`: what a row says of an operator is what the engine decides, and none is left out.

use callgate::{Engine, Identity, Policy};
use serde_json::{Value, json};

const GUIDE: &str = include_str!("../../../docs/guide/operators.md");
const SCHEMA: &str = include_str!("../../../spec/policy.schema.json");
const LANGUAGE: &str = include_str!("../../../spec/language.md");

/// An operator, an operand, and a value of a type that it does not take. `exists` has a row for each operand.
const OPERATORS: [(&str, &str, &str); 22] = [
    ("eq", "5", "\"x\""),
    ("neq", "5", "\"x\""),
    ("in", "[5]", "\"x\""),
    ("not_in", "[5]", "\"x\""),
    ("lt", "5", "\"x\""),
    ("lte", "5", "\"x\""),
    ("gt", "5", "\"x\""),
    ("gte", "5", "\"x\""),
    ("regex", "x", "5"),
    ("not_regex", "x", "5"),
    ("contains", "x", "5"),
    ("not_contains", "x", "5"),
    ("includes", "x", "\"x\""),
    ("not_includes", "x", "\"x\""),
    ("exists", "true", "5"),
    ("exists", "false", "5"),
    ("starts_with", "x", "5"),
    ("ends_with", "x", "5"),
    ("subset_of", "[x]", "\"x\""),
    ("within", "/x", "5"),
    ("type", "string", "5"),
    ("type", "\"null\"", "5"),
];

/// The rows of the first table whose first column is called so.
fn table(first: &str) -> Vec<Vec<String>> {
    let (_, rest) = GUIDE.split_once(&format!("\n| {first} |")).unwrap();
    let rows = rest.split("\n\n").next().unwrap().lines().skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// What a condition comes to in a place, by it and by its contrary.
fn outcome(place: &str, condition: &str, args: &Value) -> &'static str {
    let list = match place {
        "permit" => format!("require: [{condition}]"),
        "block" => format!("deny_if: [{condition}]"),
        _ => format!("limits: [{{counter: c, window: day, max: 0, when: [{condition}]}}]"),
    };
    let contrary = list.replace(condition, &format!("{{not: {condition}}}"));
    let text =
        format!("{{version: \"1\", default: deny, tools: {{plain: {{{list}}}, contrary: {{{contrary}}}}}}}");
    let engine = Engine::new(Policy::from_yaml(&text).unwrap());
    let passes =
        ["plain", "contrary"].map(|tool| engine.evaluate(tool, args, &Identity::new("ann")).allowed());
    match (place, passes) {
        ("permit", [true, false]) | ("block" | "limit", [false, true]) => "holds",
        ("permit", [false, true]) | ("block" | "limit", [true, false]) => "fails",
        ("permit", [false, false]) | ("block" | "limit", [false, false]) => "unknown",
        _ => "no outcome",
    }
}

#[test]
fn rows_of_operators_are_what_is_decided() {
    let rows = table("operator");
    for (operator, operand, other) in OPERATORS {
        let row = rows.iter().find(|row| {
            row[0].contains(&format!("`{operator}`"))
                && (operator != "exists" || row[2] == format!("`{operand}`"))
        });
        let row = row.unwrap_or_else(|| panic!("{operator}"));
        let condition = format!("{{path: args.v, op: {operator}, value: {operand}}}");
        let absent: Vec<&str> = row[4].split(", ").collect();
        let first = |cell: &str| cell.split([',', ';', ':']).next().unwrap().to_owned();
        for (index, place) in ["permit", "block", "limit"].into_iter().enumerate() {
            let told = absent.get(index).copied().unwrap_or(absent[0]);
            assert_eq!(outcome(place, &condition, &json!({})), told, "{operator}: absent, {place}");
            // What is decided by its type holds or fails, as the operand says.
            let decided = |found: &'static str| if found == "unknown" { found } else { "decided" };
            for (value, cell) in [(json!({"v": null}), &row[5]), (json!({"v": super::json(other)}), &row[6])]
            {
                let found = outcome(place, &condition, &value);
                let told = first(cell);
                assert!(
                    found == told || decided(found) == told,
                    "{operator}: {value} in {place} {found}, not {told}"
                );
            }
        }
    }
}

/// Null is an error, or as if nothing stood there.
#[test]
fn rows_of_fields_say_what_null_is() {
    let places = [
        ("of the document", "{version: \"1\", default: deny, FIELD: null}"),
        (
            "of a budget",
            "{version: \"1\", default: deny, budgets: {b: {window: day, FIELD: null}}, tools: {t: {limits: [{budget: b}]}}}",
        ),
        (
            "of an approval",
            "{version: \"1\", default: deny, tools: {t: {rules: [{action: require_approval, approval: {uses: 1, FIELD: null}}]}}}",
        ),
        ("of an entry", "{version: \"1\", default: deny, tools: {t: {FIELD: null}}}"),
        ("of a rule", "{version: \"1\", default: deny, tools: {t: {rules: [{action: deny, FIELD: null}]}}}"),
        (
            "of an item of `require` or `deny_if`",
            "{version: \"1\", default: deny, tools: {t: {deny_if: [{name: n, FIELD: null}]}}}",
        ),
        (
            "of an item of `limits`",
            "{version: \"1\", default: deny, tools: {t: {limits: [{counter: c, window: day, max: 1, FIELD: null}]}}}",
        ),
    ];
    for (header, document) in places {
        for row in table(header) {
            for field in row[0].split(", ").map(|field| field.trim_matches('`')) {
                // Not twice in one mapping.
                let given = [
                    "version: \"1\", ",
                    "default: deny, ",
                    "action: deny, ",
                    "name: n, ",
                    "counter: c, ",
                    "window: day, ",
                    "max: 1, ",
                    "window: day, ",
                    "uses: 1, ",
                ];
                let mut text = document.to_owned();
                for given in given.iter().filter(|given| given.starts_with(&format!("{field}:"))) {
                    text = text.replace(given, "");
                }
                let loads = Policy::from_yaml(&text.replace("FIELD", field)).is_ok();
                assert_eq!(loads, row[4] != "error", "{header}: {field}");
            }
        }
    }
}

/// Every operator, field and view of the schema and of the language.
#[test]
fn nothing_is_left_out() {
    let schema = super::json(SCHEMA);
    let mut names = Vec::new();
    collect(&schema, &mut names);
    names.extend(LANGUAGE.split("| `@").skip(1).map(|rest| format!("@{}", rest.split('`').next().unwrap())));
    assert!(names.len() > 60, "{names:?}");
    for name in names {
        let told = [format!("`{name}`"), format!("`{{{name}: "), format!("`{name}: ")];
        assert!(told.iter().any(|told| GUIDE.contains(told)), "{name}");
    }
}

/// Names of fields, and of operators.
fn collect(schema: &Value, names: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                if name == "properties" {
                    names.extend(value.as_object().unwrap().keys().cloned());
                }
                if name == "op" || name == "operator" {
                    let operators = value["enum"].as_array().into_iter().flatten().chain(value.get("const"));
                    names.extend(operators.filter_map(Value::as_str).map(str::to_owned));
                }
                collect(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        _ => (),
    }
}
