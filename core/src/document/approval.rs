//! The terms of an approval as written: what it does not cover, for how long and how often it lets calls through, and who gives it
//! (spec 2.30).
//!
//! In: `approval` of a rule that asks. Out: its terms. Whether another rule reads what is ignored is seen once the entry has been read.

use std::sync::Arc;

use super::reader::{Field, Reader, shown};
use super::{Charge, Document, Step, claims};
use crate::amount::Amount;
use crate::ceilings::{APPROVAL_USES, APPROVERS, IGNORED_PATHS};
use crate::condition::Place;
use crate::diagnostic::Span;
use crate::number::Number;
use crate::path::{Path, Root, Segment};
use crate::policy::each_path;
use crate::text::{Content, Node};
use crate::window::Window;

/// What a rule that asks says of its approvals.
#[derive(Debug, Default, Clone)]
pub(crate) struct Terms {
    /// Paths that consist of names only.
    pub(crate) ignore: Box<[Arc<Path>]>,
    /// In seconds; `None` for as long as the host keeps it.
    pub(crate) valid_for: Option<i64>,
    pub(crate) uses: Option<u32>,
    /// Empty for anybody.
    pub(crate) approvers: Box<[Box<str>]>,
}

/// A path that an approval is not to cover, and where it stands.
#[derive(Debug)]
pub(super) struct Ignored {
    path: Arc<Path>,
    span: Span,
    pointer: String,
}

/// Whether one path leads to what the other leads to, or above or below. Of a path that is read its names count up to the first view,
/// wildcard or index.
pub(crate) fn overlap(ignored: &Path, read: &Path) -> bool {
    let names = |path: &'_ Path| {
        path.segments.iter().map_while(|segment| segment.name().map(str::to_owned)).collect::<Vec<_>>()
    };
    ignored.root == read.root && names(ignored).iter().zip(&names(read)).all(|(one, other)| one == other)
}

/// Shows each path that a step reads and that an approval therefore covers: those of a rule that asks, and what is counted, when, by
/// whom and up to what.
pub(crate) fn covered<'s>(
    step: &'s Step,
    counted: impl Fn(u32) -> Option<Counted<'s>>,
    see: &mut impl FnMut(&'s Path),
) {
    // What says whether a limit applies says what is charged.
    if step.approves || step.place == Place::Limit {
        for clause in &step.conditions {
            each_path(&clause.condition, &mut |path, _| see(path));
        }
    }
    if let Some(Counted { payment, declared }) = step.charge.and_then(counted) {
        if let Charge::From(path) = &payment.amount {
            see(path);
        }
        declared.max_from.iter().for_each(|path| see(path));
        declared.scope.paths().for_each(see);
    }
}

/// A payment and what it is paid into.
pub(crate) struct Counted<'s> {
    pub(crate) payment: &'s super::Payment,
    pub(crate) declared: &'s super::Declared,
}

/// Reads the field; `None` after an error.
pub(super) fn read_terms<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>) -> Option<Terms> {
    const FIELDS: [&str; 4] = ["ignore", "valid_for", "uses", "approvers"];
    reader.within("approval", |reader| {
        let expected = "the terms of an approval: `{ignore, valid_for, uses, approvers}`";
        let [ignore, valid_for, uses, approvers] = reader.fields(field.value(), expected, FIELDS)?;
        let ignore = ignore.map(|field| reader.within("ignore", |reader| read_ignore(reader, field.value())));
        let valid_for =
            valid_for.map(|field| reader.within("valid_for", |reader| read_span(reader, field.value())));
        let uses = uses.map(|field| reader.within("uses", |reader| read_uses(reader, field.value())));
        let approvers =
            approvers.map(|field| reader.within("approvers", |reader| read_approvers(reader, field.value())));
        let given = |failed: bool| (!failed).then_some(());
        given(matches!(ignore, Some(None)) || matches!(valid_for, Some(None)))?;
        given(matches!(uses, Some(None)) || matches!(approvers, Some(None)))?;
        Some(Terms {
            ignore: ignore.flatten().unwrap_or_default(),
            valid_for: valid_for.flatten(),
            uses: uses.flatten(),
            approvers: approvers.flatten().unwrap_or_default(),
        })
    })
}

fn read_ignore<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Box<[Arc<Path>]>> {
    let items = reader.list(node, "a list of paths")?;
    if items.len() > IGNORED_PATHS {
        let help = "ignore an object whole: `args.meta` is all that is in it".to_owned();
        let message = format!("{} paths, and an approval ignores at most {IGNORED_PATHS}", items.len());
        reader.error("too_many_entries", node.span(), message, help);
        return None;
    }
    let (mut paths, mut failed) = (Vec::<Arc<Path>>::new(), false);
    for (index, item) in items.enumerate() {
        if reader.is_full() {
            return None;
        }
        let path = reader.item(index, |reader| ignored_path(reader, item, &paths));
        failed |= path.is_none();
        paths.extend(path);
    }
    (!failed).then(|| paths.into())
}

