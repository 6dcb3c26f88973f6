//! The contract can fail: each store here breaks one promise, in a way that stores have been broken, and is caught.

#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test tells by panicking")]

mod planted;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use callgate::store::{
    Algorithm, Batch, BatchOutcome, Counter, CounterId, Inspect, LiveCounter, Owner, Refusal, ScopeValue,
    Settlement, Slot, Store, Verdict,
};
use callgate::time::Timestamp;
use callgate::{Amount, MemoryStore, StoreError};
use callgate_store_contract::{
    Clause, Counters, Subject, TimeKept, broken, check_namespaces, check_processes, clauses,
};

use planted::{Kind, borrowed, each_is_caught};

/// What is done wrongly; everything else is the in-memory store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    ChecksThenActs,
    ChargesOneByOne,
    ChargesWhenRefused,
    ForgetsConditions,
    ReadsWithoutTheCharge,
    HasNoMaximum,
    CountsWholeUnits,
    RefusesZero,
    RefundsAnyWindow,
    RefundsNothing,
    ResetsUnderAClockBehind,
    TurnsOverLate,
    JoinsKeys,
    CutsScopes,
    CountsByTheFirstMaximum,
    SpendsWhenRefused,
    ForgetsApprovals,
    EvictsWhatIsLive,
    ChargesWhenAsked,
    NeverTellsWhen,
    TellsTheFirstMoment,
    MixesTheOrder,
    ListsNothing,
    ResetsEverything,
    RefundsBeforeAReset,
    TellsItsOwnTime,
    ChargesAlonePastTheMaximum,
    TakesWhatIsOnlyLookedAt,
}

/// Each fault with a clause that has to catch it; others may, too.
const CAUGHT: [(Fault, &str); 29] = [
    (Fault::ChecksThenActs, "threads_pass_exactly_the_limit_of_a_fixed_window"),
    (Fault::ChargesOneByOne, "a_batch_is_taken_whole_or_not_at_all"),
    (Fault::ChargesWhenRefused, "a_batch_is_taken_whole_or_not_at_all"),
    (Fault::ForgetsConditions, "both_modes_mean_what_they_say"),
    (Fault::ReadsWithoutTheCharge, "a_condition_reads_with_the_charge_added"),
    (Fault::HasNoMaximum, "it_agrees_with_the_model_while_time_advances"),
    (Fault::CountsWholeUnits, "fractions_add_up"),
    (Fault::RefusesZero, "a_charge_of_zero_passes_at_the_maximum"),
    (Fault::RefundsAnyWindow, "a_refund_touches_no_other_window"),
    (Fault::RefundsNothing, "a_refund_makes_room_again"),
    (Fault::ResetsUnderAClockBehind, "a_clock_behind_counts_in_the_newer_window"),
    (Fault::TurnsOverLate, "a_charge_expires_exactly_one_length_later"),
    (Fault::JoinsKeys, "declarations_that_differ_are_different_counters"),
    (Fault::CutsScopes, "scope_values_that_differ_are_different_counters"),
    (Fault::CountsByTheFirstMaximum, "a_maximum_that_changes_acts_in_the_running_window"),
    (Fault::SpendsWhenRefused, "a_refused_batch_spends_no_approval"),
    (Fault::ForgetsApprovals, "a_spent_approval_is_remembered_for_366_days"),
    (Fault::ForgetsApprovals, "uses_are_remembered_for_366_days"),
    (Fault::EvictsWhatIsLive, "a_purge_drops_nothing_that_is_live"),
    (Fault::ChargesWhenAsked, "asking_answers_like_taking_and_changes_nothing"),
    (Fault::NeverTellsWhen, "charges_expire_one_by_one"),
    (Fault::TellsTheFirstMoment, "a_condition_tells_when_it_holds_for_good"),
    (Fault::MixesTheOrder, "every_bound_that_refuses_is_named_in_order"),
    (Fault::ListsNothing, "what_holds_something_is_listed_with_its_declaration"),
    (Fault::ResetsEverything, "a_reset_touches_no_other_counter"),
    (Fault::RefundsBeforeAReset, "what_was_charged_before_a_reset_is_not_refunded_after_it"),
    (Fault::TellsItsOwnTime, "an_outcome_names_the_time_that_was_given"),
    (Fault::ChargesAlonePastTheMaximum, "a_charge_alone_is_a_batch_of_one"),
    (Fault::TakesWhatIsOnlyLookedAt, "a_batch_that_is_only_looked_at_takes_nothing"),
];

