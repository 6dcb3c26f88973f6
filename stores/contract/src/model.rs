//! What a store should say, the obvious way: a list of every charge that was ever made, searched from end to end.

use std::collections::HashMap;

use callgate::Amount;
use callgate::store::{
    Algorithm, Batch, BatchOutcome, Bound, Counter, CounterId, Guard, GuardMode, Refusal, ScopeValue,
    Settlement, Test, Usage, Verdict,
};
use callgate::time::Timestamp;

use crate::ledger::{at, micros};

/// The charges, what approvals let through, and the latest time at which a batch was decided.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) charges: Vec<Charged>,
    /// Start and end of the window of a zone that was begun last, of each counter (spec 8.17).
    begun: HashMap<(CounterId, ScopeValue), (Timestamp, Timestamp)>,
    used: HashMap<String, u32>,
    latest: Option<Timestamp>,
}

/// One charge; after something of it was taken back, the rest.
pub(crate) struct Charged {
    pub(crate) counter: Counter,
    pub(crate) scope: ScopeValue,
    pub(crate) stamp: Timestamp,
    pub(crate) amount: i64,
    /// The end of its window, in a zone: a store that has forgotten one may begin the next where that began.
    ends: Option<Timestamp>,
    /// Whether a settlement made it, which no bound refuses.
    is_settled: bool,
}

