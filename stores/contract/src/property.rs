//! Random batches, settlements and purges, against the [model](crate::model).

use std::fmt::Debug;
use std::sync::Arc;

use callgate::store::{Algorithm, Batch, Calendar, Counter, Grant, Guard, GuardMode, Slot, Test, Window};
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

/// A batch, before it is made: its slots are (counter, scope value, charge), its conditions (what they mean, tests).
#[derive(Debug, Clone)]
struct Choice {
    slots: Vec<(usize, usize, Option<i64>)>,
    guards: Vec<(usize, Vec<OneTest>)>,
    asks: bool,
    approval: Option<Ticket>,
}

/// An approval: which one, how often it may be used, and when it was given and for how long, in seconds.
type Ticket = (usize, u32, Option<(i64, i64)>);

/// What is done to the store.
#[derive(Debug, Clone)]
enum Step {
    Decide { choice: Choice, ask: bool },
    Settle { charge: usize, actual: i64 },
    Purge,
}

fn choice() -> impl Strategy<Value = Choice> {
    // The last never resets, and is soon full.
    let of = prop_oneof![14 => 0..COUNTERS - 1, 1 => Just(COUNTERS - 1)];
    let slot = (of, 0..2_usize, prop_oneof![4 => (0..5_i64).prop_map(Some), 1 => Just(None)]);
    let test = (0..4_usize, 0..7_i64, 0..4_i64);
    let guard = (0..MODES.len(), prop::collection::vec(test, 1..3));
    let guards = prop_oneof![
        5 => Just(Vec::new()),
        4 => guard.clone().prop_map(|guard| vec![guard]),
        1 => prop::collection::vec(guard, 2..=2),
    ];
    let holds = prop::option::weighted(0.3, (-30..200_i64, 0..400_i64));
    let approval = prop::option::weighted(0.4, (0..3_usize, 1..4_u32, holds));
    (prop::collection::vec(slot, 1..4), guards, prop::bool::weighted(0.25), approval)
        .prop_map(|(slots, guards, asks, approval)| Choice { slots, guards, asks, approval })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (choice(), prop::bool::weighted(0.1)).prop_map(|(choice, ask)| Step::Decide { choice, ask }),
        3 => (any::<usize>(), 0..7_i64).prop_map(|(charge, actual)| Step::Settle { charge, actual }),
        1 => Just(Step::Purge),
    ]
}

/// Milliseconds to the next step, so that windows roll over; whole seconds meet their ends exactly.
fn pause() -> impl Strategy<Value = i64> {
    let seconds = (0..30_i64).prop_map(|seconds| seconds * SECOND);
    // Now and then long enough for days to pass within a run, and to the ends of quarters of an hour.
    let quarters = (0..60_i64, -1..2_i64).prop_map(|(quarters, by)| (quarters * 15 * MINUTE + by).max(0));
    prop_oneof![8 => Just(0), 16 => 0..3_000_i64, 8 => seconds, 2 => 0..200_000_i64, 1 => quarters]
}

const MODES: [GuardMode; 3] = [GuardMode::RequireAll, GuardMode::RefuseAll, GuardMode::AskAll];
const COUNTERS: usize = 8;

/// Two of them are one, as two hosts know it: their days begin soon after the runs, a minute and a half apart.
fn counters() -> [Counter; COUNTERS] {
    let in_zone = |rules| {
        let calendar = Calendar::with_rules("Europe/Paris", rules, false).expect("these are rules");
        counter("zoned", Window::Day, Algorithm::Fixed).in_calendar(&Arc::new(calendar))
    };
    [
        counter("minute", Window::Minute, Algorithm::Fixed),
        counter("short", Window::Seconds(7), Algorithm::Fixed),
        counter("slide", Window::Seconds(20), Algorithm::Sliding),
        counter("slow", Window::Seconds(90), Algorithm::Sliding),
        counter("long", Window::Seconds(90_000), Algorithm::Sliding),
        in_zone("AAA0:20"),
        in_zone("AAA0:21:30"),
        counter("ever", Window::Ever, Algorithm::Fixed),
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
        _ => below(60)? * 15 * MINUTE + 1 - below(3)?,
    };
    let step = match below(16)? {
        0 => Step::Purge,
        1..4 => Step::Settle { charge: index(below(255)?), actual: below(7)? },
        kind => {
            let mut slots = Vec::new();
            for _ in 0..=below(3)? {
                let charge = below(6)?;
                slots.push((index(below(8)?), index(below(2)?), (charge < 5).then_some(charge)));
            }
            let mut guards = Vec::new();
            for _ in 0..below(6)?.saturating_sub(3) {
                let mode = index(below(3)?);
                let mut tests = vec![(index(below(4)?), below(7)?, below(4)?)];
                if below(2)? == 1 {
                    tests.push((index(below(4)?), below(7)?, below(4)?));
                }
                guards.push((mode, tests));
            }
            let uses = u32::try_from(below(4)?).unwrap_or_default();
            let approval = match uses {
                0 => None,
                _ if below(3)? > 0 => Some((index(below(3)?), uses, None)),
                _ => Some((index(below(3)?), uses, Some((below(230)? - 30, 2 * below(200)?)))),
            };
            Step::Decide { choice: Choice { slots, guards, asks: kind > 13, approval }, ask: kind == 4 }
        }
    };
    Some((pause, step))
}