struct Broken {
    fault: Fault,
    store: RwLock<MemoryStore>,
    /// Stores of older times, for the fault that starts anew when a clock runs behind.
    older: Mutex<HashMap<i64, MemoryStore>>,
    latest: Mutex<Timestamp>,
    maxima: Mutex<HashMap<CounterId, Amount>>,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            store: RwLock::default(),
            older: Mutex::default(),
            latest: Mutex::new(Timestamp::MIN),
            maxima: Mutex::default(),
        }
    }

    fn store(&self) -> RwLockReadGuard<'_, MemoryStore> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The batch as this store understands it.
    fn misread<'b>(&self, batch: &'b Batch<'_>, counters: &'b [Counter]) -> Batch<'b> {
        let mut batch = borrowed(batch);
        match self.fault {
            Fault::ForgetsConditions => batch.guards.clear(),
            Fault::TakesWhatIsOnlyLookedAt => batch.asks &= batch.approval.is_some(),
            Fault::HasNoMaximum => batch.slots.iter_mut().for_each(|slot| slot.max = Amount::MAX),
            Fault::CountsWholeUnits => {
                for slot in &mut batch.slots {
                    let whole =
                        |amount: Amount| Amount::from_micros(amount.as_micros() / 1_000 * 1_000).unwrap();
                    slot.charge = slot.charge.map(whole);
                }
            }
            Fault::JoinsKeys => {
                for (slot, counter) in batch.slots.iter_mut().zip(counters) {
                    slot.counter = counter;
                }
            }
            Fault::CutsScopes => {
                for slot in &mut batch.slots {
                    let scope = slot.scope.as_bytes();
                    slot.scope = ScopeValue::from(scope.split(|byte| *byte == 0).next().unwrap_or_default());
                }
            }
            Fault::CountsByTheFirstMaximum => {
                let mut maxima = self.maxima.lock().unwrap();
                for slot in &mut batch.slots {
                    slot.max = *maxima.entry(slot.counter.id()).or_insert(slot.max);
                }
            }
            _ => {}
        }
        batch
    }

    /// The answer as this store gives it.
    fn mistold(&self, batch: &Batch<'_>, mut outcome: BatchOutcome, now: Timestamp) -> BatchOutcome {
        if let Verdict::Refused(refusals) = &mut outcome.verdict {
            match self.fault {
                Fault::NeverTellsWhen => refusals.iter_mut().for_each(|refusal| refusal.retry_at = None),
                Fault::MixesTheOrder => refusals.reverse(),
                Fault::TellsTheFirstMoment => {
                    let first = |refusal: &mut Refusal| {
                        let resets = outcome.usage.first().map(|usage| usage.resets_at);
                        refusal.retry_at = refusal.retry_at.or(resets);
                    };
                    refusals.iter_mut().for_each(first);
                }
                _ => {}
            }
        }
        if self.fault == Fault::TellsItsOwnTime {
            let mut latest = self.latest.lock().unwrap();
            *latest = now.max(*latest);
            outcome.now = *latest;
        }
        if self.fault == Fault::RefusesZero
            && batch.slots.iter().any(|slot| slot.charge == Some(Amount::ZERO))
        {
            outcome.verdict = Verdict::Refused(Vec::new().into());
        }
        outcome
    }

    fn take(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        let store = self.store();
        match self.fault {
            Fault::ChecksThenActs => {
                let outcome = store.peek(batch, now)?;
                if outcome.verdict != Verdict::Reserved {
                    return Ok(outcome);
                }
                // The last charge that fits takes its time, so that others check meanwhile.
                if batch.slots.iter().zip(&outcome.usage).any(|(slot, usage)| usage.used == slot.max) {
                    std::thread::sleep(Duration::from_millis(50));
                }
                let mut unbounded = batch.clone();
                unbounded.slots.iter_mut().for_each(|slot| slot.max = Amount::MAX);
                unbounded.guards.clear();
                store.reserve(&unbounded, now)
            }
            Fault::ChargesOneByOne => {
                let outcome = store.peek(batch, now)?;
                for slot in &batch.slots {
                    let one = Batch { slots: [slot.clone()].into_iter().collect(), ..Batch::default() };
                    if store.reserve(&one, now)?.verdict != Verdict::Reserved {
                        break;
                    }
                }
                Ok(outcome)
            }
            Fault::ChargesWhenRefused => {
                let outcome = store.reserve(batch, now)?;
                if outcome.verdict != Verdict::Reserved {
                    let mut unbounded = batch.clone();
                    unbounded.slots.iter_mut().for_each(|slot| slot.max = Amount::MAX);
                    unbounded.guards.clear();
                    store.reserve(&unbounded, now)?;
                }
                Ok(outcome)
            }
            Fault::ReadsWithoutTheCharge => {
                let mut looks = batch.clone();
                looks.slots.iter_mut().for_each(|slot| slot.charge = None);
                let outcome = store.peek(&looks, now)?;
                if outcome.verdict != Verdict::Reserved {
                    return Ok(outcome);
                }
                let mut charges = batch.clone();
                charges.guards.clear();
                store.reserve(&charges, now)
            }
            Fault::SpendsWhenRefused => {
                if let Some(id) = &batch.approval {
                    let spend = Batch { approval: Some(id.clone()), asks: true, ..Batch::default() };
                    if store.reserve(&spend, now)?.verdict != Verdict::Reserved {
                        return store.reserve(batch, now);
                    }
                }
                store.reserve(&Batch { approval: None, ..batch.clone() }, now)
            }
            Fault::ResetsUnderAClockBehind => {
                let mut latest = self.latest.lock().unwrap();
                *latest = now.max(*latest);
                if now < *latest {
                    let mut older = self.older.lock().unwrap();
                    return older.entry(now.as_millis() / 60_000).or_default().reserve(batch, now);
                }
                store.reserve(batch, now)
            }
            Fault::TurnsOverLate => store.reserve(batch, now.plus_millis(-1)),
            _ => store.reserve(batch, now),
        }
    }
}

