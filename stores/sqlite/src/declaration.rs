//! The declarations of counters, so that they can be listed and reset without a policy.
//!
//! In: a counter that is charged first, or the id of one. Out: the counter. Must not be needed to charge it again, but for when the
//! window of a time zone before it ended.

use std::sync::Arc;

use callgate::store::{Algorithm, Calendar, Counter, Owner, Window};
use callgate::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row as SqlRow, params};

use crate::rows::{Key, time};

impl Key<'_> {
    /// The counter, as it was declared.
    pub(crate) fn declared(&self, connection: &Connection) -> Result<Option<Counter>> {
        let mut select = connection
            .prepare_cached("SELECT tool, name, window, algorithm, scope, budget, zone, sunday, method, policy FROM declarations WHERE id = ?1")?;
        Ok(select.query_row([self.id], declared).optional()?.flatten())
    }

    /// The latest end of a window of the counter that was deleted, for any scope value: only of one of a time zone.
    pub(crate) fn ended(&self, connection: &Connection) -> Result<Timestamp> {
        let mut select = connection.prepare_cached("SELECT ended FROM zoned WHERE space = ?1 AND id = ?2")?;
        let ended = select.query_row(params![self.space, self.id], |row| time(row, 0)).optional()?;
        Ok(ended.unwrap_or(Timestamp::MIN))
    }

    /// Stores that a window which ended then is deleted, if the counter is one of a time zone.
    pub(crate) fn note_ended(&self, connection: &Connection, ends: Timestamp) -> Result<()> {
        let mut note = connection.prepare_cached(
            "INSERT INTO zoned SELECT ?1, id, ?3 FROM declarations WHERE id = ?2 AND zone IS NOT NULL
             ON CONFLICT DO UPDATE SET ended = max(ended, excluded.ended)",
        )?;
        note.execute(params![self.space, self.id, ends.as_millis()])?;
        Ok(())
    }

    /// Forgets when it ended, if that is later.
    pub(crate) fn drop_ended_after(&self, connection: &Connection, until: Timestamp) -> Result<()> {
        let mut delete =
            connection.prepare_cached("DELETE FROM zoned WHERE space = ?1 AND id = ?2 AND ended > ?3")?;
        delete.execute(params![self.space, self.id, until.as_millis()])?;
        Ok(())
    }
}

/// Stores the counter's declaration, so that it can be listed.
pub(crate) fn declare(connection: &Connection, counter: &Counter) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO declarations (id, tool, name, window, algorithm, scope, budget, zone, sunday, method, policy)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    let (tool, budget, method) = match counter.owner() {
        Owner::Tool(key) => (Some(&**key), false, false),
        Owner::Request(method) => (Some(&**method), false, true),
        Owner::Budget => (None, true, false),
        _ => (None, false, false),
    };
    let (window, algorithm) = (counter.window().to_string(), counter.algorithm().name());
    let (id, zone, sunday) = (counter.id(), counter.zone(), counter.is_from_sunday());
    insert.execute(params![
        id.as_bytes(),
        tool,
        counter.name(),
        window,
        algorithm,
        counter.scope(),
        budget,
        zone,
        sunday,
        method,
        counter.policy()
    ])?;
    Ok(())
}

/// Reads a counter from the columns `tool, name, window, algorithm, scope, budget, zone, sunday, method, policy`; none where this version does not know
/// them.
pub(crate) fn declared(row: &SqlRow<'_>) -> Result<Option<Counter>> {
    // Every row has a declaration.
    let (tool, Some(name)): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?) else {
        return Ok(None);
    };
    let (window, algorithm, scope): (String, String, String) = (row.get(2)?, row.get(3)?, row.get(4)?);
    let (budget, zone, sunday): (bool, Option<String>, bool) = (row.get(5)?, row.get(6)?, row.get(7)?);
    let (method, policy): (bool, Option<String>) = (row.get(8)?, row.get(9)?);
    let owner = match tool {
        Some(method_name) if method => Owner::Request(method_name.into()),
        Some(key) => Owner::Tool(key.into()),
        None if budget => Owner::Budget,
        None => Owner::AllTools,
    };
    let algorithm =
        [Algorithm::Fixed, Algorithm::Sliding].into_iter().find(|known| known.name() == algorithm);
    let Some((window, algorithm)) = Window::parse(&window).zip(algorithm) else { return Ok(None) };
    let mut counter = Counter::new(owner, &name, window, algorithm, &scope);
    if let Some(policy) = policy {
        counter = counter.of_policy(&policy.into());
    }
    if zone.is_none() && !sunday {
        return Ok(Some(counter));
    }
    let zone = zone.as_deref();
    // The host that charged it may know zones that this one does not. The stored end decides, so no rule is needed here.
    let calendar = Calendar::new(zone, sunday)
        .or_else(|| Calendar::with_rules(zone.unwrap_or_default(), "UTC0", sunday));
    Ok(calendar.map(|calendar| counter.in_calendar(&Arc::new(calendar))))
}
