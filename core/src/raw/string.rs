//! The strings of raw JSON: finding their end, validating and undoing their escapes.
//!
//! In: text behind an opening quote. Out: where it ends, or its characters. Must not allocate, but for a string with
//! escapes that is asked for whole.

use std::borrow::Cow;
use std::str::Chars;

use super::error::{RawError, RawErrorKind};

/// A string that was scanned.
pub(super) struct Scanned {
    /// Offset behind the closing quote.
    pub(super) end: usize,
    /// Whether it holds an escape.
    pub(super) escaped: bool,
}

/// Validates the string whose opening quote stands at `open`.
pub(super) fn scan(bytes: &[u8], open: usize) -> Result<Scanned, RawError> {
    let mut at = open.saturating_add(1);
    let mut escaped = false;
    loop {
        at = at.saturating_add(plain_run(bytes.get(at..).unwrap_or_default()));
        match bytes.get(at) {
            Some(b'"') => return Ok(Scanned { end: at.saturating_add(1), escaped }),
            Some(b'\\') => {
                escaped = true;
                at = escape(bytes, at)?;
            }
            Some(_) => return Err(RawError::new(RawErrorKind::ControlCharacter, at)),
            None => return Err(RawError::new(RawErrorKind::UnclosedString, open)),
        }
    }
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// Length of the run without quote, backslash and control character at the beginning of `bytes`, eight at a time.
fn plain_run(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut length = 0usize;
    for word in words {
        let word = u64::from_le_bytes(*word);
        // The classic test for a byte below n, n up to 128: subtracting borrows into the high bit. A borrow may reach
        // the byte above and mark it falsely, but only from one that is marked rightly; the lowest mark counts.
        let below = |word: u64, n: u8| word.wrapping_sub(ONES.wrapping_mul(u64::from(n))) & !word;
        let equal = |byte: u8| below(word ^ ONES.wrapping_mul(u64::from(byte)), 1);
        let marks = (below(word, 0x20) | equal(b'"') | equal(b'\\')) & HIGHS;
        if marks != 0 {
            return length.saturating_add(marks.trailing_zeros() as usize / 8);
        }
        length = length.saturating_add(8);
    }
    let plain = |byte: &&u8| !matches!(**byte, b'"' | b'\\' | ..0x20);
    length.saturating_add(rest.iter().take_while(plain).count())
}

/// Validates the escape whose backslash stands at `at`; returns the offset behind it.
fn escape(bytes: &[u8], at: usize) -> Result<usize, RawError> {
    let error = |kind| Err(RawError::new(kind, at));
    match bytes.get(at..).unwrap_or_default() {
        [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(at.saturating_add(2)),
        [_, b'u', rest @ ..] => match hex(rest) {
            None => error(RawErrorKind::InvalidEscape),
            Some(0xdc00..=0xdfff) => error(RawErrorKind::LoneSurrogate),
            Some(0xd800..=0xdbff) => match rest {
                [_, _, _, _, b'\\', b'u', low @ ..] => match hex(low) {
                    Some(0xdc00..=0xdfff) => Ok(at.saturating_add(12)),
                    _ => error(RawErrorKind::LoneSurrogate),
                },
                _ => error(RawErrorKind::LoneSurrogate),
            },
            Some(_) => Ok(at.saturating_add(6)),
        },
        _ => error(RawErrorKind::InvalidEscape),
    }
}

/// The value of four hexadecimal digits at the beginning of `bytes`.
fn hex(bytes: &[u8]) -> Option<u32> {
    bytes
        .first_chunk::<4>()?
        .iter()
        .try_fold(0u32, |sum, byte| Some(sum << 4 | char::from(*byte).to_digit(16)?))
}

/// The text of a validated string, without its quotes.
pub(super) fn unescape(content: &str, escaped: bool) -> Cow<'_, str> {
    if !escaped {
        return Cow::Borrowed(content);
    }
    let mut text = String::with_capacity(content.len());
    text.extend(unescaped(content));
    Cow::Owned(text)
}

/// The characters of a validated string, escapes undone.
pub(super) fn unescaped(content: &str) -> Unescaped<'_> {
    Unescaped(content.chars())
}

pub(super) struct Unescaped<'t>(Chars<'t>);

impl Unescaped<'_> {
    fn unit(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | self.0.next()?.to_digit(16)?;
        }
        Some(unit)
    }
}

impl Iterator for Unescaped<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self.0.next()? {
            '\\' => {}
            plain => return Some(plain),
        }
        match self.0.next()? {
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'u' => {
                let unit = self.unit()?;
                if !(0xd800..0xdc00).contains(&unit) {
                    return char::from_u32(unit);
                }
                // INVARIANT: the scanner has seen the other half, with its `\u`.
                self.0.nth(1)?;
                let low = self.unit()?;
                char::from_u32(0x10000u32.saturating_add((unit & 0x3ff) << 10 | low & 0x3ff))
            }
            itself => Some(itself),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_byte_ends_a_run_at_every_place() {
        for length in 0..40 {
            for special in (0..0x20).chain([b'"', b'\\']) {
                for at in 0..length {
                    for filler in [b'a', 0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xff] {
                        let mut bytes = vec![filler; length];
                        assert_eq!(plain_run(&bytes), length);
                        bytes[at] = special;
                        assert_eq!(plain_run(&bytes), at, "{special} at {at} of {length} among {filler}");
                    }
                }
            }
        }
    }

    #[test]
    fn surrogate_pairs_join() {
        assert_eq!(unescape(r"\ud83d\ude00\uffff\u0041\/", true), "\u{1f600}\u{ffff}A/");
        assert_eq!(unescape(r"\udbff\udfff\ud800\udc00", true), "\u{10ffff}\u{10000}");
    }
}
