//! What evaluation found, before it is put together with the policy and the call that it is about.

use crate::amount::Amount;
use crate::store::ScopeValue;
use crate::time::Timestamp;

/// What is to happen with a call (spec 10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// It may run.
    Allow,
    /// It must not run.
    Deny,
    /// It may run once somebody approves it.
    RequireApproval,
}

impl Effect {
    /// `allow`, `deny` or `require_approval`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::RequireApproval => "require_approval",
        }
    }
}

/// Why: stable over versions (spec 10.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// Nothing in the policy is against it.
    Allowed,
    /// `hide` names the tool.
    Hidden,
    /// The policy denies by default and does not list the tool.
    NotListed,
    /// A `deny` rule or a `deny_if` item acts.
    Denied,
    /// A condition of an `evaluate` or `allow` rule, or of a `require` item, does not hold.
    ConditionFailed,
    /// A counter has no room for the call.
    LimitExceeded,
    /// A rule asks for approval.
    ApprovalRequired,
    /// The approval has let a call through before.
    ApprovalSpent,
    /// A counter's scope has no value in the call.
    IdentityRequired,
    /// An amount to charge is missing or no amount.
    InvalidAmount,
    /// The arguments are no object, cannot be read, or are above a ceiling.
    InvalidArgs,
    /// The identity is neither a string nor an object.
    InvalidIdentity,
    /// The tool's name is above its ceiling.
    InvalidTool,
    /// The store did not answer.
    StoreUnavailable,
}

impl Code {
    /// The code as it stands in the decision's JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Hidden => "hidden",
            Self::NotListed => "not_listed",
            Self::Denied => "denied",
            Self::ConditionFailed => "condition_failed",
            Self::LimitExceeded => "limit_exceeded",
            Self::ApprovalRequired => "approval_required",
            Self::ApprovalSpent => "approval_spent",
            Self::IdentityRequired => "identity_required",
            Self::InvalidAmount => "invalid_amount",
            Self::InvalidArgs => "invalid_args",
            Self::InvalidIdentity => "invalid_identity",
            Self::InvalidTool => "invalid_tool",
            Self::StoreUnavailable => "store_unavailable",
        }
    }
}

/// The core of a decision.
#[derive(Debug, Clone)]
pub(crate) struct Ruling {
    pub(crate) effect: Effect,
    pub(crate) code: Code,
    pub(crate) rule: Option<u32>,
    pub(crate) detail: Detail,
    /// Empty, and so not allocated, unless a store was asked.
    pub(crate) counters: Vec<Counted>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) approval_key: Option<Box<str>>,
}

/// What the message needs to know beyond the code.
#[derive(Debug, Clone)]
pub(crate) enum Detail {
    None,
    /// Why arguments are not valid.
    Args(Box<str>),
    /// The declared counter that the message speaks of.
    Declared(u32),
}

/// A counter of the batch, as the store left it.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) declared: u32,
    pub(crate) scope: ScopeValue,
    /// What was charged; `None` if nothing was.
    pub(crate) charged: Option<Amount>,
    pub(crate) used: Amount,
    pub(crate) resets_at: Timestamp,
    pub(crate) stamp: Timestamp,
}

impl Ruling {
    pub(crate) fn new(effect: Effect, code: Code, rule: Option<u32>) -> Self {
        Self {
            effect,
            code,
            rule,
            detail: Detail::None,
            counters: Vec::new(),
            retry_after: None,
            approval_key: None,
        }
    }

    pub(crate) fn deny(code: Code, rule: Option<u32>) -> Self {
        Self::new(Effect::Deny, code, rule)
    }

    pub(crate) fn about(mut self, declared: u32) -> Self {
        self.detail = Detail::Declared(declared);
        self
    }

    pub(crate) fn invalid_args(why: impl Into<Box<str>>) -> Self {
        let mut ruling = Self::deny(Code::InvalidArgs, None);
        ruling.detail = Detail::Args(why.into());
        ruling
    }
}
