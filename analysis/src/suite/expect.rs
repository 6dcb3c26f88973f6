//! What must be decided: an effect or a code, and more where a test says more.

use callgate::__analysis::{Content, Field, Node, Reader, shown};
use callgate::{Code, Effect};

use super::file::place;
use super::value;
use super::{Expect, Expected, ExpectedCounter, ExpectedRule, Located};

/// The ways to name an effect.
const EFFECTS: [(&str, Effect); 4] = [
    ("allow", Effect::Allow),
    ("deny", Effect::Deny),
    ("approval", Effect::RequireApproval),
    ("require_approval", Effect::RequireApproval),
];

/// Fields of a counter (spec 10.4).
const COUNTER: [&str; 9] =
    ["entry", "counter", "scope", "window", "charged", "used", "max", "resets_at", "budget"];
/// Those that are amounts.
const AMOUNTS: [&str; 3] = ["charged", "used", "max"];
/// Fields of a rule (spec 10.3).
const RULE: [&str; 4] = ["layer", "name", "pointer", "line"];

/// An effect or a code.
pub(super) fn outcome<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Expected> {
    let help = "write `allow`, `deny`, `approval`, or a code such as `limit_exceeded`";
    let text = reader.string(node, "an effect or a code", help)?;
    if let Some((_, effect)) = EFFECTS.iter().find(|(name, _)| *name == text) {
        return Some(Expected::Effect(*effect));
    }
    if let Some(code) = Code::ALL.into_iter().find(|code| code.as_str() == text) {
        return Some(Expected::Code(code));
    }
    let names = EFFECTS.iter().map(|(name, _)| *name).chain(Code::ALL.iter().map(|code| code.as_str()));
    let nearest = reader.diagnostics.nearest(text, names);
    let help = nearest.map_or_else(|| help.to_owned(), |nearest| format!("did you mean `{nearest}`?"));
    let message = format!("`{}` is neither an effect nor a code", shown(text));
    reader.error("invalid_expect", node.span(), message, help);
    None
}

/// An outcome with its place.
pub(super) fn read<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Expect> {
    let outcome = outcome(reader, node)?;
    Some(Expect { place: place(reader, node), outcome, ..Expect::default() })
}

/// Fields beside `expect`.
pub(super) struct Details<'n> {
    pub(super) rule: Option<Field<'n>>,
    pub(super) message: Option<Field<'n>>,
    pub(super) retry_after: Option<Field<'n>>,
    pub(super) counters: Option<Field<'n>>,
    pub(super) approval_rules: Option<Field<'n>>,
}

pub(super) fn read_details<'n>(
    reader: &mut Reader<'n, '_>,
    mut expect: Expect,
    details: Details<'n>,
) -> Expect {
    expect.rule = with_place(reader, details.rule, read_rule);
    expect.message = with_place(reader, details.message, |reader, node| match node.content() {
        Content::Null => Some(None),
        _ => reader.any_string(node, "a string, or null").map(|text| Some(text.to_owned())),
    });
    expect.retry_after = with_place(reader, details.retry_after, |reader, node| match node.content() {
        Content::Null => Some(None),
        Content::Number(text) if text.parse::<u64>().is_ok() => text.parse().ok().map(Some),
        _ => {
            let help = "write a number of seconds, such as `60`, or `null` for never";
            reader.error("invalid_expect", node.span(), "expected whole seconds, or null", help);
            None
        }
    });
    expect.counters = with_place(reader, details.counters, read_counters);
    expect.approval_rules = with_place(reader, details.approval_rules, |reader, node| {
        if node.is_null() {
            return Some(None);
        }
        let items = reader.list(node, "a list of rules, or null")?;
        let mut rules = Vec::new();
        for (index, item) in items.enumerate() {
            let rule =
                reader.item(index, |reader| reader.any_string(item, "a string, a rule's name or pointer"))?;
            rules.push(rule.to_owned());
        }
        Some(Some(rules))
    });
    expect
}

fn with_place<'n, T>(
    reader: &mut Reader<'n, '_>,
    field: Option<Field<'n>>,
    read: impl FnOnce(&mut Reader<'n, '_>, Node<'n>) -> Option<T>,
) -> Option<Located<T>> {
    let field = field?;
    reader.within(field.key.text(), |reader| {
        let node = field.value();
        let value = read(reader, node)?;
        Some(Located { value, place: place(reader, node) })
    })
}

fn read_rule<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<ExpectedRule> {
    match node.content() {
        Content::Null => Some(ExpectedRule::None),
        Content::Mapping(_) => Some(ExpectedRule::Fields(read_fields(reader, node, "a mapping", RULE)?)),
        _ => {
            let name = reader.any_string(node, "a rule's name or pointer, or null")?;
            Some(ExpectedRule::Named(name.to_owned()))
        }
    }
}

fn read_counters<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Vec<ExpectedCounter>> {
    let items = reader.list(node, "a list with an item for each counter")?;
    let mut counters = Vec::new();
    for (index, item) in items.enumerate() {
        let fields =
            reader.item(index, |reader| read_fields(reader, item, "a mapping, a counter", COUNTER))?;
        counters.push(ExpectedCounter { place: place(reader, item), fields });
    }
    Some(counters)
}

/// The fields that are there, with their values as a decision's JSON has them: amounts are strings.
fn read_fields<'n, const N: usize>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    expected: &str,
    names: [&str; N],
) -> Option<Vec<(String, serde_json::Value)>> {
    let fields = reader.fields(node, expected, names)?;
    if fields.iter().all(Option::is_none) {
        let known = names.join(", ");
        let help = format!("write at least one of: {known}");
        reader.error("empty_expect", node.span(), "nothing is expected here", help);
        return None;
    }
    let mut found = Vec::new();
    for field in fields.into_iter().flatten() {
        let name = field.key.text();
        let value = reader.within(name, |reader| {
            let node = field.value();
            match node.content() {
                Content::Number(text) if AMOUNTS.contains(&name) => match text.parse::<callgate::Amount>() {
                    Ok(amount) => Some(amount.to_string().into()),
                    Err(error) => {
                        let message = format!("`{}` is no amount", shown(text));
                        reader.error("invalid_number", node.span(), message, error.to_string());
                        None
                    }
                },
                _ => value::value(reader, node),
            }
        })?;
        found.push((name.to_owned(), value));
    }
    Some(found)
}
