//! A tool's arguments, as rules on single arguments need them.
//!
//! In: a definition. Out: its arguments by their exact names, with types, and what each value of a choice does. Must not judge the tool.

use std::collections::BTreeSet;

use serde_json::Value;

use super::evidence::Tool;
use super::reading::Reading;
use super::schema::MANY;
use super::{Class, lexicon, quote, tokens};

/// How many references and branches are followed for a type, and how many branches of one schema: no server of good will has more.
const DEEPEST: usize = 3;
const MOST: usize = 8;

/// An argument of a tool: a property of its input schema, at the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument<'a> {
    /// Its exact name.
    pub(crate) name: &'a str,
    /// The words of its name with `_` between them.
    pub(crate) words: String,
    /// The types that the schema names, through references and branches; none where it names none.
    pub(crate) types: BTreeSet<&'a str>,
    /// The types of a list's elements.
    pub(crate) elements: BTreeSet<&'a str>,
    pub(crate) required: bool,
    /// What an absent argument means, as the schema says.
    pub(crate) default: Option<&'a Value>,
    pub(crate) description: &'a str,
    /// It says what the tool does: its values.
    pub(crate) choice: Vec<Choice<'a>>,
}

/// One value of an argument that chooses what the tool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice<'a> {
    pub(crate) value: &'a str,
    /// What it does, by its name; `None` where that does not tell.
    pub(crate) class: Option<Class>,
}

impl Argument<'_> {
    /// The last word of its name.
    pub(crate) fn last(&self) -> &str {
        self.words.rsplit('_').next().unwrap_or_default()
    }

    /// The schema admits this type, perhaps null beside it, and no other.
    pub(crate) fn is_only(&self, types: &[&str]) -> bool {
        let mut named = self.types.iter().filter(|name| **name != "null").peekable();
        named.peek().is_some() && named.all(|name| types.contains(name))
    }

    /// It takes many things: `ids`, `items`.
    pub(crate) fn takes_many(&self) -> bool {
        self.is_only(&["array"]) && lexicon::contains(MANY, self.last())
    }
}

/// The arguments of a tool, by name. `prefix` is how many words all tools of its list begin with.
pub(crate) fn arguments(definition: &Value, prefix: usize) -> Vec<Argument<'_>> {
    let Some(root) = definition.get("inputSchema").filter(|schema| schema.is_object()) else {
        return Vec::new();
    };
    let Some(properties) = root.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let required = root.get("required").and_then(Value::as_array).into_iter().flatten();
    let required: BTreeSet<&str> = required.filter_map(Value::as_str).collect();
    let tool = Tool::read(definition, prefix);
    let object = tool.reading.as_ref().map_or(&tool.words, |reading| &reading.object);
    let choices: Vec<(&str, Vec<Choice<'_>>)> = tool
        .schema
        .actions(object)
        .map(|(property, members)| {
            let choice =
                |(value, reading): (_, Option<Reading>)| Choice { value, class: reading.map(|it| it.class) };
            (property.place.as_str(), members.into_iter().map(choice).collect())
        })
        .collect();
    let choice = |name: &str| {
        let pointer = format!("/inputSchema/properties/{}", name.replace('~', "~0").replace('/', "~1"));
        let place = quote::place(&pointer);
        // Two long names may be shown alike, and a branch may say more of a property: then nothing is known for sure.
        let mut found = choices.iter().filter(|(at, _)| *at == place);
        found
            .next()
            .filter(|_| found.next().is_none())
            .map(|(_, choices)| choices.clone())
            .unwrap_or_default()
    };
    properties
        .iter()
        .map(|(name, at)| Argument {
            name,
            words: tokens::words(name).join("_"),
            types: types(root, at, 0),
            elements: at.get("items").map(|items| types(root, items, 0)).unwrap_or_default(),
            required: required.contains(name.as_str()),
            default: at.get("default"),
            description: at.get("description").and_then(Value::as_str).unwrap_or_default(),
            choice: choice(name),
        })
        .collect()
}

/// The classes that a server's own texts and hints speak of, whatever name and schema say.
pub(crate) fn said(definition: &Value) -> Vec<Class> {
    let tool = Tool::read(definition, 0);
    let leads = tool.leads.iter().chain(tool.titles.iter().map(|(lead, _)| lead)).map(|lead| lead.class);
    let phrases = tool.phrases.iter().map(|phrase| phrase.class);
    let destroys = tool.hint("destructiveHint") == Some(true) && tool.hint("readOnlyHint") != Some(true);
    leads.chain(phrases).chain(destroys.then_some(Class::Destructive)).collect()
}

/// The types that a schema names, through references and branches.
fn types<'a>(root: &'a Value, at: &'a Value, depth: usize) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let Some(map) = at.as_object().filter(|_| depth < DEEPEST) else { return found };
    match map.get("type") {
        Some(Value::String(name)) => _ = found.insert(name.as_str()),
        Some(Value::Array(names)) => found.extend(names.iter().filter_map(Value::as_str)),
        _ => {}
    }
    let deeper = depth.saturating_add(1);
    let target =
        map.get("$ref").and_then(Value::as_str).and_then(|name| root.pointer(name.strip_prefix('#')?));
    let branches =
        ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| map.get(key)?.as_array()).flatten();
    for branch in target.into_iter().chain(branches.take(MOST)) {
        found.extend(types(root, branch, deeper));
    }
    found
}
