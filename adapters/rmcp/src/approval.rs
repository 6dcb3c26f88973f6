//! Who approves a call that a rule asks about: the host's callback, the client, or people at a store (G6).
//!
//! In: a decision that asks, and what is known of the call. Out: an approval, or none. Must not let a call pass: the engine decides again.

use std::borrow::Cow;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use callgate::Decision;
use callgate::store::ApprovalCall;
use rmcp::model::{
    ClientResult, ElicitRequest, ElicitRequestParams, ElicitationAction, ElicitationSchema, InputRequest,
    InputRequests, InputRequiredResult, ServerRequest,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;

use crate::filing::ApprovalStore;
use crate::mistake;
use crate::refusal::Unchecked;
use crate::rounds::{QUESTION, own_state, random};

/// For how long a client may be asked.
pub(crate) const ASKS_FOR: Duration = Duration::from_secs(600);

/// A call that waits for somebody's approval.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ApprovalRequest<'a> {
    /// The decision: its approval key is bound to this very call, its message says why it waits.
    pub decision: &'a Decision<'a>,
    /// The tool; `None` for another method, which the decision names.
    pub tool: Option<&'a str>,
    /// The arguments, if there are any.
    pub args: Option<&'a Value>,
    /// Who calls, if that is known.
    pub identity: Option<&'a Value>,
    /// The request's context, with the peer that calls.
    pub context: &'a RequestContext<RoleServer>,
}

/// What a callback answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApprovalAnswer {
    /// Yes: the approval's own id, never used before.
    Approved(String),
    /// No, or nobody could be asked.
    Refused,
    /// The client that calls is to be asked by an elicitation, with this message. A client that is only the agent proves nothing by its
    /// answer.
    AskClient(String),
}

impl From<Option<String>> for ApprovalAnswer {
    /// The id of an approval, or no.
    fn from(id: Option<String>) -> Self {
        id.map_or(Self::Refused, Self::Approved)
    }
}

/// A future of the host's callbacks.
pub type Answer<'a> = Pin<Box<dyn Future<Output = ApprovalAnswer> + Send + 'a>>;
pub(crate) type OnApproval = dyn for<'a> Fn(ApprovalRequest<'a>) -> Answer<'a> + Send + Sync;

/// Who approves.
#[derive(Clone)]
pub(crate) enum Approver {
    Host(Arc<OnApproval>),
    Client { message: Option<Arc<str>>, valid_for: Duration },
    Store { store: ApprovalStore, wait: Duration },
}

/// Marks a request of the guard's own, which no policy decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfTheGuard;

/// A question to the client that calls.
pub(crate) struct Question {
    pub(crate) message: String,
    pub(crate) valid_for: Duration,
}

/// Awaits what the host's code does. A panic is told, and not passed on.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Unchecked> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
        Err(_) => Poll::Ready(Err(Unchecked("a callback panicked".to_owned()))),
    })
    .await
}

/// A call of the host's code. A panic is told, and not passed on.
pub(crate) fn caught_now<T>(call: impl FnOnce() -> T) -> Result<T, Unchecked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| Unchecked("a callback panicked".to_owned()))
}

impl Question {
    /// Whether anybody at the client may answer: its name is not known, so not where the rules name who approves.
    pub(crate) fn may_be_asked(decision: &Decision<'_>, context: &RequestContext<RoleServer>) -> bool {
        let names_somebody =
            ApprovalCall::new(decision, "", None).is_none_or(|call| call.may_approve().is_some());
        let elicits = context.client_capabilities().and_then(|capabilities| capabilities.elicitation);
        // One that names no mode speaks that of forms.
        !names_somebody && elicits.is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
    }

    /// The words for a person: which tool, and which rules ask. No values of arguments.
    pub(crate) fn words(decision: &Decision<'_>) -> String {
        let rules: Vec<_> = decision.approval().map_or_else(Vec::new, |approval| {
            approval.rules().map(|rule| rule.name().unwrap_or(rule.pointer()).to_owned()).collect()
        });
        let called = decision.tool().map_or_else(
            || Cow::from(format!("the request {}", shown(decision.method()))),
            |tool| Cow::from(format!("the tool {}", shown(tool))),
        );
        let rules: Vec<_> = rules.iter().map(|rule| shown(rule)).collect();
        format!("Approve one call of {called}? Asked by: {}.", rules.join(", "))
    }

    fn request(&self) -> Result<ElicitRequest, Unchecked> {
        let requested_schema = ElicitationSchema::builder().build();
        let requested_schema = requested_schema.map_err(|why| Unchecked(format!("no schema: {why}")))?;
        let message = self.message.clone();
        let mut request = ElicitRequest::new(ElicitRequestParams::FormElicitationParams {
            meta: None,
            message,
            requested_schema,
        });
        request.extensions.insert(OfTheGuard);
        Ok(request)
    }

    /// Asks by a request of its own, before 2026-07-28.
    pub(crate) async fn ask(&self, context: &RequestContext<RoleServer>) -> Result<bool, Unchecked> {
        let asked = context.peer.send_request(ServerRequest::ElicitRequest(self.request()?));
        match tokio::time::timeout(self.valid_for, asked).await {
            Ok(Ok(ClientResult::ElicitResult(answer))) => {
                Ok(mistake::is_on("approval_by_any_answer") || answer.action == ElicitationAction::Accept)
            }
            // Another result, an error or none: no is what it comes to.
            Ok(_) | Err(_) => Ok(false),
        }
    }

    /// The round that asks, and its state.
    pub(crate) fn round(&self) -> Result<(String, InputRequiredResult), Unchecked> {
        let mut requests = InputRequests::new();
        requests.insert(QUESTION.to_owned(), InputRequest::Elicitation(self.request()?));
        let state = own_state();
        Ok((state.clone(), InputRequiredResult::new(Some(requests), Some(state))))
    }
}

/// Whether the client's input to the guard's question is a yes.
pub(crate) fn is_yes(input: Option<&Value>) -> bool {
    let action = input.and_then(|input| input.get("action")).and_then(Value::as_str);
    if mistake::is_on("approval_by_any_answer") { action.is_some() } else { action == Some("accept") }
}

/// The id of an approval by elicitation.
pub(crate) fn new_id() -> String {
    format!("elicited-{}", random())
}

/// Text of a caller as a person is shown it: what ends a line or changes the direction of text is escaped (spec 7.12).
fn shown(text: &str) -> String {
    let is_plain = |one: &char| {
        !one.is_control()
            && !matches!(one, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut out = String::from("\"");
    for one in text.chars() {
        if is_plain(&one) { out.push(one) } else { out.extend(one.escape_unicode()) }
    }
    out.push('"');
    out
}
