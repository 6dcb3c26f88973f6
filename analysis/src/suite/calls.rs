//! Callers and calls that a test file names once.
//!
//! In: `identities` and `calls`. Out: what a name stands for. Keeps count of what is used, so that what is not gets a warning.

use std::collections::HashMap;

use callgate::__analysis::{Content, Field, Node, Reader, Span, shown};
use callgate::{ArgsCheck, InputSchema};

use super::value;
use crate::caller::Caller;
use crate::document::quote;

/// What a file names.
#[derive(Default)]
pub(super) struct Fixtures<'n> {
    identities: HashMap<&'n str, Identity>,
    calls: HashMap<&'n str, Named<'n>>,
    /// Bytes of arguments and identities that steps have so far.
    bytes: usize,
    /// Names in the order of the file, with their places.
    order: Vec<(Kind, &'n str, Span)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Identity,
    Call,
}

struct Identity {
    json: Option<String>,
    used: bool,
}

struct Named<'n> {
    template: Template<'n>,
    used: bool,
}

/// A call before a step changes it.
#[derive(Clone)]
pub(super) struct Template<'n> {
    pub(super) tool: Node<'n>,
    pub(super) args: Args<'n>,
    pub(super) identity: Option<Option<String>>,
    pub(super) server: Option<String>,
    pub(super) unlisted: bool,
    pub(super) check: Option<ArgsCheck>,
}

/// Arguments.
#[derive(Clone)]
pub(super) enum Args<'n> {
    /// There are none.
    Absent,
    /// Text of its own, which may be no JSON at all.
    Raw(String),
    /// An object's members, each as its name and its JSON text.
    Members(Vec<(&'n str, String)>),
    /// Another JSON value.
    Other(String),
}

impl Args<'_> {
    /// The text; `None` for absent arguments.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Absent => None,
            Self::Raw(text) | Self::Other(text) => Some(text.clone()),
            Self::Members(members) => {
                let mut text = String::from("{");
                for (index, (name, json)) in members.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    quote(name, &mut text);
                    text.push(':');
                    text.push_str(json);
                }
                text.push('}');
                Some(text)
            }
        }
    }
}

/// Bytes of arguments and identities of all steps of a file: a name stands for as much as it names, each time.
const MOST_BYTES: usize = 128 << 20;

const CALL: [&str; 9] =
    ["tool", "args", "raw", "as", "identity", "raw_identity", "server", "unlisted", "check"];

impl<'n> Fixtures<'n> {
    pub(super) fn read_identities(&mut self, reader: &mut Reader<'n, '_>, node: Node<'n>) {
        let Some(members) = reader.mapping(node, "a mapping of names to identities") else { return };
        for (key, value) in members {
            let json = reader.within(key.text(), |reader| identity(reader, value));
            if let Some(json) = json {
                self.identities.insert(key.text(), Identity { json, used: false });
                self.order.push((Kind::Identity, key.text(), key.span()));
            }
        }
    }

    pub(super) fn read_calls(&mut self, reader: &mut Reader<'n, '_>, node: Node<'n>) {
        let Some(members) = reader.mapping(node, "a mapping of names to calls") else { return };
        for (key, node) in members {
            reader.within(key.text(), |reader| {
                let Some(fields) = reader.fields(node, "a mapping, a call", CALL) else { return };
                let [tool, args, raw, named, inline, raw_identity, server, unlisted, check] = fields;
                let Some(tool) = tool else {
                    return reader.missing(node, "tool", "write `tool:` and the tool's name");
                };
                let args = read_args(reader, args, raw);
                let identity = self.read_caller(reader, named, inline, raw_identity);
                let server = reader.text(server).map(str::to_owned);
                let unlisted = read_flag(reader, unlisted);
                let check = check.and_then(|field| read_check(reader, field));
                let (Some(args), Some(identity)) = (args, identity) else { return };
                let template = Template { tool: tool.value(), args, identity, server, unlisted, check };
                self.calls.insert(key.text(), Named { template, used: false });
                self.order.push((Kind::Call, key.text(), key.span()));
            });
        }
    }

