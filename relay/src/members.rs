//! The members of an object, each with its value's text: what servers send is not judged, so it is not read more strictly than this.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Members in the order of the text, also those that stand twice.
pub(crate) struct Members<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'t> Members<'t> {
    /// Reads an object; `None` for anything else, and for text that is no JSON.
    pub(crate) fn read(text: &'t str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The text of a member's value; `None` if there is none, or more than one.
    pub(crate) fn only(&self, name: &str) -> Option<&'t str> {
        let mut found = self.all().filter(|(known, _)| *known == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.all().any(|(known, _)| known == name)
    }

    /// Whether some name stands twice.
    pub(crate) fn repeats(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.all().filter(|(known, _)| known == name).count() > 1)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &'t str)> {
        self.0.iter().map(|(name, value)| (&**name, value.get()))
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// A name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'t>(#[serde(borrow)] Cow<'t, str>);

/// What a JSON string means; `None` for anything else.
pub(crate) fn string(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}
