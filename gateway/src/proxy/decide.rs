//! The decision of one call, with the approvals that people gave.
//!
//! In: a call. Out: the engine's decision, and what became of the call where a rule asks for approval. Must not let a call pass but by the
//! engine's decision: what a store says of an approval is only shown to it (spec 7.9).

use std::sync::Arc;

use callgate::store::{
    ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, ApprovalState, AsyncApprovals, Filed,
};
use callgate::time::{Clock as _, SystemClock};
use callgate::{Approval, Call, Decision, Engine, Identity};
use callgate_relay::{Ask, Refusal};
use serde_json::{Map, Value, json};

use super::{ApprovalShown, Caller};
use crate::audit::ShownArgs;

/// How often a call is decided again because another took its approval.
const ROUNDS: usize = 3;

/// Decides the calls of a connection.
pub(super) struct Judge {
    pub(super) engine: Arc<Engine>,
    pub(super) caller: Arc<Caller>,
    /// The server's name, as records have it.
    pub(super) server: String,
    /// Where calls are filed that wait for a person; `None` where nobody could answer.
    pub(super) approvals: Option<Arc<dyn AsyncApprovals>>,
    /// What is kept of their arguments.
    pub(super) shown: ApprovalShown,
}

/// What was decided.
pub(super) struct Judged {
    pub(super) decision: Decision<'static>,
    pub(super) asked: Asked,
}

/// What became of a call that a rule asks to approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// No rule asks, or nothing can be filed.
    Nobody,
    /// It is filed, by this call or by an earlier one, and waits.
    Waits { id: String, key: String, is_new: bool },
    /// A person said no.
    Denied { id: String, key: String, who: Option<String> },
    /// A person said yes, and the engine took it.
    Used { key: String, who: Option<String> },
    /// As many calls wait as may.
    Full,
    /// The store cannot be reached.
    Unavailable,
}

impl Judge {
    /// Decides at once, for a store that never waits.
    pub(super) fn at_once(&self, ask: &Ask) -> Judged {
        let decision = self.engine.decide_json(&call_of(ask, &self.caller)).into_owned();
        Judged { decision, asked: Asked::Nobody }
    }

    pub(super) async fn judge(&self, ask: &Ask) -> Judged {
        let mut decision = self.decide(ask, None).await;
        let Some(approvals) = &self.approvals else { return Judged { decision, asked: Asked::Nobody } };
        for _ in 0..ROUNDS {
            let asks = !decision.allowed();
            let call = asks.then(|| ApprovalCall::new(&decision, &self.server, self.caller.id())).flatten();
            let Some(call) = call else { return Judged { decision, asked: Asked::Nobody } };
            let request = ApprovalRequest { call, args: self.shown.of(ask.args.as_deref()) };
            let record = match approvals.file(&request, SystemClock.now()).await {
                Ok(Filed::New(record)) => return Judged { decision, asked: waits(*record, true) },
                Ok(Filed::Found(record)) => record,
                Ok(Filed::Full) => return Judged { decision, asked: Asked::Full },
                Err(_) => return Judged { decision, asked: Asked::Unavailable },
            };
            let granted = match record.state {
                ApprovalState::Granted => record.approval_id(),
                ApprovalState::Denied => {
                    let ApprovalRecord { id, call, answer, .. } = *record;
                    let who = answer.map(|(who, _)| who);
                    return Judged { decision, asked: Asked::Denied { id, key: call.key, who } };
                }
                ApprovalState::Pending | ApprovalState::Used => None,
            };
            let Some(id) = granted else { return Judged { decision, asked: waits(*record, false) } };
            let key = record.call.key;
            decision = self.decide(ask, Some(Approval::new(&key, &id))).await;
            if decision.allowed() {
                let who = record.answer.map(|(who, _)| who);
                return Judged { decision, asked: Asked::Used { key, who } };
            }
            // Another call took the approval, or another policy asks for another one: once more.
        }
        Judged { decision, asked: Asked::Unavailable }
    }

    async fn decide(&self, ask: &Ask, approval: Option<Approval<'_>>) -> Decision<'static> {
        let call = call_of(ask, &self.caller);
        let call = match approval {
            Some(approval) => call.approved(approval),
            None => call,
        };
        self.engine.decide_json_async(&call).await.into_owned()
    }
}

fn waits(record: ApprovalRecord, is_new: bool) -> Asked {
    Asked::Waits { id: record.id, key: record.call.key, is_new }
}

impl ApprovalShown {
    fn of(self, args: Option<&str>) -> ApprovalArgs {
        // Absent arguments are an empty object (spec 3.2).
        let text = args.unwrap_or("{}");
        match self {
            Self::None => ApprovalArgs::Omitted,
            Self::Keys => ApprovalArgs::keys(&ShownArgs::Keys.of(Some(text)).keys.unwrap_or_default()),
            Self::Full => ApprovalArgs::full(text),
        }
    }
}

fn call_of<'c>(ask: &'c Ask, caller: &'c Caller) -> Call<'c, &'c str> {
    // Absent arguments are an empty object (spec 3.2).
    let call = Call::new(&ask.tool, ask.args.as_deref().unwrap_or("{}")).identity(caller.identity());
    match &ask.check {
        Some(check) => call.checked(check),
        None => call,
    }
}

impl Caller {
    pub(super) fn identity(&self) -> Identity<'_> {
        match self {
            Self::Id(id) => Identity::new(id),
            Self::Claims(claims) => Identity::claims(claims),
        }
    }

    fn id(&self) -> Option<&str> {
        match self {
            Self::Id(id) => Some(id),
            Self::Claims(claims) => claims.get("id")?.as_str(),
        }
    }
}

impl Judged {
    /// What the caller is told of a call that may not run: the decision's own words (spec 10.6), and where its approval stands.
    pub(super) fn refusal(&self) -> Refusal {
        let refusal = Refusal::from(&self.decision);
        let (id, words) = match &self.asked {
            Asked::Nobody | Asked::Used { .. } => return refusal,
            Asked::Waits { id, .. } => (
                Some(id),
                // Not how a person does it: the caller may have a shell.
                format!(
                    "It waits for a person's approval as {id}. Once it is approved, make the same call again."
                ),
            ),
            Asked::Denied { id, .. } => {
                (Some(id), format!("A person has denied it ({id}). Do not make it again."))
            }
            Asked::Full => (None, "It was not filed: too many calls wait for a person already.".to_owned()),
            Asked::Unavailable => (None, "It could not be filed for a person. Try again later.".to_owned()),
        };
        let message = format!("{}\n{words}", refusal.message);
        let mut meta: Map<String, Value> =
            refusal.data.as_deref().and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
        if let Some(id) = id {
            meta.insert("callgate/approval_id".to_owned(), json!(id));
        }
        let result = json!({"content": [{"type": "text", "text": message}], "isError": true, "_meta": meta});
        Refusal { result: result.to_string(), message, data: Some(Value::Object(meta).to_string()) }
    }
}
