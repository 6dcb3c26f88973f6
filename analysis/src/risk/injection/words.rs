//! A text as the words that rules know.
//!
//! In: a text, a vocabulary. Out: one token for each word, with its place. Letters that look alike are one, and what is not drawn is nothing, so
//! that spelling hides no word.

use std::collections::HashMap;

use callgate::__text::is_invisible;

use crate::drawn::drawn_as;

/// A word by its number in the vocabulary.
pub(super) type Word = u16;
/// Any word that no rule knows.
pub(super) const OTHER: Word = 0;
/// The end of a sentence, or the beginning of an item of a list.
pub(super) const END: Word = 1;
/// A colon.
pub(super) const COLON: Word = 2;
/// The first number of a vocabulary's word.
pub(super) const FIRST: Word = 3;

/// How long a name in brackets may be, and half as long as a word.
const TAG: usize = 24;

/// Numbers of words, each as it is drawn. A tag such as `<system>` or `[system]` is a word with its brackets.
pub(super) type Vocabulary = HashMap<String, Word>;

/// A word, and the byte of the text where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) word: Word,
    pub(super) at: usize,
}

/// What becomes of characters that are not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hidden {
    /// They are between letters, and the letters are one word.
    Nothing,
    /// They stand for a blank, and those of the block of tags for the characters of ASCII that they are named after.
    Shown,
}

/// A word as it is drawn.
pub(super) fn drawn(word: &str) -> String {
    word.chars().flat_map(char::to_lowercase).map(letter).collect()
}

/// `_` and `-` stay what they are: they make names of words.
fn letter(c: char) -> char {
    if c.is_alphanumeric() { drawn_as(c) } else { c }
}

/// The tokens of a text.
pub(super) fn tokens(text: &str, hidden: Hidden, vocabulary: &Vocabulary) -> Vec<Token> {
    let mut reader = Reader { vocabulary, tokens: Vec::new(), word: String::new(), begin: 0 };
    let mut letters = text.char_indices().filter_map(|(at, c)| Some((at, seen(c, hidden)?))).peekable();
    while let Some((at, c)) = letters.next() {
        match c {
            c if c.is_alphanumeric() => reader.push(at, c),
            // `users_list` is a name, `_must_` a word.
            '_' if !reader.word.is_empty() => reader.push(at, '_'),
            // `don't`
            '\'' | '\u{2019}' | '\u{2bc}' | '`' if !reader.word.is_empty() && follows(&mut letters) => {}
            '<' | '[' => {
                reader.end_word();
                let close = if c == '<' { '>' } else { ']' };
                let rest: String = letters.clone().map(|(_, c)| c).take(TAG).collect();
                let name = rest.split_once(close).map(|(name, _)| name);
                if let Some(word) = name.and_then(|name| reader.tag(c, name, close)) {
                    reader.tokens.push(Token { word, at });
                }
            }
            '.' | '!' | '?' | ';' | '。' | '！' | '？' => {
                reader.end_word();
                if letters.peek().is_none_or(|(_, next)| !next.is_alphanumeric() && *next != '/') {
                    reader.mark(at, END);
                }
            }
            ':' | '：' => {
                reader.end_word();
                reader.mark(at, COLON);
            }
            '\n' => {
                reader.end_word();
                let mut rest = letters.clone().map(|(_, c)| c).take(TAG).skip_while(|c| c.is_whitespace());
                if matches!((rest.next(), rest.next()), (Some('-' | '*' | '•' | '#'), Some(' '))) {
                    reader.mark(at, END);
                }
            }
            _ => reader.end_word(),
        }
    }
    reader.end_word();
    reader.tokens
}

/// Whether a letter follows.
fn follows(letters: &mut std::iter::Peekable<impl Iterator<Item = (usize, char)>>) -> bool {
    letters.peek().is_some_and(|(_, next)| next.is_alphanumeric())
}

/// A character as the model reads it; nothing for what is only put between letters.
fn seen(c: char, hidden: Hidden) -> Option<char> {
    match c {
        ' '..='~' => Some(c),
        '\u{300}'..='\u{36f}' => None,
        '\u{e0020}'..='\u{e007e}' if hidden == Hidden::Shown => {
            u32::from(c).checked_sub(0xe_0000).and_then(char::from_u32)
        }
        c if c.is_whitespace() => Some(c),
        c if is_invisible(c) => (hidden == Hidden::Shown).then_some(' '),
        c => Some(c),
    }
}

struct Reader<'v> {
    vocabulary: &'v Vocabulary,
    tokens: Vec<Token>,
    word: String,
    begin: usize,
}

impl Reader<'_> {
    /// Takes a letter. What is longer than any word is cut.
    fn push(&mut self, at: usize, c: char) {
        if self.word.is_empty() {
            self.begin = at;
        }
        if self.word.len() >= TAG.saturating_mul(2) {
            return;
        }
        match c.to_ascii_lowercase() {
            // Most letters, without a look at all others.
            '1' | 'i' => self.word.push('l'),
            '0' => self.word.push('o'),
            c if c.is_ascii() => self.word.push(c),
            _ => self.word.extend(c.to_lowercase().map(letter)),
        }
    }

    fn end_word(&mut self) {
        if !self.word.is_empty() {
            let known = self.vocabulary.get(self.word.trim_end_matches('_'));
            self.tokens.push(Token { word: known.copied().unwrap_or(OTHER), at: self.begin });
            self.word.clear();
        }
    }

    fn mark(&mut self, at: usize, word: Word) {
        // Three full stops are one.
        if self.tokens.last().is_none_or(|last| last.word != word) {
            self.tokens.push(Token { word, at });
        }
    }

    /// `<important>`, `</ IMPORTANT >`, `<|im_start|>` and `[System message]`.
    fn tag(&self, open: char, name: &str, close: char) -> Option<Word> {
        let name = name.trim_matches(|c: char| !c.is_alphanumeric()).replace([' ', '-'], "_");
        self.vocabulary.get(&format!("{open}{}{close}", drawn(&name))).copied()
    }
}
