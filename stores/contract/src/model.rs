//! What a store should say, the obvious way: a list of every charge that was ever made, searched from end to end.

use callgate::Amount;
use callgate::store::{
    Algorithm, Batch, BatchOutcome, Bound, Counter, Guard, GuardMode, Refund, Refusal, ScopeValue, Test,
    Usage, Verdict,
};
use callgate::time::Timestamp;

use crate::ledger::{at, micros};

/// The charges, and the latest time at which a batch was decided.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) charges: Vec<Charged>,
    latest: Option<Timestamp>,
}

/// One charge; after a refund, the rest.
pub(crate) struct Charged {
    pub(crate) counter: Counter,
    pub(crate) scope: ScopeValue,
    pub(crate) stamp: Timestamp,
    pub(crate) amount: i64,
}

/// One counter at one time.
struct View<'c> {
    counter: &'c Counter,
    stamp: Timestamp,
    /// (when it expires, amount), in the order of expiry.
    live: Vec<(Timestamp, i64)>,
}

fn length(counter: &Counter) -> i64 {
    counter.window().seconds().unwrap() * 1_000
}

impl Model {
    /// The time as which `now` is read.
    fn time(&self, now: Timestamp) -> Timestamp {
        self.latest.map_or(now, |latest| latest.max(now))
    }

    /// Notes that a batch was decided, or that the store forgot what had ended.
    pub(crate) fn move_on(&mut self, now: Timestamp) {
        self.latest = Some(self.time(now));
    }

    fn view<'c>(&self, counter: &'c Counter, scope: &ScopeValue, now: Timestamp) -> View<'c> {
        let now = self.time(now);
        let mine =
            |charge: &&Charged| charge.counter == *counter && charge.scope == *scope && charge.amount > 0;
        let charges = self.charges.iter().filter(mine);
        let window = counter.window();
        let (stamp, mut live): (_, Vec<_>) = match counter.algorithm() {
            Algorithm::Sliding => {
                let ends = charges.map(|charge| (charge.stamp.plus_millis(length(counter)), charge.amount));
                (now, ends.filter(|(end, _)| *end > now).collect())
            }
            _ => {
                let start = window.start(now);
                let here = charges.filter(|charge| charge.stamp == start);
                (start, here.map(|charge| (window.end(start), charge.amount)).collect())
            }
        };
        live.sort();
        View { counter, stamp, live }
    }

    /// What a store should say of the batch.
    pub(crate) fn outcome(&self, batch: &Batch<'_>, now: Timestamp) -> BatchOutcome {
        let views: Vec<_> =
            batch.slots.iter().map(|slot| self.view(slot.counter, &slot.scope, now)).collect();
        let verdict = verdict(batch, &views);
        let usage = batch.slots.iter().zip(&views).map(|(slot, view)| {
            let added = slot.charge.filter(|_| verdict == Verdict::Reserved).map_or(0, Amount::as_micros);
            let resets_at = if added > 0 && view.counter.algorithm() == Algorithm::Sliding {
                view.stamp.plus_millis(length(view.counter))
            } else {
                view.resets_at()
            };
            Usage { used: micros(view.held_at(Timestamp::MIN) + added), resets_at, stamp: view.stamp }
        });
        BatchOutcome { usage: usage.collect(), verdict, now }
    }

    /// Notes the charges of a batch that a store has taken, as it told them.
    pub(crate) fn take(&mut self, batch: &Batch<'_>, outcome: &BatchOutcome) {
        for (slot, usage) in batch.slots.iter().zip(&outcome.usage) {
            let amount = slot.charge.map_or(0, Amount::as_micros);
            if amount > 0 {
                let (counter, scope) = (slot.counter.clone(), slot.scope.clone());
                self.charges.push(Charged { counter, scope, stamp: usage.stamp, amount });
            }
        }
    }

    /// The refund of a part of a charge; none where there was no charge yet.
    pub(crate) fn refund_of(&self, charge: usize, part: i64) -> Option<Refund<'_>> {
        let charge = self.charges.get(charge % self.charges.len().max(1))?;
        let amount = micros(charge.amount.min(part));
        Some(Refund { counter: &charge.counter, scope: &charge.scope, stamp: charge.stamp, amount })
    }

    /// Takes a part of a charge back, if its window is the one that would be charged now, or it is live.
    pub(crate) fn refund(&mut self, charge: usize, part: i64, now: Timestamp) {
        let index = charge % self.charges.len().max(1);
        let Some(charge) = self.charges.get(index) else { return };
        let view = self.view(&charge.counter, &charge.scope, now);
        let lives = match charge.counter.algorithm() {
            Algorithm::Sliding => charge.stamp.plus_millis(length(&charge.counter)) > view.stamp,
            _ => charge.stamp == view.stamp,
        };
        if lives {
            self.charges[index].amount -= self.charges[index].amount.min(part);
        }
    }

    /// The most that was ever charged to one fixed window, or to one half-open interval of a sliding window's length. Such an
    /// interval can hold most only if it ends at a charge.
    pub(crate) fn most(&self) -> i64 {
        let around = |last: &Charged| {
            let inside = |charge: &&Charged| match last.counter.algorithm() {
                Algorithm::Sliding => {
                    charge.stamp <= last.stamp && charge.stamp.plus_millis(length(&last.counter)) > last.stamp
                }
                _ => charge.stamp == last.stamp,
            };
            let same = |charge: &&Charged| charge.counter == last.counter && charge.scope == last.scope;
            self.charges.iter().filter(same).filter(inside).map(|charge| charge.amount).sum()
        };
        self.charges.iter().map(around).max().unwrap_or(0)
    }
}

