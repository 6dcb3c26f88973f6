//! Deletes expired rows, a few at a time, so that no caller notices.
//!
//! In: the file's own clock, within a transaction. Out: fewer rows. Must store the ends of what it deletes. Otherwise a
//! clock that runs behind would find an ended window empty and fill it again (spec 8.4, trap 28).

use callgate::time::Timestamp;
use rusqlite::{Connection, Result, params};
use smallvec::SmallVec;

use crate::approval;
use crate::clock::note_forgotten;
use crate::filed;
use crate::rows::{Key, Row};

/// What was deleted.
#[derive(Default)]
pub(crate) struct Expired {
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
    row: Row,
}

/// Deletes what has expired by the file's clock, about `limit` rows at most.
pub(crate) fn expire(connection: &Connection, passed: i64, limit: usize) -> Result<Expired> {
    let rows = approval::expire(connection, passed, limit)?;
    let rows = rows.saturating_add(filed::expire(connection, passed, limit.saturating_sub(rows))?);
    let mut forgotten = Expired { counters: 0, rows };
    let mut ends: SmallVec<[Timestamp; 8]> = SmallVec::new();
    for Place { space, id, scope, row } in ended(connection, passed, limit)? {
        if forgotten.rows >= limit {
            break;
        }
        let key = Key { space, id: &id, scope: &scope };
        let entries = usize::try_from(row.entries).unwrap_or(usize::MAX);
        if entries > limit {
            shorten(connection, &key, &row, limit)?;
            forgotten.rows = forgotten.rows.saturating_add(limit);
            continue;
        }
        if entries > 0 {
            key.drop_until(connection, i64::MAX)?;
        }
        key.drop(connection, row.start)?;
        if row.start == Timestamp::MIN && entries == 0 {
            key.note_ended(connection, row.ends)?;
        }
        forgotten.counters = forgotten.counters.saturating_add(1);
        forgotten.rows = forgotten.rows.saturating_add(entries).saturating_add(1);
        ends.push(row.ends.max(row.stamp));
    }
    // Windows of many counters end together.
    ends.sort_unstable();
    ends.dedup();
    for ended in ends {
        note_forgotten(connection, ended, passed)?;
    }
    Ok(forgotten)
}

/// Counters that have ended, the oldest first.
fn ended(connection: &Connection, passed: i64, limit: usize) -> Result<Vec<Place>> {
    let mut select = connection.prepare_cached(
        "SELECT start, stamp, ends, used, entries, gone, keep, space, id, scope
         FROM counters INDEXED BY counters_by_keep WHERE keep <= ?1 ORDER BY keep LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let places = select.query_map(params![passed, limit], |row| {
        Ok(Place { space: row.get(7)?, id: row.get(8)?, scope: row.get(9)?, row: Row::read(row, 0)? })
    })?;
    places.collect()
}

/// Deletes the oldest charges of a long log.
fn shorten(connection: &Connection, key: &Key<'_>, row: &Row, charges: usize) -> Result<()> {
    let skipped = i64::try_from(charges).unwrap_or(i64::MAX).saturating_sub(1);
    let Some(cut) = key.nth(connection, skipped)? else { return Ok(()) };
    let (entries, sum) = key.charged_until(connection, cut)?;
    key.drop_until(connection, cut)?;
    let row = Row {
        used: row.used.saturating_sub(sum),
        entries: row.entries.saturating_sub(entries),
        gone: row.gone.max(Some(Timestamp::from_millis(cut))),
        ..*row
    };
    key.put(connection, &row)
}
