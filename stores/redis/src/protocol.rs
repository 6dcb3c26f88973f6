//! How questions are written and replies are read: the same for every transport (pure).
//!
//! In: a question. Out: one command; and from its reply, the answer.

use callgate::{Answer, Protocol, Question, StoreError, Timestamp};
use redis::Value;

use crate::key::Keys;
use crate::reply;
use crate::request::{self, Given, Intent, Request};

/// Whose clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeSource {
    /// The server's, read inside the script.
    Server,
    /// The caller's.
    Caller,
}

/// The language of one namespace.
#[derive(Debug, Clone)]
pub(crate) struct Scripts {
    pub(crate) keys: Keys,
    pub(crate) time: TimeSource,
}

impl Scripts {
    /// The time that the server is given.
    pub(crate) fn given(&self, now: Timestamp) -> Given {
        (self.time == TimeSource::Caller).then_some(now.as_millis())
    }
}

impl Protocol for Scripts {
    type Request = Request;
    type Reply = Value;

    fn request(&self, question: Question<'_, '_>, now: Timestamp) -> Result<Request, StoreError> {
        let given = self.given(now);
        match question {
            Question::Reserve(batch) => request::decide(&self.keys, batch, Intent::Take, given),
            Question::Peek(batch) => request::decide(&self.keys, batch, Intent::Ask, given),
            Question::Refund(refunds) => Ok(request::refund(&self.keys, refunds, given)),
            // Keys expire by themselves; what is left to say is whether the counters can be reached.
            Question::Purge => Ok(request::refund(&self.keys, &[], given)),
        }
    }

    fn answer(&self, question: Question<'_, '_>, reply: Value) -> Result<Answer, StoreError> {
        match question {
            Question::Reserve(batch) | Question::Peek(batch) => {
                reply::outcome(batch, &reply).map(Answer::Outcome)
            }
            _ if reply::text(&reply) != Some(b"refunded") => Err(reply::mismatch()),
            Question::Refund(_) => Ok(Answer::Refunded),
            Question::Purge => Ok(Answer::Purged(0)),
        }
    }
}
