//! Lints a policy against the tools of a server (spec 12.2): what can never match, and what can never be there.
//!
//! In: the policy's text and the server's `tools/list`. Out: warnings. Decides nothing about calls.

mod arguments;
mod identity;
mod names;
mod schema;

use std::ops::ControlFlow;

use arguments::check_arguments;
pub use identity::{CallerNeed, IdentityNeed};
pub use names::UnmatchedName;

use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::document::{self, Document};
use crate::glob::{Glob, Work};
use crate::policy::{Format, Policy, PolicyError, parse};
use crate::store::Owner;
use crate::view::{Kind, View};

/// A tool that a server offers: its name and its arguments' JSON Schema, if it has one.
struct Tool<V> {
    name: String,
    schema: Option<V>,
}

/// Warns of names in a policy that match none of a server's tools (`unmatched_entry`), and of `args` paths that the input
/// schemas of the matched tools cannot have (`unknown_argument`): a condition on such a path decides every call alike; and of scopes
/// by an argument whose type no scope can have (`unusable_scope`); and of conditions that text with two readings leaves undecided where
/// the schema lets another type stand beside text (`two_readings`).
///
/// `tools` is the result of `tools/list`, or its list of tools: `[{"name": …, "inputSchema": {…}}]`.
///
/// # Errors
/// [`PolicyError`] where the policy does not load.
pub fn lint<V: View>(text: &str, format: Format, tools: &V) -> Result<Vec<Diagnostic>, PolicyError> {
    let policy = Policy::from_text(text, format)?;
    let tools = offered(tools);
    let mut unread = Diagnostics::new(text);
    let Some(tree) = parse(text, format, &mut unread) else { return Ok(Vec::new()) };
    let document = document::read(&tree, &mut unread);
    let mut diagnostics = Diagnostics::new(text);
    for entry in &document.entries {
        let matched: Vec<&Tool<V>> = tools.iter().filter(|tool| applies(&entry.owner, &tool.name)).collect();
        check_arguments(entry, &document, &matched, &mut diagnostics);
    }
    for name in policy.unmatched(tools.iter().map(|tool| tool.name.as_str())) {
        let help = match &name.nearest {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the server offers {} tools, none of which this names", tools.len()),
        };
        diagnostics.warning("unmatched_entry", name.span, &*name.pointer, name.message(), Some(help));
    }
    document::drop_ignored(&tree, &mut diagnostics);
    Ok(diagnostics.finish())
}

fn place(document: &Document, rule: u32) -> (Span, &str) {
    document.rules.get(rule).map_or((Span::default(), ""), |rule| (rule.span(), rule.pointer()))
}

fn names(name: &str, tool: &str) -> bool {
    match Glob::is_glob(name) {
        true => Glob::parse(name).is_ok_and(|glob| glob.matches(tool, &mut Work::of(u64::MAX)) == Ok(true)),
        false => name == tool,
    }
}

fn applies(owner: &Owner, tool: &str) -> bool {
    match owner {
        Owner::AllTools => true,
        Owner::Budget | Owner::Request(_) => false,
        Owner::Tool(key) => names(key, tool),
    }
}

