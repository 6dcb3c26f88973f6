//! Calls that wait for a person's approval (spec 7.7 to 7.12).
//!
//! In: a call or an answer, and the caller's time, within a transaction. Out: the record. What has ended is passed over, and deleted
//! by the file's clock as the other rows are. Must not read arguments but for the one who asks for them.

use callgate::ceilings::{FILED_APPROVALS, PENDING_APPROVALS};
use callgate::store::{
    Answered, ApprovalAnswer, ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, ApprovalState,
    Filed, FiledCall, new_approval_id,
};
use callgate::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, named_params, params};

use crate::approval;
use crate::rows::time;

/// Looks a call up, and files it if it is not there. `passed` is the file's clock.
pub(crate) fn file(
    connection: &Connection,
    space: i64,
    request: &ApprovalRequest,
    now: Timestamp,
    passed: i64,
) -> Result<Filed> {
    let place = request.call.place();
    let mut find = connection.prepare_cached(
        "SELECT id, call, filed, until, state, answered, by FROM filed WHERE space = ?1 AND place = ?2 AND until > ?3",
    )?;
    let found = find.query_row(params![space, place, now.as_millis()], read).optional()?;
    // One that cannot be read is as if it were not there: the call waits anew.
    if let Some(record) = found.flatten() {
        let record = as_spent(connection, space, record)?;
        if record.state != ApprovalState::Used {
            return Ok(Filed::Found(Box::new(record)));
        }
    }
    let mut drop = connection.prepare_cached("DELETE FROM filed WHERE space = ?1 AND place = ?2")?;
    drop.execute(params![space, place])?;
    if is_full(connection, space, now)? {
        return Ok(Filed::Full);
    }
    let mut taken = connection.prepare_cached("SELECT 1 FROM filed WHERE space = ?1 AND id = ?2")?;
    let mut id = new_approval_id();
    while taken.exists(params![space, id])? {
        id = new_approval_id();
    }
    let record = ApprovalRecord::pending(id, request.call.clone(), now);
    let mut insert = connection.prepare_cached(
        "INSERT INTO filed (space, place, id, call, filed, until, state, keep, args)
         VALUES (:space, :place, :id, :call, :filed, :until, :state, :keep, :args)",
    )?;
    insert.execute(named_params! {
        ":space": space,
        ":place": place,
        ":id": record.id,
        ":call": record.call.to_text(),
        ":filed": record.filed_at.as_millis(),
        ":until": record.until.as_millis(),
        ":state": record.state.as_str(),
        ":keep": keep(&record, now, passed),
        ":args": request.args.to_text(),
    })?;
    Ok(Filed::New(Box::new(record)))
}

fn is_full(connection: &Connection, space: i64, now: Timestamp) -> Result<bool> {
    let mut count = connection.prepare_cached(
        "SELECT count(*), count(*) FILTER (WHERE state = 'pending') FROM filed WHERE space = ?1 AND until > ?2",
    )?;
    let counts = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let (all, pending) = count.query_row(params![space, now.as_millis()], counts)?;
    let reaches = |count: i64, ceiling: usize| usize::try_from(count).is_ok_and(|count| count >= ceiling);
    Ok(reaches(pending, PENDING_APPROVALS) || reaches(all, FILED_APPROVALS))
}

/// Every record that stands, the oldest first.
pub(crate) fn standing(connection: &Connection, space: i64, now: Timestamp) -> Result<Vec<ApprovalRecord>> {
    let mut select = connection.prepare_cached(
        "SELECT id, call, filed, until, state, answered, by FROM filed WHERE space = ?1 AND until > ?2
         ORDER BY filed, id",
    )?;
    let rows = select.query_map(params![space, now.as_millis()], read)?;
    let records = rows.filter_map(Result::transpose).map(|record| as_spent(connection, space, record?));
    records.collect()
}

