//! The counters of one declaration that count from the start of a fixed window, one row for each scope value.
//!
//! In: a scope value with its hash, and a time, which never runs back. Out: how the counter stands.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::shard::{Key, judge_one};
use crate::amount::Amount;
use crate::store::judge::{CounterState, Decay};
use crate::store::{Refusal, ScopeValue, Slot, Usage};
use crate::time::Timestamp;
use crate::window::Window;

/// The rows. A row is 40 bytes; a long key is its only allocation.
pub(super) struct FixedRows {
    window: Window,
    /// Start and end of the window that was charged last: a month takes longer to compute than to charge.
    recent: (Timestamp, Timestamp),
    rows: HashTable<Row>,
}

struct Row {
    scope: Key,
    /// Start of the window that it counts; a millisecond later for each time that it was reset in it, so that a refund
    /// of what was charged before finds no window.
    start: Timestamp,
    /// What was charged in it, in units of 10^-6.
    used: i64,
}

impl Row {
    /// How its counter stands, where it would stand so without a charge in the window.
    fn standing(&self, unused: CounterState<'static>) -> CounterState<'static> {
        if self.start >= unused.stamp {
            CounterState { used: self.used, stamp: self.start, ..unused }
        } else {
            unused
        }
    }
}

impl FixedRows {
    pub(super) fn new(window: Window) -> Self {
        Self { window, recent: (Timestamp::MIN, Timestamp::MIN), rows: HashTable::new() }
    }

    /// How a counter stands that nobody has charged.
    pub(super) fn unused(window: Window, now: Timestamp) -> CounterState<'static> {
        let start = window.start(now);
        CounterState { used: 0, stamp: start, resets_at: window.end(start), decay: Decay::AtOnce }
    }

