//! The statements on the rows of one counter.
//!
//! In: the key of its rows, and numbers. Out: rows. `tables.rs` says what the columns mean.

use std::collections::VecDeque;

use callgate::store::Slot;
use callgate::store::judge::Charge;
use callgate::time::Timestamp;
use rusqlite::{CachedStatement, Connection, Error, OptionalExtension as _, Result, Row as SqlRow, params};

/// How far a clock may be behind a window or charge and still count there, in milliseconds.
pub(crate) const BEHIND: i64 = 60_000;

/// The queue of charges for the judge.
pub(crate) type Charges = VecDeque<Charge>;

/// Where a counter's rows are.
#[derive(Clone, Copy)]
pub(crate) struct Key<'k> {
    pub(crate) space: i64,
    pub(crate) id: &'k [u8; 16],
    pub(crate) scope: &'k [u8],
}

/// A row of `counters`.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) start: Timestamp,
    pub(crate) stamp: Timestamp,
    pub(crate) ends: Timestamp,
    /// In units of 10^-6.
    pub(crate) used: i64,
    pub(crate) entries: i64,
    pub(crate) gone: Option<Timestamp>,
    /// By the file's clock.
    pub(crate) keep: i64,
}

impl Row {
    /// From the columns `start, stamp, ends, used, entries, gone, keep`, of which the first is the one with this number.
    pub(crate) fn read(row: &SqlRow<'_>, first: usize) -> Result<Self> {
        let column = |n: usize| first.saturating_add(n);
        Ok(Self {
            start: time(row, column(0))?,
            stamp: time(row, column(1))?,
            ends: time(row, column(2))?,
            used: row.get(column(3))?,
            entries: row.get(column(4))?,
            gone: row.get::<_, Option<i64>>(column(5))?.map(Timestamp::from_millis),
            keep: row.get(column(6))?,
        })
    }
}

impl Row {
    /// Whether its fixed window has not ended.
    pub(crate) fn lasts(&self, now: Timestamp) -> bool {
        now < self.ends || self.ends == Timestamp::MAX
    }
}