    /// Counts what a step has of arguments and identities, each of which it has for itself; false beyond the ceiling.
    pub(super) fn admit(
        &mut self,
        reader: &mut Reader<'n, '_>,
        node: Node<'n>,
        texts: [&Option<String>; 2],
    ) -> bool {
        let bytes = texts.into_iter().flatten().fold(0, |sum: usize, text| sum.saturating_add(text.len()));
        let before = self.bytes;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= MOST_BYTES {
            return true;
        }
        if before <= MOST_BYTES {
            let message = format!(
                "the calls of this file have more than {MOST_BYTES} bytes of arguments and identities"
            );
            reader.error("too_large", node.span(), message, "split the file");
        }
        false
    }

    /// The call of this name.
    pub(super) fn call(&mut self, reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Template<'n>> {
        let name = reader.any_string(node, "a string, the name of a call")?;
        if let Some(named) = self.calls.get_mut(name) {
            named.used = true;
            return Some(named.template.clone());
        }
        // One with an error of its own is known, too, but that is said already.
        let known: Vec<&str> = self.calls.keys().copied().collect();
        unknown(reader, "unknown_call", node, name, "call", "calls", &known);
        None
    }

    /// The caller of this name.
    pub(super) fn caller(&mut self, reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Option<String>> {
        let name = reader.any_string(node, "a string, the name of an identity")?;
        if let Some(identity) = self.identities.get_mut(name) {
            identity.used = true;
            return Some(identity.json.clone());
        }
        let known: Vec<&str> = self.identities.keys().copied().collect();
        unknown(reader, "unknown_identity", node, name, "identity", "identities", &known);
        None
    }

    /// The caller of a call; the inner `None` where nothing says who calls, the outer after an error.
    pub(super) fn read_caller(
        &mut self,
        reader: &mut Reader<'n, '_>,
        named: Option<Field<'n>>,
        inline: Option<Field<'n>>,
        raw: Option<Field<'n>>,
    ) -> Option<Option<Option<String>>> {
        let mut fields = [named, inline, raw].into_iter().flatten();
        let (first, second) = (fields.next(), fields.next());
        if let Some(field) = second {
            reader.within(field.key.text(), |reader| {
                reader.error(
                    "conflicting_fields",
                    field.key.span(),
                    "a call has one caller: `as`, `identity` or `raw_identity`",
                    "write one of them",
                );
            });
            return None;
        }
        let Some(field) = first else { return Some(None) };
        reader.within(field.key.text(), |reader| {
            let node = field.value();
            let json = match field.key.text() {
                "as" => self.caller(reader, node)?,
                "identity" => identity(reader, node)?,
                _ => {
                    let text = reader.any_string(node, "a string of JSON")?;
                    Some(readable(reader, node, text.to_owned())?)
                }
            };
            Some(Some(json))
        })
    }

    pub(super) fn warn_unused(&self, reader: &mut Reader<'n, '_>) {
        for (kind, name, span) in &self.order {
            let (code, what, used) = match kind {
                Kind::Call => ("unused_call", "call", self.calls.get(name).is_some_and(|call| call.used)),
                Kind::Identity => {
                    let used = self.identities.get(name).is_some_and(|identity| identity.used);
                    ("unused_identity", "identity", used)
                }
            };
            if !used {
                let message = format!("no test uses the {what} `{}`", shown(name));
                reader.warning(code, *span, message, "use it in a test, or remove it");
            }
        }
    }
}

/// An identity as JSON text; null is an absent one.
fn identity<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Option<String>> {
    match node.content() {
        Content::Null => Some(None),
        _ => {
            let text = value::json(reader, node)?;
            readable(reader, node, text).map(Some)
        }
    }
}

/// An identity's text, if core reads it; `None` after an error. What it cannot read must not become nobody.
fn readable<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>, text: String) -> Option<String> {
    match Caller::read(Some(&text)) {
        Ok(_) => Some(text),
        Err(error) => {
            let help = "write the JSON text of a string or an object";
            reader.error("invalid_identity", node.span(), format!("it is no JSON: {error}"), help);
            None
        }
    }
}

