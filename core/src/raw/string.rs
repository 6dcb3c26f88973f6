//! The strings of raw JSON: finding their end, validating and undoing their escapes.
//!
//! In: text behind an opening quote. Out: where it ends, or its characters. Must not allocate, but for a string with
//! escapes that is asked for whole.

use std::borrow::Cow;
use std::str::Chars;

use super::error::{RawError, RawErrorKind};
use super::tape::NodeKind;

/// A string that was scanned.
pub(super) struct Scanned {
    /// Offset behind the closing quote.
    pub(super) end: usize,
    /// Whether it holds an escape.
    pub(super) escaped: bool,
    /// Its bytes as the low ones of a word, where that came for free: at most seven, no escape.
    pub(super) word: Option<u64>,
}

impl Scanned {
    #[inline]
    pub(super) fn kind(&self) -> NodeKind {
        if self.escaped { NodeKind::Escaped } else { NodeKind::Plain }
    }
}

/// Validates the string whose opening quote stands at `open`. Always inlined: its result would go through memory.
#[inline(always)]
pub(super) fn scan(bytes: &[u8], open: usize) -> Result<Scanned, RawError> {
    let mut at = open.wrapping_add(1);
    // Most keys and many values end within a word.
    if let Some(word) = word_at(bytes, at) {
        let marks = marks(word);
        let bits = marks.trailing_zeros() & !7;
        if marks == 0 {
            at = at.wrapping_add(8);
        } else if word.wrapping_shr(bits) as u8 == b'"' {
            let end = at.wrapping_add(bits as usize / 8).wrapping_add(1);
            let low = u64::MAX.wrapping_shl(bits) ^ u64::MAX;
            return Ok(Scanned { end, escaped: false, word: Some(word & low) });
        }
    }
    at = plain_end(bytes, at);
    if bytes.get(at) == Some(&b'"') {
        return Ok(Scanned { end: at.wrapping_add(1), escaped: false, word: None });
    }
    let end = scan_special(bytes, open, at)?;
    Ok(Scanned { end, escaped: true, word: None })
}

/// Goes on with a string that has no closing quote at `at`, where its first run of plain bytes ends; the offset behind
/// its quote.
#[inline(never)]
fn scan_special(bytes: &[u8], open: usize, mut at: usize) -> Result<usize, RawError> {
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at.saturating_add(1)),
            Some(b'\\') => match bytes.get(at.wrapping_add(1)) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at = at.wrapping_add(2),
                _ => at = unicode_escape(bytes, at)?,
            },
            Some(_) => return Err(RawError::new(RawErrorKind::ControlCharacter, at)),
            None => return Err(RawError::new(RawErrorKind::UnclosedString, open)),
        }
        at = plain_end(bytes, at);
    }
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

#[inline]
pub(super) fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

/// Marks the high bit of each byte that is a quote, a backslash or a control character; the lowest mark counts.
#[inline]
fn marks(word: u64) -> u64 {
    // The classic test for a byte below n, n up to 128: subtracting borrows into the high bit. A borrow may reach the
    // byte above and mark it falsely, but only from one that is marked rightly. Flipping bit 1 puts the quote beside the
    // control characters, and what was there, the space and `#`, behind.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES.wrapping_mul(n));
    let quote_or_control = below(word ^ ONES << 1, 0x21);
    let backslash = below(word ^ ONES.wrapping_mul(b'\\' as u64), 1);
    (quote_or_control | backslash) & !word & HIGHS
}

/// Offset of the first quote, backslash or control character from `at` on, or the text's end.
#[inline]
pub(crate) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word_at(bytes, at) {
        let marks = marks(word);
        if marks != 0 {
            return at.wrapping_add(marks.trailing_zeros() as usize / 8);
        }
        at = at.wrapping_add(8);
    }
    let plain = |byte: &&u8| !matches!(**byte, b'"' | b'\\' | ..0x20);
    at.wrapping_add(bytes.get(at..).unwrap_or_default().iter().take_while(plain).count())
}

/// Validates the escape of four digits, or of a pair of four, whose backslash stands at `at`; the offset behind it.
fn unicode_escape(bytes: &[u8], at: usize) -> Result<usize, RawError> {
    let error = |kind| Err(RawError::new(kind, at));
    match bytes.get(at..).unwrap_or_default() {
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
#[inline]
pub(super) fn unescape(content: &str, escaped: bool) -> Cow<'_, str> {
    if escaped { Cow::Owned(collect(content)) } else { Cow::Borrowed(content) }
}

fn collect(content: &str) -> String {
    let mut text = String::with_capacity(content.len());
    text.extend(unescaped(content));
    text
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
    use super::super::keys;
    use super::*;

    #[test]
    fn every_special_byte_ends_a_run_at_every_place() {
        for length in 0..40 {
            for special in (0..0x20).chain([b'"', b'\\']) {
                for at in 0..length {
                    for filler in [b'a', 0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xff] {
                        let mut bytes = vec![filler; length];
                        assert_eq!(plain_end(&bytes, 0), length);
                        bytes[at] = special;
                        assert_eq!(plain_end(&bytes, 0), at, "{special} at {at} of {length} among {filler}");
                    }
                }
            }
        }
    }

    #[test]
    fn equal_keys_share_a_fingerprint_wherever_they_stand() {
        for length in 0..20 {
            let key = &"\u{e9}abcdefghijklmnopqrstuvwxyz".as_bytes()[..length];
            for behind in 0..12 {
                let text = [b"\"", key, b"\"", &b"\":\\{},\n012345"[..behind]].concat();
                let scanned = scan(&text, 0).unwrap();
                assert_eq!((scanned.end, scanned.escaped), (length + 2, false));
                let Some(word) = scanned.word else { continue };
                assert_eq!(
                    keys::short_fingerprint(word),
                    keys::fingerprint(key),
                    "{length}, {behind} from the end"
                );
            }
        }
        assert!(
            scan(b"\"1234567\"", 0).unwrap().word.is_some()
                && scan(b"\"12345678\"", 0).unwrap().word.is_none()
        );
    }

    #[test]
    fn surrogate_pairs_join() {
        assert_eq!(unescape(r"\ud83d\ude00\uffff\u0041\/", true), "\u{1f600}\u{ffff}A/");
        assert_eq!(unescape(r"\udbff\udfff\ud800\udc00", true), "\u{10ffff}\u{10000}");
    }
}