impl Key<'_> {
    /// The row of the newest window, or that of a sliding one.
    pub(crate) fn row(&self, connection: &Connection) -> Result<Option<Row>> {
        self.row_until(connection, Timestamp::MAX)
    }

    /// The row of the newest window that began by then.
    fn row_until(&self, connection: &Connection, until: Timestamp) -> Result<Option<Row>> {
        let mut select = connection.prepare_cached(
            "SELECT start, stamp, ends, used, entries, gone, keep FROM counters
             WHERE space = ?1 AND id = ?2 AND scope = ?3 AND start <= ?4 ORDER BY start DESC LIMIT 1",
        )?;
        let key = params![self.space, self.id, self.scope, until.as_millis()];
        select.query_row(key, |row| Row::read(row, 0)).optional()
    }

    /// The row in which a caller at `now` counts, given the newest row; and whether it is the newest.
    pub(crate) fn seen_at(
        &self,
        connection: &Connection,
        newest: Option<Row>,
        now: Timestamp,
    ) -> Result<(Option<Row>, bool)> {
        let until = now.plus_millis(BEHIND);
        if newest.is_some_and(|row| row.start > until) {
            return Ok((self.row_until(connection, until)?, false));
        }
        Ok((newest, true))
    }

    /// Writes the whole row.
    pub(crate) fn put(&self, connection: &Connection, row: &Row) -> Result<()> {
        let mut put = connection.prepare_cached(
            "INSERT INTO counters (space, id, scope, start, stamp, ends, used, entries, gone, keep)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT DO UPDATE SET stamp = excluded.stamp, ends = excluded.ends, used = excluded.used,
                entries = excluded.entries, gone = excluded.gone, keep = excluded.keep",
        )?;
        let Row { start, stamp, ends, used, entries, gone, keep } = row;
        let (start, stamp, ends) = (start.as_millis(), stamp.as_millis(), ends.as_millis());
        let gone = gone.map(Timestamp::as_millis);
        put.execute(params![self.space, self.id, self.scope, start, stamp, ends, used, entries, gone, keep])?;
        Ok(())
    }

    /// Takes from what the row holds, if it has this stamp.
    pub(crate) fn take_back(&self, connection: &Connection, stamp: Timestamp, micros: i64) -> Result<()> {
        let mut take = connection.prepare_cached(
            "UPDATE counters SET used = max(used - ?5, 0)
             WHERE space = ?1 AND id = ?2 AND scope = ?3 AND stamp = ?4",
        )?;
        take.execute(params![self.space, self.id, self.scope, stamp.as_millis(), micros])?;
        Ok(())
    }

    /// How many charges were made up to and including `cut`, and their sum.
    pub(crate) fn charged_until(&self, connection: &Connection, cut: i64) -> Result<(i64, i64)> {
        let mut select = connection.prepare_cached(
            "SELECT count(*), coalesce(sum(micros), 0) FROM charges
             WHERE space = ?1 AND id = ?2 AND scope = ?3 AND stamp <= ?4",
        )?;
        select.query_row(params![self.space, self.id, self.scope, cut], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The charges of those that have expired by the file's clock: how many, their sum, and the newest.
    pub(crate) fn expired(
        &self,
        connection: &Connection,
        cut: i64,
        passed: i64,
    ) -> Result<(i64, i64, Option<Timestamp>)> {
        let mut select = connection.prepare_cached(
            "SELECT count(*), coalesce(sum(micros), 0), max(stamp) FROM charges
             WHERE space = ?1 AND id = ?2 AND scope = ?3 AND stamp <= ?4 AND keep <= ?5",
        )?;
        select.query_row(params![self.space, self.id, self.scope, cut, passed], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis)))
        })
    }

    /// Drops those.
    pub(crate) fn drop_expired(&self, connection: &Connection, cut: i64, passed: i64) -> Result<()> {
        let mut delete = connection.prepare_cached(
            "DELETE FROM charges WHERE space = ?1 AND id = ?2 AND scope = ?3 AND stamp <= ?4 AND keep <= ?5",
        )?;
        delete.execute(params![self.space, self.id, self.scope, cut, passed])?;
        Ok(())
    }

    /// The charges made after `cut` and by `until`, oldest first, up to a sum of `enough`.
    pub(crate) fn live(
        &self,
        connection: &Connection,
        cut: i64,
        until: Timestamp,
        enough: i64,
    ) -> Result<VecDeque<Charge>> {
        let mut select = connection.prepare_cached(
            "SELECT stamp, micros FROM charges
             WHERE space = ?1 AND id = ?2 AND scope = ?3 AND stamp > ?4 AND stamp <= ?5 ORDER BY stamp",
        )?;
        let mut rows = select.query(params![self.space, self.id, self.scope, cut, until.as_millis()])?;
        let (mut live, mut sum) = (VecDeque::new(), 0_i64);
        while sum < enough
            && let Some(row) = rows.next()?
        {
            let charge = Charge { at: row.get(0)?, micros: row.get(1)? };
            sum = sum.saturating_add(charge.micros);
            live.push_back(charge);
        }
        Ok(live)
    }

    /// What was charged at this time, and for how long that is kept.
    pub(crate) fn charged(&self, connection: &Connection, stamp: Timestamp) -> Result<Option<(i64, i64)>> {
        let mut select = connection.prepare_cached(
            "SELECT micros, keep FROM charges WHERE space = ?1 AND id = ?2 AND scope = ?3 AND stamp = ?4",
        )?;
        let key = params![self.space, self.id, self.scope, stamp.as_millis()];
        select.query_row(key, |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }

    /// The time of the newest charge that was made by then.
    pub(crate) fn newest_until(
        &self,
        connection: &Connection,
        until: Timestamp,
    ) -> Result<Option<Timestamp>> {
        let mut select = connection.prepare_cached(
            "SELECT max(stamp) FROM charges WHERE space = ?1 AND id = ?2 AND scope = ?3 AND stamp <= ?4",
        )?;
        let newest = |row: &SqlRow<'_>| row.get::<_, Option<i64>>(0);
        let key = params![self.space, self.id, self.scope, until.as_millis()];
        Ok(select.query_row(key, newest)?.map(Timestamp::from_millis))
    }

    /// Adds to what was charged at this time.
    pub(crate) fn append(
        &self,
        connection: &Connection,
        stamp: Timestamp,
        micros: i64,
        keep: i64,
    ) -> Result<()> {
        let mut append = connection.prepare_cached(
            "INSERT INTO charges (space, id, scope, stamp, micros, keep) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET micros = micros + excluded.micros, keep = max(keep, excluded.keep)",
        )?;
        append.execute(params![self.space, self.id, self.scope, stamp.as_millis(), micros, keep])?;
        Ok(())
    }

    /// Drops what was charged at this time.
    pub(crate) fn drop_at(&self, connection: &Connection, stamp: Timestamp) -> Result<()> {
        let mut delete = connection.prepare_cached(
            "DELETE FROM charges WHERE space = ?1 AND id = ?2 AND scope = ?3 AND stamp = ?4",
        )?;
        delete.execute(params![self.space, self.id, self.scope, stamp.as_millis()])?;
        Ok(())
    }

    /// Drops what was charged up to and including `cut`.
    pub(crate) fn drop_until(&self, connection: &Connection, cut: i64) -> Result<()> {
        let mut delete = connection.prepare_cached(
            "DELETE FROM charges WHERE space = ?1 AND id = ?2 AND scope = ?3 AND stamp <= ?4",
        )?;
        delete.execute(params![self.space, self.id, self.scope, cut])?;
        Ok(())
    }

    /// The time of the charge that `skipped` others precede.
    pub(crate) fn nth(&self, connection: &Connection, skipped: i64) -> Result<Option<i64>> {
        let mut select = connection.prepare_cached(
            "SELECT stamp FROM charges WHERE space = ?1 AND id = ?2 AND scope = ?3 ORDER BY stamp LIMIT 1 OFFSET ?4",
        )?;
        select.query_row(params![self.space, self.id, self.scope, skipped], |row| row.get(0)).optional()
    }

    /// Drops the row; its charges went before.
    pub(crate) fn drop(&self, connection: &Connection, start: Timestamp) -> Result<()> {
        let mut delete = connection.prepare_cached(
            "DELETE FROM counters WHERE space = ?1 AND id = ?2 AND scope = ?3 AND start = ?4",
        )?;
        delete.execute(params![self.space, self.id, self.scope, start.as_millis()])?;
        Ok(())
    }

    /// Drops the rows of windows that begin later; whether there were any.
    pub(crate) fn drop_after(&self, connection: &Connection, until: Timestamp) -> Result<bool> {
        let mut delete = connection.prepare_cached(
            "DELETE FROM counters WHERE space = ?1 AND id = ?2 AND scope = ?3 AND start > ?4",
        )?;
        Ok(delete.execute(params![self.space, self.id, self.scope, until.as_millis()])? > 0)
    }
}

