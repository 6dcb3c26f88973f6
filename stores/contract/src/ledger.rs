//! The words in which the clauses are written: counters, batches of them, and a store that was opened for one clause.

use std::sync::atomic::{AtomicUsize, Ordering};

use callgate::Amount;
use callgate::store::{
    Algorithm, Batch, BatchOutcome, Counter, Counters, Guard, GuardMode, LiveCounter, Owner, Refusal,
    ScopeValue, Settlement, Slot, Test, Usage, Verdict, Window,
};
use callgate::time::Timestamp;

use crate::Subject;

/// 2026-11-16T00:00:00Z, the beginning of a minute, an hour, a day and a week. Times in the clauses are milliseconds from
/// here, so that clocks can run behind it.
pub(crate) const BASE: i64 = 1_794_787_200_000;
pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(BASE + millis)
}

pub(crate) fn micros(micros: i64) -> Amount {
    Amount::from_micros(micros).unwrap()
}

pub(crate) fn scope(text: &str) -> ScopeValue {
    ScopeValue::from(text.as_bytes())
}

pub(crate) fn counter(name: &str, window: Window, algorithm: Algorithm) -> Counter {
    Counter::new(Owner::Tool("tool".into()), name, window, algorithm, "grant")
}

pub(crate) fn fixed(window: Window) -> Counter {
    counter("fixed", window, Algorithm::Fixed)
}

pub(crate) fn sliding(seconds: u32) -> Counter {
    counter("sliding", Window::Seconds(seconds), Algorithm::Sliding)
}

/// One of each algorithm, over an hour.
pub(crate) fn both() -> [Counter; 2] {
    [fixed(Window::Hour), sliding(3_600)]
}

/// A charge of `charge` for the scope value `a`, at most `max`.
pub(crate) fn charge(counter: &Counter, charge: i64, max: i64) -> Slot<'_> {
    Slot { counter, scope: scope("a"), charge: Some(micros(charge)), max: micros(max), order: 0 }
}

/// A look at the counter for the scope value `a`.
pub(crate) fn read(counter: &Counter) -> Slot<'_> {
    Slot { charge: None, ..charge(counter, 0, 0) }
}

pub(crate) fn batch<'p>(slots: impl IntoIterator<Item = Slot<'p>>) -> Batch<'p> {
    Batch { slots: slots.into_iter().collect(), ..Batch::default() }
}

/// The batch with a condition: `tests` are (slot, ranges).
pub(crate) fn guarded<'p>(
    slots: impl IntoIterator<Item = Slot<'p>>,
    mode: GuardMode,
    tests: &[(usize, &'p [(i64, i64)])],
) -> Batch<'p> {
    let tests = tests.iter().map(|(slot, ranges)| Test { slot: *slot, ranges }).collect();
    let mut batch = batch(slots);
    batch.guards.push(Guard { mode, tests, order: 9 });
    batch
}

/// A settlement that changes nothing, to be given another amount.
pub(crate) fn settlement<'r>(
    counter: &'r Counter,
    scope: &'r ScopeValue,
    stamp: Timestamp,
    charged: i64,
) -> Settlement<'r> {
    Settlement { counter, scope, stamp, charged: micros(charged), actual: micros(charged) }
}

/// A time that is written as `2025-03-09T05:00:00Z`, in milliseconds from [`BASE`].
pub(crate) fn on(time: &str) -> i64 {
    let number = |range: std::ops::Range<usize>| time.get(range).unwrap().parse::<i64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Days up to March of the year, as if each began there.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    days * DAY + number(11..13) * HOUR + number(14..16) * MINUTE + number(17..19) * SECOND - BASE
}

/// The answer where these conditions ask.
pub(crate) fn asks<const N: usize>(guards: [usize; N]) -> Verdict {
    Verdict::Asks(guards.to_vec().into())
}

/// Whether the batch was taken.
pub(crate) fn taken(outcome: &BatchOutcome) -> bool {
    outcome.verdict == Verdict::Reserved
}

