//! The scanner: one pass over the text, a state machine by RFC 8259.
//!
//! In: text and ceilings. Out: the tape, or the first thing that is wrong. Must not recurse: while a container is open,
//! its node's `link` holds the index of the container around it, so that the tape is the stack.
//!
//! What a usual text needs is inlined into one function and works on locals; errors, escapes and keys that may repeat
//! are out of line. Offsets and counts have a ceiling of 29 bits, so adding to them does not wrap.

use super::error::{Expected, RawError, RawErrorKind};
use super::keys::{self, Duplicate, Seen};
use super::string;
use super::tape::{LONGEST, Limits, NodeKind, Shape, Tape, TapeNode};
use crate::ceilings::ARGUMENT_BYTES;

/// `link` of the outermost open container.
const OUTSIDE: u32 = u32::MAX;

/// The size of text from which on room for all its nodes is reserved in one step. Unused pages are never touched and cost
/// nothing, while growing would copy the nodes again and again.
const LONG: usize = 64 << 10;

#[cold]
fn make_room(bytes: usize, is_document: bool, nodes: &mut Tape) {
    // No node but the outermost takes less than two bytes. Those of documents take more as a rule, and some allocators fetch a
    // place of more than 32 MiB from the system each time.
    let bytes = bytes.min(ARGUMENT_BYTES);
    nodes.reserve(if is_document { bytes / 8 } else { bytes / 2 });
}

/// Scans `text` from byte `from` to its end. With `listed`, duplicate keys are listed there, in order of the objects'
/// ends; without, the first is an error.
pub(super) fn scan(
    text: &str,
    from: usize,
    limits: Limits,
    nodes: &mut Tape,
    listed: Option<&mut Vec<Duplicate>>,
) -> Result<(), RawError> {
    if text.len() > limits.bytes.min(LONGEST) {
        return Err(RawError::new(RawErrorKind::TooLong, limits.bytes));
    }
    let bytes = text.as_bytes();
    if bytes.get(from..).unwrap_or_default().starts_with("\u{feff}".as_bytes()) {
        return Err(RawError::new(RawErrorKind::ByteOrderMark, from));
    }
    if text.len() >= LONG {
        make_room(text.len(), listed.is_some(), nodes);
    }
    let container = Container::OUTERMOST;
    Scanner { bytes, at: from, nodes, depth_left: limits.depth, container }.run(text, listed)
}

struct Scanner<'s, 't> {
    bytes: &'t [u8],
    at: usize,
    nodes: &'s mut Tape,
    depth_left: usize,
    container: Container,
}

/// The innermost open container. Kept in its node while a nested one is open.
#[derive(Clone, Copy)]
struct Container {
    index: u32,
    /// With its members or elements so far.
    shape: Shape,
    /// Its keys, if it is an object.
    seen: Seen,
}

impl Container {
    /// What is around the whole value.
    const OUTERMOST: Self = Self { index: OUTSIDE, shape: Shape::new(NodeKind::Null), seen: Seen::NOTHING };
}

