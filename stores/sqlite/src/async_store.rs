//! The store for callers that must not block: the same methods, as jobs for a thread of the store.

use std::fmt;
use std::path::Path;

use callgate::StoreError;
use callgate::store::{
    ApprovalRequest, AsyncApprovals, AsyncStore, Batch, BatchOutcome, Filed, Settlement, StoreFuture, StoreId,
};
use callgate::time::Timestamp;

use crate::file::File;
use crate::group_commit::GroupCommit;
use crate::handle::{Handle, filed, mismatch, outcome};
use crate::job::{Answer, OwnedJob, Request};
use crate::options::SqliteOptions;

/// Counters in a SQLite file, for callers that must not block. The store starts one thread at the first call. It runs all
/// waiting jobs in one transaction (group commit). The time-out runs from the call. No runtime is needed.
pub struct AsyncSqliteStore {
    pub(crate) handle: Handle,
}

impl AsyncSqliteStore {
    /// Opens nothing yet; the first call opens the file.
    ///
    /// # Errors
    /// [`StoreError`]: the path is not one of a file.
    pub fn lazy(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Self, StoreError> {
        let commits = GroupCommit::new(File::new(path.as_ref(), options)?)?;
        Ok(Self { handle: Handle::new(commits, &options.namespace) })
    }

    /// As [`SqliteStore::namespaced`](crate::SqliteStore::namespaced).
    #[must_use]
    pub fn namespaced(&self, name: &str) -> Self {
        Self { handle: self.handle.namespaced(name) }
    }

    /// As [`SqliteStore::close`](crate::SqliteStore::close).
    pub fn close(&self) {
        self.handle.commits.close();
    }

    fn job(&self, request: Request<'_, '_>) -> OwnedJob {
        self.handle.job(request).to_owned()
    }

    async fn take(&self, job: OwnedJob) -> Result<Answer, StoreError> {
        self.handle.commits.take_async(job).await
    }
}

impl AsyncStore for AsyncSqliteStore {
    fn id(&self) -> StoreId {
        self.handle.id
    }

    fn reserve<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        let job = self.job(Request::Reserve(batch, now));
        Box::pin(async move { outcome(self.take(job).await?) })
    }

    fn peek<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        let job = self.job(Request::Peek(batch, now));
        Box::pin(async move { outcome(self.take(job).await?) })
    }

    fn settle<'f>(&'f self, settlements: &'f [Settlement<'_>], now: Timestamp) -> StoreFuture<'f, ()> {
        let job = self.job(Request::Settle(settlements, now));
        Box::pin(async move { self.take(job).await.map(|_| ()) })
    }

    /// Forgets in all namespaces of the file.
    fn purge(&self, now: Timestamp) -> StoreFuture<'_, usize> {
        Box::pin(async move {
            let mut dropped = 0_usize;
            loop {
                let Answer::Swept { counters, is_done } = self.take(self.job(Request::Sweep(now))).await?
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

impl AsyncApprovals for AsyncSqliteStore {
    fn file<'f>(&'f self, request: &'f ApprovalRequest, now: Timestamp) -> StoreFuture<'f, Filed> {
        let job = self.job(Request::File(request, now));
        Box::pin(async move { filed(self.take(job).await?) })
    }
}

/// Does not print the path.
impl fmt::Debug for AsyncSqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSqliteStore").finish_non_exhaustive()
    }
}
