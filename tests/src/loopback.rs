//! A store behind a wire that leads back into this process: every question becomes a request that borrows nothing, the
//! counters of a [`MemoryStore`] answer it, and the reply is read back.
//!
//! In: what a store is asked. Out: what the in-memory store says. Must not keep or decide anything of its own, so that
//! whatever differs from asking the store itself is a mistake of [`Remote`], or of what goes into a batch.

use std::borrow::Cow;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use callgate::store::{
    Answer, AsyncStore, AsyncTransport, Batch, BatchOutcome, Counter, CounterId, Grant, Guard, GuardMode,
    Inspect, LiveCounter, Protocol, Question, Remote, ScopeValue, Settlement, Slot, Store, StoreFuture, Test,
    Transport,
};
use callgate::time::Timestamp;
use callgate::{Amount, MemoryStore, StoreError};

/// A question as it goes over the wire.
pub enum Request {
    /// A batch to take.
    Reserve(OwnedBatch, Timestamp),
    /// A batch to look at.
    Peek(OwnedBatch, Timestamp),
    /// Charges that become other amounts.
    Settle(Vec<OwnedSettlement>, Timestamp),
    /// What nobody can see any more.
    Purge(Timestamp),
}

/// A [`Batch`] that borrows nothing.
pub struct OwnedBatch {
    slots: Vec<(Counter, ScopeValue, Option<Amount>, Amount, u32)>,
    guards: Vec<OwnedGuard>,
    approval: Option<Grant<'static>>,
    asks: bool,
}

/// A [`Settlement`] that borrows nothing.
pub struct OwnedSettlement {
    counter: Counter,
    scope: ScopeValue,
    stamp: Timestamp,
    charged: Amount,
    actual: Amount,
}

/// A [`Guard`] that borrows nothing.
struct OwnedGuard {
    mode: GuardMode,
    tests: Vec<(usize, Vec<(i64, i64)>)>,
    order: u32,
}

impl OwnedBatch {
    fn new(batch: &Batch<'_>) -> Self {
        let slot =
            |slot: &Slot<'_>| (slot.counter.clone(), slot.scope.clone(), slot.charge, slot.max, slot.order);
        let guard = |guard: &Guard<'_>| OwnedGuard {
            mode: guard.mode,
            tests: guard.tests.iter().map(|test| (test.slot, test.ranges.to_vec())).collect(),
            order: guard.order,
        };
        Self {
            slots: batch.slots.iter().map(slot).collect(),
            guards: batch.guards.iter().map(guard).collect(),
            approval: batch.approval.as_ref().map(|Grant { id, uses, holds }| Grant {
                id: Cow::Owned(id.as_ref().to_owned()),
                uses: *uses,
                holds: *holds,
            }),
            asks: batch.asks,
        }
    }

    fn batch(&self) -> Batch<'_> {
        let slots = self.slots.iter().map(|(counter, scope, charge, max, order)| Slot {
            counter,
            scope: scope.clone(),
            charge: *charge,
            max: *max,
            order: *order,
        });
        let guards = self.guards.iter().map(|guard| Guard {
            mode: guard.mode,
            tests: guard.tests.iter().map(|(slot, ranges)| Test { slot: *slot, ranges }).collect(),
            order: guard.order,
        });
        Batch {
            slots: slots.collect(),
            guards: guards.collect(),
            approval: self.approval.clone(),
            asks: self.asks,
        }
    }
}

impl OwnedSettlement {
    fn new(settlement: &Settlement<'_>) -> Self {
        let Settlement { counter, scope, stamp, charged, actual } = *settlement;
        Self { counter: counter.clone(), scope: scope.clone(), stamp, charged, actual }
    }

    fn settlement(&self) -> Settlement<'_> {
        let Self { counter, scope, stamp, charged, actual } = self;
        Settlement { counter, scope, stamp: *stamp, charged: *charged, actual: *actual }
    }
}

/// The language of the wire.
pub struct Spoken;

impl Protocol for Spoken {
    type Request = Request;
    type Reply = Result<Answer, StoreError>;

    fn request(
        &self,
        question: Question<'_, '_>,
        now: Timestamp,
        _at: Timestamp,
    ) -> Result<Request, StoreError> {
        Ok(match question {
            Question::Reserve(batch) => Request::Reserve(OwnedBatch::new(batch), now),
            Question::Peek(batch) => Request::Peek(OwnedBatch::new(batch), now),
            Question::Settle(settlements) => {
                Request::Settle(settlements.iter().map(OwnedSettlement::new).collect(), now)
            }
            Question::Purge => Request::Purge(now),
        })
    }

