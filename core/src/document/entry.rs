//! Entries, their rules, and the items of the limits dialect (spec 2.5 to 2.16).

use super::only_args::read_only_args;
use super::reader::{Field, Reader, shown};
use super::{Checks, Document, Entry, Step, approval, conditions, counters, limits, lints, names, rates};
use crate::bytes::same;
use crate::condition::Place;
use crate::diagnostic::Span;
use crate::store::Owner;
use crate::text::{Content, Items, Node};

const ENTRY_FIELDS: [&str; 5] = ["rules", "require", "deny_if", "limits", "only_args"];
const RULE_FIELDS: [&str; 12] = [
    "name",
    "action",
    "conditions",
    "rate_limit",
    "state",
    "scope",
    "algorithm",
    "refund",
    "when",
    "approval",
    "on_deny",
    "reason",
];
const ITEM_FIELDS: [&str; 4] = ["name", "conditions", "on_deny", "reason"];
const ACTIONS: [&str; 4] = ["evaluate", "allow", "deny", "require_approval"];
const ACTION_HELP: &str =
    "actions: evaluate, allow, deny, require_approval; to limit a rate, give the rule a `rate_limit`";

pub(super) fn read_tools<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>, document: &mut Document) {
    let node = field.value();
    let members = match node.content() {
        Content::Null => {
            return reader.null("null_entry", field.key.span(), "`tools` is null, and names no tool");
        }
        Content::Mapping(members) => members,
        _ => return reader.mismatch(node, "a mapping of tool names to entries"),
    };
    document.entries.reserve_exact(members.len());
    for (key, value) in members {
        if reader.is_full() {
            return;
        }
        reader.within(key.text(), |reader| {
            if names::check(reader, key.text(), key.span()) {
                refuse_reserved(reader, key);
            }
            read_entry(reader, value, Owner::Tool(key.text().into()), key.span(), document);
        });
    }
}

/// Reports a name that elsewhere means all tools: as a tool's name, its rules would never act.
fn refuse_reserved<'n>(reader: &mut Reader<'n, '_>, key: Node<'n>) {
    let (help, glob) = match key.text() {
        "all_tools" => ("move it out of `tools`, to the fields of the document", "[a]ll_tools"),
        "_global" => ("write `all_tools` beside `tools`, or the key `*`", "[_]global"),
        _ => return,
    };
    let message = format!("the key `{}` names one tool, not all of them", key.text());
    let help = format!("{help}; for a tool that is called so write `\"{glob}\"`");
    reader.error("invalid_name", key.span(), message, help);
}

pub(super) fn read_entry<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    owner: Owner,
    span: Span,
    document: &mut Document,
) {
    let (mut steps, mut only_args) = (Vec::new(), None);
    let members = match node.content() {
        Content::Null => {
            reader.null("null_entry", span, "the entry is null, and checks nothing");
            None
        }
        Content::Mapping(members) => Some(members),
        _ => {
            return reader.mismatch(
                node,
                "an entry: a mapping with `rules`, `require`, `deny_if`, `limits` or `only_args`",
            );
        }
    };
    let mut counters = counters::Names::default();
    for (key, value) in members.into_iter().flatten() {
        let known = ENTRY_FIELDS.iter().position(|name| same(name, key.text()));
        let Some(known) = known else {
            reader.unknown(key, ENTRY_FIELDS);
            continue;
        };
        // Only `rules` may be null: elsewhere an empty list would silently drop what the author meant to require.
        reader.within(key.text(), |reader| {
            if known == 0 && value.is_null() {
                return reader.null("null_rules", key.span(), "`rules` is null, and checks nothing");
            }
            if known == 4 {
                if let Some((step, names)) = read_only_args(reader, value, document) {
                    steps.push(step);
                    only_args = Some(Box::new(names));
                }
                return;
            }
            let Some(items) = reader.list(value, "a list") else { return };
            if steps.is_empty() {
                steps.reserve_exact(items.len());
            }
            let first = steps.len();
            for (index, item) in items.enumerate() {
                if reader.is_full() {
                    return;
                }
                reader.item(index, |reader| {
                    let step = match known {
                        0 => read_rule(reader, item, &owner, &mut counters, document),
                        1 => read_item(reader, item, Place::Permit, document),
                        2 => read_item(reader, item, Place::Block, document),
                        _ => limits::read_limit(reader, item, &owner, &mut counters, document),
                    };
                    steps.extend(step);
                });
            }
            if known == 1 {
                let required = steps.get(first..).unwrap_or_default();
                lints::warn_of_items(required, document, reader.diagnostics);
            }
        });
    }
    lints::warn_of_scopes(reader, &steps);
    lints::warn_of_whens(reader, &steps);
    approval::check_ignored(reader, &steps, document);
    document.entries.push(Entry { owner, span, steps: steps.into(), only_args });
}

