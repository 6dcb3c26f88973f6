//! Exact names and what is known of each (spec 6.1).
//!
//! In: names at compile time. Out: what was kept of one, for a single look-up. Must not trust a name that is looked up: it
//! is the agent's, and may be of any length.

use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;

use crate::same::same;

/// A map by exact code points. The seed is random, so that no policy is slow by design.
#[derive(Debug)]
pub(super) struct Names<T> {
    seed: foldhash::fast::RandomState,
    table: HashTable<(Box<str>, T)>,
}

impl<T> Names<T> {
    /// A map of names that are all different.
    pub(super) fn new(names: impl ExactSizeIterator<Item = (Box<str>, T)>) -> Self {
        let seed = foldhash::fast::RandomState::default();
        let mut table = HashTable::with_capacity(names.len());
        for named in names {
            table.insert_unique(hash(&seed, &named.0), named, |(name, _)| hash(&seed, name));
        }
        Self { seed, table }
    }

    /// What is known of `name`.
    #[inline]
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.table.find(hash(&self.seed, name), |(known, _)| same(known, name)).map(|(_, value)| value)
    }
}

/// Of the bytes alone: the end mark that `str` hashes behind them would be a second round for nothing.
#[inline]
fn hash(seed: &foldhash::fast::RandomState, name: &str) -> u64 {
    let mut hasher = seed.build_hasher();
    hasher.write(name.as_bytes());
    hasher.finish()
}
