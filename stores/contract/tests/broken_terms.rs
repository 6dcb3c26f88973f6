//! The contract can fail where windows, approvals and settlements are concerned: each store here breaks one promise, and is caught.
//!
//! In: the clauses. Out: a panic where one does not notice the fault that it is there for. Must not break anything but what a fault
//! names: without a fault, the same store keeps every clause that is named here.

#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test tells by panicking")]

mod planted;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callgate::store::{
    Algorithm, Batch, BatchOutcome, Counter, CounterId, GuardMode, Inspect, LiveCounter, Owner, ScopeValue,
    Settlement, Slot, Store, Verdict, Window,
};
use callgate::time::Timestamp;
use callgate::{Amount, MemoryStore, StoreError};
use callgate_store_contract::{Counters, clauses};

use planted::{Kind, borrowed, each_is_caught};

/// What is done wrongly; everything else is the in-memory store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    BeginsAtTheCallersStart,
    EndsAtTheCallersEnd,
    BeginsWhenAsked,
    IgnoresTheCalendar,
    EndsEver,
    ForgetsWhatLasts,
    KeepsExactTimes,
    ChargesAtTheQuartersStart,
    SpendsWhatWasNotAsked,
    UsesEachOnce,
    UsesWithoutAnEnd,
    IgnoresTheAge,
    ForgetsTheMinuteAhead,
    ForgetsTheSurcharge,
    SurchargesTheOldWindow,
    KeepsTheMaximumWhenSettling,
    SettlesLikeABatch,
    SettlesOneByOne,
    TakesNothingBack,
    AsksWithoutTheCharge,
    ChargesWhenItAsks,
    AsksBeforeItRefuses,
    NamesOneThatAsks,
    ForgetsToAsk,
    KeysBudgetsByTool,
    MixesBudgetsWithAllTools,
}

/// Each fault with a clause that has to catch it; others may, too.
const CAUGHT: [(Fault, &str); 33] = [
    (Fault::BeginsAtTheCallersStart, "a_window_of_a_zone_ends_when_it_was_to_end"),
    (Fault::BeginsAtTheCallersStart, "callers_who_differ_stay_within_the_maximum"),
    (Fault::BeginsAtTheCallersStart, "a_clock_behind_counts_in_the_window_of_its_zone"),
    (Fault::EndsAtTheCallersEnd, "a_window_of_a_zone_ends_when_it_was_to_end"),
    (Fault::BeginsWhenAsked, "what_is_refused_or_asked_begins_no_window"),
    (Fault::IgnoresTheCalendar, "a_window_of_a_zone_follows_its_clock"),
    (Fault::IgnoresTheCalendar, "weeks_may_begin_on_sunday"),
    (Fault::EndsEver, "what_never_resets_outlives_every_window"),
    (Fault::ForgetsWhatLasts, "what_never_resets_is_kept_by_a_purge"),
    (Fault::ForgetsWhatLasts, "a_purge_keeps_the_window_of_a_zone"),
    (Fault::ForgetsWhatLasts, "a_purge_keeps_the_charges_of_a_long_window"),
    (Fault::KeepsExactTimes, "charges_of_a_quarter_of_an_hour_are_one"),
    (Fault::KeepsExactTimes, "a_long_window_keeps_so_few_charges"),
    (Fault::ChargesAtTheQuartersStart, "a_long_window_never_admits_more_than_its_maximum"),
    (Fault::SpendsWhatWasNotAsked, "what_nobody_asks_about_spends_no_approval"),
    (Fault::UsesEachOnce, "an_approval_lets_through_as_many_as_it_says"),
    (Fault::UsesWithoutAnEnd, "uses_are_those_of_the_id"),
    (Fault::IgnoresTheAge, "an_approval_holds_for_its_time"),
    (Fault::ForgetsTheMinuteAhead, "an_approval_holds_for_its_time"),
    (Fault::ForgetsTheSurcharge, "more_is_charged_when_it_is_settled"),
    (Fault::SurchargesTheOldWindow, "more_of_an_ended_window_is_charged_in_the_running_one"),
    (Fault::KeepsTheMaximumWhenSettling, "no_bound_refuses_what_a_call_cost"),
    (Fault::SettlesLikeABatch, "sums_stop_at_the_largest_amount"),
    (Fault::SettlesLikeABatch, "more_joins_the_newest_charge_of_a_full_window"),
    (Fault::SettlesOneByOne, "threads_see_a_settlement_whole"),
    (Fault::TakesNothingBack, "calls_in_flight_are_given_back_or_end"),
    (Fault::AsksWithoutTheCharge, "a_condition_asks_with_the_charge_added"),
    (Fault::ChargesWhenItAsks, "a_condition_asks_with_the_charge_added"),
    (Fault::AsksBeforeItRefuses, "a_refusal_is_told_before_a_condition_asks"),
    (Fault::NamesOneThatAsks, "every_condition_that_asks_is_named"),
    (Fault::ForgetsToAsk, "it_agrees_with_the_model_while_time_advances"),
    (Fault::KeysBudgetsByTool, "tools_that_pay_into_a_budget_share_it"),
    (Fault::MixesBudgetsWithAllTools, "declarations_that_differ_are_different_counters"),
];

