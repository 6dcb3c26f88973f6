//! Definitions of tools, from text.
//!
//! In: the text of a definition. Out: a value. Must not take what two readers could read differently, or more than fits.

use std::borrow::Cow;

use callgate::value::{RawError, RawJson};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::ceilings;

/// A list of tools as it grows.
#[derive(Debug, Default)]
pub struct Tools {
    tools: Vec<Value>,
    /// Their texts, where these are wanted.
    texts: Option<Vec<String>>,
    memory: usize,
}

/// Why a definition is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolsError {
    /// There are too many.
    #[error("the list has more than {} tools", ceilings::TOOLS)]
    TooMany,
    /// They take too much memory.
    #[error("the definitions of the tools would take more than {} bytes of memory", ceilings::MEMORY)]
    Memory,
    /// Its JSON is broken, nested too deeply, too long, or has a name twice.
    #[error("the tool at index {index}: {error}")]
    Json {
        /// Its place in the list.
        index: usize,
        /// What is wrong.
        error: RawError,
    },
    /// It is not what the protocol calls a tool.
    #[error("the tool at index {index} {what}")]
    Form {
        /// Its place in the list.
        index: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// What every definition has.
#[derive(Deserialize)]
struct Form<'t> {
    #[serde(borrow)]
    name: Option<Cow<'t, str>>,
    #[serde(borrow, rename = "inputSchema")]
    input_schema: Option<&'t RawValue>,
}

impl Tools {
    /// An empty list, which keeps the texts of definitions, too: a value has lost how large numbers were written.
    pub fn with_texts() -> Self {
        Self { texts: Some(Vec::new()), ..Self::default() }
    }

    /// Takes the next one in.
    ///
    /// # Errors
    /// It is no definition of a tool, or one too many.
    pub fn add(&mut self, text: &str) -> Result<(), ToolsError> {
        let index = self.tools.len();
        if index >= ceilings::TOOLS {
            return Err(ToolsError::TooMany);
        }
        self.memory = self.memory.saturating_add(memory(text));
        if self.memory > ceilings::MEMORY {
            return Err(ToolsError::Memory);
        }
        let failed = |what| ToolsError::Form { index, what };
        // It refuses a name that occurs twice, and what is too deep.
        drop(RawJson::parse(text).map_err(|error| ToolsError::Json { index, error })?);
        let form: Form<'_> =
            serde_json::from_str(text).map_err(|_| failed("is not an object with a name"))?;
        if form.name.is_none() {
            return Err(failed("has no name"));
        }
        if form.input_schema.is_some_and(|schema| !schema.get().starts_with('{')) {
            return Err(failed("has an `inputSchema` that is not an object"));
        }
        let value = serde_json::from_str(text).map_err(|_| failed("cannot be read"))?;
        self.tools.push(value);
        if let Some(texts) = &mut self.texts {
            texts.push(text.to_owned());
        }
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tools.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// All of them, in order.
    pub fn into_values(self) -> Vec<Value> {
        self.tools
    }

    /// All of them, with their texts, if these were kept.
    pub fn into_parts(self) -> (Vec<Value>, Vec<String>) {
        (self.tools, self.texts.unwrap_or_default())
    }
}

/// How many bytes a text may take as a value, beside its strings. A tree's node has room for eleven members; a list for four.
fn memory(text: &str) -> usize {
    const OBJECT: usize = 640;
    const OTHER: usize = 160;
    let (mut bytes, mut in_string, mut is_escaped) = (OTHER, false, false);
    for byte in text.bytes() {
        let more = match byte {
            _ if is_escaped => {
                is_escaped = false;
                0
            }
            b'\\' => {
                is_escaped = in_string;
                0
            }
            b'"' => {
                in_string = !in_string;
                0
            }
            _ if in_string => 0,
            b'{' => OBJECT,
            b'[' | b',' => OTHER,
            _ => 0,
        };
        bytes = bytes.saturating_add(more);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_read_differently_is_no_tool() {
        let mut tools = Tools::default();
        tools.add(r#"{"name": "a", "inputSchema": {"type": "object"}}"#).unwrap();
        for (text, why) in [
            (r#"{"name": "a", "name": "b"}"#, "duplicate"),
            (r#"{"title": "a"}"#, "has no name"),
            (r#"{"name": null}"#, "has no name"),
            (r#"{"name": 1}"#, "is not an object with a name"),
            (r#"["a"]"#, "is not an object with a name"),
            (r#"{"name": "a", "inputSchema": []}"#, "not an object"),
        ] {
            let error = tools.add(text).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("index 1"), "{error}");
        }
        assert_eq!(
            tools.into_values(),
            [serde_json::json!({"name": "a", "inputSchema": {"type": "object"}})]
        );
    }

    #[test]
    fn braces_in_strings_take_no_memory() {
        assert_eq!(memory(r#"{"a\"{[,": "{{{"}"#), 800);
        assert_eq!(memory("[[],[{}]]"), 160 + 3 * 160 + 160 + 640);
    }
}
