//! The decision: what is to happen with a call, why, and what was counted (spec 10).

mod audit;
mod json;
mod message;
mod packed;
mod reservation;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use audit::{AuditRecord, AuditedCall};
pub use reservation::{Actual, Reservation, SettleError};
pub(crate) use reservation::{Ending, answered};

use crate::amount::Amount;
use crate::call::Target;
use crate::document::{Declared, Rule};
use crate::policy::PolicyGuard;
use crate::policy::Tool;
use crate::policy::{Compiled, Policy};
use crate::ruling::{Asking, Code, Counted, Effect, Ruling};
use crate::store::{Counter, Owner, StoreId};
use crate::time::Timestamp;

/// The code of the JSON-RPC error that answers what the policy denies where there is no tool result to say it in: a call that
/// asked for a task, and a request of another method (spec 10.6).
pub const MCP_DENIED: i32 = -31_000;

/// A decision about one call (spec 10).
///
/// Borrows the policy, or shares it, and borrows the name of the tool or method: making one on a path without counters allocates
/// nothing. Holds no arguments. [`Decision::into_owned`] gives one that lives on its own.
///
/// A clone has no reservation: that stays with the decision it was made of.
#[must_use = "a call may run only if its decision allows it"]
pub struct Decision<'d> {
    policy: PolicyRef<'d>,
    /// The tool's, or the other method's.
    name: Cow<'d, str>,
    is_tool: bool,
    ruling: Ruling,
    /// Whether the reservation is elsewhere: it was taken, or this is a clone.
    reservation_taken: AtomicBool,
}

impl Clone for Decision<'_> {
    fn clone(&self) -> Self {
        Self {
            policy: self.policy.clone(),
            name: self.name.clone(),
            is_tool: self.is_tool,
            ruling: self.ruling.clone(),
            reservation_taken: true.into(),
        }
    }
}

/// The policy of a decision.
enum PolicyRef<'d> {
    Borrowed(&'d Policy),
    /// The one that was in force in an engine.
    PolicyGuard(PolicyGuard),
    Shared(Policy),
    /// That of a tool, and the tool's name with it.
    Found(Arc<Tool>),
}

impl Clone for PolicyRef<'_> {
    fn clone(&self) -> Self {
        match self {
            Self::Borrowed(policy) => Self::Borrowed(policy),
            Self::PolicyGuard(policy) => Self::Shared(Policy::clone(policy)),
            Self::Shared(policy) => Self::Shared(policy.clone()),
            Self::Found(tool) => Self::Found(tool.clone()),
        }
    }
}

/// The rule or item that a decision reports (spec 10.3).
#[derive(Debug, Clone, Copy)]
pub struct RuleRef<'d> {
    rule: Rule<'d>,
    layer: Option<&'d str>,
    approvers: &'d [Box<str>],
}

impl<'d> RuleRef<'d> {
    fn of(policy: &'d Compiled, index: u32) -> Option<Self> {
        let approvers = policy.terms(index).map_or(&[][..], |terms| &terms.approvers);
        Some(Self { rule: policy.rule(index)?, layer: policy.layer_of_rule(index), approvers })
    }

    /// The name of the policy layer that has it; `None` where that has no name.
    pub fn layer(&self) -> Option<&'d str> {
        self.layer
    }

    /// Its `name`, where it has one.
    pub fn name(&self) -> Option<&'d str> {
        self.rule.name()
    }

    /// JSON Pointer into the policy, such as `/tools/create_charge/rules/0`.
    pub fn pointer(&self) -> &'d str {
        self.rule.pointer()
    }

    /// Line in the policy's text, from 1.
    pub fn line(&self) -> u32 {
        self.rule.line()
    }

    /// Who may approve, for the host to check: of a rule that asks, as it names them; empty for anybody, and of any other rule (spec 2.30).
    pub fn approvers(&self) -> &'d [Box<str>] {
        self.approvers
    }
}

/// What a call needs to be approved (spec 7.1).
#[derive(Debug, Clone, Copy)]
pub struct ApprovalNeeded<'d> {
    policy: &'d Compiled,
    asking: &'d Asking,
}

impl<'d> ApprovalNeeded<'d> {
    /// The key that an [`Approval`](crate::Approval) of this very call has to name.
    pub fn key(&self) -> &'d str {
        &self.asking.key
    }

    /// Every rule that asks or may ask, in the order of the policy: what an approver has to know.
    pub fn rules(&self) -> impl Iterator<Item = RuleRef<'d>> {
        let policy = self.policy;
        self.asking.rules.iter().filter_map(move |rule| RuleRef::of(policy, *rule))
    }

    /// The paths of arguments and claims that an approval does not cover, as the first of the rules writes them.
    pub fn ignored(&self) -> &'d [Box<str>] {
        &self.asking.ignored
    }

    /// For how long after it was given an approval lets calls through, where the rules say so. Then it has to say when it
    /// [was given](crate::Approval::given_at).
    pub fn valid_for(&self) -> Option<Duration> {
        self.asking.valid_for.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// How many calls one approval lets through.
    pub fn uses(&self) -> u32 {
        self.asking.uses
    }
}

