//! Globs by a few bytes that every match contains.
//!
//! In: globs whose beginnings and ends tell little, and names. Out: the globs whose bytes the name has. It chooses for
//! each glob the bytes that the fewest others have. It must not take more than one pass over a name, however often the
//! name repeats what a glob wants.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::Glob;

/// Bytes of a gram, by class: a text has grams of the longest width that it fills.
const WIDTHS: [usize; 4] = [1, 2, 4, 8];
/// Counters for each glob while choosing, and the most there are: a large policy counts less exactly.
const COUNTERS: usize = 16;
const MOST_COUNTERS: usize = 1 << 20;
/// Bits of a filter for each gram: of the grams that no glob wants one in so many is looked up.
const FILTER_BITS: usize = 16;

#[derive(Debug, Clone, Default)]
pub(super) struct Grams {
    classes: Vec<Class>,
    buckets: Vec<SmallVec<[u32; 4]>>,
}

/// The grams of one width.
#[derive(Debug, Clone, Default)]
struct Class {
    width: usize,
    /// One bit for some of the grams; its length is a power of two.
    filter: Box<[u64]>,
    by_gram: HashMap<u64, u32, RandomState>,
}

/// Spreads a gram over the upper bits.
fn spread(gram: u64) -> u64 {
    // The golden ratio.
    gram.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The last `width` bytes of those shifted in.
fn last(bytes: u64, width: usize) -> u64 {
    let unused = 64_u32.saturating_sub(u32::try_from(width).unwrap_or(8).saturating_mul(8));
    bytes & u64::MAX.checked_shr(unused).unwrap_or(0)
}

/// Calls `each` with every gram of `width` bytes.
fn grams(text: &[u8], width: usize, mut each: impl FnMut(u64)) {
    let mut bytes = 0_u64;
    for (at, byte) in (1_usize..).zip(text) {
        bytes = bytes << 8 | u64::from(*byte);
        if at >= width {
            each(last(bytes, width));
        }
    }
}

/// Calls `each` with the class and the grams of every text that all matches contain.
fn wanted(glob: &Glob, mut each: impl FnMut(usize, u64)) {
    for text in glob.literals() {
        let class = WIDTHS.iter().enumerate().rfind(|(_, width)| **width <= text.len());
        if let Some((class, width)) = class {
            grams(text.as_bytes(), *width, |gram| each(class, gram));
        }
    }
}

/// Chooses grams: first all globs are counted, then each is inserted.
pub(super) struct Sketch {
    /// How many globs have a gram, by its hash: others may be counted with it, which only makes for a worse choice.
    counts: Vec<u32>,
    classes: [Class; WIDTHS.len()],
    buckets: Vec<SmallVec<[u32; 4]>>,
}

impl Grams {
    pub(super) fn sketch(globs: usize) -> Sketch {
        let counters = globs.saturating_mul(COUNTERS).clamp(1, MOST_COUNTERS).next_power_of_two();
        let classes = WIDTHS.map(|width| Class { width, ..Class::default() });
        Sketch { counts: vec![0; counters], classes, buckets: Vec::new() }
    }

    /// Calls `each` with the globs whose gram is in the name, each once.
    pub(super) fn probe(&self, name: &[u8], mut each: impl FnMut(u32)) {
        if self.classes.is_empty() {
            return;
        }
        let mut found: SmallVec<[u32; 16]> = SmallVec::new();
        for class in &self.classes {
            let slots = (class.filter.len() as u64).wrapping_sub(1);
            grams(name, class.width, |gram| {
                let mixed = spread(gram);
                let word = class.filter.get((mixed >> 32 & slots) as usize).copied().unwrap_or(0);
                if word >> (mixed >> 58) & 1 != 0 {
                    found.extend(class.by_gram.get(&gram).copied());
                }
            });
        }
        found.sort_unstable();
        found.dedup();
        for bucket in found {
            self.buckets.get(bucket as usize).into_iter().flatten().copied().for_each(&mut each);
        }
    }
}

impl Sketch {
    fn slot(counts: &[u32], class: usize, gram: u64) -> usize {
        (spread(gram ^ class as u64) >> 32) as usize & counts.len().saturating_sub(1)
    }

    pub(super) fn count(&mut self, glob: &Glob) {
        wanted(glob, |class, gram| {
            let slot = Self::slot(&self.counts, class, gram);
            if let Some(count) = self.counts.get_mut(slot) {
                *count = count.saturating_add(1);
            }
        });
    }

    /// Files a glob by its rarest gram. False if that is shared by `crowd` globs or more, or none was counted.
    pub(super) fn insert(&mut self, glob: &Glob, at: u32, crowd: u32) -> bool {
        let mut rarest: Option<(u32, usize, u64)> = None;
        wanted(glob, |class, gram| {
            let count = self.counts.get(Self::slot(&self.counts, class, gram)).copied().unwrap_or(0);
            if rarest.is_none_or(|(least, ..)| count < least) {
                rarest = Some((count, class, gram));
            }
        });
        let Some((count, class, gram)) = rarest else { return false };
        if count == 0 || count >= crowd {
            return false;
        }
        if let Some(class) = self.classes.get_mut(class) {
            let next = u32::try_from(self.buckets.len()).unwrap_or(u32::MAX);
            let bucket = *class.by_gram.entry(gram).or_insert(next);
            if bucket == next {
                self.buckets.push(SmallVec::new());
            }
            if let Some(bucket) = self.buckets.get_mut(bucket as usize) {
                bucket.push(at);
            }
        }
        true
    }

    pub(super) fn finish(self) -> Grams {
        let mut classes = Vec::new();
        for mut class in self.classes.into_iter().filter(|class| !class.by_gram.is_empty()) {
            let words = (class.by_gram.len().saturating_mul(FILTER_BITS) / 64).max(1).next_power_of_two();
            let mut filter = vec![0_u64; words];
            for gram in class.by_gram.keys() {
                let mixed = spread(*gram);
                if let Some(word) = filter.get_mut((mixed >> 32) as usize & words.saturating_sub(1)) {
                    *word |= 1 << (mixed >> 58);
                }
            }
            class.filter = filter.into();
            classes.push(class);
        }
        Grams { classes, buckets: self.buckets }
    }
}
