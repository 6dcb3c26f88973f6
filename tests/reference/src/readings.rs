//! The other reading of a string of the arguments (clause 5.27): text that a server may parse.
//!
//! In: a value of the arguments. Out: the same, its strings marked that have two readings. The text is read anew here, by rules of
//! its own: what [`Json::read`] refuses may be what a server takes.

use crate::json::Json;

/// Clause 5.27: levels behind which a text counts as JSON.
const LEVELS: usize = 128;

/// The value with [`Json::Open`] for every string in it that has two readings.
pub fn opened(value: &Json) -> Json {
    match value {
        Json::String(text) => match other(text) {
            Some(other) => Json::Open { other },
            None => value.clone(),
        },
        Json::Array(elements) => Json::Array(elements.iter().map(opened).collect()),
        Json::Object(members) => {
            Json::Object(members.iter().map(|(name, value)| (name.clone(), opened(value))).collect())
        }
        _ => value.clone(),
    }
}

/// What a text is beside a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// Null.
    Null,
    /// A list.
    List,
    /// An object.
    Object,
}

/// Clause 5.27: what else a text is; none if it is a string alone.
pub fn other(text: &str) -> Option<Other> {
    let text = trim(text);
    if text == "null" {
        return Some(Other::Null);
    }
    if !text.starts_with(['[', '{']) {
        return None;
    }
    let parts = if text.starts_with('[') { Other::List } else { Other::Object };
    match value(text, 1) {
        Ok("") | Err(Failure::TooDeep) => Some(parts),
        Ok(_) | Err(Failure::NoJson) => None,
    }
}

/// Why a text cannot be read.
enum Failure {
    NoJson,
    TooDeep,
}

/// What is left behind a part of the text.
type Rest<'t> = Result<&'t str, Failure>;

const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

fn trim(text: &str) -> &str {
    text.trim_matches(SPACE)
}

fn expect<'t>(text: &'t str, start: &str) -> Rest<'t> {
    text.trim_start_matches(SPACE).strip_prefix(start).ok_or(Failure::NoJson)
}

fn value(text: &str, level: usize) -> Rest<'_> {
    let text = text.trim_start_matches(SPACE);
    if let Some(rest) = text.strip_prefix('[') {
        return parts(rest, "]", level, |element| value(element, level + 1));
    }
    if let Some(rest) = text.strip_prefix('{') {
        return parts(rest, "}", level, |member| {
            value(expect(string(expect(member, "\"")?)?, ":")?, level + 1)
        });
    }
    if let Some(rest) = text.strip_prefix('"') {
        return string(rest);
    }
    let words = ["true", "false", "null", "NaN", "-NaN", "Infinity", "-Infinity"];
    match words.into_iter().find_map(|word| text.strip_prefix(word)) {
        Some(rest) => Ok(rest),
        None => number(text),
    }
}

fn parts<'t>(text: &'t str, close: &str, level: usize, part: impl Fn(&'t str) -> Rest<'t>) -> Rest<'t> {
    if level > LEVELS {
        return Err(Failure::TooDeep);
    }
    if let Ok(rest) = expect(text, close) {
        return Ok(rest);
    }
    let mut rest = part(text)?;
    while let Ok(next) = expect(rest, ",") {
        rest = part(next)?;
    }
    expect(rest, close)
}

/// Behind the opening quote.
fn string(text: &str) -> Rest<'_> {
    let mut at = text.chars();
    while let Some(c) = at.next() {
        match c {
            '"' => return Ok(at.as_str()),
            '\\' => match at.next() {
                Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => {}
                Some('u') if (0..4).all(|_| at.next().is_some_and(|c| c.is_ascii_hexdigit())) => {}
                _ => return Err(Failure::NoJson),
            },
            _ => {}
        }
    }
    Err(Failure::NoJson)
}

fn number(text: &str) -> Rest<'_> {
    // The longest start that a number may have, and then whether it is one.
    let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c)).unwrap_or(text.len());
    let (literal, rest) = text.split_at(end);
    match Json::read(literal) {
        Ok(Json::Number(_)) => Ok(rest),
        _ => Err(Failure::NoJson),
    }
}
