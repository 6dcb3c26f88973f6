//! Stores behind a wire. Pure code turns the batch into a request and the reply into an outcome; thin transports, blocking or
//! not, carry them.

use std::future::Future;
use std::pin::Pin;

use super::error::StoreError;
use super::{Batch, BatchOutcome, Settlement, Store, StoreId};
use crate::time::Timestamp;

/// A future that a store returns.
pub type StoreFuture<'f, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'f>>;

/// The same duties as [`Store`], without blocking. Object-safe.
pub trait AsyncStore: Send + Sync {
    /// [`Store::id`].
    fn id(&self) -> StoreId {
        StoreId::of(self)
    }

    /// [`Store::reserve`].
    fn reserve<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome>;

    /// [`Store::peek`].
    fn peek<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome>;

    /// [`Store::settle`].
    fn settle<'f>(&'f self, settlements: &'f [Settlement<'_>], now: Timestamp) -> StoreFuture<'f, ()>;

    /// [`Store::purge`].
    fn purge<'f>(&'f self, now: Timestamp) -> StoreFuture<'f, usize>;
}

/// What a store is asked.
#[derive(Debug, Clone, Copy)]
pub enum Question<'q, 'p> {
    /// [`Store::reserve`].
    Reserve(&'q Batch<'p>),
    /// [`Store::peek`].
    Peek(&'q Batch<'p>),
    /// [`Store::settle`].
    Settle(&'q [Settlement<'p>]),
    /// [`Store::purge`].
    Purge,
}

/// A store's answer to a [`Question`] of the same kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Reserve`] and [`Question::Peek`].
    Outcome(BatchOutcome),
    /// To [`Question::Settle`].
    Settled,
    /// To [`Question::Purge`].
    Purged(usize),
    /// To any question that named another time than the store's: nothing was done, and this is the store's time.
    OtherTime(Timestamp),
}

/// How one kind of store writes questions and reads replies: pure, so the same for every transport.
pub trait Protocol: Send + Sync {
    /// What goes over the wire.
    type Request: Send;
    /// What comes back.
    type Reply: Send;

    /// [`Store::id`] of the stores that speak this.
    fn id(&self) -> StoreId {
        StoreId::of(self)
    }

    /// The store's time where the caller's is `now`, as well as it is known: for a store with a clock of its own whose
    /// questions name a time.
    fn expect(&self, now: Timestamp) -> Timestamp {
        now
    }

    /// Learns that the store was at `at` where the caller was at `now`.
    fn correct(&self, _now: Timestamp, _at: Timestamp) {}

    /// Writes a question: the caller's time is `now`, the store's `at`, as [`Protocol::expect`] or [`Answer::OtherTime`] said.
    ///
    /// # Errors
    /// [`StoreError`] where this store cannot ask that.
    fn request(
        &self,
        question: Question<'_, '_>,
        now: Timestamp,
        at: Timestamp,
    ) -> Result<Self::Request, StoreError>;

    /// Reads the reply to a question that was written as of `at`.
    ///
    /// # Errors
    /// [`StoreError`] where the reply is an error, or does not fit the question.
    fn answer(
        &self,
        question: Question<'_, '_>,
        at: Timestamp,
        reply: Self::Reply,
    ) -> Result<Answer, StoreError>;
}

/// Carries requests and blocks until the reply is there. Handles time-outs, connections and retries.
pub trait Transport<P: Protocol>: Send + Sync {
    /// One round trip.
    ///
    /// # Errors
    /// [`StoreError`] where no reply came. A request that may have been acted upon must not be sent again.
    fn carry(&self, request: P::Request) -> Result<P::Reply, StoreError>;
}

/// Carries requests without blocking.
pub trait AsyncTransport<P: Protocol>: Send + Sync {
    /// One round trip; errors as in [`Transport::carry`].
    fn carry(&self, request: P::Request) -> StoreFuture<'_, P::Reply>;
}

