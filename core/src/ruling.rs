//! What evaluation found, before it is put together with the policy and the call that it is about.

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;

use smallvec::SmallVec;

use crate::amount::Amount;
use crate::store::{ScopeValue, Slot, StoreId, Usage};
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
    /// The arguments are not an object, cannot be read, or are above a ceiling.
    InvalidArgs,
    /// The identity is neither a string nor an object.
    InvalidIdentity,
    /// The tool's name is above its ceiling.
    InvalidTool,
    /// The method of a request is empty, above its ceiling, or one of `tools/`.
    InvalidMethod,
    /// The store did not answer.
    StoreUnavailable,
}

impl Code {
    /// Every code, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Allowed,
        Self::Hidden,
        Self::NotListed,
        Self::Denied,
        Self::ConditionFailed,
        Self::LimitExceeded,
        Self::ApprovalRequired,
        Self::ApprovalSpent,
        Self::IdentityRequired,
        Self::InvalidAmount,
        Self::InvalidArgs,
        Self::InvalidIdentity,
        Self::InvalidTool,
        Self::InvalidMethod,
        Self::StoreUnavailable,
    ];

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
            Self::InvalidMethod => "invalid_method",
            Self::StoreUnavailable => "store_unavailable",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The core of a decision: two machine words, so that it is handed on in registers. As fields of their own, its parts would go
/// through memory, where they are written one by one and read as one: a wait longer than a small evaluation.
#[derive(Debug, Clone)]
pub(crate) struct Ruling {
    head: Head,
    /// What decisions without counters and approval do not have, so that they allocate nothing.
    more: Rest,
}

/// The rule's index and one more, or 0 for none; the effect and the code above it; and a bit that is always set.
#[derive(Debug, Clone, Copy)]
struct Head(NonZeroU64);

const EFFECT: u32 = 32;
const CODE: u32 = 40;
const SET: NonZeroU64 = NonZeroU64::MIN.saturating_mul(NonZeroU64::new(1 << 63).expect("it is set"));

/// What is mostly not there. Dropping nothing costs one comparison where the drop stands; left to the compiler, it is a call.
#[derive(Debug, Clone)]
struct Rest(Option<Box<Details>>);

impl Drop for Rest {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(more) = self.0.take() {
            Details::give_back(more);
        }
    }
}

/// The rest of a decision.
#[derive(Debug, Clone, Default)]
pub(crate) struct Details {
    pub(crate) detail: Detail,
    pub(crate) counters: Vec<Counted>,
    /// Until all bounds that refused hold again, if nothing else happens. Its reader rounds it up to seconds.
    pub(crate) retry_millis: Option<u64>,
    /// In a box, because nearly no call asks: what every counted call clears is then one word.
    pub(crate) asking: Option<Box<Asking>>,
    /// The store that charged the counters, where that is known.
    pub(crate) charged_in: Option<StoreId>,
    /// The name of the inner tool, where the call has one in it.
    pub(crate) inner: Option<Box<str>>,
}

/// What an approval has to name, and the rules that ask for it, in order (spec 7.1).
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    pub(crate) key: Box<str>,
    /// Those that ask and those that may, in order. Never empty.
    pub(crate) rules: Box<[u32]>,
    /// The paths that the key does not cover, as the first of the rules writes them.
    pub(crate) ignored: Box<[Box<str>]>,
    /// For how many seconds an approval lets calls through, if the rules say so.
    pub(crate) valid_for: Option<u32>,
    /// How many calls one lets through.
    pub(crate) uses: u32,
}

/// What the message needs to know beyond the code.
#[derive(Debug, Clone, Default)]
pub(crate) enum Detail {
    #[default]
    None,
    /// Why arguments are not valid.
    Args(Box<str>),
    /// The declared counter that the message speaks of: its maximum refuses, or its scope is missing.
    Declared(u32),
    /// The payment that is no amount.
    Payment(u32),
    /// The declared counter whose maximum no claim says.
    Maximum(u32),
    /// The declared counter that cannot hold a sum so large, whatever its maximum is.
    Full(u32),
    /// The declared counter that keeps as many charges as it can.
    FullOfCharges(u32),
}