/// One counter at one time.
struct View<'c> {
    counter: &'c Counter,
    stamp: Timestamp,
    resets_at: Timestamp,
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
        if counter.algorithm() == Algorithm::Sliding {
            let ends = charges.map(|charge| (charge.stamp.plus_millis(length(counter)), charge.amount));
            let mut live: Vec<_> = ends.filter(|(end, _)| *end > now).collect();
            live.sort();
            let resets_at = live.last().map_or(now, |(end, _)| *end);
            return View { counter, stamp: counter.charged_at(now), resets_at, live };
        }
        let (stamp, resets_at) = self.window(counter, scope, now);
        let here = charges
            .filter(|charge| charge.stamp == stamp && charge.ends.is_none_or(|ends| ends == resets_at));
        View { counter, stamp, resets_at, live: here.map(|charge| (resets_at, charge.amount)).collect() }
    }

    /// The fixed window that counts at `now`.
    fn window(&self, counter: &Counter, scope: &ScopeValue, now: Timestamp) -> (Timestamp, Timestamp) {
        let (start, end) = counter.window_at(now);
        match self.begun.get(&(counter.id(), scope.clone())) {
            Some((start, end)) if now < *end => (*start, *end),
            Some((_, ended)) => (start.max(*ended), end),
            None => (start, end),
        }
    }

    /// The start of the window at `now` as the caller computes it, where a store may begin it there: that of a zone, if the one before
    /// has ended. Such a store has forgotten when.
    pub(crate) fn own_start(
        &self,
        counter: &Counter,
        scope: &ScopeValue,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let now = self.time(now);
        let begun = self.begun.get(&(counter.id(), scope.clone()))?;
        (now >= begun.1).then(|| counter.window_at(now).0)
    }

    fn charge(&mut self, mut charged: Charged, now: Timestamp) {
        if charged.counter.zone().is_some() {
            let (_, end) = self.window(&charged.counter, &charged.scope, self.time(now));
            self.begun.insert((charged.counter.id(), charged.scope.clone()), (charged.stamp, end));
            charged.ends = Some(end);
        }
        self.charges.push(charged);
    }

    /// What becomes of a batch that no bound refuses.
    fn approval(&self, batch: &Batch<'_>, views: &[View<'_>], now: Timestamp) -> Verdict {
        let asking = asking(batch, views);
        if asking.is_empty() && !batch.asks {
            return Verdict::Reserved;
        }
        let holds =
            |ends: (Timestamp, Timestamp)| ends.0.as_millis() <= now.as_millis() + 60_000 && now < ends.1;
        match &batch.approval {
            Some(grant) if grant.holds.is_none_or(holds) => {
                let used = self.used.get(&*grant.id).copied().unwrap_or(0);
                if used < grant.uses { Verdict::Reserved } else { Verdict::ApprovalSpent }
            }
            _ => Verdict::Asks(asking.into()),
        }
    }

    /// What a store should say of the batch.
    pub(crate) fn outcome(&self, batch: &Batch<'_>, now: Timestamp) -> BatchOutcome {
        let views: Vec<_> =
            batch.slots.iter().map(|slot| self.view(slot.counter, &slot.scope, now)).collect();
        let refusals = refusals(batch, &views);
        let verdict = if refusals.is_empty() {
            self.approval(batch, &views, self.time(now))
        } else {
            Verdict::Refused(refusals.into())
        };
        let usage = batch.slots.iter().zip(&views).map(|(slot, view)| {
            let added = slot.charge.filter(|_| verdict == Verdict::Reserved).map_or(0, Amount::as_micros);
            let resets_at = if added > 0 && view.counter.algorithm() == Algorithm::Sliding {
                view.stamp.plus_millis(length(view.counter))
            } else {
                view.resets_at
            };
            Usage { used: micros(view.held_at(Timestamp::MIN) + added), resets_at, stamp: view.stamp }
        });
        BatchOutcome { usage: usage.collect(), verdict, now }
    }

    /// Notes the charges of a batch that a store has taken, as it told them.
    pub(crate) fn take(&mut self, batch: &Batch<'_>, outcome: &BatchOutcome, now: Timestamp) {
        let views: Vec<_> =
            batch.slots.iter().map(|slot| self.view(slot.counter, &slot.scope, now)).collect();
        let asked = batch.asks || !asking(batch, &views).is_empty();
        if let Some(grant) = batch.approval.as_ref().filter(|_| asked) {
            *self.used.entry(grant.id.to_string()).or_default() += 1;
        }
        for (slot, usage) in batch.slots.iter().zip(&outcome.usage) {
            let amount = slot.charge.map_or(0, Amount::as_micros);
            if amount > 0 {
                let (counter, scope) = (slot.counter.clone(), slot.scope.clone());
                self.charge(
                    Charged { counter, scope, stamp: usage.stamp, amount, ends: None, is_settled: false },
                    now,
                );
            }
        }
    }

    /// The settlement that makes a charge another amount; none where there was no charge yet, or where it depends on what the store
    /// has forgotten.
    pub(crate) fn settlement(&self, charge: usize, actual: i64, now: Timestamp) -> Option<Settlement<'_>> {
        let Charged { counter, scope, stamp, amount, ends, .. } =
            self.charges.get(charge % self.charges.len().max(1))?;
        if actual < *amount && ends.is_some_and(|ends| ends <= self.time(now)) {
            return None;
        }
        let (charged, actual) = (micros(*amount), micros(actual));
        Some(Settlement { counter, scope, stamp: *stamp, charged, actual })
    }

    /// Makes a charge another amount. Less: if its window is the one that would be charged now, or it is live. More: by a charge
    /// made now. `begun` is the start of the window of a zone that a store may have begun for it.
    pub(crate) fn settle(&mut self, charge: usize, actual: i64, now: Timestamp, begun: Option<Timestamp>) {
        let index = charge % self.charges.len().max(1);
        let Some(amount) = self.charges.get(index).map(|charge| charge.amount) else { return };
        if actual > amount {
            self.move_on(now);
        }
        let Charged { counter, scope, stamp, ends, .. } = &self.charges[index];
        let view = self.view(counter, scope, now);
        if actual > amount {
            let own_start = self.own_start(counter, scope, now).filter(|own| Some(*own) == begun);
            let (counter, scope, stamp) = (counter.clone(), scope.clone(), own_start.unwrap_or(view.stamp));
            let more =
                Charged { counter, scope, stamp, amount: actual - amount, ends: None, is_settled: true };
            self.charge(more, now);
            return;
        }
        let lives = match counter.algorithm() {
            Algorithm::Sliding => stamp.plus_millis(length(counter)) > self.time(now),
            _ => *stamp == view.stamp && ends.is_none_or(|ends| ends == view.resets_at),
        };
        if lives {
            self.charges[index].amount = actual;
        }
    }

    /// The most that was ever admitted to one fixed window, or to one half-open interval of a sliding window's length. Such an
    /// interval can hold most only if it ends at a charge.
    pub(crate) fn most(&self) -> i64 {
        let around = |last: &Charged| {
            let inside = |charge: &&Charged| match last.counter.algorithm() {
                Algorithm::Sliding => {
                    charge.stamp <= last.stamp && charge.stamp.plus_millis(length(&last.counter)) > last.stamp
                }
                _ => (charge.stamp, charge.ends) == (last.stamp, last.ends),
            };
            let same = |charge: &&Charged| charge.counter == last.counter && charge.scope == last.scope;
            let admitted = self.charges.iter().filter(|charge| !charge.is_settled);
            admitted.filter(same).filter(inside).map(|charge| charge.amount).sum()
        };
        self.charges.iter().map(around).max().unwrap_or(0)
    }
}

