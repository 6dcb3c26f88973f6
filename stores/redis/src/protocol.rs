//! How questions are written and replies are read: the same for every transport (pure).
//!
//! In: a question. Out: one command; and from its reply, the answer.

use std::sync::atomic::{AtomicI64, Ordering};

use callgate::StoreError;
use callgate::store::{Answer, Protocol, Question, StoreId};
use callgate::time::Timestamp;
use redis::Value;

use crate::begun::Begun;
use crate::key::Keys;
use crate::reply;
use crate::request::{self, Given, Intent, Request};

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
    begun: Begun,
}

impl Scripts {
    pub(crate) fn new(keys: Keys, id: StoreId, time: TimeSource) -> Self {
        Self { keys, id, time, ahead: AtomicI64::new(0), begun: Begun::new() }
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
            Question::Reserve(batch) if request::is_usual(batch, given) && self.begun.has(batch, at) => {
                request::charge(&self.keys, batch, at)
            }
            Question::Reserve(batch) => request::decide(&self.keys, batch, Intent::Take, given, at),
            Question::Peek(batch) => request::decide(&self.keys, batch, Intent::Ask, given, at),
            Question::Refund(refunds) => Ok(request::refund(&self.keys, refunds, given)),
            Question::Purge => Ok(request::purge(&self.keys, given)),
        }
    }

    fn answer(&self, question: Question<'_, '_>, at: Timestamp, reply: Value) -> Result<Answer, StoreError> {
        match question {
            Question::Reserve(batch) | Question::Peek(batch) => {
                let answer = reply::outcome(batch, at, &reply)?;
                // A plain number means that the window has begun.
                if reply::integer(&reply).is_none() {
                    self.begun.learn(batch, at, &answer);
                }
                Ok(answer)
            }
            _ if reply::text(&reply) != Some(b"refunded") => Err(reply::mismatch()),
            Question::Refund(_) => Ok(Answer::Refunded),
            Question::Purge => Ok(Answer::Purged(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use callgate::Amount;
    use callgate::store::{Algorithm, Batch, Counter, Owner, ScopeValue, Slot, Window};

    use super::*;
    use crate::numbers::Packed;
    use crate::script::Script;

    const NOW: Timestamp = Timestamp::from_millis(70_000);

    fn scripts(time: TimeSource) -> Scripts {
        Scripts::new(Keys::new("n").unwrap(), StoreId::named(b"n"), time)
    }

    fn script(scripts: &Scripts, question: Question<'_, '_>) -> Script {
        scripts.request(question, NOW, NOW).unwrap().script
    }

    #[test]
    fn a_window_that_is_known_to_have_begun_is_asked_for_shortly() {
        let counter = Counter::new(Owner::AllTools, "n", Window::Minute, Algorithm::Fixed, "global");
        let (charge, max) = (Amount::from_micros(2), Amount::from_micros(5).unwrap());
        let slot = Slot { counter: &counter, scope: ScopeValue::default(), charge, max, order: 0 };
        let batch = Batch { slots: [slot].into_iter().collect(), ..Batch::default() };
        let mut approved = batch.clone();
        approved.approval = Some("one".into());
        let (reserve, sums) = (Question::Reserve(&batch), Value::Array(vec![Value::Int(2)]));
        let unbegun = Value::BulkString(Packed::of(&[4, 70, 0]).as_bytes().to_vec());

        let ours = scripts(TimeSource::Server);
        assert_eq!(script(&ours, reserve), Script::Decide);
        ours.answer(reserve, NOW, sums.clone()).unwrap();
        assert_eq!(script(&ours, reserve), Script::Charge);
        assert_eq!(script(&ours, Question::Peek(&batch)), Script::Decide);
        assert_eq!(script(&ours, Question::Reserve(&approved)), Script::Decide);
        assert_eq!(ours.answer(reserve, NOW, unbegun), Ok(Answer::Elsewhen(NOW)));
        assert_eq!(script(&ours, reserve), Script::Decide);

        let theirs = scripts(TimeSource::Caller);
        theirs.answer(reserve, NOW, sums).unwrap();
        assert_eq!(script(&theirs, reserve), Script::Decide);
        let none = Batch::default();
        assert_eq!(script(&ours, Question::Reserve(&none)), Script::Decide);
    }
}