/// A counter of the batch, as the store left it.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) declared: u32,
    pub(crate) scope: ScopeValue,
    /// What was charged; `None` if nothing was.
    pub(crate) charged: Option<Amount>,
    /// What it consists of: what was paid, by which rules and items.
    pub(crate) paid: Paid,
    /// The most that it may hold for this call; [`Amount::MAX`] for no maximum.
    pub(crate) max: Amount,
    pub(crate) used: Amount,
    pub(crate) resets_at: Timestamp,
    pub(crate) stamp: Timestamp,
}

impl Counted {
    /// The slot's counter as the store left it, where the batch was taken if `taken`. Takes the slot's scope value.
    pub(crate) fn new(declared: u32, slot: &mut Slot<'_>, paid: Paid, taken: bool, usage: &Usage) -> Self {
        let Usage { used, resets_at, stamp } = *usage;
        let scope = std::mem::take(&mut slot.scope);
        let charged = slot.charge.filter(|_| taken);
        Self { declared, scope, charged, paid, max: slot.max, used, resets_at, stamp }
    }
}

/// Among payments, the mark of a charge that an outer and an inner call both made: its terms are those of one of them, so it is given back
/// only by a call that did not run, or as a place in flight, and it is not settled (spec 3.11).
pub(crate) const JOINED: u32 = u32::MAX;

/// Payments into one counter, each with its amount. A budget may have several; of each other counter it is one.
pub(crate) type Paid = SmallVec<[(u32, Amount); 1]>;

thread_local! {
    /// Room that the last decision of this thread left for the next: to ask for it anew takes longer than to charge a counter.
    static ROOM: Cell<Option<Box<Details>>> = const { Cell::new(None) };
}

impl Details {
    /// Nothing yet, where there is room for it.
    fn take() -> Box<Self> {
        ROOM.try_with(Cell::take).ok().flatten().unwrap_or_default()
    }

    #[inline(never)]
    fn give_back(mut more: Box<Self>) {
        more.detail = Detail::None;
        more.counters.clear();
        more.retry_millis = None;
        more.asking = None;
        more.charged_in = None;
        more.inner = None;
        // Thousands of counters are room that no other call needs.
        const MOST: usize = 16;
        if more.counters.capacity() <= MOST {
            // A thread that ends keeps nothing.
            let _ = ROOM.try_with(|room| room.set(Some(more)));
        }
    }
}

impl Ruling {
    pub(crate) fn new(effect: Effect, code: Code, rule: Option<u32>) -> Self {
        let rule = rule.map_or(0, |rule| rule.saturating_add(1));
        let head = u64::from(rule) | (effect as u64) << EFFECT | (code as u64) << CODE;
        Self { head: Head(SET | head), more: Rest(None) }
    }

    /// The index of the rule that decided.
    pub(crate) fn rule(&self) -> Option<u32> {
        (self.head.0.get() as u32).checked_sub(1)
    }

    /// What is to happen with the call.
    #[inline]
    pub(crate) fn effect(&self) -> Effect {
        match (self.head.0.get() >> EFFECT) as u8 {
            0 => Effect::Allow,
            1 => Effect::Deny,
            _ => Effect::RequireApproval,
        }
    }

    /// Why.
    #[inline]
    pub(crate) fn code(&self) -> Code {
        // INVARIANT: a head is made of a code, so there is one.
        Code::ALL
            .get(usize::from((self.head.0.get() >> CODE) as u8 & 0x7f))
            .copied()
            .unwrap_or(Code::InvalidArgs)
    }

    /// The rest, where there is any.
    pub(crate) fn more(&self) -> Option<&Details> {
        self.more.0.as_deref()
    }

