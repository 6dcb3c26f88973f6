//! The other reading of a string (spec 5.27): a server may parse text that is JSON before its tool sees it.
//!
//! In: the text of an argument. Out: whether it is that of null, of a list or of an object, as a lenient reader takes it. Must
//! not build a value, recurse or allocate: agents choose the text.

use crate::budget::Budget;
use crate::ceilings::ARGUMENT_DEPTH;
use crate::path::Reading;
use crate::raw::plain_end;
use crate::view::Unreadable;

/// Whether a text certainly has a single reading, by its first character. False decides nothing.
#[inline]
pub(crate) fn is_plain(text: &str) -> bool {
    !matches!(text.as_bytes(), [b'\t' | b'\n' | b'\r' | b' ' | b'[' | b'{', ..] | [b'n', b'u', ..])
}

impl Reading {
    /// Whether a string that is read so has two readings.
    #[inline]
    pub(crate) fn has_two(self, text: &str, steps: &Budget) -> Result<bool, Unreadable> {
        if self != Self::Twofold || is_plain(text) {
            Ok(false)
        } else {
            Reader::new(text, steps).reads_json()
        }
    }

    /// Whether one of the readings of a string that is read so is null.
    #[inline]
    pub(crate) fn may_be_null(self, text: &str, steps: &Budget) -> Result<bool, Unreadable> {
        if self != Self::Twofold || is_plain(text) {
            Ok(false)
        } else {
            Reader::new(text, steps).reads_null()
        }
    }
}