/// Adds a rule or item with its name, place and message; its index.
pub(super) fn presentation<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    name: Option<Field<'n>>,
    on_deny: Option<Field<'n>>,
    reason: Option<Field<'n>>,
    document: &mut Document,
) -> u32 {
    if let (Some(on_deny), Some(reason)) = (on_deny, reason) {
        let later = if on_deny.key.span() > reason.key.span() { on_deny.key } else { reason.key };
        let message = "`on_deny` and `reason` are the same field";
        reader.within(later.text(), |reader| {
            reader.error("conflicting_fields", later.span(), message, "keep one of them")
        });
    }
    let name = reader.text(name);
    let (on_deny, reason) = (reader.text(on_deny), reader.text(reason));
    let line = reader.diagnostics.lines().line(node.span().start);
    let pointer = |texts: &mut String| reader.write_pointer(texts);
    document.rules.add(pointer, name, on_deny.or(reason), line, node.span())
}

fn read_item<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    place: Place,
    document: &mut Document,
) -> Option<Step> {
    let mut checks = Checks::default();
    if conditions::is_bare(node) {
        if let Some(field) = mixed(node) {
            let message = "an item is a bare condition, or has `conditions`";
            let help = "write `{conditions: [{path, op, value}], on_deny: …, name: …}`";
            reader.within(field.key.text(), |reader| {
                reader.error("conflicting_fields", field.key.span(), message, help)
            });
            return None;
        }
        let rule = presentation(reader, node, None, None, None, document);
        conditions::read_clause(reader, node, None, place, true, &mut checks);
        return Some(Step::new(rule, place, false, checks, None));
    }
    let expected = "an item: `{conditions, on_deny, name}` or a condition";
    let [name, conditions, on_deny, reason] = reader.fields(node, expected, ITEM_FIELDS)?;
    let rule = presentation(reader, node, name, on_deny, reason, document);
    let count = read_conditions(reader, conditions, place, true, &mut checks)?;
    if count == 0 && place == Place::Permit {
        let help = "give it conditions, or remove the item";
        let message = "a `require` item without conditions requires nothing";
        match conditions.filter(|field| !field.value().is_null()) {
            Some(field) => {
                reader.within("conditions", |reader| {
                    reader.error("empty_conditions", field.value().span(), message, help)
                });
            }
            None => reader.error("empty_conditions", node.span(), message, help),
        }
    }
    Some(Step::new(rule, place, false, checks, None))
}

/// Reads `conditions`; returns how many there are, `None` after an error.
fn read_conditions<'n>(
    reader: &mut Reader<'n, '_>,
    field: Option<Field<'n>>,
    place: Place,
    may_read_state: bool,
    checks: &mut Checks,
) -> Option<usize> {
    let Some(field) = field else { return Some(0) };
    reader.within("conditions", |reader| {
        if field.value().is_null() {
            reader.null("null_rules", field.key.span(), "`conditions` is null, and has no condition");
            return Some(0);
        }
        let items = reader.list(field.value(), "a list of conditions")?;
        read_clauses(reader, items, place, may_read_state, checks)
    })
}

/// Reads what says to which calls a limit applies.
pub(super) fn read_when<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>) -> Option<Checks> {
    reader.within("when", |reader| {
        let items = reader.list(field.value(), "a list of conditions")?;
        if items.len() == 0 {
            let help = "give it conditions, or remove it: without it the limit applies to every call";
            reader.error("empty_conditions", field.value().span(), "`when` has no conditions", help);
        }
        let mut checks = Checks::default();
        read_clauses(reader, items, Place::Limit, false, &mut checks)?;
        Some(checks)
    })
}

/// Reads the conditions of a list; `None` where there is no use in reading on.
fn read_clauses<'n>(
    reader: &mut Reader<'n, '_>,
    items: Items<'n>,
    place: Place,
    may_read_state: bool,
    checks: &mut Checks,
) -> Option<usize> {
    let (count, places) = (items.len(), items.clone());
    checks.clauses.reserve_exact(count);
    for (index, item) in items.enumerate() {
        if reader.is_full() {
            return None;
        }
        reader.item(index, |reader| {
            conditions::read_clause(reader, item, Some(index), place, may_read_state, checks);
        });
    }
    let conditions = checks.clauses.iter().filter_map(|clause| Some((clause.index?, &clause.condition)));
    lints::warn_of_pairs(reader, conditions, |at| places.clone().nth(at));
    Some(count)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Evaluate,
    Allow,
    Deny,
    RequireApproval,
}

