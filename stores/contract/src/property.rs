//! Random batches, refunds and purges, against the [model](crate::model).

use std::fmt::Debug;

use callgate::store::{Algorithm, Batch, Counter, Guard, GuardMode, Slot, Test, Window};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::ledger::*;
use crate::model::{Model, moment};
use crate::{Subject, TimeKept, group};

group! {
    "8.1" it_agrees_with_the_model_while_time_advances,
    "8.4" it_keeps_every_maximum_when_clocks_run_back,
}

const MAX: i64 = 6;
const CASES: u32 = 128;

/// (slot, lower end of the range, its size)
type OneTest = (usize, i64, i64);

/// What is done to the store.
#[derive(Debug, Clone)]
enum Step {
    /// Slots are (counter, scope value, charge); a guard is (whether it requires, its tests).
    Decide {
        slots: Vec<(usize, usize, Option<i64>)>,
        guard: Option<(bool, Vec<OneTest>)>,
        ask: bool,
    },
    Refund {
        charge: usize,
        part: i64,
    },
    Purge,
}

fn step() -> impl Strategy<Value = Step> {
    let slot = (0..4_usize, 0..2_usize, prop_oneof![4 => (0..5_i64).prop_map(Some), 1 => Just(None)]);
    let test = (0..4_usize, 0..7_i64, 0..4_i64);
    let guard = prop::option::weighted(0.4, (any::<bool>(), prop::collection::vec(test, 1..3)));
    prop_oneof![
        12 => (prop::collection::vec(slot, 1..4), guard, prop::bool::weighted(0.1))
            .prop_map(|(slots, guard, ask)| Step::Decide { slots, guard, ask }),
        3 => (any::<usize>(), 1..5_i64).prop_map(|(charge, part)| Step::Refund { charge, part }),
        1 => Just(Step::Purge),
    ]
}

/// Milliseconds to the next step, so that windows roll over; whole seconds meet their ends exactly.
fn pause() -> impl Strategy<Value = i64> {
    let seconds = (0..30_i64).prop_map(|seconds| seconds * SECOND);
    prop_oneof![4 => Just(0), 8 => 0..3_000_i64, 4 => seconds, 1 => 0..200_000_i64]
}

fn counters() -> [Counter; 4] {
    [
        counter("minute", Window::Minute, Algorithm::Fixed),
        counter("short", Window::Seconds(7), Algorithm::Fixed),
        counter("slide", Window::Seconds(20), Algorithm::Sliding),
        counter("slow", Window::Seconds(90), Algorithm::Sliding),
    ]
}

/// Whether each outcome has to be the model's, or only every maximum is kept: what a store that keeps little of the time
/// answers to a clock that runs back depends on what it has forgotten.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    Outcomes,
    Maxima,
}

/// Steps that go on in time.
fn forward() -> impl Strategy<Value = Vec<(i64, Step)>> {
    prop::collection::vec((pause(), step()), 1..60)
}

/// Steps that also go back.
fn back_and_forth() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let pause = prop_oneof![2 => pause(), 1 => pause().prop_map(|by| -by)];
    prop::collection::vec((pause, step()), 1..60)
}

/// What is compared where time goes back.
fn comparable(subject: &dyn Subject) -> Compare {
    match subject.time_kept() {
        TimeKept::Store => Compare::Outcomes,
        TimeKept::EachCounter => Compare::Maxima,
    }
}

fn it_agrees_with_the_model_while_time_advances(subject: &dyn Subject) {
    check(&forward(), |steps| run(subject, steps, Compare::Outcomes));
}

fn it_keeps_every_maximum_when_clocks_run_back(subject: &dyn Subject) {
    check(&back_and_forth(), |steps| run(subject, steps, comparable(subject)));
}

/// Tests the store against the model in the steps that `choices` make, for a fuzzer that makes those.
///
/// # Panics
/// Where the store's answers are not the model's.
pub fn check_choices(subject: &dyn Subject, choices: &[u8]) {
    let mut choices = choices.iter();
    let mut below = |bound: u8| choices.next().map(|choice| i64::from(choice % bound));
    let mut steps = Vec::new();
    while let Some(step) = chosen(&mut below) {
        steps.push(step);
    }
    run(subject, &steps, comparable(subject));
}

