//! The log of a sliding counter: its state at a time, and a charge to it.
//!
//! In: its row and a time, within a transaction. Out: what is live then, or one charge more. A charge is deleted once it has
//! expired by the file's own clock, not by one caller's.

use callgate::ceilings::SLIDING_CHARGES;
use callgate::time::Timestamp;
use rusqlite::{Connection, Result};

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
    /// When a charge would be made.
    pub(crate) stamp: Timestamp,
    pub(crate) resets_at: Timestamp,
}

/// How far a clock may be behind a charge and still count there. Anything nearer than a window's length counts together with
/// that charge.
pub(crate) fn reach(length: i64) -> i64 {
    length.max(BEHIND)
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
        now: Timestamp,
    ) -> Result<(Self, Standing)> {
        let stamp = counted_at(connection, key, row, length, now)?;
        let (expired, mut other) = key.charged_until(connection, stamp.as_millis().saturating_sub(length))?;
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
        let resets_at = if entries > 0 { ends } else { stamp };
        Ok((log, Standing { used: row.used.saturating_sub(other), stamp, resets_at }))
    }

    /// Stores a charge, and deletes expired ones.
    pub(crate) fn charge(
        &self,
        connection: &Connection,
        key: &Key<'_>,
        row: Option<Row>,
        stamp: Timestamp,
        added: i64,
        passed: i64,
    ) -> Result<()> {
        let (ends, keep) = (stamp.plus_millis(self.length), passed.saturating_add(self.length));
        let begun = Row { start: Timestamp::MIN, stamp, ends, used: 0, entries: 0, gone: None, keep };
        let mut row = row.unwrap_or(begun);
        if self.has_expired {
            let cut = stamp.as_millis().saturating_sub(self.length);
            let (entries, sum, gone) = key.expired(connection, cut, passed)?;
            if entries > 0 {
                key.drop_expired(connection, cut, passed)?;
                (row.entries, row.used) = (row.entries.saturating_sub(entries), row.used.saturating_sub(sum));
                row.gone = row.gone.max(gone);
            }
        }
        key.append(connection, stamp, added, keep)?;
        let row = Row {
            stamp: row.stamp.max(stamp),
            ends: row.ends.max(ends),
            used: row.used.saturating_add(added),
            entries: row.entries.saturating_add(i64::from(!self.joins)),
            keep: row.keep.max(keep),
            ..row
        };
        key.put(connection, &row)
    }
}

/// The time used in place of the caller's: that of a future charge within reach, and then of the next one after it.
fn counted_at(
    connection: &Connection,
    key: &Key<'_>,
    row: &Row,
    length: i64,
    now: Timestamp,
) -> Result<Timestamp> {
    let (mut stamp, reach) = (after_gone(row.gone, length, now), reach(length));
    if row.stamp > stamp.plus_millis(reach) {
        // An earlier log may have expired.
        stamp = after_forgotten(connection, stamp)?;
    }
    for _ in 0..STEPS {
        if row.stamp <= stamp.plus_millis(reach) {
            return Ok(stamp.max(row.stamp));
        }
        match key.newest_until(connection, stamp.plus_millis(reach))? {
            Some(newest) if newest > stamp => stamp = newest,
            _ => return Ok(stamp),
        }
    }
    Ok(row.stamp)
}
