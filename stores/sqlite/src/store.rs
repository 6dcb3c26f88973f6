//! The store: the methods that core calls, as jobs.

use std::fmt;
use std::path::Path;

use callgate::StoreError;
use callgate::store::{
    Answered, ApprovalAnswer, ApprovalRecord, ApprovalRequest, Approvals, Batch, BatchOutcome, CounterId,
    Filed, FiledCall, Inspect, LiveCounter, ScopeValue, Settlement, Store, StoreId,
};
use callgate::time::Timestamp;

use crate::async_store::AsyncSqliteStore;
use crate::file::File;
use crate::group_commit::GroupCommit;
use crate::handle::{Handle, filed, mismatch, outcome};
use crate::job::{Answer, Page, Request};
use crate::options::SqliteOptions;

/// Counters in a SQLite file. Threads share one behind an [`Arc`](std::sync::Arc): concurrent calls share a commit (group commit).
pub struct SqliteStore {
    handle: Handle,
}

impl SqliteStore {
    /// Opens a file of counters. Creates it if missing, readable only for its owner; the directory must exist. A relative path
    /// starts from the current directory.
    ///
    /// # Errors
    /// [`StoreError`], without the path: the file cannot be opened, belongs to another program, or has a newer schema.
    pub fn open(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Self, StoreError> {
        let commits = GroupCommit::open(File::new(path.as_ref(), options)?)?;
        Ok(Self { handle: Handle::new(commits, &options.namespace) })
    }

    /// The same without touching the file: the first call opens it. If that fails, each later call tries again.
    ///
    /// # Errors
    /// Permanent, where no file can have the path.
    pub fn lazy(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Self, StoreError> {
        let commits = GroupCommit::new(File::new(path.as_ref(), options)?)?;
        Ok(Self { handle: Handle::new(commits, &options.namespace) })
    }

    /// The counters of a namespace of this file, in place of those of [`SqliteOptions::with_namespace`]. Handles share the open file,
    /// the threads that work on it, and its commits. They share counters where their names are the same (spec 8.15).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use callgate::{Engine, Identity, Policy};
    /// use callgate_sqlite::{SqliteOptions, SqliteStore};
    /// # let directory = std::env::temp_dir().join(format!("callgate-namespaced-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("counters.db");
    /// let policy: Policy =
    ///     "{version: '1', default: deny, tools: {t: {rules: [{rate_limit: 1/hour, scope: global}]}}}".parse()?;
    /// let store = SqliteStore::open(path, &SqliteOptions::new())?;
    /// let tenant = |name| Engine::builder(policy.clone()).store(Arc::new(store.namespaced(name))).build();
    /// let (one, other, one_again) = (tenant("one"), tenant("other"), tenant("one"));
    /// let passes = |engine: &Engine| engine.evaluate_json("t", "{}", &Identity::absent()).allowed();
    /// assert!(passes(&one) && passes(&other) && !passes(&one_again));
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn namespaced(&self, name: &str) -> Self {
        Self { handle: self.handle.namespaced(name) }
    }

    /// The same counters of the same open file, for callers that must not block.
    #[must_use]
    pub fn nonblocking(&self) -> AsyncSqliteStore {
        AsyncSqliteStore { handle: self.handle.clone() }
    }

    /// The names of the namespaces in which calls are filed that wait for approval, or were answered.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn filed_namespaces(&self) -> Result<Vec<String>, StoreError> {
        match self.take(Request::Namespaces)? {
            Answer::Namespaces(names) => Ok(names),
            _ => Err(mismatch()),
        }
    }

    /// Closes the file for all handles, as soon as the calls that wait have their answers. What is asked afterwards is an error that
    /// is [certain](StoreError::is_certainly_undone). Without this, the file is closed with the last handle.
    pub fn close(&self) {
        self.handle.commits.close();
    }

    fn take(&self, request: Request<'_, '_>) -> Result<Answer, StoreError> {
        self.handle.commits.take(self.handle.job(request))
    }
}

impl Store for SqliteStore {
    fn id(&self) -> StoreId {
        self.handle.id
    }

    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        outcome(self.take(Request::Reserve(batch, now))?)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        outcome(self.take(Request::Peek(batch, now))?)
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.take(Request::Settle(settlements, now)).map(|_| ())
    }

    /// Forgets in all namespaces of the file. Each step is a transaction, so that calls run in between.
    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        let mut dropped = 0_usize;
        loop {
            let Answer::Swept { counters, is_done } = self.take(Request::Sweep(now))? else {
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
            let Answer::Page(Page { held, last }) = self.take(Request::Page(after.as_ref(), now))? else {
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
        match self.take(Request::Reset(counter, scope, now))? {
            Answer::Reset(held) => Ok(held),
            _ => Err(mismatch()),
        }
    }
}

impl Approvals for SqliteStore {
    fn file(&self, request: &ApprovalRequest, now: Timestamp) -> Result<Filed, StoreError> {
        filed(self.take(Request::File(request, now))?)
    }

    fn filed(&self, now: Timestamp) -> Result<Vec<ApprovalRecord>, StoreError> {
        match self.take(Request::Filed(now))? {
            Answer::Records(records) => Ok(records),
            _ => Err(mismatch()),
        }
    }

    fn find(&self, id: &str, now: Timestamp) -> Result<Option<FiledCall>, StoreError> {
        match self.take(Request::Find(id, now))? {
            Answer::Found(found) => Ok(found.map(|found| *found)),
            _ => Err(mismatch()),
        }
    }

    fn answer(&self, id: &str, answer: &ApprovalAnswer, now: Timestamp) -> Result<Answered, StoreError> {
        match self.take(Request::Answer(id, answer, now))? {
            Answer::Answered(answered) => Ok(answered),
            _ => Err(mismatch()),
        }
    }
}

/// Does not print the path.
impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
