//! Names that readers which ignore case, or which end a text at its first NUL, take for one (spec 3.8).
//!
//! In: names. Out: whether one folds to another. Simple case folding of Unicode: one character for one.

use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::Place;
use crate::budget::Budget;
use crate::raw::RawJson;
use crate::view::{Access, Kind, Reached, Unreadable, View};

/// The member that readers of both kinds look for. Characters that fold to a lower case letter of ASCII become that, others the
/// first that folds to them.
pub(crate) fn fold(name: &str) -> String {
    visible(name).chars().map(|c| variants(c).0).collect()
}

/// Whether a name is certainly its own folding, by a quick test; most names of arguments are.
pub(crate) fn is_folded(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii() && byte != 0 && !byte.is_ascii_uppercase())
}

/// What stands before the first NUL.
fn visible(name: &str) -> &str {
    let end = name.bytes().position(|byte| byte == 0).unwrap_or(name.len());
    name.get(..end).unwrap_or_default()
}

/// What a character folds to, and all that fold to the same.
fn variants(c: char) -> (char, Vec<char>) {
    let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
    // Without Unicode's tables, which this build has, a character folds to nothing else.
    let _ = class.try_case_fold_simple();
    let all: Vec<char> = class.iter().flat_map(|range| range.start()..=range.end()).collect();
    let letter = all.iter().find(|c| c.is_ascii_lowercase()).or(all.first());
    (letter.copied().unwrap_or(c), all)
}

/// How the names that are read in one object fold: made once, so that a call needs no table of all of Unicode.
#[derive(Debug, Default)]
pub(crate) struct Folds {
    /// Every character that folds to one of a name's, with what both fold to.
    characters: HashMap<char, char, RandomState>,
    /// The names by what they fold to.
    names: HashMap<String, Box<str>, RandomState>,
    /// Bytes of the longest of them.
    longest: usize,
}

impl Folds {
    pub(crate) fn new<'n>(names: impl Iterator<Item = &'n Box<str>>) -> Self {
        let mut folds = Self::default();
        for name in names {
            for c in visible(name).chars() {
                if !folds.characters.contains_key(&c) {
                    let (folded, all) = variants(c);
                    folds.characters.extend(all.into_iter().map(|variant| (variant, folded)));
                }
            }
            let folded = fold(name);
            folds.longest = folds.longest.max(folded.len());
            folds.names.insert(folded, name.clone());
        }
        folds
    }

    /// The name that folds to the same.
    pub(crate) fn find(&self, name: &str, folded: &mut String) -> Option<&str> {
        folded.clear();
        for c in visible(name).chars() {
            folded.push(*self.characters.get(&c)?);
            if folded.len() > self.longest {
                return None;
            }
        }
        self.names.get(folded.as_str()).map(|name| &**name)
    }
}