/// A counter of a decision (spec 10.4).
#[derive(Debug, Clone, Copy)]
pub struct CounterUse<'d> {
    declared: &'d Declared,
    counted: &'d Counted,
}

impl<'d> CounterUse<'d> {
    /// The counter.
    pub fn counter(&self) -> &'d Counter {
        &self.declared.counter
    }

    /// What was charged; `None` if it was only read, or the call was refused.
    pub fn charged(&self) -> Option<Amount> {
        self.counted.charged
    }

    /// What it holds: with the charge if it was taken, else as it stands.
    pub fn used(&self) -> Amount {
        self.counted.used
    }

    /// The window as the policy writes it.
    pub fn window(&self) -> &'d str {
        &self.declared.window
    }

    /// The maximum that held for the call: the policy's, or that of a claim (spec 2.26). `None` where there is none.
    pub fn max(&self) -> Option<Amount> {
        // The largest amount also stands for none. Of a counter that is only read, nobody asked a claim.
        let is_claimed = self.declared.max_from.is_some() && !self.counted.paid.is_empty();
        let largest = self.declared.max.filter(|max| *max == Amount::MAX);
        let claimed = is_claimed.then_some(self.counted.max);
        Some(self.counted.max).filter(|max| *max < Amount::MAX).or(claimed).or(largest)
    }

    /// When it holds nothing any more if nothing else happens; `None` if that is never (spec 8.18).
    pub fn resets_at(&self) -> Option<Timestamp> {
        Some(self.counted.resets_at).filter(|at| *at < Timestamp::MAX)
    }

    /// The key of the entry in `tools`, or the method in `requests`; `None` for `all_tools`, and for a budget.
    pub fn entry(&self) -> Option<&'d str> {
        match self.declared.counter.owner() {
            Owner::Tool(key) | Owner::Request(key) => Some(key),
            Owner::AllTools | Owner::Budget => None,
        }
    }

    /// The budget's name; `None` for the counter of an entry.
    pub fn budget(&self) -> Option<&'d str> {
        (*self.declared.counter.owner() == Owner::Budget).then(|| self.declared.counter.name())
    }
}

impl<'d> Decision<'d> {
    pub(crate) fn borrowing(policy: &'d Policy, target: Target<'d>, ruling: Ruling) -> Self {
        Self::new(PolicyRef::Borrowed(policy), target, ruling)
    }

    pub(crate) fn lending(policy: PolicyGuard, target: Target<'d>, ruling: Ruling) -> Self {
        Self::new(PolicyRef::PolicyGuard(policy), target, ruling)
    }

    pub(crate) fn sharing(policy: Policy, target: Target<'d>, ruling: Ruling) -> Self {
        Self::new(PolicyRef::Shared(policy), target, ruling)
    }

    fn new(policy: PolicyRef<'d>, target: Target<'d>, ruling: Ruling) -> Self {
        let (Target::Tool(name) | Target::Method(name)) = target;
        let is_tool = matches!(target, Target::Tool(_));
        Self { policy, name: Cow::Borrowed(name), is_tool, ruling, reservation_taken: false.into() }
    }

    /// The same, of counters that this store charged.
    pub(crate) fn charged_in(mut self, store: StoreId) -> Self {
        self.ruling = self.ruling.charged_in(store);
        self
    }

    /// Whether the call may run now.
    pub fn allowed(&self) -> bool {
        self.ruling.effect() == Effect::Allow
    }

    /// What is to happen with the call.
    pub fn effect(&self) -> Effect {
        self.ruling.effect()
    }

    /// Why.
    pub fn code(&self) -> Code {
        self.ruling.code()
    }

    /// The tool that was called; `None` for another method than `tools/call`.
    pub fn tool(&self) -> Option<&str> {
        self.target().tool()
    }

    /// The method that was called (spec 3.10).
    pub fn method(&self) -> &str {
        self.target().method()
    }

    /// The name of the inner tool, where a call of a dispatcher was decided (spec 3.11); `None` where there is none, or it was not read.
    pub fn inner(&self) -> Option<&str> {
        self.ruling.more()?.inner.as_deref()
    }

