//! The log of a sliding counter: its state at a time, and a charge to it.
//!
//! In: its row and a time, within a transaction. Out: what is live then, or one charge more. A charge is deleted once it has
//! expired by the file's own clock, not by one caller's.

use callgate::ceilings::SLIDING_CHARGES;
use callgate::store::judge::charged_at;
use callgate::time::Timestamp;
use rusqlite::{Connection, Error, Result};

use crate::clock::{after_forgotten, after_gone};
use crate::rows::{BEHIND, Charges, Key, Row};

/// Steps from charge to charge that are looked for; each is up to a window long.
const STEPS: usize = 64;

/// The charges of a sliding window.
pub(crate) struct Log {
    /// For how long a charge is live, in milliseconds.
    pub(crate) length: i64,
    /// Whether expired entries are still stored.
    has_expired: bool,
    /// Whether a charge joins the newest entry.
    joins: bool,
    pub(crate) is_full: bool,
    /// The live charges, or as many of the oldest as are needed. Only read when a bound refuses.
    pub(crate) live: Charges,
}

/// How it stands.
pub(crate) struct Standing {
    /// In units of 10^-6.
    pub(crate) used: i64,
    /// The time used in place of the caller's.
    pub(crate) now: Timestamp,
    /// The time from which a charge would count.
    pub(crate) stamp: Timestamp,
    pub(crate) resets_at: Timestamp,
}

/// How far a clock may be behind a charge and still count there. Anything nearer than a window's length counts together with
/// that charge.
pub(crate) fn reach(length: i64) -> i64 {
    length.max(BEHIND)
}

/// The earliest time at which a charge was made that counts from `stamp`: in a window longer than a day, the start of its quarter of an
/// hour.
pub(crate) fn made_from(length: i64, stamp: Timestamp) -> Timestamp {
    let earliest = charged_at(length, Timestamp::MIN).as_millis();
    stamp.plus_millis(earliest.saturating_neg())
}

impl Log {
    /// An empty one.
    pub(crate) fn new(length: i64) -> Self {
        Self { length, has_expired: false, joins: false, is_full: false, live: Charges::new() }
    }

    pub(crate) fn read(
        connection: &Connection,
        key: &Key<'_>,
        row: &Row,
        length: i64,
        given: Timestamp,
    ) -> Result<(Self, Standing)> {
        let (now, stamp) = counted_at(connection, key, row, length, given)?;
        let (expired, mut other) = key.charged_until(connection, now.as_millis().saturating_sub(length))?;
        let (mut entries, mut ends) = (row.entries.saturating_sub(expired), row.ends);
        if row.stamp > stamp {
            // There are future charges, which count for other callers.
            let (until, sum) = key.charged_until(connection, stamp.as_millis())?;
            entries = until.saturating_sub(expired);
            other = row.used.saturating_sub(sum).saturating_add(other);
            ends = key.newest_until(connection, stamp)?.unwrap_or(Timestamp::MIN).plus_millis(length);
        }
        let joins = entries > 0 && ends == stamp.plus_millis(length);
        let log = Self {
            length,
            has_expired: expired > 0,
            joins,
            is_full: !joins && usize::try_from(entries).is_ok_and(|entries| entries >= SLIDING_CHARGES),
            live: Charges::new(),
        };
        let resets_at = if entries > 0 { ends } else { now };
        Ok((log, Standing { used: row.used.saturating_sub(other), now, stamp, resets_at }))
    }

    /// Stores a charge that is made at `now` and counts from `stamp`, and deletes expired ones. Where the log is full, which only a
    /// settlement does not mind, it joins the newest charge, and that counts from `stamp`, too.
    pub(crate) fn charge(
        &self,
        connection: &Connection,
        key: &Key<'_>,
        row: Option<Row>,
        [now, stamp]: [Timestamp; 2],
        added: i64,
        passed: i64,
    ) -> Result<()> {
        let ends = stamp.plus_millis(self.length);
        let keep = passed.saturating_add(ends.as_millis().saturating_sub(now.as_millis()));
        let begun = Row { start: Timestamp::MIN, stamp, ends, used: 0, entries: 0, gone: None, keep };
        let mut row = row.unwrap_or(begun);
        let cut = now.as_millis().saturating_sub(self.length);
        if self.has_expired {
            self.expire(connection, key, &mut row, cut, passed)?;
        }
        if row.used.checked_add(added).is_none() {
            // The sum of what is stored must fit. What is expired for this caller makes room, though a clock behind might still count it.
            self.expire(connection, key, &mut row, cut, i64::MAX)?;
        }
        let Some(used) = row.used.checked_add(added) else {
            return Err(Error::IntegralValueOutOfRange(0, added));
        };
        let mut joined = 0;
        if self.is_full
            && let Some(newest) = key.newest_until(connection, stamp)?
            && let Some((charged, _)) = key.charged(connection, newest)?
        {
            key.drop_at(connection, newest)?;
            joined = charged;
        }
        key.append(connection, stamp, added.saturating_add(joined), keep)?;
        let is_more = !self.joins && joined == 0;
        let row = Row {
            stamp: row.stamp.max(stamp),
            ends: row.ends.max(ends),
            used,
            entries: row.entries.saturating_add(i64::from(is_more)),
            keep: row.keep.max(keep),
            ..row
        };
        key.put(connection, &row)
    }

    /// Deletes charges that expired by `cut`, and by the file's clock.
    fn expire(
        &self,
        connection: &Connection,
        key: &Key<'_>,
        row: &mut Row,
        cut: i64,
        passed: i64,
    ) -> Result<()> {
        let (entries, sum, gone) = key.expired(connection, cut, passed)?;
        if entries > 0 {
            key.drop_expired(connection, cut, passed)?;
            (row.entries, row.used) = (row.entries.saturating_sub(entries), row.used.saturating_sub(sum));
            row.gone = row.gone.max(gone);
        }
        Ok(())
    }
}

/// The time used in place of the caller's: that of a future charge within reach, and then of the next one after it. And the time from
/// which a charge would count that is made then.
fn counted_at(
    connection: &Connection,
    key: &Key<'_>,
    row: &Row,
    length: i64,
    given: Timestamp,
) -> Result<(Timestamp, Timestamp)> {
    // A charge that counts from `newest` was made: no time before that is used.
    let after = |now: Timestamp, newest: Timestamp| {
        let now = now.max(made_from(length, newest));
        (now, charged_at(length, now).max(newest))
    };
    let (mut now, reach) = (after_gone(row.gone, length, given), reach(length));
    let mut stamp = charged_at(length, now);
    if row.stamp > stamp.plus_millis(reach) {
        // An earlier log may have expired.
        now = after_forgotten(connection, now)?;
        stamp = charged_at(length, now);
    }
    for _ in 0..STEPS {
        if row.stamp <= stamp.plus_millis(reach) {
            return Ok(after(now, row.stamp));
        }
        match key.newest_until(connection, stamp.plus_millis(reach))? {
            Some(newest) if newest > stamp => (now, stamp) = after(now, newest),
            _ => return Ok((now, stamp)),
        }
    }
    Ok(after(now, row.stamp))
}
