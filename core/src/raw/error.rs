//! What is wrong with raw JSON text, and where. Never carries the text.

use std::fmt;

/// Why raw JSON text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct RawError {
    kind: RawErrorKind,
    offset: usize,
}

impl RawError {
    pub(crate) const fn new(kind: RawErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// What is wrong.
    pub const fn kind(&self) -> RawErrorKind {
        self.kind
    }

    /// The byte where it is wrong; the length of the text where it ends too early.
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

/// The ways to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RawErrorKind {
    /// Another character stands where this is expected.
    #[error("expected {0}")]
    Expected(Expected),
    /// The text ends where this is expected.
    #[error("the text ends, but expected {0}")]
    UnexpectedEnd(Expected),
    /// A string has no closing quote.
    #[error("a string is not closed")]
    UnclosedString,
    /// A control character stands unescaped in a string.
    #[error("a string holds an unescaped control character")]
    ControlCharacter,
    /// A backslash is not followed by one of JSON's escapes.
    #[error("invalid escape in a string")]
    InvalidEscape,
    /// A `\u` escape is half of a UTF-16 surrogate pair.
    #[error("a string holds a lone surrogate")]
    LoneSurrogate,
    /// A number is not written as JSON writes numbers.
    #[error("invalid number")]
    InvalidNumber,
    /// Something follows the value.
    #[error("unexpected text after the value")]
    TrailingData,
    /// A key repeats an earlier one of the same object, after unescaping.
    #[error("duplicate key")]
    DuplicateKey,
    /// An array or object is nested deeper than the ceiling.
    #[error("nested too deeply")]
    TooDeep,
    /// The text has more bytes than the ceiling.
    #[error("the text is too long")]
    TooLong,
    /// The text begins with a byte order mark.
    #[error("unexpected byte order mark")]
    ByteOrderMark,
}

/// What should stand where the text goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// Any value.
    Value,
    /// The first element of an array, or its end.
    ValueOrBracket,
    /// The next key of an object, after a comma.
    Key,
    /// The first key of an object, or its end.
    KeyOrBrace,
    /// What separates a key from its value.
    Colon,
    /// More elements of an array, or its end.
    CommaOrBracket,
    /// More members of an object, or its end.
    CommaOrBrace,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "a value",
            Self::ValueOrBracket => "a value or `]`",
            Self::Key => "a key in double quotes",
            Self::KeyOrBrace => "a key in double quotes or `}`",
            Self::Colon => "`:`",
            Self::CommaOrBracket => "`,` or `]`",
            Self::CommaOrBrace => "`,` or `}`",
        })
    }
}