const DAY: i64 = 86_400_000;
const QUARTER: i64 = 900_000;
/// By how much the store without quarters slows time down, so that its windows are short ones.
const SLOWER: i64 = 100;

struct Broken {
    fault: Fault,
    /// One, but for the faults that begin anew too early.
    stores: Mutex<HashMap<i64, Arc<MemoryStore>>>,
    maxima: Mutex<HashMap<CounterId, Amount>>,
}

fn is_long(counter: &Counter) -> bool {
    counter.algorithm() == Algorithm::Sliding && counter.window().seconds().is_some_and(|long| long > 86_400)
}

fn with_window(counter: &Counter, seconds: i64) -> Counter {
    let window = Window::from_seconds(seconds).unwrap();
    Counter::new(counter.owner().clone(), counter.name(), window, counter.algorithm(), counter.scope())
}

impl Broken {
    fn new(fault: Fault) -> Self {
        Self { fault, stores: Mutex::default(), maxima: Mutex::default() }
    }

    fn store(&self, which: i64) -> Arc<MemoryStore> {
        self.stores.lock().unwrap().entry(which).or_default().clone()
    }

    /// The store that has what these counters hold.
    fn of<'c>(&self, mut counters: impl Iterator<Item = &'c Counter>, now: Timestamp) -> Arc<MemoryStore> {
        let found = counters.find(|counter| match self.fault {
            Fault::BeginsAtTheCallersStart => counter.zone().is_some(),
            Fault::EndsEver => counter.window() == Window::Ever,
            _ => false,
        });
        self.store(match (self.fault, found) {
            (Fault::BeginsAtTheCallersStart, Some(counter)) => counter.window_at(now).0.as_millis(),
            (Fault::EndsEver, Some(_)) => now.as_millis() / (366 * DAY),
            _ => 0,
        })
    }

    /// The time as this store understands it.
    fn time(&self, counter: Option<&Counter>, now: Timestamp) -> Timestamp {
        if self.fault == Fault::KeepsExactTimes && counter.is_some_and(is_long) {
            return Timestamp::from_millis(now.as_millis() / SLOWER);
        }
        now
    }

    /// The counter as this store understands it, beside a charge of `tool`.
    fn counter(&self, counter: &Counter, tool: Option<&Owner>) -> Counter {
        let named = |owner| {
            Counter::new(owner, counter.name(), counter.window(), counter.algorithm(), counter.scope())
        };
        let seconds = counter.window().seconds().unwrap_or(0);
        match self.fault {
            Fault::IgnoresTheCalendar => named(counter.owner().clone()),
            Fault::KeepsExactTimes if is_long(counter) => with_window(counter, seconds / SLOWER),
            Fault::ChargesAtTheQuartersStart if is_long(counter) => {
                with_window(counter, seconds - QUARTER / 1_000)
            }
            Fault::KeysBudgetsByTool if *counter.owner() == Owner::Budget => {
                named(tool.cloned().unwrap_or(Owner::Budget))
            }
            Fault::MixesBudgetsWithAllTools if *counter.owner() == Owner::Budget => named(Owner::AllTools),
            _ => counter.clone(),
        }
    }

    fn counters(&self, batch: &Batch<'_>) -> Vec<Counter> {
        let owners = batch.slots.iter().map(|slot| slot.counter.owner());
        let tool = owners.into_iter().find(|owner| matches!(owner, Owner::Tool(_)));
        batch.slots.iter().map(|slot| self.counter(slot.counter, tool)).collect()
    }

    /// The batch as this store understands it.
    fn misread<'b>(&self, batch: &'b Batch<'_>, counters: &'b [Counter]) -> Batch<'b> {
        let mut read = borrowed(batch);
        for (slot, counter) in read.slots.iter_mut().zip(counters) {
            slot.counter = counter;
        }
        if let Some(grant) = &mut read.approval {
            match self.fault {
                Fault::SpendsWhatWasNotAsked => read.asks = true,
                Fault::UsesEachOnce => grant.uses = 1,
                Fault::UsesWithoutAnEnd => grant.uses = u32::MAX,
                Fault::IgnoresTheAge => grant.holds = None,
                Fault::ForgetsTheMinuteAhead => {
                    grant.holds = grant.holds.map(|(given, ends)| (given.plus_millis(60_000), ends));
                }
                _ => {}
            }
        }
        if self.fault == Fault::ForgetsToAsk {
            read.guards.retain(|guard| guard.mode != GuardMode::AskAll);
        }
        read
    }

    /// The answer as this store gives it.
    fn mistold(&self, batch: &Batch<'_>, mut outcome: BatchOutcome, now: Timestamp) -> BatchOutcome {
        outcome.now = now;
        for (slot, usage) in batch.slots.iter().zip(&mut outcome.usage) {
            let slower = |at: Timestamp| Timestamp::from_millis(at.as_millis() * SLOWER);
            match self.fault {
                Fault::EndsAtTheCallersEnd if slot.counter.zone().is_some() => {
                    usage.resets_at = slot.counter.window_at(now).1;
                }
                Fault::KeepsExactTimes if is_long(slot.counter) => {
                    (usage.stamp, usage.resets_at) = (slower(usage.stamp), slower(usage.resets_at));
                }
                Fault::ChargesAtTheQuartersStart if is_long(slot.counter) => {
                    usage.stamp = usage.stamp.plus_millis(-QUARTER);
                }
                _ => {}
            }
        }
        if let (Fault::NamesOneThatAsks, Verdict::Asks(guards)) = (self.fault, &mut outcome.verdict) {
            guards.truncate(1);
        }
        outcome
    }

    /// Decides the batch, as it was misread.
    fn decide(
        &self,
        store: &MemoryStore,
        batch: &Batch<'_>,
        now: Timestamp,
    ) -> Result<BatchOutcome, StoreError> {
        let mut changed = batch.clone();
        match self.fault {
            Fault::AsksWithoutTheCharge => {
                changed.slots.iter_mut().for_each(|slot| slot.charge = None);
                let outcome = store.peek(&changed, now)?;
                if matches!(outcome.verdict, Verdict::Asks(_)) {
                    return Ok(outcome);
                }
                changed = batch.clone();
                changed.guards.retain(|guard| guard.mode != GuardMode::AskAll);
                store.reserve(&changed, now)
            }
            Fault::ChargesWhenItAsks => {
                let outcome = store.reserve(batch, now)?;
                if matches!(outcome.verdict, Verdict::Asks(_)) {
                    (changed.guards, changed.asks) = Default::default();
                    store.reserve(&changed, now)?;
                }
                Ok(outcome)
            }
            Fault::AsksBeforeItRefuses => {
                changed.slots.iter_mut().for_each(|slot| slot.max = Amount::MAX);
                changed.approval = None;
                let asks = |verdict: &Verdict| matches!(verdict, Verdict::Asks(_));
                let outcome = store.peek(&changed, now)?;
                if asks(&outcome.verdict) { Ok(outcome) } else { store.reserve(batch, now) }
            }
            _ => store.reserve(batch, now),
        }
    }

    /// What is settled beyond the charge, or less, of one counter.
    fn settle_one(&self, settlement: Settlement<'_>, now: Timestamp) -> Result<(), StoreError> {
        let Settlement { counter, scope, stamp, charged, actual } = settlement;
        let store = self.of([counter].into_iter(), now);
        let read = self.counter(counter, None);
        let more = actual.as_micros().saturating_sub(charged.as_micros());
        let add = |micros: i64, max: Amount| Slot {
            counter: &read,
            scope: scope.clone(),
            charge: Amount::from_micros(micros),
            max,
            order: 0,
        };
        let ends = match counter.window().seconds() {
            Some(length) if counter.algorithm() == Algorithm::Sliding => stamp.plus_millis(length * 1_000),
            _ => counter.window_at(stamp).1,
        };
        match self.fault {
            Fault::TakesNothingBack if more < 0 => return Ok(()),
            Fault::ForgetsTheSurcharge if more > 0 => return Ok(()),
            Fault::SurchargesTheOldWindow if more > 0 && ends <= now => return Ok(()),
            Fault::SettlesLikeABatch if more > 0 => {
                return store.charge_one(&add(more, Amount::MAX), now).map(drop);
            }
            Fault::KeepsTheMaximumWhenSettling if more > 0 => {
                let max = self.maxima.lock().unwrap().get(&counter.id()).copied();
                return store.charge_one(&add(more, max.unwrap_or(Amount::MAX)), now).map(drop);
            }
            _ => {}
        }
        let stamp = match self.fault {
            Fault::KeepsExactTimes if is_long(counter) => Timestamp::from_millis(stamp.as_millis() / SLOWER),
            Fault::ChargesAtTheQuartersStart if is_long(counter) => stamp.plus_millis(QUARTER),
            _ => stamp,
        };
        let settlement = Settlement { counter: &read, scope, stamp, charged, actual };
        store.settle(&[settlement], self.time(Some(counter), now))
    }
}

