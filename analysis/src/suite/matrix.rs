//! A matrix: callers by calls, with an outcome for every cell. A cell without one is an error, and so is one that is not in it.

use std::collections::{HashMap, HashSet};

use callgate::__analysis::{Content, Field, Node, Reader, shown};

use super::calls::{Args, Fixtures, Template};
use super::expect;
use super::file::place;
use super::{Located, Run, Step};

/// What varies along one side.
struct Side<T> {
    items: Vec<(String, T)>,
    /// Whether the file lists it. What is not listed is the same in every cell, and no key of `expect`.
    listed: bool,
}

/// `None` where the matrix says nothing of callers; inside, `None` is nobody.
type Caller = Option<Option<String>>;

/// What is done with a node and the item that it is about.
type Visit<'v, 'n, T> = &'v mut dyn for<'r> FnMut(&mut Reader<'n, 'r>, Node<'n>, &(String, T));

/// Reads the cells as runs of one call each.
pub(super) fn read<'n>(
    reader: &mut Reader<'n, '_>,
    field: Field<'n>,
    wanted: Option<Field<'n>>,
    fixtures: &mut Fixtures<'n>,
) -> Vec<Run> {
    let sides = reader.within("matrix", |reader| read_sides(reader, field.value(), fixtures));
    let (Some((callers, calls)), Some(wanted)) = (sides, wanted) else { return Vec::new() };
    let mut runs = Vec::new();
    reader.within("expect", |reader| {
        each(reader, wanted.value(), &callers, &mut |reader, node, caller| {
            each(reader, node, &calls, &mut |reader, node, call| {
                let run = cell(reader, node, caller, call);
                let step = run.as_ref().and_then(|run| run.steps.first());
                if step.is_some_and(|step| fixtures.admit(reader, node, [&step.args, &step.identity])) {
                    runs.extend(run);
                }
            });
        });
    });
    runs
}

fn read_sides<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    fixtures: &mut Fixtures<'n>,
) -> Option<(Side<Caller>, Side<Template<'n>>)> {
    let [callers, calls, tools] = reader.fields(node, "a mapping", ["as", "call", "tool"])?;
    let callers = match callers {
        Some(field) => reader.within("as", |reader| {
            read_side(reader, field.value(), &mut |reader, node| fixtures.caller(reader, node).map(Some))
        })?,
        None => Side { items: vec![(String::new(), None)], listed: false },
    };
    let calls = match (calls, tools) {
        (Some(field), None) => reader.within("call", |reader| {
            read_side(reader, field.value(), &mut |reader, node| fixtures.call(reader, node))
        })?,
        (None, Some(field)) => reader.within("tool", |reader| {
            read_side(reader, field.value(), &mut |reader, node| {
                reader.any_string(node, "a string, a tool's name")?;
                Some(Template {
                    tool: node,
                    args: Args::Absent,
                    identity: None,
                    server: None,
                    unlisted: false,
                    check: None,
                })
            })
        })?,
        (Some(_), Some(field)) => {
            let message = "`call` and `tool` stand together";
            reader.within("tool", |reader| {
                reader.error("conflicting_fields", field.key.span(), message, "write one of them");
            });
            return None;
        }
        (None, None) => {
            let help = "write `tool:` and a list of tools, or `call:` and a list of calls in `calls`";
            reader.missing(node, "tool", help);
            return None;
        }
    };
    if !callers.listed && !calls.listed {
        let help = "write `as`, `tool` or `call` as a list; a single call is a step";
        reader.error("empty_matrix", node.span(), "nothing varies in the matrix", help);
        return None;
    }
    Some((callers, calls))
}

/// One item, or a list of them.
fn read_side<'n, T>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    read: &mut dyn FnMut(&mut Reader<'n, '_>, Node<'n>) -> Option<T>,
) -> Option<Side<T>> {
    let Content::Sequence(items) = node.content() else {
        let value = read(reader, node)?;
        return Some(Side { items: vec![(String::new(), value)], listed: false });
    };
    if items.len() == 0 {
        reader.error("empty_matrix", node.span(), "the matrix has no cell", "list at least one");
        return None;
    }
    let mut side = Side { items: Vec::new(), listed: true };
    let mut names = HashSet::new();
    for (index, item) in items.enumerate() {
        let value = reader.item(index, |reader| read(reader, item))?;
        let name = item.text();
        if !names.insert(name) {
            let message = format!("`{}` stands twice", shown(name));
            reader.error("duplicate_item", item.span(), message, "remove one of them");
            return None;
        }
        side.items.push((name.to_owned(), value));
    }
    Some(side)
}

/// Visits what `node` says of each item: its members by name, or the node itself where there is nothing to tell apart.
fn each<'n, T>(reader: &mut Reader<'n, '_>, node: Node<'n>, side: &Side<T>, visit: Visit<'_, 'n, T>) {
    if !side.listed {
        if let Some(only) = side.items.first() {
            visit(reader, node, only);
        }
        return;
    }
    let Some(members) = reader.mapping(node, "a mapping with an outcome for each") else { return };
    let items: HashMap<&str, &(String, T)> = side.items.iter().map(|item| (&*item.0, item)).collect();
    let mut expected = HashSet::new();
    for (key, value) in members {
        let name = key.text();
        expected.insert(name);
        reader.within(name, |reader| match items.get(name) {
            Some(item) => visit(reader, value, item),
            None => {
                let nearest = reader.diagnostics.nearest(name, side.items.iter().map(|(known, _)| &**known));
                let help = nearest.map_or_else(
                    || "add it to the matrix, or remove it here".to_owned(),
                    |nearest| format!("did you mean `{nearest}`?"),
                );
                let message = format!("`{}` is not in the matrix", shown(name));
                reader.error("unknown_cell", key.span(), message, help);
            }
        });
    }
    let missing = side.items.iter().map(|(name, _)| &**name).filter(|name| !expected.contains(name));
    let missing: Vec<&str> = missing.collect();
    if !missing.is_empty() {
        let message = format!("nothing is expected of `{}`", shown(&missing.join("`, `")));
        reader.error("missing_cell", node.span(), message, "write an outcome for every cell of the matrix");
    }
}

fn cell<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    (caller_name, caller): &(String, Caller),
    (call_name, call): &(String, Template<'n>),
) -> Option<Run> {
    let expect = expect::read(reader, node)?;
    let names = [caller_name.as_str(), call_name.as_str()];
    let label: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    let identity = caller.clone().or_else(|| call.identity.clone()).flatten();
    let step = Step {
        place: place(reader, node),
        name: None,
        at: None,
        after: None,
        reload: None,
        tool: Located { value: call.tool.text().to_owned(), place: place(reader, call.tool) },
        request: false,
        unlisted: call.unlisted,
        args: call.args.text(),
        identity,
        server: call.server.clone(),
        check: call.check.clone(),
        explain: false,
        repeat: 1,
        approve: None,
        finish: None,
        expect,
    };
    Some(Run { label: label.join(" "), steps: vec![step] })
}
