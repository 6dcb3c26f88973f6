//! What holds for every definition: text and hints of a server never lower a class (R7), and nothing that it sends breaks the classifier.

#![allow(missing_docs, reason = "a test")]

use callgate_analysis::risk::{Class, Options, Risk, classify, to_json};
use proptest::prelude::*;
use serde_json::{Value, json};

fn one(definition: &Value) -> Risk {
    classify("server", std::slice::from_ref(definition), &Options::new()).remove(0)
}

/// Words and sentences that the classifier knows, mixed with what it does not.
fn text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "Deletes",
        "delete",
        "Gets",
        "a",
        "file",
        "the",
        "list",
        "read-only",
        "does not",
        "modify",
        "without",
        "permanently delete",
        "cannot be undone",
        "arbitrary code",
        "runs",
        "Executes",
        "a shell command",
        "not",
        "never",
        "and",
        "or",
        ",",
        ".",
        ". ",
        "\n",
        ";",
        "!",
        "(",
        ")",
        "`",
        "**",
        "[beta]",
        "This tool",
        "Use this to",
        "charges the customer",
        "Remove",
        "label",
        "from",
        "Create",
        "payment",
        "link",
        "order",
        "Pay",
        "update",
        "Update,",
        ": ",
        "—",
        "删除",
        "。",
        "é",
        "\u{200b}",
        "\u{202e}",
        "no side effects",
        "safe to call",
        "access key",
        "in bulk",
        "- ",
        "# ",
        "Args:",
        "Returns:",
        "\"\"\"",
    ]);
    prop::collection::vec(prop_oneof![9 => pieces.prop_map(str::to_owned), 1 => ".{0,12}"], 0..14)
        .prop_map(|pieces| pieces.join(" "))
}

fn name() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "get",
        "list",
        "delete",
        "remove",
        "create",
        "update",
        "run",
        "execute",
        "query",
        "order",
        "charge",
        "refund",
        "status",
        "user",
        "access",
        "key",
        "label",
        "from",
        "issue",
        "file",
        "aks",
        "manage",
        "generate",
        "cancel",
        "subscription",
        "clear",
        "sync",
        "and",
        "search",
        "open",
        "tab",
        "workflow",
    ]);
    prop::collection::vec(words, 1..4).prop_map(|words| words.join("_"))
}

fn schema() -> impl Strategy<Value = Option<Value>> {
    let property = prop::sample::select(vec![
        ("sql", json!({"type": "string"})),
        ("code", json!({"type": "string"})),
        ("query", json!({"type": "string"})),
        ("limit", json!({"type": "integer"})),
        ("action", json!({"type": "string", "enum": ["get", "create", "delete"]})),
        ("operation", json!({"enum": ["list", "read"]})),
        ("permanent", json!({"type": "boolean"})),
        ("overwrite", json!({"type": "boolean"})),
        ("amount", json!({"type": "integer"})),
        ("currency", json!({"type": "string"})),
        ("ids", json!({"type": "array", "items": {"type": "string"}})),
        ("url", json!({"type": "string"})),
        ("method", json!({"type": "string", "enum": ["GET", "POST"]})),
        ("output_path", json!({"type": "string"})),
    ]);
    prop::option::of(prop::collection::vec(property, 0..4).prop_map(|properties| {
        json!({"type": "object", "properties": properties.into_iter().map(|(name, one)| (name.to_owned(), one)).collect::<serde_json::Map<_, _>>()})
    }))
}

fn hints() -> impl Strategy<Value = Vec<(&'static str, bool)>> {
    let names =
        prop::sample::select(vec!["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"]);
    prop::collection::vec((names, any::<bool>()), 0..4)
}

/// The definition with a field of an object, where it has none of that name.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.entry(name).or_insert(value);
    }
    object
}

fn definition(
    name: &str,
    description: Option<&str>,
    schema: Option<&Value>,
    hints: &[(&'static str, bool)],
) -> Value {
    let mut made = json!({"name": name});
    if let Some(description) = description {
        made = with(made, "description", json!(description));
    }
    if let Some(schema) = schema {
        made = with(made, "inputSchema", schema.clone());
    }
    if hints.is_empty() {
        return made;
    }
    // The first of a name stands: adding a hint changes none.
    with(
        made,
        "annotations",
        hints.iter().fold(json!({}), |all, (hint, value)| with(all, hint, json!(value))),
    )
}

fn not_lower(before: &Risk, after: &Risk) -> Result<(), TestCaseError> {
    prop_assert!(after.class.strength() >= before.class.strength(), "{before:#?}\n{after:#?}");
    prop_assert!(after.severity >= before.severity, "{before:#?}\n{after:#?}");
    prop_assert!(before.labels.is_subset(&after.labels), "{before:#?}\n{after:#?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Sentences in front, and any text behind.
    #[test]
    fn text_that_is_added_never_lowers(
        name in name(), schema in schema(), hints in hints(), text_ in text(), front in text(), back in text(),
        end in prop::sample::select(vec![". ", "\n", "! ", ";\n"]), gap in prop::sample::select(vec![" ", ". ", "\n", ", ", " - "]),
    ) {
        let before = one(&definition(&name, Some(&text_), schema.as_ref(), &hints));
        for more in [format!("{text_}{gap}{back}"), format!("{front}{end}{text_}"), format!("{front}{end}{text_}{gap}{back}")] {
            not_lower(&before, &one(&definition(&name, Some(&more), schema.as_ref(), &hints)))?;
        }
    }

    /// Whatever a description says, it is not less than without one.
    #[test]
    fn no_description_is_less_than_none(name in name(), schema in schema(), hints in hints(), text_ in text()) {
        let before = one(&definition(&name, None, schema.as_ref(), &hints));
        not_lower(&before, &one(&definition(&name, Some(&text_), schema.as_ref(), &hints)))?;
    }

    #[test]
    fn a_hint_that_is_added_never_lowers(name in name(), schema in schema(), text_ in text(), hints_ in hints(), more in hints()) {
        let before = one(&definition(&name, Some(&text_), schema.as_ref(), &hints_));
        let both: Vec<_> = hints_.iter().chain(&more).copied().collect();
        not_lower(&before, &one(&definition(&name, Some(&text_), schema.as_ref(), &both)))?;
    }

    #[test]
    fn a_title_that_is_added_never_lowers(name in name(), schema in schema(), text_ in text(), title in text(), other in text()) {
        let bare = definition(&name, Some(&text_), schema.as_ref(), &[]);
        let titled = with(bare.clone(), "title", json!(title));
        not_lower(&one(&bare), &one(&titled))?;
        // Neither of two titles hides the other.
        let hinted = with(bare.clone(), "annotations", json!({"title": other}));
        let both = with(hinted.clone(), "title", json!(title));
        not_lower(&one(&titled), &one(&both))?;
        not_lower(&one(&hinted), &one(&both))?;
    }

    /// Classes, confidence and severity say the same thing, and the same bytes give the same bytes.
    #[test]
    fn a_result_does_not_contradict_itself(name in ".{0,40}", text_ in ".{0,80}", schema in schema(), hints in hints()) {
        let definition = definition(&name, Some(&text_), schema.as_ref(), &hints);
        let risk = one(&definition);
        prop_assert_eq!(risk.class == Class::Unknown, risk.confidence < 60);
        prop_assert!(risk.confidence <= 100);
        prop_assert!(risk.reasons.iter().all(|reason| reason.text.chars().all(|letter| !letter.is_control())));
        let again = one(&serde_json::from_str(&definition.to_string()).unwrap());
        prop_assert_eq!(to_json(&[risk]).to_string(), to_json(&[again]).to_string());
    }
}
