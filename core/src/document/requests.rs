//! Requests of other methods, and tools that call other tools (spec 2.31, 2.32).
//!
//! In: `requests` and `dispatchers` as written. Out: what a request without an entry comes to, an entry for each method, and where the
//! inner call of each dispatcher stands. Must not say which requests always pass: evaluation does.

use std::sync::Arc;

use super::reader::{Field, Reader, shown};
use super::{Dispatcher, Document, entry, names};
use crate::ceilings::NAME_BYTES;
use crate::glob::Glob;
use crate::path::{Path, PathView, Root, Segment};
use crate::store::Owner;
use crate::text::Node;

const FIELDS: [&str; 2] = ["default", "methods"];
const DISPATCHER_FIELDS: [&str; 2] = ["tool", "args"];
/// The methods that a policy can say something of.
const METHODS: [&str; 6] = [
    "resources/read",
    "prompts/get",
    "completion/complete",
    "sampling/createMessage",
    "elicitation/create",
    "roots/list",
];

pub(super) fn read_requests<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>, document: &mut Document) {
    let node = field.value();
    let Some([default, methods]) = reader.fields(node, "a mapping: `{default, methods}`", FIELDS) else {
        return;
    };
    document.requests_deny = Some(true);
    match default {
        None => reader.missing(node, "default", "write `default: deny`, or `default: allow`"),
        Some(field) => reader.within("default", |reader| {
            let help = "write `allow` or `deny`";
            match reader.string(field.value(), "a string, `allow` or `deny`", help) {
                Some("allow") => document.requests_deny = Some(false),
                Some("deny") | None => {}
                Some(other) => {
                    let message = format!("`{}` is not a default", shown(other));
                    reader.error("invalid_default", field.value().span(), message, help);
                }
            }
        }),
    }
    let Some(field) = methods else { return };
    reader.within("methods", |reader| {
        let Some(members) = reader.mapping(field.value(), "a mapping of methods to entries") else { return };
        reader.is_of_request = true;
        for (key, value) in members {
            if reader.is_full() {
                break;
            }
            reader.within(key.text(), |reader| {
                check_method(reader, key);
                let owner = Owner::Request(key.text().into());
                entry::read_entry(reader, value, owner, key.span(), document);
            });
        }
        reader.is_of_request = false;
    });
}

fn check_method<'n>(reader: &mut Reader<'n, '_>, key: Node<'n>) {
    let name = key.text();
    if METHODS.contains(&name) {
        return;
    }
    let known = || format!("methods: {}", METHODS.join(", "));
    if name.is_empty() || name.len() > NAME_BYTES {
        let message = "a method's name is empty or too long";
        return reader.error("invalid_name", key.span(), message, known());
    }
    if name.starts_with("tools/") {
        let message = format!("`{}` is no request: tools are decided by their names", shown(name));
        return reader.error("invalid_name", key.span(), message, "write an entry of `tools`");
    }
    let help = match reader.diagnostics.suggestions.nearest(name, METHODS) {
        _ if name == "resources/subscribe" => "it is decided as `resources/read`: write that".to_owned(),
        Some(near) => format!("did you mean `{near}`?"),
        None => known(),
    };
    let message = format!("`{}` is no method that a policy is known for", shown(name));
    reader.warning("unknown_method", key.span(), message, &help);
}

pub(super) fn read_dispatchers<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>, document: &mut Document) {
    let Some(members) = reader.mapping(field.value(), "a mapping of names of tools to `{tool, args}`") else {
        return;
    };
    for (key, value) in members {
        if reader.is_full() {
            return;
        }
        reader.within(key.text(), |reader| {
            if Glob::is_glob(key.text()) {
                let message = format!("`{}` is a glob, and a dispatcher is one tool", shown(key.text()));
                reader.error("invalid_name", key.span(), message, "name each dispatcher");
            } else {
                names::check(reader, key.text(), key.span());
            }
            let expected = "a dispatcher: `{tool: args.name, args: args.arguments}`";
            let Some([tool, args]) = reader.fields(value, expected, DISPATCHER_FIELDS) else { return };
            let tool = read_place(reader, value, "tool", tool);
            let args = read_place(reader, value, "args", args);
            if let (Some(tool), Some(args)) = (tool, args) {
                let rule = entry::presentation(reader, key, None, None, None, document);
                document.dispatchers.push((key.text().into(), Dispatcher { rule, tool, args }));
            }
        });
    }
}

/// The path of a part of the inner call.
fn read_place<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    name: &'static str,
    field: Option<Field<'n>>,
) -> Option<Arc<Path>> {
    let help = match name {
        "tool" => "write where the name of the inner tool stands, such as `tool: args.name`",
        _ => "write where the inner arguments stand, such as `args: args.arguments`",
    };
    let Some(field) = field else {
        reader.missing(node, name, help);
        return None;
    };
    reader.within(name, |reader| {
        let text = reader.string(field.value(), "a string, an `args.` path", help)?;
        let is_step = |segment: &Segment| {
            matches!(segment, Segment::Name(_) | Segment::Quoted(_) | Segment::View(PathView::Json))
        };
        let (message, help) = match reader.path(text) {
            Ok(path)
                if path.root == Root::Args
                    && !path.segments.is_empty()
                    && path.segments.iter().all(is_step) =>
            {
                return Some(path);
            }
            Ok(path) => {
                let is_element = path.segments.iter().any(|segment| matches!(segment, Segment::Index(_)));
                let what = if is_element {
                    "decides one of several calls"
                } else {
                    "is not one place in the arguments"
                };
                let message = format!("`{}` {what}", shown(text));
                (message, "use an `args.` path of names, perhaps with `@json`".into())
            }
            Err(error) => (error.message, error.help),
        };
        reader.error("invalid_path", field.value().span(), message, help);
        None
    })
}
