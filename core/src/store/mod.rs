//! Counters: the batch of charges that a call needs, and the stores that take it, all or none (spec 8).
//!
//! In: a [`Batch`] that evaluation prepared. Out: a [`BatchOutcome`]. A store keeps numbers. It must not know a policy, read
//! arguments, or decide anything but whether every bound of the batch holds.

mod approval;
mod batch;
mod counter;
pub(crate) mod error;
mod inspect;
pub mod judge;
pub(crate) mod memory;
mod remote;

use std::sync::Arc;

use smallvec::smallvec;

pub use approval::{
    Answered, ApprovalAnswer, ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, ApprovalState,
    Approvals, AsyncApprovals, Filed, FiledCall, new_approval_id,
};
pub use batch::{Batch, BatchOutcome, Bound, Grant, Guard, GuardMode, Refusal, Slot, Test, Usage, Verdict};
pub use counter::{Counter, CounterId, Owner, ScopeValue};
pub use inspect::{Counters, Inspect, LiveCounter};
pub use remote::{Answer, AsyncStore, AsyncTransport, Protocol, Question, Remote, StoreFuture, Transport};

use crate::amount::Amount;
pub use crate::calendar::Calendar;
use crate::store::error::StoreError;
use crate::time::Timestamp;
pub use crate::window::{Algorithm, Window};

/// A charge that becomes another amount: taken back, whole or in part, or more than it was.
#[derive(Debug, Clone, Copy)]
pub struct Settlement<'r> {
    /// The counter.
    pub counter: &'r Counter,
    /// For whom it was charged.
    pub scope: &'r ScopeValue,
    /// [`Usage::stamp`] of the charge. What is taken back is never taken from another window.
    pub stamp: Timestamp,
    /// What was charged.
    pub charged: Amount,
    /// What it becomes. The difference above `charged` is a charge of its own at the time of settling, in the window of that time.
    pub actual: Amount,
}

impl<'r> Settlement<'r> {
    /// Takes so much of a charge back.
    pub fn refund(counter: &'r Counter, scope: &'r ScopeValue, stamp: Timestamp, amount: Amount) -> Self {
        Self { counter, scope, stamp, charged: amount, actual: Amount::ZERO }
    }
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

    /// Whether what it holds ends with this process. Engines then warn of policies that need more (spec 8.18).
    fn is_in_memory(&self) -> bool {
        false
    }

    /// Takes the batch if every bound holds and it has the approval that it needs, else changes nothing.
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

    /// Makes charges what the call really cost (spec 8.10, 8.14). What is taken back is taken only from the window that was charged;
    /// ended windows are left alone. What is added is charged at `now`; no bound refuses it, and sums stop at [`Amount::MAX`]. In a
    /// sliding window without room for another charge it joins the newest one, which then counts from `now`. The caller settles a
    /// charge at most once.
    ///
    /// # Errors
    /// [`StoreError`] where the counters cannot be reached. It may or may not have happened, and must not be
    /// repeated, unless the error [is certain](StoreError::is_certainly_undone) that nothing was written.
    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError>;

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

    fn is_in_memory(&self) -> bool {
        (**self).is_in_memory()
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

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        (**self).settle(settlements, now)
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        (**self).purge(now)
    }
}