    pub(super) fn standing(&self, hash: u64, scope: &[u8], now: Timestamp) -> CounterState<'static> {
        let unused = Self::unused(self.window, now);
        match self.rows.find(hash, |row| *row.scope == *scope) {
            Some(row) => row.standing(unused),
            None => unused,
        }
    }

    /// Charges a counter alone, if its own bounds let it; says how it stands then, what refused, and whether that made a row.
    #[inline]
    pub(super) fn charge_one(
        &mut self,
        slot: &Slot<'_>,
        hash: u64,
        now: Timestamp,
        rehash: impl Fn(&[u8]) -> u64,
    ) -> (Usage, Option<Refusal>, bool) {
        let (start, resets_at) = self.current(now);
        let unused = CounterState { used: 0, stamp: start, resets_at, decay: Decay::AtOnce };
        let entry = self.rows.entry(hash, |row| row.scope.is(&slot.scope.0), |row| rehash(&row.scope));
        let standing = match &entry {
            Entry::Occupied(entry) => entry.get().standing(unused),
            Entry::Vacant(_) => unused,
        };
        let (usage, refusal, charges) = judge_one(slot, standing);
        let is_new = charges && matches!(entry, Entry::Vacant(_));
        let (start, used) = (usage.stamp, usage.used.as_micros());
        match entry {
            Entry::Occupied(entry) if charges => {
                let row = entry.into_mut();
                (row.start, row.used) = (start, used);
            }
            Entry::Vacant(entry) if charges => {
                entry.insert(Row { scope: slot.scope.as_bytes().into(), start, used });
            }
            Entry::Occupied(_) | Entry::Vacant(_) => {}
        }
        (usage, refusal, is_new)
    }

    /// Start and end of the window at `now`.
    fn current(&mut self, now: Timestamp) -> (Timestamp, Timestamp) {
        if now < self.recent.0 || now >= self.recent.1 {
            let start = self.window.start(now);
            self.recent = (start, self.window.end(start));
        }
        self.recent
    }

    /// Charges an existing row, if that leaves it within `max`: the usual call, with one look-up. `None` has changed nothing;
    /// the call is then judged.
    pub(super) fn charge_within(
        &mut self,
        hash: u64,
        scope: &ScopeValue,
        now: Timestamp,
        micros: i64,
        max: Amount,
    ) -> Option<Usage> {
        if micros <= 0 {
            return None;
        }
        let (start, resets_at) = self.current(now);
        let row = self.rows.find_mut(hash, |row| row.scope.is(&scope.0))?;
        let (stamp, held) = if row.start >= start { (row.start, row.used) } else { (start, 0) };
        let used = Amount::from_micros(held.checked_add(micros)?).filter(|used| *used <= max)?;
        (row.start, row.used) = (stamp, used.as_micros());
        Some(Usage { used, resets_at, stamp })
    }

    /// Charges the window of `stamp`, as [`Self::standing`] said it; true if that made a row.
    pub(super) fn charge(
        &mut self,
        hash: u64,
        scope: &[u8],
        stamp: Timestamp,
        micros: i64,
        rehash: impl Fn(&[u8]) -> u64,
    ) -> bool {
        match self.rows.find_mut(hash, |row| *row.scope == *scope) {
            Some(row) if row.start == stamp => row.used = row.used.saturating_add(micros),
            Some(row) => (row.start, row.used) = (stamp, micros),
            None => {
                let row = Row { scope: scope.into(), start: stamp, used: micros };
                self.rows.insert_unique(hash, row, |row| rehash(&row.scope));
                return true;
            }
        }
        false
    }

    /// Takes back from the window of `stamp`, if that has not ended (trap 24).
    pub(super) fn refund(&mut self, hash: u64, scope: &[u8], stamp: Timestamp, micros: i64, now: Timestamp) {
        if stamp >= self.window.start(now)
            && let Some(row) = self.rows.find_mut(hash, |row| *row.scope == *scope)
            && row.start == stamp
        {
            row.used = row.used.saturating_sub(micros).max(0);
        }
    }

    /// Drops what was charged in the running window, and returns whether there was something.
    pub(super) fn reset(&mut self, hash: u64, scope: &[u8], now: Timestamp) -> bool {
        let current = self.window.start(now);
        match self.rows.find_mut(hash, |row| *row.scope == *scope) {
            Some(row) if row.start >= current && row.used > 0 => {
                let last = self.window.end(current).plus_millis(-1);
                (row.start, row.used) = (row.start.plus_millis(1).min(last), 0);
                true
            }
            _ => false,
        }
    }

    /// Every row that holds something: its scope value, what it holds, and when it will hold nothing.
    pub(super) fn held(&self, now: Timestamp) -> impl Iterator<Item = (&[u8], i64, Timestamp)> {
        let current = self.window.start(now);
        let resets_at = self.window.end(current);
        let holds = move |row: &&Row| row.start >= current && row.used > 0;
        self.rows.iter().filter(holds).map(move |row| (&*row.scope, row.used, resets_at))
    }

    /// Drops the rows whose window has ended. At the first call of a new window that is all of them, so a row is
    /// looked at once in its life.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        let current = self.window.start(now);
        self.rows.retain(|row| row.start >= current);
    }

    /// When a row that was charged at `stamp` can be dropped.
    pub(super) fn expiry(&self, stamp: Timestamp) -> Timestamp {
        self.window.end(stamp)
    }

    /// When to sweep again after a sweep at `now`: when the oldest row left can be dropped.
    pub(super) fn next_sweep(&self, now: Timestamp) -> Timestamp {
        let oldest = self.rows.iter().map(|row| row.start).min();
        self.window.end(oldest.unwrap_or_else(|| self.window.start(now)))
    }

    pub(super) fn shrink_to(&mut self, rows: usize, rehash: impl Fn(&[u8]) -> u64) {
        self.rows.shrink_to(rows, |row| rehash(&row.scope));
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.rows.capacity()
    }

    /// Bytes of the table, and those of each key that lie elsewhere.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, impl Iterator<Item = usize>) {
        let apart = |row: &Row| if matches!(row.scope, Key::Apart(_)) { row.scope.len() } else { 0 };
        (self.rows.allocation_size(), self.rows.iter().map(apart))
    }
}
