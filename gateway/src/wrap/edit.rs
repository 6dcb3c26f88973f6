//! Edits of a text, and the words of a command line as JSON writes them.
//!
//! In: a text, places, new words. Out: the text with these places replaced. Must not touch any other byte.

use std::ops::Range;

use super::document::{Array, Document, Launch, Placed};

/// Puts a text where another is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) at: Range<usize>,
    pub(super) text: String,
}

/// Applies edits that do not overlap.
pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for edit in edits {
        out.push_str(text.get(end..edit.at.start).unwrap_or_default());
        out.push_str(&edit.text);
        end = edit.at.end;
    }
    out.push_str(text.get(end..).unwrap_or_default());
    out
}

/// A word of a command line: what it says, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) value: String,
    /// The JSON string, with its quotes. A word that moves keeps its escapes.
    pub(super) raw: String,
}

impl Word {
    pub(super) fn new(value: &str) -> Self {
        Self { value: value.to_owned(), raw: serde_json::Value::from(value).to_string() }
    }
}

/// Changes how a server is started: its command, and the first `count` of its arguments.
pub(super) fn relaunch(
    document: &Document<'_>,
    launch: &Launch,
    command: &Word,
    count: usize,
    front: &[Word],
) -> Vec<Edit> {
    let mut edits = Vec::new();
    if command.value != launch.command.word.value {
        edits.push(Edit { at: launch.command.at.clone(), text: command.raw.clone() });
    }
    match &launch.args {
        Some(args) => edits.extend(replace_front(document, launch, args, count, front)),
        None if front.is_empty() => {}
        None => edits.push(insert_args(document, launch, front)),
    }
    edits
}

/// Replaces the first `count` words of a list, as few of them as differ.
fn replace_front(
    document: &Document<'_>,
    launch: &Launch,
    args: &Array,
    count: usize,
    front: &[Word],
) -> Option<Edit> {
    let (old, rest) = args.words.split_at_checked(count)?;
    if front.is_empty() {
        return remove(document, args, old, rest);
    }
    if args.words.is_empty() {
        let start = args.at.start.checked_add(1)?;
        return Some(Edit { at: start..start, text: document.inside(launch, front) });
    }
    let same = |(old, new): &(&Placed, &Word)| old.word.value == new.value;
    let head = old.iter().zip(front).take_while(same).count();
    let (old, new) = (old.get(head..)?, front.get(head..)?);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
    let old = old.get(..old.len().checked_sub(tail)?)?;
    let new = new.get(..new.len().checked_sub(tail)?)?;
    let separator = document.separator(launch, args);
    let text = joined(new, &separator);
    match (old, new) {
        ([], []) => None,
        ([], _) => {
            let next = args.words.get(head)?.at.start;
            Some(Edit { at: next..next, text: text + &separator })
        }
        // Fewer policies than before: the comma behind the last word goes, too.
        ([_, ..], []) => remove(document, args, old, args.words.get(head.checked_add(old.len())?..)?),
        ([first, ..], _) => Some(Edit { at: first.at.start..old.last()?.at.end, text }),
    }
}

/// Removes the first words of a list. A comment before the word that stays is not ours.
fn remove(document: &Document<'_>, args: &Array, old: &[Placed], rest: &[Placed]) -> Option<Edit> {
    let at = old.first()?.at.start..old.last()?.comma_end;
    if let Some(next) = rest.first() {
        let gap = document.text.get(at.end..next.at.start)?;
        let space = gap.len().checked_sub(gap.trim_start().len())?;
        return Some(Edit { at: at.start..at.end.checked_add(space)?, text: String::new() });
    }
    let before = document.text.get(args.at.start..at.start)?;
    let after = document.text.get(at.end..args.at.end)?;
    if before.trim() == "[" && after.trim() == "]" {
        return Some(Edit { at: args.at.clone(), text: "[]".to_owned() });
    }
    Some(Edit { at, text: String::new() })
}

/// A member `args` behind the member `command`.
fn insert_args(document: &Document<'_>, launch: &Launch, front: &[Word]) -> Edit {
    let end = launch.command.at.end;
    let text =
        format!(",{}\"args\"{}[{}]", document.before(launch), launch.colon, document.inside(launch, front));
    Edit { at: end..end, text }
}

pub(super) fn joined(words: &[Word], separator: &str) -> String {
    words.iter().map(|word| &*word.raw).collect::<Vec<_>>().join(separator)
}
