//! Conditions and scopes that may not do what their author thinks (spec 12.3).
//!
//! In: what was read of an entry. Out: warnings. Must take time linear in the document, and never keep a policy from loading.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::ops::ControlFlow;

use super::reader::{Reader, is_free, shown};
use super::{Clause, Step};
use crate::budget::Budget;
use crate::condition::{Comparison, Condition, Operand, Operator, Order, Outcome, Place, Test};
use crate::diagnostic::{Diagnostics, Span, push_segment};
use crate::number::Number;
use crate::path::{Gives, Path, Reading, Root};
use crate::raw::RawJson;
use crate::text::{Content, Node, Tree};
use crate::view::{Kind, View};

/// Pairs of conditions that are compared in one list.
const PAIRS: usize = 64;

/// Warns of a condition that can be judged alone. `value` is where its operand stands.
pub(super) fn warn_of_operand<'n>(
    reader: &mut Reader<'n, '_>,
    path: &Path,
    name: &str,
    operand: &Operand,
    value: Node<'n>,
) {
    let (code, message, help) = match (name, operand) {
        ("in" | "not_in" | "subset_of", Operand::Array(members)) if members.is_empty() => (
            "empty_list",
            format!("`{name}` an empty list: it cannot be decided for any value"),
            "list values, or remove the condition",
        ),
        ("contains" | "not_contains", _) if path.root == Root::Identity => {
            let message = format!(
                "`{name}` looks for a part where `{path}` is a string: `superadmin` contains `admin`"
            );
            (
                "contains_claim",
                message,
                "write `includes` or `not_includes`, which compare whole elements of a list",
            )
        }
        ("starts_with", Operand::String(text)) if is_host_without_end(text) => {
            let message = format!("other hosts begin with `{}`, too", shown(text));
            ("url_prefix", message, "end the host with a slash")
        }
        ("ends_with", Operand::String(text)) if text.starts_with('/') => {
            let message = format!("a relative path need not have the slash of `{}`", shown(text));
            ("path_suffix", message, "say where files may be, with `within` in a `require` item")
        }
        (_, Operand::String(text)) if Comparison::named(name).is_some() && is_path(text) => {
            let message =
                format!("`{path}` is compared with the text `{}`, not with a value of the call", shown(text));
            ("path_as_text", message, "write `value_from` in place of `value`")
        }
        _ => return,
    };
    reader.within("value", |reader| reader.warning(code, value.span(), message, help));
}

/// Whether a text is a path into the call.
fn is_path(text: &str) -> bool {
    matches!(Path::parse(text), Ok(path) if matches!(path.root, Root::Args | Root::Identity))
}

/// Whether a text is a scheme and a host, with nothing that ends the host.
fn is_host_without_end(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme && !rest.is_empty() && !rest.contains(['/', '?', '#'])
}

/// Warns of conditions of one list that exclude each other. `place` finds where the condition with an index stands.
pub(super) fn warn_of_pairs<'n, 'c>(
    reader: &mut Reader<'n, '_>,
    conditions: impl Iterator<Item = (usize, &'c Condition)> + Clone,
    place: impl Fn(usize) -> Option<Node<'n>>,
) {
    excluding(conditions, |later, message| {
        if let Some(node) = place(later) {
            reader.item(later, |reader| {
                reader.warning(
                    "never_holds",
                    node.span(),
                    message,
                    "mend one of them, or write `any` if one is enough",
                );
            });
        }
    });
}

/// Warns of items of one `require` list that exclude each other: all of them must hold.
pub(super) fn warn_of_items(steps: &[Step], document: &super::Document, diagnostics: &mut Diagnostics<'_>) {
    let of_item = |step: &Step| step.conditions.first().is_some_and(|clause: &Clause| clause.index.is_none());
    let conditions = steps.iter().enumerate().filter(|(_, step)| of_item(step));
    let conditions =
        conditions.flat_map(|(at, step)| step.conditions.first().map(|clause| (at, &clause.condition)));
    excluding(conditions, |later, message| {
        let rule = steps.get(later).and_then(|step| document.rules.get(step.rule));
        if let Some(rule) = rule {
            let help = "mend one of them, or write `any` if one is enough".to_owned();
            diagnostics.warning("never_holds", rule.span(), rule.pointer(), message, Some(help));
        }
    });
}

/// Shows each condition that excludes an earlier one of its list, by its index.
fn excluding<'c>(
    conditions: impl Iterator<Item = (usize, &'c Condition)> + Clone,
    mut warn: impl FnMut(usize, String),
) {
    let tests = conditions.filter_map(|(index, condition)| match condition {
        // One whose value may be left out, or whose operand the call brings, goes with any other.
        Condition::Test(test) if !test.path.has_each && test.more.is_none() => Some((index, test)),
        _ => None,
    });
    let mut pairs = 0_usize;
    for (later, test) in tests.clone() {
        for (_, other) in tests.clone().take_while(|(earlier, _)| *earlier < later) {
            pairs = pairs.saturating_add(1);
            if pairs > PAIRS {
                return;
            }
            if test.path.leads_where(&other.path) && excludes(test, other) {
                warn(later, format!("`{test}` never holds where `{other}` does"));
                break;
            }
        }
    }
}

/// Whether no value satisfies both tests. False where that is not plain to see.
fn excludes(one: &Test, other: &Test) -> bool {
    if let (Some(one), Some(other)) = (kind_of(one), kind_of(other))
        && one != other
    {
        return true;
    }
    if let (Operator::Ordered(one), Operator::Ordered(other), false, false) =
        (&one.operator, &other.operator, one.negated, other.negated)
    {
        let is_below = |order| matches!(order, Order::Less | Order::LessOrEqual);
        let (below, above) = match (is_below(one.order), is_below(other.order)) {
            (true, false) => (one, other),
            (false, true) => (other, one),
            _ => return false,
        };
        let meet = below.order == Order::LessOrEqual && above.order == Order::GreaterOrEqual;
        return match above.operand.compare(&below.operand) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => !meet,
            std::cmp::Ordering::Less => false,
        };
    }
    none_holds(one, other) || none_holds(other, one)
}