fn unknown<'n>(
    reader: &mut Reader<'n, '_>,
    code: &'static str,
    node: Node<'n>,
    name: &str,
    what: &str,
    field: &str,
    known: &[&str],
) {
    let nearest = reader.diagnostics.nearest(name, known.iter().copied());
    let help = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("name it in `{field}`"),
    };
    reader.error(code, node.span(), format!("there is no {what} `{}`", shown(name)), help);
}

/// The arguments of a call; `None` after an error.
pub(super) fn read_args<'n>(
    reader: &mut Reader<'n, '_>,
    args: Option<Field<'n>>,
    raw: Option<Field<'n>>,
) -> Option<Args<'n>> {
    match (args, raw) {
        (None, None) => Some(Args::Absent),
        (Some(field), None) => reader.within("args", |reader| {
            let node = field.value();
            let Content::Mapping(members) = node.content() else {
                return value::json(reader, node).map(Args::Other);
            };
            members_of(reader, members).map(Args::Members)
        }),
        (None, Some(field)) => reader.within("raw", |reader| {
            let text = reader.any_string(field.value(), "a string, the text of the arguments")?;
            Some(Args::Raw(text.to_owned()))
        }),
        (Some(_), Some(field)) => {
            reader.within("raw", |reader| {
                reader.error(
                    "conflicting_fields",
                    field.key.span(),
                    "`args` and `raw` stand together",
                    "write one of them",
                );
            });
            None
        }
    }
}

/// Members as names and JSON texts; `None` after an error.
pub(super) fn members_of<'n>(
    reader: &mut Reader<'n, '_>,
    members: impl Iterator<Item = (Node<'n>, Node<'n>)>,
) -> Option<Vec<(&'n str, String)>> {
    let mut found = Vec::new();
    for (key, node) in members {
        let json = reader.within(key.text(), |reader| value::json(reader, node))?;
        found.push((key.text(), json));
    }
    Some(found)
}

/// A field that is true or false; absent: false.
pub(super) fn read_flag<'n>(reader: &mut Reader<'n, '_>, field: Option<Field<'n>>) -> bool {
    let Some(field) = field else { return false };
    match field.value().content() {
        Content::Bool(value) => value,
        _ => {
            reader.within(field.key.text(), |reader| reader.mismatch(field.value(), "`true` or `false`"));
            false
        }
    }
}

/// What the host checks in the arguments (spec 3.7, 3.8).
pub(super) fn read_check<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>) -> Option<ArgsCheck> {
    reader.within("check", |reader| {
        let [schema, folding] = reader.fields(
            field.value(),
            "a mapping with `schema`, `folding` or both",
            ["schema", "folding"],
        )?;
        if schema.is_none() && folding.is_none() {
            let help = "write `schema`, `folding`, or both; without `check`, the schemas of `tools` are used";
            reader.error("empty_check", field.value().span(), "nothing is checked here", help);
            return None;
        }
        let folds = folding.is_none() || read_flag(reader, folding);
        let check = if folds { ArgsCheck::new() } else { ArgsCheck::new().without_folding() };
        let Some(schema) = schema else { return Some(check) };
        let schema = reader.within("schema", |reader| {
            let node = schema.value();
            match node.content() {
                Content::Mapping(_) | Content::Bool(_) => value::value(reader, node),
                _ => {
                    reader.mismatch(node, "a JSON Schema: a mapping, or `true` or `false`");
                    None
                }
            }
        })?;
        Some(check.schema(InputSchema::new(&schema)))
    })
}