impl View<'_> {
    fn held_at(&self, time: Timestamp) -> i64 {
        self.live.iter().filter(|(end, _)| *end > time).map(|(_, amount)| amount).sum()
    }

    fn resets_at(&self) -> Timestamp {
        match self.counter.algorithm() {
            Algorithm::Sliding => self.live.last().map_or(self.stamp, |(end, _)| *end),
            _ => self.counter.window().end(self.stamp),
        }
    }

    /// The first moment from which on `holds` is true of what is held: now and at every expiry after it.
    fn for_good(&self, holds: impl Fn(i64) -> bool) -> Option<Timestamp> {
        let ends = self.live.iter().map(|(end, _)| *end).chain([Timestamp::MIN, self.resets_at()]);
        let mut moments: Vec<_> = ends.collect();
        moments.sort();
        let holds_from = |from: &usize| moments[*from..].iter().all(|moment| holds(self.held_at(*moment)));
        (0..moments.len()).find(holds_from).map(|from| moments[from])
    }
}

fn verdict(batch: &Batch<'_>, views: &[View<'_>]) -> Verdict {
    let charge = |slot: usize| batch.slots[slot].charge.map_or(0, Amount::as_micros);
    let mut refusals = Vec::new();
    for (index, (slot, view)) in batch.slots.iter().zip(views).enumerate() {
        let fits = |used: i64| used + charge(index) <= slot.max.as_micros();
        if slot.charge.is_some() && !fits(view.held_at(Timestamp::MIN)) {
            let retry_at = view.for_good(fits);
            refusals.push(Refusal { bound: Bound::Max(index), order: slot.order, retry_at });
        }
    }
    for (index, guard) in batch.guards.iter().enumerate() {
        let Guard { mode, tests, order } = guard;
        let holds = |test: &Test<'_>, used: i64| test.holds(micros(used + charge(test.slot)));
        let all_hold = tests.iter().all(|test| holds(test, views[test.slot].held_at(Timestamp::MIN)));
        let when = |test: &Test<'_>, held| views[test.slot].for_good(|used| holds(test, used) == held);
        let (refuses, retry_at) = match mode {
            GuardMode::RequireAll => {
                let moments: Option<Vec<_>> = tests.iter().map(|test| when(test, true)).collect();
                (!all_hold, moments.and_then(|moments| moments.into_iter().max()))
            }
            GuardMode::RefuseAll => (all_hold, tests.iter().filter_map(|test| when(test, false)).min()),
        };
        if refuses {
            refusals.push(Refusal { bound: Bound::Guard(index), order: *order, retry_at });
        }
    }
    refusals.sort_by_key(|refusal| refusal.order);
    if refusals.is_empty() { Verdict::Reserved } else { Verdict::Refused(refusals.into()) }
}

/// The time that a step of `millis` from the beginning leads to.
pub(crate) fn moment(millis: i64) -> Timestamp {
    at(1_000_000 + millis)
}
