//! The counters of one declaration that count over the interval that ends now, one row for each scope value.
//!
//! In: a scope value with its hash, and a time, which never runs back. Out: how the counter stands. Each row keeps a log
//! of its charges, so that the sum over any half-open interval of the window's length is exact, but for the quarters of an hour of
//! one longer than a day (spec 8.3). Must not keep
//! more than [`SLIDING_CHARGES`](crate::ceilings::SLIDING_CHARGES) live ones; the judge refuses before that.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::shard::{Charged, Key, charge_of, judge_one};
use crate::ceilings::SLIDING_CHARGES;
use crate::store::judge::{Charge, CounterState, Decay, Live, charged_at, live_millis};
use crate::store::{Refusal, Slot, Usage};
use crate::time::Timestamp;
use crate::window::Window;

/// The rows.
pub(super) struct SlidingRows {
    /// For how long a charge is live, in milliseconds.
    length: i64,
    /// The earliest stamp of a charge: after a reset it is later than any that was reset, so that a refund of what was charged before
    /// finds nothing. The store's time alone does not see to that where charges of a quarter of an hour have one stamp.
    from: Timestamp,
    rows: HashTable<Row>,
}

struct Row {
    scope: Key,
    /// Times strictly ascend, and no entry is zero.
    charges: VecDeque<Charge>,
    /// Of all entries, expired ones included; at most [`i64::MAX`], because a charge first drops what has expired.
    sum: i64,
}

impl SlidingRows {
    pub(super) fn new(window: Window) -> Self {
        Self { length: live_millis(window), from: Timestamp::MIN, rows: HashTable::new() }
    }

    /// How a counter stands that nobody has charged.
    pub(super) fn unused(window: Window, now: Timestamp) -> CounterState<'static> {
        unused(live_millis(window), now)
    }

    pub(super) fn standing(&self, hash: u64, scope: &[u8], now: Timestamp) -> CounterState<'_> {
        match self.rows.find(hash, |row| *row.scope == *scope) {
            Some(row) => row.standing(self.length, self.stamp(now), now),
            None => CounterState { stamp: self.stamp(now), ..unused(self.length, now) },
        }
    }

    /// What a charge at `now` is stamped with.
    fn stamp(&self, now: Timestamp) -> Timestamp {
        charged_at(self.length, now).max(self.from)
    }

    /// Charges a counter alone, if its own bounds let it; says how it stands then, what refused, and whether that made a row.
    pub(super) fn charge_one(
        &mut self,
        slot: &Slot<'_>,
        hash: u64,
        now: Timestamp,
        rehash: impl Fn(&[u8]) -> u64,
    ) -> (Usage, Option<Refusal>, bool) {
        let (length, stamp) = (self.length, self.stamp(now));
        let charge = |usage: &Usage| Charge { at: usage.stamp.as_millis(), micros: charge_of(slot) };
        let Some(row) = self.rows.find_mut(hash, |row| row.scope.is(&slot.scope.0)) else {
            let (usage, refusal, charges) = judge_one(slot, CounterState { stamp, ..unused(length, now) });
            if charges {
                let row = Row::of(slot.scope.as_bytes(), charge(&usage));
                self.rows.insert_unique(hash, row, |row| rehash(&row.scope));
            }
            return (usage, refusal, charges);
        };
        let (usage, refusal, charges) = judge_one(slot, row.standing(length, stamp, now));
        if charges {
            row.push(charge(&usage), cut(length, now));
        }
        (usage, refusal, false)
    }

    /// Charges at the time `stamp`, as [`Self::standing`] said it at `now`; true if that made a row.
    pub(super) fn charge(
        &mut self,
        charged: Charged<'_>,
        hash: u64,
        now: Timestamp,
        rehash: impl Fn(&[u8]) -> u64,
    ) -> bool {
        let Charged { scope, stamp, micros, .. } = charged;
        let charge = Charge { at: stamp.as_millis(), micros };
        if let Some(row) = self.rows.find_mut(hash, |row| *row.scope == *scope) {
            row.push(charge, cut(self.length, now));
            return false;
        }
        self.rows.insert_unique(hash, Row::of(scope, charge), |row| rehash(&row.scope));
        true
    }

    /// Adds to the newest charge, which then counts from `stamp`.
    pub(super) fn join_newest(&mut self, charged: Charged<'_>, hash: u64, now: Timestamp) {
        let Charged { scope, stamp, micros, .. } = charged;
        let cut = cut(self.length, now);
        if micros > 0
            && let Some(row) = self.rows.find_mut(hash, |row| *row.scope == *scope)
        {
            row.drop_expired(cut);
            if let Some(newest) = row.charges.back_mut() {
                newest.at = newest.at.max(stamp.as_millis());
                newest.micros = newest.micros.saturating_add(micros);
                row.sum = row.sum.saturating_add(micros);
            }
        }
    }

    /// Takes back from the charge at the time `stamp`, if that is live.
    pub(super) fn refund(&mut self, hash: u64, scope: &[u8], stamp: Timestamp, micros: i64, now: Timestamp) {
        if let Some(row) = self.rows.find_mut(hash, |row| *row.scope == *scope)
            && stamp.as_millis() > cut(self.length, now)
        {
            row.take_back(stamp.as_millis(), micros);
        }
    }

    /// Drops all charges, and returns whether one was live.
    pub(super) fn reset(&mut self, hash: u64, scope: &[u8], now: Timestamp) -> bool {
        let Ok(row) = self.rows.find_entry(hash, |row| *row.scope == *scope) else { return false };
        let (row, _) = row.remove();
        let last = row.charges.back().map_or(Timestamp::MIN, |charge| Timestamp::from_millis(charge.at));
        self.from = self.from.max(last.plus_millis(1));
        row.standing(self.length, now, now).used > 0
    }

    /// Whether a charge at `now` would still be stamped otherwise for a reset.
    pub(super) fn remembers(&self, now: Timestamp) -> bool {
        self.from > charged_at(self.length, now)
    }

    /// Every row that holds something: its scope value, what it holds, and when it will hold nothing.
    pub(super) fn held(&self, now: Timestamp) -> impl Iterator<Item = (&[u8], i64, Timestamp)> {
        self.rows.iter().filter_map(move |row| {
            let standing = row.standing(self.length, now, now);
            (standing.used > 0).then_some((&*row.scope, standing.used, standing.resets_at))
        })
    }

    /// Drops what has expired: whole rows, and the expired charges of the others.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        let cut = cut(self.length, now);
        self.rows.retain(|row| {
            row.drop_expired(cut);
            if row.charges.capacity() > row.charges.len().saturating_mul(4).max(16) {
                row.charges.shrink_to(row.charges.len().saturating_mul(2));
            }
            !row.charges.is_empty()
        });
    }

    /// When a row that was charged at `stamp` can be dropped.
    pub(super) fn expiry(&self, stamp: Timestamp) -> Timestamp {
        stamp.plus_millis(self.length)
    }

    /// When to sweep again after a sweep at `now`. A whole length later, every row that is still live was charged in
    /// between: the sweep looks at no more rows than calls have paid for.
    pub(super) fn next_sweep(&self, now: Timestamp) -> Timestamp {
        self.expiry(now)
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
}

