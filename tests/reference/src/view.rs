//! Views: other ways to read a value (clause 4.7).

use crate::json::Json;
use crate::mistake::{Mistake::*, is_made};
use crate::path::At;
use crate::readings;

/// A view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// `@text`
    Text,
    /// `@lower`
    Lower,
    /// `@length`
    Length,
    /// `@count`
    Count,
    /// `@keys`
    Keys,
    /// `@json`
    Json,
}

impl View {
    pub(crate) fn read(name: &str) -> View {
        match name {
            "text" => View::Text,
            "lower" => View::Lower,
            "length" => View::Length,
            "count" => View::Count,
            "keys" => View::Keys,
            "json" => View::Json,
            other => panic!("no view: {other}"),
        }
    }
}

/// What a view gives; none where it does not take the value.
pub(crate) fn read(view: View, at: &At) -> Option<At> {
    let two_readings = |text: &str| {
        at.readings
            && readings::other(text).is_some()
            && !(view == View::Length && is_made(LengthOfTwoReadings))
    };
    let of_one_reading = |value| Some(At { value, readings: false });
    let number = |count: usize| of_one_reading(Json::Number(count.to_string()));
    match (view, &at.value) {
        (View::Json, Json::String(text)) => match Json::read(text) {
            Ok(value) => Some(At { value, readings: at.readings && !is_made(JsonReadOnce) }),
            Err(_) if is_made(JsonKeepsText) => Some(at.clone()),
            Err(_) => None,
        },
        (View::Json, _) if is_made(JsonOfTextAlone) => None,
        (View::Json, _) => Some(at.clone()),
        (View::Text, Json::String(_)) => of_one_reading(at.value.clone()),
        (View::Lower | View::Length, Json::String(text)) if two_readings(text) => None,
        (View::Lower, Json::String(text)) => of_one_reading(Json::String(lower(text))),
        (View::Length, Json::String(text)) if is_made(LengthInBytes) => number(text.len()),
        (View::Length, Json::String(text)) => number(text.chars().count()),
        (View::Count, Json::Null) if is_made(CountOfNull) => number(0),
        (View::Count, Json::Array(elements)) => number(elements.len()),
        (View::Count, Json::Object(members)) => number(members.len()),
        (View::Keys, Json::Object(members)) => {
            let mut names: Vec<&String> = members.iter().map(|(name, _)| name).collect();
            if !is_made(KeysUnsorted) {
                names.sort_by(|one, other| one.chars().cmp(other.chars()));
            }
            let names = Json::Array(names.into_iter().cloned().map(Json::String).collect());
            Some(At { value: names, readings: at.readings && is_made(NamesOfTwoReadings) })
        }
        _ => None,
    }
}

/// Each code point by its simple lower-case mapping: of all letters, U+0130 alone has a longer full one, which begins with the
/// simple one.
fn lower(text: &str) -> String {
    if is_made(LowerKeepsCase) {
        return text.to_owned();
    }
    if is_made(LowerInFull) {
        return text.to_lowercase();
    }
    text.chars().filter_map(|c| c.to_lowercase().next()).collect()
}
