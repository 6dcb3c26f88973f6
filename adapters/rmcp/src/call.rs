//! One `tools/call`, decided without blocking the runtime.
//!
//! In: the tool, its arguments, who calls. Out: a decision. Must not hold policy logic.

use std::sync::Arc;

use callgate::{Approval, ArgsCheck, Call, Decision, Engine, Evaluation, Identity};
use rmcp::model::ErrorData;
use serde_json::Value;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) tool: String,
    pub(crate) args: Option<Value>,
    pub(crate) identity: Option<Value>,
    pub(crate) server: Option<Arc<str>>,
    /// The checks of the arguments before any rule.
    pub(crate) check: Option<ArgsCheck>,
}

/// An approval: the key that it is bound to, and its own id.
pub(crate) type Approved = (String, String);

/// The caller, for core.
pub(crate) fn identity_of(claims: Option<&Value>) -> Identity<'_> {
    match claims {
        None => Identity::Absent,
        Some(Value::String(id)) => Identity::Id(id.as_str()),
        Some(claims) => Identity::claims(claims),
    }
}

impl Asked {
    fn call<'a>(&'a self, approved: Option<&'a Approved>) -> Call<'a> {
        let call = match &self.args {
            Some(args) => Call::new(&self.tool, args),
            None => Call::without_args(&self.tool),
        };
        let call = call.identity(identity_of(self.identity.as_ref()));
        let call = match &self.server {
            Some(server) => call.server(server),
            None => call,
        };
        let call = match &self.check {
            Some(check) => call.checked(check),
            None => call,
        };
        match approved {
            Some((key, id)) => call.approved(Approval::new(key, id)),
            None => call,
        }
    }

    /// Decides it: by the engine's store that does not block, if it has one; else on a thread that may block.
    pub(crate) async fn decide(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        approved: Option<Approved>,
    ) -> Result<Decision<'static>, ErrorData> {
        if engine.has_async_store() {
            return Ok(engine.decide_async(&self.call(approved.as_ref())).await.into_owned());
        }
        // A decision without counters needs no thread.
        let policy = engine.policy();
        if let Evaluation::Decided(decision) = policy.evaluate(&self.call(approved.as_ref())) {
            return Ok(decision.into_owned());
        }
        drop(policy);
        let (asked, engine) = (self.clone(), engine.clone());
        let decide = move || engine.decide(&asked.call(approved.as_ref())).into_owned();
        // Fails where the runtime is shutting down.
        tokio::task::spawn_blocking(decide).await.map_err(|_| undecided())
    }
}

/// Nothing was decided, so nothing runs.
fn undecided() -> ErrorData {
    ErrorData::internal_error("the call could not be decided", None)
}
