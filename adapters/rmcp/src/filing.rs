//! Calls that wait for people at a store (spec 7.7 to 7.9, G6.9).
//!
//! In: a decision that asks. Out: a grant that somebody gave, or where the call stands. Must not let a call pass: the engine decides again,
//! with the grant.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use callgate::store::{
    ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, ApprovalState, Approvals, AsyncApprovals,
    Filed,
};
use callgate::time::Timestamp;
use callgate::{ArgsHash, AuditedCall, Call, Decision, StoreError};
use serde_json::Value;

use crate::call::Approved;
use crate::refusal::Told;

/// How often a call that waits looks for its answer.
const LOOKS: Duration = Duration::from_millis(250);

/// A store in which calls are filed.
#[derive(Clone)]
pub enum ApprovalStore {
    /// One that blocks: it is asked on threads that may.
    Blocking(Arc<dyn Approvals>),
    /// One that does not.
    NonBlocking(Arc<dyn AsyncApprovals>),
}

impl<S: Approvals + 'static> From<Arc<S>> for ApprovalStore {
    fn from(store: Arc<S>) -> Self {
        Self::Blocking(store)
    }
}

impl fmt::Debug for ApprovalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocking(_) => "Blocking(..)",
            Self::NonBlocking(_) => "NonBlocking(..)",
        })
    }
}

/// Where a filed call stands.
pub(crate) enum Standing {
    Granted(Approved),
    /// It may not run now.
    Not(Told),
}

impl ApprovalStore {
    async fn file(&self, request: ApprovalRequest, now: Timestamp) -> Result<Filed, StoreError> {
        match self {
            Self::NonBlocking(store) => store.file(&request, now).await,
            Self::Blocking(store) => {
                let store = store.clone();
                let filing = tokio::task::spawn_blocking(move || store.file(&request, now));
                let over = |_| Err(StoreError::transient("the runtime is shutting down"));
                filing.await.unwrap_or_else(over)
            }
        }
    }

    /// Files the call, and waits for its answer.
    pub(crate) async fn stands(
        &self,
        decision: &Decision<'_>,
        server: &str,
        caller: Option<&str>,
        args: Option<&Value>,
        now: impl Fn() -> Timestamp,
        wait: Duration,
    ) -> Standing {
        let Some(call) = ApprovalCall::new(decision, server, caller) else {
            return Standing::Not(Told::default());
        };
        let args = ApprovalArgs::keys(&names(args));
        let request = ApprovalRequest { call, args };
        let until = tokio::time::Instant::now().checked_add(wait);
        loop {
            let record = match self.file(request.clone(), now()).await {
                Ok(Filed::New(record) | Filed::Found(record)) => *record,
                Ok(Filed::Full) => {
                    return told(None, "It was not filed: too many calls wait for a person already.");
                }
                Err(_) => return told(None, "It could not be filed for a person. Try again later."),
            };
            let waits = until.is_some_and(|until| tokio::time::Instant::now() < until);
            if waits && record.state == ApprovalState::Pending {
                tokio::time::sleep(LOOKS).await;
            } else {
                return of(&record);
            }
        }
    }
}

fn of(record: &ApprovalRecord) -> Standing {
    let id = &record.id;
    match record.state {
        ApprovalState::Granted => {
            let granted = record.approval_id().zip(record.given_at());
            let approved = granted.map(|(id, at)| Approved { key: record.call.key.clone(), id, at });
            approved.map_or_else(|| Standing::Not(Told::default()), Standing::Granted)
        }
        ApprovalState::Denied => {
            told(Some(id), &format!("A person has denied it ({id}). Do not make it again."))
        }
        // Not how a person does it: the caller may have a shell.
        ApprovalState::Pending | ApprovalState::Used => told(
            Some(id),
            &format!(
                "It waits for a person's approval as {id}. Once it is approved, make the same call again."
            ),
        ),
    }
}

fn told(id: Option<&String>, words: &str) -> Standing {
    Standing::Not(Told { id: id.cloned(), words: Some(words.to_owned()) })
}

/// The names of arguments, sorted; none of what is no object.
fn names(args: Option<&Value>) -> Vec<String> {
    args.map_or_else(Vec::new, |args| AuditedCall::new(&Call::new("", args), ArgsHash::None).keys().to_vec())
}
