//! The store for callers that must not block: the same methods, as jobs for a thread of the store.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use callgate::StoreError;
use callgate::store::{AsyncStore, Batch, BatchOutcome, Refund, StoreFuture, StoreId};
use callgate::time::Timestamp;

use crate::file::File;
use crate::group_commit::GroupCommit;
use crate::job::{Answer, Job};
use crate::options::SqliteOptions;
use crate::store::{mismatch, outcome};

/// Counters in a SQLite file, for callers that must not block. The store starts one thread at the first call. It runs all
/// waiting jobs in one transaction (group commit). The time-out runs from the call. No runtime is needed.
pub struct AsyncSqliteStore {
    commits: Arc<GroupCommit>,
}

impl AsyncSqliteStore {
    /// Opens nothing yet; the first call opens the file.
    ///
    /// # Errors
    /// [`StoreError`]: the path is not one of a file.
    pub fn lazy(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Self, StoreError> {
        Ok(Self { commits: Arc::new(GroupCommit::new(File::new(path.as_ref(), options)?)?) })
    }
}

impl AsyncStore for AsyncSqliteStore {
    fn id(&self) -> StoreId {
        self.commits.id()
    }

    fn reserve<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        let job = Job::Reserve(batch, now).to_owned();
        Box::pin(async move { outcome(self.commits.take_async(job).await?) })
    }

    fn peek<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        let job = Job::Peek(batch, now).to_owned();
        Box::pin(async move { outcome(self.commits.take_async(job).await?) })
    }

    fn refund<'f>(&'f self, refunds: &'f [Refund<'_>], _now: Timestamp) -> StoreFuture<'f, ()> {
        let job = Job::Refund(refunds).to_owned();
        Box::pin(async move { self.commits.take_async(job).await.map(|_| ()) })
    }

    fn purge(&self, now: Timestamp) -> StoreFuture<'_, usize> {
        Box::pin(async move {
            let mut dropped = 0_usize;
            loop {
                let Answer::Swept { counters, is_done } =
                    self.commits.take_async(Job::Sweep(now).to_owned()).await?
                else {
                    return Err(mismatch());
                };
                dropped = dropped.saturating_add(counters);
                if is_done {
                    return Ok(dropped);
                }
            }
        })
    }
}

/// Does not print the path.
impl fmt::Debug for AsyncSqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSqliteStore").finish_non_exhaustive()
    }
}
