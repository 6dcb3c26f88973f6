//! Replies of the scripts as answers (pure).
//!
//! In: the reply, and the batch that was asked about. Out: the outcome; which bounds refused is judged here, from what the
//! script saw. Must not trust the reply's form: any other is an error.

use std::collections::VecDeque;

use callgate::store::judge::{
    Approved, Charge, CounterState, Decay, Live, Seen, judge, judge_approval, live_millis,
};
use callgate::store::{Answer, Batch, BatchOutcome, Slot, Usage, Verdict};
use callgate::time::Timestamp;
use callgate::{Amount, StoreError};
use redis::Value;
use smallvec::SmallVec;

use crate::kind::{Kind, kind};
use crate::numbers::Numbers;

/// The verdicts of `lua/decide.lua`, and of `lua/quick.lua`.
const RESERVED: i64 = 0;
const REFUSED: i64 = 1;
const SPENT: i64 = 2;
const ELSEWHEN: i64 = 3;
const ASKS: i64 = 4;
const REFUSED_SHORTLY: i64 = 5;

/// The state of one counter, and the steps by which a log that refused goes down.
struct Stood {
    stamp: Timestamp,
    resets_at: Timestamp,
    used: i64,
    is_full: bool,
    charges: VecDeque<Charge>,
}

/// The answer to a batch that was asked about as of `at`.
pub(crate) fn outcome(batch: &Batch<'_>, at: Timestamp, reply: &Value) -> Result<Answer, StoreError> {
    read(batch, at, reply).ok_or_else(mismatch)
}

/// The answer to settlements that were made as of `at`.
pub(crate) fn settled(at: Timestamp, reply: &Value) -> Result<Answer, StoreError> {
    let told = text(reply).ok_or_else(mismatch)?;
    if told == b"settled" {
        return Ok(Answer::Settled);
    }
    let mut numbers = Numbers(told);
    let is_elsewhen = numbers.next() == Some(ELSEWHEN);
    let now = numbers.next_time().filter(|_| is_elsewhen).ok_or_else(mismatch)?;
    elsewhen(at, now, &numbers).ok_or_else(mismatch)
}

/// What was asked as of `at` has to be asked as of `now`: the same question must not be asked again.
fn elsewhen(at: Timestamp, now: Timestamp, rest: &Numbers<'_>) -> Option<Answer> {
    (rest.is_empty() && now != at).then_some(Answer::OtherTime(now))
}

/// The error for a reply that no script of this version gives.
pub(crate) fn mismatch() -> StoreError {
    StoreError::permanent("the Redis server gave a reply that does not fit the request")
}

