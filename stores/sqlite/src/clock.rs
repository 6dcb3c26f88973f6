//! The file's own clock: how much time has passed between calls, whatever their clocks say.
//!
//! In: the callers' times. Out: milliseconds that have certainly passed; only these decide which rows expire. A wrong clock
//! measures a minute as well as a right one. So a leap between two calls counts as a second, or as long as this process has
//! waited, and one caller's clock cannot end the windows of others. The clock stops while no process has the file open;
//! rows are then kept longer than needed.

use std::time::Instant;

use callgate::time::Timestamp;
use rusqlite::{Connection, Result, params};

use crate::rows::time;

/// How much of a leap always counts, in milliseconds. Without it, processes that live for one call would never expire rows.
/// INVARIANT: a transaction that writes rows this long after the clock was last stored stores it again, so all connections
/// read the same.
pub(crate) const LEAP: i64 = 1_000;

/// How far a caller's clock may be behind the end of a deleted window and still not count in that, in milliseconds. With the rest of a
/// span beyond it.
const FORGOTTEN: i64 = 3_600_000;
/// The length of a span, of which only the latest end is stored.
const SPAN: i64 = 300_000;
/// For how long it is remembered, by the file's clock.
const REMEMBERED: i64 = 86_400_000;
/// How many spans of an hour a clock is moved on by, where windows were deleted in all of them.
const STEPS: usize = 64;

/// The clock as one connection reads it.
#[derive(Default)]
pub(crate) struct Clock {
    noted: Option<Noted>,
    /// What had passed at the last call, and the caller's time of that call.
    last: Option<(i64, Timestamp)>,
}

/// What the file says.
#[derive(Clone, Copy)]
struct Noted {
    passed: i64,
    /// The caller's time then.
    seen: Timestamp,
    /// SQLite's data version at the read. While it is unchanged, no other connection has written.
    at: Instant,
}

impl Clock {
    /// Takes a caller's time, and returns what has passed.
    pub(crate) fn advance(&mut self, connection: &Connection, now: Timestamp) -> Result<i64> {
        let noted = self.noted(connection)?;
        let mut step = noted.until(now);
        if step > LEAP {
            let waited = i64::try_from(noted.at.elapsed().as_millis()).unwrap_or(i64::MAX);
            step = step.min(waited.max(LEAP));
        }
        Ok(self.reads(noted, step, now))
    }

    /// The same for a caller whose time is trusted: all of the leap counts.
    pub(crate) fn jump(&mut self, connection: &Connection, now: Timestamp) -> Result<i64> {
        let noted = self.noted(connection)?;
        Ok(self.reads(noted, noted.until(now), now))
    }

    fn reads(&mut self, noted: Noted, step: i64, now: Timestamp) -> i64 {
        let passed = noted.passed.saturating_add(step);
        self.last = Some((passed, now));
        passed
    }

    fn noted(&mut self, connection: &Connection) -> Result<Noted> {
        if let Some(noted) = self.noted {
            return Ok(noted);
        }
        let mut read = connection.prepare_cached("SELECT passed, seen FROM clock")?;
        let noted = read.query_row([], |row| {
            Ok(Noted { passed: row.get(0)?, seen: time(row, 1)?, at: Instant::now() })
        })?;
        Ok(*self.noted.insert(noted))
    }

    /// Another connection has written.
    pub(crate) fn refresh(&mut self) {
        self.noted = None;
    }

    /// Stores what has passed, and returns it.
    pub(crate) fn note(&mut self, connection: &Connection) -> Result<i64> {
        let Some((passed, seen)) = self.last else { return Ok(0) };
        let mut note = connection.prepare_cached("UPDATE clock SET passed = ?1, seen = ?2")?;
        note.execute(params![passed, seen.as_millis()])?;
        self.noted = Some(Noted { passed, seen, at: Instant::now() });
        Ok(passed)
    }
}

impl Noted {
    fn until(&self, now: Timestamp) -> i64 {
        now.as_millis().saturating_sub(self.seen.as_millis()).max(0)
    }
}

/// Stores that a window which ended then was deleted. `passed` is the file's clock.
pub(crate) fn note_forgotten(connection: &Connection, ended: Timestamp, passed: i64) -> Result<()> {
    let (span, ended) = (span(ended), ended.as_millis());
    let mut known = connection.prepare_cached(
        "UPDATE ended SET latest = max(latest, ?2), noted = max(noted, ?3) WHERE span = ?1",
    )?;
    if known.execute(params![span, ended, passed])? > 0 {
        return Ok(());
    }
    connection
        .prepare_cached("INSERT INTO ended VALUES (?1, ?2, ?3)")?
        .execute(params![span, ended, passed])?;
    let mut drop = connection.prepare_cached("DELETE FROM ended WHERE noted < ?1")?;
    drop.execute([passed.saturating_sub(REMEMBERED)])?;
    Ok(())
}

/// The time used in place of the caller's where the counter has no row. Its row may have expired, so no call counts before
/// the end of a deleted window that it is up to an hour behind; nor then in the next one, if that was deleted, too.
pub(crate) fn after_forgotten(connection: &Connection, mut now: Timestamp) -> Result<Timestamp> {
    let mut find = connection.prepare_cached("SELECT max(latest) FROM ended WHERE span BETWEEN ?1 AND ?2")?;
    for _ in 0..STEPS {
        let until = now.plus_millis(FORGOTTEN);
        let latest: Option<i64> = find.query_row([span(now), span(until)], |row| row.get(0))?;
        match latest.map(Timestamp::from_millis) {
            Some(latest) if latest > now => now = latest,
            _ => break,
        }
    }
    Ok(now)
}

/// Which span of five minutes holds it.
fn span(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(SPAN)
}

/// The same where charges up to `gone` were deleted, each of which counted for `length`.
pub(crate) fn after_gone(gone: Option<Timestamp>, length: i64, now: Timestamp) -> Timestamp {
    let expired = gone.map_or(now, |gone| gone.plus_millis(length));
    if expired <= now.plus_millis(FORGOTTEN) { now.max(expired) } else { now }
}
