//! The store: the methods that core calls, as jobs.

use std::fmt;
use std::path::Path;

use callgate::StoreError;
use callgate::store::{Batch, BatchOutcome, CounterId, Held, Inspect, Refund, ScopeValue, Store, StoreId};
use callgate::time::Timestamp;

use crate::file::File;
use crate::job::{Answer, Job, Page};
use crate::options::SqliteOptions;
use crate::turns::Turns;

/// Counters in a SQLite file. Share one between threads behind an [`Arc`](std::sync::Arc): their calls are committed together.
pub struct SqliteStore {
    turns: Turns,
}

impl SqliteStore {
    /// Opens a file of counters, and makes it if it is not there, so that only its owner may read it. Its directory must be
    /// there. A relative path starts from the directory that is current now.
    ///
    /// # Errors
    /// [`StoreError`], without the path: the file cannot be opened, belongs to another program, or was made by a newer version.
    pub fn open(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Self, StoreError> {
        Ok(Self { turns: Turns::open(File::new(path.as_ref(), options)?)? })
    }

    /// The same without touching the file: the first call opens it, and each later one until one can.
    ///
    /// # Errors
    /// Permanent, where the path can be that of no file.
    pub fn lazy(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Self, StoreError> {
        Ok(Self { turns: Turns::new(File::new(path.as_ref(), options)?)? })
    }
}

impl Store for SqliteStore {
    fn id(&self) -> StoreId {
        self.turns.id()
    }

    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        outcome(self.turns.take(Job::Reserve(batch, now))?)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        outcome(self.turns.take(Job::Peek(batch, now))?)
    }

    fn refund(&self, refunds: &[Refund<'_>], _now: Timestamp) -> Result<(), StoreError> {
        self.turns.take(Job::Refund(refunds)).map(|_| ())
    }

    /// Goes in steps, each a transaction of its own, so that calls pass in between.
    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        let mut dropped = 0_usize;
        loop {
            let Answer::Swept { counters, is_done } = self.turns.take(Job::Sweep(now))? else {
                return Err(mismatch());
            };
            dropped = dropped.saturating_add(counters);
            if is_done {
                return Ok(dropped);
            }
        }
    }
}

impl Inspect for SqliteStore {
    /// Goes in steps, each a transaction of its own, and shows what it found between them.
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(Held)) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let Answer::Page(Page { held, last }) = self.turns.take(Job::Page(after.as_ref(), now))? else {
                return Err(mismatch());
            };
            held.into_iter().for_each(&mut *show);
            if last.is_none() {
                return Ok(());
            }
            after = last;
        }
    }

    fn reset(&self, counter: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError> {
        match self.turns.take(Job::Reset(counter, scope, now))? {
            Answer::Reset(held) => Ok(held),
            _ => Err(mismatch()),
        }
    }
}

pub(crate) fn outcome(answer: Answer) -> Result<BatchOutcome, StoreError> {
    if let Answer::Outcome(outcome) = answer { Ok(outcome) } else { Err(mismatch()) }
}

/// Each job has its own kind of answer, so this is never seen.
pub(crate) fn mismatch() -> StoreError {
    StoreError::permanent("the SQLite store gave an answer of another kind")
}

/// Does not name the file.
impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
