//! One shard: a table of rows for each counter that is live in it, and the schedule by which they are swept.
//!
//! In: a counter, a scope value and its hash, and a time, which never runs back. Out: how it stands. Must be called under
//! the shard's lock, and must not drop anything that a call at the current time could see (trap 28).
//!
//! Sweeping is paid for by calls: a table is swept when the schedule says that rows of it have expired, and each row
//! that a sweep leaves was charged since the sweep before.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::fixed::FixedRows;
use super::sliding::SlidingRows;
use super::sync::RandomState;
use crate::amount::Amount;
use crate::bytes::Short;
use crate::store::judge::{CounterState, Decay, Live, Seen, slot_refusal};
use crate::store::{Counter, CounterId, LiveCounter, Refusal, ScopeValue, Slot, Usage};
use crate::time::Timestamp;
use crate::window::Algorithm;

/// A scope value as a row keeps it: those of most callers lie in the row.
pub(super) type Key = Short<22>;

/// A charge to be written, with the stamp that [`Shard::standing`] gave.
pub(super) struct Charged<'c> {
    pub(super) counter: &'c Counter,
    pub(super) scope: &'c [u8],
    pub(super) stamp: Timestamp,
    pub(super) micros: i64,
}

/// Tables by counter.
pub(super) struct Shard {
    seed: RandomState,
    tables: HashTable<Table>,
    /// When to sweep which table, in milliseconds, the next one on top. An entry that is not the table's own `sweep_at`
    /// is out of date and skipped.
    schedule: Schedule,
}

type Schedule = BinaryHeap<Reverse<(i64, CounterId)>>;

struct Table {
    /// As it was declared when it was charged first.
    counter: Counter,
    /// In milliseconds; beyond [`Timestamp::MAX`] means never.
    sweep_at: i64,
    rows: Rows,
}

/// By algorithm, so that a fixed row carries nothing that it does not need.
enum Rows {
    Fixed(FixedRows),
    Sliding(SlidingRows),
}

impl Shard {
    pub(super) fn new(seed: RandomState) -> Self {
        Self { seed, tables: HashTable::new(), schedule: BinaryHeap::new() }
    }