    /// What was called.
    pub(crate) fn target(&self) -> Target<'_> {
        match &self.policy {
            PolicyRef::Found(tool) => Target::Tool(tool.name()),
            _ if self.is_tool => Target::Tool(&self.name),
            _ => Target::Method(&self.name),
        }
    }

    /// A number by which decisions of one policy about one tool or method are told apart: two that have the same one are alike. `None` for
    /// those that tell of more than a rule: of counters, an approval, or what is wrong with the arguments.
    pub(crate) fn cache_key(&self) -> Option<u64> {
        self.ruling.cache_key()
    }

    /// The policy that decided.
    pub fn policy(&self) -> &Policy {
        match &self.policy {
            PolicyRef::Borrowed(policy) => policy,
            PolicyRef::PolicyGuard(policy) => policy,
            PolicyRef::Shared(policy) => policy,
            PolicyRef::Found(tool) => tool.policy(),
        }
    }

    fn compiled(&self) -> &Compiled {
        &self.policy().0
    }

    /// The rule or item that decided, if one did.
    pub fn rule(&self) -> Option<RuleRef<'_>> {
        self.ruling
            .rule()
            .and_then(|rule| RuleRef::of(self.compiled(), rule))
            .map(|rule| RuleRef { approvers: &[], ..rule })
    }

    /// What to tell the agent; `None` when the call is allowed (spec 10.5).
    pub fn message(&self) -> Option<Cow<'_, str>> {
        message::message(self.compiled(), self.target(), &self.ruling)
    }

    /// Every counter that the decision asked the store about (spec 10.4).
    pub fn counters(&self) -> impl Iterator<Item = CounterUse<'_>> {
        let compiled = self.compiled();
        self.ruling.counters().iter().filter_map(move |counted| {
            compiled.declared(counted.declared).map(|declared| CounterUse { declared, counted })
        })
    }

    /// Whole seconds after which the call may pass if nothing else happens; `None` if waiting does not help (spec 8.9).
    pub fn retry_after(&self) -> Option<u64> {
        self.ruling.retry_after()
    }

    /// What an approval of this call must name, and which rules ask for it; `None` unless the effect is `require_approval`
    /// (spec 7.1).
    pub fn approval(&self) -> Option<ApprovalNeeded<'_>> {
        let asking = self.ruling.more()?.asking.as_ref()?;
        Some(ApprovalNeeded { policy: self.compiled(), asking })
    }

    /// Takes the charges of an allowed call into the caller's hands, to be finished or settled with
    /// [`Engine`](crate::Engine). `None` if nothing was charged (a charge of 0 that may be settled counts), it was taken before, or
    /// this is a clone.
    ///
    /// Dropping the reservation leaves the charges standing (spec 8.10).
    pub fn take_reservation(&self) -> Option<Reservation> {
        let settles = |(payment, _): &(u32, Amount)| {
            self.compiled().payment(*payment).is_some_and(|payment| payment.settles)
        };
        let ends = |counted: &Counted| {
            let charged = counted.charged.is_some_and(|charged| charged > Amount::ZERO);
            charged || (counted.charged.is_some() && counted.paid.iter().any(settles))
        };
        if !(self.allowed() && self.ruling.counters().iter().any(ends))
            || self.reservation_taken.swap(true, Ordering::Relaxed)
        {
            return None;
        }
        let store = self.ruling.more().and_then(|more| more.charged_in);
        Some(Reservation::new(self.policy().clone(), store, self.ruling.counters()))
    }

    /// The decision as JSON, the same in every language (spec 10.3).
    pub fn to_json(&self) -> String {
        json::decision(self)
    }

    /// The MCP tool result that tells the agent, as JSON; `None` when the call is allowed (spec 10.6).
    ///
    /// Its text is the [message](Self::message), with the approval key on a line of its own where the call waits for approval;
    /// its `_meta` is [`Decision::to_mcp_meta`].
    pub fn to_mcp_result(&self) -> Option<String> {
        json::mcp_result(self)
    }

    /// Why the call may not run, for programs, as a JSON object: `callgate/code`, and `callgate/retry_after` (whole seconds) or
    /// `callgate/approval_key` where there is one; `None` when the call is allowed (spec 10.6).
    ///
    /// It is the `_meta` of the result, and the `data` of a JSON-RPC error with the code [`MCP_DENIED`] and the
    /// [message](Self::message), which answers a call that asked for a task.
    pub fn to_mcp_meta(&self) -> Option<String> {
        json::mcp_meta(self)
    }

    /// The same decision on its own, borrowing nothing.
    pub fn into_owned(self) -> Decision<'static> {
        Decision {
            policy: match self.policy {
                PolicyRef::Borrowed(policy) => PolicyRef::Shared(policy.clone()),
                PolicyRef::PolicyGuard(policy) => PolicyRef::Shared(policy.keep()),
                PolicyRef::Shared(policy) => PolicyRef::Shared(policy),
                PolicyRef::Found(tool) => PolicyRef::Found(tool),
            },
            name: Cow::Owned(self.name.into_owned()),
            is_tool: self.is_tool,
            ruling: self.ruling,
            reservation_taken: self.reservation_taken,
        }
    }

    /// The same without a copy of the tool's name, if it is that tool's by the policy in which it was found.
    pub(crate) fn into_owned_with(self, tool: &Arc<Tool>) -> Decision<'static> {
        if !self.tool().is_some_and(|name| tool.is(name)) || !Arc::ptr_eq(&tool.policy().0, &self.policy().0)
        {
            return self.into_owned();
        }
        Decision {
            policy: PolicyRef::Found(tool.clone()),
            name: Cow::Borrowed(""),
            is_tool: true,
            ruling: self.ruling,
            reservation_taken: self.reservation_taken,
        }
    }
}

impl fmt::Debug for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}
