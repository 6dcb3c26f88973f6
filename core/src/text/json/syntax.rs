//! What to say about a policy document that is not JSON.
//!
//! In: the text and the scanner's error. Out: one diagnostic, with help for what authors take for JSON: comments,
//! trailing commas, single quotes, bare keys.

use crate::ceilings::{DOCUMENT_BYTES, DOCUMENT_DEPTH};
use crate::diagnostic::{Diagnostics, Span};
use crate::raw::{Expected, RawError, RawErrorKind};

/// Characters of the author's text that a message repeats.
const QUOTED_CHARACTERS: usize = 32;

pub(super) fn report(text: &str, error: RawError, diagnostics: &mut Diagnostics<'_>) {
    let place = Place::new(text, error.offset());
    let (found, quoted) = (place.found, abbreviate(place.found));
    let (code, message, help) = match error.kind() {
        RawErrorKind::Expected(expected) => {
            ("syntax", format!("expected {expected}, found {}", place.describe()), place.help(expected))
        }
        RawErrorKind::UnexpectedEnd(expected) => {
            ("syntax", format!("the document ends where {expected} is expected"), None)
        }
        RawErrorKind::UnclosedString => ("syntax", "this string is not closed".to_owned(), Some(CLOSE)),
        RawErrorKind::ControlCharacter if place.rest.starts_with(['\n', '\r']) => {
            ("syntax", "the line ends within a string".to_owned(), Some(LINE_BREAK))
        }
        RawErrorKind::ControlCharacter => {
            ("syntax", format!("a string holds {}", place.describe()), Some("write it as `\\t` or `\\u0000`"))
        }
        RawErrorKind::InvalidEscape => ("syntax", format!("`{quoted}` is not an escape"), Some(BACKSLASH)),
        RawErrorKind::LoneSurrogate => {
            ("syntax", format!("`{found}` is half of a character"), Some(SURROGATE))
        }
        RawErrorKind::InvalidNumber => ("syntax", format!("`{quoted}` is not a number"), Some(NUMBER)),
        RawErrorKind::TrailingData => (
            "syntax",
            format!("expected the end of the document, found {}", place.describe()),
            place.comment_help(),
        ),
        RawErrorKind::TooDeep => (
            "too_deep",
            format!("the document is nested more than {DOCUMENT_DEPTH} levels deep"),
            Some("flatten it: conditions in a list are already joined by `all`"),
        ),
        RawErrorKind::TooLong => (
            "too_large",
            format!("the document has more than {DOCUMENT_BYTES} bytes"),
            Some("split it into several policies"),
        ),
        // The scanner lists duplicate keys for this parser; the text of its error fits all that may come.
        kind @ (RawErrorKind::DuplicateKey | RawErrorKind::ByteOrderMark) => {
            ("syntax", kind.to_string(), None)
        }
    };
    diagnostics.error(code, place.span, "", message, help.map(str::to_owned));
}

const CLOSE: &str = "close it with `\"`";
const LINE_BREAK: &str = "close the string with `\"`, or write `\\n` for a line break";
const BACKSLASH: &str = "write `\\\\` for a backslash, as in `\\\\d`";
const SURROGATE: &str = "write the character itself, or both halves as `\\ud83d\\ude00`";
const NUMBER: &str =
    "write numbers as `12`, `-0.5` or `1e6`: no leading zero, no `_`, digits on both sides of the point";
const COMMENT: &str = "JSON has no comments: remove it, or write the policy in YAML";

/// Where the text goes wrong.
struct Place<'t> {
    before: &'t str,
    /// The text from the place on.
    rest: &'t str,
    /// The word or character that stands there; empty at the end.
    found: &'t str,
    span: Span,
}

impl<'t> Place<'t> {
    fn new(text: &'t str, offset: usize) -> Self {
        let (before, rest) = text.split_at_checked(offset).unwrap_or((text, ""));
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.' | '$');
        let length = match rest.chars().next() {
            None => 0,
            Some('\\') => {
                let characters = if rest.starts_with("\\u") { 6 } else { 2 };
                rest.char_indices().nth(characters).map_or(rest.len(), |(at, _)| at)
            }
            Some(first) if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            Some(first) => first.len_utf8(),
        };
        let found = rest.get(..length).unwrap_or_default();
        Self { before, rest, found, span: Span::new(offset, offset.saturating_add(length)) }
    }

    /// What stands there, for a message.
    fn describe(&self) -> String {
        match self.found.chars().next() {
            Some(c) if c.is_control() => format!("the control character U+{:04X}", u32::from(c)),
            _ => format!("`{}`", abbreviate(self.found)),
        }
    }

    fn comment_help(&self) -> Option<&'static str> {
        (self.rest.starts_with("//") || self.rest.starts_with("/*") || self.found == "#").then_some(COMMENT)
    }

    fn help(&self, expected: Expected) -> Option<&'static str> {
        if let Some(help) = self.comment_help() {
            return Some(help);
        }
        let behind_comma = self.before.trim_end().ends_with(',');
        let is_word = self.found.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '$'));
        match (self.found, expected) {
            ("}" | "]", Expected::Key | Expected::Value) if behind_comma => {
                Some("remove the comma before it: JSON allows none at the end of a list or object")
            }
            (",", Expected::Key | Expected::Value | Expected::ValueOrBracket | Expected::KeyOrBrace) => {
                Some("remove this comma")
            }
            ("'" | "`" | "\u{201c}" | "\u{201d}", _) => Some("write strings and keys in double quotes `\"`"),
            (_, Expected::Key | Expected::KeyOrBrace) if is_word => Some("write keys in double quotes"),
            ("NaN" | "Infinity", _) => Some("JSON has no such number"),
            (word, Expected::Value | Expected::ValueOrBracket) if is_word => {
                match word.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "on" => Some("write `true`"),
                    "false" | "no" | "off" => Some("write `false`"),
                    "null" | "none" | "nil" | "undefined" => Some("write `null`"),
                    _ => Some("write text in double quotes"),
                }
            }
            (word, Expected::Value | Expected::ValueOrBracket) if word.starts_with(['+', '.']) => {
                Some(NUMBER)
            }
            (_, Expected::CommaOrBrace | Expected::CommaOrBracket) if self.begins_value(is_word) => {
                Some("is a comma missing before it?")
            }
            ("=", Expected::Colon) => Some("separate a key from its value by `:`"),
            _ => None,
        }
    }

    fn begins_value(&self, is_word: bool) -> bool {
        is_word
            || self.found.starts_with(['"', '{', '[', '-'])
            || self.found.starts_with(|c: char| c.is_ascii_digit())
    }
}

/// The beginning of the author's text, short enough for a message.
pub(super) fn abbreviate(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED_CHARACTERS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
