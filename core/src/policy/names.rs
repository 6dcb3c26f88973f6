//! Exact names and what is known of each (spec 6.1).
//!
//! In: names at compile time. Out: what was kept of one, for a single look-up. Must not trust a name that is looked up: it
//! is the agent's, and may be of any length.

use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::same::same;

/// A map by exact code points. The seed is random, so that no policy is slow by design.
#[derive(Debug)]
pub(super) struct Names<T> {
    seed: foldhash::fast::RandomState,
    table: HashTable<(Box<str>, T)>,
}

impl<T: Default> Names<T> {
    /// Room for so many.
    pub(super) fn with_capacity(names: usize) -> Self {
        Self { seed: foldhash::fast::RandomState::default(), table: HashTable::with_capacity(names) }
    }

    /// What is known of `name`, to be changed: of a new one, nothing so far.
    pub(super) fn entry(&mut self, name: Box<str>) -> &mut T {
        let hash_of = |name: &str| hash(&self.seed, name);
        let entry =
            self.table.entry(hash_of(&name), |(known, _)| same(known, &name), |(known, _)| hash_of(known));
        let named = match entry {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert((name, T::default())).into_mut(),
        };
        &mut named.1
    }

    /// All names, in no order, each with what is known of it.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut T)> {
        self.table.iter_mut().map(|(name, value)| (&**name, value))
    }
}

impl<T> Names<T> {
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
