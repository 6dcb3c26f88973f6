//! The file's own clock: how much time the calls have seen pass, whatever time it is.
//!
//! In: the callers' times. Out: milliseconds that have passed for certain, which decide alone what may be forgotten. A clock
//! that is wrong by a year shows a minute to pass as well as one that is right, so a leap from one call to the next counts
//! for a second, or for as long as this process has waited: one caller's clock cannot end others' windows. While no process
//! has the file open, it stands still, and rows are kept longer than they are needed.

use std::time::Instant;

use callgate::time::Timestamp;
use rusqlite::{Connection, Result, params};

use crate::rows::time;

/// How much of a leap counts, in milliseconds, whoever sees it: so that processes that live for one call forget, too.
/// INVARIANT: the clock is noted by every transaction that writes rows more than this after it was noted last, so all
/// connections read it alike.
pub(crate) const LEAP: i64 = 1_000;

/// The clock as one connection reads it.
#[derive(Default)]
pub(crate) struct Clock {
    noted: Option<Noted>,
    /// What had passed at the last call, and the caller's time.
    last: Option<(i64, Timestamp)>,
}

/// What the file says.
#[derive(Clone, Copy)]
struct Noted {
    passed: i64,
    /// The caller's time then.
    seen: Timestamp,
    /// When it was read. As long as it stays true, nobody else has written.
    at: Instant,
}

impl Clock {
    /// A caller's time is `now`; what has passed.
    pub(crate) fn advance(&mut self, connection: &Connection, now: Timestamp) -> Result<i64> {
        let noted = self.noted(connection)?;
        let mut step = noted.until(now);
        if step > LEAP {
            let waited = i64::try_from(noted.at.elapsed().as_millis()).unwrap_or(i64::MAX);
            step = step.min(waited.max(LEAP));
        }
        Ok(self.reads(noted, step, now))
    }

    /// The same for a caller that answers for the time: all of it counts.
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

    /// Writes down what has passed; the same.
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

/// The latest time before which something was forgotten.
pub(crate) fn forgotten(connection: &Connection) -> Result<Timestamp> {
    connection.prepare_cached("SELECT forgotten FROM clock")?.query_row([], |row| time(row, 0))
}

/// What ended until then was forgotten.
pub(crate) fn note_forgotten(connection: &Connection, latest: Timestamp) -> Result<()> {
    let mut note = connection.prepare_cached("UPDATE clock SET forgotten = ?1 WHERE forgotten < ?1")?;
    note.execute([latest.as_millis()])?;
    Ok(())
}
