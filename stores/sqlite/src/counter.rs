//! The rows of one counter: how it stands, and what becomes of it.
//!
//! In: a counter and a scope value, within a transaction that holds the file's write lock. Out: its standing, or a change of
//! its rows. Must not decide whether a charge passes: that is the judge's, and every change here was judged before.

use std::collections::VecDeque;

use callgate::ceilings::SLIDING_CHARGES;
use callgate::judge::{Charge, Decay, Live, Seen, Standing, live_millis};
use callgate::{Algorithm, Counter, Refund, Slot, Timestamp};
use rusqlite::{Connection, Result};

use crate::forget::latest_forgotten;
use crate::known::Known;
use crate::rows::{Adding, Key, Row, declare};

/// What was found of one slot's counter.
pub(crate) struct Found {
    /// What it holds now, in units of 10^-6.
    used: i64,
    stamp: Timestamp,
    resets_at: Timestamp,
    place: Place,
    /// For a sliding window.
    log: Option<Log>,
}

/// Where a charge goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// There is no row.
    New,
    /// A fixed window that has ended, or a sliding one of whatever age.
    Old,
    /// The running fixed window.
    Running,
}

/// The charges of a sliding window.
struct Log {
    /// For how long a charge is live, in milliseconds.
    length: i64,
    /// How many entries are live.
    entries: i64,
    /// Whether entries that have expired are still written down.
    has_expired: bool,
    /// Whether a charge joins the newest entry.
    joins: bool,
    is_full: bool,
    /// The live charges, or as many of the oldest as are needed. Only read when a bound refuses.
    live: VecDeque<Charge>,
}

impl Found {
    /// Reads how the slot's counter stands at `now`.
    pub(crate) fn read(
        connection: &Connection,
        known: &mut Known,
        space: i64,
        slot: &Slot<'_>,
        now: Timestamp,
    ) -> Result<Self> {
        let id = slot.counter.id();
        let key = Key { space, id: id.as_bytes(), scope: slot.scope.as_bytes() };
        let is_fixed = slot.counter.algorithm() == Algorithm::Fixed;
        let row = if is_fixed { known.row(connection, &key, slot)? } else { key.row(connection)? };
        let now = match &row {
            Some(_) => now,
            // What has no row may have been forgotten: no call is counted before that.
            None => now.max(latest_forgotten(connection)?),
        };
        if is_fixed {
            Ok(Self::fixed(slot.counter, row, now))
        } else {
            Self::sliding(connection, &key, slot.counter, row, now)
        }
    }

    fn fixed(counter: &Counter, row: Option<Row>, now: Timestamp) -> Self {
        let start = counter.window().start(now);
        let unused = Self {
            used: 0,
            stamp: start,
            resets_at: counter.window().end(start),
            place: if row.is_some() { Place::Old } else { Place::New },
            log: None,
        };
        match row {
            // Also a newer one: a clock that runs behind counts there (spec 8.4).
            Some(row) if row.stamp >= start => Self {
                used: row.used,
                stamp: row.stamp,
                resets_at: row.ends,
                place: Place::Running,
                log: None,
            },
            _ => unused,
        }
    }

    fn sliding(
        connection: &Connection,
        key: &Key<'_>,
        counter: &Counter,
        row: Option<Row>,
        now: Timestamp,
    ) -> Result<Self> {
        let length = live_millis(counter.window());
        let Some(row) = row else {
            let log = Log {
                length,
                entries: 0,
                has_expired: false,
                joins: false,
                is_full: false,
                live: VecDeque::new(),
            };
            return Ok(Self { used: 0, stamp: now, resets_at: now, place: Place::New, log: Some(log) });
        };
        let now = now.max(row.stamp);
        let (expired, sum) = key.expired(connection, now.as_millis().saturating_sub(length))?;
        let entries = row.entries.saturating_sub(expired);
        let joins = entries > 0 && row.ends == now.plus_millis(length);
        let log = Log {
            length,
            entries,
            has_expired: expired > 0,
            joins,
            is_full: !joins && usize::try_from(entries).is_ok_and(|entries| entries >= SLIDING_CHARGES),
            live: VecDeque::new(),
        };
        Ok(Self {
            used: row.used.saturating_sub(sum),
            stamp: now,
            resets_at: if entries > 0 { row.ends } else { now },
            place: Place::Old,
            log: Some(log),
        })
    }