/// A store made of a protocol and a transport: a [`Store`] if the transport blocks, an [`AsyncStore`] if it does not.
#[derive(Debug, Clone)]
pub struct Remote<P, T> {
    protocol: P,
    transport: T,
}

impl<P: Protocol, T> Remote<P, T> {
    /// The store that speaks `protocol` over `transport`.
    pub fn new(protocol: P, transport: T) -> Self {
        Self { protocol, transport }
    }

    /// The protocol.
    pub fn protocol(&self) -> &P {
        &self.protocol
    }

    /// The transport.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    fn told(&self, now: Timestamp, at: Timestamp) -> Timestamp {
        self.protocol.correct(now, at);
        at
    }
}

impl<P: Protocol, T: Transport<P>> Remote<P, T> {
    fn ask(&self, question: Question<'_, '_>, now: Timestamp) -> Result<Answer, StoreError> {
        let mut at = self.protocol.expect(now);
        for _ in 0..TIMES {
            let reply = self.transport.carry(self.protocol.request(question, now, at)?)?;
            match self.protocol.answer(question, at, reply)? {
                Answer::OtherTime(time) => at = self.told(now, time),
                answer => return Ok(answer),
            }
        }
        Err(astray())
    }
}

impl<P: Protocol, T: AsyncTransport<P>> Remote<P, T> {
    async fn ask_async(&self, question: Question<'_, '_>, now: Timestamp) -> Result<Answer, StoreError> {
        let mut at = self.protocol.expect(now);
        for _ in 0..TIMES {
            let reply = self.transport.carry(self.protocol.request(question, now, at)?).await?;
            match self.protocol.answer(question, at, reply)? {
                Answer::OtherTime(time) => at = self.told(now, time),
                answer => return Ok(answer),
            }
        }
        Err(astray())
    }
}

/// The most attempts to name the store's time: one for a wrong clock, and one for each window that ends meanwhile.
const TIMES: usize = 4;

fn astray() -> StoreError {
    StoreError::transient("the store's clock does not stand still long enough to name its time")
}

fn mismatch() -> StoreError {
    StoreError::permanent("the store's reply does not fit the request")
}

fn outcome(answer: Answer) -> Result<BatchOutcome, StoreError> {
    if let Answer::Outcome(outcome) = answer { Ok(outcome) } else { Err(mismatch()) }
}

fn settled(answer: Answer) -> Result<(), StoreError> {
    if answer == Answer::Settled { Ok(()) } else { Err(mismatch()) }
}

fn purged(answer: Answer) -> Result<usize, StoreError> {
    if let Answer::Purged(count) = answer { Ok(count) } else { Err(mismatch()) }
}

impl<P: Protocol, T: Transport<P>> Store for Remote<P, T> {
    fn id(&self) -> StoreId {
        self.protocol.id()
    }

    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        outcome(self.ask(Question::Reserve(batch), now)?)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        outcome(self.ask(Question::Peek(batch), now)?)
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        settled(self.ask(Question::Settle(settlements), now)?)
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        purged(self.ask(Question::Purge, now)?)
    }
}

impl<P: Protocol, T: AsyncTransport<P>> AsyncStore for Remote<P, T> {
    fn id(&self) -> StoreId {
        self.protocol.id()
    }

    fn reserve<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        Box::pin(async move { outcome(self.ask_async(Question::Reserve(batch), now).await?) })
    }

    fn peek<'f>(&'f self, batch: &'f Batch<'_>, now: Timestamp) -> StoreFuture<'f, BatchOutcome> {
        Box::pin(async move { outcome(self.ask_async(Question::Peek(batch), now).await?) })
    }

    fn settle<'f>(&'f self, settlements: &'f [Settlement<'_>], now: Timestamp) -> StoreFuture<'f, ()> {
        Box::pin(async move { settled(self.ask_async(Question::Settle(settlements), now).await?) })
    }

    fn purge<'f>(&'f self, now: Timestamp) -> StoreFuture<'f, usize> {
        Box::pin(async move { purged(self.ask_async(Question::Purge, now).await?) })
    }
}
