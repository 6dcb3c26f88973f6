//! Conditions as written (spec 4.5, 5.1).

use std::sync::Arc;

use super::entry::conflict;
use super::from_call;
use super::given::misfit;
use super::lints;
use super::notation;
use super::ranges::ranges;
use super::reader::{Field, Reader, shown};
use super::{Checks, Clause, StateTest, budgets, claims};
use crate::bytes::same;
use crate::condition::{Condition, More, NAMES, Operand, Operator, Place, Test};
use crate::diagnostic::Span;
use crate::number::Number;
use crate::path::{Path, Root, Segment};
use crate::pattern::Pattern;
use crate::suggest::operator;
use crate::text::{Content, Node};

pub(super) const FIELDS: [&str; 8] = ["path", "op", "value", "value_from", "optional", "any", "all", "not"];

/// Where a condition stands.
#[derive(Clone, Copy)]
pub(super) struct Site {
    pub(super) place: Place,
    /// Whether a `not` is around it.
    pub(super) negated: bool,
}

/// Whether an item is written as a condition.
pub(super) fn is_bare(node: Node<'_>) -> bool {
    let Content::Mapping(mut members) = node.content() else { return false };
    members.any(|(key, _)| FIELDS.contains(&key.text()))
}

/// Reads one condition of a rule or item.
pub(super) fn read_clause<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    index: Option<usize>,
    place: Place,
    may_read_state: bool,
    checks: &mut Checks,
) {
    let Checks { clauses, states } = checks;
    let mut states = if may_read_state { Some((index, states)) } else { None };
    if let Some(condition) = read(reader, node, Site { place, negated: false }, &mut states) {
        clauses.push(Clause { index, condition });
    }
}

/// Where a condition on a counter may go; `None` where none may stand.
type States<'s> = Option<(Option<usize>, &'s mut Vec<StateTest>)>;

/// Recursion is as deep as the document, which has a ceiling.
fn read<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    site: Site,
    states: &mut States<'_>,
) -> Option<Condition> {
    if reader.is_full() {
        return None;
    }
    let expected = "a condition: `{path, op, value}`, `{any: […]}`, `{all: […]}` or `{not: {…}}`";
    let [path, op, value, from, optional, any, all, not] = reader.fields(node, expected, FIELDS)?;
    let combinators = [any, all, not].into_iter().flatten();
    let plain = [path, op, value, from, optional].into_iter().flatten();
    let Some(first) = combinators.clone().next() else {
        return read_test(reader, node, Parts { path, op, value, from, optional }, site, states);
    };
    if let Some(other) = plain.chain(combinators.skip(1)).max_by_key(|field| field.key.span()) {
        let later = if other.key.span() > first.key.span() { other.key } else { first.key };
        let message = "a condition is `{path, op, value}` or one of `any`, `all`, `not`";
        reader.within(later.text(), |reader| {
            reader.error("conflicting_fields", later.span(), message, "split it into several conditions");
        });
    }
    if let Some(field) = not {
        return reader
            .within("not", |reader| {
                let site = Site { negated: true, ..site };
                read(reader, field.value(), site, &mut None)
            })
            .map(|condition| Condition::Not(condition.into()));
    }
    let conditions = reader.within(first.key.text(), |reader| {
        let items = reader.list(first.value(), "a list of conditions")?;
        if items.len() == 0 {
            let message = format!("`{}` has no conditions", first.key.text());
            reader.error(
                "empty_conditions",
                first.value().span(),
                message,
                "give it conditions, or remove it",
            );
        }
        let mut conditions: Vec<Condition> = Vec::with_capacity(items.len());
        for (index, item) in items.clone().enumerate() {
            conditions.extend(reader.item(index, |reader| read(reader, item, site, &mut None)));
        }
        if all.is_some() && conditions.len() == items.len() {
            lints::warn_of_pairs(reader, conditions.iter().enumerate(), |at| items.clone().nth(at));
        }
        Some(conditions.into())
    })?;
    Some(if any.is_some() { Condition::Any(conditions) } else { Condition::All(conditions) })
}

/// The fields of a test.
#[derive(Clone, Copy)]
struct Parts<'n> {
    path: Option<Field<'n>>,
    op: Option<Field<'n>>,
    value: Option<Field<'n>>,
    from: Option<Field<'n>>,
    optional: Option<Field<'n>>,
}