    fn answer(
        &self,
        _question: Question<'_, '_>,
        _at: Timestamp,
        reply: Self::Reply,
    ) -> Result<Answer, StoreError> {
        reply
    }
}

/// The wire, and the counters at its other end.
#[derive(Default)]
pub struct Loop(MemoryStore);

impl Loop {
    fn reply(&self, request: Request) -> Result<Answer, StoreError> {
        match request {
            Request::Reserve(batch, now) => self.0.reserve(&batch.batch(), now).map(Answer::Outcome),
            Request::Peek(batch, now) => self.0.peek(&batch.batch(), now).map(Answer::Outcome),
            Request::Settle(settlements, now) => {
                let settlements: Vec<_> = settlements.iter().map(OwnedSettlement::settlement).collect();
                self.0.settle(&settlements, now).map(|()| Answer::Settled)
            }
            Request::Purge(now) => self.0.purge(now).map(Answer::Purged),
        }
    }
}

impl Transport<Spoken> for Loop {
    fn carry(&self, request: Request) -> Result<Result<Answer, StoreError>, StoreError> {
        Ok(self.reply(request))
    }
}

impl AsyncTransport<Spoken> for Loop {
    fn carry(&self, request: Request) -> StoreFuture<'_, Result<Answer, StoreError>> {
        Box::pin(async move { Ok(self.reply(request)) })
    }
}

/// A protocol and a wire that answer every question with one answer, whatever was asked; or fail, and where.
#[derive(Debug, Clone)]
pub struct OneAnswer {
    says: Result<Answer, StoreError>,
    fails: Point,
}

/// Where a question to a store can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// It cannot be asked.
    Request,
    /// Nothing comes back.
    Wire,
    /// What comes back is an error.
    Reply,
}

impl OneAnswer {
    /// The answer.
    pub fn answers(answer: Answer) -> Self {
        Self { says: Ok(answer), fails: Point::Reply }
    }

    /// The failure, at that point.
    pub fn fails(error: StoreError, fails: Point) -> Self {
        Self { says: Err(error), fails }
    }

    fn at(&self, point: Point) -> Result<(), StoreError> {
        if self.fails == point { self.says.clone().map(|_| ()) } else { Ok(()) }
    }
}

impl Protocol for OneAnswer {
    type Request = ();
    type Reply = ();

    fn request(&self, _of: Question<'_, '_>, _now: Timestamp, _at: Timestamp) -> Result<(), StoreError> {
        self.at(Point::Request)
    }

    fn answer(&self, _to: Question<'_, '_>, _at: Timestamp, (): ()) -> Result<Answer, StoreError> {
        self.says.clone()
    }
}

impl Transport<OneAnswer> for OneAnswer {
    fn carry(&self, (): ()) -> Result<(), StoreError> {
        self.at(Point::Wire)
    }
}

impl AsyncTransport<OneAnswer> for OneAnswer {
    fn carry(&self, (): ()) -> StoreFuture<'_, ()> {
        Box::pin(async { self.at(Point::Wire) })
    }
}

/// In-memory counters behind the wire.
pub fn store() -> Remote<Spoken, Loop> {
    Remote::new(Spoken, Loop::default())
}

/// Runs a future to its end on this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}

/// [`store`] with what an operator sees, which goes over no wire.
pub struct Blocking(pub Remote<Spoken, Loop>);

/// The same, asked without blocking.
pub struct Polled(pub Remote<Spoken, Loop>);

impl Store for Blocking {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        Store::reserve(&self.0, batch, now)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        Store::peek(&self.0, batch, now)
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        Store::settle(&self.0, settlements, now)
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        Store::purge(&self.0, now)
    }
}

impl Store for Polled {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        block_on(AsyncStore::reserve(&self.0, batch, now))
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        block_on(AsyncStore::peek(&self.0, batch, now))
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        block_on(AsyncStore::settle(&self.0, settlements, now))
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        block_on(AsyncStore::purge(&self.0, now))
    }
}

macro_rules! inspected {
    ($($store:ty),*) => {$(
        impl Inspect for $store {
            fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError> {
                self.0.transport().0.each(now, show)
            }

            fn reset(&self, id: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError> {
                self.0.transport().0.reset(id, scope, now)
            }
        }
    )*};
}
inspected!(Blocking, Polled);
