//! The scanner: one pass over the text, a state machine by RFC 8259.
//!
//! In: text and ceilings. Out: the tape, or the first thing that is wrong. Must not recurse: while a container is open,
//! its node's `next` holds the index of the container around it, so that the tape is the stack.

use super::error::{Expected, RawError, RawErrorKind};
use super::keys::{self, Duplicate, Seen};
use super::string;
use super::tape::{Limits, NodeKind, Tape, TapeNode};

/// `next` of the outermost open container.
const OUTSIDE: u32 = u32::MAX;

/// Scans `text` from byte `from` to its end. With `listed`, duplicate keys are listed there, in order of the objects'
/// ends; without, the first is an error.
pub(super) fn scan(
    text: &str,
    from: usize,
    limits: Limits,
    nodes: &mut Tape,
    listed: Option<&mut Vec<Duplicate>>,
) -> Result<(), RawError> {
    // Spans are 32 bits wide.
    if text.len() > limits.bytes.min(u32::MAX as usize) {
        return Err(RawError::new(RawErrorKind::TooLong, limits.bytes));
    }
    let bytes = text.as_bytes();
    if bytes.get(from..).unwrap_or_default().starts_with("\u{feff}".as_bytes()) {
        return Err(RawError::new(RawErrorKind::ByteOrderMark, from));
    }
    let around = Container::OUTERMOST;
    Scanner { text, bytes, at: from, nodes, listed, depth_left: limits.depth, container: around }.run()
}

struct Scanner<'s, 't> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    nodes: &'s mut Tape,
    listed: Option<&'s mut Vec<Duplicate>>,
    depth_left: usize,
    container: Container,
}

/// The innermost open container.
#[derive(Clone, Copy)]
struct Container {
    index: u32,
    /// Members or elements so far; kept in the node while a nested container is open.
    count: u32,
    is_object: bool,
    /// Its keys, if it is an object.
    seen: Seen,
}

impl Container {
    /// What is around the whole value.
    const OUTERMOST: Self = Self { index: OUTSIDE, count: 0, is_object: false, seen: Seen::NOTHING };
}