impl Scanner<'_, '_> {
    #[inline]
    fn run(mut self, text: &str, mut listed: Option<&mut Vec<Duplicate>>) -> Result<(), RawError> {
        let mut expected = Expected::Value;
        loop {
            let mut byte = self.byte_behind_space();
            if let Expected::Key | Expected::KeyOrBrace = expected {
                byte = self.key(byte, expected)?;
                expected = Expected::Value;
            }
            // INVARIANT: a value stands next, behind its key if the container is an object.
            let scalar = match byte {
                Some(b'"') => {
                    let string = string::scan(self.bytes, self.at)?;
                    Some((string.kind(), string.end))
                }
                Some(b'-' | b'0'..=b'9') => Some((NodeKind::Number, number_end(self.bytes, self.at)?)),
                Some(b't') if self.reads(b"true") => Some((NodeKind::True, self.at.wrapping_add(4))),
                Some(b'f') if self.reads(b"false") => Some((NodeKind::False, self.at.wrapping_add(5))),
                Some(b'n') if self.reads(b"null") => Some((NodeKind::Null, self.at.wrapping_add(4))),
                Some(b'{') => {
                    self.open(NodeKind::Object)?;
                    if self.byte_behind_space() != Some(b'}') {
                        expected = Expected::KeyOrBrace;
                        continue;
                    }
                    None
                }
                Some(b'[') => {
                    self.open(NodeKind::Array)?;
                    if self.byte_behind_space() != Some(b']') {
                        expected = Expected::ValueOrBracket;
                        continue;
                    }
                    None
                }
                _ => return Err(self.unexpected(expected)),
            };
            // A container that ends at once is closed like any other.
            let mut ends = scalar.is_none();
            if let Some((kind, end)) = scalar {
                self.push(kind, end, 0);
            }
            // A value is complete, or its end stands next: close what ends here and behind it.
            loop {
                if ends {
                    let object = self.close();
                    if let Some(index) = object {
                        check_keys(text, index, self.nodes, listed.as_deref_mut())?;
                    }
                }
                let byte = self.byte_behind_space();
                let container = &mut self.container;
                container.shape = container.shape.grown();
                if container.shape.kind() == NodeKind::Object {
                    match byte {
                        Some(b',') => {
                            expected = Expected::Key;
                            break;
                        }
                        Some(b'}') => ends = true,
                        _ => return Err(self.unexpected(Expected::CommaOrBrace)),
                    }
                } else if container.index != OUTSIDE {
                    match byte {
                        Some(b',') => {
                            expected = Expected::Value;
                            break;
                        }
                        Some(b']') => ends = true,
                        _ => return Err(self.unexpected(Expected::CommaOrBracket)),
                    }
                } else {
                    return match byte {
                        None => Ok(()),
                        Some(_) => Err(self.error(RawErrorKind::TrailingData)),
                    };
                }
            }
            // Behind the comma.
            self.at = self.at.wrapping_add(1);
        }
    }

    /// Skips white space; the byte behind it.
    #[inline]
    fn byte_behind_space(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b'\n') => self.at = indent_end(self.bytes, self.at.wrapping_add(1)),
                Some(b' ' | b'\r' | b'\t') => self.at = self.at.wrapping_add(1),
                byte => return byte.copied(),
            }
        }
    }

    /// Reads the key that begins with `byte`, the current one, and its colon; the first byte of its value.
    #[inline]
    fn key(&mut self, byte: Option<u8>, expected: Expected) -> Result<Option<u8>, RawError> {
        if byte != Some(b'"') {
            return Err(self.unexpected(expected));
        }
        let string = string::scan(self.bytes, self.at)?;
        let fingerprint = match string.word {
            Some(word) => keys::short_fingerprint(word),
            None => {
                let content = self.at.wrapping_add(1)..string.end.wrapping_sub(1);
                let content = self.bytes.get(content).unwrap_or_default();
                if string.escaped {
                    keys::fingerprint_of_escaped(content)
                } else {
                    keys::fingerprint(content)
                }
            }
        };
        self.container.seen.note(fingerprint);
        self.push(string.kind(), string.end, fingerprint);
        if self.byte_behind_space() != Some(b':') {
            return Err(self.unexpected(Expected::Colon));
        }
        self.at = self.at.wrapping_add(1);
        Ok(self.byte_behind_space())
    }

    #[inline]
    fn reads<const N: usize>(&self, word: &[u8; N]) -> bool {
        self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) == Some(word)
    }

    /// A scalar or key from the current byte to `end`.
    #[inline]
    fn push(&mut self, kind: NodeKind, end: usize, link: u32) {
        self.nodes.push(TapeNode { start: narrow(self.at), end: narrow(end), link, shape: Shape::new(kind) });
        self.at = end;
    }

    #[inline]
    fn open(&mut self, kind: NodeKind) -> Result<(), RawError> {
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            return Err(self.error(RawErrorKind::TooDeep));
        };
        self.depth_left = depth_left;
        let around = self.container;
        if let Some(node) = self.nodes.get_mut(around.index as usize) {
            (node.shape, node.end) = (around.shape, around.seen.fold());
        }
        self.container =
            Container { index: narrow(self.nodes.len()), shape: Shape::new(kind), seen: Seen::NOTHING };
        self.push(kind, self.at.wrapping_add(1), around.index);
        Ok(())
    }

    /// Closes the innermost container at the current byte. Its index, if it is an object that may repeat a key.
    #[inline]
    fn close(&mut self) -> Option<u32> {
        self.at = self.at.wrapping_add(1);
        self.depth_left = self.depth_left.wrapping_add(1);
        let Container { index, shape, seen } = self.container;
        let (end, behind) = (narrow(self.at), narrow(self.nodes.len()));
        // INVARIANT: the open container is on the tape.
        let node = self.nodes.get_mut(index as usize)?;
        let around = node.link;
        (node.end, node.link, node.shape) = (end, behind, shape);
        self.container = match self.nodes.get(around as usize) {
            Some(node) => Container { index: around, shape: node.shape, seen: Seen::unfold(node.end) },
            None => Container::OUTERMOST,
        };
        seen.is_doubtful().then_some(index)
    }

    #[inline]
    fn unexpected(&self, expected: Expected) -> RawError {
        unexpected(self.bytes, self.at, expected)
    }

    #[inline]
    fn error(&self, kind: RawErrorKind) -> RawError {
        RawError::new(kind, self.at)
    }
}

