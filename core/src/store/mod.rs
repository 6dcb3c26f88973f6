//! Counters: the batch of charges that a call needs, and the stores that take it, all or none (spec 8).
//!
//! In: a [`Batch`] that evaluation prepared. Out: a [`BatchOutcome`]. A store keeps numbers. It must not know a policy, read
//! arguments, or decide anything but whether every bound of the batch holds.

mod approval;
pub(crate) mod error;
mod inspect;
pub mod judge;
pub(crate) mod memory;
mod remote;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

pub use approval::{
    Answered, ApprovalAnswer, ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, ApprovalState,
    Approvals, AsyncApprovals, Filed, FiledCall, new_approval_id,
};
pub use inspect::{Counters, Inspect, LiveCounter};
pub use remote::{Answer, AsyncStore, AsyncTransport, Protocol, Question, Remote, StoreFuture, Transport};

use crate::amount::Amount;
use crate::bytes::Short;
use crate::store::error::StoreError;
use crate::time::Timestamp;
pub use crate::window::{Algorithm, Window};

/// A counter as the policy declares it. Its [`Counter::id`] is the same for the same declaration in every version of
/// a policy and in every process, so counters outlive a reload (spec 8.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    pub(crate) id: CounterId,
    pub(crate) owner: Owner,
    pub(crate) name: Box<str>,
    pub(crate) window: Window,
    pub(crate) algorithm: Algorithm,
    pub(crate) scope: Box<str>,
}

/// Which entry of the policy a counter belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Owner {
    /// The entry of `tools` with this key: a tool's name, a glob, or `*`.
    Tool(Box<str>),
    /// `all_tools`.
    AllTools,
}

/// The first 16 bytes of the SHA-256 of a counter's encoded declaration (owner, name, window, algorithm, scope).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CounterId(pub(crate) [u8; 16]);

impl CounterId {
    /// The bytes; evenly distributed, so that they need no further hashing.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Counter {
    /// Declares a counter. `scope` is the canonical name of what it counts by, such as `global` or `grant`.
    pub fn new(owner: Owner, name: &str, window: Window, algorithm: Algorithm, scope: &str) -> Self {
        use sha2::{Digest, Sha256};
        // Every part is preceded by its length, so no two declarations have one encoding (spec 8.6, trap 27).
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        match &owner {
            Owner::Tool(key) => {
                part(b"tool");
                part(key.as_bytes());
            }
            Owner::AllTools => part(b"all_tools"),
        }
        part(name.as_bytes());
        part(window.to_string().as_bytes());
        part(algorithm.name().as_bytes());
        part(scope.as_bytes());
        let digest = hash.finalize();
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(digest) {
            *to = from;
        }
        Self { id: CounterId(id), owner, name: name.into(), window, algorithm, scope: scope.into() }
    }

    /// The stable id.
    pub fn id(&self) -> CounterId {
        self.id
    }

    /// The entry that declares it.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Its name within the entry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The window it counts over.
    pub fn window(&self) -> Window {
        self.window
    }

    /// How charges expire.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What it counts by, by its canonical name.
    pub fn scope(&self) -> &str {
        &self.scope
    }
}

impl Algorithm {
    /// `fixed` or `sliding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Sliding => "sliding",
        }
    }
}

/// For whom a counter counts: the encoded scope value, at most a few KiB. Equal values have equal bytes and different
/// ones different bytes, over all types and sources (spec 9.3).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ScopeValue(pub(crate) Short<46>);

impl ScopeValue {
    /// The encoded bytes; empty for `global`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for ScopeValue {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for ScopeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

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
    /// The approval that the batch spends: refused if its id was spent before.
    pub approval: Option<Cow<'p, str>>,
    /// Whether the batch is only looked at: its call is yet to be approved (spec 6.6). [`Store::reserve`] and [`Store::peek`] both
    /// say then which bounds would refuse it, take nothing, and tell each counter as it stands.
    pub only_looks: bool,
}

impl<'p> Batch<'p> {
    /// A batch that reads the same counters and takes nothing.
    pub(crate) fn only_read(&self) -> Self {
        let slots = self.slots.iter().map(|slot| Slot { charge: None, ..slot.clone() }).collect();
        Self { slots, ..Self::default() }
    }

    /// Asks `store` to take the batch or, where it is only looked at, what it comes to. Nothing hangs on whether a store knows
    /// the mark.
    pub(crate) fn ask(&self, store: &dyn Store, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        if self.only_looks { store.peek(self, now) } else { store.reserve(self, now) }
    }

    /// [`Batch::ask`] without blocking.
    pub(crate) fn ask_async<'f>(
        &'f self,
        store: &'f dyn AsyncStore,
        now: Timestamp,
    ) -> StoreFuture<'f, BatchOutcome> {
        if self.only_looks { store.peek(self, now) } else { store.reserve(self, now) }
    }

    /// What an outcome says of a counter, where the batch passes if `passes`. For implementations of [`Store`].
    pub fn usage(&self, seen: &judge::Seen<'_>, passes: bool) -> Usage {
        seen.standing.usage(if passes && !self.only_looks { seen.added } else { 0 })
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
    /// All charges stand; of a batch that is [only looked at](Batch::only_looks): they would, and nothing was charged.
    Reserved,
    /// Nothing was charged: these bounds refused, in ascending order of `order`. Never empty.
    Refused(SmallVec<[Refusal; 1]>),
    /// Nothing was charged: the approval was spent before. Only reported when no bound refuses.
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
    /// when its last live charge expires (with nothing in it: now).
    pub resets_at: Timestamp,
    /// What a refund must name: the start of the window that was charged, or the time of the charge in a sliding one.
    /// Later after a reset ([`Inspect::reset`]), so that it tells what was charged before from what was charged after.
    pub stamp: Timestamp,
}

