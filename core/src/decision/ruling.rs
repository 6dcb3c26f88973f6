//! What evaluation found, before it is put together with the policy and the call that it is about.

use std::num::NonZeroU32;

use smallvec::SmallVec;

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

/// The core of a decision: two machine words, so that it is handed on in registers.
#[derive(Debug, Clone)]
pub(crate) struct Ruling {
    pub(crate) effect: Effect,
    pub(crate) code: Code,
    /// Its index and one more.
    rule: Option<NonZeroU32>,
    /// What decisions without counters and approval do not have, so that they allocate nothing.
    more: Rarely<More>,
}

/// What is mostly not there, boxed. Dropping nothing costs one comparison where the drop stands; left to the compiler, it is a call.
#[derive(Debug, Clone)]
struct Rarely<T>(Option<Box<T>>);

impl<T> Drop for Rarely<T> {
    #[inline(always)]
    fn drop(&mut self) {
        #[cold]
        fn away<T>(held: Box<T>) {
            drop(held);
        }
        if let Some(held) = self.0.take() {
            away(held);
        }
    }
}

/// The rest of a decision.
#[derive(Debug, Clone, Default)]
pub(crate) struct More {
    pub(crate) detail: Detail,
    pub(crate) counters: SmallVec<[Counted; 1]>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) approval_key: Option<Box<str>>,
}

/// What the message needs to know beyond the code.
#[derive(Debug, Clone, Default)]
pub(crate) enum Detail {
    #[default]
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
        Self { effect, code, rule: rule.map(|rule| NonZeroU32::MIN.saturating_add(rule)), more: Rarely(None) }
    }

    /// The index of the rule that decided.
    pub(crate) fn rule(&self) -> Option<u32> {
        self.rule.map(|rule| rule.get().saturating_sub(1))
    }

    /// The rest, where there is any.
    pub(crate) fn more(&self) -> Option<&More> {
        self.more.0.as_deref()
    }

    /// The rest, made if there was none.
    pub(crate) fn more_mut(&mut self) -> &mut More {
        self.more.0.get_or_insert_default()
    }

    pub(crate) fn counters(&self) -> &[Counted] {
        self.more().map_or(&[], |more| &more.counters)
    }

    pub(crate) fn deny(code: Code, rule: Option<u32>) -> Self {
        Self::new(Effect::Deny, code, rule)
    }

    pub(crate) fn about(mut self, declared: u32) -> Self {
        self.more_mut().detail = Detail::Declared(declared);
        self
    }

    pub(crate) fn invalid_args(why: impl Into<Box<str>>) -> Self {
        let mut ruling = Self::deny(Code::InvalidArgs, None);
        ruling.more_mut().detail = Detail::Args(why.into());
        ruling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is larger goes through memory at every call on its way.
    #[test]
    fn a_ruling_fits_two_words() {
        assert_eq!(size_of::<Ruling>(), 16);
        assert_eq!(size_of::<Result<crate::evaluate::Evaluated<'_>, crate::view::Unreadable>>(), 16);
    }

    #[test]
    fn every_rule_index_comes_back() {
        for rule in [None, Some(0), Some(1), Some(u32::MAX - 1)] {
            assert_eq!(Ruling::deny(Code::Denied, rule).rule(), rule);
        }
    }
}
