//! Definitions and risks as JSON. The form of a risk is stable: fields are only added.
//!
//! In: the text of a list of definitions, or risks. Out: values, or text. Text may be nested to any depth: what is deeper than anything that is
//! read counts as null.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

use super::{Options, Risk, classify};

/// How deep a definition is read. Properties are looked for much less deep (R9.1).
const DEEPEST: u8 = 64;

/// One risk.
pub fn to_value(risk: &Risk) -> Value {
    json!({
        "server": risk.server,
        "name": risk.name,
        "class": risk.class.name(),
        "severity": risk.severity.name(),
        "labels": risk.labels.iter().map(|label| label.name()).collect::<Vec<_>>(),
        "confidence": risk.confidence,
        "reasons": risk.reasons.iter().map(|reason| json!({
            "direction": reason.direction.name(),
            "text": reason.text,
            "place": reason.place,
        })).collect::<Vec<_>>(),
        "findings": risk.findings.iter().map(|finding| json!({
            "code": finding.code.name(),
            "text": finding.text,
            "place": finding.place,
        })).collect::<Vec<_>>(),
    })
}

/// All of them, in their order.
pub fn to_json(risks: &[Risk]) -> Value {
    Value::Array(risks.iter().map(to_value).collect())
}

/// [`classify`] for hosts that pass JSON: the text of a list of definitions becomes the text of [`to_json`].
///
/// # Errors
///
/// The text is not JSON, or not a list.
pub fn classify_json(server: &str, tools: &str, options: &Options) -> serde_json::Result<String> {
    let mut text = serde_json::Deserializer::from_str(tools);
    let value = Bounded(DEEPEST).deserialize(&mut text)?;
    text.end()?;
    let Value::Array(tools) = value else { return Err(serde_json::Error::custom("not a list of tools")) };
    Ok(to_json(&classify(server, &tools, options)).to_string())
}

/// Reads a value that may be nested without end. Deeper levels than these are skipped, which takes no stack.
struct Bounded(u8);

impl Bounded {
    const fn deeper(&self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl<'de> DeserializeSeed<'de> for Bounded {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Value, D::Error> {
        if self.0 == 0 {
            return text.deserialize_ignored_any(IgnoredAny).map(|_| Value::Null);
        }
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(element) = elements.next_element_seed(self.deeper())? {
            all.push(element);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key()? {
            all.insert(name, members.next_value_seed(self.deeper())?);
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_any_depth_is_read() {
        let deep = |levels: usize| format!("{}{}", r#"{"items":"#.repeat(levels), "0") + &"}".repeat(levels);
        let tool = |levels| format!(r#"[{{"name": "get_item", "inputSchema": {}}}]"#, deep(levels));
        let classes = |levels| classify_json("server", &tool(levels), &Options::new()).unwrap_or_default();
        // As deep as `serde_json` reads by itself, and much deeper.
        assert_eq!(classes(100), classes(100_000));
        let value: Value = serde_json::from_str(&tool(100)).unwrap_or_default();
        let tools = value.as_array().cloned().unwrap_or_default();
        assert_eq!(classes(100), to_json(&classify("server", &tools, &Options::new())).to_string());
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for text in ["", "{}", "[", "[1] 2", "[NaN]", r#"["\ud800"]"#] {
            assert!(classify_json("server", text, &Options::new()).is_err(), "{text}");
        }
    }
}