    /// Reads the charges that tell when a bound will hold: the oldest, until they come to `enough` together.
    pub(crate) fn read_charges(
        &mut self,
        connection: &Connection,
        space: i64,
        slot: &Slot<'_>,
        enough: i64,
    ) -> Result<()> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let id = slot.counter.id();
        let key = Key { space, id: id.as_bytes(), scope: slot.scope.as_bytes() };
        let cut = self.stamp.as_millis().saturating_sub(log.length);
        log.live = key.live(connection, cut, enough)?;
        Ok(())
    }

    /// What the judge sees, if the batch adds `added`.
    pub(crate) fn seen(&self, added: i64) -> Seen<'_> {
        let decay = match &self.log {
            None => Decay::AtOnce,
            Some(Log { length, is_full, live, .. }) => {
                Decay::Stepwise(Live { charges: Some(live), expired: 0, length: *length, is_full: *is_full })
            }
        };
        let standing = Standing { used: self.used, stamp: self.stamp, resets_at: self.resets_at, decay };
        Seen { standing, added }
    }

    /// What would have to go before a charge of `added` fits under the slot's maximum.
    pub(crate) fn excess(&self, slot: &Slot<'_>, added: i64) -> i64 {
        added.saturating_sub(slot.max.as_micros().saturating_sub(self.used))
    }

    /// Writes a charge of `added` down, more than zero.
    pub(crate) fn charge<'k>(
        &self,
        connection: &Connection,
        adding: &mut Adding<'_, 'k>,
        known: &mut Known,
        space: i64,
        slot: &'k Slot<'_>,
        added: i64,
    ) -> Result<()> {
        let id = slot.counter.id();
        let key = Key { space, id: id.as_bytes(), scope: slot.scope.as_bytes() };
        if self.place == Place::New {
            declare(connection, slot.counter)?;
        }
        let used = self.used.saturating_add(added);
        let Some(log) = &self.log else {
            let row = Row { stamp: self.stamp, ends: self.resets_at, used, entries: 0 };
            if self.place == Place::Running {
                adding.add(slot, added)?
            } else {
                key.put(connection, &row)?
            }
            known.set(slot, row);
            return Ok(());
        };
        if log.has_expired {
            key.drop_until(connection, self.stamp.as_millis().saturating_sub(log.length))?;
        }
        key.append(connection, self.stamp, added)?;
        let ends = self.stamp.plus_millis(log.length);
        let entries = log.entries.saturating_add(i64::from(!log.joins));
        key.put(connection, &Row { stamp: self.stamp, ends, used, entries })
    }
}

/// Takes a charge back, if its window is still there (spec 8.10).
pub(crate) fn refund(connection: &Connection, space: i64, refund: &Refund<'_>) -> Result<()> {
    let id = refund.counter.id();
    let key = Key { space, id: id.as_bytes(), scope: refund.scope.as_bytes() };
    let amount = refund.amount.as_micros();
    if refund.counter.algorithm() == Algorithm::Fixed {
        return key.take_back(connection, refund.stamp, amount);
    }
    let Some(row) = key.row(connection)? else { return Ok(()) };
    let Some(charged) = key.charged(connection, refund.stamp)? else { return Ok(()) };
    let taken = amount.min(charged);
    let used = row.used.saturating_sub(taken);
    if taken < charged {
        key.append(connection, refund.stamp, taken.saturating_neg())?;
        return key.put(connection, &Row { used, ..row });
    }
    key.drop_at(connection, refund.stamp)?;
    // The time of the newest charge stays, also when that is gone: what it pushed out must not come back (spec 8.4).
    let ends = match key.newest(connection)? {
        Some(newest) => newest.plus_millis(live_millis(refund.counter.window())),
        None => row.stamp,
    };
    key.put(connection, &Row { used, ends, entries: row.entries.saturating_sub(1), ..row })
}

/// Makes a counter hold nothing; whether it held something. What is charged from then on has a later stamp than anything
/// before, which a refund may still name.
pub(crate) fn reset(connection: &Connection, key: &Key<'_>, now: Timestamp) -> Result<bool> {
    let Some(counter) = key.declared(connection)? else { return Ok(false) };
    let Some(row) = key.row(connection)? else { return Ok(false) };
    if counter.algorithm() == Algorithm::Fixed {
        if row.used == 0 || row.stamp < counter.window().start(now) {
            return Ok(false);
        }
        let stamp = row.stamp.plus_millis(1).min(row.ends.plus_millis(-1));
        key.put(connection, &Row { stamp, used: 0, ..row })?;
        return Ok(true);
    }
    let now = now.max(row.stamp);
    let cut = now.as_millis().saturating_sub(live_millis(counter.window()));
    let (_, expired) = key.expired(connection, cut)?;
    if row.used == expired {
        return Ok(false);
    }
    key.drop_until(connection, i64::MAX)?;
    let stamp = now.plus_millis(1);
    key.put(connection, &Row { stamp, ends: stamp, used: 0, entries: 0 })?;
    Ok(true)
}