/// Goes through a text once.
struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    /// Up to where steps were taken.
    paid: usize,
    steps: &'t Budget,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, steps: &'t Budget) -> Self {
        Self { text: text.as_bytes(), at: 0, paid: 0, steps }
    }

    fn reads_json(mut self) -> Result<bool, Unreadable> {
        self.space();
        match self.peek() {
            Some(b'n') => self.reads_null(),
            Some(b'[' | b'{') => self.reads_container(),
            _ => Ok(false),
        }
    }

    fn reads_null(mut self) -> Result<bool, Unreadable> {
        self.space();
        let found = self.takes(b"null");
        if found {
            self.space();
        }
        self.pay(0)?;
        Ok(found && self.at == self.text.len())
    }

    /// Whether a list or an object is all that is left. Each one that is open has a bit, set for an object, the innermost the lowest.
    fn reads_container(mut self) -> Result<bool, Unreadable> {
        const { assert!(ARGUMENT_DEPTH == u128::BITS as usize, "a bit for each level") };
        let (mut objects, mut depth) = (0_u128, 0_usize);
        loop {
            // A value begins here.
            self.pay(CHUNK)?;
            self.space();
            let Some(first) = self.next() else { return self.ends(false) };
            let is_value = match first {
                b'[' | b'{' => {
                    if depth == ARGUMENT_DEPTH {
                        return self.ends(true);
                    }
                    let is_object = first == b'{';
                    (objects, depth) = (objects << 1 | u128::from(is_object), depth.saturating_add(1));
                    self.space();
                    if self.peek() != Some(if is_object { b'}' } else { b']' }) {
                        if is_object && !self.key() {
                            return self.ends(false);
                        }
                        continue;
                    }
                    true
                }
                b'"' => self.string(),
                b't' => self.takes(b"rue"),
                b'f' => self.takes(b"alse"),
                b'n' => self.takes(b"ull"),
                _ => self.number(first),
            };
            if !is_value {
                return self.ends(false);
            }
            // It has ended, and with it perhaps what is around it.
            loop {
                self.space();
                if depth == 0 {
                    let all = self.at == self.text.len();
                    return self.ends(all);
                }
                let in_object = objects & 1 == 1;
                match (self.next(), in_object) {
                    (Some(b']'), false) | (Some(b'}'), true) => {
                        (objects, depth) = (objects >> 1, depth.saturating_sub(1));
                    }
                    (Some(b','), false) => break,
                    (Some(b','), true) => {
                        self.space();
                        if self.key() {
                            break;
                        }
                        return self.ends(false);
                    }
                    _ => return self.ends(false),
                }
            }
        }
    }

    /// The answer, for the steps of what was read last.
    fn ends(mut self, answer: bool) -> Result<bool, Unreadable> {
        self.pay(0)?;
        Ok(answer)
    }

    /// Takes the steps of what was read, once that is more than so many bytes.
    fn pay(&mut self, more_than: usize) -> Result<(), Unreadable> {
        let read = self.at.saturating_sub(self.paid);
        if read > more_than {
            self.steps.take_json(read)?;
            self.paid = self.at;
        }
        Ok(())
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let next = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(next)
    }

    /// Passes by a byte of a kind, if one stands here.
    #[inline]
    fn takes_one(&mut self, of: impl Fn(u8) -> bool) -> bool {
        let found = self.peek().is_some_and(of);
        self.at = self.at.saturating_add(usize::from(found));
        found
    }

    /// Passes by all bytes of a kind; whether there was one.
    #[inline]
    fn run(&mut self, of: impl Fn(u8) -> bool) -> bool {
        let start = self.at;
        while self.takes_one(&of) {}
        self.at > start
    }

    #[inline]
    fn space(&mut self) {
        self.run(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn takes(&mut self, what: &[u8]) -> bool {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(what));
        if found {
            self.at = self.at.saturating_add(what.len());
        }
        found
    }

    /// A key and its colon.
    fn key(&mut self) -> bool {
        if !(self.next() == Some(b'"') && self.string()) {
            return false;
        }
        self.space();
        self.next() == Some(b':')
    }

    /// The rest of a string. Control characters and halves of surrogate pairs are let pass: some readers take them.
    fn string(&mut self) -> bool {
        loop {
            self.at = plain_end(self.text, self.at);
            match self.next() {
                Some(b'"') => return true,
                Some(b'\\') => match self.next() {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                    Some(b'u') => {
                        let digits = self.text.get(self.at..).and_then(<[u8]>::first_chunk::<4>);
                        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                            return false;
                        }
                        self.at = self.at.saturating_add(4);
                    }
                    _ => return false,
                },
                Some(_) => {}
                None => return false,
            }
        }
    }

    /// The rest of a number, or of what is none but is read as one.
    fn number(&mut self, first: u8) -> bool {
        let digit = |byte: u8| byte.is_ascii_digit();
        let first = if first == b'-' { self.next() } else { Some(first) };
        match first {
            Some(b'N') => return self.takes(b"aN"),
            Some(b'I') => return self.takes(b"nfinity"),
            Some(b'0') => {}
            Some(b'1'..=b'9') => {
                self.run(digit);
            }
            _ => return false,
        }
        if self.takes_one(|byte| byte == b'.') && !self.run(digit) {
            return false;
        }
        if self.takes_one(|byte| matches!(byte, b'e' | b'E')) {
            self.takes_one(|byte| matches!(byte, b'+' | b'-'));
            return self.run(digit);
        }
        true
    }
}

