//! For implementations of [`Store`](crate::store::Store): whether the bounds of a batch hold, and when those that refuse will.
//!
//! In: a batch, and the state of each of its counters. Out: the bounds that refuse (spec 8.8, 8.9). Pure: the caller holds its
//! locks or transaction meanwhile, and nothing is changed.
//!
//! ```
//! use callgate::store::judge::{Decay, Seen, CounterState, judge};
//! use callgate::Amount;
//! use callgate::store::{Algorithm, Batch, Bound, Counter, Owner, ScopeValue, Slot, Window};
//! use callgate::time::Timestamp;
//!
//! let counter = Counter::new(Owner::AllTools, "calls", Window::Minute, Algorithm::Fixed, "global");
//! let [one, five] = [1, 5].map(|whole| Amount::from_whole(whole).unwrap());
//! let slot = Slot { counter: &counter, scope: ScopeValue::default(), charge: Some(one), max: five, order: 0 };
//! let batch = Batch { slots: [slot].into_iter().collect(), ..Batch::default() };
//!
//! // What a store read: five calls in the minute that ends at 60 s.
//! let ends = Timestamp::from_millis(60_000);
//! let standing = CounterState { used: five.as_micros(), stamp: Timestamp::MIN, resets_at: ends, decay: Decay::AtOnce };
//! let refusals = judge(&batch, &[Seen { standing, added: one.as_micros() }]);
//! assert_eq!(refusals[0].bound, Bound::Max(0));
//! assert_eq!(refusals[0].retry_at, Some(ends));
//! ```

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::amount::Amount;
use crate::ceilings::{SLIDING_EXACT_SECONDS, SLIDING_QUARTER_SECONDS};
use crate::store::{Batch, Bound, Guard, GuardMode, Refusal, Slot, Test, Usage};
use crate::time::Timestamp;
use crate::window::Window;

/// How one counter stands at a moment: what [`Usage`] says, and how it will go down.
#[derive(Debug, Clone, Copy)]
pub struct CounterState<'s> {
    /// What it holds, in units of 10^-6.
    pub used: i64,
    /// The window that a charge would get, or the time that it would count from: [`Usage::stamp`].
    pub stamp: Timestamp,
    /// When it will hold nothing.
    pub resets_at: Timestamp,
    /// How it will go down until then.
    pub decay: Decay<'s>,
}

/// How a counter goes down if nothing else happens. One that never resets ([`Timestamp::MAX`]) does not.
#[derive(Debug, Clone, Copy)]
pub enum Decay<'s> {
    /// To nothing, when its window ends.
    AtOnce,
    /// Charge by charge.
    Stepwise(Live<'s>),
}

/// The live charges of a sliding window.
#[derive(Debug, Clone, Copy)]
pub struct Live<'s> {
    /// Oldest first, at most one for each time. Only these can be waited for. Whether a bound refuses does not depend on them.
    pub charges: Option<&'s VecDeque<Charge>>,
    /// How many at the front have expired.
    pub expired: usize,
    /// For how long a charge is live, in milliseconds.
    pub length: i64,
    /// Whether the log has no place for the entry that a charge would need: it holds
    /// [`SLIDING_CHARGES`](crate::ceilings::SLIDING_CHARGES) live ones, none of them made at [`CounterState::stamp`].
    pub is_full: bool,
}

/// Everything that was charged to a sliding window at one time.
#[derive(Debug, Clone, Copy)]
pub struct Charge {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// Units of 10^-6.
    pub micros: i64,
}

/// A slot's counter, and what the batch adds to it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'s> {
    /// The counter.
    pub standing: CounterState<'s>,
    /// In units of 10^-6; 0 where the batch only reads it.
    pub added: i64,
}

impl<'s> Live<'s> {
    /// The moments at which charges expire, each with what is left then of `used`.
    fn steps(self, used: i64) -> impl Iterator<Item = (Timestamp, i64)> {
        static NONE: VecDeque<Charge> = VecDeque::new();
        let charges = self.charges.unwrap_or(&NONE);
        charges.range(self.expired.min(charges.len())..).scan(used, move |left, charge| {
            *left = left.saturating_sub(charge.micros);
            Some((Timestamp::from_millis(charge.at.saturating_add(self.length)), *left))
        })
    }
}

