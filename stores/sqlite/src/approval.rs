//! The ids of approvals that were used, and how often (spec 7.3, 7.5).
//!
//! In: an id, within a transaction. Out: how many batches it has let through. Must not forget one before 366 days have passed since its
//! last use.

use callgate::ceilings::APPROVAL_DAYS;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

/// How long an id is kept, in milliseconds.
pub(crate) const KEPT: i64 = APPROVAL_DAYS.saturating_mul(86_400_000);

/// How many batches the id has let through.
pub(crate) fn used(connection: &Connection, space: i64, id: &str) -> Result<u32> {
    let mut find = connection.prepare_cached("SELECT used FROM approvals WHERE space = ?1 AND id = ?2")?;
    let used: Option<i64> = find.query_row(params![space, id], |row| row.get(0)).optional()?;
    Ok(used.map_or(0, |used| u32::try_from(used).unwrap_or(u32::MAX)))
}

/// Uses the id once more. `passed` is the file's clock.
pub(crate) fn spend(connection: &Connection, space: i64, id: &str, passed: i64) -> Result<()> {
    add(connection, space, id, 1, passed)
}

/// Uses the id up, however often it may be used.
pub(crate) fn use_up(connection: &Connection, space: i64, id: &str, passed: i64) -> Result<()> {
    add(connection, space, id, u32::MAX, passed)
}

fn add(connection: &Connection, space: i64, id: &str, times: u32, passed: i64) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO approvals (space, id, keep, used) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET keep = max(keep, excluded.keep), used = min(used + excluded.used, ?5)",
    )?;
    insert.execute(params![space, id, passed.saturating_add(KEPT), times, u32::MAX])?;
    Ok(())
}

/// Deletes at most `limit` expired ids, and returns how many.
pub(crate) fn expire(connection: &Connection, passed: i64, limit: usize) -> Result<usize> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM approvals WHERE (space, id) IN (
            SELECT space, id FROM approvals WHERE keep <= ?1 ORDER BY keep LIMIT ?2)",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    delete.execute(params![passed, limit])
}
