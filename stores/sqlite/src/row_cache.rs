//! A cache of rows of fixed windows, so that a charge need not read what this process wrote.
//!
//! In: rows that were read, and what was added to them. Out: rows. Each transaction asks, with the write lock held, whether
//! another connection has written since; if so the cache is dropped. Must not grow with the counters.

use std::hash::{BuildHasher as _, RandomState};

use callgate::store::{ScopeValue, Slot};
use rusqlite::{Connection, Result};

use crate::rows::{Key, Row};

/// Rows in the cache, a power of two: some 100 KiB. It is direct-mapped: a new row evicts the one in its place.
const PLACES: usize = 1 << 10;

pub(crate) struct RowCache {
    seed: RandomState,
    places: Box<[Option<Entry>]>,
    /// SQLite's `data_version`, which changes when another connection has written.
    version: i64,
    /// The generation of what is cached.
    era: u64,
}

struct Entry {
    era: u64,
    space: i64,
    id: [u8; 16],
    scope: ScopeValue,
    row: Row,
}

impl RowCache {
    /// An empty cache.
    pub(crate) fn new() -> Self {
        let places = (0..PLACES).map(|_| None).collect();
        Self { seed: RandomState::default(), places, version: 0, era: 0 }
    }

    /// Drops the cache if another connection has written, and returns whether one has or may have. Call it once in each
    /// transaction, when it holds the write lock.
    pub(crate) fn confirm(&mut self, connection: &Connection) -> Result<bool> {
        let mut ask = connection.prepare_cached("PRAGMA data_version")?;
        let version = ask.query_row([], |row| row.get(0))?;
        let is_changed = version != self.version;
        if is_changed {
            self.version = version;
            self.forget_all();
        }
        Ok(is_changed)
    }

    /// The row of a slot's counter, from the file if it is not cached.
    pub(crate) fn row(
        &mut self,
        connection: &Connection,
        key: &Key<'_>,
        slot: &Slot<'_>,
    ) -> Result<Option<Row>> {
        let era = self.era;
        let Some(place) = self.place(key) else { return key.row(connection) };
        if let Some(entry) = place
            && entry.is(era, key)
        {
            return Ok(Some(entry.row));
        }
        let row = key.row(connection)?;
        if let Some(row) = row {
            *place = Some(Entry { era, space: key.space, id: *key.id, scope: slot.scope.clone(), row });
        }
        Ok(row)
    }

    /// The row was written.
    pub(crate) fn set(&mut self, key: &Key<'_>, slot: &Slot<'_>, row: Row) {
        let era = self.era;
        let Some(place) = self.place(key) else { return };
        match place {
            Some(entry) if entry.is(era, key) => entry.row = row,
            _ => *place = Some(Entry { era, space: key.space, id: *key.id, scope: slot.scope.clone(), row }),
        }
    }

    /// The row was changed in another way, or is gone.
    pub(crate) fn forget(&mut self, key: &Key<'_>) {
        let era = self.era;
        if let Some(place) = self.place(key)
            && place.as_ref().is_some_and(|entry| entry.is(era, key))
        {
            *place = None;
        }
    }

    /// Any row may have been changed.
    pub(crate) fn forget_all(&mut self) {
        self.era = self.era.wrapping_add(1);
    }

    fn place(&mut self, key: &Key<'_>) -> Option<&mut Option<Entry>> {
        let hash = self.seed.hash_one((key.space, key.id, key.scope));
        let index = usize::try_from(hash & (PLACES as u64).wrapping_sub(1)).unwrap_or_default();
        self.places.get_mut(index)
    }
}

impl Entry {
    fn is(&self, era: u64, key: &Key<'_>) -> bool {
        self.era == era && self.space == key.space && self.id == *key.id && self.scope.as_bytes() == key.scope
    }
}