/// The tools in a `tools/list` result; what has no name is left out.
fn offered<V: View>(list: &V) -> Vec<Tool<V>> {
    let mut tools = Vec::new();
    let mut read = |list: &V| {
        let _ = list.elements(|tool| {
            if let (Ok(Kind::Object), Ok(Some(name))) = (tool.kind(), tool.member("name"))
                && let Ok(Kind::String(name)) = name.kind()
            {
                let schema = tool.member("inputSchema").ok().flatten();
                tools.push(Tool { name: name.into_owned(), schema });
            }
            ControlFlow::Continue(())
        });
    };
    match list.kind() {
        Ok(Kind::Array) => read(list),
        Ok(Kind::Object) => {
            if let Ok(Some(list)) = list.member("tools") {
                read(&list);
            }
        }
        _ => {}
    }
    tools
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Trap 8: a rule on a field that can never be there, and an entry for a tool that does not exist.
    #[test]
    fn warns_of_what_can_never_match() {
        let tools = json!({"tools": [
            {"name": "create_charge", "inputSchema": {"type": "object", "properties": {
                "amount": {"type": "number"},
                "items": {"type": "array", "items": {"type": "object", "properties": {"price": {}}}},
                "open": {"type": "object"}}}},
            {"name": "free_form"},
        ]});
        let text = "version: \"1\"
default: deny
hide: [secret_tool]
tools:
  create_charge:
    require:
      - {path: args.ammount, op: lte, value: 5}
      - {path: args.amount, op: lte, value: 5}
      - {path: 'args.items[*].price', op: lte, value: 5}
      - {path: 'args.items[*].prize', op: lte, value: 5}
      - {path: args.open.anything, op: eq, value: 5}
    limits:
      - {counter: n, window: day, max: 5, increment_from: args.total}
      - {counter: by, window: day, max: 5, scope: [identity.id, args.acount, args.amount]}
      - {counter: all, window: day, max: 5, scope: [identity.id, tool, args.open.id]}
  create_charges: {}
  'free_*': {require: [{path: args.whatever, op: eq, value: 1}]}
";
        let found = lint(text, Format::Yaml, &&tools).unwrap();
        let found: Vec<_> = found.iter().map(|found| (found.code(), found.pointer(), found.line())).collect();
        assert_eq!(
            found,
            [
                ("unmatched_entry", "/hide/0", 3),
                ("unknown_argument", "/tools/create_charge/require/0", 7),
                ("unknown_argument", "/tools/create_charge/require/3", 10),
                ("unknown_argument", "/tools/create_charge/limits/0", 13),
                ("unknown_argument", "/tools/create_charge/limits/1", 14),
                ("unmatched_entry", "/tools/create_charges", 16),
            ]
        );
        let help =
            |index: usize| lint(text, Format::Yaml, &&tools).unwrap()[index].help().unwrap().to_owned();
        assert_eq!(help(1), "did you mean `args.amount`?");
        assert_eq!(help(5), "did you mean `create_charge`?");
        assert!(lint("tools: [", Format::Yaml, &&tools).is_err());
    }

    /// Trap 37: text that a server reads as null or as a list.
    #[test]
    fn warns_of_what_two_readings_leave_undecided() {
        let tools = json!([{"name": "t", "inputSchema": {"properties": {
            "list": {"type": "array"}, "either": {"anyOf": [{"type": "string"}, {"type": "array"}]}, "text": {"type": "string"},
            "maybe": {"type": ["string", "null"]}, "other": {"oneOf": [{"type": "null"}, {"type": "string"}]}, "number": {"type": ["number", "null"]}}}}]);
        let warned = |items: &str| {
            let text = format!("version: \"1\"\ndefault: deny\ntools: {{t: {items}}}\n");
            let found = lint(&text, Format::Yaml, &&tools).unwrap();
            found.iter().map(|found| (found.code(), found.pointer().to_owned())).collect::<Vec<_>>()
        };
        let at = |pointer: &str| vec![("two_readings", pointer.to_owned())];
        for (items, expected) in [
            ("{deny_if: [{path: args.list, op: contains, value: a}]}", at("/tools/t/deny_if/0")),
            ("{require: [{not: {path: args.either, op: not_contains, value: a}}]}", at("/tools/t/require/0")),
            ("{require: [{path: args.text, op: contains, value: a}]}", vec![]),
            ("{require: [{path: args.list, op: includes, value: a}]}", vec![]),
            ("{require: [{path: args.maybe, op: exists, value: true}]}", at("/tools/t/require/0")),
            (
                "{rules: [{action: allow, conditions: [{path: args.other, op: exists, value: true}]}]}",
                at("/tools/t/rules/0"),
            ),
            ("{deny_if: [{path: args.maybe, op: exists, value: false}]}", vec![]),
            (
                "{require: [{path: args.number, op: exists, value: true}, {path: args.text, op: exists, value: true}]}",
                vec![],
            ),
            (
                "{require: [{path: args.maybe, op: exists, value: true}, {path: args.maybe, op: in, value: [a]}]}",
                vec![],
            ),
            ("{require: [{path: args.maybe.@text, op: exists, value: true}]}", vec![]),
        ] {
            assert_eq!(warned(items), expected, "{items}");
        }
    }

    /// What is suggested stands where the path goes wrong, not at its start.
    #[test]
    fn suggests_a_name_at_the_same_depth() {
        let tools = json!([{"name": "t", "inputSchema": {"properties": {
            "a": {}, "o": {"properties": {"id": {}, "a.b": {}}}, "l": {"items": {"properties": {"price": {}}}}}}}]);
        for (path, expected) in [
            ("args.o.idd", "did you mean `args.o.id`?"),
            ("args.o.ab", "did you mean `args.o[\"a.b\"]`?"),
            ("args.o.other", "members of `args.o`: a.b, id"),
            ("args.l[*].prize", "did you mean `args.l[*].price`?"),
            ("args.b", "did you mean `args.a`?"),
            ("args.other.id", "arguments that the tools take: a, l, o"),
        ] {
            let text = format!(
                "version: \"1\"\ndefault: deny\ntools: {{t: {{deny_if: [{{path: '{path}', op: eq, value: 1}}]}}}}\n"
            );
            let found = lint(&text, Format::Yaml, &&tools).unwrap();
            assert_eq!(found[0].help(), Some(expected), "{path}");
        }
    }

    /// A scope that is an object, by every tool it applies to, is always missing: each call is denied.
    #[test]
    fn warns_of_scopes_of_other_types() {
        let lints = |schema: serde_json::Value, path: &str| {
            let tools = json!([{"name": "t", "inputSchema": {"properties": {"x": schema}}}]);
            let text = format!(
                "version: \"1\"\ndefault: deny\ntools: {{t: {{limits: [{{counter: n, window: day, max: 5, scope: ['{path}']}}]}}}}\n"
            );
            let found = lint(&text, Format::Yaml, &&tools).unwrap();
            found.iter().map(|found| (found.code(), found.message().to_owned())).collect::<Vec<_>>()
        };
        let objects = json!({"type": "object", "properties": {"y": {"type": ["null", "array"]}}});
        let (code, message) = lints(objects.clone(), "args.x").remove(0);
        assert_eq!(code, "unusable_scope");
        assert_eq!(message, "a scope by `args.x` denies every call: by the schema it is object");
        assert!(lints(objects, "args.x.y")[0].1.ends_with("it is array or null"));
        for schema in [
            json!({"type": "string"}),
            json!({"type": "integer"}),
            json!({"type": ["number", "null"]}),
            json!({"type": ["object", "string"]}),
            json!({"type": "text"}),
            json!({"type": []}),
            json!({}),
            json!(true),
        ] {
            assert_eq!(lints(schema.clone(), "args.x"), [], "{schema}");
        }
    }

    /// What a schema leaves open is not warned of; what it closes is, in any form of the list of tools.
    #[test]
    fn follows_schemas_as_far_as_they_go() {
        let policy = |path: &str| {
            let test =
                if path.ends_with("**") { "op: contains, value: x" } else { "op: exists, value: true" };
            format!(
                "version: \"1\"\ndefault: deny\ntools: {{t: {{deny_if: [{{path: '{path}', {test}}}]}}}}\n"
            )
        };
        let a = json!({"a": {"properties": {"b": {}}}, "l": {"items": {"properties": {"b": {}}}}});
        let with = |more: serde_json::Value| {
            let mut schema = json!({"properties": a});
            schema.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            schema
        };
        let plain = with(json!({}));
        for (schema, path, known) in [
            (plain.clone(), "args.a", true),
            (plain.clone(), "args.a.b.c", true),
            (plain.clone(), "args.a.c", false),
            (plain.clone(), "args.a[0].c", true),
            (plain.clone(), "args.l[0].b", true),
            (plain.clone(), "args.l[0].c", false),
            (plain.clone(), "args.l[*].c.@length", false),
            (plain.clone(), "args.a.b.@length", true),
            (plain.clone(), "args.a.@json.c", true),
            (plain.clone(), "args.*.c", true),
            (plain.clone(), "args.a.**", true),
            (plain.clone(), "args.c.**", false),
            (plain.clone(), "args.@keys", true),
            (plain.clone(), "args.l.b", true),
            (plain.clone(), "args.c", false),
            (plain.clone(), "args[0]", true),
            (plain.clone(), "identity.c", true),
            (with(json!({"$ref": "#/a"})), "args.c", true),
            (with(json!({"allOf": []})), "args.c", true),
            (with(json!({"anyOf": []})), "args.c", true),
            (with(json!({"oneOf": []})), "args.c", true),
            (with(json!({"patternProperties": {}})), "args.c", true),
            (with(json!({"additionalProperties": true})), "args.c", true),
            (with(json!({"additionalProperties": {}})), "args.c", true),
            (with(json!({"additionalProperties": false})), "args.c", false),
            (json!({}), "args.c", true),
            (json!(7), "args.c", true),
            (json!({"items": {"properties": {}}}), "args[0].c", false),
        ] {
            let list = json!([{"name": "t", "inputSchema": schema}, {"inputSchema": {}}, 7]);
            for tools in [json!({"tools": list}), list] {
                let found = lint(&policy(path), Format::Yaml, &&tools).unwrap();
                let codes: Vec<_> = found.iter().map(Diagnostic::code).collect();
                let expected: &[&str] = if known { &[] } else { &["unknown_argument"] };
                assert_eq!(codes, expected, "{path} {tools}");
            }
        }
        let none = json!([{"name": "t", "inputSchema": {"items": {"properties": {}}, "properties": {}}}]);
        for (path, help) in
            [("args.c", "arguments that the tools take: none"), ("args[0].c", "members of `args[0]`: none")]
        {
            let found = lint(&policy(path), Format::Yaml, &&none).unwrap();
            assert_eq!(found[0].help(), Some(help), "{path}");
        }
        for tools in [json!({}), json!(null), json!({"tools": 7}), json!([])] {
            let found = lint(&policy("args.c"), Format::Yaml, &&tools).unwrap();
            assert_eq!(found[0].code(), "unmatched_entry", "{tools}");
            assert_eq!(found[0].help(), Some("the server offers 0 tools, none of which this names"));
        }
    }
}
