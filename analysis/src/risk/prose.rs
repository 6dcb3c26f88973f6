//! What a description says by the verbs that begin its sentences.
//!
//! In: a description, whole. Out: what its sentences say, each with its words. Every sentence is read by itself and
//! none is skipped, so that adding sentences takes nothing back (R7.1).

use super::Class::{self, Execute, Read};
use super::lexicon::{self, Verb};
use super::reading;
use super::rules::{self, Phrase};
use super::tokens::singular;

/// A verb that begins a sentence, or follows such a verb.
#[derive(Debug)]
pub(super) struct Lead<'a> {
    pub(super) verb: Verb,
    pub(super) class: Class,
    pub(super) sure: u8,
    /// The sentence.
    pub(super) said: &'a str,
    /// It stands in the first sentence.
    pub(super) first: bool,
    /// It begins an item of a list, which may tell what the tool is not for.
    pub(super) item: bool,
    /// Its object makes it more than the verb is alone.
    pub(super) raised: bool,
}

/// Words in front of the verb: `This tool allows you to delete`.
const FILLERS: &[&str] = &[
    "this",
    "that",
    "it",
    "tool",
    "tools",
    "function",
    "method",
    "api",
    "endpoint",
    "helper",
    "utility",
    "use",
    "used",
    "using",
    "can",
    "will",
    "allows",
    "allow",
    "lets",
    "let",
    "enables",
    "helps",
    "you",
    "users",
    "user",
    "agents",
    "ai",
    "agent",
    "llm",
    "llms",
    "to",
    "the",
    "a",
    "an",
    "for",
    "is",
    "are",
    "be",
    "been",
    "automatically",
    "permanently",
    "safely",
    "securely",
    "quickly",
    "easily",
    "immediately",
    "programmatically",
    "directly",
    "efficiently",
    "irreversibly",
    "simply",
    "just",
    "also",
    "which",
    "deprecated",
    "beta",
    "experimental",
    "important",
    "note",
    "new",
    "purpose",
    "description",
    "summary",
    "and",
    "then",
    "asynchronously",
    "synchronously",
    "temporarily",
    "mcp",
    "bulk",
    "batch",
];

/// What makes `run`, `execute` and their like more than a word for doing something.
const RUN: &str = "code command script shell bash javascript python workflow pipeline job function lambda container terraform playbook program \
    statement dag notebook sandbox automation executable binary cli terminal applescript powershell sql cypher";
/// Verbs that need such an object.
const RUNS: &[&str] = &[
    "run", "execute", "exec", "invoke", "trigger", "perform", "evaluate", "launch", "dispatch", "start",
    "rerun", "spawn", "call", "eval",
];
/// How many words of a sentence are looked at behind its verb.
const WINDOW: usize = 8;

/// Sentences, with what ends them taken off, and whether something did. A line break ends one, too.
fn sentences(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut from = 0;
    let mut letters = text.char_indices().peekable();
    let mut done = false;
    std::iter::from_fn(move || {
        while !done {
            let Some((index, letter)) = letters.next() else {
                done = true;
                return text.get(from..).map(|rest| (rest, false));
            };
            let ends = match letter {
                '\n' | '\r' | '。' | '！' | '？' => true,
                '.' | '!' | '?' | ';' => letters.peek().is_none_or(|(_, next)| next.is_whitespace()),
                _ => false,
            };
            if ends {
                let sentence = text.get(from..index);
                from = index.saturating_add(letter.len_utf8());
                return sentence.map(|sentence| (sentence, true));
            }
        }
        None
    })
    .filter(|(sentence, _)| sentence.contains(char::is_alphabetic))
}

/// A word of a sentence, and whether a comma stands before it.
struct Word {
    text: String,
    comma: bool,
}

/// The words of a sentence, what stands in brackets left out where it is a mark such as `[beta]`. A name with `_` is one word.
fn words(sentence: &str) -> impl Iterator<Item = Word> {
    let mut comma = false;
    sentence
        .split_inclusive(|letter: char| {
            !(letter.is_alphanumeric()
                || letter == '_'
                || letter == '\''
                || letter == '\u{2019}'
                || letter == '-')
        })
        .filter_map(move |piece| {
            let text: String = piece
                .chars()
                .filter(|&letter| {
                    letter.is_alphanumeric()
                        || letter == '_'
                        || letter == '\''
                        || letter == '\u{2019}'
                        || letter == '-'
                })
                .flat_map(char::to_lowercase)
                .collect();
            let breaks = piece.ends_with([',', '/', ':', '(', ')']);
            if !text.contains(char::is_alphanumeric) {
                comma |= breaks;
                return None;
            }
            let word = Word { text, comma };
            comma = breaks;
            Some(word)
        })
        .take(64)
}

/// The verbs that sentences of a text begin with.
pub(super) fn leads(text: &str) -> Vec<Lead<'_>> {
    let mut found = Vec::new();
    let mut first = true;
    for (said, ended) in sentences(text) {
        sentence(said, ended, first, &mut found);
        first = false;
    }
    found
}

