//! A tool's input schema, whatever it is, and arguments: what the engine admits by it, and what the reference does (spec 3.7, 3.8).

use std::sync::LazyLock;

use callgate::{ArgsCheck, Call, Code, Engine, InputSchema, Policy};
use callgate_reference::check::Check;
use callgate_reference::{Call as ReferenceCall, Reference, Target};

use super::call::BETWEEN;
use super::oracle::{self, Reading, Tree};
use crate::generate::START;

/// Nothing is denied by it but what the host has checked. It reads members, elements, and names within operands.
const TEXT: &str = r#"{"version": "1", "default": "deny", "tools": {"t": {"require": [{"any": [
    {"path": "args.none", "op": "exists", "value": false},
    {"path": "args.a", "op": "eq", "value": 1},
    {"path": "args.c.d", "op": "eq", "value": 1},
    {"path": "args.list[*]", "op": "eq", "value": 1},
    {"path": "args.list[1]", "op": "eq", "value": 1},
    {"path": "args.items[*].x", "op": "eq", "value": 1},
    {"path": "args.items[0].y[*]", "op": "contains", "value": {"z": [{"x": 1}]}},
    {"path": "args.to", "op": "in", "value": [{"iban": {"code": 1}}]}]}]}}}"#;

static POLICY: LazyLock<Policy> = LazyLock::new(|| TEXT.parse().expect("the policy loads"));

/// Levels up to which no ceiling of schemas is met, however they nest.
const SHALLOW: usize = 24;
/// Bytes up to which the reference looks at each part of a schema as often as it likes.
const SHORT: usize = 16 << 10;

/// The parts of the text are a schema and arguments. Any schema that is JSON can be asked, and it admits what it admits by the reference:
/// more only beyond a ceiling, less only where the steps of a call end.
pub fn a_schema_admits_what_the_reference_admits(text: &str) {
    let Some((schema, args)) = text.split_once(BETWEEN) else { return };
    let Ok(compiled) = InputSchema::from_json(schema) else { return };
    let check = ArgsCheck::new().schema(compiled);
    let decision = Engine::new(POLICY.clone()).decide_json(&Call::new("t", args).checked(&check));
    let refused = decision.code() == Code::InvalidArgs;
    let by_type = decision.message().is_some_and(|message| message.contains("is of another type"));
    let Reading::Value(tree) = oracle::read(schema) else { return };
    if text.len() > SHORT || oracle::depth(text) > SHALLOW || leads_on(&tree) {
        return;
    }
    let mut reference = Reference::new(TEXT).expect("the reference reads the policy");
    let check = Check { schema: Some(schema), folding: true };
    let call = ReferenceCall {
        target: Target::Tool("t"),
        args: Some(args),
        identity: None,
        server: None,
        approval: None,
        check: Some(check),
    };
    let expected = reference.decide(&call, START);
    if expected.code == "invalid_args" {
        assert!(refused, "admitted, though the reference refuses it");
    } else {
        assert!(!by_type, "{:?}: the reference admits it", decision.message());
    }
}

/// Whether following references need not end, as it does of those to what `$defs` has without any; or a part is a document of its own.
fn leads_on(schema: &Tree) -> bool {
    let defs = match schema {
        Tree::Object(members) => members.iter().find(|(name, _)| name == "$defs").map(|(_, defs)| defs),
        _ => None,
    };
    let is_reference = |name: &str| name == "$ref";
    has(schema, |name, text| is_reference(name) && !text.starts_with("#/$defs/"))
        || defs.is_some_and(|defs| has(defs, |name, _| is_reference(name)))
        || has(schema, |name, _| matches!(name, "$id" | "id"))
}

/// Whether a text is in it whose name and itself are `such`.
fn has(tree: &Tree, such: impl Fn(&str, &str) -> bool + Copy) -> bool {
    match tree {
        Tree::Object(members) => members.iter().any(|(name, value)| match value {
            Tree::String(text) => such(name, text),
            value => name == "$id" || has(value, such),
        }),
        Tree::Array(elements) => elements.iter().any(|value| has(value, such)),
        _ => false,
    }
}