/// One step, like those of the strategies, from choices below a bound; `None` where they end.
fn chosen(below: &mut impl FnMut(u8) -> Option<i64>) -> Option<(i64, Step)> {
    let index = |choice: i64| usize::try_from(choice).unwrap_or_default();
    let pause = match below(8)? {
        0..3 => 0,
        3 => below(250)? * 13,
        4 => below(30)? * SECOND,
        5 => below(200)? * SECOND,
        6 => below(30)? * -SECOND,
        _ => 1,
    };
    let step = match below(16)? {
        0 => Step::Purge,
        1..4 => Step::Refund { charge: index(below(255)?), part: 1 + below(4)? },
        kind => {
            let mut slots = Vec::new();
            for _ in 0..=below(3)? {
                let charge = below(6)?;
                slots.push((index(below(4)?), index(below(2)?), (charge < 5).then_some(charge)));
            }
            let mut tests = Vec::new();
            for _ in 0..below(3)? {
                tests.push((index(below(4)?), below(7)?, below(4)?));
            }
            let guard = (!tests.is_empty()).then_some((kind % 2 == 0, tests));
            Step::Decide { slots, guard, ask: kind == 4 }
        }
    };
    Some((pause, step))
}

fn check<T: Debug>(strategy: &impl Strategy<Value = T>, run: impl Fn(&T)) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(strategy, |steps| {
        run(&steps);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

fn run(subject: &dyn Subject, steps: &[(i64, Step)], compare: Compare) {
    let (ledger, counters, mut model) = (Ledger::open(subject), counters(), Model::default());
    let mut elapsed = 0;
    for (pause, step) in steps {
        elapsed += pause;
        let now = moment(elapsed);
        match step {
            Step::Decide { slots, guard, ask } => {
                let tests = guard.iter().flat_map(|(_, tests)| tests);
                let ranges: Vec<_> = tests.map(|(_, low, size)| [(*low, low + size)]).collect();
                let batch = random_batch(&counters, slots, guard.as_ref(), &ranges);
                if !ask {
                    model.move_on(now);
                }
                let expected = model.outcome(&batch, now);
                let store = ledger.store();
                let outcome =
                    if *ask { store.peek(&batch, now) } else { store.reserve(&batch, now) }.unwrap();
                if compare == Compare::Outcomes {
                    assert_eq!(outcome, expected);
                }
                if !ask && taken(&outcome) {
                    model.take(&batch, &outcome);
                }
            }
            Step::Refund { charge, part } => {
                // Without it, a refund of what the store has forgotten would hide what was charged too much.
                if compare == Compare::Maxima {
                    continue;
                }
                assert!(model.most() <= MAX, "{} in one window", model.most());
                if let Some(refund) = model.refund_of(*charge, *part) {
                    ledger.store().refund(&[refund], now).unwrap();
                }
                model.refund(*charge, *part, now);
            }
            Step::Purge => {
                model.move_on(now);
                ledger.store().purge(now).unwrap();
            }
        }
    }
    assert!(model.most() <= MAX, "{} in one window", model.most());
}

fn random_batch<'b>(
    counters: &'b [Counter],
    slots: &[(usize, usize, Option<i64>)],
    guard: Option<&(bool, Vec<OneTest>)>,
    ranges: &'b [[(i64, i64); 1]],
) -> Batch<'b> {
    let mut batch = Batch::default();
    for (of, who, amount) in slots {
        let (counter, scope) = (&counters[*of], scope(["a", "b"][*who]));
        let named = |slot: &Slot<'_>| slot.counter == counter && slot.scope == scope;
        // A batch names a counter once for one scope value.
        if !batch.slots.iter().any(named) {
            let order = [5, 1, 3][batch.slots.len()];
            batch.slots.push(Slot { counter, scope, charge: amount.map(micros), max: micros(MAX), order });
        }
    }
    if let Some((require, tests)) = guard {
        let mode = if *require { GuardMode::RequireAll } else { GuardMode::RefuseAll };
        let slot = |slot: usize| slot % batch.slots.len();
        let tests =
            tests.iter().zip(ranges).map(|((of, ..), ranges)| Test { slot: slot(*of), ranges }).collect();
        batch.guards.push(Guard { mode, tests, order: 2 });
    }
    batch
}
