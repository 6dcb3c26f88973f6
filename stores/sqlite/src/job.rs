//! A request to the store, borrowed from the caller or owned by the queue.
//!
//! In: the arguments of a store's methods, and the namespace that they are about. Out: the same, for the thread that executes
//! them.

use std::borrow::Cow;
use std::sync::Arc;

use callgate::Amount;
use callgate::store::{
    Answered, ApprovalAnswer, ApprovalRecord, ApprovalRequest, Batch, BatchOutcome, Counter, CounterId,
    Filed, FiledCall, Grant, Guard, GuardMode, LiveCounter, ScopeValue, Settlement, Slot, Test,
};
use callgate::time::Timestamp;

use crate::namespace::Namespace;

/// Something to do in a transaction.
#[derive(Clone, Copy)]
pub(crate) struct Job<'j, 'p> {
    pub(crate) namespace: &'j Arc<Namespace>,
    pub(crate) request: Request<'j, 'p>,
}

/// What is to be done, and the caller's time.
#[derive(Clone, Copy)]
pub(crate) enum Request<'j, 'p> {
    Reserve(&'j Batch<'p>, Timestamp),
    Peek(&'j Batch<'p>, Timestamp),
    /// Makes charges what they really cost.
    Settle(&'j [Settlement<'j>], Timestamp),
    Reset(CounterId, &'j ScopeValue, Timestamp),
    /// Lists some of the counters: those after this one.
    Page(Option<&'j Shown>, Timestamp),
    /// Deletes some expired rows, of any namespace.
    Sweep(Timestamp),
    /// Files a call.
    File(&'j ApprovalRequest, Timestamp),
    /// Lists the filed calls.
    Filed(Timestamp),
    /// Finds the filed call with this id.
    Find(&'j str, Timestamp),
    /// Answers it.
    Answer(&'j str, &'j ApprovalAnswer, Timestamp),
    /// Lists the namespaces in which calls are filed.
    Namespaces,
}

/// A cursor: the key of the last counter that was listed.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) id: [u8; 16],
    pub(crate) scope: Vec<u8>,
    pub(crate) start: i64,
}

/// Some of the counters, and where the list goes on if these were not all.
pub(crate) struct Page {
    pub(crate) held: Vec<LiveCounter>,
    pub(crate) last: Option<Shown>,
}

/// The answer to a job, of the same kind.
pub(crate) enum Answer {
    Outcome(BatchOutcome),
    Settled,
    /// Whether the counter held something.
    Reset(bool),
    Page(Page),
    /// How many counters were deleted, and whether those were all.
    Swept {
        counters: usize,
        is_done: bool,
    },
    Filed(Filed),
    Records(Vec<ApprovalRecord>),
    Found(Option<Box<FiledCall>>),
    Answered(Answered),
    Namespaces(Vec<String>),
}

/// A job that waits for another thread to execute it.
pub(crate) struct OwnedJob {
    namespace: Arc<Namespace>,
    request: OwnedRequest,
}

enum OwnedRequest {
    Reserve(OwnedBatch, Timestamp),
    Peek(OwnedBatch, Timestamp),
    Settle(Vec<OwnedSettlement>, Timestamp),
    Reset(CounterId, ScopeValue, Timestamp),
    Page(Option<Shown>, Timestamp),
    Sweep(Timestamp),
    File(Box<ApprovalRequest>, Timestamp),
    Filed(Timestamp),
    Find(String, Timestamp),
    Answer(String, ApprovalAnswer, Timestamp),
    Namespaces,
}

struct OwnedBatch {
    slots: Vec<OwnedSlot>,
    guards: Vec<OwnedGuard>,
    approval: Option<Grant<'static>>,
    asks: bool,
}

struct OwnedSlot {
    counter: Counter,
    scope: ScopeValue,
    charge: Option<Amount>,
    max: Amount,
    order: u32,
}

struct OwnedGuard {
    mode: GuardMode,
    tests: Vec<(usize, Vec<(i64, i64)>)>,
    order: u32,
}

struct OwnedSettlement {
    counter: Counter,
    scope: ScopeValue,
    stamp: Timestamp,
    charged: Amount,
    actual: Amount,
}

impl Job<'_, '_> {
    pub(crate) fn to_owned(self) -> OwnedJob {
        OwnedJob { namespace: self.namespace.clone(), request: self.request.to_owned() }
    }
}

impl OwnedJob {
    /// Lends the job to `run`.
    pub(crate) fn lend<T>(&self, run: impl FnOnce(Job<'_, '_>) -> T) -> T {
        self.request.lend(|request| run(Job { namespace: &self.namespace, request }))
    }
}

impl Request<'_, '_> {
    fn to_owned(self) -> OwnedRequest {
        match self {
            Self::Reserve(batch, now) => OwnedRequest::Reserve(OwnedBatch::of(batch), now),
            Self::Peek(batch, now) => OwnedRequest::Peek(OwnedBatch::of(batch), now),
            Self::Settle(settlements, now) => {
                OwnedRequest::Settle(settlements.iter().map(OwnedSettlement::of).collect(), now)
            }
            Self::Reset(counter, scope, now) => OwnedRequest::Reset(counter, scope.clone(), now),
            Self::Page(after, now) => OwnedRequest::Page(after.cloned(), now),
            Self::Sweep(now) => OwnedRequest::Sweep(now),
            Self::File(request, now) => OwnedRequest::File(Box::new(request.clone()), now),
            Self::Filed(now) => OwnedRequest::Filed(now),
            Self::Find(id, now) => OwnedRequest::Find(id.to_owned(), now),
            Self::Answer(id, answer, now) => OwnedRequest::Answer(id.to_owned(), answer.clone(), now),
            Self::Namespaces => OwnedRequest::Namespaces,
        }
    }
}

impl OwnedRequest {
    fn lend<T>(&self, run: impl FnOnce(Request<'_, '_>) -> T) -> T {
        match self {
            Self::Reserve(batch, now) => run(Request::Reserve(&batch.lend(), *now)),
            Self::Peek(batch, now) => run(Request::Peek(&batch.lend(), *now)),
            Self::Settle(settlements, now) => {
                let settlements: Vec<_> = settlements.iter().map(OwnedSettlement::lend).collect();
                run(Request::Settle(&settlements, *now))
            }
            Self::Reset(counter, scope, now) => run(Request::Reset(*counter, scope, *now)),
            Self::Page(after, now) => run(Request::Page(after.as_ref(), *now)),
            Self::Sweep(now) => run(Request::Sweep(*now)),
            Self::File(request, now) => run(Request::File(request, *now)),
            Self::Filed(now) => run(Request::Filed(*now)),
            Self::Find(id, now) => run(Request::Find(id, *now)),
            Self::Answer(id, answer, now) => run(Request::Answer(id, answer, *now)),
            Self::Namespaces => run(Request::Namespaces),
        }
    }
}

impl OwnedBatch {
    fn of(batch: &Batch<'_>) -> Self {
        let slot = |slot: &Slot<'_>| OwnedSlot {
            counter: slot.counter.clone(),
            scope: slot.scope.clone(),
            charge: slot.charge,
            max: slot.max,
            order: slot.order,
        };
        let guard = |guard: &Guard<'_>| OwnedGuard {
            mode: guard.mode,
            tests: guard.tests.iter().map(|test| (test.slot, test.ranges.to_vec())).collect(),
            order: guard.order,
        };
        Self {
            slots: batch.slots.iter().map(slot).collect(),
            guards: batch.guards.iter().map(guard).collect(),
            approval: batch.approval.as_ref().map(|grant| Grant {
                id: Cow::Owned(grant.id.as_ref().to_owned()),
                uses: grant.uses,
                holds: grant.holds,
            }),
            asks: batch.asks,
        }
    }

    fn lend(&self) -> Batch<'_> {
        let slots = self.slots.iter().map(|slot| Slot {
            counter: &slot.counter,
            scope: slot.scope.clone(),
            charge: slot.charge,
            max: slot.max,
            order: slot.order,
        });
        let guards = self.guards.iter().map(|guard| Guard {
            mode: guard.mode,
            tests: guard.tests.iter().map(|(slot, ranges)| Test { slot: *slot, ranges }).collect(),
            order: guard.order,
        });
        let approval = self.approval.as_ref().map(|grant| Grant {
            id: Cow::Borrowed(&*grant.id),
            uses: grant.uses,
            holds: grant.holds,
        });
        Batch { slots: slots.collect(), guards: guards.collect(), approval, asks: self.asks }
    }
}

impl OwnedSettlement {
    fn of(settlement: &Settlement<'_>) -> Self {
        let Settlement { counter, scope, stamp, charged, actual } = *settlement;
        Self { counter: counter.clone(), scope: scope.clone(), stamp, charged, actual }
    }

    fn lend(&self) -> Settlement<'_> {
        let Self { counter, scope, stamp, charged, actual } = self;
        Settlement { counter, scope, stamp: *stamp, charged: *charged, actual: *actual }
    }
}
