//! Replies of the scripts as answers (pure).
//!
//! In: what the server said, and the batch that it was said of. Out: the outcome; which bounds refused is judged here, by
//! what the script has seen. Must not take anything for granted that a server might say otherwise.

use std::collections::VecDeque;

use callgate::judge::{Charge, Decay, Live, Seen, Standing, judge, live_millis};
use callgate::{Amount, Batch, Outcome, StoreError, Timestamp, Verdict};
use redis::Value;

use crate::request::{is_sliding, micros};

/// How one counter stood, and the oldest live charges of a log that refused.
struct Stood {
    stamp: Timestamp,
    resets_at: Timestamp,
    used: i64,
    is_full: bool,
    charges: VecDeque<Charge>,
}

/// The outcome of a batch.
pub(crate) fn outcome(batch: &Batch<'_>, reply: &Value) -> Result<Outcome, StoreError> {
    read(batch, reply).ok_or_else(mismatch)
}

/// What is wrong where a server says what no script of this version says.
pub(crate) fn mismatch() -> StoreError {
    StoreError::permanent("the Redis server gave a reply that does not fit the request")
}

fn read(batch: &Batch<'_>, reply: &Value) -> Option<Outcome> {
    let [verdict, now, standings] = items(reply)? else { return None };
    let now = time(now)?;
    let stood: Vec<Stood> = items(standings)?.iter().map(stood).collect::<Option<_>>()?;
    if stood.len() != batch.slots.len() {
        return None;
    }
    let mut seen = Vec::with_capacity(stood.len());
    for (slot, stood) in batch.slots.iter().zip(&stood) {
        let decay = if is_sliding(slot.counter) {
            let length = live_millis(slot.counter.window());
            Decay::Stepwise(Live {
                charges: Some(&stood.charges),
                expired: 0,
                length,
                is_full: stood.is_full,
            })
        } else {
            Decay::AtOnce
        };
        let Stood { used, stamp, resets_at, .. } = *stood;
        let standing = Standing { used, stamp, resets_at, decay };
        seen.push(Seen { standing, added: slot.charge.map_or(0, Amount::as_micros) });
    }
    let verdict = match text(verdict)? {
        b"reserved" => Verdict::Reserved,
        b"spent" => Verdict::ApprovalSpent,
        b"refused" => {
            let refusals = judge(batch, &seen);
            // INVARIANT: the script refuses by the same bounds, so one of them is found.
            if refusals.is_empty() {
                return None;
            }
            Verdict::Refused(refusals)
        }
        _ => return None,
    };
    let taken = verdict == Verdict::Reserved;
    let usage = seen.iter().map(|seen| seen.standing.usage(if taken { seen.added } else { 0 })).collect();
    Some(Outcome { verdict, usage, now })
}

fn stood(value: &Value) -> Option<Stood> {
    let (head, charges) = items(value)?.split_at_checked(5)?;
    let [stamp, resets_at, hi, lo, full] = head else { return None };
    Some(Stood {
        stamp: time(stamp)?,
        resets_at: time(resets_at)?,
        used: micros(integer(hi)?, integer(lo)?)?,
        is_full: integer(full)? != 0,
        charges: charges.iter().map(charge).collect::<Option<_>>()?,
    })
}

/// A charge as it is stored: `at hi lo`.
fn charge(value: &Value) -> Option<Charge> {
    let mut numbers = std::str::from_utf8(text(value)?).ok()?.split(' ').map(str::parse);
    let mut number = || numbers.next()?.ok();
    Some(Charge { at: number()?, micros: micros(number()?, number()?)? })
}

pub(crate) fn items(value: &Value) -> Option<&[Value]> {
    if let Value::Array(items) = value { Some(items) } else { None }
}

pub(crate) fn integer(value: &Value) -> Option<i64> {
    if let Value::Int(integer) = value { Some(*integer) } else { None }
}

pub(crate) fn text(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(text) => Some(text),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    integer(value).map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use callgate::{Algorithm, Bound, Counter, Owner, Refusal, ScopeValue, Slot, Window};

    use super::*;

    fn array(items: Vec<Value>) -> Value {
        Value::Array(items)
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn standing(numbers: [i64; 5]) -> Vec<Value> {
        numbers.map(Value::Int).into()
    }

    fn reply(verdict: &str, standings: Vec<Value>) -> Value {
        array(vec![bulk(verdict), Value::Int(70_000), array(standings)])
    }

    fn counter(algorithm: Algorithm) -> Counter {
        Counter::new(Owner::AllTools, "n", Window::Minute, algorithm, "global")
    }

    fn batch(counter: &Counter) -> Batch<'_> {
        let (charge, max) = (Amount::from_micros(2), Amount::from_micros(5).unwrap());
        let slot = Slot { counter, scope: ScopeValue::default(), charge, max, order: 3 };
        Batch { slots: [slot].into_iter().collect(), ..Batch::default() }
    }

    #[test]
    fn a_reserved_batch_holds_its_charge() {
        let counter = counter(Algorithm::Fixed);
        let reply = reply("reserved", vec![array(standing([60_000, 120_000, 1, 7, 0]))]);
        let outcome = outcome(&batch(&counter), &reply).unwrap();
        assert_eq!((outcome.verdict, outcome.now.as_millis()), (Verdict::Reserved, 70_000));
        assert_eq!(outcome.usage[0].used.as_micros(), 1_000_000_009);
    }

    #[test]
    fn a_refused_batch_is_judged_by_what_the_script_saw() {
        let counter = counter(Algorithm::Sliding);
        let mut stood = standing([70_000, 129_000, 0, 5, 0]);
        stood.extend([bulk("65000 0 1"), bulk("66000 0 1")]);
        let outcome = outcome(&batch(&counter), &reply("refused", vec![array(stood)])).unwrap();
        let retry_at = Some(Timestamp::from_millis(126_000));
        assert_eq!(
            outcome.verdict,
            Verdict::Refused(vec![Refusal { bound: Bound::Max(0), order: 3, retry_at }])
        );
        assert_eq!(outcome.usage[0].used.as_micros(), 5);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let fixed = counter(Algorithm::Fixed);
        let good = standing([60_000, 120_000, 0, 0, 0]);
        for wrong in [
            Value::Nil,
            Value::Okay,
            array(vec![]),
            reply("reserved", vec![]),
            reply("reserved", vec![array(good.clone()), array(good.clone())]),
            reply("taken", vec![array(good.clone())]),
            // A refusal without a bound that refuses.
            reply("refused", vec![array(good.clone())]),
            reply("reserved", vec![array(good[..4].to_vec())]),
            reply("reserved", vec![array(standing([60_000, 120_000, 0, -1, 0]))]),
            reply("reserved", vec![array([good, vec![bulk("1 2")]].concat())]),
        ] {
            assert!(outcome(&batch(&fixed), &wrong).is_err(), "{wrong:?}");
        }
    }
}