/// The first place that has a member beside it which folds to its name. Recursion is as deep as a path is long.
pub(crate) fn refused<'p, V: View>(
    value: &V,
    place: &'p Place,
    steps: &Budget,
) -> Result<Option<&'p Place>, Unreadable> {
    if place.opens() {
        steps.take_value(value)?;
        if let Kind::String(text) = value.kind()? {
            return refused_in_text(&text, place, steps);
        }
    }
    if !place.members().is_empty() && value.is_object()? {
        let mut known = 0_usize;
        for (name, member) in place.members() {
            steps.take(1)?;
            steps.take_look_up(value)?;
            let Reached::Value(value) = value.step(name)? else { continue };
            known = known.saturating_add(1);
            if let Some(found) = refused(&value, member, steps)? {
                return Ok(Some(found));
            }
        }
        if value.size()? > known
            && let Some(found) = folded_member(value, place, steps)?
        {
            return Ok(Some(found));
        }
    }
    if let Some(every) = place.every().filter(|every| !every.is_idle())
        && value.is_object()?
    {
        let mut result = Ok(None);
        value.members(|name, value| {
            let taken = steps.take(2).and_then(|()| steps.take_text(name));
            result = taken.and_then(|()| refused(&value, every, steps));
            if matches!(result, Ok(None)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if !matches!(result, Ok(None)) {
            return result;
        }
    }
    if place.indexes().is_empty() && place.elements().is_none() {
        return Ok(None);
    }
    steps.take_value(value)?;
    if value.kind()? != Kind::Array {
        return Ok(None);
    }
    for (index, element) in place.indexes() {
        steps.take(value.cost(Access::Element(*index)))?;
        if let Some(value) = value.element(*index)?
            && let Some(found) = refused(&value, element, steps)?
        {
            return Ok(Some(found));
        }
    }
    let Some(each) = place.elements().filter(|each| !each.is_idle()) else { return Ok(None) };
    let mut result = Ok(None);
    value.elements(|value| {
        result = steps.take(2).and_then(|()| refused(&value, each, steps));
        if matches!(result, Ok(None)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    result
}

/// The same in what a text says (spec 4.7). Text that is no JSON has no members. Recursion ends: what a text quotes is shorter.
#[inline(never)]
fn refused_in_text<'p>(
    text: &str,
    place: &'p Place,
    steps: &Budget,
) -> Result<Option<&'p Place>, Unreadable> {
    steps.take_json(text.len())?;
    let mut raw = RawJson::unread(text);
    match raw.read() {
        Ok(()) => refused(&raw.root(), place, steps),
        Err(_) => Ok(None),
    }
}

/// Steps of a member whose name is folded, character by character, through a table.
const FOLDED: u64 = 4;

/// The place whose name a member folds to, where the member is not one of the names that are read here.
fn folded_member<'p, V: View>(
    object: &V,
    place: &'p Place,
    steps: &Budget,
) -> Result<Option<&'p Place>, Unreadable> {
    let mut folded = String::new();
    let mut result = Ok(None);
    object.members(|name, _| {
        result = steps.take(FOLDED).and_then(|()| steps.take_text(name)).map(|()| {
            let read = place.folds().find(name, &mut folded)?;
            if place.members().contains_key(name) {
                None
            } else {
                place.members().get(read).map(|place| &**place)
            }
        });
        if matches!(result, Ok(None)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::path::Path;

    fn found(paths: &[&str], args: &serde_json::Value) -> Option<String> {
        let place = Place::of(paths.iter().map(|path| Path::parse(path).unwrap()));
        refused(&args, &place, &Budget::new()).unwrap().map(|place| place.path().to_owned())
    }

    /// Trap 38: a member that folds to another name is read by servers that ignore case, or end names at a NUL.
    #[test]
    fn members_that_fold_are_found() {
        for (path, name) in [
            ("args.amount", "Amount"),
            ("args.amount", "AMOUNT"),
            ("args.amount", "amount\0"),
            ("args.amount", "Amount\0 and more"),
            ("args.key", "\u{212a}ey"),
            ("args.host", "ho\u{17f}t"),
            ("args.Amount", "amount"),
            ("args.\u{e9}t\u{e9}", "\u{c9}T\u{c9}"),
            ("args.\u{3c3}", "\u{3c2}"),
            ("args[\"a\\u0000b\"]", "A"),
            ("args[\"\"]", "\0"),
        ] {
            assert_eq!(found(&[path], &json!({name: 1})).as_deref(), Some(path), "{name}");
            let both = json!({name: 1, "amount": 1, "z": 1});
            assert!(found(&[path], &both).is_some(), "{name} beside others");
        }
        for (path, name) in [
            ("args.amount", "amounts"),
            ("args.amount", "amoun"),
            ("args.amount", " amount"),
            ("args.amount", "a\0mount"),
            ("args.amount", "other"),
            ("args.\u{df}", "ss"),
            ("args.i", "\u{130}"),
            ("args.i", "\u{131}"),
        ] {
            assert_eq!(found(&[path], &json!({name: 1})), None, "{name}");
            assert_eq!(found(&[path], &json!({path.strip_prefix("args.").unwrap(): 1, name: 1})), None);
        }
    }

    /// In each object that a path steps into by name, and nowhere else.
    #[test]
    fn every_object_that_is_read_by_name_is_looked_at() {
        let paths = ["args.list[*].price", "args.to.iban", "args.rows[1].x"];
        for (args, expected) in [
            (json!({"list": [{"price": 1}, {"Price": 1}]}), Some("args.list[*].price")),
            (json!({"List": []}), Some("args.list")),
            (json!({"to": {"iban": 1, "IBAN": 2}}), Some("args.to.iban")),
            (json!({"rows": [{"X": 1}, {"x": 1}]}), None),
            (json!({"rows": [{}, {"X": 1}]}), Some("args.rows[1].x")),
            (json!({"to": {"iban": {"IBAN": 2}}, "other": {"IBAN": 1}}), None),
            (json!({"to": [{"IBAN": 1}], "list": {"Price": 1}, "rows": "X"}), None),
        ] {
            assert_eq!(found(&paths, &args).as_deref(), expected, "{args}");
        }
    }

    /// Long names, and many, take steps.
    #[test]
    fn many_members_are_too_many() {
        let members: serde_json::Map<_, _> = (0..900_000).map(|n| (n.to_string(), json!(1))).collect();
        let place = Place::of([Path::parse("args.a").unwrap()].into_iter());
        assert_eq!(
            refused(&&serde_json::Value::from(members), &place, &Budget::new()).unwrap_err(),
            Unreadable::TooLarge
        );
    }
}