impl Store for Broken {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        for slot in &batch.slots {
            self.maxima.lock().unwrap().insert(slot.counter.id(), slot.max);
        }
        let counters = self.counters(batch);
        let store = self.of(batch.slots.iter().map(|slot| slot.counter), now);
        let time = self.time(batch.slots.first().map(|slot| slot.counter), now);
        let outcome = self.decide(&store, &self.misread(batch, &counters), time)?;
        Ok(self.mistold(batch, outcome, now))
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        let counters = self.counters(batch);
        let store = self.of(batch.slots.iter().map(|slot| slot.counter), now);
        let time = self.time(batch.slots.first().map(|slot| slot.counter), now);
        if self.fault == Fault::BeginsWhenAsked {
            for slot in batch.slots.iter().filter(|slot| slot.counter.zone().is_some()) {
                let one = Amount::from_micros(1).unwrap();
                let begun =
                    store.charge_one(&Slot { charge: Some(one), max: Amount::MAX, ..slot.clone() }, now)?;
                let stamp = begun.usage.first().unwrap().stamp;
                store.settle(&[Settlement::refund(slot.counter, &slot.scope, stamp, one)], now)?;
            }
        }
        let outcome = store.peek(&self.misread(batch, &counters), time)?;
        Ok(self.mistold(batch, outcome, now))
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        if self.fault == Fault::Nothing {
            return self.store(0).settle(settlements, now);
        }
        for settlement in settlements {
            self.settle_one(*settlement, now)?;
            if self.fault == Fault::SettlesOneByOne {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        Ok(())
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        match self.fault {
            Fault::ForgetsWhatLasts => {
                self.stores.lock().unwrap().clear();
                Ok(0)
            }
            _ => self.store(0).purge(now),
        }
    }
}

impl Inspect for Broken {
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError> {
        self.store(0).each(now, show)
    }

    fn reset(&self, counter: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError> {
        self.store(0).reset(counter, scope, now)
    }
}

fn open(fault: Fault) -> Box<dyn Counters> {
    Box::new(Broken::new(fault))
}

#[test]
fn every_fault_is_caught_by_the_clause_that_it_breaks() {
    each_is_caught(&CAUGHT, open);
}

#[test]
fn without_a_fault_nothing_is_caught() {
    for clause in clauses().filter(|clause| CAUGHT.iter().any(|(_, name)| *name == clause.name())) {
        clause.check(&Kind(Fault::Nothing, open));
    }
}
