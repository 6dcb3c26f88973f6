//! How questions are written and replies are read: the same for every transport (pure).
//!
//! In: a question. Out: one command; and from its reply, the answer.

use std::sync::atomic::{AtomicI64, Ordering};

use callgate::StoreError;
use callgate::store::{Answer, Protocol, Question, StoreId};
use callgate::time::Timestamp;
use redis::Value;

use crate::key::Keys;
use crate::reply;
use crate::request::{self, Given, Intent, Request};
use crate::settlement;

/// Which clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeSource {
    /// The server's, read inside the script.
    Server,
    /// The caller's.
    Caller,
}

/// The protocol of one namespace.
pub(crate) struct Scripts {
    pub(crate) keys: Keys,
    id: StoreId,
    time: TimeSource,
    /// How many milliseconds the server's clock was ahead when a call last named the wrong window.
    ahead: AtomicI64,
}

impl Scripts {
    pub(crate) fn new(keys: Keys, id: StoreId, time: TimeSource) -> Self {
        Self { keys, id, time, ahead: AtomicI64::new(0) }
    }

    /// The time that the server is given.
    pub(crate) fn given(&self, now: Timestamp) -> Given {
        (self.time == TimeSource::Caller).then_some(now.as_millis())
    }
}

impl Protocol for Scripts {
    type Request = Request;
    type Reply = Value;

    fn id(&self) -> StoreId {
        self.id
    }

    fn expect(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(self.ahead.load(Ordering::Relaxed))
    }

    fn correct(&self, now: Timestamp, at: Timestamp) {
        if self.time == TimeSource::Server {
            self.ahead.store(at.as_millis().saturating_sub(now.as_millis()), Ordering::Relaxed);
        }
    }

    fn request(
        &self,
        question: Question<'_, '_>,
        now: Timestamp,
        at: Timestamp,
    ) -> Result<Request, StoreError> {
        let given = self.given(now);
        match question {
            Question::Reserve(batch) => request::decide(&self.keys, batch, Intent::Take, given, at),
            Question::Peek(batch) => request::decide(&self.keys, batch, Intent::Ask, given, at),
            Question::Settle(settlements) => Ok(settlement::settle(&self.keys, settlements, given, at)),
            Question::Purge => Ok(settlement::purge(&self.keys, given)),
        }
    }

    fn answer(&self, question: Question<'_, '_>, at: Timestamp, reply: Value) -> Result<Answer, StoreError> {
        match question {
            Question::Reserve(batch) | Question::Peek(batch) => reply::outcome(batch, at, &reply),
            Question::Settle(_) => reply::settled(at, &reply),
            Question::Purge if reply::settled(at, &reply)? == Answer::Settled => Ok(Answer::Purged(0)),
            Question::Purge => Err(reply::mismatch()),
        }
    }
}
