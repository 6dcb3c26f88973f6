//! What a call asks of a store, and what the store answers (spec 8.1, 8.2).
//!
//! In: the charges, bounds and approval of one call. Out: whether all were taken, and what each counter holds. Must not take anything
//! by itself: stores do.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::{AsyncStore, Counter, ScopeValue, Store, StoreError, StoreFuture, judge};
use crate::amount::Amount;
use crate::time::Timestamp;

/// One counter that a batch charges or reads, for one scope value. A batch names each (counter, scope value) once.
#[derive(Debug, Clone)]
pub struct Slot<'p> {
    /// The counter.
    pub counter: &'p Counter,
    /// For whom.
    pub scope: ScopeValue,
    /// What the call adds to it; `None` where the batch only reads it. A charge of zero is a charge.
    pub charge: Option<Amount>,
    /// What the counter may hold after the charge; [`Amount::MAX`] where the policy gives no maximum. Not checked for a
    /// slot without charge.
    pub max: Amount,
    /// Position in the order in which bounds are reported.
    pub order: u32,
}

/// A condition on counters, to be decided inside the atomic step.
#[derive(Debug, Clone)]
pub struct Guard<'p> {
    /// What the tests mean together.
    pub mode: GuardMode,
    /// Never empty.
    pub tests: SmallVec<[Test<'p>; 1]>,
    /// Position in the order in which bounds are reported.
    pub order: u32,
}

/// What the tests of a guard mean together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardMode {
    /// The batch is refused unless every test holds.
    RequireAll,
    /// The batch is refused if every test holds.
    RefuseAll,
    /// The batch needs an approval if every test holds: without one that lets it through, nothing is charged (spec 6.6).
    AskAll,
}

/// A test of one counter: whether what it holds, with the charge of this batch added, lies in one of `ranges`.
#[derive(Debug, Clone)]
pub struct Test<'p> {
    /// Index into [`Batch::slots`].
    pub slot: usize,
    /// Inclusive ranges in units of 10^-6, ascending and disjoint. May be empty: then the test never holds.
    pub ranges: &'p [(i64, i64)],
}

impl Test<'_> {
    /// Whether `used` lies in one of the ranges.
    pub fn holds(&self, used: Amount) -> bool {
        let used = used.as_micros();
        self.ranges.iter().any(|(low, high)| *low <= used && used <= *high)
    }
}

/// The charges and conditions of one call: taken all or none, in one atomic step.
#[derive(Debug, Clone, Default)]
pub struct Batch<'p> {
    /// Every counter that is charged or read.
    pub slots: SmallVec<[Slot<'p>; 2]>,
    /// The conditions on them.
    pub guards: SmallVec<[Guard<'p>; 1]>,
    /// The approval that the host holds for the call.
    pub approval: Option<Grant<'p>>,
    /// Whether a rule asks for approval whatever the counters are. If not, the batch needs one where a guard of [`GuardMode::AskAll`]
    /// acts. What it needs it spends; it spends nothing else.
    pub asks: bool,
}

/// An approval that may let a batch through (spec 7.2, 7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant<'p> {
    /// Its id, of which the store counts the uses.
    pub id: Cow<'p, str>,
    /// How many batches it lets through, from 1 up.
    pub uses: u32,
    /// The time span in which it lets a batch through, by the time at which that is decided (spec 8.4): from a minute before `.0`, when
    /// it was given, to before `.1`. `None`: any time.
    pub holds: Option<(Timestamp, Timestamp)>,
}

/// The approval of that id, which lets one batch through at any time.
impl<'p> From<&'p str> for Grant<'p> {
    fn from(id: &'p str) -> Self {
        Self { id: Cow::Borrowed(id), uses: 1, holds: None }
    }
}

impl Grant<'_> {
    /// Whether it lets a batch through that is decided at `now`. One that does not is none.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        /// How far the clock of who gave it may be ahead, in milliseconds.
        const AHEAD: i64 = 60_000;
        self.holds.is_none_or(|(given, ends)| given <= now.plus_millis(AHEAD) && now < ends)
    }
}

impl<'p> Batch<'p> {
    /// A batch that reads the same counters and takes nothing.
    pub(crate) fn only_read(&self) -> Self {
        let slots = self.slots.iter().map(|slot| Slot { charge: None, ..slot.clone() }).collect();
        Self { slots, ..Self::default() }
    }

    /// Whether the batch is only looked at: it needs an approval and has none, so whatever its counters are, nothing is taken
    /// (spec 6.6).
    pub fn only_looks(&self) -> bool {
        self.asks && self.approval.is_none()
    }

    /// Asks `store` to take the batch or, where it is only looked at, what it comes to.
    pub(crate) fn ask(&self, store: &dyn Store, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        if self.only_looks() { store.peek(self, now) } else { store.reserve(self, now) }
    }

    /// [`Batch::ask`] without blocking.
    pub(crate) fn ask_async<'f>(
        &'f self,
        store: &'f dyn AsyncStore,
        now: Timestamp,
    ) -> StoreFuture<'f, BatchOutcome> {
        if self.only_looks() { store.peek(self, now) } else { store.reserve(self, now) }
    }

    /// What an outcome says of a counter, where the batch is taken if `passes`. For implementations of [`Store`].
    pub fn usage(&self, seen: &judge::Seen<'_>, passes: bool) -> Usage {
        seen.standing.usage(if passes { seen.added } else { 0 })
    }
}

/// A store's answer to a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOutcome {
    /// Whether the batch was taken.
    pub verdict: Verdict,
    /// One for each slot, in order.
    pub usage: SmallVec<[Usage; 2]>,
    /// What the caller gave as the time, or what the store's own clock showed, where it has one.
    pub now: Timestamp,
}

/// Whether a batch was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All charges stand; of a batch that was only asked about: they would.
    Reserved,
    /// Nothing was charged: these bounds refused, in ascending order of `order`. Never empty.
    Refused(SmallVec<[Refusal; 1]>),
    /// Nothing was charged, because the batch needs an approval and has none that lets it through: these guards of
    /// [`GuardMode::AskAll`] act, as indices in order. Empty where a rule asks whatever the counters are, and none of them acts. Only
    /// reported when no bound refuses.
    Asks(SmallVec<[usize; 1]>),
    /// Nothing was charged: the batch needs an approval, and the one that it has was used as often as it may be. Only reported when no
    /// bound refuses.
    ApprovalSpent,
}

/// A bound that refused a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Which bound.
    pub bound: Bound,
    /// Its [`Slot::order`] or [`Guard::order`].
    pub order: u32,
    /// From when on this bound would hold for good if nothing else happened; `None` if waiting alone does not help
    /// (spec 8.9).
    pub retry_at: Option<Timestamp>,
}

/// Which bound of a batch refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The maximum of the slot with this index.
    Max(usize),
    /// The guard with this index.
    Guard(usize),
    /// The slot with this index cannot hold another charge: its sum would exceed [`Amount::MAX`], or its sliding
    /// window holds [`crate::ceilings::SLIDING_CHARGES`] live charges.
    Full(usize),
}

/// The state of one slot's counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What it holds: with the charge if the batch was taken, else as it stands.
    pub used: Amount,
    /// When it will hold nothing if nothing else happens: the end of the window, or for a sliding window the moment
    /// when its last live charge expires (with nothing in it: now). [`Timestamp::MAX`]: never.
    pub resets_at: Timestamp,
    /// What a settlement must name: the start of the window that was charged, or the time from which the charge counts in a sliding one.
    /// Later after a reset ([`Inspect::reset`](super::Inspect::reset)), so that it tells what was charged before from what was charged after.
    pub stamp: Timestamp,
}