impl View<'_> {
    fn held_at(&self, time: Timestamp) -> i64 {
        self.live.iter().filter(|(end, _)| *end > time).map(|(_, amount)| amount).sum()
    }

    /// The first moment from which on `holds` is true of what is held: now and at every expiry after it. The end of time is none.
    fn for_good(&self, holds: impl Fn(i64) -> bool) -> Option<Timestamp> {
        let ends = self.live.iter().map(|(end, _)| *end).chain([Timestamp::MIN, self.resets_at]);
        let mut moments: Vec<_> = ends.filter(|end| *end < Timestamp::MAX).collect();
        moments.sort();
        let holds_from = |from: &usize| moments[*from..].iter().all(|moment| holds(self.held_at(*moment)));
        (0..moments.len()).find(holds_from).map(|from| moments[from])
    }
}

/// Whether the test holds where its counter holds so much before the charge.
fn holds(batch: &Batch<'_>, test: &Test<'_>, used: i64) -> bool {
    test.holds(micros(used + batch.slots[test.slot].charge.map_or(0, Amount::as_micros)))
}

fn all_hold(batch: &Batch<'_>, guard: &Guard<'_>, views: &[View<'_>]) -> bool {
    guard.tests.iter().all(|test| holds(batch, test, views[test.slot].held_at(Timestamp::MIN)))
}

/// The conditions that ask.
fn asking(batch: &Batch<'_>, views: &[View<'_>]) -> Vec<usize> {
    let asks = |(index, guard): (usize, &Guard<'_>)| {
        (guard.mode == GuardMode::AskAll && all_hold(batch, guard, views)).then_some(index)
    };
    batch.guards.iter().enumerate().filter_map(asks).collect()
}

fn refusals(batch: &Batch<'_>, views: &[View<'_>]) -> Vec<Refusal> {
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
        let all_hold = all_hold(batch, guard, views);
        let when = |test: &Test<'_>, held| views[test.slot].for_good(|used| holds(batch, test, used) == held);
        let (refuses, retry_at) = match mode {
            GuardMode::RequireAll => {
                let moments: Option<Vec<_>> = tests.iter().map(|test| when(test, true)).collect();
                (!all_hold, moments.and_then(|moments| moments.into_iter().max()))
            }
            GuardMode::RefuseAll => (all_hold, tests.iter().filter_map(|test| when(test, false)).min()),
            GuardMode::AskAll => continue,
        };
        if refuses {
            refusals.push(Refusal { bound: Bound::Guard(index), order: *order, retry_at });
        }
    }
    refusals.sort_by_key(|refusal| refusal.order);
    refusals
}

/// The time that a step of `millis` from the beginning leads to.
pub(crate) fn moment(millis: i64) -> Timestamp {
    at(1_000_000 + millis)
}