/// Adds to what rows hold: the usual charge. It changes one page for each, because no index has the column.
pub(crate) struct Adding<'c, 'k> {
    connection: &'c Connection,
    space: i64,
    /// Prepared at the first row, with the scope value that is bound: most batches have one.
    add: Option<(CachedStatement<'c>, &'k [u8])>,
}

impl<'c, 'k> Adding<'c, 'k> {
    pub(crate) fn new(connection: &'c Connection, space: i64) -> Self {
        Self { connection, space, add: None }
    }

    /// To the row of the window that began then.
    pub(crate) fn add(&mut self, slot: &'k Slot<'_>, start: Timestamp, micros: i64) -> Result<()> {
        let scope = slot.scope.as_bytes();
        let add = match &mut self.add {
            Some((add, bound)) => {
                if *bound != scope {
                    add.raw_bind_parameter(3, scope)?;
                    *bound = scope;
                }
                add
            }
            None => {
                let mut add = self.connection.prepare_cached(
                    "UPDATE counters SET used = used + ?4
                     WHERE space = ?1 AND id = ?2 AND scope = ?3 AND start = ?5",
                )?;
                add.raw_bind_parameter(1, self.space)?;
                add.raw_bind_parameter(3, scope)?;
                &mut self.add.insert((add, scope)).0
            }
        };
        add.raw_bind_parameter(2, slot.counter.id().as_bytes())?;
        add.raw_bind_parameter(4, micros)?;
        add.raw_bind_parameter(5, start.as_millis())?;
        match add.raw_execute()? {
            1 => Ok(()),
            // A charge that was not stored must not be reported.
            rows => Err(Error::StatementChangedRows(rows)),
        }
    }
}

pub(crate) fn time(row: &SqlRow<'_>, column: usize) -> Result<Timestamp> {
    Ok(Timestamp::from_millis(row.get(column)?))
}
