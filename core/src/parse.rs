//! Why a text is no value of a type.

/// A text that is no value of the type it was to be. Its `Display` says what such a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub(crate) &'static str);
