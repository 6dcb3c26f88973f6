//! The store: the methods that core calls, as jobs.

use std::fmt;
use std::path::Path;

use callgate::StoreError;
use callgate::store::{
    Batch, BatchOutcome, CounterId, Inspect, LiveCounter, Refund, ScopeValue, Store, StoreId,
};
use callgate::time::Timestamp;

use crate::file::File;
use crate::group_commit::GroupCommit;
use crate::job::{Answer, Job, Page};
use crate::options::SqliteOptions;

/// Counters in a SQLite file. Threads share one behind an [`Arc`](std::sync::Arc): concurrent calls share a commit (group commit).
pub struct SqliteStore {
    commits: GroupCommit,
}

impl SqliteStore {
    /// Opens a file of counters. Creates it if missing, readable only for its owner; the directory must exist. A relative path
    /// starts from the current directory.
    ///
    /// # Errors
    /// [`StoreError`], without the path: the file cannot be opened, belongs to another program, or has a newer schema.
    pub fn open(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Self, StoreError> {
        Ok(Self { commits: GroupCommit::open(File::new(path.as_ref(), options)?)? })
    }

    /// The same without touching the file: the first call opens it. If that fails, each later call tries again.
    ///
    /// # Errors
    /// Permanent, where no file can have the path.
    pub fn lazy(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Self, StoreError> {
        Ok(Self { commits: GroupCommit::new(File::new(path.as_ref(), options)?)? })
    }
}

impl Store for SqliteStore {
    fn id(&self) -> StoreId {
        self.commits.id()
    }

    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        outcome(self.commits.take(Job::Reserve(batch, now))?)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        outcome(self.commits.take(Job::Peek(batch, now))?)
    }

    fn refund(&self, refunds: &[Refund<'_>], _now: Timestamp) -> Result<(), StoreError> {
        self.commits.take(Job::Refund(refunds)).map(|_| ())
    }

    /// Each step is a transaction, so that calls run in between.
    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        let mut dropped = 0_usize;
        loop {
            let Answer::Swept { counters, is_done } = self.commits.take(Job::Sweep(now))? else {
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
    /// Each step is a transaction; what it found is shown between them.
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let Answer::Page(Page { held, last }) = self.commits.take(Job::Page(after.as_ref(), now))? else {
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
        match self.commits.take(Job::Reset(counter, scope, now))? {
            Answer::Reset(held) => Ok(held),
            _ => Err(mismatch()),
        }
    }
}

pub(crate) fn outcome(answer: Answer) -> Result<BatchOutcome, StoreError> {
    if let Answer::Outcome(outcome) = answer { Ok(outcome) } else { Err(mismatch()) }
}

/// Never seen: each job has its own kind of answer.
pub(crate) fn mismatch() -> StoreError {
    StoreError::permanent("the SQLite store gave an answer of another kind")
}

/// Does not print the path.
impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