impl CounterState<'_> {
    /// What the outcome says of the counter once `added`, in units of 10^-6, is charged.
    #[inline]
    pub fn usage(&self, added: i64) -> Usage {
        let used = Amount::from_micros(self.used.saturating_add(added)).unwrap_or(Amount::MAX);
        let resets_at = match self.decay {
            Decay::Stepwise(live) if added > 0 => self.stamp.plus_millis(live.length),
            _ => self.resets_at,
        };
        Usage { used, resets_at, stamp: self.stamp }
    }

    /// The earliest moment from which on `fits` is true of what is left. It must be true of everything below what it is
    /// true of.
    fn when_down(&self, fits: impl Fn(i64) -> bool) -> Option<Timestamp> {
        match self.decay {
            Decay::AtOnce => (fits(0) && self.resets_at < Timestamp::MAX).then_some(self.resets_at),
            Decay::Stepwise(live) => live.steps(self.used).find(|(_, left)| fits(*left)).map(|(at, _)| at),
        }
    }

    /// The earliest moment from which on `holds` is true of what is left, for good: the beginning of time if it always is.
    fn when_for_good(&self, holds: impl Fn(i64) -> bool) -> Option<Timestamp> {
        let now = (Timestamp::MIN, self.used);
        let since = |since: Option<Timestamp>, (at, left)| holds(left).then(|| since.unwrap_or(at));
        let held = since(None, now);
        match self.decay {
            Decay::AtOnce if self.resets_at == Timestamp::MAX => held,
            Decay::AtOnce => since(held, (self.resets_at, 0)),
            Decay::Stepwise(live) => live.steps(self.used).fold(held, since),
        }
    }
}

/// For how long a charge to a sliding window is live, in milliseconds. A validated policy has no sliding month; one that is
/// built by hand counts over the longest.
pub fn live_millis(window: Window) -> i64 {
    window.seconds().unwrap_or(31 * 86_400).max(1).saturating_mul(1_000)
}

/// The time from which a charge counts that is made at `now` in a sliding window of this length: in one longer than a day, the end of
/// the quarter of an hour of UTC, so that it keeps few charges (spec 8.3).
pub fn charged_at(length: i64, now: Timestamp) -> Timestamp {
    const QUARTER: i64 = SLIDING_QUARTER_SECONDS.saturating_mul(1_000);
    if length <= SLIDING_EXACT_SECONDS.saturating_mul(1_000) {
        return now;
    }
    now.plus_millis(QUARTER.saturating_sub(now.as_millis().rem_euclid(QUARTER)))
}

/// What becomes of a batch that no bound refuses, decided at `now`: whether it is taken, needs an approval, or has one that was used up.
/// `used` says how many batches the approval of that id has let through.
pub fn judge_approval(
    batch: &Batch<'_>,
    seen: &[Seen<'_>],
    now: Timestamp,
    used: impl FnOnce(&str) -> u32,
) -> Approved {
    let acts = |(index, guard): (usize, &Guard<'_>)| {
        (guard.mode == GuardMode::AskAll && all_hold(guard, seen)).then_some(index)
    };
    let asking: SmallVec<[usize; 1]> = batch.guards.iter().enumerate().filter_map(acts).collect();
    if asking.is_empty() && !batch.asks {
        return Approved::Unasked;
    }
    match batch.approval.as_ref().filter(|grant| grant.holds_at(now)) {
        None => Approved::Asks(asking),
        Some(grant) if used(&grant.id) >= grant.uses => Approved::Spent,
        Some(_) => Approved::Spends,
    }
}

/// What [`judge_approval`] finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approved {
    /// The batch is taken, and spends no approval.
    Unasked,
    /// The batch is taken, and uses its approval once more.
    Spends,
    /// [`Verdict::Asks`](super::Verdict::Asks).
    Asks(SmallVec<[usize; 1]>),
    /// [`Verdict::ApprovalSpent`](super::Verdict::ApprovalSpent).
    Spent,
}

