//! The fields of a file of overrides.
//!
//! In: nodes. Out: items, or errors at their places. Must not know what a scan finds.

use std::collections::BTreeSet;

use callgate::__analysis::{Content, Field, Node, Reader, shown};

use super::{Item, Overrides};
use crate::listing;
use crate::risk::{self, Class, Override};

/// Codes of all findings.
fn codes() -> impl Iterator<Item = &'static str> {
    let found: BTreeSet<&str> = risk::Code::ALL
        .iter()
        .map(|code| code.name())
        .chain(listing::Code::ALL.iter().map(|code| code.name()))
        .collect();
    found.into_iter()
}

impl Overrides {
    pub(super) fn read_file<'n>(&mut self, reader: &mut Reader<'n, '_>, root: Node<'n>) {
        let Some(fields) = reader.fields(root, "a mapping", ["version", "classes", "ignore"]) else { return };
        let [version, classes, ignored] = fields;
        if let Some(field) = version {
            reader.within("version", |reader| {
                if !matches!(field.value().content(), Content::String("1") | Content::Number("1")) {
                    let span = field.value().span();
                    reader.error(
                        "invalid_version",
                        span,
                        "only version 1 is known",
                        "write `version: \"1\"`",
                    );
                }
            });
        }
        if classes.or(ignored).is_none() {
            reader.missing(root, "classes", "write `classes:` or `ignore:` and a list");
        }
        list(reader, "classes", classes, &mut self.classes, |reader, node| {
            let fields = reader.fields(node, "a mapping", ["class", "tool", "server", "reason"])?;
            let [class, tool, server, reason] = fields;
            let class = required(
                reader,
                node,
                "class",
                class,
                "write one of Read, Write, Execute, Destructive, Financial, Unknown",
            )
            .and_then(|name| {
                let found = Class::from_name(name);
                if found.is_none() {
                    unknown(reader, class, "class", name, Class::ALL.map(Class::name));
                }
                found
            });
            let why = reason_of(reader, node, reason);
            let at = place(reader, node, tool, server)?;
            let what = Override::new(class?, why?).ok()?;
            Some(at.with(what))
        });
        list(reader, "ignore", ignored, &mut self.ignored, |reader, node| {
            let fields = reader.fields(node, "a mapping", ["code", "tool", "server", "reason"])?;
            let [code, tool, server, reason] = fields;
            let code = required(
                reader,
                node,
                "code",
                code,
                "write the code of the finding, such as `hidden_characters`",
            )
            .and_then(|name| {
                let found = codes().find(|known| *known == name);
                if found.is_none() {
                    unknown(reader, code, "code", name, codes());
                }
                found
            });
            let why = reason_of(reader, node, reason);
            let at = place(reader, node, tool, server)?;
            why?;
            Some(at.with(code?))
        });
    }
}

/// The items of a list, no two of which say the same.
fn list<'n, T: Same>(
    reader: &mut Reader<'n, '_>,
    name: &'static str,
    field: Option<Field<'n>>,
    items: &mut Vec<Item<T>>,
    read: impl Fn(&mut Reader<'n, '_>, Node<'n>) -> Option<Item<T>>,
) {
    let Some(field) = field else { return };
    reader.within(name, |reader| {
        let Some(nodes) = reader.list(field.value(), "a list") else { return };
        for (index, node) in nodes.enumerate() {
            reader.item(index, |reader| {
                let Some(item) = read(reader, node) else { return };
                let is_same = |other: &Item<T>| {
                    other.tool == item.tool && other.server == item.server && other.what.is_same(&item.what)
                };
                if items.iter().any(is_same) {
                    let message = format!("`{}` stands twice", shown(&item.tool));
                    reader.error("duplicate_item", node.span(), message, "remove one of them");
                } else {
                    items.push(item);
                }
            });
        }
    });
}

/// Whether two items about one tool say the same thing, or of one thing two.
trait Same {
    fn is_same(&self, other: &Self) -> bool;
}

impl Same for Override {
    fn is_same(&self, _: &Self) -> bool {
        true
    }
}

impl Same for &'static str {
    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

fn required<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    name: &'static str,
    field: Option<Field<'n>>,
    help: &str,
) -> Option<&'n str> {
    match field {
        Some(_) => reader.text(field),
        None => {
            reader.missing(node, name, help);
            None
        }
    }
}

fn unknown<'n, 'c>(
    reader: &mut Reader<'n, '_>,
    field: Option<Field<'n>>,
    what: &'static str,
    name: &str,
    known: impl IntoIterator<Item = &'c str>,
) {
    let Some(field) = field else { return };
    let known: Vec<&str> = known.into_iter().collect();
    let message = format!("unknown {what} `{}`", shown(name));
    let code = if what == "class" { "invalid_class" } else { "invalid_code" };
    reader.within(what, |reader| {
        reader.error(code, field.value().span(), message, format!("write one of {}", known.join(", ")));
    });
}

fn reason_of<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>, field: Option<Field<'n>>) -> Option<&'n str> {
    let help = "write why, for the next reader";
    let text = required(reader, node, "reason", field, help)?;
    if text.contains(char::is_alphanumeric) {
        return Some(text);
    }
    let span = field?.value().span();
    reader.within("reason", |reader| reader.error("missing_reason", span, "the reason says nothing", help));
    None
}

fn place<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    tool: Option<Field<'n>>,
    server: Option<Field<'n>>,
) -> Option<Item<()>> {
    let pointer = reader.pointer();
    let name = required(reader, node, "tool", tool, "write the name of the tool")?.to_owned();
    let server = match server {
        Some(_) => Some(reader.text(server)?.to_owned()),
        None => None,
    };
    Some(Item { tool: name, server, what: (), span: node.span(), pointer })
}