impl Scanner<'_, '_> {
    fn run(mut self) -> Result<(), RawError> {
        let mut expected = Expected::Value;
        loop {
            // INVARIANT: a value stands next, behind its key if the container is an object.
            match self.byte_behind_space() {
                Some(b'"') => self.string()?,
                Some(b'{') => {
                    self.open(NodeKind::Object)?;
                    if self.byte_behind_space() == Some(b'}') {
                        self.close()?;
                    } else {
                        self.key(Expected::KeyOrBrace)?;
                        expected = Expected::Value;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.open(NodeKind::Array)?;
                    if self.byte_behind_space() == Some(b']') {
                        self.close()?;
                    } else {
                        expected = Expected::ValueOrBracket;
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word(b"true", NodeKind::True, expected)?,
                Some(b'f') => self.word(b"false", NodeKind::False, expected)?,
                Some(b'n') => self.word(b"null", NodeKind::Null, expected)?,
                _ => return Err(self.unexpected(expected)),
            }
            // A value is complete: close what ends behind it.
            loop {
                let byte = self.byte_behind_space();
                if self.container.index == OUTSIDE {
                    return match byte {
                        None => Ok(()),
                        Some(_) => Err(self.error(RawErrorKind::TrailingData)),
                    };
                }
                self.container.count = self.container.count.saturating_add(1);
                match (byte, self.container.is_object) {
                    (Some(b','), true) => {
                        self.advance(1);
                        self.byte_behind_space();
                        self.key(Expected::Key)?;
                        break;
                    }
                    (Some(b','), false) => {
                        self.advance(1);
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => self.close()?,
                    (_, true) => return Err(self.unexpected(Expected::CommaOrBrace)),
                    (_, false) => return Err(self.unexpected(Expected::CommaOrBracket)),
                }
            }
            expected = Expected::Value;
        }
    }

    /// Skips white space; the byte behind it.
    fn byte_behind_space(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.advance(1),
                byte => return byte.copied(),
            }
        }
    }

    /// The current byte must be the quote of a key; stops behind the colon.
    fn key(&mut self, expected: Expected) -> Result<(), RawError> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.unexpected(expected));
        }
        let string = string::scan(self.bytes, self.at)?;
        let inside = self.at.saturating_add(1)..string.end.saturating_sub(1);
        let plain = if string.escaped { None } else { self.bytes.get(inside) };
        let fingerprint = plain.map(keys::fingerprint);
        self.container.seen.note(fingerprint);
        let kind = if string.escaped { NodeKind::Escaped } else { NodeKind::Plain };
        self.push(kind, string.end, fingerprint.unwrap_or(0));
        if self.byte_behind_space() != Some(b':') {
            return Err(self.unexpected(Expected::Colon));
        }
        self.advance(1);
        Ok(())
    }

    fn string(&mut self) -> Result<(), RawError> {
        let string = string::scan(self.bytes, self.at)?;
        let kind = if string.escaped { NodeKind::Escaped } else { NodeKind::Plain };
        self.push(kind, string.end, 0);
        Ok(())
    }

    fn number(&mut self) -> Result<(), RawError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = number_length(rest).map_err(|at| {
            let offset = self.at.saturating_add(at);
            RawError::new(RawErrorKind::InvalidNumber, offset)
        })?;
        self.push(NodeKind::Number, self.at.saturating_add(length), 0);
        Ok(())
    }

    fn word(&mut self, word: &[u8], kind: NodeKind, expected: Expected) -> Result<(), RawError> {
        if !self.bytes.get(self.at..).unwrap_or_default().starts_with(word) {
            return Err(self.unexpected(expected));
        }
        self.push(kind, self.at.saturating_add(word.len()), 0);
        Ok(())
    }

    /// A scalar or key from the current byte to `end`.
    fn push(&mut self, kind: NodeKind, end: usize, count: u32) {
        let next = narrow(self.nodes.len().saturating_add(1));
        self.nodes.push(TapeNode { start: narrow(self.at), end: narrow(end), next, count, kind });
        self.at = end;
    }

    fn open(&mut self, kind: NodeKind) -> Result<(), RawError> {
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            return Err(self.error(RawErrorKind::TooDeep));
        };
        self.depth_left = depth_left;
        let around = self.container;
        if let Some(node) = self.nodes.get_mut(around.index as usize) {
            node.count = around.count;
        }
        let (start, index) = (narrow(self.at), narrow(self.nodes.len()));
        self.nodes.push(TapeNode { start, end: start, next: around.index, count: 0, kind });
        self.container =
            Container { index, count: 0, is_object: kind == NodeKind::Object, seen: Seen::NOTHING };
        self.advance(1);
        Ok(())
    }

    /// Closes the innermost container at the current byte.
    fn close(&mut self) -> Result<(), RawError> {
        self.advance(1);
        let Container { index, count, is_object, seen } = self.container;
        let (end, next) = (narrow(self.at), narrow(self.nodes.len()));
        let Some(node) = self.nodes.get_mut(index as usize) else {
            // INVARIANT: never met; the open container is on the tape.
            return Ok(());
        };
        let around = node.next;
        (node.end, node.next, node.count) = (end, next, count);
        if is_object {
            let object = (index, *node);
            self.check_keys(object, seen)?;
        }
        self.depth_left = self.depth_left.saturating_add(1);
        self.container = match self.nodes.get(around as usize) {
            Some(node) => Container {
                index: around,
                count: node.count,
                is_object: node.kind == NodeKind::Object,
                // What was seen is not kept while a nested container is open.
                seen: Seen::ANYTHING,
            },
            None => Container::OUTERMOST,
        };
        Ok(())
    }

    fn check_keys(&mut self, object: (u32, TapeNode), seen: Seen) -> Result<(), RawError> {
        let members = self.nodes.get((object.0 as usize).saturating_add(1)..).unwrap_or_default();
        let listed = &mut self.listed;
        keys::find_duplicates(self.text, object, members, seen, |duplicate| match listed {
            Some(listed) => {
                listed.push(duplicate);
                Ok(())
            }
            None => Err(duplicate.second),
        })
        .map_err(|second| {
            let offset = self.nodes.get(second as usize).map_or(0, |key| key.start as usize);
            RawError::new(RawErrorKind::DuplicateKey, offset)
        })
    }

    fn advance(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn unexpected(&self, expected: Expected) -> RawError {
        self.error(match self.bytes.get(self.at) {
            Some(_) => RawErrorKind::Expected(expected),
            None => RawErrorKind::UnexpectedEnd(expected),
        })
    }

    fn error(&self, kind: RawErrorKind) -> RawError {
        RawError::new(kind, self.at)
    }
}

/// Offsets fit by the check of the text's length, and a text has no more nodes than bytes.
fn narrow(offset: usize) -> u32 {
    offset as u32
}

/// Length of the number at the beginning of `bytes`, or where it goes wrong.
fn number_length(bytes: &[u8]) -> Result<usize, usize> {
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
            0 => Err(from),
            count => Ok(from.saturating_add(count)),
        }
    };
    let start = usize::from(bytes.first() == Some(&b'-'));
    let mut end = digits(start)?;
    let second = start.saturating_add(1);
    if bytes.get(start) == Some(&b'0') && end > second {
        return Err(second);
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits(end.saturating_add(1))?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = end.saturating_add(1);
        let signed = matches!(bytes.get(sign), Some(b'+' | b'-'));
        end = digits(sign.saturating_add(usize::from(signed)))?;
    }
    Ok(end)
}