fn sentence<'a>(said: &'a str, ended: bool, first: bool, found: &mut Vec<Lead<'a>>) {
    // Bullets, emphasis and marks are no words; a heading such as `Purpose:` is passed over as a filler.
    let all: Vec<Word> = words(said).collect();
    let Some(mut at) = all.iter().position(|word| !FILLERS.contains(&word.text.as_str())) else { return };
    // `To delete, use another tool` says nothing of this one.
    if all.first().is_some_and(|word| matches!(word.text.as_str(), "to" | "for")) {
        return;
    }
    let item =
        !said.trim_start().starts_with(|letter: char| letter.is_alphanumeric() || "[(\"'`".contains(letter));
    let Some(lead) = all.get(at).and_then(|word| lexicon::inflected(&word.text).map(|verb| (verb, word)))
    else {
        return;
    };
    let third = lead.1.text.ends_with('s') && lead.1.text != lead.0.word;
    let mut next = Some(lead.0);
    let mut adjacent = true;
    loop {
        if let Some(verb) = next.take() {
            let behind = all.get(at.saturating_add(1)..).unwrap_or_default();
            let (class, sure) = judge(verb, behind);
            let whole = object(behind, ended)
                .map(|object| rules::resolve(&Phrase { verb, object: &object, rest: &[] }));
            let raised = whole.filter(|(more, _)| {
                more.strength() > class.strength() && more.strength() > verb.class.strength()
            });
            let (class, sure) = raised.unwrap_or((class, sure));
            found.push(Lead { verb, class, sure, said, first, item, raised: raised.is_some() });
        }
        at = at.saturating_add(1);
        let Some(word) = all.get(at) else { return };
        let before = all.get(at.saturating_sub(1)).map_or("", |word| &word.text);
        let joint = matches!(word.text.as_str(), "and" | "or" | "then");
        if joint || (adjacent && word.comma) {
            // `Create, update or delete`, `Creates a job and runs it`.
            let mut index = if joint { at.saturating_add(1) } else { at };
            while all.get(index).is_some_and(|word| {
                word.text == "and" || word.text == "or" || word.text == "then" || word.text.ends_with("ly")
            }) {
                index = index.saturating_add(1);
            }
            next = all.get(index).and_then(|word| {
                let verb =
                    lexicon::inflected(&word.text).filter(|verb| verb.word != "drop" || before != "drag")?;
                let alike = (word.text != verb.word) == third;
                (alike && (adjacent || !verb.noun && (third || word.comma || verb.class.strength() > 2)))
                    .then_some(verb)
            });
            if next.is_some() {
                at = index;
                continue;
            }
        }
        adjacent = false;
    }
}

/// The class of a verb in prose. Words behind it may raise it and never lower it: text may be added behind (R7.1).
fn judge(verb: Verb, behind: &[Word]) -> (Class, u8) {
    if RUNS.contains(&verb.word) {
        let runs = behind
            .iter()
            .take(WINDOW)
            .take_while(|word| {
                !word.comma
                    && !matches!(
                        word.text.as_str(),
                        "for" | "to" | "and" | "or" | "that" | "in" | "from" | "about"
                    )
            })
            .any(|word| lexicon::contains(RUN, &singular(&word.text)));
        return if runs { (Execute, 78) } else { (Read, 50) };
    }
    (verb.class, verb.sure)
}

/// The object of a verb, if the text itself says where it ends: what is added behind cannot change it (R7.1).
fn object(behind: &[Word], ended: bool) -> Option<Vec<String>> {
    let stops = |word: &Word| {
        word.comma
            || reading::PREPOSITIONS.contains(&word.text.as_str())
            || matches!(word.text.as_str(), "and" | "or" | "that" | "which" | "when")
    };
    let end = behind
        .iter()
        .position(stops)
        .or_else(|| ended.then_some(behind.len()))
        .filter(|&end| end <= WINDOW)?;
    let words = behind.get(..end)?;
    Some(
        words
            .iter()
            .filter(|word| !ARTICLES.contains(&word.text.as_str()))
            .map(|word| singular(&word.text).into_owned())
            .collect(),
    )
}

/// Words in front of a noun that say nothing about it.
const ARTICLES: &[&str] = &[
    "a", "an", "the", "this", "your", "its", "any", "all", "one", "more", "multiple", "new", "existing",
    "specific", "given", "single",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::Class::{Destructive, Write};

    fn classes(text: &str) -> Vec<Class> {
        leads(text).into_iter().map(|lead| lead.class).collect()
    }

    #[test]
    fn sentences_begin_with_verbs() {
        assert_eq!(classes("Deletes a file."), [Destructive]);
        assert_eq!(classes("This tool allows you to permanently delete files"), [Destructive]);
        assert_eq!(classes("Create, update, or delete records"), [Write, Write, Destructive]);
        assert_eq!(classes("Gets a file. Deletes it."), [Read, Destructive]);
        assert_eq!(classes("Marks a message as read and deletes it"), [Write, Destructive]);
        assert_eq!(classes("Does not delete anything."), []);
        assert_eq!(classes("Never deletes anything"), []);
        assert_eq!(classes("- **Delete** the file"), [Destructive]);
        assert_eq!(classes("Use delete_file to delete a file"), []);
        assert_eq!(classes("Execute a search for code"), [Read]);
        assert_eq!(classes("Executes a shell command"), [Execute]);
        assert_eq!(classes("获取所有用户。"), []);
    }
}
