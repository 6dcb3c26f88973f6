//! Decisions that must not block JS: the store is asked without blocking anything, or on another thread where it never waits.
//!
//! In: a call that was read whole. Out: the decision, to the thread of JS. Must not touch JS while it computes.

use std::future::Future;

use callgate::{Approval, Identity};
use callgate_host::carry;
use napi::bindgen_prelude::ToNapiValue;
use napi::{Env, JsValue, Task, Unknown};

use crate::decide::{Answer, Args, Given, Hash, decide, decide_with};
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
pub(crate) struct Pending {
    pub(crate) plan: Planned,
    pub(crate) args: OwnedArgs,
    pub(crate) identity: OwnedIdentity,
    /// Key and id.
    pub(crate) approval: Option<(String, String)>,
    pub(crate) now: Option<f64>,
    pub(crate) audit: Option<Hash>,
}

impl Pending {
    /// The promise of the decision.
    pub(crate) fn promise(self, env: &Env) -> napi::Result<Unknown<'_>> {
        let Some(unblocking) = self.plan.unblocking.clone() else {
            return Ok(env.spawn(self)?.promise_object().to_unknown());
        };
        let decide = async move { decide_with(&self.plan, self.given(), &unblocking).await };
        carried(env, decide, |answer| answer.ok_or_else(undecided))
    }

    fn given(&self) -> Given<'_, &Snapshot, &Snapshot> {
        Given {
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
        }
    }
}

/// The promise of what `work` comes to, which waits without blocking anything; `then` is given nothing if it panicked.
pub(crate) fn carried<T: Send + 'static, R: ToNapiValue + 'static>(
    env: &Env,
    work: impl Future<Output = T> + Send + 'static,
    then: impl FnOnce(Option<T>) -> napi::Result<R> + Send + 'static,
) -> napi::Result<Unknown<'_>> {
    let (deferred, promise) = env.create_deferred()?;
    carry(work, move |done| deferred.resolve(move |_: Env| then(done)))?;
    Ok(promise.to_unknown())
}

fn undecided() -> napi::Error {
    napi::Error::from_reason("the decision could not be made")
}

impl Task for Pending {
    type Output = Answer;
    type JsValue = Answer;

    fn compute(&mut self) -> napi::Result<Answer> {
        // A panic here would end the process: the thread is not one of Rust's.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| decide(&self.plan, self.given())))
            .map_err(|_| undecided())
    }

    fn resolve(&mut self, _env: Env, answer: Answer) -> napi::Result<Answer> {
        Ok(answer)
    }
}
