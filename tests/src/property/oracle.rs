//! JSON texts as `serde_json` reads them, which callgate's own scanner is held against.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A JSON value. Unlike in `serde_json::Value`, a key may stand twice.
#[derive(Debug)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

/// What `serde_json` says of a text.
#[derive(Debug)]
pub(super) enum Reading {
    /// No JSON.
    Invalid,
    /// JSON whose values cannot be told: nested deeper than `serde_json` is let go, or with a number beyond a double.
    Beyond,
    /// JSON.
    Value(Tree),
}

/// Levels of nesting that are read as values, which takes stack.
const DEPTH: usize = 256;

/// Levels of nesting of a JSON text.
pub(super) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut inside, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'[' | b'{' if !inside => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !inside => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Reads a text as `serde_json` does.
pub(super) fn read(text: &str) -> Reading {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Reading::Invalid;
    }
    if depth(text) > DEPTH {
        return Reading::Beyond;
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    match Tree::deserialize(&mut reader) {
        Ok(tree) => Reading::Value(tree),
        Err(error) if error.to_string().starts_with("number out of range") => Reading::Beyond,
        Err(_) => Reading::Invalid,
    }
}

/// Whether a text is JSON.
pub(super) fn is_json(text: &str) -> bool {
    !matches!(read(text), Reading::Invalid)
}

impl Tree {
    /// Whether a key stands twice in one object.
    pub(super) fn repeats_a_key(&self) -> bool {
        match self {
            Self::Array(elements) => elements.iter().any(Self::repeats_a_key),
            Self::Object(members) => {
                let keys: std::collections::HashSet<&str> =
                    members.iter().map(|(key, _)| key.as_str()).collect();
                keys.len() < members.len() || members.iter().any(|(_, value)| value.repeats_a_key())
            }
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Planting)
    }
}

struct Planting;

impl<'de> Visitor<'de> for Planting {
    type Value = Tree;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Tree, E> {
        Number::from_f64(value).map(Tree::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(element) = elements.next_element()? {
            all.push(element);
        }
        Ok(Tree::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = members.next_entry()? {
            all.push(member);
        }
        Ok(Tree::Object(all))
    }
}