impl Store for Broken {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        let counters: Vec<_> = batch.slots.iter().map(joined).collect();
        let batch = self.misread(batch, &counters);
        let outcome = self.take(&batch, now)?;
        Ok(self.mistold(&batch, outcome, now))
    }

    fn charge_one(&self, slot: &Slot<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        let max = if self.fault == Fault::ChargesAlonePastTheMaximum { Amount::MAX } else { slot.max };
        self.reserve(
            &Batch { slots: [Slot { max, ..slot.clone() }].into_iter().collect(), ..Batch::default() },
            now,
        )
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        let counters: Vec<_> = batch.slots.iter().map(joined).collect();
        let batch = self.misread(batch, &counters);
        let store = self.store();
        let outcome = match self.fault {
            Fault::ChargesWhenAsked => store.reserve(&batch, now)?,
            Fault::TurnsOverLate => store.peek(&batch, now.plus_millis(-1))?,
            _ => store.peek(&batch, now)?,
        };
        Ok(self.mistold(&batch, outcome, now))
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        let store = self.store();
        if self.fault == Fault::RefundsNothing {
            return Ok(());
        }
        for refund in settlements {
            let look = Slot {
                counter: refund.counter,
                scope: refund.scope.clone(),
                charge: None,
                max: Amount::MAX,
                order: 0,
            };
            let batch = Batch { slots: [look].into_iter().collect(), ..Batch::default() };
            let current = store.peek(&batch, now)?.usage.first().unwrap().stamp;
            let is_near = current.since(refund.stamp).as_millis() <= 1;
            let stamp = match self.fault {
                Fault::RefundsAnyWindow if refund.counter.algorithm() == Algorithm::Fixed => current,
                Fault::RefundsBeforeAReset if is_near => current,
                _ => refund.stamp,
            };
            store.settle(&[Settlement { stamp, ..*refund }], now)?;
        }
        Ok(())
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        if matches!(self.fault, Fault::EvictsWhatIsLive | Fault::ForgetsApprovals) {
            let mut store = self.store.write().unwrap();
            let mut live = Vec::new();
            store.each(now, &mut |held| live.push(held))?;
            *store = MemoryStore::new();
            if self.fault == Fault::ForgetsApprovals {
                for held in live {
                    let charge = Some(held.used);
                    let slot = Slot {
                        counter: &held.counter,
                        scope: held.scope,
                        charge,
                        max: Amount::MAX,
                        order: 0,
                    };
                    let batch = Batch { slots: [slot].into_iter().collect(), ..Batch::default() };
                    store.reserve(&batch, now)?;
                }
            }
            return Ok(0);
        }
        self.store().purge(now)
    }
}

