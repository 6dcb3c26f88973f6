//! Ids of JSON-RPC requests: compared by what they mean, written as they came.

use std::fmt;

use crate::answer::quoted;
use crate::machine::{Digest, digest};

/// The largest whole number that every parser reads as itself: beyond it, two ids become one in a server that has floats alone.
const LARGEST: u64 = (1 << 53) - 1;

/// An id: a string or a whole number. `1` and `"1"` are two.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    Text(String),
    /// Without leading zeros and signs that say nothing, as JSON's grammar has it.
    Number(String),
}

impl Id {
    /// The id that a JSON value is; `None` for anything that is no id: null, a fraction, an object.
    pub(crate) fn from_json(text: &str) -> Option<Self> {
        if text.starts_with('"') {
            return serde_json::from_str(text).ok().map(Self::Text);
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        let whole = !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && digits.parse::<u64>().is_ok_and(|number| number <= LARGEST);
        // `-0` is another text for 0.
        whole.then(|| Self::Number(if digits == "0" { "0".to_owned() } else { text.to_owned() }))
    }

    /// The id that some servers take for the same: the number for a text of digits, the text for a number.
    pub(crate) fn twin(&self) -> Option<Self> {
        match self {
            Self::Text(text) => Self::from_json(text).filter(|id| matches!(id, Self::Number(_))),
            Self::Number(text) => Some(Self::Text(text.clone())),
        }
    }

    /// Its JSON text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Number(text) => text.clone(),
        }
    }

    /// What stands for it where very many are kept.
    pub(crate) fn digest(&self) -> Digest {
        match self {
            Self::Text(text) => digest(&format!("\"{text}")),
            Self::Number(text) => digest(text),
        }
    }

    /// How many bytes the relay keeps of it.
    pub(crate) fn len(&self) -> usize {
        let (Self::Text(text) | Self::Number(text)) = self;
        text.len()
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(text) => f.write_str(text),
        }
    }
}
