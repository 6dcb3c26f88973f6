//! A handle on a namespace of an open file: what both faces of the store are made of.
//!
//! In: a request. Out: the job for it, and the answer of the kind that was asked for. Must not open anything.

use std::sync::Arc;

use callgate::StoreError;
use callgate::store::{BatchOutcome, Filed, StoreId};

use crate::group_commit::GroupCommit;
use crate::job::{Answer, Job, Request};
use crate::namespace::Namespace;

/// A namespace of an open file, which all handles of the file share.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) commits: Arc<GroupCommit>,
    pub(crate) namespace: Arc<Namespace>,
    pub(crate) id: StoreId,
}

impl Handle {
    pub(crate) fn new(commits: GroupCommit, namespace: &str) -> Self {
        let id = commits.id(namespace);
        Self { commits: Arc::new(commits), namespace: Arc::new(Namespace::new(namespace)), id }
    }

    pub(crate) fn namespaced(&self, name: &str) -> Self {
        let id = self.commits.id(name);
        Self { commits: self.commits.clone(), namespace: Arc::new(Namespace::new(name)), id }
    }

    pub(crate) fn job<'j, 'p>(&'j self, request: Request<'j, 'p>) -> Job<'j, 'p> {
        Job { namespace: &self.namespace, request }
    }
}

pub(crate) fn outcome(answer: Answer) -> Result<BatchOutcome, StoreError> {
    if let Answer::Outcome(outcome) = answer { Ok(outcome) } else { Err(mismatch()) }
}

pub(crate) fn filed(answer: Answer) -> Result<Filed, StoreError> {
    if let Answer::Filed(filed) = answer { Ok(filed) } else { Err(mismatch()) }
}

/// Never seen: each job has its own kind of answer.
pub(crate) fn mismatch() -> StoreError {
    StoreError::permanent("the SQLite store gave an answer of another kind")
}