impl Inspect for Broken {
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError> {
        if self.fault == Fault::ListsNothing {
            return Ok(());
        }
        self.store().each(now, show)
    }

    fn reset(&self, counter: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError> {
        if self.fault == Fault::ResetsEverything {
            *self.store.write().unwrap() = MemoryStore::new();
            return Ok(true);
        }
        self.store().reset(counter, scope, now)
    }
}

/// The counter of a store whose keys are joined with dots (trap 27).
fn joined(slot: &Slot<'_>) -> Counter {
    let counter = slot.counter;
    let owner = match counter.owner() {
        Owner::Tool(key) => key.clone(),
        _ => "all_tools".into(),
    };
    let key = Owner::Tool(format!("{owner}.{}", counter.name()).into());
    Counter::new(key, "", counter.window(), counter.algorithm(), counter.scope())
}

fn open(fault: Fault) -> Box<dyn Counters> {
    Box::new(Broken::new(fault))
}

#[test]
fn every_fault_is_caught_by_the_clause_that_it_breaks() {
    each_is_caught(&CAUGHT, open);
}

#[test]
fn a_check_names_what_is_broken() {
    let broken: Vec<_> = broken(&Kind(Fault::TellsItsOwnTime, open)).iter().map(Clause::name).collect();
    assert!(broken.contains(&"an_outcome_names_the_time_that_was_given"));
    assert!(!broken.contains(&"fractions_add_up"));
}

/// Processes that go by the latest time of any: one clock that is ahead holds up all.
#[test]
fn one_clock_that_counts_for_all_is_caught() {
    struct Latest;

    impl Subject for Latest {
        fn open(&self, _name: &str) -> Box<dyn Counters> {
            Box::new(MemoryStore::new())
        }

        fn time_kept(&self) -> TimeKept {
            TimeKept::EachCounter
        }
    }

    for name in
        ["a_clock_far_ahead_ends_no_window_of_the_others", "a_clock_far_behind_counts_in_its_own_windows"]
    {
        let clause = clauses().find(|clause| clause.name() == name).unwrap();
        assert!(catch_unwind(|| clause.check(&Latest)).is_err(), "{clause:?} was not broken");
    }
}

/// Each process that opens it has counters of its own.
#[test]
#[should_panic(expected = "fixed")]
fn counters_that_processes_do_not_share_are_caught() {
    struct Apart;

    impl Subject for Apart {
        fn open(&self, _name: &str) -> Box<dyn Counters> {
            Box::new(MemoryStore::new())
        }

        fn time_kept(&self) -> TimeKept {
            TimeKept::Store
        }
    }

    check_processes(&Apart, "counters_that_processes_do_not_share_are_caught");
}

type Namespaced<'n> = &'n dyn Fn(&str) -> Box<dyn Counters>;

/// Namespaces that are one, names of which only a part counts, and handles that each have counters of their own.
#[test]
fn namespaces_that_are_not_apart_and_handles_that_do_not_share_are_caught() {
    let (one, some) = (Arc::new(MemoryStore::new()), MemoryStore::new());
    let kinds: [Namespaced<'_>; 3] =
        [&|_| Box::new(one.clone()), &|name| Box::new(some.namespaced(&name.to_lowercase())), &|_| {
            Box::new(MemoryStore::new())
        }];
    for kind in kinds {
        assert!(catch_unwind(AssertUnwindSafe(|| check_namespaces(kind))).is_err());
    }
}
