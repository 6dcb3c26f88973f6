//! Many globs at once.
//!
//! In: globs, and a name. Out: which of them match. It narrows the candidates down by what matches must begin with, end
//! with or contain, and must not decide by that alone: each candidate is verified.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::literals::{Choice, Literals};
use super::{Exhausted, Glob, Work};

/// Globs that are tried one by one: so many cost no more than to look for fewer.
const FEW: u32 = 8;
/// Work of putting one of many matches in order.
const SORT: usize = 8;

/// Finds the globs that match a name without trying each.
#[derive(Debug, Clone, Default)]
pub(crate) struct GlobIndex {
    globs: Box<[Glob]>,
    prefixes: Buckets,
    suffixes: Buckets,
    /// Those that share their beginning and end with many, or have neither.
    literals: Literals,
    /// Those of which no text is known, or so few that nothing else is worth it.
    rest: Vec<u32>,
}

/// Globs by a text that their matches begin (or end) with.
#[derive(Debug, Clone, Default)]
struct Buckets {
    by_text: HashMap<Box<[u8]>, SmallVec<[u32; 4]>, RandomState>,
    /// Each length of a key, ascending, with marks for the ends of the keys of that length: most lengths need no hash.
    lengths: Vec<(usize, [u64; 4])>,
}

/// The word and the bit that mark a key.
fn mark(key: &[u8]) -> (usize, u64) {
    let (first, last) = (key.first().copied().unwrap_or(0), key.last().copied().unwrap_or(0));
    let mixed = first.wrapping_mul(31) ^ last;
    (usize::from(mixed / 64), 1 << (mixed % 64))
}

impl Buckets {
    fn insert(&mut self, text: &str, glob: u32) {
        self.by_text.entry(text.as_bytes().into()).or_default().push(glob);
        let at = self.lengths.binary_search_by_key(&text.len(), |(length, _)| *length);
        let at = at.unwrap_or_else(|at| {
            self.lengths.insert(at, (text.len(), [0; 4]));
            at
        });
        let (word, bit) = mark(text.as_bytes());
        if let Some(word) = self.lengths.get_mut(at).and_then(|(_, marks)| marks.get_mut(word)) {
            *word |= bit;
        }
    }

    /// The globs of each bucket whose text is what `part` takes of the name.
    fn probe<'a>(
        &self,
        part: impl Fn(usize) -> Option<&'a [u8]>,
        mut each: impl FnMut(u32) -> Result<(), Exhausted>,
    ) -> Result<(), Exhausted> {
        for (length, marks) in &self.lengths {
            // Lengths ascend: the name has no longer part either.
            let Some(part) = part(*length) else { return Ok(()) };
            let (word, bit) = mark(part);
            if marks.get(word).is_none_or(|word| word & bit == 0) {
                continue;
            }
            for glob in self.by_text.get(part).into_iter().flatten() {
                each(*glob)?;
            }
        }
        Ok(())
    }
}

/// How many globs have a text at their beginning, or at their end.
#[derive(Default)]
struct Crowds<'g> {
    prefixes: HashMap<&'g str, u32, RandomState>,
    suffixes: HashMap<&'g str, u32, RandomState>,
}

impl GlobIndex {
    /// Indexes globs by their position in the list.
    pub(crate) fn new(globs: Vec<Glob>) -> Self {
        let mut index = Self::default();
        let prefixes: Vec<Vec<String>> = globs
            .iter()
            .map(|glob| {
                let mut prefixes = glob.prefixes();
                prefixes.sort_unstable();
                prefixes.dedup();
                prefixes
            })
            .collect();
        let mut crowds = Crowds::default();
        for (glob, prefixes) in globs.iter().zip(&prefixes) {
            for prefix in prefixes {
                let crowd = crowds.prefixes.entry(prefix).or_default();
                *crowd = crowd.saturating_add(1);
            }
            let crowd = crowds.suffixes.entry(&glob.suffix).or_default();
            *crowd = crowd.saturating_add(1);
        }
        let crowd = |text: &str, crowds: &HashMap<&str, u32, RandomState>| match text {
            "" => u32::MAX,
            text => crowds.get(text).copied().unwrap_or(0),
        };
        let mut crowded = Vec::new();
        for ((at, glob), prefixes) in (0_u32..).zip(&globs).zip(&prefixes) {
            let before =
                prefixes.iter().map(|prefix| crowd(prefix, &crowds.prefixes)).max().unwrap_or(u32::MAX);
            let behind = crowd(&glob.suffix, &crowds.suffixes);
            if before.min(behind) > FEW {
                crowded.push((at, before, behind));
            } else if before <= FEW {
                prefixes.iter().for_each(|prefix| index.prefixes.insert(prefix, at));
            } else {
                index.suffixes.insert(&glob.suffix, at);
            }
        }
        drop(crowds);
        let mut choice = Choice::default();
        if crowded.len() > FEW as usize {
            crowded.iter().filter_map(|(at, ..)| globs.get(*at as usize)).for_each(|glob| choice.count(glob));
        }
        for (at, before, behind) in crowded {
            let (Some(glob), Some(prefixes)) = (globs.get(at as usize), prefixes.get(at as usize)) else {
                continue;
            };
            if choice.insert(glob, at, before.min(behind)) {
                continue;
            }
            match before.min(behind) {
                u32::MAX => index.rest.push(at),
                _ if before <= behind => prefixes.iter().for_each(|prefix| index.prefixes.insert(prefix, at)),
                _ => index.suffixes.insert(&glob.suffix, at),
            }
        }
        index.literals = choice.finish();
        index.globs = globs.into();
        index
    }

    /// Appends the positions of all globs that match, in ascending order.
    ///
    /// # Errors
    /// Where that takes more work than there is; what was appended then means nothing.
    pub(crate) fn matching(
        &self,
        name: &str,
        work: &mut Work,
        out: &mut SmallVec<[u32; 8]>,
    ) -> Result<(), Exhausted> {
        let start = out.len();
        let bytes = name.as_bytes();
        let mut verify = |at: u32, work: &mut Work| {
            let Some(glob) = self.globs.get(at as usize) else { return Ok(()) };
            if glob.matches(name, work)? {
                out.push(at);
            }
            Ok(())
        };
        self.prefixes.probe(|length| bytes.get(..length), |at| verify(at, work))?;
        self.suffixes.probe(|length| bytes.get(bytes.len().checked_sub(length)?..), |at| verify(at, work))?;
        self.literals.probe(name, work, &mut verify)?;
        self.rest.iter().try_for_each(|at| verify(*at, work))?;
        let Some(found) = out.get_mut(start..).filter(|found| found.len() > 1) else { return Ok(()) };
        work.take(found.len().saturating_mul(SORT))?;
        found.sort_unstable();
        // A glob with alternatives may stand in several buckets that fit.
        let mut last = None;
        let mut kept = 0_usize;
        out.retain(|at| {
            let known = kept > start && last == Some(*at);
            kept = kept.saturating_add(1);
            last = Some(*at);
            !known
        });
        Ok(())
    }
}