fn read_action<'n>(reader: &mut Reader<'n, '_>, field: Option<Field<'n>>) -> Option<Action> {
    let Some(field) = field else { return Some(Action::Evaluate) };
    reader.within("action", |reader| {
        match reader.string(field.value(), "a string, the action", ACTION_HELP)? {
            "evaluate" => Some(Action::Evaluate),
            "allow" => Some(Action::Allow),
            "deny" => Some(Action::Deny),
            "require_approval" => Some(Action::RequireApproval),
            other => {
                let help = match reader.diagnostics.suggestions.nearest(other, ACTIONS) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => match other {
                        "block" | "reject" | "forbid" => "write `deny`",
                        "permit" | "pass" => "write `allow`",
                        "ask" | "approve" | "approval" | "confirm" => "write `require_approval`",
                        _ => ACTION_HELP,
                    }
                    .to_owned(),
                };
                reader.error(
                    "invalid_action",
                    field.value().span(),
                    format!("unknown action `{}`", shown(other)),
                    help,
                );
                None
            }
        }
    })
}

fn read_rule<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    owner: &Owner,
    names: &mut counters::Names,
    document: &mut Document,
) -> Option<Step> {
    let [
        name,
        action,
        conditions,
        rate_limit,
        state,
        scope,
        algorithm,
        refund,
        when,
        approval,
        on_deny,
        reason,
    ] = reader.fields(node, "a rule: a mapping", RULE_FIELDS)?;
    let rule = presentation(reader, node, name, on_deny, reason, document);
    let action_field = action;
    let action = read_action(reader, action_field);
    let blocks = matches!(action, Some(Action::Deny | Action::RequireApproval));
    let mut checks = Checks::default();
    let place = if blocks { Place::Block } else { Place::Permit };
    let count = read_conditions(reader, conditions, place, true, &mut checks);

    let mut charge = None;
    if let Some(field) = rate_limit {
        let beside = [conditions.filter(|_| count != Some(0)), state].into_iter().flatten().next();
        if let Some(other) = beside {
            let help = "give the limit a rule of its own";
            conflict(reader, field, other, "`rate_limit` stands without `conditions` and `state`", help);
        }
        charge = rates::read_rate_limit(reader, field, [scope, algorithm, refund], owner, names, document);
    } else {
        for field in [scope, algorithm, refund, when].into_iter().flatten() {
            let message = format!("`{}` needs a `rate_limit` in the same rule", field.key.text());
            let help = match field.key.text() {
                "when" => "write its conditions into `conditions`, or give the rule a `rate_limit`",
                _ => "move it into `state`, or remove it",
            };
            reader.within(field.key.text(), |reader| {
                reader.error("conflicting_fields", field.key.span(), message, help)
            });
        }
    }
    if let Some(field) = state {
        let state = counters::read_state(reader, field, owner, names, document);
        charge = charge.or(state);
    }
    for field in [rate_limit, state].into_iter().flatten() {
        if let (true, Some(action)) = (blocks, action_field) {
            let message = format!("a rule that denies or asks for approval takes no `{}`", field.key.text());
            let help = "give the counter a rule of its own, with `action: evaluate`";
            conflict(reader, field, action, &message, help);
        }
    }
    if let Some(field) = approval {
        let terms = approval::read_terms(reader, field);
        match action {
            Some(Action::RequireApproval) => document.terms.extend(terms.map(|terms| (rule, terms))),
            Some(_) => {
                let message = "`approval` needs `action: require_approval` in the same rule";
                let help = "give the rule that action, or remove the terms";
                reader.within("approval", |reader| {
                    reader.error("conflicting_fields", field.key.span(), message, help)
                });
            }
            None => {}
        }
    }
    let action = action?;
    let empty = count == Some(0) && rate_limit.is_none() && state.is_none();
    if action == Action::Evaluate && empty {
        let help =
            "give it `conditions`, `rate_limit` or `state`, or an `action`: allow, deny, require_approval";
        reader.error("empty_rule", node.span(), "the rule does nothing", help);
    }
    if let (Some(when), true) = (when, rate_limit.is_some()) {
        return Some(Step::new(rule, Place::Limit, false, read_when(reader, when)?, charge));
    }
    Some(Step::new(rule, place, action == Action::RequireApproval, checks, charge))
}

/// The later of the first fields of a condition and of an item, where a mapping has both.
fn mixed(node: Node<'_>) -> Option<Field<'_>> {
    let Content::Mapping(members) = node.content() else { return None };
    let first = |names: &[&str]| members.clone().find(|(key, _)| names.contains(&key.text()));
    let (condition, item) = (first(&conditions::FIELDS)?, first(&ITEM_FIELDS)?);
    let (key, _) = if condition.0.span() > item.0.span() { condition } else { item };
    Some(Field { key })
}

/// Reports two fields that exclude each other, at the later one.
pub(super) fn conflict<'n>(
    reader: &mut Reader<'n, '_>,
    a: Field<'n>,
    b: Field<'n>,
    message: &str,
    help: &str,
) {
    let later = if a.key.span() > b.key.span() { a.key } else { b.key };
    reader.within(later.text(), |reader| reader.error("conflicting_fields", later.span(), message, help));
}
