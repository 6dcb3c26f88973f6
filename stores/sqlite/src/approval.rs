//! The ids of spent approvals (spec 7.3, 7.5).
//!
//! In: an id, within a transaction. Out: whether it is spent. Must not forget one before its 366 days have passed.

use callgate::ceilings::APPROVAL_DAYS;
use rusqlite::{Connection, Result, params};

/// How long an id is kept, in milliseconds.
pub(crate) const KEPT: i64 = APPROVAL_DAYS.saturating_mul(86_400_000);

pub(crate) fn is_spent(connection: &Connection, space: i64, id: &str) -> Result<bool> {
    let mut find = connection.prepare_cached("SELECT 1 FROM approvals WHERE space = ?1 AND id = ?2")?;
    find.exists(params![space, id])
}

/// Spends the id. `passed` is the file's clock.
pub(crate) fn spend(connection: &Connection, space: i64, id: &str, passed: i64) -> Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT INTO approvals (space, id, keep) VALUES (?1, ?2, ?3)")?;
    insert.execute(params![space, id, passed.saturating_add(KEPT)])?;
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