/// The bounds that refused.
pub(crate) fn refusals(outcome: &BatchOutcome) -> &[Refusal] {
    match &outcome.verdict {
        Verdict::Refused(refusals) => refusals,
        other => panic!("not refused, but {other:?}"),
    }
}

/// When the only bound that refused holds for good, in milliseconds from [`BASE`].
pub(crate) fn retry_at(outcome: &BatchOutcome) -> Option<i64> {
    let [refusal] = refusals(outcome) else { panic!("not one bound refused, but {outcome:?}") };
    refusal.retry_at.map(|at| at.as_millis() - BASE)
}

/// A name that was never used for counters.
pub(crate) fn fresh_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("contract-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A store that was opened for one clause. Times are milliseconds from [`BASE`].
pub(crate) struct Ledger(Box<dyn Counters>);

impl Ledger {
    /// New and empty.
    pub(crate) fn open(subject: &dyn Subject) -> Self {
        Self(subject.open(&fresh_name()))
    }

    /// These counters.
    pub(crate) fn of(counters: Box<dyn Counters>) -> Self {
        Self(counters)
    }

    pub(crate) fn store(&self) -> &dyn Counters {
        &*self.0
    }

    pub(crate) fn reserve(&self, batch: &Batch<'_>, now: i64) -> BatchOutcome {
        self.0.reserve(batch, at(now)).unwrap()
    }

    pub(crate) fn peek(&self, batch: &Batch<'_>, now: i64) -> BatchOutcome {
        self.0.peek(batch, at(now)).unwrap()
    }

    /// Charges the scope value `a` of one counter, without a condition.
    pub(crate) fn charge(&self, counter: &Counter, amount: i64, max: i64, now: i64) -> BatchOutcome {
        self.reserve(&batch([charge(counter, amount, max)]), now)
    }

    /// The same, where it must pass; what the counter then holds.
    pub(crate) fn charged(&self, counter: &Counter, amount: i64, now: i64) -> Usage {
        let outcome = self.charge(counter, amount, i64::MAX, now);
        assert!(taken(&outcome), "a charge within its maximum was refused: {outcome:?}");
        outcome.usage[0]
    }

    /// How the counter stands for the scope value `a`.
    pub(crate) fn usage(&self, counter: &Counter, now: i64) -> Usage {
        let outcome = self.peek(&batch([read(counter)]), now);
        assert!(taken(&outcome), "a look was refused: {outcome:?}");
        outcome.usage[0]
    }

    /// What the counter holds for the scope value `a`.
    pub(crate) fn used(&self, counter: &Counter, now: i64) -> i64 {
        self.usage(counter, now).used.as_micros()
    }

    /// Takes back for the scope value `a`.
    pub(crate) fn refund(&self, counter: &Counter, stamp: Timestamp, amount: i64, now: i64) {
        let who = scope("a");
        self.0.settle(&[Settlement::refund(counter, &who, stamp, micros(amount))], at(now)).unwrap();
    }

    pub(crate) fn settle(&self, settlements: &[Settlement<'_>], now: i64) {
        self.0.settle(settlements, at(now)).unwrap();
    }

    pub(crate) fn purge(&self, now: i64) -> usize {
        self.0.purge(at(now)).unwrap()
    }

    /// Every counter that holds something, by scope value and name.
    pub(crate) fn held(&self, now: i64) -> Vec<LiveCounter> {
        let mut all = Vec::new();
        self.0.each(at(now), &mut |held| all.push(held)).unwrap();
        all.sort_by(|one, other| (&one.scope, one.counter.name()).cmp(&(&other.scope, other.counter.name())));
        all
    }

    /// Resets the scope value `a`.
    pub(crate) fn reset(&self, counter: &Counter, now: i64) -> bool {
        self.0.reset(counter.id(), &scope("a"), at(now)).unwrap()
    }
}