/// Bytes after which steps are taken, so that it need not be asked for each value.
const CHUNK: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::JSON_BYTES;

    fn has_two(text: &str) -> bool {
        Reading::Twofold.has_two(text, &Budget::new()).unwrap()
    }

    /// Trap 37: what a server may parse.
    #[test]
    fn finds_what_a_lenient_reader_takes() {
        for text in [
            "null",
            " null ",
            "\r\n\tnull\n",
            "[]",
            " [ ] ",
            "{}",
            "{ }",
            "[1]",
            "[-0.5e+10,1E5,0,-0]",
            "[[],{}]",
            r#"{"a":[{"b":null}],"a":true}"#,
            r#"["\ud800\"\\\/\b\f\n\r\t\u0061"]"#,
            "[\"a\nb\u{0}\"]",
            "[NaN, Infinity, -Infinity, -NaN]",
            "[true,false,null]",
            "{\"\" : {\"\":\"\"} }",
            "[\"é\u{1f600}\"]",
        ] {
            assert!(has_two(text), "{text}");
            assert!(!Reading::Plain.has_two(text, &Budget::new()).unwrap(), "{text}");
            let is_null = text.trim() == "null";
            assert_eq!(Reading::Twofold.may_be_null(text, &Budget::new()).unwrap(), is_null, "{text}");
        }
        for text in [
            "",
            " ",
            "nul",
            "nulll",
            "null,",
            "Null",
            "NULL",
            "none",
            "nan",
            "NaN",
            "Infinity",
            "5",
            "-5",
            "true",
            "false",
            "\"null\"",
            "\"[1]\"",
            "[",
            "]",
            "{",
            "}",
            "[1",
            "[1}",
            "[1]]",
            "[1] [2]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[01]",
            "[+1]",
            "[1.]",
            "[.5]",
            "[1e]",
            "[-]",
            "[--1]",
            "[tru]",
            "[nan]",
            "['a']",
            "[a]",
            "[\"a]",
            r#"["\x"]"#,
            r#"["\u12g4"]"#,
            r#"["\u123"#,
            "[\"\\",
            "{1:2}",
            "{a:1}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\" 1}",
            "[draft] hello",
            "[x](y)",
            "{{name}}",
            "{\"a\":1}}",
            "\u{feff}[1]",
            "\u{a0}[1]",
            "\u{c}null",
            "[1]\u{0}",
            "[1]//",
            "null\u{0}",
        ] {
            assert!(!has_two(text), "{text}");
            assert!(!Reading::Twofold.may_be_null(text, &Budget::new()).unwrap(), "{text}");
        }
    }

    /// What is not looked at to its end counts as JSON; and what is, is not looked at for nothing.
    #[test]
    fn a_text_takes_steps_and_its_depth_is_bounded() {
        let deep = |depth: usize| "[".repeat(depth);
        assert!(!has_two(&deep(ARGUMENT_DEPTH)) && has_two(&deep(ARGUMENT_DEPTH + 1)));
        assert!(has_two(&(deep(ARGUMENT_DEPTH) + &"]".repeat(ARGUMENT_DEPTH))));
        assert!(!has_two(&(deep(ARGUMENT_DEPTH) + &"]".repeat(ARGUMENT_DEPTH - 1))));
        let mixed = "{\"a\":[".repeat(ARGUMENT_DEPTH / 2) + "1" + &"]}".repeat(ARGUMENT_DEPTH / 2);
        assert!(has_two(&mixed) && !has_two(&mixed.replace("1]", "1}")));

        let long = |unit: &str, bytes: usize| format!("[{}1]", unit.repeat(bytes / unit.len()));
        for unit in ["1,", "[],", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",", " ", "{\"a\":1},"] {
            let bytes = usize::try_from(crate::ceilings::CALL_STEPS * JSON_BYTES).unwrap();
            let read = |bytes: usize| Reading::Twofold.has_two(&long(unit, bytes), &Budget::new());
            assert_eq!(read(bytes / 2), Ok(true), "{unit}");
            assert_eq!(read(bytes * 2), Err(Unreadable::TooLarge), "{unit}");
        }
        let spaces =
            " ".repeat(usize::try_from(crate::ceilings::CALL_STEPS * JSON_BYTES * 2).unwrap()) + "null";
        assert_eq!(Reading::Twofold.may_be_null(&spaces, &Budget::new()), Err(Unreadable::TooLarge));
        // A text that soon turns out not to be JSON takes few steps.
        let steps = Budget::new();
        for _ in 0..1_000 {
            assert_eq!(
                Reading::Twofold.has_two(&("[draft] ".to_owned() + &"x".repeat(1 << 16)), &steps),
                Ok(false)
            );
        }
    }
}