    /// How the counter stands at `now`.
    pub(super) fn standing(
        &self,
        counter: &Counter,
        hash: u64,
        scope: &[u8],
        now: Timestamp,
    ) -> CounterState<'_> {
        match self.tables.find(table_hash(counter.id), |table| table.counter.id == counter.id) {
            Some(Table { rows: Rows::Fixed(rows), .. }) => rows.standing(counter, hash, scope, now),
            Some(Table { rows: Rows::Sliding(rows), .. }) => rows.standing(hash, scope, now),
            None if is_sliding(counter) => SlidingRows::unused(counter.window, now),
            None => FixedRows::unused(counter, now),
        }
    }

    /// Charges a counter alone, if its own bounds let it: how it stands then, or how it stands and what refused.
    #[inline]
    pub(super) fn charge_one(
        &mut self,
        slot: &Slot<'_>,
        hash: u64,
        now: Timestamp,
    ) -> (Usage, Option<Refusal>) {
        let Self { seed, tables, schedule } = self;
        let (counter, id) = (slot.counter, slot.counter.id);
        let Some(table) = tables.find_mut(table_hash(id), |table| table.counter.id == id) else {
            let scope = slot.scope.as_bytes();
            let (usage, refusal, charges) = judge_one(slot, self.standing(counter, hash, scope, now));
            if charges {
                self.charge(
                    Charged { counter, scope, stamp: usage.stamp, micros: charge_of(slot) },
                    hash,
                    now,
                );
            }
            return (usage, refusal);
        };
        let rehash = |scope: &[u8]| hash_key(seed, id, scope);
        let (usage, refusal, is_new) = match &mut table.rows {
            Rows::Fixed(rows) => rows.charge_one(slot, hash, now, rehash),
            Rows::Sliding(rows) => rows.charge_one(slot, hash, now, rehash),
        };
        if is_new {
            table.expect(usage.stamp, schedule);
        }
        (usage, refusal)
    }

    /// Charges a fixed counter that is live and stays within `max`. `None` has changed nothing.
    pub(super) fn charge_within(
        &mut self,
        counter: &Counter,
        hash: u64,
        scope: &ScopeValue,
        now: Timestamp,
        micros: i64,
        max: Amount,
    ) -> Option<Usage> {
        match self.tables.find_mut(table_hash(counter.id), |table| table.counter.id == counter.id)? {
            Table { rows: Rows::Fixed(rows), .. } => rows.charge_within(hash, scope, now, micros, max),
            Table { rows: Rows::Sliding(_), .. } => None,
        }
    }

    /// Adds to the counter at `now`, under the same lock as it was looked at. A charge of zero leaves no trace.
    pub(super) fn charge(&mut self, charged: Charged<'_>, hash: u64, now: Timestamp) {
        let Charged { counter, stamp, micros, .. } = charged;
        if micros <= 0 {
            return;
        }
        let (seed, id) = (&self.seed, counter.id);
        let rehash = |scope: &[u8]| hash_key(seed, id, scope);
        let entry = self.tables.entry(
            table_hash(id),
            |table| table.counter.id == id,
            |table| table_hash(table.counter.id),
        );
        let table = match entry {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Table::new(counter)).into_mut(),
        };
        let is_new = match &mut table.rows {
            Rows::Fixed(rows) => rows.charge(charged, hash, now, rehash),
            Rows::Sliding(rows) => rows.charge(charged, hash, now, rehash),
        };
        if is_new {
            table.expect(stamp, &mut self.schedule);
        }
    }

    /// Takes back from what was charged with this stamp.
    pub(super) fn refund(
        &mut self,
        id: CounterId,
        hash: u64,
        scope: &[u8],
        stamp: Timestamp,
        micros: i64,
        now: Timestamp,
    ) {
        match self.tables.find_mut(table_hash(id), |table| table.counter.id == id) {
            Some(Table { rows: Rows::Fixed(rows), .. }) => rows.refund(hash, scope, stamp, micros, now),
            Some(Table { rows: Rows::Sliding(rows), .. }) => rows.refund(hash, scope, stamp, micros, now),
            None => {}
        }
    }

    /// Adds what a call cost beyond its charge, which no bound refuses. What the largest amount has no room for is dropped.
    pub(super) fn add(&mut self, counter: &Counter, hash: u64, scope: &[u8], micros: i64, now: Timestamp) {
        self.tidy(now);
        let CounterState { used, stamp, decay, .. } = self.standing(counter, hash, scope, now);
        let micros = micros.min(i64::MAX.saturating_sub(used));
        let is_full = matches!(decay, Decay::Stepwise(Live { is_full: true, .. }));
        let (charged, id) = (Charged { counter, scope, stamp, micros }, counter.id);
        match self.tables.find_mut(table_hash(id), |table| table.counter.id == id) {
            Some(Table { rows: Rows::Sliding(rows), .. }) if is_full => rows.join_newest(charged, hash, now),
            _ => self.charge(charged, hash, now),
        }
    }

    /// Makes a counter hold nothing; whether it held something.
    pub(super) fn reset(&mut self, id: CounterId, hash: u64, scope: &[u8], now: Timestamp) -> bool {
        match self.tables.find_mut(table_hash(id), |table| table.counter.id == id) {
            Some(Table { rows: Rows::Fixed(rows), .. }) => rows.reset(hash, scope, now),
            Some(Table { rows: Rows::Sliding(rows), .. }) => rows.reset(hash, scope, now),
            None => false,
        }
    }

    /// Every counter that holds something.
    pub(super) fn held(&self, now: Timestamp) -> Vec<LiveCounter> {
        let mut all = Vec::new();
        for Table { counter, rows, .. } in &self.tables {
            let held = |(scope, used, resets_at): (&[u8], i64, Timestamp)| LiveCounter {
                counter: counter.clone(),
                scope: ScopeValue::from(scope),
                used: Amount::from_micros(used).unwrap_or(Amount::MAX),
                resets_at,
            };
            match rows {
                Rows::Fixed(rows) => all.extend(rows.held(now).map(held)),
                Rows::Sliding(rows) => all.extend(rows.held(now).map(held)),
            }
        }
        all
    }

    /// Sweeps the tables whose time has come.
    #[inline]
    pub(super) fn tidy(&mut self, now: Timestamp) {
        if self.schedule.peek().is_some_and(|Reverse((at, _))| *at <= now.as_millis()) {
            self.sweep_due(now);
        }
    }

    #[cold]
    fn sweep_due(&mut self, now: Timestamp) {
        while let Some(Reverse((at, id))) = self.schedule.peek().copied()
            && at <= now.as_millis()
        {
            self.schedule.pop();
            let Ok(mut entry) = self.tables.find_entry(table_hash(id), |table| table.counter.id == id) else {
                continue;
            };
            let table = entry.get_mut();
            if table.sweep_at != at {
                continue;
            }
            let before = table.rows.len();
            if before == 0 && !table.rows.remembers(now) {
                // Empty since the sweep before: nobody will miss it.
                entry.remove();
                continue;
            }
            table.rows.sweep(now);
            // Keep room for as many as there were: the next window will likely see them again.
            if table.rows.capacity() > before.saturating_mul(4).max(16) {
                let seed = &self.seed;
                table.rows.shrink_to(before, |scope| hash_key(seed, id, scope));
            }
            // Later than now even at the end of time, or this loop would not end.
            let next = table.rows.next_sweep(now).as_millis().max(now.as_millis().saturating_add(1));
            table.sweep_at = next;
            self.schedule.push(Reverse((next, id)));
        }
    }

    /// Sweeps every table and gives memory back; returns how many rows were dropped.
    pub(super) fn purge(&mut self, now: Timestamp) -> usize {
        let Self { seed, tables, schedule } = self;
        let mut dropped = 0_usize;
        tables.retain(|table| {
            let before = table.rows.len();
            table.rows.sweep(now);
            dropped = dropped.saturating_add(before.saturating_sub(table.rows.len()));
            let id = table.counter.id;
            table.rows.shrink_to(0, |scope| hash_key(seed, id, scope));
            table.rows.len() > 0 || table.rows.remembers(now)
        });
        if tables.is_empty() {
            schedule.clear();
        }
        tables.shrink_to(0, |table| table_hash(table.counter.id));
        schedule.shrink_to(tables.len());
        dropped
    }
}

