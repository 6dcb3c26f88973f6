//! A call that the server has, until it has ended once.
//!
//! In: how it ended. Out: what the host hears, what is given back, a record. Must not end twice.

use std::sync::Arc;

use callgate::{Decision, Outcome};
use rmcp::model::{ErrorData, ServerResult};

use crate::approval::caught;
use crate::audit::{Charged, Record};
use crate::call::{Called, Caller};
use crate::ending::Charges;
use crate::options::{CallEnded, OnResult};

/// A call that was allowed and has not ended.
pub(crate) struct Running {
    pub(crate) caller: Caller,
    pub(crate) called: Called,
    pub(crate) decision: Decision<'static>,
    pub(crate) charges: Charges,
    pub(crate) rounds: u32,
    pub(crate) on_result: Option<Arc<OnResult>>,
    pub(crate) record: Record,
}

impl Running {
    /// Whether the policy that decided it is still the one in force.
    pub(crate) fn is_in_force(&self) -> bool {
        self.decision.policy().digest() == self.caller.engine.policy().digest()
    }

    /// It ends, and nobody gets an answer.
    pub(crate) fn ends_unanswered(mut self: Box<Self>, outcome: Outcome) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move { self.ends(outcome, None).await });
    }

    /// Tells the host how it ended, and gives back what that gives back.
    pub(crate) async fn ends(&mut self, outcome: Outcome, result: Option<Result<&ServerResult, &ErrorData>>) {
        hears(self.on_result.as_deref(), &self.decision, outcome, result, &self.charges).await;
        let charged = self.charges.finish(outcome).await;
        self.record.end(outcome, result.and_then(Result::err), charged);
    }

    /// The server took it on as a task, which goes on: nothing tells here when it ends.
    pub(crate) async fn stands(&mut self) {
        let charged = if self.charges.current().is_open().await { Charged::Kept } else { Charged::Nothing };
        self.charges.stand();
        self.record.end(Outcome::Done, None, charged);
    }
}

/// Tells the host how a call ended. What its code raises is logged.
async fn hears(
    on_result: Option<&OnResult>,
    decision: &Decision<'static>,
    outcome: Outcome,
    result: Option<Result<&ServerResult, &ErrorData>>,
    charges: &Charges,
) {
    let Some(on_result) = on_result else { return };
    let reservation = charges.current();
    let told = async { on_result(CallEnded { decision, outcome, result, reservation: &reservation }).await };
    if caught(told).await.is_err() {
        tracing::error!(target: "callgate", "on_result panicked");
    }
}