/// The type that a value must have for a test to hold, where there is one.
fn kind_of(test: &Test) -> Option<&'static str> {
    Some(match (&test.operator, test.negated) {
        (Operator::Ordered(_), _) => "number",
        (Operator::Matches(_) | Operator::StartsWith(_) | Operator::EndsWith(_) | Operator::Within(_), _) => {
            "string"
        }
        (Operator::SubsetOf(_) | Operator::Includes(_), _) => "array",
        (Operator::HasType(types), false) => {
            let number = Kind::Number(Number::from_i64(0));
            let kinds =
                [Kind::Null, Kind::Bool(true), number, Kind::String("".into()), Kind::Array, Kind::Object];
            let mut admitted = kinds.iter().filter(|kind| types.admit(kind) == Outcome::Holds).map(type_of);
            return admitted.next().filter(|_| admitted.next().is_none());
        }
        (Operator::Exists(false), false) => "null",
        _ => return None,
    })
}

/// Whether the values that satisfy the one test are listed, and none of them satisfies the other.
fn none_holds(listed: &Test, other: &Test) -> bool {
    if listed.negated {
        return false;
    }
    let text = match &listed.operator {
        Operator::Equal(operand) => Operand::Array([operand.clone()].into()).to_string(),
        // As written where they are few, and no JSON where they are many.
        Operator::Member(list) => list.to_string(),
        _ => return false,
    };
    let Ok(raw) = RawJson::parse(&text) else { return false };
    let steps = Budget::without_end();
    let mut none = true;
    let read = raw.root().elements(|value| {
        let outcome = other.operator.test(&value, Reading::Plain, &steps);
        let holds = outcome.map(|outcome| if other.negated { !outcome } else { outcome } == Outcome::Holds);
        none = holds == Ok(false);
        if none { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    read.is_ok() && none && raw.root().size().is_ok_and(|size| size > 0)
}

/// Whether a test of a permit place holds the value at its path to one type.
fn holds_to_one_type(test: &Test) -> bool {
    if kind_of(test).is_some() {
        return true;
    }
    let text = match (&test.operator, test.negated) {
        (Operator::Equal(operand), false) => Operand::Array([operand.clone()].into()).to_string(),
        (Operator::Member(list), false) => list.to_string(),
        _ => return false,
    };
    let Ok(raw) = RawJson::parse(&text) else { return false };
    let (mut first, mut same) = (None, true);
    let read = raw.root().elements(|value| {
        same &= value.kind().is_ok_and(|kind| *first.get_or_insert(type_of(&kind)) == type_of(&kind));
        ControlFlow::Continue(())
    });
    read.is_ok() && same
}

fn type_of(kind: &Kind<'_>) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::Bool(_) => "boolean",
        Kind::Number(_) => "number",
        Kind::String(_) => "string",
        Kind::Array => "array",
        Kind::Object => "object",
        Kind::Foreign => "none",
    }
}

/// A path that reads an argument, and where it stands.
#[derive(Debug)]
pub(super) struct NotedPath {
    path: Path,
    span: Span,
    pointer: String,
}

/// Keeps a path of a scope until the entry has been read, if its value may have several types.
pub(super) fn note_scope(reader: &mut Reader<'_, '_>, path: &Path, span: Span) {
    if path.root == Root::Args && path.gives == Gives::Anything {
        let scope = NotedPath { path: path.clone(), span, pointer: reader.pointer() };
        reader.scopes.push(scope);
    }
}

/// Keeps a path by which a limit applies to some calls, until the entry has been read.
pub(super) fn note_when(reader: &mut Reader<'_, '_>, path: &Path, span: Span) {
    if path.root == Root::Args {
        let when = NotedPath { path: path.clone(), span, pointer: reader.pointer() };
        reader.whens.push(when);
    }
}

/// Warns of limits that the caller gets round by another spelling: they apply by arguments that may have any value.
pub(super) fn warn_of_whens(reader: &mut Reader<'_, '_>, steps: &[Step]) {
    if reader.whens.is_empty() {
        return;
    }
    let is_listed =
        |test: &&Test| matches!(test.operator, Operator::Equal(_) | Operator::Member(_)) && !test.negated;
    let listed: HashSet<String> = permit_tests(steps).filter(is_listed).map(|test| test.path.key()).collect();
    for NotedPath { path, span, pointer } in std::mem::take(&mut reader.whens) {
        if listed.contains(&path.key()) {
            continue;
        }
        let message =
            format!("another spelling of `{path}` that means the same to the server is not counted");
        let help = format!(
            "list the values in `require`, as in `{{path: {path}, op: in, value: [a, b]}}`, or limit all calls"
        );
        reader.diagnostics.warning("escapable_limit", span, pointer, message, Some(help));
    }
}

/// Warns of scopes by arguments that no permit condition of the entry holds to one type.
pub(super) fn warn_of_scopes(reader: &mut Reader<'_, '_>, steps: &[Step]) {
    if reader.scopes.is_empty() {
        return;
    }
    let typed = permit_tests(steps).filter(|test| holds_to_one_type(test));
    let typed: HashSet<String> = typed.map(|test| test.path.key()).collect();
    for NotedPath { path, span, pointer } in std::mem::take(&mut reader.scopes) {
        if typed.contains(&path.key()) {
            continue;
        }
        let message = format!(
            "values of `{path}` that a server takes for one, such as `7` and `\"7\"`, are counted apart"
        );
        let help = format!(
            "add `{{path: {path}, op: type, value: string}}` to `require`, or the type that the server takes"
        );
        reader.diagnostics.warning("untyped_scope", span, pointer, message, Some(help));
    }
}

/// The tests directly in the permit items and rules of an entry: each must hold for a call to pass.
fn permit_tests(steps: &[Step]) -> impl Iterator<Item = &Test> {
    let permits = steps.iter().filter(|step| step.place == Place::Permit);
    permits.flat_map(|step| &step.conditions).filter_map(|clause| clause.condition.test())
}

/// Drops the warnings that `x-ignore` gives a reason for, at and below the mapping in which it stands.
pub(crate) fn drop_ignored(tree: &Tree<'_>, diagnostics: &mut Diagnostics<'_>) {
    if !diagnostics.has_warnings() {
        return;
    }
    let mut ignored = Vec::new();
    find_ignored(tree.root(), &mut String::new(), &mut ignored);
    if ignored.is_empty() {
        return;
    }
    diagnostics.keep_warnings(|warning| {
        let below = |place: &str| {
            warning.pointer().strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !ignored.iter().any(|(place, code)| *code == warning.code() && below(place))
    });
}

/// Finds each code that an `x-ignore` names, with the pointer to its mapping. Recursion is as deep as the document, which has a ceiling.
fn find_ignored<'n>(node: Node<'n>, pointer: &mut String, found: &mut Vec<(String, &'n str)>) {
    let length = pointer.len();
    match node.content() {
        Content::Mapping(members) => {
            for (key, value) in members {
                if key.text() == "x-ignore" {
                    found.extend(codes(value).map(|code| (pointer.clone(), code)));
                } else if !is_free(key.text()) && push_segment(pointer, 0, key.text()) {
                    find_ignored(value, pointer, found);
                    pointer.truncate(length);
                }
            }
        }
        Content::Sequence(items) => {
            for (index, item) in items.enumerate() {
                // Writing to a string cannot fail.
                let _ = write!(pointer, "/{index}");
                find_ignored(item, pointer, found);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

/// The codes of an `x-ignore` that have a reason.
fn codes<'n>(node: Node<'n>) -> impl Iterator<Item = &'n str> {
    let members = match node.content() {
        Content::Mapping(members) => Some(members),
        _ => None,
    };
    let has_reason =
        |value: Node<'_>| matches!(value.content(), Content::String(reason) if !reason.is_empty());
    members.into_iter().flatten().filter(move |(_, value)| has_reason(*value)).map(|(key, _)| key.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_an_end_is_found() {
        for text in ["https://docs.example.com", "http://10.0.0.1:8080", "git+ssh://host"] {
            assert!(is_host_without_end(text), "{text}");
        }
        for text in [
            "https://docs.example.com/",
            "https://",
            "docs.example.com",
            "://host",
            "https://a/b",
            "https://a?b",
            "1a://b",
        ] {
            assert!(!is_host_without_end(text), "{text}");
        }
    }

    fn test(op: &str, operand: &str) -> Test {
        let text = format!(
            "{{\"version\":\"1\",\"default\":\"allow\",\"tools\":{{\"t\":{{\"require\":[{{\"path\":\"args.a\",\"op\":\"{op}\",\"value\":{operand}}}]}}}}}}"
        );
        let mut diagnostics = Diagnostics::new(&text);
        let tree = crate::policy::parse(&text, crate::policy::Format::Json, &mut diagnostics).unwrap();
        let document = crate::document::read(&tree, &mut diagnostics);
        assert!(!diagnostics.has_errors(), "{text}");
        match &document.entries[0].steps[0].conditions[0].condition {
            Condition::Test(test) => test.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tests_that_exclude_each_other_are_told_from_those_that_do_not() {
        for (one, other, expected) in [
            (("gt", "100"), ("lt", "50"), true),
            (("gt", "50"), ("lt", "50"), true),
            (("gte", "50"), ("lt", "50"), true),
            (("gte", "50"), ("lte", "50"), false),
            (("gt", "50"), ("lt", "50.1"), false),
            (("gt", "50"), ("gt", "100"), false),
            (("eq", "\"a\""), ("eq", "\"b\""), true),
            (("eq", "\"a\""), ("neq", "\"a\""), true),
            (("eq", "\"a\""), ("neq", "\"b\""), false),
            (("eq", "\"a\""), ("in", "[\"a\",\"b\"]"), false),
            (("in", "[1,2]"), ("in", "[3,\"a\"]"), true),
            (("in", "[1,2]"), ("gt", "2"), true),
            (("in", "[1,2]"), ("gt", "1"), false),
            (("in", "[\"a\"]"), ("not_in", "[\"a\"]"), true),
            (("gt", "1"), ("starts_with", "\"a\""), true),
            (("eq", "\"ab\""), ("starts_with", "\"b\""), true),
            (("eq", "\"ab\""), ("regex", "\"b$\""), false),
            (("exists", "false"), ("gt", "1"), true),
            (("exists", "false"), ("eq", "null"), false),
            (("exists", "true"), ("eq", "null"), true),
            (("in", "[]"), ("gt", "1"), false),
            (("neq", "1"), ("neq", "2"), false),
            (("type", "\"string\""), ("gt", "1"), true),
            (("type", "[\"string\",\"integer\"]"), ("gt", "1"), false),
            (("type", "\"array\""), ("includes", "1"), false),
            (("includes", "1"), ("regex", "\"a\""), true),
        ] {
            let (first, second) = (test(one.0, one.1), test(other.0, other.1));
            assert_eq!(excludes(&first, &second), expected, "{first} / {second}");
            assert_eq!(excludes(&second, &first), expected, "{second} / {first}");
        }
    }

    #[test]
    fn a_test_holds_to_one_type_or_not() {
        for (op, operand, expected) in [
            ("eq", "5", true),
            ("in", "[1,2.5]", true),
            ("in", "[1,\"1\"]", false),
            ("neq", "5", false),
            ("gt", "5", true),
            ("not_regex", "\"a\"", true),
            ("contains", "\"a\"", false),
            ("exists", "true", false),
            ("type", "\"integer\"", true),
            ("type", "[\"integer\",\"number\"]", true),
            ("type", "[\"integer\",\"string\"]", false),
        ] {
            assert_eq!(holds_to_one_type(&test(op, operand)), expected, "{op} {operand}");
        }
    }
}