/// The bounds of the batch that refuse it, in ascending order of `order`. `seen` has one for each slot.
pub fn judge(batch: &Batch<'_>, seen: &[Seen<'_>]) -> SmallVec<[Refusal; 1]> {
    let mut refusals = SmallVec::<[Refusal; 1]>::new();
    for (index, (slot, seen)) in batch.slots.iter().zip(seen).enumerate() {
        refusals.extend(slot_refusal(index, slot, seen));
    }
    for (index, guard) in batch.guards.iter().enumerate() {
        if let Some(retry_at) = guard_refusal(guard, seen) {
            refusals.push(Refusal { bound: Bound::Guard(index), order: guard.order, retry_at });
        }
    }
    // Stable: of equal orders, which evaluation does not make, slots stay first.
    refusals.sort_by_key(|refusal| refusal.order);
    refusals
}

/// Whether the slot's own bounds refuse. A maximum hides a full counter: it is the tighter of the two, and where it
/// refuses it never holds again before the other does.
pub fn slot_refusal(index: usize, slot: &Slot<'_>, seen: &Seen<'_>) -> Option<Refusal> {
    slot.charge?;
    let Seen { standing, added } = seen;
    let fits = |used: i64, max: Amount| used.checked_add(*added).is_some_and(|sum| sum <= max.as_micros());
    let (bound, retry_at) = if slot.max < Amount::MAX && !fits(standing.used, slot.max) {
        (Bound::Max(index), standing.when_down(|used| fits(used, slot.max)))
    } else if !fits(standing.used, Amount::MAX) {
        (Bound::Full(index), standing.when_down(|used| fits(used, Amount::MAX)))
    } else if let Decay::Stepwise(live) = standing.decay
        && *added > 0
        && live.is_full
    {
        (Bound::Full(index), live.steps(standing.used).next().map(|(at, _)| at))
    } else {
        return None;
    };
    Some(Refusal { bound, order: slot.order, retry_at })
}

/// `Some` if the guard refuses, with the moment from which on it would hold for good. A test that names no slot is
/// decided against the call.
fn guard_refusal(guard: &Guard<'_>, seen: &[Seen<'_>]) -> Option<Option<Timestamp>> {
    let of = |test: &Test<'_>| seen.get(test.slot);
    match guard.mode {
        GuardMode::RequireAll => {
            let stands = |test: &Test<'_>| of(test).is_some_and(|seen| holds(test, seen, seen.standing.used));
            // Until when is asked of what refuses alone: it may take a walk through all live charges.
            if guard.tests.iter().all(stands) {
                return None;
            }
            let mut retry_at = Some(Timestamp::MIN);
            for test in &guard.tests {
                let seen = of(test);
                let at = seen.and_then(|seen| seen.standing.when_for_good(|used| holds(test, seen, used)));
                retry_at = retry_at.zip(at).map(|(one, other)| one.max(other));
            }
            Some(retry_at)
        }
        GuardMode::RefuseAll => all_hold(guard, seen).then(|| {
            let ends =
                |test| of(test).and_then(|seen| seen.standing.when_for_good(|used| !holds(test, seen, used)));
            guard.tests.iter().filter_map(ends).min()
        }),
        GuardMode::AskAll => None,
    }
}

/// Whether the test holds where its counter holds so much before the charge.
fn holds(test: &Test<'_>, seen: &Seen<'_>, used: i64) -> bool {
    Amount::from_micros(used.saturating_add(seen.added)).is_some_and(|used| test.holds(used))
}

/// Whether every test of a guard holds. One that names no slot is decided against the call.
fn all_hold(guard: &Guard<'_>, seen: &[Seen<'_>]) -> bool {
    guard
        .tests
        .iter()
        .all(|test| seen.get(test.slot).is_none_or(|seen| holds(test, seen, seen.standing.used)))
}