    /// The rest, made if there was none.
    pub(crate) fn more_mut(&mut self) -> &mut Details {
        self.more.0.get_or_insert_with(Details::take)
    }

    /// What tells rulings without a rest from one another.
    #[inline]
    pub(crate) fn cache_key(&self) -> Option<u64> {
        self.more().is_none().then_some(self.head.0.get())
    }

    /// Whole seconds until all bounds that refused hold again; `None` if waiting does not help (spec 8.9).
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.more()?.retry_millis.map(|millis| millis.div_ceil(1_000))
    }

    pub(crate) fn counters(&self) -> &[Counted] {
        self.more().map_or(&[], |more| &more.counters)
    }

    /// The same where nothing was charged: the counters as they stand, in the same order (spec 10.4).
    pub(crate) fn uncharged(mut self, standing: &[Usage]) -> Self {
        if let Some(more) = self.more.0.as_deref_mut() {
            for (counted, usage) in more.counters.iter_mut().zip(standing) {
                counted.charged = None;
                (counted.used, counted.resets_at) = (usage.used, usage.resets_at);
            }
        }
        self
    }

    /// The same, of counters that this store charged.
    pub(crate) fn charged_in(mut self, store: StoreId) -> Self {
        if let Some(more) = self.more.0.as_deref_mut() {
            more.charged_in = Some(store);
        }
        self
    }

    /// The same, of a call that has one of this tool in it.
    #[cold]
    pub(crate) fn of_inner(mut self, name: &str) -> Self {
        self.more_mut().inner = Some(name.into());
        self
    }

    pub(crate) fn deny(code: Code, rule: Option<u32>) -> Self {
        Self::new(Effect::Deny, code, rule)
    }

    /// A call that needs approval, as `rule` asks first.
    pub(crate) fn ask(code: Code, rule: Option<u32>, asking: Box<Asking>) -> Self {
        let mut ruling = Self::new(Effect::RequireApproval, code, rule);
        ruling.more_mut().asking = Some(asking);
        ruling
    }

    pub(crate) fn about(mut self, detail: Detail) -> Self {
        self.more_mut().detail = detail;
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
        assert_eq!(size_of::<Option<Ruling>>(), 16);
    }

    /// What one decision knew is not there for the next, and room for many counters is not held on to.
    #[test]
    fn room_is_left_empty() {
        let counted = || Counted {
            declared: 1,
            scope: ScopeValue::default(),
            charged: None,
            paid: Paid::new(),
            max: Amount::MAX,
            used: Amount::ZERO,
            resets_at: Timestamp::MIN,
            stamp: Timestamp::MIN,
        };
        for (count, kept) in [(1, 1), (16, 16), (17, 0)] {
            let mut ruling = Ruling::invalid_args("why").about(Detail::Declared(7));
            let more = ruling.more_mut();
            more.retry_millis = Some(1);
            more.asking = Some(Box::new(Asking {
                key: "key".into(),
                rules: [1].into(),
                ignored: Box::default(),
                valid_for: None,
                uses: 1,
            }));
            more.inner = Some("inner".into());
            more.counters.reserve_exact(count);
            more.counters.extend((0..count).map(|_| counted()));
            drop(ruling);
            let next = Details::take();
            assert_eq!(next.counters.capacity(), kept, "{count} counters");
            assert!(matches!(next.detail, Detail::None) && next.counters.is_empty());
            assert!(next.retry_millis.is_none() && next.asking.is_none() && next.inner.is_none());
        }
    }

    #[test]
    fn every_part_comes_back() {
        for rule in [None, Some(0), Some(1), Some(u32::MAX - 1)] {
            for (at, code) in Code::ALL.into_iter().enumerate() {
                assert_eq!(at, code as usize);
                for effect in [Effect::Allow, Effect::Deny, Effect::RequireApproval] {
                    let ruling = Ruling::new(effect, code, rule);
                    assert_eq!((ruling.effect(), ruling.code(), ruling.rule()), (effect, code, rule));
                }
            }
        }
    }
}
