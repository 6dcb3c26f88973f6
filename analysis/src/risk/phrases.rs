//! Telling phrases of a description.
//!
//! In: a description, whole. Out: the phrases in it that nothing in their clause negates, each with the words around it.

use super::Class::{self, Destructive, Execute, Financial, Read};

/// A telling phrase that is not negated.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) class: Class,
    pub(super) sure: u8,
    pub(super) said: &'a str,
}

/// Phrases that raise, in lower case.
const RAISING: &[(Class, u8, &str)] = &[
    (Destructive, 84, "permanently delete"),
    (Destructive, 84, "permanently remove"),
    (Destructive, 84, "permanently erase"),
    (Destructive, 80, "cannot be undone"),
    (Destructive, 80, "can't be undone"),
    (Destructive, 80, "can not be undone"),
    (Destructive, 80, "cannot be reversed"),
    (Destructive, 78, "irreversible"),
    (Destructive, 78, "irreversibly"),
    (Destructive, 78, "destructive operation"),
    (Destructive, 78, "destructive action"),
    (Destructive, 74, "overwrites existing"),
    (Destructive, 74, "overwrite existing"),
    (Destructive, 74, "overwrites the existing"),
    (Destructive, 74, "completely overwrite"),
    (Destructive, 74, "overwriting existing"),
    (Destructive, 74, "overwrites"),
    (Destructive, 74, "will overwrite"),
    (Destructive, 74, "replaces an existing file"),
    (Execute, 84, "arbitrary code"),
    (Execute, 84, "arbitrary command"),
    (Execute, 84, "arbitrary shell"),
    (Execute, 84, "arbitrary javascript"),
    (Execute, 84, "arbitrary python"),
    (Execute, 84, "arbitrary sql"),
    (Execute, 84, "arbitrary script"),
    (Financial, 84, "automatically pay"),
    (Financial, 84, "automatic payment"),
    (Financial, 84, "pay the invoice"),
    (Financial, 84, "pays the invoice"),
    (Financial, 80, "real money"),
    (Financial, 80, "real funds"),
    (Financial, 78, "moves funds"),
    (Financial, 78, "transfers funds"),
    (Financial, 78, "transfer funds"),
    (Financial, 78, "charges the customer"),
    (Financial, 76, "place an order"),
    (Financial, 76, "places an order"),
    (Financial, 76, "places a trade"),
];
/// Phrases that confirm that a tool only reads.
const READING: &[&str] = &[
    "read-only",
    "read only",
    "readonly",
    "does not modify",
    "without modifying",
    "doesn't modify",
    "no side effect",
    "does not change",
    "doesn't change",
    "does not make any changes",
    "never modifies",
];
/// Words that negate what follows in their clause.
const NEGATIONS: &[&str] = &[
    "not", "no", "never", "without", "cannot", "can't", "don't", "doesn't", "won't", "isn't", "avoid",
    "avoids", "instead", "rather", "nor", "neither", "prevent", "prevents", "unlike",
];

/// Telling phrases of a text that nothing in their clause negates, the first of each.
pub(super) fn phrases(text: &str) -> Vec<Found<'_>> {
    // As long as the text in bytes: places in the one are places in the other.
    let low = text.to_ascii_lowercase();
    let hits = |phrase: &str| {
        low.match_indices(phrase)
            .find(|&(at, _)| whole(&low, at) && !negated(&low, at))
            .map(|(at, _)| around(text, at))
    };
    let raising = RAISING
        .iter()
        .filter_map(|&(class, sure, phrase)| hits(phrase).map(|said| Found { class, sure, said }));
    let reading = READING.iter().filter_map(|phrase| {
        let at =
            low.match_indices(phrase).map(|(at, _)| at).find(|&at| whole(&low, at) && !negated(&low, at))?;
        Some(Found { class: Read, sure: 80, said: around(text, at) })
    });
    raising.chain(reading).collect()
}

/// The phrase begins a word.
fn whole(low: &str, at: usize) -> bool {
    !low.get(..at).unwrap_or_default().ends_with(char::is_alphanumeric)
}

/// Whether a word in front of the phrase, in its clause, negates it.
fn negated(low: &str, at: usize) -> bool {
    // Nobody puts the negation further away; a bound keeps the whole linear.
    let from = (at.saturating_sub(160)..=at).find(|&from| low.is_char_boundary(from)).unwrap_or(at);
    let before = low.get(from..at).unwrap_or_default();
    let clause =
        before.rsplit(['.', ',', ';', ':', '(', ')', '\n', '!', '?', '\u{2014}']).next().unwrap_or_default();
    let clause = clause.rsplit(" but ").next().unwrap_or_default();
    clause
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '\''))
        .any(|word| NEGATIONS.contains(&word))
}

/// The text from some words before a place.
fn around(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let from = before.rfind(['.', '\n']).map_or(0, |end| end.saturating_add(1)).max(at.saturating_sub(30));
    let from = (from..=at).find(|&from| text.is_char_boundary(from)).unwrap_or(at);
    text.get(from..).unwrap_or_default().trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negation_holds_in_its_clause() {
        let found = |text| phrases(text).iter().map(|found| found.class).collect::<Vec<_>>();
        assert_eq!(found("This cannot be undone."), [Destructive]);
        assert_eq!(found("Runs arbitrary code"), [Execute]);
        assert_eq!(found("It does not run arbitrary code"), []);
        assert_eq!(found("Does not ask, and runs arbitrary code"), [Execute]);
        assert_eq!(found("Not for images. Runs arbitrary code"), [Execute]);
        assert_eq!(found("A read-only query, without modifying data"), [Read, Read]);
        assert_eq!(found("This is not read-only"), []);
    }
}
