//! What a server said, made fit to be shown.
//!
//! In: text of a server. Out: at most 80 characters of it, without control characters and without those that hide or reorder others.

use super::tokens::invisible;

/// How many characters of a server's text a reason shows.
const SHOWN: usize = 80;

/// One line of at most 80 characters.
pub(crate) fn quote(text: &str) -> String {
    cut(text, SHOWN)
}

/// A JSON pointer whose names are the server's.
pub(crate) fn place(pointer: &str) -> String {
    cut(pointer, SHOWN.saturating_mul(2))
}

fn cut(text: &str, most: usize) -> String {
    let mut shown = String::new();
    let mut count = 0_usize;
    let mut blank = false;
    for letter in text.chars() {
        if letter.is_whitespace() || letter.is_control() {
            blank = !shown.is_empty();
            continue;
        }
        if invisible(letter) {
            continue;
        }
        if count.saturating_add(usize::from(blank)) >= most {
            // The mark takes the place of the last character.
            shown.pop();
            shown.push('…');
            break;
        }
        if std::mem::take(&mut blank) {
            shown.push(' ');
            count = count.saturating_add(1);
        }
        shown.push(letter);
        count = count.saturating_add(1);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_is_shown_and_nothing_long() {
        assert_eq!(quote("a\u{202e}b\u{200b}c\x07d\n\n  e \u{e0041}"), "abc d e");
        assert_eq!(quote(&"x".repeat(500)).chars().count(), 80);
        assert!(quote(&"é ".repeat(500)).chars().count() <= 80);
        assert!(quote(&"x".repeat(81)).ends_with('…'));
        assert_eq!(quote(&"x".repeat(80)), "x".repeat(80));
    }
}
