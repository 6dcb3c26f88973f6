//! Forgetting what has ended: a few rows at a time, so that no caller notices.
//!
//! In: a time, within a transaction. Out: fewer rows. Must note the latest end of what it drops, so that a clock that runs
//! behind does not find an ended window empty and fill it again (spec 8.4, trap 28).

use callgate::Timestamp;
use rusqlite::{Connection, Result, params};

use crate::approval;
use crate::rows::{Key, Row, time};

/// What was forgotten.
#[derive(Default)]
pub(crate) struct Forgotten {
    /// Whole counters.
    pub(crate) counters: usize,
    /// Rows of any kind.
    pub(crate) rows: usize,
}

/// Where an ended counter is.
struct Place {
    space: i64,
    id: [u8; 16],
    scope: Vec<u8>,
}

/// Forgets what has ended at `now`, about `limit` rows at most.
pub(crate) fn forget(connection: &Connection, now: Timestamp, limit: usize) -> Result<Forgotten> {
    let mut forgotten = Forgotten { counters: 0, rows: approval::forget(connection, now, limit)? };
    let mut latest = Timestamp::MIN;
    for place in ended(connection, now, limit)? {
        if forgotten.rows >= limit {
            break;
        }
        let key = Key { space: place.space, id: &place.id, scope: &place.scope };
        let Some(row) = key.row(connection)? else { continue };
        let entries = usize::try_from(row.entries).unwrap_or(usize::MAX);
        if entries > limit {
            shorten(connection, &key, &row, limit)?;
            forgotten.rows = forgotten.rows.saturating_add(limit);
            continue;
        }
        if entries > 0 {
            key.drop_until(connection, i64::MAX)?;
        }
        key.drop(connection)?;
        forgotten.counters = forgotten.counters.saturating_add(1);
        forgotten.rows = forgotten.rows.saturating_add(entries).saturating_add(1);
        latest = latest.max(row.ends).max(row.stamp);
    }
    if forgotten.counters > 0 {
        let mut note = connection.prepare_cached("UPDATE forgotten SET latest = ?1 WHERE latest < ?1")?;
        note.execute([latest.as_millis()])?;
    }
    Ok(forgotten)
}

/// The latest time before which something was forgotten.
pub(crate) fn latest_forgotten(connection: &Connection) -> Result<Timestamp> {
    connection.prepare_cached("SELECT latest FROM forgotten")?.query_row([], |row| time(row, 0))
}

/// Counters that have ended, the oldest first.
fn ended(connection: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Place>> {
    let mut select = connection.prepare_cached(
        "SELECT space, id, scope FROM counters INDEXED BY counters_by_end WHERE ends <= ?1 ORDER BY ends LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let places = select.query_map(params![now.as_millis(), limit], |row| {
        Ok(Place { space: row.get(0)?, id: row.get(1)?, scope: row.get(2)? })
    })?;
    places.collect()
}

/// Drops the oldest charges of a long log. The row moves on to when the last of them expired, so that it stays true of
/// those that are left.
fn shorten(connection: &Connection, key: &Key<'_>, row: &Row, charges: usize) -> Result<()> {
    let skipped = i64::try_from(charges).unwrap_or(i64::MAX).saturating_sub(1);
    let (Some(cut), Some(newest)) = (key.nth(connection, skipped)?, key.newest(connection)?) else {
        return Ok(());
    };
    let (entries, sum) = key.expired(connection, cut)?;
    key.drop_until(connection, cut)?;
    let length = row.ends.as_millis().saturating_sub(newest.as_millis());
    key.put(
        connection,
        &Row {
            stamp: row.stamp.max(Timestamp::from_millis(cut.saturating_add(length))),
            ends: row.ends,
            used: row.used.saturating_sub(sum),
            entries: row.entries.saturating_sub(entries),
        },
    )
}
