//! Names of tools as written: `hide`, keys of `tools`, and names that only look alike (spec 2.4, 2.5, 12.1).

use std::borrow::Cow;
use std::collections::HashMap;

use super::Document;
use super::entry::presentation;
use super::reader::{Field, Reader, shown};
use crate::__text::is_invisible;
use crate::ceilings::NAME_BYTES;
use crate::diagnostic::{Span, push_segment};
use crate::glob::Glob;
use crate::text::{Content, Node};

/// Reports a name that no tool can have, and notes what kind it is.
pub(super) fn check(reader: &mut Reader<'_, '_>, name: &str, span: Span) -> bool {
    reader.has_odd_names |= !is_folded(name);
    if name.is_empty() {
        reader.error(
            "invalid_name",
            span,
            "a tool's name is empty",
            "give the tool's name, or a glob such as `read_*`",
        );
        return false;
    }
    if name.len() > NAME_BYTES {
        let message = format!("a name of {} bytes is longer than {NAME_BYTES}", name.len());
        reader.error("invalid_name", span, message, "no call with such a name is let through");
        return false;
    }
    if Glob::is_glob(name)
        && let Err(error) = Glob::parse(name)
    {
        reader.error("invalid_glob", span, error.message, error.help);
        return false;
    }
    true
}

pub(super) fn read_hide<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>, document: &mut Document) {
    let node = field.value();
    if node.is_null() {
        return reader.null("null_rules", field.key.span(), "`hide` is null, and hides no tool");
    }
    let Some(items) = reader.list(node, "a list of tool names and globs") else { return };
    let mut seen: HashMap<&str, u32, foldhash::fast::RandomState> = HashMap::default();
    for (index, item) in items.enumerate() {
        if reader.is_full() {
            return;
        }
        reader.item(index, |reader| {
            let Some(name) = reader.any_string(item, "a string, a tool's name or a glob") else { return };
            if !check(reader, name, item.span()) {
                return;
            }
            let line = reader.diagnostics.lines().line(item.span().start);
            if let Some(first) = seen.insert(name, line) {
                let message = format!("`{}` is already hidden, on line {first}", shown(name));
                reader.error("duplicate_item", item.span(), message, "remove one of them");
                return;
            }
            let rule = presentation(reader, item, None, None, None, document);
            document.hide.push((name.into(), rule));
        });
    }
}

/// Warns of names that people take for one another: other characters than those of ASCII, blanks at an end, and names that
/// differ only in case (trap 17). Which letters look alike depends on the font, so none is left out. Nothing is wrong with names
/// that are all folded.
pub(super) fn warn_confusable<'n>(reader: &mut Reader<'n, '_>, root: Node<'n>) {
    let Content::Mapping(fields) = root.content() else { return };
    let mut names: Vec<(Option<usize>, &str, Span)> = Vec::new();
    for (field, value) in fields {
        match (field.text(), value.content()) {
            ("tools", Content::Mapping(entries)) => {
                names.extend(entries.map(|(key, _)| (None, key.text(), key.span())));
            }
            ("hide", Content::Sequence(items)) => {
                for (index, item) in items.enumerate() {
                    if let Content::String(text) = item.content() {
                        names.push((Some(index), text, item.span()));
                    }
                }
            }
            _ => {}
        }
    }
    // Names of one folding can differ only if one of them is not folded.
    let mut spellings: HashMap<Cow<'_, str>, Vec<&str>, foldhash::fast::RandomState> = HashMap::default();
    for (_, name, _) in &names {
        if !is_folded(name) {
            spellings.entry(fold(name)).or_default();
        }
    }
    for (_, name, _) in &names {
        if let Some(spellings) = spellings.get_mut(&fold(name))
            // Two are enough to name the other one.
            && spellings.len() < 2
            && !spellings.contains(name)
        {
            spellings.push(name);
        }
    }
    for (hidden, name, span) in names {
        if reader.diagnostics.is_full_of_warnings() {
            return;
        }
        let problem = if let Some(c) = name.chars().find(|c| is_invisible(*c)) {
            Some(format!("has an invisible character, U+{:04X}", u32::from(c)))
        } else if let Some(c) = name.chars().find(|c| !c.is_ascii()) {
            Some(format!(
                "has the character U+{:04X}, which is not ASCII and may look like another",
                u32::from(c)
            ))
        } else if has_blank_end(name) {
            Some("begins or ends with a blank".to_owned())
        } else {
            let others = spellings.get(&fold(name)).into_iter().flatten();
            let other = others.copied().find(|other| *other != name);
            other.map(|other| format!("differs from `{}` only in case", shown(other)))
        };
        if let Some(problem) = problem {
            let message = format!("the name `{}` {problem}", shown(name).escape_debug());
            let help =
                Some("names compare exactly: check that this is the name that the server uses".to_owned());
            let pointer = match hidden {
                Some(index) => format!("/hide/{index}"),
                None => {
                    let mut pointer = "/tools".to_owned();
                    push_segment(&mut pointer, 0, name);
                    pointer
                }
            };
            reader.diagnostics.warning("confusable_name", span, pointer, message, help);
        }
    }
}

fn has_blank_end(name: &str) -> bool {
    name.starts_with(' ') || name.ends_with(' ')
}

/// Whether a name is printable ASCII without capitals and ends in no blank: then it is its own folding, and nothing else is wrong
/// with it.
fn is_folded(name: &str) -> bool {
    !has_blank_end(name) && name.bytes().all(|byte| matches!(byte, b' '..=b'@' | b'['..=b'~'))
}

fn fold(name: &str) -> Cow<'_, str> {
    if is_folded(name) {
        return Cow::Borrowed(name);
    }
    name.chars().flat_map(char::to_lowercase).collect()
}
