//! `only_args` as written: the names that the arguments may have (spec 2.20).
//!
//! In: the list. Out: a permit item with a condition on the names of the arguments, and those names.

use std::collections::HashMap;
use std::sync::Arc;

use super::entry::presentation;
use super::reader::{Reader, shown};
use super::{Checks, Clause, Document, OnlyArgs, Step};
use crate::condition::{Condition, Operand, Operator, Place, Test};
use crate::path::{Path, PathView, Root, Segment};
use crate::text::Node;

pub(super) fn read_only_args<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    document: &mut Document,
) -> Option<(Step, OnlyArgs)> {
    let items = reader.list(node, "a list of names of arguments")?;
    let (mut lines, mut failed) = (HashMap::<&str, u32, foldhash::fast::RandomState>::default(), false);
    let mut names: Vec<Box<str>> = Vec::with_capacity(items.len());
    for (index, item) in items.enumerate() {
        if reader.is_full() {
            return None;
        }
        reader.item(index, |reader| {
            let Some(name) = reader.any_string(item, "a string, the name of an argument") else {
                failed = true;
                return;
            };
            if name.is_empty() {
                failed = true;
                let help = "give the name of an argument; `[]` admits none";
                return reader.error("invalid_name", item.span(), "an argument's name is empty", help);
            }
            let line = reader.diagnostics.lines().line(item.span().start);
            match lines.insert(name, line) {
                Some(first) => {
                    failed = true;
                    let message = format!("the argument `{}` is already named, on line {first}", shown(name));
                    reader.error("duplicate_item", item.span(), message, "remove one of them");
                }
                None => names.push(name.into()),
            }
        });
    }
    let rule = presentation(reader, node, None, None, None, document);
    let operand = Operand::Array(names.iter().map(|name| Operand::String(name.clone())).collect());
    // A list is what the operator takes.
    let (operator, negated) = Operator::compile("subset_of", operand)?.ok().filter(|_| !failed)?;
    let path = Arc::new(Path::new(Root::Args, [Segment::View(PathView::Keys)].into(), "args.@keys".into()));
    let test = Test { path: Arc::clone(&path), operator, negated, more: None };
    let clauses = vec![Clause { index: None, condition: Condition::Test(test) }];
    let checks = Checks { clauses, states: Vec::new() };
    let step = Step::new(rule, Place::Permit, false, checks, None);
    names.sort_unstable();
    Some((step, OnlyArgs { rule, path, names: names.into() }))
}