/// Not a method: the scanner's fields are in registers as long as nothing takes its address.
#[cold]
fn unexpected(bytes: &[u8], at: usize, expected: Expected) -> RawError {
    let kind = match bytes.get(at) {
        Some(_) => RawErrorKind::Expected(expected),
        None => RawErrorKind::UnexpectedEnd(expected),
    };
    RawError::new(kind, at)
}

/// Looks for keys that repeat in the object at `index`, the last one that was closed.
#[inline(never)]
fn check_keys(
    text: &str,
    index: u32,
    nodes: &[TapeNode],
    mut listed: Option<&mut Vec<Duplicate>>,
) -> Result<(), RawError> {
    let Some((object, members)) = nodes.get(index as usize..).and_then(<[TapeNode]>::split_first) else {
        return Ok(());
    };
    keys::find_duplicates(text, (index, *object), members, |duplicate| match &mut listed {
        Some(listed) => {
            listed.push(duplicate);
            Ok(())
        }
        None => Err(duplicate.second),
    })
    .map_err(|second| {
        let offset = nodes.get(second as usize).map_or(0, |key| key.start as usize);
        RawError::new(RawErrorKind::DuplicateKey, offset)
    })
}

/// Offsets fit by the check of the text's length, and a text has no more nodes than bytes.
#[inline]
fn narrow(offset: usize) -> u32 {
    offset as u32
}

/// Offset behind the spaces that begin a line at `at`, as many as are in whole words.
#[inline(never)]
fn indent_end(bytes: &[u8], mut at: usize) -> usize {
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    while let Some(word) = string::word_at(bytes, at) {
        let others = word ^ SPACES;
        if others != 0 {
            return at.wrapping_add(others.trailing_zeros() as usize / 8);
        }
        at = at.wrapping_add(8);
    }
    at
}

/// Offset behind the number that begins at `start`.
#[inline]
fn number_end(bytes: &[u8], start: usize) -> Result<usize, RawError> {
    let first = start.wrapping_add(usize::from(bytes.get(start) == Some(&b'-')));
    let mut end = digits_end(bytes, first);
    let leads_with_zero = bytes.get(first) == Some(&b'0') && end > first.wrapping_add(1);
    let goes_on = matches!(bytes.get(end), Some(b'.' | b'e' | b'E'));
    if end == first || leads_with_zero || goes_on {
        end = number_with_more(bytes, first, end)?;
    }
    Ok(end)
}

/// As [`number_end`], for a number that goes on behind its digits from `first` to `end`, or is wrong.
#[inline(never)]
fn number_with_more(bytes: &[u8], first: usize, mut end: usize) -> Result<usize, RawError> {
    let error = |at| Err(RawError::new(RawErrorKind::InvalidNumber, at));
    let digits = |from| match digits_end(bytes, from) {
        end if end == from => error(from),
        end => Ok(end),
    };
    if end == first {
        return error(first);
    }
    let second = first.wrapping_add(1);
    if bytes.get(first) == Some(&b'0') && end > second {
        return error(second);
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits(end.wrapping_add(1))?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = end.wrapping_add(1);
        let signed = matches!(bytes.get(sign), Some(b'+' | b'-'));
        end = digits(sign.wrapping_add(usize::from(signed)))?;
    }
    Ok(end)
}

/// Offset behind the digits that begin at `at`.
#[inline]
fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9') = bytes.get(at) {
        at = at.wrapping_add(1);
    }
    at
}
