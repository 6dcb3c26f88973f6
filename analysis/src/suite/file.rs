//! The fields of a test file, and its tests.

use std::collections::HashMap;

use callgate::__analysis::{Content, Diagnostics, Field, Node, Reader, parse, shown};
use callgate::time::Timestamp;
use callgate::{Diagnostic, Severity};

use super::calls::Fixtures;

use super::{Located, Mode, Place, PolicyFiles, Run, Suite, Test, matrix, step};
use crate::subject::member;

/// The time at which a run starts, where the file gives none: a Saturday.
const START: Timestamp = Timestamp::from_millis(1_795_255_200_000);

const FIELDS: [&str; 9] =
    ["description", "policy", "policies", "tools", "at", "identities", "calls", "tests", "version"];
const TEST: [&str; 9] = ["name", "description", "skip", "todo", "at", "each", "steps", "matrix", "expect"];

/// Reads a test file, YAML or JSON.
///
/// # Errors
/// Every error, each with its place; warnings are among them.
pub fn read(text: &str) -> Result<Suite, Vec<Diagnostic>> {
    let mut diagnostics = Diagnostics::new(text);
    let suite = parse(text, &mut diagnostics).and_then(|tree| {
        let mut reader = Reader::new(&mut diagnostics);
        read_file(&mut reader, tree.root())
    });
    let found = diagnostics.finish();
    match suite {
        Some(mut suite) if found.iter().all(|one| one.severity() == Severity::Warning) => {
            suite.warnings = found;
            Ok(suite)
        }
        _ => Err(found),
    }
}

fn read_file<'n>(reader: &mut Reader<'n, '_>, root: Node<'n>) -> Option<Suite> {
    let is_policy = |name| member(root, name).is_some();
    if member(root, "tests").is_none() && is_policy("default") {
        let help = "`callgate check` looks at policies; a test file has `policy` and `tests`";
        reader.error("wrong_type", root.span(), "this is a policy, not a test file", help);
        return None;
    }
    let [_, policy, policies, tools, at, identities, calls, tests, version] =
        reader.fields(root, "a mapping", FIELDS)?;
    if let Some(field) = version {
        reader.within("version", |reader| match field.value().content() {
            Content::String("1") | Content::Number("1") => {}
            _ => reader.error(
                "invalid_version",
                field.value().span(),
                "only version 1 is known",
                "write `version: \"1\"`",
            ),
        });
    }
    let policies = read_policies(reader, root, policy, policies);
    let tools = tools.and_then(|field| reader.within("tools", |reader| located(reader, field.value())));
    let at = at.and_then(|field| reader.within("at", |reader| time(reader, field.value())));
    let mut fixtures = Fixtures::default();
    if let Some(field) = identities {
        reader.within("identities", |reader| fixtures.read_identities(reader, field.value()));
    }
    if let Some(field) = calls {
        reader.within("calls", |reader| fixtures.read_calls(reader, field.value()));
    }
    let at = at.unwrap_or(START);
    let tests = match tests {
        Some(field) => reader.within("tests", |reader| read_tests(reader, field.value(), &mut fixtures)),
        None => {
            reader.missing(
                root,
                "tests",
                "write `tests:` and a list of tests, each with `name` and `steps`, `each` or `matrix`",
            );
            Vec::new()
        }
    };
    fixtures.warn_unused(reader);
    Some(Suite { policies, tools, at, tests, warnings: Vec::new() })
}

