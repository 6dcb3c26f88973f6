//! Names into words.
//!
//! In: a tool's name, or one member of an `enum`. Out: its words in lower case. Knows no word's meaning.

use std::borrow::Cow;

/// Splits at everything that is neither letter nor digit, and where camel case begins a new word: `CreateTokenWithIAM` is
/// `create token with iam`. Digits stay with the letters before them: `s3`, `ec2`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut letters = name.chars().filter(|&letter| !invisible(letter)).peekable();
    let mut before: Option<char> = None;
    while let Some(letter) = letters.next() {
        if !letter.is_alphanumeric() {
            push(&mut found, &mut word);
            before = None;
            continue;
        }
        let begins = match before {
            // `readFile`, and the last capital of `IAMRole`.
            Some(last) if letter.is_uppercase() => {
                !last.is_uppercase() || letters.peek().is_some_and(|next| next.is_lowercase())
            }
            _ => false,
        };
        // The plural of an acronym is one word: `listVPCs`, `getIDs`.
        if begins && !(before.is_some_and(char::is_uppercase) && plural(letters.clone())) {
            push(&mut found, &mut word);
        }
        word.extend(letter.to_lowercase());
        before = Some(letter);
    }
    push(&mut found, &mut word);
    found
}

/// Whether what follows is an `s` that ends a word.
fn plural(mut rest: impl Iterator<Item = char>) -> bool {
    rest.next() == Some('s') && rest.next().is_none_or(|next| !next.is_lowercase())
}

fn push(found: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        found.push(std::mem::take(word));
    }
}

/// Characters that a reader does not see, or that change the order in which others are shown.
pub(super) fn invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The singular of an English word, as far as its ending tells.
pub(super) fn singular(word: &str) -> Cow<'_, str> {
    // Not plurals, or words of their own.
    const KEPT: [&str; 16] = [
        "sms",
        "dns",
        "aws",
        "gas",
        "kubernetes",
        "news",
        "series",
        "https",
        "js",
        "has",
        "does",
        "was",
        "always",
        "alias",
        "atlas",
        "canvas",
    ];
    if word.len() < 3
        || KEPT.contains(&word)
        || word.ends_with("ss")
        || word.ends_with("us")
        || word.ends_with("is")
    {
        return Cow::Borrowed(word);
    }
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() >= 2) {
        return Cow::Owned(format!("{stem}y"));
    }
    for ending in ["sses", "xes", "ches", "shes"] {
        if let Some(stem) = word.strip_suffix("es").filter(|_| word.ends_with(ending)) {
            return Cow::Borrowed(stem);
        }
    }
    Cow::Borrowed(word.strip_suffix('s').unwrap_or(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_where_writing_shows_it() {
        for (name, expected) in [
            ("create_access_key", "create access key"),
            ("CreateTokenWithIAM", "create token with iam"),
            ("listS3Buckets", "list s3 buckets"),
            ("getHTTPResponse", "get http response"),
            ("API-delete-a-block", "api delete a block"),
            ("list.VPCs/all now", "list vpcs all now"),
            ("describeDBInstances", "describe db instances"),
            ("DELETE_ALL", "delete all"),
            ("de\u{200b}lete_repo", "delete repo"),
            ("löscheDatei", "lösche datei"),
            ("", ""),
            ("--__", ""),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name:?}");
        }
    }

    #[test]
    fn plurals_lose_their_ending() {
        for (word, expected) in [
            ("orders", "order"),
            ("boxes", "box"),
            ("branches", "branch"),
            ("access", "access"),
            ("status", "status"),
            ("policies", "policy"),
            ("addresses", "address"),
            ("files", "file"),
            ("s", "s"),
            ("keys", "key"),
        ] {
            assert_eq!(singular(word), expected);
        }
    }
}
