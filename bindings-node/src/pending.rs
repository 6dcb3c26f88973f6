//! Decisions on another thread, for stores that wait for a disk or a network.
//!
//! In: a call that was read whole. Out: the decision, to the thread of JS. Must not touch JS while it computes.

use std::sync::Arc;

use callgate::{Approval, Engine, Identity};
use napi::{Env, Task};

use crate::decide::{Answer, Args, Decided, Given, Hash, decide};
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
    pub(crate) engine: Arc<Engine>,
    pub(crate) tool: String,
    pub(crate) args: OwnedArgs,
    pub(crate) identity: OwnedIdentity,
    /// Key and id.
    pub(crate) approval: Option<(String, String)>,
    pub(crate) now: Option<f64>,
    pub(crate) audit: Option<Hash>,
}

impl Task for Pending {
    type Output = Decided;
    type JsValue = Answer;

    fn compute(&mut self) -> napi::Result<Decided> {
        let given = Given {
            tool: &self.tool,
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
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| decide(&self.engine, given)))
            .map_err(|_| napi::Error::from_reason("the decision could not be made"))
    }

    fn resolve(&mut self, _env: Env, decided: Decided) -> napi::Result<Answer> {
        Ok(decided.answer(&self.engine))
    }
}
