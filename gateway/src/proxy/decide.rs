//! The decision of one call, with the approvals that people gave.
//!
//! In: a call. Out: the engine's decision, and what became of the call where a rule asks for approval. Must not let a call pass but by the
//! engine's decision: what a store says of an approval is only shown to it (spec 7.9).

use std::sync::Arc;

use callgate::store::{
    ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, ApprovalState, AsyncApprovals, Filed,
};
use callgate::time::{Clock as _, SystemClock, Timestamp};
use callgate::value::RawJson;
use callgate::{Approval, ArgsHash, AuditedCall, Call, Decision, Engine, Identity};
use callgate_host::{Observed, Standing};
use callgate_relay::{Ask, Refusal, Verdict};

use super::beside::Beside;
use super::{ApprovalShown, Caller};

/// How often a call is decided again because another took its approval.
const ROUNDS: usize = 3;

/// Decides the calls of a connection.
pub(super) struct Judge {
    /// `None` in a dry run: every call passes.
    pub(super) engine: Option<Arc<Engine>>,
    /// A candidate that decides beside it.
    pub(super) beside: Option<Arc<Beside>>,
    /// Whether asking the store never waits.
    pub(super) in_memory: bool,
    pub(super) caller: Arc<Caller>,
    /// The server's name, as policies read it.
    pub(super) name: Arc<str>,
    /// What tells servers apart that have one name, as records have it.
    pub(super) server: String,
    /// Where calls are filed that wait for a person; `None` where nobody could answer.
    pub(super) approvals: Option<Arc<dyn AsyncApprovals>>,
    /// What is kept of their arguments.
    pub(super) shown: ApprovalShown,
}

/// What was decided.
pub(super) struct Judged {
    /// `None` in a dry run.
    pub(super) decision: Option<Decision<'static>>,
    pub(super) asked: Asked,
    /// What the candidate says.
    pub(super) observed: Option<Observed>,
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
    Used { key: String, id: String, given_at: Timestamp, who: Option<String> },
    /// As many calls wait as may.
    Full,
    /// The store cannot be reached.
    Unavailable,
}

impl Judge {
    fn call<'c>(&'c self, ask: &'c Ask) -> Call<'c, &'c str> {
        // Absent arguments are an empty object (spec 3.2).
        let args = ask.args.as_deref().unwrap_or("{}");
        let call = match &ask.tool {
            Some(tool) => Call::new(tool, args),
            None => Call::request(&ask.method, args),
        };
        call.identity(self.caller.identity()).checked(&ask.check).server(&self.name)
    }

    /// Decides at once, where nothing waits; `None` where a store must be asked.
    pub(super) fn at_once(&self, ask: &Ask) -> Option<Judged> {
        let call = self.call(ask);
        let decision = match &self.engine {
            None => None,
            Some(engine) if self.in_memory => Some(engine.decide_json(&call).into_owned()),
            Some(_) => return None,
        };
        Some(self.judged(ask, decision, Asked::Nobody))
    }

    pub(super) async fn judge(&self, ask: &Ask) -> Judged {
        let Some(engine) = &self.engine else { return self.judged(ask, None, Asked::Nobody) };
        let (decision, asked) = self.decide(engine, ask).await;
        self.judged(ask, Some(decision), asked)
    }

    fn judged(&self, ask: &Ask, decision: Option<Decision<'static>>, asked: Asked) -> Judged {
        let observed = self.beside.as_ref().and_then(|beside| {
            let call = self.call(ask);
            // What a person approved is approved for both.
            let call = match &asked {
                Asked::Used { key, id, given_at, .. } => {
                    call.approved(Approval::new(key, id).given_at(*given_at))
                }
                _ => call,
            };
            beside.decided(&call, decision.as_ref())
        });
        Judged { decision, asked, observed }
    }

    async fn decide(&self, engine: &Engine, ask: &Ask) -> (Decision<'static>, Asked) {
        let mut decision = engine.decide_json_async(&self.call(ask)).await.into_owned();
        let Some(approvals) = &self.approvals else { return (decision, Asked::Nobody) };
        for _ in 0..ROUNDS {
            let asks = !decision.allowed();
            let call = asks.then(|| ApprovalCall::new(&decision, &self.server, self.caller.id())).flatten();
            let Some(call) = call else { return (decision, Asked::Nobody) };
            let request = ApprovalRequest { call, args: self.shown.of(ask.args.as_deref()) };
            let record = match approvals.file(&request, SystemClock.now()).await {
                Ok(Filed::New(record)) => return (decision, waits(*record, true)),
                Ok(Filed::Found(record)) => *record,
                Ok(Filed::Full) => return (decision, Asked::Full),
                Err(_) => return (decision, Asked::Unavailable),
            };
            let granted = match record.state {
                ApprovalState::Granted => record.approval_id().zip(record.given_at()),
                ApprovalState::Denied => {
                    let ApprovalRecord { id, call, answer, .. } = record;
                    let who = answer.map(|(who, _)| who);
                    return (decision, Asked::Denied { id, key: call.key, who });
                }
                ApprovalState::Pending | ApprovalState::Used => None,
            };
            let Some((id, given_at)) = granted else { return (decision, waits(record, false)) };
            let key = record.call.key;
            let call = self.call(ask).approved(Approval::new(&key, &id).given_at(given_at));
            decision = engine.decide_json_async(&call).await.into_owned();
            if decision.allowed() {
                let who = record.answer.map(|(who, _)| who);
                return (decision, Asked::Used { key, id, given_at, who });
            }
            // Another call took the approval, or another policy asks for another one: once more.
        }
        (decision, Asked::Unavailable)
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
            Self::Keys => ApprovalArgs::keys(&names(text)),
            Self::Full => ApprovalArgs::full(text),
        }
    }
}

/// The names of arguments, sorted; none of what is no object.
fn names(text: &str) -> Vec<String> {
    let Ok(raw) = RawJson::parse(text) else { return Vec::new() };
    AuditedCall::new(&Call::new("", raw.root()), ArgsHash::None).keys().to_vec()
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
    /// Whether the call may run. If not, the caller is told the decision's own words (spec 10.6), and where its approval stands.
    pub(super) fn verdict(&self) -> Verdict {
        match &self.decision {
            Some(decision) if !decision.allowed() => Verdict::Refuse(self.refusal(decision)),
            _ => Verdict::Allow,
        }
    }

    fn refusal(&self, decision: &Decision<'_>) -> Refusal {
        let refusal = Refusal::from(decision);
        let standing = match &self.asked {
            Asked::Nobody | Asked::Used { .. } => return refusal,
            Asked::Waits { id, is_new, .. } => Standing::Waits { id: id.clone(), is_new: *is_new },
            Asked::Denied { id, who, .. } => Standing::Denied { id: id.clone(), who: who.clone() },
            Asked::Full => Standing::Full,
            Asked::Unavailable => Standing::Unavailable,
        };
        let id = standing.id().map(|id| ("callgate/approval_id", id));
        refusal.and(&standing.told().unwrap_or_default(), id.as_slice())
    }
}