impl Row {
    fn of(scope: &[u8], charge: Charge) -> Self {
        Self { scope: scope.into(), charges: VecDeque::from([charge]), sum: charge.micros }
    }

    /// How it stands at `now`, where a charge would be stamped with `stamp`.
    fn standing(&self, length: i64, stamp: Timestamp, now: Timestamp) -> CounterState<'_> {
        let cut = cut(length, now);
        // Reading drops nothing: asking must leave no trace.
        let mut used = self.sum;
        let mut expired = 0_usize;
        for charge in self.charges.iter().take_while(|charge| charge.at <= cut) {
            used = used.saturating_sub(charge.micros);
            expired = expired.saturating_add(1);
        }
        let last = self.charges.back().filter(|charge| charge.at > cut);
        let resets_at = last.map_or(now, |charge| Timestamp::from_millis(charge.at.saturating_add(length)));
        let joins = last.is_some_and(|charge| charge.at == stamp.as_millis());
        let is_full = !joins && self.charges.len().saturating_sub(expired) >= SLIDING_CHARGES;
        let decay = Decay::Stepwise(Live { charges: Some(&self.charges), expired, length, is_full });
        CounterState { used, stamp, resets_at, decay }
    }

    fn push(&mut self, charge: Charge, cut: i64) {
        self.drop_expired(cut);
        self.sum = self.sum.saturating_add(charge.micros);
        match self.charges.back_mut() {
            Some(last) if last.at == charge.at => last.micros = last.micros.saturating_add(charge.micros),
            _ => self.charges.push_back(charge),
        }
    }

    /// Drops the charges up to and including `cut`.
    fn drop_expired(&mut self, cut: i64) {
        while let Some(charge) = self.charges.front().copied().filter(|charge| charge.at <= cut) {
            self.charges.pop_front();
            self.sum = self.sum.saturating_sub(charge.micros);
        }
    }

    fn take_back(&mut self, at: i64, micros: i64) {
        let Ok(index) = self.charges.binary_search_by_key(&at, |charge| charge.at) else { return };
        let Some(charge) = self.charges.get_mut(index) else { return };
        let taken = micros.min(charge.micros);
        charge.micros = charge.micros.saturating_sub(taken);
        self.sum = self.sum.saturating_sub(taken);
        if charge.micros == 0 {
            self.charges.remove(index);
        }
    }
}

/// Up to when charges have expired at `now`.
fn cut(length: i64, now: Timestamp) -> i64 {
    now.as_millis().saturating_sub(length)
}

fn unused(length: i64, now: Timestamp) -> CounterState<'static> {
    let decay = Decay::Stepwise(Live { charges: None, expired: 0, length, is_full: false });
    CounterState { used: 0, stamp: charged_at(length, now), resets_at: now, decay }
}
