//! The rows of one counter: its state, and changes of it.
//!
//! In: a counter and a scope value, within a transaction that holds the file's write lock. Out: its state, or changed rows.
//! Must not decide whether a charge passes: `judge` did that before any change here.
//!
//! A fixed counter has a row for each window that has not expired, nearly always one. A caller whose clock is a little behind
//! counts in the newest window. One that is further behind counts in the window of its own time; otherwise one clock that
//! was ahead once would block every other caller (spec 8.4).
//!
//! A counter of a time zone has one row, whose stored end decides: hosts that know the zone by different rules compute different
//! windows, and each window must begin where the one before ended. So a caller that is behind counts there, however far.

use callgate::store::judge::{CounterState, Decay, Live, Seen, charged_at, live_millis};
use callgate::store::{Algorithm, Counter, Slot};
use callgate::time::Timestamp;
use rusqlite::{Connection, Result};

use crate::clock::after_forgotten;
use crate::declaration::declare;
use crate::row_cache::RowCache;
use crate::rows::{Adding, BEHIND, Key, Row};
use crate::sliding::{Log, Standing, made_from, reach};

/// The state of one slot's counter.
pub(crate) struct Found {
    /// What it holds now, in units of 10^-6.
    used: i64,
    stamp: Timestamp,
    resets_at: Timestamp,
    /// The time used in place of the caller's.
    now: Timestamp,
    /// The key of a row that begins now.
    start: Timestamp,
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
        let (mut now, (mut row, mut is_newest)) = (given, key.seen_at(connection, newest, given)?);
        if !row.is_some_and(|row| row.lasts(given)) {
            now = after_forgotten(connection, given)?;
            if now != given {
                (row, is_newest) = key.seen_at(connection, newest, now)?;
            }
        }
        // Also a newer one: a clock that runs behind counts there (spec 8.4).
        if let Some(row) = row.filter(|row| row.lasts(now)) {
            let Row { used, stamp, ends: resets_at, start, .. } = row;
            let place = Place::Running(row);
            return Ok(Self { used, stamp, resets_at, now, start, place, is_newest, log: None });
        }
        let is_zoned = counter.zone().is_some();
        let ended = match row {
            Some(row) => row.ends,
            None if is_zoned => key.ended(connection)?,
            None => Timestamp::MIN,
        };
        if is_zoned {
            // However far the caller is behind: the window before may be gone, but it was the store's (spec 8.17).
            now = now.max(ended);
        }
        let (begins, resets_at) = counter.window_at(now);
        let (start, stamp) = if is_zoned { (Timestamp::MIN, begins.max(ended)) } else { (begins, begins) };
        let place = row.map_or(Place::New, Place::Old);
        Ok(Self { used: 0, stamp, resets_at, now, start, place, is_newest, log: None })
    }

    fn sliding(connection: &Connection, key: &Key<'_>, counter: &Counter, now: Timestamp) -> Result<Self> {
        let length = live_millis(counter.window());
        let start = Timestamp::MIN;
        let Some(row) = key.row(connection)? else {
            let now = after_forgotten(connection, now)?;
            return Ok(Self {
                used: 0,
                stamp: charged_at(length, now),
                resets_at: now,
                now,
                start,
                place: Place::New,
                is_newest: true,
                log: Some(Log::new(length)),
            });
        };
        let (log, Standing { used, now, stamp, resets_at }) = Log::read(connection, key, &row, length, now)?;
        let place = Place::Old(row);
        Ok(Self { used, stamp, resets_at, now, start, place, is_newest: true, log: Some(log) })
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
        let cut = self.now.as_millis().saturating_sub(log.length);
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

    /// How much it can still hold.
    pub(crate) fn room(&self) -> i64 {
        i64::MAX.saturating_sub(self.used)
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
            return log.charge(connection, &key, row, [self.now, self.stamp], added, passed);
        }
        let used = self.used.saturating_add(added);
        // The row is kept for as long as the window lasts by the caller's clock.
        let left = self.resets_at.as_millis().saturating_sub(self.now.as_millis()).max(0);
        let keep = if self.resets_at == Timestamp::MAX { i64::MAX } else { passed.saturating_add(left) };
        let begun = Row {
            start: self.start,
            stamp: self.stamp,
            ends: self.resets_at,
            used,
            entries: 0,
            gone: None,
            keep,
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

/// Takes from a charge, if its window is still there (spec 8.10).
pub(crate) fn take_back(
    connection: &Connection,
    key: &Key<'_>,
    counter: &Counter,
    stamp: Timestamp,
    amount: i64,
) -> Result<()> {
    if counter.algorithm() == Algorithm::Fixed {
        return key.take_back(connection, stamp, amount);
    }
    let Some(row) = key.row(connection)? else { return Ok(()) };
    let Some((charged, keep)) = key.charged(connection, stamp)? else { return Ok(()) };
    let taken = amount.min(charged);
    let used = row.used.saturating_sub(taken);
    if taken < charged {
        key.append(connection, stamp, taken.saturating_neg(), keep)?;
        return key.put(connection, &Row { used, ..row });
    }
    key.drop_at(connection, stamp)?;
    // The time of the newest charge stays even when that charge is gone: what it expired must not come back (spec 8.4).
    let ends = match key.newest_until(connection, Timestamp::MAX)? {
        Some(newest) => newest.plus_millis(live_millis(counter.window())),
        None => row.stamp,
    };
    key.put(connection, &Row { used, ends, entries: row.entries.saturating_sub(1), ..row })
}

/// Empties a counter, future windows included, and returns whether it held something. Later charges get a later stamp, so a
/// refund of an earlier charge finds nothing.
pub(crate) fn reset(connection: &Connection, key: &Key<'_>, now: Timestamp, passed: i64) -> Result<bool> {
    let Some(counter) = key.declared(connection)? else { return Ok(false) };
    if counter.algorithm() == Algorithm::Fixed {
        return reset_fixed(connection, key, counter.zone().is_some(), now);
    }
    let Some(row) = key.row(connection)? else { return Ok(false) };
    let length = live_millis(counter.window());
    let is_near = row.stamp <= charged_at(length, now).plus_millis(reach(length));
    let newest = if is_near { row.stamp } else { Timestamp::MIN };
    let now = now.max(made_from(length, newest));
    let (_, expired) = key.charged_until(connection, now.as_millis().saturating_sub(length))?;
    if row.used == expired {
        return Ok(false);
    }
    key.drop_until(connection, i64::MAX)?;
    let stamp = charged_at(length, now).max(newest).plus_millis(1);
    let left = stamp.plus_millis(length).as_millis().saturating_sub(now.as_millis());
    let keep = passed.saturating_add(left);
    key.put(connection, &Row { stamp, ends: stamp, used: 0, entries: 0, keep, ..row })?;
    Ok(true)
}

fn reset_fixed(connection: &Connection, key: &Key<'_>, is_zoned: bool, now: Timestamp) -> Result<bool> {
    let near = now.plus_millis(BEHIND);
    let dropped = key.drop_after(connection, near)?;
    if is_zoned {
        key.drop_ended_after(connection, near)?;
    }
    let Some(row) = key.row(connection)? else { return Ok(dropped) };
    if is_zoned && row.stamp > near {
        // A clock that was far ahead began it. It holds everybody up, as nobody else's window can begin before it ends.
        key.drop(connection, row.start)?;
        return Ok(true);
    }
    if row.used == 0 || !row.lasts(now) {
        return Ok(dropped);
    }
    let stamp = row.stamp.plus_millis(1).min(row.ends.plus_millis(-1));
    key.put(connection, &Row { stamp, used: 0, ..row })?;
    Ok(true)
}
