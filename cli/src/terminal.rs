//! Output to a terminal: colours where they are wanted, and text without control sequences.

use std::borrow::Cow;
use std::env;
use std::fmt::Write as _;
use std::io::IsTerminal;

use callgate::__text::is_invisible;

/// Whether to colour what goes to `stream`: only a terminal, and not where `NO_COLOR` forbids it.
pub(crate) fn colours(stream: &impl IsTerminal) -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !set("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A colour or weight, by its ANSI number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
    Yellow = 33,
}

impl Paint {
    /// `text` in this colour, if there are to be colours.
    pub(crate) fn on(self, colours: bool, text: &str) -> Cow<'_, str> {
        if colours {
            Cow::Owned(format!("\u{1b}[{}m{text}\u{1b}[0m", self as u8))
        } else {
            Cow::Borrowed(text)
        }
    }
}

/// Untrusted text, such as a tool's name, made safe: control characters, line breaks and characters that reorder text are
/// written as `\u{…}`.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_invisible(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A whole number with a comma at every thousand.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Seconds as people say them: `45s`, `2m30s`, `14h`, `9d3h`.
pub(crate) fn spell_seconds(seconds: u64) -> String {
    let parts =
        [(seconds / 86_400, 'd'), (seconds / 3_600 % 24, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let mut out = String::new();
    // Two units are enough, the first that counts and the one below.
    for (count, unit) in parts.into_iter().skip_while(|(count, _)| *count == 0).take(2) {
        if count > 0 {
            let _ = write!(out, "{count}{unit}");
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shown_steers_the_terminal() {
        assert_eq!(shown("read_*"), "read_*");
        assert_eq!(shown("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\u{a}c");
        assert_eq!(shown("pay\u{202e}yap\u{200b}"), "pay\\u{202e}yap\\u{200b}");
        assert_eq!(shown("\u{9b}é"), "\\u{9b}é");
        // Not drawn, or drawn as the blank.
        assert_eq!(shown("a\u{ad}b\u{3164}c\u{a0}d\u{fe0f} e"), "a\\u{ad}b\\u{3164}c\\u{a0}d\\u{fe0f} e");
    }

    #[test]
    fn numbers_read_well() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m59s"),
            (50_400, "14h"),
            (90_061, "1d1h"),
            (86_401, "1d"),
        ] {
            assert_eq!(spell_seconds(seconds), text);
        }
    }
}
