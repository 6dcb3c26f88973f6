//! Warnings about what an entry reads of arguments, by the schemas of the tools that it applies to (spec 12.2, 12.3).
//!
//! In: an entry and the tools. Out: warnings.

use std::collections::HashSet;

use super::schema::{missing, types_at, types_of_no_scope};
use super::{Tool, place};
use crate::condition::{Condition, Operator, Place, Test};
use crate::diagnostic::{Diagnostics, Span};
use crate::document::{Charge, Document, Entry, Step};
use crate::path::{Path, Root, Segment};
use crate::view::View;

pub(super) fn check_arguments<V: View>(
    entry: &Entry,
    document: &Document,
    tools: &[&Tool<V>],
    diagnostics: &mut Diagnostics<'_>,
) {
    if tools.is_empty() {
        return;
    }
    let check = |path: &Path, span: Span, pointer: &str, diagnostics: &mut Diagnostics<'_>| {
        if path.root != Root::Args {
            return;
        }
        let lacks = |tool: &&Tool<V>| missing(tool.schema.as_ref()?, &path.segments, 0);
        let Some(lacks) = tools.iter().map(lacks).collect::<Option<Vec<_>>>() else { return };
        // Where the longest prefix of the path that any tool has ends.
        let at = lacks.iter().map(|(at, _)| *at).max().unwrap_or_default();
        let mut known: Vec<String> =
            lacks.into_iter().filter(|(end, _)| *end == at).flat_map(|(_, names)| names).collect();
        known.sort();
        known.dedup();
        let (before, from) = path.segments.split_at_checked(at).unwrap_or_default();
        let before: String = before.iter().map(ToString::to_string).collect();
        let name = match from.first() {
            Some(Segment::Name(name) | Segment::Quoted(name)) => name,
            _ => "",
        };
        let help = match diagnostics.suggestions.nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `args{before}{}`?", Segment::member(near)),
            None => {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                if before.is_empty() {
                    format!("arguments that the tools take: {known}")
                } else {
                    format!("members of `args{before}`: {known}")
                }
            }
        };
        let message = format!("no tool that this applies to has an argument `{path}`");
        diagnostics.warning("unknown_argument", span, pointer, message, Some(help));
    };
    let check_scope = |path: &Path, span: Span, pointer: &str, diagnostics: &mut Diagnostics<'_>| {
        if path.root != Root::Args {
            return;
        }
        let types = |tool: &&Tool<V>| types_of_no_scope(tool.schema.as_ref()?, &path.segments);
        let Some(types) = tools.iter().map(types).collect::<Option<Vec<_>>>() else { return };
        let mut types: Vec<String> = types.into_iter().flatten().collect();
        types.sort();
        types.dedup();
        let message =
            format!("a scope by `{path}` denies every call: by the schema it is {}", types.join(" or "));
        let help = "a scope takes a text or a whole number".to_owned();
        diagnostics.warning("unusable_scope", span, pointer, message, Some(help));
    };
    let admits = |path: &Path, wanted: &[&str]| {
        let has = |types: Vec<String>| wanted.iter().all(|name| types.iter().any(|known| known == name));
        tools.iter().any(|tool| {
            tool.schema.as_ref().and_then(|schema| types_at(schema, &path.segments)).is_some_and(has)
        })
    };
    let check_readings = |test: &Test, span: Span, pointer: &str, diagnostics: &mut Diagnostics<'_>| {
        let Test { path, operator, .. } = test;
        if path.root == Root::Args && matches!(operator, Operator::Contains(_)) && admits(path, &["array"]) {
            let message = format!(
                "`{test}`: a server may read the text of a list as a list, so this cannot be decided for such text"
            );
            let help = "write `includes` or `not_includes` for the elements of a list".to_owned();
            diagnostics.warning("two_readings", span, pointer, message, Some(help));
        }
    };
    // What permit conditions say of values, but that they are there.
    let permits = || entry.steps.iter().filter(|step| step.place == Place::Permit);
    let is_exists = |test: &Test| matches!(test.operator, Operator::Exists(_));
    let said: HashSet<String> =
        permits().flat_map(directly).filter(|test| !is_exists(test)).map(|test| test.path.key()).collect();
    for step in permits() {
        let (span, pointer) = place(document, step.rule);
        for Test { path, .. } in directly(step).filter(|test| is_exists(test)) {
            if path.root == Root::Args && !said.contains(&path.key()) && admits(path, &["string", "null"]) {
                let message = format!(
                    "a server may read the text `null` in `{path}` as null, so whether there is a value cannot be decided for it"
                );
                let help = format!(
                    "say more of the value, such as `{{path: {path}, op: type, value: string}}`, or read it by `.@text`"
                );
                diagnostics.warning("two_readings", span, pointer, message, Some(help));
            }
        }
    }
    for step in &entry.steps {
        let (span, pointer) = place(document, step.rule);
        for clause in &step.conditions {
            each_test(&clause.condition, &mut |test| {
                check(&test.path, span, pointer, diagnostics);
                if let Some(operand) = test.more.as_ref().and_then(|more| more.operand.as_ref()) {
                    check(operand, span, pointer, diagnostics);
                }
                check_readings(test, span, pointer, diagnostics);
            });
        }
        let Some(payment) = step.charge.and_then(|charge| document.payments.get(charge as usize)) else {
            continue;
        };
        let Some(declared) = document.declared.get(payment.declared as usize) else { continue };
        if let Charge::From(path) = &payment.amount {
            check(path, span, pointer, diagnostics);
        }
        for path in declared.scope.paths() {
            check(path, span, pointer, diagnostics);
            check_scope(path, span, pointer, diagnostics);
        }
    }
}

/// The tests that stand directly in a rule or item.
fn directly(step: &Step) -> impl Iterator<Item = &Test> {
    step.conditions.iter().filter_map(|clause| clause.condition.test())
}

/// Recursion is as deep as the condition, which the document's depth bounds.
fn each_test(condition: &Condition, see: &mut impl FnMut(&Test)) {
    match condition {
        Condition::Test(test) => see(test),
        Condition::Any(conditions) | Condition::All(conditions) => {
            conditions.iter().for_each(|condition| each_test(condition, see));
        }
        Condition::Not(condition) => each_test(condition, see),
    }
}
