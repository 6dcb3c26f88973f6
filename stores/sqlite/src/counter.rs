//! The rows of one counter: its state, and changes of it.
//!
//! In: a counter and a scope value, within a transaction that holds the file's write lock. Out: its state, or changed rows.
//! Must not decide whether a charge passes: `judge` did that before any change here.
//!
//! A fixed counter has a row for each window that has not expired, nearly always one. A caller whose clock is a little behind
//! counts in the newest window. One that is further behind counts in the window of its own time; otherwise one clock that
//! was ahead once would block every other caller (spec 8.4).

use callgate::store::judge::{CounterState, Decay, Live, Seen, live_millis};
use callgate::store::{Algorithm, Counter, Refund, Slot};
use callgate::time::Timestamp;
use rusqlite::{Connection, Result};

use crate::clock::after_forgotten;
use crate::row_cache::RowCache;
use crate::rows::{Adding, BEHIND, Key, Row, declare};
use crate::sliding::{Log, reach};

/// The state of one slot's counter.
pub(crate) struct Found {
    /// What it holds now, in units of 10^-6.
    used: i64,
    stamp: Timestamp,
    resets_at: Timestamp,
    /// The time used in place of the caller's.
    now: Timestamp,
    place: Place,
    /// Whether no newer window has a row.
    is_newest: bool,
    /// For a sliding window.
    log: Option<Log>,
}

/// Where a charge goes.
#[derive(Clone, Copy)]
enum Place {
    /// A new row.
    New,
    /// The row of a fixed window that has ended, or that of a sliding one.
    Old(Row),
    /// The row of the running fixed window.
    Running(Row),
}

impl Found {
    /// Reads the state of the slot's counter at `now`.
    pub(crate) fn read(
        connection: &Connection,
        known: &mut RowCache,
        space: i64,
        slot: &Slot<'_>,
        now: Timestamp,
    ) -> Result<Self> {
        let id = slot.counter.id();
        let key = Key { space, id: id.as_bytes(), scope: slot.scope.as_bytes() };
        if slot.counter.algorithm() == Algorithm::Fixed {
            let newest = known.row(connection, &key, slot)?;
            Self::fixed(connection, &key, slot.counter, newest, now)
        } else {
            Self::sliding(connection, &key, slot.counter, now)
        }
    }

    fn fixed(
        connection: &Connection,
        key: &Key<'_>,
        counter: &Counter,
        newest: Option<Row>,
        given: Timestamp,
    ) -> Result<Self> {
        let (mut now, mut start) = (given, counter.window().start(given));
        let (mut row, mut is_newest) = key.seen_at(connection, newest, now)?;
        if row.is_none_or(|row| row.start < start) {
            now = after_forgotten(connection, given)?;
            if now != given {
                start = counter.window().start(now);
                (row, is_newest) = key.seen_at(connection, newest, now)?;
            }
        }
        Ok(match row {
            // Also a newer one: a clock that runs behind counts there (spec 8.4).
            Some(row) if row.start >= start => Self {
                used: row.used,
                stamp: row.stamp,
                resets_at: row.ends,
                now,
                place: Place::Running(row),
                is_newest,
                log: None,
            },
            row => Self {
                used: 0,
                stamp: start,
                resets_at: counter.window().end(start),
                now,
                place: row.map_or(Place::New, Place::Old),
                is_newest,
                log: None,
            },
        })
    }

    fn sliding(connection: &Connection, key: &Key<'_>, counter: &Counter, now: Timestamp) -> Result<Self> {
        let length = live_millis(counter.window());
        let Some(row) = key.row(connection)? else {
            let now = after_forgotten(connection, now)?;
            return Ok(Self {
                used: 0,
                stamp: now,
                resets_at: now,
                now,
                place: Place::New,
                is_newest: true,
                log: Some(Log::new(length)),
            });
        };
        let (log, standing) = Log::read(connection, key, &row, length, now)?;
        Ok(Self {
            used: standing.used,
            stamp: standing.stamp,
            resets_at: standing.resets_at,
            now: standing.stamp,
            place: Place::Old(row),
            is_newest: true,
            log: Some(log),
        })
    }

