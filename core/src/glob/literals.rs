//! Globs by a text that every match contains.
//!
//! In: globs whose beginnings and ends tell little, and names. Out: the globs whose text the name has, by one pass over it. It
//! chooses for each glob the text that the fewest others have. It must not decide: each glob that it finds is verified.

use aho_corasick::{AhoCorasick, MatchKind};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::Glob;
use super::work::{Exhausted, Work};

/// Bytes of a text: more tell few globs apart, and each takes memory.
const BYTES: usize = 8;

type Text = SmallVec<[u8; BYTES]>;

#[derive(Debug, Clone, Default)]
pub(super) struct Literals {
    automaton: Option<AhoCorasick>,
    /// The globs of each text.
    buckets: Vec<SmallVec<[u32; 4]>>,
}

/// Chooses texts: first all globs are counted, then each is inserted.
#[derive(Default)]
pub(super) struct Choice {
    counts: HashMap<Text, u32, RandomState>,
    by_text: HashMap<Text, usize, RandomState>,
    buckets: Vec<SmallVec<[u32; 4]>>,
}

/// Calls `each` with the first and the last bytes of every text that all matches contain.
fn wanted(glob: &Glob, mut each: impl FnMut(Text)) {
    for literal in glob.literals() {
        let text = literal.as_bytes();
        let first = text.get(..BYTES).unwrap_or(text);
        each(first.into());
        if let Some(last) = text.len().checked_sub(BYTES).filter(|at| *at > 0).and_then(|at| text.get(at..)) {
            each(last.into());
        }
    }
}

impl Choice {
    pub(super) fn count(&mut self, glob: &Glob) {
        wanted(glob, |text| {
            let count = self.counts.entry(text).or_default();
            *count = count.saturating_add(1);
        });
    }

    /// Files a glob by its rarest text. False if that is shared by `crowd` globs or more, or none was counted.
    pub(super) fn insert(&mut self, glob: &Glob, at: u32, crowd: u32) -> bool {
        let mut rarest: Option<(u32, Text)> = None;
        wanted(glob, |text| {
            let count = self.counts.get(&text).copied().unwrap_or(u32::MAX);
            if rarest.as_ref().is_none_or(|(least, _)| count < *least) {
                rarest = Some((count, text));
            }
        });
        let Some((_, text)) = rarest.filter(|(count, _)| *count < crowd) else { return false };
        let next = self.buckets.len();
        let bucket = *self.by_text.entry(text).or_insert(next);
        if bucket == next {
            self.buckets.push(SmallVec::new());
        }
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.push(at);
        }
        true
    }

    /// What finds them; without an automaton, which only more texts than can be numbered have not, it finds all.
    pub(super) fn finish(self) -> Literals {
        let mut texts: Vec<(usize, Text)> =
            self.by_text.into_iter().map(|(text, bucket)| (bucket, text)).collect();
        texts.sort_unstable_by_key(|(bucket, _)| *bucket);
        let texts = texts.iter().map(|(_, text)| text);
        let automaton = if self.buckets.is_empty() {
            None
        } else {
            AhoCorasick::builder().match_kind(MatchKind::Standard).build(texts).ok()
        };
        Literals { automaton, buckets: self.buckets }
    }
}

impl Literals {
    /// Calls `each` with the globs whose text is in the name, each once.
    pub(super) fn probe(
        &self,
        name: &str,
        work: &mut Work,
        mut each: impl FnMut(u32, &mut Work) -> Result<(), Exhausted>,
    ) -> Result<(), Exhausted> {
        if self.buckets.is_empty() {
            return Ok(());
        }
        let mut found: SmallVec<[u32; 16]> = SmallVec::new();
        match &self.automaton {
            Some(automaton) => {
                work.take(name.len())?;
                for text in automaton.try_find_overlapping_iter(name).map_err(|_| Exhausted)? {
                    work.take(1)?;
                    found.push(text.pattern().as_u32());
                }
                found.sort_unstable();
                found.dedup();
            }
            None => found.extend((0_u32..).zip(&self.buckets).map(|(bucket, _)| bucket)),
        }
        for bucket in found {
            for glob in self.buckets.get(bucket as usize).into_iter().flatten() {
                each(*glob, work)?;
            }
        }
        Ok(())
    }
}