fn read(batch: &Batch<'_>, at: Timestamp, reply: &Value) -> Option<Answer> {
    let text = match reply {
        Value::Array(sums) => return usual(batch, at, sums),
        _ => text(reply)?,
    };
    let mut numbers = Numbers(text);
    let verdict = numbers.next()?;
    let now = if verdict == REFUSED_SHORTLY { clock(&mut numbers) } else { numbers.next_time() };
    let now = now?;
    if verdict == ELSEWHEN {
        return elsewhen(at, now, &numbers);
    }
    let stood = batch.slots.iter().map(|slot| match verdict {
        REFUSED_SHORTLY => held(slot, at, &mut numbers),
        _ => stood(&mut numbers),
    });
    let stood: Vec<Stood> = stood.collect::<Option<_>>()?;
    if !numbers.is_empty() {
        return None;
    }
    let mut seen = Vec::with_capacity(stood.len());
    for (slot, stood) in batch.slots.iter().zip(&stood) {
        let decay = if kind(slot.counter) == Kind::Sliding {
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
        let standing = CounterState { used, stamp, resets_at, decay };
        seen.push(Seen { standing, added: slot.charge.map_or(0, Amount::as_micros) });
    }
    let verdict = match verdict {
        RESERVED => Verdict::Reserved,
        SPENT => Verdict::ApprovalSpent,
        ASKS => Verdict::Asks(asking(batch, &seen, now)?),
        REFUSED | REFUSED_SHORTLY => {
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
    let usage = seen.iter().map(|seen| batch.usage(seen, taken)).collect();
    Some(Answer::Outcome(BatchOutcome { verdict, usage, now }))
}

/// Which guards ask, where the script said that the batch needs an approval and has none that lets it through.
fn asking(batch: &Batch<'_>, seen: &[Seen<'_>], now: Timestamp) -> Option<SmallVec<[usize; 1]>> {
    let unapproved = Batch { approval: None, ..batch.clone() };
    match judge_approval(&unapproved, seen, now, |_| 0) {
        Approved::Asks(guards) => Some(guards),
        // INVARIANT: the script asks by the same guards.
        _ => None,
    }
}

/// What `lua/quick.lua` says: that the batch was taken, and what its fixed windows hold.
fn usual(batch: &Batch<'_>, at: Timestamp, sums: &[Value]) -> Option<Answer> {
    if sums.len() != batch.slots.len() {
        return None;
    }
    let mut usage = SmallVec::new();
    for (slot, sum) in batch.slots.iter().zip(sums) {
        let charge = slot.charge.filter(|_| kind(slot.counter) == Kind::Fixed)?;
        let used = Amount::from_micros(integer(sum)?).filter(|used| *used >= charge)?;
        let (stamp, resets_at) = slot.counter.window_at(at);
        usage.push(Usage { used, resets_at, stamp });
    }
    Some(Answer::Outcome(BatchOutcome { verdict: Verdict::Reserved, usage, now: at }))
}

/// The server's time as it tells it, in seconds and microseconds.
fn clock(numbers: &mut Numbers<'_>) -> Option<Timestamp> {
    let (seconds, micros) = (numbers.next()?, numbers.next()?);
    seconds.checked_mul(1_000)?.checked_add(micros / 1_000).map(Timestamp::from_millis)
}

/// The state of a fixed window that was asked about as of `at`.
fn held(slot: &Slot<'_>, at: Timestamp, numbers: &mut Numbers<'_>) -> Option<Stood> {
    let used = numbers.next().filter(|used| *used >= 0 && kind(slot.counter) == Kind::Fixed)?;
    let (stamp, resets_at) = slot.counter.window_at(at);
    Some(Stood { stamp, resets_at, used, is_full: false, charges: VecDeque::new() })
}

fn stood(numbers: &mut Numbers<'_>) -> Option<Stood> {
    let (stamp, resets_at) = (numbers.next_time()?, numbers.next_time()?);
    let (used, is_full) = (numbers.next_micros()?, numbers.next()? != 0);
    let (mut charges, mut held) = (VecDeque::new(), used);
    for _ in 0..numbers.next()? {
        let (at, left) = (numbers.next()?, numbers.next_micros()?);
        // All that expires with one step counts as one charge.
        charges.push_back(Charge { at, micros: held.checked_sub(left).filter(|micros| *micros >= 0)? });
        held = left;
    }
    Some(Stood { stamp, resets_at, used, is_full, charges })
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
    use callgate::store::{
        Algorithm, Bound, Counter, Guard, GuardMode, Owner, Refusal, ScopeValue, Test, Window,
    };

    use super::*;
    use crate::numbers::Packed;

    fn reply(numbers: &[i64]) -> Value {
        Value::BulkString(Packed::of(numbers).as_bytes().to_vec())
    }

    fn counter(algorithm: Algorithm) -> Counter {
        Counter::new(Owner::AllTools, "n", Window::Minute, algorithm, "global")
    }

    fn batch(counter: &Counter) -> Batch<'_> {
        let (charge, max) = (Amount::from_micros(2), Amount::from_micros(5).unwrap());
        let slot = Slot { counter, scope: ScopeValue::default(), charge, max, order: 3 };
        Batch { slots: [slot].into_iter().collect(), ..Batch::default() }
    }

    fn told(batch: &Batch<'_>, reply: &Value) -> Result<Answer, StoreError> {
        outcome(batch, Timestamp::from_millis(70_000), reply)
    }

    fn found(batch: &Batch<'_>, reply: &Value) -> BatchOutcome {
        let Answer::Outcome(outcome) = told(batch, reply).unwrap() else { panic!("{reply:?}") };
        outcome
    }

    fn sums(held: &[i64]) -> Value {
        Value::Array(held.iter().copied().map(Value::Int).collect())
    }

    #[test]
    fn a_reserved_batch_holds_its_charge() {
        let counter = counter(Algorithm::Fixed);
        let reply = reply(&[RESERVED, 70_000, 60_000, 120_000, 1, 7, 0, 0]);
        let outcome = found(&batch(&counter), &reply);
        assert_eq!((outcome.verdict, outcome.now.as_millis()), (Verdict::Reserved, 70_000));
        assert_eq!(outcome.usage[0].used.as_micros(), 1_000_000_009);
    }

    #[test]
    fn the_usual_reply_is_a_sum() {
        let fixed = counter(Algorithm::Fixed);
        let found = found(&batch(&fixed), &sums(&[1_000_000_009]));
        assert_eq!((found.verdict, found.now.as_millis()), (Verdict::Reserved, 70_000));
        assert_eq!(found.usage[0].used.as_micros(), 1_000_000_009);
        assert_eq!(found.usage[0].stamp.as_millis(), 60_000);
        assert_eq!(found.usage[0].resets_at.as_millis(), 120_000);
        assert!(told(&batch(&fixed), &sums(&[2])).is_ok());
        // Less than was charged, or more sums than counters.
        assert!(told(&batch(&fixed), &sums(&[1])).is_err());
        assert!(told(&batch(&fixed), &sums(&[2, 2])).is_err());
        // No script says that of a log, or of a counter that is only read.
        assert!(told(&batch(&counter(Algorithm::Sliding)), &sums(&[2])).is_err());
        let mut read = batch(&fixed);
        read.slots[0].charge = None;
        assert!(told(&read, &sums(&[2])).is_err());
    }

    #[test]
    fn another_time_is_told_once() {
        let fixed = counter(Algorithm::Fixed);
        let later = reply(&[ELSEWHEN, 130_000]);
        assert_eq!(told(&batch(&fixed), &later), Ok(Answer::OtherTime(Timestamp::from_millis(130_000))));
        assert!(told(&batch(&fixed), &reply(&[ELSEWHEN, 70_000])).is_err());
        assert!(told(&batch(&fixed), &reply(&[ELSEWHEN, 130_000, 1])).is_err());
    }

    #[test]
    fn settlements_are_done_or_asked_again_at_another_time() {
        let at = Timestamp::from_millis(70_000);
        let done = Value::BulkString(b"settled".to_vec());
        assert_eq!(settled(at, &done), Ok(Answer::Settled));
        let later = Timestamp::from_millis(130_000);
        assert_eq!(settled(at, &reply(&[ELSEWHEN, 130_000])), Ok(Answer::OtherTime(later)));
        for wrong in [
            reply(&[ELSEWHEN, 70_000]),
            reply(&[ELSEWHEN, 130_000, 1]),
            reply(&[REFUSED, 130_000]),
            reply(&[]),
            Value::Nil,
        ] {
            assert!(settled(at, &wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_guards_that_ask_are_those_whose_tests_hold() {
        let counter = counter(Algorithm::Fixed);
        let (below, above) = ([(0, 4)], [(5, i64::MAX)]);
        let mut batch = batch(&counter);
        for ranges in [&below, &above, &above] {
            let tests = [Test { slot: 0, ranges }].into_iter().collect();
            batch.guards.push(Guard { mode: GuardMode::AskAll, tests, order: 0 });
        }
        let asks = |batch: &Batch<'_>| {
            let reply = reply(&[ASKS, 70_000, 60_000, 120_000, 0, 3, 0, 0]);
            let outcome = found(batch, &reply);
            // Nothing was charged.
            assert_eq!(outcome.usage[0].used.as_micros(), 3);
            outcome.verdict
        };
        assert_eq!(asks(&batch), Verdict::Asks([1, 2].into_iter().collect()));
        batch.approval = Some("of another time".into());
        assert_eq!(asks(&batch), Verdict::Asks([1, 2].into_iter().collect()));
    }

    #[test]
    fn a_short_refusal_says_what_is_held() {
        let fixed = counter(Algorithm::Fixed);
        let outcome = found(&batch(&fixed), &reply(&[REFUSED_SHORTLY, 70, 1_999, 4]));
        let retry_at = Some(Timestamp::from_millis(120_000));
        assert_eq!(
            outcome.verdict,
            Verdict::Refused(vec![Refusal { bound: Bound::Max(0), order: 3, retry_at }].into())
        );
        assert_eq!((outcome.now.as_millis(), outcome.usage[0].stamp.as_millis()), (70_001, 60_000));
        // No bound refuses that, nothing holds less than nothing, and a log is not charged shortly.
        assert!(told(&batch(&fixed), &reply(&[REFUSED_SHORTLY, 70, 0, 3])).is_err());
        assert!(told(&batch(&fixed), &reply(&[REFUSED_SHORTLY, 70, 0, -1])).is_err());
        assert!(told(&batch(&counter(Algorithm::Sliding)), &reply(&[REFUSED_SHORTLY, 70, 0, 4])).is_err());
    }

    #[test]
    fn a_refused_batch_is_judged_by_what_the_script_saw() {
        let counter = counter(Algorithm::Sliding);
        let numbers = [REFUSED, 70_000, 70_000, 129_000, 0, 5, 0, 2, 65_000, 0, 4, 66_000, 0, 3];
        let outcome = found(&batch(&counter), &reply(&numbers));
        let retry_at = Some(Timestamp::from_millis(126_000));
        assert_eq!(
            outcome.verdict,
            Verdict::Refused(vec![Refusal { bound: Bound::Max(0), order: 3, retry_at }].into())
        );
        assert_eq!(outcome.usage[0].used.as_micros(), 5);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let fixed = counter(Algorithm::Fixed);
        let good = [RESERVED, 70_000, 60_000, 120_000, 0, 0, 0, 0];
        assert!(told(&batch(&fixed), &reply(&good)).is_ok());
        for wrong in [
            Value::Nil,
            Value::Okay,
            reply(&[]),
            reply(&good[..7]),
            reply(&[&good[..], &good[2..]].concat()),
            reply(&[&[6], &good[1..]].concat()),
            // A need for an approval that nothing has.
            reply(&[&[ASKS], &good[1..]].concat()),
            // A refusal without a bound that refuses.
            reply(&[&[REFUSED], &good[1..]].concat()),
            reply(&[RESERVED, 70_000, 60_000, 120_000, 0, -1, 0, 0]),
            reply(&[RESERVED, 70_000, 60_000, 120_000, 0, 0, 0, i64::MAX]),
            // Nothing goes up by waiting.
            reply(&[RESERVED, 70_000, 60_000, 120_000, 0, 1, 0, 1, 65_000, 0, 2]),
            Value::BulkString(vec![0; 63]),
        ] {
            assert!(told(&batch(&fixed), &wrong).is_err(), "{wrong:?}");
        }
    }
}