fn read_policies<'n>(
    reader: &mut Reader<'n, '_>,
    root: Node<'n>,
    policy: Option<Field<'n>>,
    policies: Option<Field<'n>>,
) -> Vec<Located<PolicyFiles>> {
    match (policy, policies) {
        (Some(field), None) => {
            reader.within("policy", |reader| stack(reader, field.value())).into_iter().collect()
        }
        (None, Some(field)) => reader.within("policies", |reader| {
            let Some(items) = reader.list(field.value(), "a list of policy files") else { return Vec::new() };
            if items.len() == 0 {
                reader.error(
                    "empty_tests",
                    field.value().span(),
                    "no policy is tested",
                    "name the policy's file, relative to this one",
                );
            }
            let mut found: Vec<Located<PolicyFiles>> = Vec::new();
            for (index, item) in items.enumerate() {
                reader.item(index, |reader| {
                    let Some(file) = stack(reader, item) else { return };
                    if found.iter().any(|known| known.value == file.value) {
                        let message = format!("`{}` stands twice", shown(file.value.name()));
                        reader.error("duplicate_item", item.span(), message, "remove one of them");
                    }
                    found.push(file);
                });
            }
            found
        }),
        (Some(_), Some(field)) => {
            reader.within("policies", |reader| {
                reader.error(
                    "conflicting_fields",
                    field.key.span(),
                    "`policy` and `policies` stand together",
                    "write one of them",
                );
            });
            Vec::new()
        }
        (None, None) => {
            reader.missing(root, "policy", "write `policy:` and the policy's file, relative to this one");
            Vec::new()
        }
    }
}

fn read_tests<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>, fixtures: &mut Fixtures<'n>) -> Vec<Test> {
    let Some(items) = reader.list(node, "a list of tests") else { return Vec::new() };
    if items.len() == 0 {
        reader.error("empty_tests", node.span(), "the file has no tests", "write a test, or remove the file");
    }
    let mut tests = Vec::new();
    let mut names: HashMap<&str, u32> = HashMap::new();
    for (index, item) in items.enumerate() {
        if reader.is_full() {
            break;
        }
        tests.extend(reader.item(index, |reader| read_test(reader, item, fixtures, &mut names)));
    }
    tests
}

fn read_test<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    fixtures: &mut Fixtures<'n>,
    names: &mut HashMap<&'n str, u32>,
) -> Option<Test> {
    let fields = reader.fields(node, "a mapping, a test", TEST)?;
    let [name, _, skip, todo, at, each, steps, matrix, expect] = fields;
    if let (Some(field), None) = (expect, matrix) {
        reader.within("expect", |reader| {
            let help = "write it beside each call of `steps` or `each`";
            reader.error(
                "misplaced_expect",
                field.key.span(),
                "`expect` belongs to a call or a matrix",
                help,
            );
        });
    }
    let name = match name {
        Some(field) => reader.within("name", |reader| read_name(reader, field, names)),
        None => {
            reader.missing(node, "name", "write `name:` and what the test shows");
            None
        }
    };
    let mode = read_mode(reader, skip, todo);
    let at = at.and_then(|field| reader.within("at", |reader| time(reader, field.value())));
    let mut forms = [("each", each), ("steps", steps), ("matrix", matrix)]
        .into_iter()
        .filter_map(|(name, field)| Some((name, field?)));
    let place = place(reader, node);
    let mut runs = match (forms.next(), forms.next()) {
        (Some(("matrix", field)), None) => {
            let wanted = expect.or_else(|| {
                reader.missing(node, "expect", "write `expect:` with an outcome for every cell");
                None
            });
            matrix::read(reader, field, wanted, fixtures)
        }
        (Some((form, field)), None) => reader.within(field.key.text(), |reader| {
            let runs = step::read_list(reader, field.value(), fixtures, form == "steps");
            if form == "steps" { vec![Run { label: String::new(), steps: runs }] } else { split(runs) }
        }),
        (Some(_), Some((form, field))) => {
            reader.within(form, |reader| {
                reader.error(
                    "conflicting_fields",
                    field.key.span(),
                    "a test has one of `each`, `steps` and `matrix`",
                    "write a test of its own for the other",
                );
            });
            Vec::new()
        }
        (None, _) => {
            reader.error(
                "empty_test",
                node.span(),
                "the test makes no call",
                "write `steps` for calls that share counters, `each` for calls that do not, or `matrix`",
            );
            Vec::new()
        }
    };
    if let Some(at) = at {
        for step in runs.iter_mut().filter_map(|run| run.steps.first_mut()) {
            step.at = step.at.or(Some(at));
        }
    }
    Some(Test { name: name?.to_owned(), place, mode: mode?, runs })
}