/// One record with its arguments.
pub(crate) fn find(
    connection: &Connection,
    space: i64,
    id: &str,
    now: Timestamp,
) -> Result<Option<FiledCall>> {
    let mut select = connection.prepare_cached(
        "SELECT id, call, filed, until, state, answered, by, args FROM filed
         WHERE space = ?1 AND id = ?2 AND until > ?3",
    )?;
    let read = |row: &Row<'_>| Ok(read(row)?.zip(ApprovalArgs::from_text(&row.get::<_, String>(7)?)));
    let found = select.query_row(params![space, id, now.as_millis()], read).optional()?;
    let Some((record, args)) = found.flatten() else { return Ok(None) };
    Ok(Some(FiledCall { record: as_spent(connection, space, record)?, args }))
}

/// Answers a record. `passed` is the file's clock.
pub(crate) fn answer(
    connection: &Connection,
    space: i64,
    id: &str,
    answer: &ApprovalAnswer,
    now: Timestamp,
    passed: i64,
) -> Result<Answered> {
    let Some(FiledCall { record, .. }) = find(connection, space, id, now)? else {
        return Ok(Answered::Unknown);
    };
    if record.state == ApprovalState::Used {
        return Ok(Answered::Used(Box::new(record)));
    }
    if let Some(granted) = record.approval_id() {
        approval::use_up(connection, space, &granted, passed)?;
    }
    let record = record.answered(answer, now);
    let mut update = connection.prepare_cached(
        "UPDATE filed SET until = :until, state = :state, answered = :answered, by = :by, keep = :keep
         WHERE space = :space AND id = :id",
    )?;
    update.execute(named_params! {
        ":until": record.until.as_millis(),
        ":state": record.state.as_str(),
        ":answered": now.as_millis(),
        ":by": answer.by(),
        ":keep": keep(&record, now, passed),
        ":space": space,
        ":id": id,
    })?;
    Ok(Answered::Done(Box::new(record)))
}

/// The namespaces in which something is filed.
pub(crate) fn namespaces(connection: &Connection) -> Result<Vec<String>> {
    let mut select = connection.prepare_cached(
        "SELECT name FROM spaces WHERE EXISTS (SELECT 1 FROM filed WHERE space = spaces.id) ORDER BY name",
    )?;
    select.query_map([], |row| row.get(0))?.collect()
}

/// Deletes at most `limit` records that have ended by the file's clock, and returns how many.
pub(crate) fn expire(connection: &Connection, passed: i64, limit: usize) -> Result<usize> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM filed WHERE rowid IN (SELECT rowid FROM filed WHERE keep <= ?1 ORDER BY keep LIMIT ?2)",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    delete.execute(params![passed, limit])
}

/// Until when the row is kept, by the file's clock.
fn keep(record: &ApprovalRecord, now: Timestamp, passed: i64) -> i64 {
    let left = record.until.as_millis().saturating_sub(now.as_millis());
    passed.saturating_add(left)
}

/// The columns `id, call, filed, until, state, answered, by`; `None` for what this version cannot read.
fn read(row: &Row<'_>) -> Result<Option<ApprovalRecord>> {
    let call = ApprovalCall::from_text(&row.get::<_, String>(1)?);
    let state = ApprovalState::from_text(&row.get::<_, String>(4)?);
    let Some((call, state)) = call.zip(state) else { return Ok(None) };
    let mut record = ApprovalRecord::pending(row.get(0)?, call, time(row, 2)?);
    let (answered, by): (Option<i64>, Option<String>) = (row.get(5)?, row.get(6)?);
    record.until = time(row, 3)?;
    record.state = state;
    record.answer = by.zip(answered.map(Timestamp::from_millis));
    Ok(Some(record))
}

/// The record, used if its grant has let through as many calls as it may.
fn as_spent(connection: &Connection, space: i64, record: ApprovalRecord) -> Result<ApprovalRecord> {
    let is_spent = match record.approval_id() {
        Some(id) => approval::used(connection, space, &id)? >= record.call.uses,
        None => false,
    };
    Ok(if is_spent { record.spent() } else { record })
}
