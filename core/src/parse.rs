//! Why a text is not a value of a type.

/// A text that is not a value of the wanted type. Its `Display` says what such a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub(crate) &'static str);
