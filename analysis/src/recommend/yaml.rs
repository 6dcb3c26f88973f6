//! Text of servers in YAML.
//!
//! In: any text. Out: a scalar that every reader takes for that text, or a part of a comment. Nothing of it ends a line, hides or
//! reorders what stands beside it.

use std::fmt::Write as _;

use callgate::__text::is_invisible;

/// Characters of a server's text in a comment or a message.
const SHOWN: usize = 100;

/// What may not stand as it is: it is not drawn, ends a line, or is not a character.
fn is_unsafe(c: char) -> bool {
    is_invisible(c)
        || matches!(u32::from(c) & 0xffff, 0xfffe | 0xffff)
        || matches!(c, '\u{fdd0}'..='\u{fdef}')
}

/// A scalar in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars() {
        // Writing to a string cannot fail.
        match (c, u32::from(c)) {
            ('"' | '\\', _) => out.extend(['\\', c]),
            (_, code @ ..=0xffff) if is_unsafe(c) => _ = write!(out, "\\u{code:04x}"),
            (_, code) if is_unsafe(c) => _ = write!(out, "\\U{code:08x}"),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// One line of a server's text, for a comment or a message.
pub(super) fn line(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count >= SHOWN {
            out.push('…');
            break;
        }
        if is_unsafe(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// A path into an argument, as a scalar: `args.ids` and `.@count`.
pub(super) fn path(argument: &str, rest: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let plain =
        argument.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && argument.chars().all(is_word);
    match (plain, rest.contains('[')) {
        (true, false) => format!("args.{argument}{rest}"),
        (true, true) => format!("\"args.{argument}{rest}\""),
        // A string is always written.
        (false, _) => quoted(&format!("args[{}]{rest}", serde_json::to_string(argument).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_line() {
        let hostile = "a\"b\\c\n- x: 1\r\u{85}d\u{2028}e\u{2029}f\u{202e}g\u{feff}\u{e0041}\u{fffe}\0#: '";
        for text in [quoted(hostile), line(hostile)] {
            assert!(!text.chars().any(is_unsafe), "{text}");
        }
        assert_eq!(quoted("é \u{e0041}\u{85}"), "\"é \\U000e0041\\u0085\"");
        assert!(line(&"é".repeat(1_000)).chars().count() <= SHOWN + 1);
    }

    #[test]
    fn paths_are_written_as_the_language_reads_them() {
        assert_eq!(path("ids", ".@count"), "args.ids.@count");
        assert_eq!(path("urls", "[*]"), "\"args.urls[*]\"");
        assert_eq!(path("@type", ""), r#""args[\"@type\"]""#);
        assert_eq!(path("a.b\u{2028}", ""), r#""args[\"a.b\u2028\"]""#);
    }
}
