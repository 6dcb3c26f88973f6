//! What is kept of the arguments of a call that waits for approval (spec 7.9).
//!
//! In: the raw text that would be sent, or its keys. Out: the same as one text for a store. Must not show up in a `Debug` output: only
//! somebody who asks for the record sees arguments.

use std::fmt;

use serde_json::Value;

use crate::ceilings::FILED_ARGUMENT_BYTES;

/// What is kept of a call's arguments.
#[derive(Clone, PartialEq, Eq)]
pub enum ApprovalArgs {
    /// Nothing: the host does not keep arguments.
    Omitted,
    /// The names of the arguments.
    Keys(Vec<String>),
    /// All of them: the JSON text that would be sent.
    Full(String),
    /// The beginning: the text is longer than [`FILED_ARGUMENT_BYTES`].
    Cut {
        /// As much as is kept. It ends anywhere, so it is no JSON.
        text: String,
        /// Bytes of the whole text.
        bytes: u64,
    },
}

impl ApprovalArgs {
    /// The whole text, or its beginning where it is longer than [`FILED_ARGUMENT_BYTES`].
    pub fn full(text: &str) -> Self {
        let kept = cut(text, FILED_ARGUMENT_BYTES);
        if kept.len() == text.len() {
            return Self::Full(text.to_owned());
        }
        Self::Cut { text: kept.to_owned(), bytes: u64::try_from(text.len()).unwrap_or(u64::MAX) }
    }

    /// The names, as many as [`FILED_ARGUMENT_BYTES`] hold.
    pub fn keys(names: &[String]) -> Self {
        let mut room = FILED_ARGUMENT_BYTES;
        let fits = |name: &&String| match room.checked_sub(name.len().saturating_add(1)) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        Self::Keys(names.iter().take_while(fits).cloned().collect())
    }

    /// `none`, `keys`, `full` or `cut`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Omitted => "none",
            Self::Keys(_) => "keys",
            Self::Full(_) => "full",
            Self::Cut { .. } => "cut",
        }
    }

    /// As a store keeps it.
    pub fn to_text(&self) -> String {
        match self {
            Self::Omitted => "none".to_owned(),
            Self::Keys(names) => format!("keys {}", Value::from(names.as_slice())),
            Self::Full(text) => format!("full {text}"),
            Self::Cut { text, bytes } => format!("cut {bytes} {text}"),
        }
    }

    /// Reads what [`ApprovalArgs::to_text`] wrote; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::Omitted);
        }
        let (kind, rest) = text.split_once(' ')?;
        match kind {
            "keys" => serde_json::from_str(rest).ok().map(Self::Keys),
            "full" => Some(Self::Full(rest.to_owned())),
            "cut" => {
                let (bytes, text) = rest.split_once(' ')?;
                Some(Self::Cut { text: text.to_owned(), bytes: bytes.parse().ok()? })
            }
            _ => None,
        }
    }
}

/// Names no argument and no value.
impl fmt::Debug for ApprovalArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApprovalArgs({})", self.kind())
    }
}

/// The first `bytes` of a text, less what is left of a character.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_they_were_written() {
        let keys = ApprovalArgs::keys(&["a b".to_owned(), String::new(), "é\"\n".to_owned()]);
        let long = "é".repeat(FILED_ARGUMENT_BYTES);
        for args in [
            ApprovalArgs::Omitted,
            keys,
            ApprovalArgs::keys(&[]),
            ApprovalArgs::full("{\"a\": 1}"),
            ApprovalArgs::full(""),
            ApprovalArgs::full(&long),
        ] {
            assert_eq!(ApprovalArgs::from_text(&args.to_text()), Some(args));
        }
        for wrong in ["", "full", "keys", "keys x", "cut x", "cut 5", "cut -5 x", "nones", "Full x"] {
            assert_eq!(ApprovalArgs::from_text(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn long_arguments_are_cut_and_say_so() {
        let text = format!("x{}", "é".repeat(FILED_ARGUMENT_BYTES / 2));
        let ApprovalArgs::Cut { text: kept, bytes } = ApprovalArgs::full(&text) else { panic!() };
        assert_eq!((kept.len(), bytes), (FILED_ARGUMENT_BYTES - 1, text.len() as u64));
        let fits = "x".repeat(FILED_ARGUMENT_BYTES);
        assert_eq!(ApprovalArgs::full(&fits), ApprovalArgs::Full(fits));
        let many = vec!["x".repeat(1_023); 100];
        let ApprovalArgs::Keys(kept) = ApprovalArgs::keys(&many) else { panic!() };
        assert_eq!(kept.len(), 64);
    }

    #[test]
    fn debug_output_has_no_argument() {
        let shown = format!("{:?}", ApprovalArgs::full("{\"secret\":1}"));
        assert_eq!(shown, "ApprovalArgs(full)");
    }
}