impl Table {
    fn new(counter: &Counter) -> Self {
        let rows = if is_sliding(counter) {
            Rows::Sliding(SlidingRows::new(counter.window))
        } else {
            Rows::Fixed(FixedRows::new(counter))
        };
        Self { counter: counter.clone(), sweep_at: i64::MAX, rows }
    }

    /// Schedules a sweep for when a row that was charged at `stamp` can be dropped.
    fn expect(&mut self, stamp: Timestamp, schedule: &mut Schedule) {
        let expiry = self.rows.expiry(stamp).as_millis();
        if expiry < self.sweep_at {
            self.sweep_at = expiry;
            schedule.push(Reverse((expiry, self.counter.id)));
        }
    }
}

impl Rows {
    fn sweep(&mut self, now: Timestamp) {
        match self {
            Self::Fixed(rows) => rows.sweep(now),
            Self::Sliding(rows) => rows.sweep(now),
        }
    }

    fn next_sweep(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Fixed(rows) => rows.next_sweep(now),
            Self::Sliding(rows) => rows.next_sweep(now),
        }
    }

    fn expiry(&self, stamp: Timestamp) -> Timestamp {
        match self {
            Self::Fixed(rows) => rows.expiry(stamp),
            Self::Sliding(rows) => rows.expiry(stamp),
        }
    }

    /// Whether it keeps more than its rows.
    fn remembers(&self, now: Timestamp) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Sliding(rows) => rows.remembers(now),
        }
    }

    fn shrink_to(&mut self, len: usize, rehash: impl Fn(&[u8]) -> u64) {
        match self {
            Self::Fixed(rows) => rows.shrink_to(len, rehash),
            Self::Sliding(rows) => rows.shrink_to(len, rehash),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Fixed(rows) => rows.len(),
            Self::Sliding(rows) => rows.len(),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Self::Fixed(rows) => rows.capacity(),
            Self::Sliding(rows) => rows.capacity(),
        }
    }
}

/// What a slot adds to its counter, in units of 10^-6.
pub(super) fn charge_of(slot: &Slot<'_>) -> i64 {
    slot.charge.unwrap_or_default().as_micros()
}

/// What becomes of a charge alone: how the counter stands then, what refuses it, and whether there is something to write. A charge
/// of zero leaves no trace.
#[inline]
pub(super) fn judge_one(slot: &Slot<'_>, standing: CounterState<'_>) -> (Usage, Option<Refusal>, bool) {
    let added = charge_of(slot);
    let refusal = slot_refusal(0, slot, &Seen { standing, added });
    let taken = refusal.is_none();
    (standing.usage(if taken { added } else { 0 }), refusal, taken && added > 0)
}

/// The hash of a counter's key: made once for each slot, and used for the shard and for the row within its table.
#[inline]
pub(super) fn hash_key(seed: &RandomState, id: CounterId, scope: &[u8]) -> u64 {
    let mut hasher = seed.build_hasher();
    hasher.write_u64(table_hash(id));
    hasher.write(scope);
    hasher.finish()
}

/// An id is evenly distributed already.
fn table_hash(id: CounterId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = id.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// An algorithm that this store does not know would have to be exact, and a log is.
fn is_sliding(counter: &Counter) -> bool {
    !matches!(counter.algorithm, Algorithm::Fixed)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]
impl Shard {
    /// How many tables, rows and scheduled sweeps it holds.
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.tables.len(), self.tables.iter().map(|table| table.rows.len()).sum(), self.schedule.len())
    }

    /// Bytes that its fixed rows take, keys included, as the system's allocator rounds them.
    pub(super) fn bytes(&self) -> usize {
        let fixed = self.tables.iter().filter_map(|table| match &table.rows {
            Rows::Fixed(rows) => Some(rows.sizes()),
            Rows::Sliding(_) => None,
        });
        let chunk = |bytes: usize| if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) };
        fixed.map(|(table, keys)| chunk(table) + keys.map(chunk).sum::<usize>()).sum()
    }
}
