//! Text as JSON and decisions write it: strings with the least escaping, and bytes in hexadecimal.

use std::fmt::{self, Write};

use crate::__text::is_invisible;
use crate::raw::plain_end;

/// Writes a JSON string with only the escapes that JSON requires.
pub(crate) fn write_string(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    let mut rest = text;
    // What needs no escape is copied whole.
    while let Some((plain, after)) = rest.split_at_checked(plain_end(rest.as_bytes(), 0)) {
        out.write_str(plain)?;
        let mut after = after.chars();
        match after.next() {
            None => break,
            Some('\u{8}') => out.write_str("\\b")?,
            Some('\t') => out.write_str("\\t")?,
            Some('\n') => out.write_str("\\n")?,
            Some('\u{c}') => out.write_str("\\f")?,
            Some('\r') => out.write_str("\\r")?,
            Some(c) if c < ' ' => {
                out.write_str("\\u00")?;
                let mut hex = [4, 0].into_iter().map(|shift| char::from_digit(c as u32 >> shift & 15, 16));
                hex.try_for_each(|digit| out.write_char(digit.unwrap_or('0')))?;
            }
            Some(c) => {
                out.write_char('\\')?;
                out.write_char(c)?;
            }
        }
        rest = after.as_str();
    }
    out.write_char('"')
}

/// JSON that says the same, with what is not drawn as `\u…`: outside of strings there is none.
pub(crate) fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_invisible(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Lowercase hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_is_not_drawn_is_escaped_and_means_the_same() {
        let value = json!({"a\u{202e}": "b\u{200b}\u{e0041}\u{7f}\u{9b}\u{1b}[2J é"});
        let text = escaped(&value.to_string());
        assert!(!text.chars().any(is_invisible), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
