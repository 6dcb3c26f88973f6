//! A tool's definition, read once: what each part of it says.

use serde_json::Value;

use super::phrases::{self, Found};
use super::prose::{self, Lead};
use super::reading::{self, Reading};
use super::schema::Schema;
use super::tokens;

/// A definition as `tools/list` gives it, and what was read of it.
pub(super) struct Tool<'a> {
    pub(super) name: &'a str,
    /// The words of the name, without what all tools of the server begin with.
    pub(super) words: Vec<String>,
    pub(super) reading: Option<Reading>,
    pub(super) description: &'a str,
    pub(super) leads: Vec<Lead<'a>>,
    pub(super) phrases: Vec<Found<'a>>,
    /// What the titles' verbs say, each with its place. A title is text like the description.
    pub(super) titles: Vec<(Lead<'a>, &'static str)>,
    pub(super) schema: Schema<'a>,
    pub(super) has_schema: bool,
    /// The names of the properties of an answer.
    pub(super) answers: Vec<String>,
    annotations: Option<&'a Value>,
}

impl<'a> Tool<'a> {
    /// Reads a definition. What has the wrong type is as absent.
    pub(super) fn read(definition: &'a Value, prefix: usize) -> Self {
        let text = |key: &str| definition.get(key).and_then(Value::as_str);
        let name = text("name").unwrap_or_default();
        let mut words = tokens::words(name);
        words.drain(..prefix.min(words.len().saturating_sub(1)));
        let description = text("description").unwrap_or_default();
        let annotations = definition.get("annotations").filter(|hints| hints.is_object());
        // A client may show either; one must not hide what the other says.
        let titles = [text("title"), annotations.and_then(|hints| hints.get("title")?.as_str())];
        let [title, hinted] = titles.map(Option::unwrap_or_default);
        let input = definition.get("inputSchema").filter(|schema| schema.is_object());
        // A description that only repeats the name says nothing more.
        let repeats = tokens::words(description) == tokens::words(name);
        Self {
            reading: reading::name(&words),
            words,
            leads: if repeats { Vec::new() } else { prose::leads(description) },
            phrases: phrases::phrases(description),
            titles: [(title, "/title"), (hinted, "/annotations/title")]
                .into_iter()
                .flat_map(|(title, place)| prose::leads(title).into_iter().map(move |lead| (lead, place)))
                .collect(),
            description: if repeats { "" } else { description },
            schema: input.map(Schema::read).unwrap_or_default(),
            has_schema: input.is_some(),
            answers: definition
                .get("outputSchema")
                .and_then(|schema| schema.get("properties"))
                .and_then(Value::as_object)
                .map(|properties| {
                    properties.keys().take(200).map(|name| tokens::words(name).join("_")).collect()
                })
                .unwrap_or_default(),
            annotations,
            name,
        }
    }

    /// A hint of the server's.
    pub(super) fn hint(&self, name: &str) -> Option<bool> {
        self.annotations?.get(name)?.as_bool()
    }
}

/// How many words all tools of a server begin with, as far as they are no verbs.
pub(super) fn prefix(definitions: &[Value]) -> usize {
    let mut names = definitions.iter().filter_map(|one| one.get("name")?.as_str()).map(tokens::words);
    let Some(first) = names.next() else { return 0 };
    if definitions.len() < 3 {
        return 0;
    }
    let mut shared =
        first.iter().take_while(|word| super::lexicon::verb(word).is_none_or(|verb| verb.noun)).count();
    for name in names {
        shared = first.iter().zip(&name).take(shared).take_while(|(one, other)| one == other).count();
    }
    shared
}