fn ignored_path<'n>(reader: &mut Reader<'n, '_>, item: Node<'n>, known: &[Arc<Path>]) -> Option<Arc<Path>> {
    let help = "write a path of names, such as `args.note` or `identity.exp`";
    let text = reader.string(item, "a string, a path", help)?;
    let path = match reader.path(text) {
        Ok(path) => path,
        Err(error) => {
            reader.error("invalid_path", item.span(), error.message, error.help);
            return None;
        }
    };
    let is_caller = path.root == Root::Identity
        && matches!(path.segments.first().and_then(Segment::name), Some("id" | "grant"));
    let (message, help) = if is_caller {
        ("an approval always covers who calls".to_owned(), "ignore another claim, or nothing")
    } else if !matches!(path.root, Root::Args | Root::Identity) {
        (format!("`{}` is no part of the arguments or the identity", shown(text)), help)
    } else if path.segments.iter().any(|segment| segment.name().is_none()) {
        (format!("`{}` does not consist of names only", shown(text)), "name the member that holds it")
    } else if let Some(first) = known.iter().find(|known| known.leads_where(&path)) {
        let message = format!("`{}` is named twice", shown(&first.text));
        reader.error("duplicate_item", item.span(), message, "remove one of them");
        return None;
    } else {
        claims::check_path(reader, &path, item.span());
        let pointer = reader.pointer();
        reader.ignored.push(Ignored { path: path.clone(), span: item.span(), pointer });
        return Some(path);
    };
    reader.error("invalid_path", item.span(), message, help);
    None
}

/// A stretch of time, in seconds.
fn read_span<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<i64> {
    let (text, found) = match node.content() {
        Content::String(text) => (text, Window::parse(text)),
        Content::Number(literal) => {
            let seconds = Number::from_literal(literal).and_then(|number| number.to_amount());
            let whole = seconds.filter(|seconds| seconds.as_micros() % Amount::SCALE == 0);
            (literal, whole.and_then(|seconds| Window::from_seconds(seconds.as_micros() / Amount::SCALE)))
        }
        _ => {
            let help = "write a number of seconds, or 90s, 15m, 6h, 7d";
            reader.mismatch_with(node, "a stretch of time: a string or a whole number of seconds", help);
            return None;
        }
    };
    if let Some(Window::Seconds(seconds)) = found {
        return Some(seconds.into());
    }
    let help = match found {
        // It begins when the approval is given, not with the calendar.
        Some(Window::Minute) => "write `1m`",
        Some(Window::Hour) => "write `1h`",
        Some(Window::Day) => "write `24h`",
        Some(Window::Week) => "write `7d`",
        Some(Window::Month) => "write `30d`",
        Some(Window::Ever) => "leave it out",
        _ => "write a number of seconds, or 90s, 15m, 6h, 7d; at most 366 days",
    };
    reader.error("invalid_window", node.span(), format!("`{}` is no stretch of time", shown(text)), help);
    None
}

fn read_uses<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<u32> {
    let Content::Number(literal) = node.content() else {
        reader.mismatch(node, "a number, how many calls an approval lets through");
        return None;
    };
    let amount = Number::from_literal(literal).and_then(|number| number.to_amount());
    let whole = amount.filter(|amount| amount.as_micros() % Amount::SCALE == 0);
    let uses = whole.and_then(|amount| u32::try_from(amount.as_micros() / Amount::SCALE).ok());
    let uses = uses.filter(|uses| (1..=APPROVAL_USES).contains(uses));
    if uses.is_none() {
        let message = format!("`{}` is no number of uses", shown(literal));
        let help = format!("write a positive whole number, at most {APPROVAL_USES}");
        reader.error("invalid_number", node.span(), message, help);
    }
    uses
}

fn read_approvers<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Box<[Box<str>]>> {
    let items = reader.list(node, "a list of names")?;
    if items.len() > APPROVERS {
        let message = format!("{} names, and a rule has at most {APPROVERS} approvers", items.len());
        reader.error(
            "too_many_entries",
            node.span(),
            message,
            "leave `approvers` out, and let the host check a group",
        );
        return None;
    }
    if items.len() == 0 {
        let help = "name somebody, or leave `approvers` out: then anybody may";
        reader.error("wrong_type", node.span(), "expected a list of names, found an empty one", help);
        return None;
    }
    let (mut names, mut failed) = (Vec::<&str>::new(), false);
    for (index, item) in items.enumerate() {
        if reader.is_full() {
            return None;
        }
        failed |= reader
            .item(index, |reader| {
                let name = reader.any_string(item, "a string, the name of who may approve")?;
                if name.is_empty() {
                    reader.error("invalid_name", item.span(), "a name is empty", "give a name, or remove it");
                    return None;
                }
                if names.contains(&name) {
                    let message = format!("`{}` is named twice", shown(name));
                    reader.error("duplicate_item", item.span(), message, "remove one of them");
                    return None;
                }
                names.push(name);
                Some(())
            })
            .is_none();
    }
    (!failed).then(|| names.into_iter().map(Box::from).collect())
}

/// Reports what an approval is not to cover, and a rule of the entry needs (spec 2.30).
pub(super) fn check_ignored(reader: &mut Reader<'_, '_>, steps: &[Step], document: &Document) {
    if reader.ignored.is_empty() {
        return;
    }
    let mut read: Vec<&Path> = Vec::new();
    let counted = |charge: u32| {
        let payment = document.payments.get(charge as usize)?;
        Some(Counted { payment, declared: document.declared.get(payment.declared as usize)? })
    };
    steps.iter().for_each(|step| covered(step, counted, &mut |path| read.push(path)));
    for Ignored { path, span, pointer } in std::mem::take(&mut reader.ignored) {
        if let Some(read) = read.iter().find(|read| overlap(&path, read)) {
            let message = format!("an approval cannot ignore `{path}`: this entry reads `{read}`");
            let help =
                "ignore what no rule that asks, no scope, amount, `when` or `max_from` reads".to_owned();
            reader.diagnostics.error("conflicting_fields", span, pointer, message, Some(help));
        }
    }
}