/// A charge to take back, whole or in part.
#[derive(Debug, Clone, Copy)]
pub struct Refund<'r> {
    /// The counter.
    pub counter: &'r Counter,
    /// For whom it was charged.
    pub scope: &'r ScopeValue,
    /// [`Usage::stamp`] of the charge. Another window is never touched.
    pub stamp: Timestamp,
    /// How much, at most what was charged.
    pub amount: Amount,
}

/// Which counters a store keeps: what was charged in one is given back in one with the same id (spec 8.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreId(u64);

impl StoreId {
    /// The id of a store that keeps its counters to itself: its address. A store that moves between two calls needs another
    /// one, or it refuses to take its own charges back.
    pub fn of<S: ?Sized>(store: &S) -> Self {
        Self(std::ptr::from_ref(store).cast::<()>().addr() as u64)
    }

    /// The id of all stores that keep what these bytes name, such as a server's address and a namespace.
    pub fn named(what: &[u8]) -> Self {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(what);
        Self(digest.iter().take(8).fold(0, |id, byte| (id << 8) | u64::from(*byte)))
    }
}

/// Where counters live.
///
/// # Atomicity
/// [`Store::reserve`] takes a batch all or none, in one step that no other batch on the same counters can observe half
/// done, in this process or another: never more than a maximum, and never a refusal while there is room (spec 8.1).
///
/// # Time
/// `now` is the caller's clock. A store with a clock of its own ignores it. It may run backwards between calls: a batch
/// whose time is behind the latest that the store has decided one at is decided as at that time. A store that processes
/// share, whose clocks differ, goes by each counter, and counts a caller that is far behind by its own time (spec 8.4).
///
/// # Threads
/// Called from many threads at once. Must not call back into the engine.
pub trait Store: Send + Sync {
    /// The identity of these counters. Two interfaces to the same counters, a blocking and an asynchronous one, have the same.
    fn id(&self) -> StoreId {
        StoreId::of(self)
    }

    /// Takes the batch if every bound holds, else changes nothing. Never takes one that is [only looked at](Batch::only_looks).
    ///
    /// # Errors
    /// [`StoreError`] where it is unknown whether the batch was taken; the engine then denies the call.
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError>;

    /// What [`Store::reserve`] answers to a batch of this slot alone, which is what most calls ask that count at all. To be
    /// overridden where a batch costs more than its charge.
    ///
    /// # Errors
    /// As [`Store::reserve`].
    fn charge_one(&self, slot: &Slot<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.reserve(&Batch { slots: smallvec![slot.clone()], ..Batch::default() }, now)
    }

    /// What [`Store::reserve`] would answer now, but changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] where the counters cannot be read.
    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError>;

    /// Takes charges back, each only from the window that was charged; ended windows are left alone. The caller refunds a
    /// charge at most once.
    ///
    /// # Errors
    /// [`StoreError`] where the counters cannot be reached. The refund may or may not have happened, and must not be
    /// repeated, unless the error [is certain](StoreError::is_certainly_undone) that nothing was written.
    fn refund(&self, refunds: &[Refund<'_>], now: Timestamp) -> Result<(), StoreError>;

    /// Drops what no call can see any more at `now`, and returns how many counters that were. Nothing live is touched.
    ///
    /// # Errors
    /// [`StoreError`] where the counters cannot be reached.
    fn purge(&self, now: Timestamp) -> Result<usize, StoreError>;
}

/// A store that several hold, as each of them.
impl<S: Store + ?Sized> Store for Arc<S> {
    fn id(&self) -> StoreId {
        (**self).id()
    }

    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        (**self).reserve(batch, now)
    }

    fn charge_one(&self, slot: &Slot<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        (**self).charge_one(slot, now)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        (**self).peek(batch, now)
    }

    fn refund(&self, refunds: &[Refund<'_>], now: Timestamp) -> Result<(), StoreError> {
        (**self).refund(refunds, now)
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        (**self).purge(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counters go on after an update (`spec/versioning.md`): these ids are stored, so they never change.
    #[test]
    fn counter_ids_are_stable_and_tell_declarations_apart() {
        let tool = |key: &str, name: &str| {
            Counter::new(Owner::Tool(key.into()), name, Window::Day, Algorithm::Fixed, "grant").id()
        };
        assert_eq!(
            crate::json_text::hex(tool("create_charge", "spend").as_bytes()),
            "ebe5464eaa5329a39f07ee38fa42e86c"
        );
        // Trap 27: what joins to the same text is not the same counter.
        assert_ne!(tool("a", "b.c"), tool("a.b", "c"));
        let all = Counter::new(Owner::AllTools, "n", Window::Day, Algorithm::Fixed, "grant").id();
        assert_ne!(all, tool("all_tools", "n"));
    }
}
