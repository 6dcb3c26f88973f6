//! Duplicate keys of one object, compared after unescaping (traps 2 and 18).
//!
//! In: an object that was just closed on the tape. Out: its keys that repeat an earlier one. Must not allocate for
//! objects of up to 32 members, and must take linear time beyond, whatever keys a hostile caller chooses.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use smallvec::SmallVec;

use super::string::{unescape, unescaped};
use super::tape::{NodeKind, TapeNode, content};

/// Members up to which keys are compared pair by pair.
const FEW: usize = 32;

/// A key that repeats an earlier one of its object, by index of node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Duplicate {
    pub(crate) second: u32,
    pub(crate) first: u32,
}

/// Bytes of an object with escaped keys up to which they are unescaped anew for each pair.
const SHORT: u32 = 4 << 10;

/// What the keys of an open object have shown so far, so that most objects need no comparison at all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// One bit for each fingerprint.
    marks: u64,
    /// Whether two keys may be the same.
    doubtful: bool,
}

impl Seen {
    /// No key yet.
    pub(super) const NOTHING: Self = Self { marks: 0, doubtful: false };
    /// There may be any keys.
    pub(super) const ANYTHING: Self = Self { marks: u64::MAX, doubtful: true };

    /// Notes a key by its fingerprint, which an escaped one has not. Returns whether it may repeat an earlier one.
    pub(super) fn note(&mut self, fingerprint: Option<u32>) -> bool {
        let mark = fingerprint.map_or(u64::MAX, |fingerprint| 1u64.wrapping_shl(fingerprint >> 26));
        let may_repeat = self.marks & mark != 0;
        self.doubtful |= may_repeat;
        self.marks |= mark;
        may_repeat
    }
}

/// A number that equal keys share. It only saves comparisons: guessing it costs the pairs of one small object.
pub(super) fn fingerprint(key: &[u8]) -> u32 {
    let (head, tail) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
            (Some(head), Some(tail)) => {
                (u64::from(u32::from_le_bytes(*head)), u64::from(u32::from_le_bytes(*tail)))
            }
            _ => (key.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 0),
        },
    };
    // The golden ratio spreads both over the upper bits.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = head.wrapping_mul(SPREAD).rotate_left(32) ^ tail ^ (key.len() as u64).rotate_left(56);
    (mixed.wrapping_mul(SPREAD) >> 32) as u32
}

/// Calls `found` for each key that repeats an earlier one, until it fails.
///
/// `object` is the index of the closed object, and `members` the tape behind its node. The `count` of a key's node is its
/// fingerprint.
pub(super) fn find_duplicates<E>(
    text: &str,
    (index, object): (u32, TapeNode),
    members: &[TapeNode],
    seen: Seen,
    found: impl FnMut(Duplicate) -> Result<(), E>,
) -> Result<(), E> {
    if !seen.doubtful {
        return Ok(());
    }
    let keys = Keys::new(members, index);
    let count = object.count as usize;
    let is_short = || {
        let escaped = keys.clone().any(|(_, key)| key.kind == NodeKind::Escaped);
        !escaped || object.end.saturating_sub(object.start) <= SHORT
    };
    match count {
        0 | 1 => Ok(()),
        2..=FEW if is_short() => among_few(text, keys, found),
        _ => among_many(text, keys, count, found),
    }
}

/// The keys of an object, by hopping over its values.
#[derive(Clone)]
struct Keys<'n> {
    nodes: &'n [TapeNode],
    /// Index of the first of `nodes`.
    base: u32,
    at: u32,
}

impl<'n> Keys<'n> {
    fn new(nodes: &'n [TapeNode], object: u32) -> Self {
        let base = object.saturating_add(1);
        Self { nodes, base, at: base }
    }
}

impl Iterator for Keys<'_> {
    type Item = (u32, TapeNode);

    fn next(&mut self) -> Option<Self::Item> {
        let (index, at) = (self.at, self.at.saturating_sub(self.base) as usize);
        let key = *self.nodes.get(at)?;
        self.at = self.nodes.get(at.saturating_add(1))?.next;
        Some((index, key))
    }
}

#[derive(Clone, Copy)]
struct Key {
    index: u32,
    node: TapeNode,
}

impl Key {
    fn is_escaped(self) -> bool {
        self.node.kind == NodeKind::Escaped
    }

    fn means_the_same_as(self, other: Self, text: &str) -> bool {
        let (escaped, other_escaped) = (self.is_escaped(), other.is_escaped());
        // Most pairs end here, before their text is looked at.
        if !escaped && !other_escaped && self.node.count != other.node.count {
            return false;
        }
        let (ours, theirs) = (content(text, self.node), content(text, other.node));
        match (escaped, other_escaped) {
            (false, false) => ours == theirs,
            (true, false) => unescaped(ours).eq(theirs.chars()),
            (false, true) => unescaped(theirs).eq(ours.chars()),
            (true, true) => unescaped(ours).eq(unescaped(theirs)),
        }
    }
}

fn among_few<E>(
    text: &str,
    keys: Keys<'_>,
    mut found: impl FnMut(Duplicate) -> Result<(), E>,
) -> Result<(), E> {
    let mut earlier = SmallVec::<[Key; FEW]>::new();
    let mut seen = Seen::NOTHING;
    for (index, node) in keys {
        let key = Key { index, node };
        let may_repeat = seen.note((!key.is_escaped()).then_some(node.count));
        let candidates = if may_repeat { earlier.as_slice() } else { &[] };
        match candidates.iter().find(|first| first.means_the_same_as(key, text)) {
            Some(first) => found(Duplicate { second: index, first: first.index })?,
            None => earlier.push(key),
        }
    }
    Ok(())
}

fn among_many<E>(
    text: &str,
    keys: Keys<'_>,
    count: usize,
    mut found: impl FnMut(Duplicate) -> Result<(), E>,
) -> Result<(), E> {
    // The standard hasher is SipHash under a random key: chosen keys cannot be made to collide.
    let mut earlier = HashMap::<Cow<'_, str>, u32>::with_capacity(count);
    for (index, node) in keys {
        match earlier.entry(unescape(content(text, node), node.kind == NodeKind::Escaped)) {
            Entry::Occupied(first) => found(Duplicate { second: index, first: *first.get() })?,
            Entry::Vacant(free) => {
                free.insert(index);
            }
        }
    }
    Ok(())
}
