//! Many globs at once.
//!
//! In: globs, and a name. Out: which of them match. It narrows the candidates down by what matches must begin or end
//! with, and must not decide by that alone: each candidate is verified.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::Glob;

/// Finds the globs that match a name without trying each.
#[derive(Debug, Clone, Default)]
pub(crate) struct GlobIndex {
    globs: Box<[Glob]>,
    prefixes: Buckets,
    suffixes: Buckets,
    /// Those that begin and end with a wildcard.
    rest: Vec<u32>,
}

/// Globs by a text that their matches begin (or end) with.
#[derive(Debug, Clone, Default)]
struct Buckets {
    by_text: HashMap<Box<[u8]>, SmallVec<[u32; 4]>, RandomState>,
    /// Each length of a key, ascending.
    lengths: Vec<usize>,
}

impl Buckets {
    fn insert(&mut self, text: &str, glob: u32) {
        self.by_text.entry(text.as_bytes().into()).or_default().push(glob);
        if let Err(at) = self.lengths.binary_search(&text.len()) {
            self.lengths.insert(at, text.len());
        }
    }

    /// The globs of each bucket whose text is what `part` takes of the name.
    fn probe<'a>(&self, part: impl Fn(usize) -> Option<&'a [u8]>, mut each: impl FnMut(u32)) {
        for length in &self.lengths {
            // Lengths ascend: the name has no longer part either.
            let Some(part) = part(*length) else { return };
            for glob in self.by_text.get(part).into_iter().flatten() {
                each(*glob);
            }
        }
    }
}

impl GlobIndex {
    /// Indexes globs by their position in the slice.
    pub(crate) fn new(globs: &[Glob]) -> Self {
        let mut index = Self { globs: globs.into(), ..Self::default() };
        for (at, glob) in (0_u32..).zip(globs) {
            let mut prefixes = glob.prefixes();
            prefixes.sort_unstable();
            prefixes.dedup();
            if prefixes.iter().all(|prefix| !prefix.is_empty()) {
                for prefix in &prefixes {
                    index.prefixes.insert(prefix, at);
                }
            } else if glob.suffix.is_empty() {
                index.rest.push(at);
            } else {
                index.suffixes.insert(&glob.suffix, at);
            }
        }
        index
    }

    /// Appends the positions of all globs that match, in ascending order.
    pub(crate) fn matching(&self, name: &str, out: &mut SmallVec<[u32; 8]>) {
        let start = out.len();
        let bytes = name.as_bytes();
        let mut verify = |at: u32| {
            if self.globs.get(at as usize).is_some_and(|glob| glob.matches(name)) {
                out.push(at);
            }
        };
        self.prefixes.probe(|length| bytes.get(..length), &mut verify);
        self.suffixes.probe(|length| bytes.get(bytes.len().checked_sub(length)?..), &mut verify);
        self.rest.iter().copied().for_each(verify);
        if let Some(found) = out.get_mut(start..) {
            found.sort_unstable();
        }
        // A glob with alternatives may stand in several buckets that fit.
        let mut last = None;
        let mut kept = 0_usize;
        out.retain(|at| {
            let known = kept > start && last == Some(*at);
            kept = kept.saturating_add(1);
            last = Some(*at);
            !known
        });
    }
}
