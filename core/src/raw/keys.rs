//! Duplicate keys of one object, compared after unescaping (traps 2 and 18).
//!
//! In: an object that was just closed on the tape. Out: its keys that repeat an earlier one. Must not allocate for
//! objects of up to 32 members, unless their escaped keys are long, and must take no more time beyond than sorting takes,
//! whatever keys a hostile caller chooses: each escaped key is read once, and pairs are compared as bytes.

use std::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::fast::{FoldHasher, RandomState};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use smallvec::SmallVec;

use super::string::unescaped;
use super::tape::{NodeKind, TapeNode, content};

/// Members up to which keys are compared pair by pair.
const FEW: usize = 32;

/// A key that repeats an earlier one of its object, by index of node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Duplicate {
    pub(crate) second: u32,
    pub(crate) first: u32,
}

/// Bytes of escaped keys of one object for which there is room on the stack.
const ROOM: usize = 1 << 10;

/// Bytes of a key from which on its fingerprint depends on all of them.
const LONG: usize = 17;

/// What the keys of an open object have shown so far, two bits for each fingerprint, so that most objects need no
/// comparison at all. All ones: two keys may be the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen(u64);

impl Seen {
    /// No key yet.
    pub(super) const NOTHING: Self = Self(0);

    /// Notes a key by its fingerprint. Returns whether it may repeat an earlier one.
    #[inline]
    pub(super) fn note(&mut self, fingerprint: u32) -> bool {
        let bit = |shift: u32| 1u64.wrapping_shl(shift);
        let mark = bit(fingerprint >> 26) | bit(fingerprint >> 20);
        let may_repeat = self.0 & mark == mark;
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

/// A number that equal keys share, of the key as it is meant. It only saves comparisons: guessing it costs the pairs of one
/// small object. Nobody can guess that of a long key, or looking a member up would compare each key whole.
#[inline]
pub(super) fn fingerprint(key: &[u8]) -> u32 {
    match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(_), Some(_)) if key.len() >= LONG => long_fingerprint(key),
        (Some(head), Some(tail)) => {
            let tail = u64::from_le_bytes(*tail).wrapping_mul(SPREAD).rotate_left(32);
            short_fingerprint(u64::from_le_bytes(*head) ^ tail ^ key.len() as u64)
        }
        _ => short_fingerprint(word(key)),
    }
}

fn long_fingerprint(key: &[u8]) -> u32 {
    let mut hasher = FoldHasher::with_seed(SPREAD, SharedSeed::global_random());
    hasher.write(key);
    (hasher.finish() >> 32) as u32
}

/// The fingerprint of a key that is written with escapes. The text was validated.
pub(super) fn fingerprint_of_escaped(content: &[u8]) -> u32 {
    let mut key = SmallVec::<[u8; ROOM]>::new();
    append_unescaped(&mut key, std::str::from_utf8(content).unwrap_or_default());
    fingerprint(&key)
}

fn append_unescaped(bytes: &mut SmallVec<[u8; ROOM]>, content: &str) {
    for char in unescaped(content) {
        bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
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
    match count {
        0 | 1 => Ok(()),
        ..=FEW if are_distinct(keys.clone()) => Ok(()),
        ..=FEW => among_few(&Texts::new(text, keys.clone()), keys, found),
        _ => {
            let shared = shared_fingerprints(keys.clone(), count);
            if shared.is_empty() {
                return Ok(());
            }
            // Among many keys a few share a fingerprint by chance. Only those are read and compared.
            let suspects = keys.filter(|(_, key)| shared.binary_search(&key.link).is_ok());
            among_many(&Texts::new(text, suspects.clone()), suspects, found)
        }
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

/// What keys mean: each escaped one was read once.
struct Texts<'t> {
    text: &'t str,
    /// Those of the escaped keys, one behind the other.
    unescaped: SmallVec<[u8; ROOM]>,
    /// Where each of them ends.
    ends: SmallVec<[usize; FEW]>,
}

impl<'t> Texts<'t> {
    fn new(text: &'t str, keys: impl Iterator<Item = (u32, TapeNode)>) -> Self {
        let (mut unescaped, mut ends) = (SmallVec::new(), SmallVec::new());
        for (_, key) in keys.filter(|(_, key)| key.kind() == NodeKind::Escaped) {
            append_unescaped(&mut unescaped, content(text, &key));
            ends.push(unescaped.len());
        }
        Self { text, unescaped, ends }
    }

    /// The text of each of the same keys, in the order of the object.
    fn of<'a>(
        &'a self,
        keys: impl Iterator<Item = (u32, TapeNode)> + 'a,
    ) -> impl Iterator<Item = (u32, TapeNode, &'a [u8])> {
        let (mut start, mut ends) = (0, self.ends.iter());
        keys.map(move |(index, node)| {
            if node.kind() != NodeKind::Escaped {
                return (index, node, content(self.text, &node).as_bytes());
            }
            // INVARIANT: these are the keys whose ends were noted, in the same order.
            let end = ends.next().copied().unwrap_or_default();
            let key = self.unescaped.get(start..end).unwrap_or_default();
            start = end;
            (index, node, key)
        })
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
        let is_new = *word & mark == 0;
        *word |= mark;
        is_new
    })
}

/// The fingerprints that several of many keys have, in order. Sorting numbers takes much less than hashing texts under a random key.
fn shared_fingerprints(keys: Keys<'_>, count: usize) -> Vec<u32> {
    let mut fingerprints = Vec::with_capacity(count);
    fingerprints.extend(keys.map(|(_, key)| key.link));
    fingerprints.sort_unstable();
    let shared = fingerprints.windows(2).filter(|pair| pair.first() == pair.last());
    let mut shared: Vec<u32> = shared.filter_map(|pair| pair.first().copied()).collect();
    shared.dedup();
    shared
}

fn among_few<E>(
    texts: &Texts<'_>,
    keys: Keys<'_>,
    mut found: impl FnMut(Duplicate) -> Result<(), E>,
) -> Result<(), E> {
    let mut earlier = SmallVec::<[(u32, u32, &[u8]); FEW]>::new();
    for (second, node, key) in texts.of(keys) {
        let same = |(_, print, text): &&(u32, u32, &[u8])| *print == node.link && *text == key;
        match earlier.iter().find(same) {
            Some((first, ..)) => found(Duplicate { second, first: *first })?,
            None => earlier.push((second, node.link, key)),
        }
    }
    Ok(())
}

fn among_many<E>(
    texts: &Texts<'_>,
    keys: impl Iterator<Item = (u32, TapeNode)>,
    mut found: impl FnMut(Duplicate) -> Result<(), E>,
) -> Result<(), E> {
    // Under a random seed, chosen keys cannot be made to collide.
    let mut earlier = HashMap::<&[u8], u32, RandomState>::with_hasher(RandomState::default());
    for (second, _, key) in texts.of(keys) {
        match earlier.entry(key) {
            Entry::Occupied(first) => found(Duplicate { second, first: *first.get() })?,
            Entry::Vacant(free) => {
                free.insert(second);
            }
        }
    }
    Ok(())
}