/// A run for each step.
fn split(steps: Vec<super::Step>) -> Vec<Run> {
    let several = steps.len() > 1;
    let label = |index: usize, step: &super::Step| match &step.name {
        Some(name) => name.clone(),
        None if several => format!("#{}", index.saturating_add(1)),
        None => String::new(),
    };
    let steps = steps.into_iter().enumerate();
    steps.map(|(index, step)| Run { label: label(index, &step), steps: vec![step] }).collect()
}

fn read_name<'n>(
    reader: &mut Reader<'n, '_>,
    field: Field<'n>,
    names: &mut HashMap<&'n str, u32>,
) -> Option<&'n str> {
    let node = field.value();
    let name = reader.any_string(node, "a string")?;
    if name.trim().is_empty() {
        reader.error("invalid_name", node.span(), "the name is empty", "write what the test shows");
        return None;
    }
    let line = reader.diagnostics.line(node.span());
    if let Some(first) = names.insert(name, line) {
        let message = format!("a test on line {first} has the name `{}`, too", shown(name));
        reader.error("duplicate_test", node.span(), message, "give each test its own name");
        return None;
    }
    Some(name)
}

/// `None` after an error.
fn read_mode<'n>(
    reader: &mut Reader<'n, '_>,
    skip: Option<Field<'n>>,
    todo: Option<Field<'n>>,
) -> Option<Mode> {
    let (field, mode): (_, fn(String) -> Mode) = match (skip, todo) {
        (None, None) => return Some(Mode::Runs),
        (Some(field), None) => (field, Mode::Skip),
        (None, Some(field)) => (field, Mode::Todo),
        (Some(_), Some(field)) => {
            reader.within("todo", |reader| {
                reader.error(
                    "conflicting_fields",
                    field.key.span(),
                    "`skip` and `todo` stand together",
                    "write one of them",
                );
            });
            return None;
        }
    };
    reader.within(field.key.text(), |reader| {
        let node = field.value();
        match node.content() {
            Content::String(reason) if !reason.trim().is_empty() => Some(mode(reason.to_owned())),
            _ => {
                reader.error(
                    "missing_reason",
                    node.span(),
                    "the reason is missing",
                    "write why, as a string",
                );
                None
            }
        }
    })
}

/// The place of a node.
pub(super) fn place(reader: &Reader<'_, '_>, node: Node<'_>) -> Place {
    let span = node.span();
    Place { start: span.start as usize, end: span.end as usize, pointer: reader.pointer() }
}

/// A policy's file, or a list of those of a stack.
pub(super) fn stack<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Located<PolicyFiles>> {
    let mut files: Vec<String> = Vec::new();
    if let Content::Sequence(items) = node.content() {
        let mut is_whole = items.len() > 0;
        if !is_whole {
            let help = "name the files of the stack, relative to this one";
            reader.error("empty_tests", node.span(), "no policy is tested", help);
        }
        for (index, item) in items.enumerate() {
            match reader.item(index, |reader| located(reader, item)) {
                Some(file) => files.push(file.value),
                None => is_whole = false,
            }
        }
        if !is_whole {
            return None;
        }
    } else {
        files.push(located(reader, node)?.value);
    }
    Some(Located { value: PolicyFiles::new(files), place: place(reader, node) })
}

/// A string with its place.
pub(super) fn located<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Located<String>> {
    let value = reader.any_string(node, "a string")?;
    if value.is_empty() {
        reader.error("invalid_name", node.span(), "the name is empty", "write a name");
        return None;
    }
    Some(Located { value: value.to_owned(), place: place(reader, node) })
}

/// A point in time.
pub(super) fn time<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Timestamp> {
    let help = "write date, time and offset in quotes, such as `\"2026-11-21T10:00:00Z\"`";
    let text = match node.content() {
        Content::String(text) => text,
        _ => {
            reader.mismatch_with(node, "a time", help);
            return None;
        }
    };
    match text.parse() {
        Ok(time) => Some(time),
        Err(error) => {
            reader.error("invalid_time", node.span(), format!("`{}` is {error}", shown(text)), help);
            None
        }
    }
}
