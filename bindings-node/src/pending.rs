//! Decisions on another thread, for stores that wait for a disk or a network.
//!
//! In: a call that was read whole. Out: the decision, to the thread of JS. Must not touch JS while it computes.

use callgate::{Approval, Identity};
use napi::{Env, Task};

use crate::decide::{Answer, Args, Given, Hash, decide};
use crate::plan::Planned;
use crate::snapshot::Snapshot;

/// Arguments that live on their own.
pub(crate) enum OwnedArgs {
    Value(Snapshot),
    Raw(String),
}

/// An identity that lives on its own.
pub(crate) enum OwnedIdentity {
    Absent,
    Id(String),
    Claims(Snapshot),
}

/// A decision that waits for its store.
pub struct Pending {
    pub(crate) plan: Planned,
    pub(crate) args: OwnedArgs,
    pub(crate) identity: OwnedIdentity,
    /// Key and id.
    pub(crate) approval: Option<(String, String)>,
    pub(crate) now: Option<f64>,
    pub(crate) audit: Option<Hash>,
}

impl Task for Pending {
    type Output = Answer;
    type JsValue = Answer;

    fn compute(&mut self) -> napi::Result<Answer> {
        let given = Given {
            args: match &self.args {
                OwnedArgs::Value(value) => Args::Value(value),
                OwnedArgs::Raw(text) => Args::Raw(text),
            },
            identity: match &self.identity {
                OwnedIdentity::Absent => Identity::Absent,
                OwnedIdentity::Id(id) => Identity::Id(id),
                OwnedIdentity::Claims(claims) => Identity::Claims(claims),
            },
            approval: self.approval.as_ref().map(|(key, id)| Approval::new(key, id)),
            now: self.now,
            audit: self.audit.clone(),
        };
        // A panic here would end the process: the thread is not one of Rust's.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| decide(&self.plan, given)))
            .map_err(|_| napi::Error::from_reason("the decision could not be made"))
    }

    fn resolve(&mut self, _env: Env, answer: Answer) -> napi::Result<Answer> {
        Ok(answer)
    }
}
