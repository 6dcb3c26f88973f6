//! What differs between two definitions, place by place.
//!
//! In: an approved definition, and another of the same name. Out: changes. Must not leave a difference out.

use callgate::lock::Definition;
use serde_json::{Map, Value};

use super::{Kind, hints, schema};
use crate::risk::hidden_characters;

/// A difference at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// How much it matters.
    pub kind: Kind,
    /// A JSON pointer into the definition; empty where it is about the whole.
    pub place: String,
    /// What stood there, as JSON; `None` where nothing did.
    pub old: Option<String>,
    /// What stands there, likewise.
    pub new: Option<String>,
    /// Why it matters, where the place and the values do not tell.
    pub why: Option<String>,
}

impl Change {
    /// One that is told in words alone.
    pub(super) fn about(kind: Kind, place: &str, why: impl Into<String>) -> Self {
        Self { kind, place: place.to_owned(), old: None, new: None, why: Some(why.into()) }
    }
}

/// Members that are texts, and nothing else.
const TEXTS: [&str; 2] = ["title", "description"];

/// Changes as they are found.
#[derive(Default)]
pub(super) struct Changes {
    found: Vec<Change>,
    /// The way to the place that is compared.
    place: Vec<String>,
    /// Whether less here may be more of the whole: within `not`, say.
    pub(super) is_opaque: bool,
}

impl Changes {
    pub(super) fn finish(self) -> Vec<Change> {
        self.found
    }

    /// Compares two definitions.
    pub(super) fn definition(&mut self, old: &Definition, new: &Definition) {
        let read = |definition: &Definition| serde_json::from_str::<Value>(definition.canonical());
        if let (Ok(Value::Object(old)), Ok(Value::Object(new))) = (read(old), read(new)) {
            self.each(&old, &new, Self::field);
        }
        // A value has numbers as doubles, which cannot tell some apart.
        let is_exact = |definition: &Definition, value: serde_json::Result<Value>| {
            let again = value.ok().and_then(|value| Definition::read(&value.to_string()).ok());
            again.is_some_and(|again| again.canonical() == definition.canonical())
        };
        if self.found.is_empty() || !is_exact(old, read(old)) || !is_exact(new, read(new)) {
            self.whole(
                Kind::Wider,
                "the definitions have numbers that may differ in a way that is not shown",
            );
        }
    }

    fn field(&mut self, name: &str, old: Option<&Value>, new: Option<&Value>) {
        match name {
            name if TEXTS.contains(&name) => self.text(old, new),
            "annotations" => hints::compare(self, old, new),
            "inputSchema" if old.is_none() => self.record(Kind::Wider, old, new),
            "inputSchema" | "outputSchema" => schema::whole(self, old, new),
            // What it means to a client is not known.
            _ => self.record(Kind::Wider, old, new),
        }
    }

    /// Goes through the members of two objects that differ.
    pub(super) fn each(
        &mut self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        mut compare: impl FnMut(&mut Self, &str, Option<&Value>, Option<&Value>),
    ) {
        let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let (old, new) = (old.get(name), new.get(name));
            if old != new {
                self.at(name, |changes| compare(changes, name, old, new));
            }
        }
    }

    /// Compares at a place below.
    pub(super) fn at(&mut self, name: &str, compare: impl FnOnce(&mut Self)) {
        self.place.push(name.to_owned());
        compare(self);
        self.place.pop();
    }

    /// Compares where less may be more.
    pub(super) fn opaque(&mut self, compare: impl FnOnce(&mut Self)) {
        let was = std::mem::replace(&mut self.is_opaque, true);
        compare(self);
        self.is_opaque = was;
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// Whether those behind the first so many are no more than narrower.
    pub(super) fn are_harmless_since(&self, count: usize) -> bool {
        self.found.iter().skip(count).all(|change| matches!(change.kind, Kind::Wording | Kind::Narrower))
    }

    /// Notes what no single place says.
    pub(super) fn whole(&mut self, kind: Kind, why: &str) {
        let place: String = self.place.iter().map(|name| pointer(name)).collect();
        self.found.push(Change::about(kind, &place, why));
    }

    /// A text that a person reads.
    pub(super) fn text(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let is_text = |value: Option<&Value>| value.is_none_or(Value::is_string);
        let kind = if is_text(old) && is_text(new) { Kind::Wording } else { Kind::Wider };
        self.record(kind, old, new);
    }

    /// Notes a difference at this place.
    pub(super) fn record(&mut self, kind: Kind, old: Option<&Value>, new: Option<&Value>) {
        let hidden = |value: Option<&Value>| value.map_or(0, hidden_characters);
        // The name of a member that was not there may hide some, too.
        let own = self.place.last().filter(|_| old.is_none() && new.is_some());
        let own = own.map_or(0, |name| hidden_characters(&Value::from(name.as_str())));
        let hides = hidden(new).saturating_add(own) > hidden(old);
        let kind = match kind {
            _ if hides => Kind::Riskier,
            Kind::Narrower if self.is_opaque => Kind::Wider,
            kind => kind,
        };
        self.found.push(Change {
            kind,
            place: self.place.iter().map(|name| pointer(name)).collect(),
            old: old.map(Value::to_string),
            new: new.map(Value::to_string),
            why: hides.then(|| "it has characters that a reader does not see".to_owned()),
        });
    }
}

/// A step of a JSON pointer.
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}
