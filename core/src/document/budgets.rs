//! Budgets: counters that several entries pay into (spec 2.24, 2.25, 4.10).
//!
//! In: `budgets` as written, and the names by which items and conditions mean one. Out: a declared counter for each, and errors at
//! what is wrong. Must read all of them before the first entry, so that names resolve where they stand.

use std::collections::HashMap;

use super::counters::{check_sliding, push_declared, read_algorithm, read_scope, read_window};
use super::payments::{read_amount, read_max_from};
use super::reader::{Field, Reader, shown};
use super::{Declared, Document};
use crate::diagnostic::Span;
use crate::path::Root;
use crate::scope::Scope;
use crate::store::{Counter, Owner};
use crate::text::{Content, Node};
use crate::window::Algorithm;

const FIELDS: [&str; 6] = ["window", "max", "max_from", "scope", "algorithm", "on_deny"];

/// The budgets of a document by their names.
#[derive(Default)]
pub(super) struct Budgets<'n> {
    /// In the order of the document.
    known: Vec<Known<'n>>,
    by_name: HashMap<&'n str, usize, foldhash::fast::RandomState>,
    /// Whether they could not be read, so that nothing can be said of names.
    failed: bool,
}

struct Known<'n> {
    name: &'n str,
    key: Span,
    /// `None` after an error.
    declared: Option<u32>,
    /// Whether some item means it.
    is_paid: bool,
}

/// Reads the field.
pub(super) fn read_budgets<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>, document: &mut Document) {
    let Some(members) = reader.mapping(field.value(), "a mapping of names to budgets") else {
        reader.budgets.failed = true;
        return;
    };
    for (key, value) in members {
        if reader.is_full() {
            return;
        }
        reader.within(key.text(), |reader| {
            if key.text().is_empty() {
                let help = "give it a name, such as `emails`";
                reader.error("invalid_name", key.span(), "the budget's name is empty", help);
            }
            let declared =
                read_budget(reader, key.text(), value).map(|budget| push_declared(document, budget));
            let known = Known { name: key.text(), key: key.span(), declared, is_paid: false };
            let index = reader.budgets.known.len();
            reader.budgets.by_name.insert(key.text(), index);
            reader.budgets.known.push(known);
        });
    }
    // Arguments are no part of these scopes, so nothing is to be said of their types.
    reader.scopes.clear();
}

fn read_budget<'n>(reader: &mut Reader<'n, '_>, name: &str, node: Node<'n>) -> Option<Declared> {
    let [window, max, max_from, scope, algorithm, on_deny] =
        reader.fields(node, "a budget: `{window, max}`", FIELDS)?;
    if window.is_none() {
        reader.missing(node, "window", "say for how long it lasts, such as `window: day`");
    }
    let window_field = window;
    let window = window.and_then(|field| {
        reader.within("window", |reader| read_window(reader, field.value(), "invalid_window"))
    });
    let max = match max {
        None => Some(None),
        Some(field) => reader.within("max", |reader| read_amount(reader, field.value()).map(Some)),
    };
    let max_from = read_max_from(reader, max_from);
    let scope = match scope {
        None => Some(Scope::Global),
        Some(field) => read_scope(reader, field).filter(|scope| is_shared(reader, field, scope)),
    };
    let algorithm = read_algorithm(reader, algorithm);
    let on_deny = reader.text(on_deny).map(Box::from);
    if let (Some((window, _)), Some(Algorithm::Sliding), Some(field)) = (&window, algorithm, window_field) {
        reader.within("window", |reader| check_sliding(reader, *window, field.value().span()))?;
    }
    let ((window, written), scope) = (window?, scope?);
    let counter = Counter::new(Owner::Budget, name, window, algorithm?, &scope.to_string());
    Some(Declared { counter, scope, max: max?, max_from: max_from?, window: written, on_deny })
}

/// Whether whatever pays into a budget has the values of its scope; else reports those it need not have.
fn is_shared<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>, scope: &Scope) -> bool {
    let (Scope::Each(paths), Content::Sequence(items)) = (scope, field.value().content()) else {
        return true;
    };
    let mut shared = true;
    reader.within("scope", |reader| {
        for (index, (path, item)) in paths.iter().zip(items).enumerate() {
            if path.root == Root::Identity {
                continue;
            }
            shared = false;
            let message = match path.root {
                Root::Tool => "several tools pay into a budget, so it cannot count by the tool".to_owned(),
                _ => {
                    format!("what pays into a budget has different arguments, so `{path}` is no scope of it")
                }
            };
            let help = "count by `identity.` paths, or give the entry a counter of its own";
            reader.item(index, |reader| reader.error("invalid_scope", item.span(), message, help));
        }
    });
    shared
}

/// The budget that an item pays into; `None` after an error, here or in the budget.
pub(super) fn paid<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>) -> Option<u32> {
    reader.within("budget", |reader| {
        let name = reader.any_string(field.value(), "a string, the name of a budget")?;
        let index = find(reader, name, field.value().span(), "")?;
        let known = reader.budgets.known.get_mut(index)?;
        known.is_paid = true;
        known.declared
    })
}

/// The budget that a path means; `None` after an error, here or in the budget.
pub(super) fn read(reader: &mut Reader<'_, '_>, name: &str, span: Span) -> Option<u32> {
    let index = find(reader, name, span, "budget.")?;
    reader.budgets.known.get(index)?.declared
}

/// The index of the budget of that name, or an error whose help writes the nearest one behind `before`.
fn find(reader: &mut Reader<'_, '_>, name: &str, span: Span, before: &str) -> Option<usize> {
    let Budgets { by_name, failed, known } = &reader.budgets;
    let found = by_name.get(name).copied();
    if found.is_some() || *failed {
        return found;
    }
    let names = known.iter().map(|known| known.name);
    let help = match reader.diagnostics.suggestions.nearest(name, names.clone()) {
        Some(near) => format!("did you mean `{before}{}`?", shown(near)),
        None if known.is_empty() => {
            "declare it in `budgets` of the document, as in `budgets: {NAME: {window: day, max: 10}}`"
                .to_owned()
        }
        None => {
            const MOST: usize = 8;
            let names: Vec<_> = names.take(MOST).map(shown).collect();
            format!("declare it in `budgets`, or name one of them: {}", names.join(", "))
        }
    };
    reader.error("unknown_budget", span, format!("there is no budget `{}`", shown(name)), help);
    None
}

/// Warns of budgets that nothing is paid into: they hold nothing, and limit nothing.
pub(super) fn warn_of_unpaid(reader: &mut Reader<'_, '_>) {
    let unpaid = reader.budgets.known.iter().filter(|known| !known.is_paid);
    let unpaid: Vec<_> = unpaid.map(|known| (known.name, known.key)).collect();
    for (name, key) in unpaid {
        let message = format!("nothing is paid into the budget `{}`, so it limits nothing", shown(name));
        let help = "write `{budget: NAME}` into the `limits` of each entry that pays, or remove the budget";
        reader.within("budgets", |reader| {
            reader.within(name, |reader| reader.warning("unpaid_budget", key, message, help));
        });
    }
}