fn read_test<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    parts: Parts<'n>,
    site: Site,
    states: &mut States<'_>,
) -> Option<Condition> {
    let Parts { path, op, value, from, optional } = parts;
    if path.is_none() {
        reader.missing(
            node,
            "path",
            "a condition is `{path, op, value}`, such as `{path: args.amount, op: lte, value: 500}`",
        );
    }
    if op.is_none() {
        reader.missing(
            node,
            "op",
            "operators: eq, neq, in, not_in, lt, lte, gt, gte, regex, contains, exists, …",
        );
    }
    if let (Some(value), Some(from)) = (value, from) {
        conflict(reader, value, from, "an operand is a `value` or a `value_from`", "keep one of them");
    } else if value.is_none() && from.is_none() {
        reader.missing(
            node,
            "value",
            "write `value: null` to compare with null, and `value: true` for `op: exists`",
        );
    }
    let parsed = path.and_then(|field| {
        reader.within("path", |reader| {
            let text =
                reader.string(field.value(), "a string, the path", "write a path like `args.amount`")?;
            match reader.path(text) {
                Ok(path) => {
                    claims::check_path(reader, &path, field.value().span());
                    Some(path)
                }
                Err(error) => {
                    reader.error("invalid_path", field.value().span(), error.message, error.help);
                    None
                }
            }
        })
    });
    let name = op.and_then(|field| {
        reader.within("op", |reader| {
            let node = field.value();
            // `>` alone begins a text of several lines, and `=` is a word of YAML 1.1.
            let written = match node.content() {
                Content::String("") => {
                    let (key, value) = (field.key.span(), node.span());
                    let between = Span { start: key.end, end: value.end };
                    reader.diagnostics.lines().written(between).trim_start_matches(':').trim().lines().next()
                }
                Content::String(text) | Content::Ambiguous { text, .. } => Some(text),
                _ => None,
            };
            let written = written.unwrap_or_default().trim();
            if let Content::String(name) = node.content()
                && NAMES.iter().any(|known| same(known, name))
            {
                return Some(name);
            }
            let meant = operator(written);
            // Of a tag, which YAML makes of `!contains`, the reader of the text has said enough.
            if meant.is_none() && written.starts_with('!') && matches!(node.content(), Content::String("")) {
                return None;
            }
            let help = match meant {
                Some(known) => format!("write `{known}`"),
                None if written == "not_exists" => "write `op: exists` and `value: false`".to_owned(),
                None => match reader.diagnostics.suggestions.one_slip(written, NAMES) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => format!("operators: {}", NAMES.join(", ")),
                },
            };
            let name = reader.string(node, "a string, the operator", &help)?;
            reader.error(
                "invalid_operator",
                field.value().span(),
                format!("unknown operator `{}`", shown(name)),
                help,
            );
            None
        })
    });
    let operand = value.and_then(|field| {
        reader.within("value", |reader| read_operand(reader, field.value()).map(|operand| (field, operand)))
    });
    let is_state = parsed.as_ref().is_some_and(|path| path.root.counts());
    if let (true, Some(field), None) = (is_state, path, &states) {
        let root =
            if parsed.as_ref().is_some_and(|path| path.root == Root::Budget) { "budget" } else { "state" };
        let message = format!("a `{root}` path cannot stand here");
        let help = "conditions on counters and budgets stand directly in the `conditions` of a rule, a `require` or a `deny_if` item";
        reader.within("path", |reader| reader.error("misplaced_state", field.value().span(), message, help));
        return None;
    }
    let optional = match optional {
        Some(optional) => from_call::read_optional(reader, optional, site, parsed.as_deref(), name)?,
        None => false,
    };
    if let (Place::Limit, Some(path), Some(field)) = (site.place, &parsed, path) {
        reader.within("path", |reader| lints::note_when(reader, path, field.value().span()));
    }
    if let (Some(from), None) = (from, value) {
        let operand = from_call::read_operand(reader, from, site, name, parsed.as_deref());
        let (path, (operator, negated, operand)) = (parsed?, operand?);
        let more =
            More { operand: Some(operand), optional: optional.then(|| from_call::before_wildcard(&path)) };
        return Some(Condition::Test(from_call::test(&path, operator, negated, more)));
    }
    let (path, name, (value, operand), field) = (parsed?, name?, operand?, path?);
    if let (true, Some((index, states))) = (is_state, states) {
        let Some(ranges) = ranges(name, &operand) else {
            let mut help = notation::operand_help(name, value.value());
            if help.is_empty() {
                help.push_str("counters take eq, neq, in, not_in, lt, lte, gt, gte with numbers");
            }
            if matches!(name, "eq" | "neq" | "in" | "not_in" | "lt" | "lte" | "gt" | "gte") {
                let message = format!(
                    "`{name}` on a counter needs a number, or a list of numbers for `in` and `not_in`"
                );
                reader.within("value", |reader| {
                    reader.error("invalid_operand", value.value().span(), message, help)
                });
            } else {
                let message = format!("`{name}` cannot compare a counter");
                reader.within("path", |reader| {
                    reader.error("misplaced_state", field.value().span(), message, help)
                });
            }
            return None;
        };
        if path.has_each {
            let message = format!("`{path}` names no counter: `[*]` reads arguments and identities");
            reader.within("path", |reader| {
                reader.error("invalid_path", field.value().span(), message, "write `state.<tool>.<counter>`");
            });
            return None;
        }
        let text = format!("{path} {name} {operand}").into();
        let pointer = reader.within("path", |reader| reader.pointer()).into();
        let span = field.value().span();
        let declared = if path.root == Root::Budget {
            let name = path.segments.first().and_then(Segment::name).unwrap_or_default();
            reader.within("path", |reader| budgets::read(reader, name, span))?
        } else {
            reader.reads_counters = true;
            u32::MAX
        };
        states.push(StateTest { index: *index, declared, path, span, pointer, text, ranges });
        return None;
    }
    if let Some((message, help)) = misfit(&path, name, &operand) {
        reader.within("value", |reader| reader.error("invalid_operand", value.value().span(), message, help));
        return None;
    }
    lints::warn_of_operand(reader, &path, name, &operand, value.value());
    if let Some(pattern) = known_pattern(reader, name, &operand) {
        let operator = Operator::Matches(Box::new(pattern));
        return Some(literal(path, operator, name == "not_regex", optional));
    }
    match Operator::compile(name, operand)? {
        Ok((operator, negated)) => {
            if let (Operator::Matches(pattern), Content::String(text)) = (&operator, value.value().content())
            {
                reader.patterns.insert(text, Pattern::clone(pattern));
            }
            Some(literal(path, operator, negated, optional))
        }
        Err(error) => {
            let help = error.help.unwrap_or_else(|| notation::operand_help(name, value.value()));
            reader.within("value", |reader| {
                reader.error(error.code, value.value().span(), error.message, help)
            });
            None
        }
    }
}

