//! Output to a terminal: colours where they are wanted, and text without control sequences.

use std::borrow::Cow;
use std::env;
use std::fmt::Write as _;
use std::io::IsTerminal;

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
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a character is one of those, or cannot be seen at all.
pub(crate) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        // Not drawn: soft hyphen, joiners, fillers, selectors of variants.
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}')
        || matches!(c, '\u{206a}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{1d173}'..='\u{1d17a}')
        // Drawn as blanks, and others than the blank.
        || matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
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