    /// Reads the charges that say when a bound will hold: the oldest ones, up to a sum of `enough`.
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
        log.live = key.live(connection, cut, self.stamp, enough)?;
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
        let standing = CounterState { used: self.used, stamp: self.stamp, resets_at: self.resets_at, decay };
        Seen { standing, added }
    }

    /// How much must expire before a charge of `added` fits under the slot's maximum.
    pub(crate) fn excess(&self, slot: &Slot<'_>, added: i64) -> i64 {
        added.saturating_sub(slot.max.as_micros().saturating_sub(self.used))
    }

    /// Writes a charge of `added`, which is more than zero. `passed` is the file's clock.
    #[expect(clippy::too_many_arguments, reason = "what a transaction holds, and one charge")]
    pub(crate) fn charge<'k>(
        &self,
        connection: &Connection,
        adding: &mut Adding<'_, 'k>,
        known: &mut RowCache,
        space: i64,
        slot: &'k Slot<'_>,
        added: i64,
        passed: i64,
    ) -> Result<()> {
        let id = slot.counter.id();
        let key = Key { space, id: id.as_bytes(), scope: slot.scope.as_bytes() };
        if let Place::New = self.place {
            declare(connection, slot.counter)?;
        }
        if let Some(log) = &self.log {
            let row = if let Place::Old(row) = self.place { Some(row) } else { None };
            return log.charge(connection, &key, row, self.stamp, added, passed);
        }
        let used = self.used.saturating_add(added);
        // The row is kept for as long as the window lasts by the caller's clock.
        let left = self.resets_at.as_millis().saturating_sub(self.now.as_millis()).max(0);
        let begun = Row {
            start: self.stamp,
            stamp: self.stamp,
            ends: self.resets_at,
            used,
            entries: 0,
            gone: None,
            keep: passed.saturating_add(left),
        };
        let row = match self.place {
            Place::Running(row) => {
                adding.add(slot, row.start, added)?;
                Row { used, ..row }
            }
            // An ended window keeps its row until that expires. Otherwise a clock that runs behind would fill it again.
            Place::Old(_) | Place::New => {
                key.put(connection, &begun)?;
                begun
            }
        };
        if self.is_newest {
            known.set(&key, slot, row);
        }
        Ok(())
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
    let Some((charged, keep)) = key.charged(connection, refund.stamp)? else { return Ok(()) };
    let taken = amount.min(charged);
    let used = row.used.saturating_sub(taken);
    if taken < charged {
        key.append(connection, refund.stamp, taken.saturating_neg(), keep)?;
        return key.put(connection, &Row { used, ..row });
    }
    key.drop_at(connection, refund.stamp)?;
    // The time of the newest charge stays even when that charge is gone: what it expired must not come back (spec 8.4).
    let ends = match key.newest_until(connection, Timestamp::MAX)? {
        Some(newest) => newest.plus_millis(live_millis(refund.counter.window())),
        None => row.stamp,
    };
    key.put(connection, &Row { used, ends, entries: row.entries.saturating_sub(1), ..row })
}

/// Empties a counter, future windows included, and returns whether it held something. Later charges get a later stamp, so a
/// refund of an earlier charge finds nothing.
pub(crate) fn reset(connection: &Connection, key: &Key<'_>, now: Timestamp, passed: i64) -> Result<bool> {
    let Some(counter) = key.declared(connection)? else { return Ok(false) };
    if counter.algorithm() == Algorithm::Fixed {
        let dropped = key.drop_after(connection, now.plus_millis(BEHIND))?;
        let Some(row) = key.row(connection)? else { return Ok(dropped) };
        if row.used == 0 || row.start < counter.window().start(now) {
            return Ok(dropped);
        }
        let stamp = row.stamp.plus_millis(1).min(row.ends.plus_millis(-1));
        key.put(connection, &Row { stamp, used: 0, ..row })?;
        return Ok(true);
    }
    let Some(row) = key.row(connection)? else { return Ok(false) };
    let length = live_millis(counter.window());
    let now = if row.stamp <= now.plus_millis(reach(length)) { now.max(row.stamp) } else { now };
    let (_, expired) = key.charged_until(connection, now.as_millis().saturating_sub(length))?;
    if row.used == expired {
        return Ok(false);
    }
    key.drop_until(connection, i64::MAX)?;
    let stamp = now.plus_millis(1);
    let keep = passed.saturating_add(length);
    key.put(connection, &Row { stamp, ends: stamp, used: 0, entries: 0, keep, ..row })?;
    Ok(true)
}