fn check<T: Debug>(strategy: &impl Strategy<Value = T>, run: impl Fn(&T)) {
    let config =
        Config { cases: CASES, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
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
            Step::Decide { choice, ask } => {
                let range = |(_, low, size): &OneTest| [(*low, low + size)];
                let ranges: Vec<Vec<_>> =
                    choice.guards.iter().map(|(_, tests)| tests.iter().map(range).collect()).collect();
                let batch = random_batch(&counters, choice, &ranges);
                if !ask {
                    model.move_on(now);
                }
                let mut expected = model.outcome(&batch, now);
                let store = ledger.store();
                let outcome =
                    if *ask { store.peek(&batch, now) } else { store.reserve(&batch, now) }.unwrap();
                for ((slot, told), expected) in
                    batch.slots.iter().zip(&outcome.usage).zip(&mut expected.usage)
                {
                    if model.own_start(slot.counter, &slot.scope, now) == Some(told.stamp) {
                        expected.stamp = told.stamp;
                    }
                }
                if compare == Compare::Outcomes {
                    assert_eq!(outcome, expected);
                }
                if !ask && taken(&outcome) {
                    model.take(&batch, &outcome, now);
                }
            }
            Step::Settle { charge, actual } => {
                // Without it, taking back what the store has forgotten would hide what was charged too much.
                if compare == Compare::Maxima {
                    continue;
                }
                assert!(model.most() <= MAX, "{} in one window", model.most());
                let mut begun = None;
                if let Some(settlement) = model.settlement(*charge, *actual, now) {
                    ledger.store().settle(&[settlement], now).unwrap();
                    let looks = Slot { scope: settlement.scope.clone(), ..read(settlement.counter) };
                    begun = Some(ledger.store().peek(&batch([looks]), now).unwrap().usage[0].stamp);
                }
                model.settle(*charge, *actual, now, begun);
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
    choice: &Choice,
    ranges: &'b [Vec<[(i64, i64); 1]>],
) -> Batch<'b> {
    let ticket = |(id, uses, holds): Ticket| Grant {
        uses,
        holds: holds.map(|(given, lasts)| (moment(given * SECOND), moment((given + lasts) * SECOND))),
        ..["t0", "t1", "t2"][id].into()
    };
    let mut batch = Batch { asks: choice.asks, approval: choice.approval.map(ticket), ..Batch::default() };
    for (of, who, amount) in &choice.slots {
        let counter = &counters[*of];
        // A store may begin the windows of a zone for each scope value, or for all at once.
        let who = if counter.zone().is_some() { 0 } else { *who };
        let scope = scope(["a", "b"][who]);
        let named = |slot: &Slot<'_>| slot.counter == counter && slot.scope == scope;
        // A batch names a counter once for one scope value.
        if !batch.slots.iter().any(named) {
            let order = [5, 1, 3][batch.slots.len()];
            batch.slots.push(Slot { counter, scope, charge: amount.map(micros), max: micros(MAX), order });
        }
    }
    for (((mode, tests), ranges), order) in choice.guards.iter().zip(ranges).zip([2, 4]) {
        let slot = |slot: usize| slot % batch.slots.len();
        let tests =
            tests.iter().zip(ranges).map(|((of, ..), ranges)| Test { slot: slot(*of), ranges }).collect();
        batch.guards.push(Guard { mode: MODES[*mode], tests, order });
    }
    batch
}
