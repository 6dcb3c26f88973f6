//! Duplicate keys of one object, compared after unescaping (traps 2 and 18).
//!
//! In: an object that was just closed on the tape. Out: its keys that repeat an earlier one. Must not allocate for
//! objects of up to 32 members, and must take no more time beyond than sorting takes, whatever keys a hostile caller
//! chooses.

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

/// What the keys of an open object have shown so far, two bits for each fingerprint, so that most objects need no
/// comparison at all. All ones: two keys may be the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen(u64);

impl Seen {
    /// No key yet.
    pub(super) const NOTHING: Self = Self(0);

    /// Notes a key by its fingerprint, which an escaped one has not. Returns whether it may repeat an earlier one.
    #[inline]
    pub(super) fn note(&mut self, fingerprint: Option<u32>) -> bool {
        let bit = |shift: u32| 1u64.wrapping_shl(shift);
        let mark = fingerprint.map_or(u64::MAX, |print| bit(print >> 26) | bit(print >> 20));
        // An escaped key may be any, and any key may be an escaped one.
        let may_repeat = if mark == u64::MAX { self.0 != 0 } else { self.0 & mark == mark };
        self.0 = if may_repeat { u64::MAX } else { self.0 | mark };
        may_repeat
    }

    #[inline]
    pub(super) fn is_doubtful(self) -> bool {
        self.0 == u64::MAX
    }

    /// Half as wide, for while a nested container is open. Forgets no key, and may take it for two.
    #[inline]
    pub(super) fn fold(self) -> u32 {
        (self.0 | self.0 >> 32) as u32
    }

    #[inline]
    pub(super) fn unfold(marks: u32) -> Self {
        Self(u64::from(marks) << 32 | u64::from(marks))
    }
}

/// The golden ratio spreads a word over its upper bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number that equal keys share. It only saves comparisons: guessing it costs the pairs of one small object.
#[inline]
pub(super) fn fingerprint(key: &[u8]) -> u32 {
    match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(head), Some(tail)) => {
            let tail = u64::from_le_bytes(*tail).wrapping_mul(SPREAD).rotate_left(32);
            short_fingerprint(u64::from_le_bytes(*head) ^ tail ^ key.len() as u64)
        }
        _ => short_fingerprint(word(key)),
    }
}

/// The fingerprint of a key of up to seven bytes, which are the low ones of `word`.
#[inline]
pub(super) fn short_fingerprint(word: u64) -> u32 {
    (word.wrapping_mul(SPREAD) >> 32) as u32
}

/// The bytes of a short key as the low ones of a word.
#[inline]
fn word(key: &[u8]) -> u64 {
    match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        (Some(low), Some(high)) => {
            // Where the two overlap they are the same.
            let shift = (key.len() as u32).wrapping_sub(4).wrapping_mul(8);
            u64::from(u32::from_le_bytes(*low)) | u64::from(u32::from_le_bytes(*high)).wrapping_shl(shift)
        }
        _ => key.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Calls `found` for each key that repeats an earlier one, until it fails.
///
/// `object` is the index of the closed object and its node, and `members` the tape behind that.
pub(super) fn find_duplicates<E>(
    text: &str,
    (index, object): (u32, TapeNode),
    members: &[TapeNode],
    found: impl FnMut(Duplicate) -> Result<(), E>,
) -> Result<(), E> {
    let keys = Keys::new(members, index);
    let count = object.count() as usize;
    let is_short = || {
        let escaped = keys.clone().any(|(_, key)| key.kind() == NodeKind::Escaped);
        !escaped || object.end.saturating_sub(object.start) <= SHORT
    };
    match count {
        0 | 1 => Ok(()),
        ..=FEW if are_distinct(keys.clone()) => Ok(()),
        ..=FEW if is_short() => among_few(text, keys, found),
        _ if are_distinct_many(keys.clone(), count) => Ok(()),
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

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (index, at) = (self.at, self.at.saturating_sub(self.base) as usize);
        let key = *self.nodes.get(at)?;
        let value = index.saturating_add(1);
        self.at = self.nodes.get(at.saturating_add(1))?.next(value);
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
        self.node.kind() == NodeKind::Escaped
    }

    fn means_the_same_as(self, other: Self, text: &str) -> bool {
        let (escaped, other_escaped) = (self.is_escaped(), other.is_escaped());
        // Most pairs end here, before their text is looked at.
        if !escaped && !other_escaped && self.node.link != other.node.link {
            return false;
        }
        let (ours, theirs) = (content(text, &self.node), content(text, &other.node));
        match (escaped, other_escaped) {
            (false, false) => ours == theirs,
            (true, false) => unescaped(ours).eq(theirs.chars()),
            (false, true) => unescaped(theirs).eq(ours.chars()),
            (true, true) => unescaped(ours).eq(unescaped(theirs)),
        }
    }
}

/// Whether the fingerprints of a few keys say that there is no need to compare them.
fn are_distinct(mut keys: Keys<'_>) -> bool {
    // A bit for each of the upper ten of a fingerprint.
    let mut marks = [0u64; 16];
    keys.all(|(_, key)| {
        let mark = 1u64.wrapping_shl(key.link >> 22);
        // INVARIANT: four bits are an index of sixteen.
        let Some(word) = marks.get_mut((key.link >> 28) as usize) else { return false };
        let is_new = *word & mark == 0 && key.kind() == NodeKind::Plain;
        *word |= mark;
        is_new
    })
}

/// The same for many keys. Sorting numbers takes much less than hashing texts under a random key.
fn are_distinct_many(mut keys: Keys<'_>, count: usize) -> bool {
    let mut fingerprints = Vec::with_capacity(count);
    let plain = keys.all(|(_, key)| {
        fingerprints.push(key.link);
        key.kind() == NodeKind::Plain
    });
    fingerprints.sort_unstable();
    plain && fingerprints.windows(2).all(|pair| pair.first() != pair.last())
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
        let may_repeat = seen.note((!key.is_escaped()).then_some(node.link));
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
        match earlier.entry(unescape(content(text, &node), node.kind() == NodeKind::Escaped)) {
            Entry::Occupied(first) => found(Duplicate { second: index, first: *first.get() })?,
            Entry::Vacant(free) => {
                free.insert(index);
            }
        }
    }
    Ok(())
}
