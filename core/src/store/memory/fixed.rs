//! The counters of one declaration that count from the start of a fixed window, one row for each scope value.
//!
//! In: a scope value with its hash, and a time, which never runs back. Out: how the counter stands.

use hashbrown::HashTable;

use super::shard::{Charged, Key, judge_one};
use crate::amount::Amount;
use crate::store::judge::{CounterState, Decay};
use crate::store::{Counter, Refusal, ScopeValue, Slot, Usage};
use crate::time::Timestamp;

/// The rows. A row is 40 bytes; a long key is its only allocation.
pub(super) struct FixedRows {
    counter: Counter,
    /// Start and end of the window that was asked for last: a month takes longer to compute than to charge. Of a zoned counter it is
    /// the one that was charged last, and holds up to its end whatever another caller computes (spec 8.17).
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
    pub(super) fn new(counter: &Counter) -> Self {
        Self { counter: counter.clone(), recent: (Timestamp::MIN, Timestamp::MIN), rows: HashTable::new() }
    }

    /// How a counter stands that nobody has charged.
    pub(super) fn unused(counter: &Counter, now: Timestamp) -> CounterState<'static> {
        let (stamp, resets_at) = counter.window_at(now);
        CounterState { used: 0, stamp, resets_at, decay: Decay::AtOnce }
    }

    /// How a counter stands, which the caller declares as `counter`.
    pub(super) fn standing(
        &self,
        counter: &Counter,
        hash: u64,
        scope: &[u8],
        now: Timestamp,
    ) -> CounterState<'static> {
        let (stamp, resets_at) = self.window_of(counter, now);
        let unused = CounterState { used: 0, stamp, resets_at, decay: Decay::AtOnce };
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
        let window = self.current(now).unwrap_or_else(|| self.window_of(slot.counter, now));
        let unused = CounterState { used: 0, stamp: window.0, resets_at: window.1, decay: Decay::AtOnce };
        let Some(row) = self.rows.find_mut(hash, |row| row.scope.is(&slot.scope.0)) else {
            let (usage, refusal, charges) = judge_one(slot, unused);
            if charges {
                let (scope, used) = (slot.scope.as_bytes().into(), usage.used.as_micros());
                let row = Row { scope, start: usage.stamp, used };
                self.rows.insert_unique(hash, row, |row| rehash(&row.scope));
                self.recent = window;
            }
            return (usage, refusal, charges);
        };
        let (usage, refusal, charges) = judge_one(slot, row.standing(unused));
        if charges {
            (row.start, row.used) = (usage.stamp, usage.used.as_micros());
            self.recent = window;
        }
        (usage, refusal, false)
    }

    /// Start and end of the window at `now`; of a zoned counter only of one that was charged, so that a look or a refused charge
    /// begins none.
    #[inline]
    fn current(&mut self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        if !self.is_recent(now) {
            if self.counter.zone().is_some() {
                return None;
            }
            self.recent = self.counter.window_at(now);
        }
        Some(self.recent)
    }

    /// Whether the noted window holds `now`. One that ends with time itself does not end (spec 8.18).
    #[inline]
    fn is_recent(&self, now: Timestamp) -> bool {
        let (began, ends) = self.recent;
        began <= now && (now < ends || ends == Timestamp::MAX)
    }

    /// Start and end of the window at `now` for a caller that declares the counter as `counter`.
    fn window_of(&self, counter: &Counter, now: Timestamp) -> (Timestamp, Timestamp) {
        if self.is_recent(now) {
            return self.recent;
        }
        let (start, end) = counter.window_at(now);
        let (_, ended) = self.recent;
        if counter.zone().is_some() { (start.max(ended), end) } else { (start, end) }
    }

    /// The same, where no caller declares it. What was charged before lies in none that a caller could still begin.
    fn window_at(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        self.window_of(&self.counter, now)
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
        let (start, resets_at) = self.current(now)?;
        let row = self.rows.find_mut(hash, |row| row.scope.is(&scope.0))?;
        let (stamp, held) = if row.start >= start { (row.start, row.used) } else { (start, 0) };
        let used = Amount::from_micros(held.checked_add(micros)?).filter(|used| *used <= max)?;
        (row.start, row.used) = (stamp, used.as_micros());
        Some(Usage { used, resets_at, stamp })
    }

    /// Charges the window of `stamp`, as [`Self::standing`] said it at `now`; true if that made a row.
    pub(super) fn charge(
        &mut self,
        slot: Charged<'_>,
        hash: u64,
        now: Timestamp,
        rehash: impl Fn(&[u8]) -> u64,
    ) -> bool {
        let Charged { counter, scope, stamp, micros } = slot;
        self.recent = self.window_of(counter, now);
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
        if stamp >= self.window_at(now).0
            && let Some(row) = self.rows.find_mut(hash, |row| *row.scope == *scope)
            && row.start == stamp
        {
            row.used = row.used.saturating_sub(micros).max(0);
        }
    }

    /// Drops what was charged in the running window, and returns whether there was something.
    pub(super) fn reset(&mut self, hash: u64, scope: &[u8], now: Timestamp) -> bool {
        let (current, end) = self.window_at(now);
        match self.rows.find_mut(hash, |row| *row.scope == *scope) {
            Some(row) if row.start >= current && row.used > 0 => {
                let last = end.plus_millis(-1);
                (row.start, row.used) = (row.start.plus_millis(1).min(last), 0);
                true
            }
            _ => false,
        }
    }

    /// Every row that holds something: its scope value, what it holds, and when it will hold nothing.
    pub(super) fn held(&self, now: Timestamp) -> impl Iterator<Item = (&[u8], i64, Timestamp)> {
        let (current, resets_at) = self.window_at(now);
        let holds = move |row: &&Row| row.start >= current && row.used > 0;
        self.rows.iter().filter(holds).map(move |row| (&*row.scope, row.used, resets_at))
    }

    /// Drops the rows whose window has ended. At the first call of a new window that is all of them, so a row is
    /// looked at once in its life.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        let (current, ends) = self.window_at(now);
        // In a window that does not end, one that holds nothing and was never reset is as good as none.
        let idle = |row: &Row| ends == Timestamp::MAX && row.start == current && row.used == 0;
        self.rows.retain(|row| row.start >= current && !idle(row));
    }

    /// When a row that was charged at `stamp` can be dropped.
    pub(super) fn expiry(&self, stamp: Timestamp) -> Timestamp {
        self.window_at(stamp).1
    }

    /// When to sweep again after a sweep at `now`: when the oldest row left can be dropped.
    pub(super) fn next_sweep(&self, now: Timestamp) -> Timestamp {
        let oldest = self.rows.iter().map(|row| row.start).min();
        self.expiry(oldest.unwrap_or(now))
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