/// A test whose operand stands in the policy.
fn literal(path: Arc<Path>, operator: Operator, negated: bool, optional: bool) -> Condition {
    Condition::Test(if optional {
        let more = More { operand: None, optional: Some(from_call::before_wildcard(&path)) };
        from_call::test(&path, operator, negated, more)
    } else {
        Test { path, operator, negated, more: None }
    })
}

/// A pattern that the policy has had before: compiling a heavy one takes milliseconds.
fn known_pattern(reader: &Reader<'_, '_>, name: &str, operand: &Operand) -> Option<Pattern> {
    match (name, operand) {
        ("regex" | "not_regex", Operand::String(text)) => reader.patterns.get(&**text).cloned(),
        _ => None,
    }
}

/// Recursion is as deep as the document, which has a ceiling.
fn read_operand<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Operand> {
    if reader.is_full() {
        return None;
    }
    Some(match node.content() {
        Content::Null => Operand::Null,
        Content::Bool(value) => Operand::Bool(value),
        Content::String(text) => Operand::String(text.into()),
        Content::Number(literal) => match Number::from_literal(literal) {
            Some(number) => Operand::Number(number.into_owned()),
            None => {
                let message = "the number is beyond the range of a double";
                reader.error("invalid_operand", node.span(), message, "no argument can equal it");
                return None;
            }
        },
        Content::Ambiguous { .. } => {
            reader.mismatch(node, "a JSON value");
            return None;
        }
        Content::Sequence(items) => {
            let (mut members, count) = (Vec::with_capacity(items.len()), items.len());
            for (index, item) in items.enumerate() {
                members.extend(reader.item(index, |reader| read_operand(reader, item)));
            }
            if members.len() < count {
                return None;
            }
            Operand::Array(members.into())
        }
        Content::Mapping(items) => {
            let (mut members, count) = (Vec::with_capacity(items.len()), items.len());
            for (key, item) in items {
                let member = reader.within(key.text(), |reader| read_operand(reader, item));
                members.extend(member.map(|member| (key.text().into(), member)));
            }
            if members.len() < count {
                return None;
            }
            Operand::Object(members.into())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_patterns_are_compiled_once_and_negated_each_by_its_own_operator() {
        let text = r#"{"version": "1", "default": "deny", "tools": {"t": {"require": [
            {"path": "args.a", "op": "regex", "value": "^a+$"},
            {"path": "args.a", "op": "not_regex", "value": "^a+$"},
            {"path": "args.b", "op": "regex", "value": "^a+$"},
            {"path": "args.b", "op": "not_regex", "value": "^b$"}]}}}"#;
        let mut diagnostics = crate::diagnostic::Diagnostics::new(text);
        let tree = crate::text::parse_json(text, &mut diagnostics).unwrap();
        let document = crate::document::read(&tree, &mut diagnostics);
        let tests = document.entries[0].steps.iter().map(|step| match &step.conditions[0].condition {
            Condition::Test(Test { operator: Operator::Matches(pattern), negated, .. }) => {
                (pattern, *negated)
            }
            other => panic!("{other:?}"),
        });
        let found: Vec<_> = tests.collect();
        let same: Vec<_> = found.iter().map(|(pattern, _)| pattern.is_shared_with(found[0].0)).collect();
        assert_eq!(same, [true, true, true, false]);
        let negated: Vec<_> = found.iter().map(|(_, negated)| *negated).collect();
        assert_eq!(negated, [false, true, false, true]);
        assert_eq!(found[3].0.text(), "^b$");
    }
}
