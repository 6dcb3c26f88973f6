//! The store against a naive model: a list of every charge that was ever made, searched from end to end.

use proptest::prelude::*;

use super::*;

const MAX: i64 = 6;
const SCOPES: [&str; 2] = ["a", "b"];

fn counters() -> Vec<Counter> {
    vec![
        counter("minute", Window::Minute, Algorithm::Fixed),
        counter("short", Window::Seconds(7), Algorithm::Fixed),
        counter("slide", Window::Seconds(20), Algorithm::Sliding),
        counter("slow", Window::Seconds(90), Algorithm::Sliding),
    ]
}

/// (slot, lower end of the range, its size)
type OneTest = (usize, i64, i64);

/// What a random test does. Times are steps from the one before, so that windows roll over, and also back.
#[derive(Debug, Clone)]
enum Step {
    /// Slots are (counter, scope value, charge); a guard is (whether it requires, its tests).
    Reserve {
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
            .prop_map(|(slots, guard, ask)| Step::Reserve { slots, guard, ask }),
        3 => (any::<usize>(), 1..5_i64).prop_map(|(charge, part)| Step::Refund { charge, part }),
        1 => Just(Step::Purge),
    ]
}

fn jump() -> impl Strategy<Value = i64> {
    // Whole seconds meet the ends of windows exactly.
    let seconds = (0..30_i64).prop_map(|seconds| seconds * 1_000);
    prop_oneof![4 => Just(0), 8 => 0..3_000_i64, 4 => seconds, 1 => 0..200_000_i64]
}

struct Charged {
    counter: usize,
    scope: usize,
    stamp: Timestamp,
    amount: i64,
}

#[derive(Default)]
struct Model {
    charges: Vec<Charged>,
}

/// One counter at one time, as the model sees it.
struct View<'m> {
    counter: &'m Counter,
    stamp: Timestamp,
    /// (when it expires, amount), in the order of expiry.
    live: Vec<(Timestamp, i64)>,
}

impl Model {
    fn view<'m>(&self, of: usize, scope: usize, counter: &'m Counter, now: Timestamp) -> View<'m> {
        let charges = || self.charges.iter().filter(|charge| charge.counter == of && charge.scope == scope);
        let window = counter.window();
        let (stamp, mut live): (_, Vec<_>) = match counter.algorithm() {
            Algorithm::Fixed => {
                let start = window.start(now);
                let here = charges().filter(|charge| charge.stamp == start);
                (start, here.map(|charge| (window.end(start), charge.amount)).collect())
            }
            Algorithm::Sliding => {
                let length = window.seconds().unwrap() * 1_000;
                let ends = charges().map(|charge| (charge.stamp.as_millis() + length, charge.amount));
                let here = ends.filter(|(end, _)| *end > now.as_millis());
                (now, here.map(|(end, amount)| (at(end), amount)).collect())
            }
        };
        live.retain(|(_, amount)| *amount > 0);
        live.sort();
        View { counter, stamp, live }
    }
}

impl View<'_> {
    fn used(&self, at: Timestamp) -> i64 {
        self.live.iter().filter(|(end, _)| *end > at).map(|(_, amount)| amount).sum()
    }

    fn now(&self) -> i64 {
        self.live.iter().map(|(_, amount)| amount).sum()
    }

    /// The first moment from which on `holds` is true of what is used: now and at every expiry after it. A fixed window
    /// has one even when unused.
    fn when(&self, holds: impl Fn(i64) -> bool) -> Option<Timestamp> {
        let end =
            (self.counter.algorithm() == Algorithm::Fixed).then(|| self.counter.window().end(self.stamp));
        let ends = self.live.iter().map(|(end, _)| *end).chain(end);
        let mut moments: Vec<_> = ends.chain([Timestamp::MIN]).collect();
        moments.sort();
        let for_good = |from: &usize| moments[*from..].iter().all(|moment| holds(self.used(*moment)));
        (0..moments.len()).find(for_good).map(|from| moments[from])
    }

    fn resets_at(&self) -> Timestamp {
        match self.counter.algorithm() {
            Algorithm::Fixed => self.counter.window().end(self.stamp),
            Algorithm::Sliding => self.live.last().map_or(self.stamp, |(end, _)| *end),
        }
    }
}

/// What the model says of a batch.
fn expected(batch: &Batch<'_>, views: &[View<'_>]) -> Verdict {
    let mut refusals = Vec::new();
    let charge = |slot: usize| batch.slots[slot].charge.map_or(0, Amount::as_micros);
    for (index, (slot, view)) in batch.slots.iter().zip(views).enumerate() {
        let fits = |used: i64| used + charge(index) <= slot.max.as_micros();
        if slot.charge.is_some() && !fits(view.now()) {
            refusals.push(Refusal { bound: Bound::Max(index), order: slot.order, retry_at: view.when(fits) });
        }
    }
    for (index, guard) in batch.guards.iter().enumerate() {
        let holds = |test: &Test<'_>, used: i64| test.holds(micros(used + charge(test.slot)));
        let all_hold = guard.tests.iter().all(|test| holds(test, views[test.slot].now()));
        let when = |test: &Test<'_>, held| views[test.slot].when(|used| holds(test, used) == held);
        let (refuses, retry_at) = match guard.mode {
            GuardMode::RequireAll => {
                let moments: Option<Vec<_>> = guard.tests.iter().map(|test| when(test, true)).collect();
                (!all_hold, moments.and_then(|moments| moments.into_iter().max()))
            }
            GuardMode::AskAll => continue,
            GuardMode::RefuseAll => (all_hold, guard.tests.iter().filter_map(|test| when(test, false)).min()),
        };
        if refuses {
            refusals.push(Refusal { bound: Bound::Guard(index), order: guard.order, retry_at });
        }
    }
    refusals.sort_by_key(|refusal| refusal.order);
    if refusals.is_empty() { Verdict::Reserved } else { Verdict::Refused(refusals.into()) }
}

/// Never more than the maximum: in any one fixed window, and in any half-open interval of a sliding one's length. Such
/// an interval can hold most only if it ends at a charge.
fn check_bounds(model: &Model, counters: &[Counter]) {
    for last in &model.charges {
        let counter = &counters[last.counter];
        let inside = |charge: &&Charged| match counter.algorithm() {
            Algorithm::Fixed => charge.stamp == last.stamp,
            Algorithm::Sliding => {
                let length = counter.window().seconds().unwrap() * 1_000;
                charge.stamp <= last.stamp && charge.stamp.as_millis() > last.stamp.as_millis() - length
            }
        };
        let same = |charge: &&Charged| (charge.counter, charge.scope) == (last.counter, last.scope);
        let sum: i64 = model.charges.iter().filter(same).filter(inside).map(|charge| charge.amount).sum();
        assert!(sum <= MAX, "{sum} in one window of {}", counter.window());
    }
}

fn run(steps: &[(i64, Step)]) {
    let (store, counters, mut model) = (MemoryStore::new(), counters(), Model::default());
    let (mut now, mut latest) = (at(1_000_000), at(0));
    for (jump, step) in steps {
        now = now.plus_millis(*jump);
        // Asking and taking back do not move the time on.
        let moves_on = matches!(step, Step::Reserve { ask: false, .. } | Step::Purge);
        if moves_on {
            latest = latest.max(now);
        }
        let seen = now.max(latest);
        match step {
            Step::Reserve { slots, guard, ask } => {
                let tests = guard.iter().flat_map(|(_, tests)| tests);
                let ranges: Vec<_> = tests.map(|(slot, low, size)| (*slot, [(*low, low + size)])).collect();
                let mut keys: Vec<(usize, usize)> = Vec::new();
                let mut batch = Batch::default();
                for (counter, scope, charge) in slots {
                    if !keys.contains(&(*counter, *scope)) {
                        let order = [5, 1, 3][keys.len()];
                        keys.push((*counter, *scope));
                        batch
                            .slots
                            .push(Slot { order, ..slot(&counters[*counter], SCOPES[*scope], *charge, MAX) });
                    }
                }
                if let Some((require, _)) = guard {
                    let tests = ranges.iter().map(|(slot, ranges)| Test { slot: slot % keys.len(), ranges });
                    let mode = if *require { GuardMode::RequireAll } else { GuardMode::RefuseAll };
                    batch.guards.push(Guard { mode, tests: tests.collect(), order: 2 });
                }
                let outcome =
                    if *ask { store.peek(&batch, now) } else { store.reserve(&batch, now) }.unwrap();
                let views: Vec<_> =
                    keys.iter().map(|(of, scope)| model.view(*of, *scope, &counters[*of], seen)).collect();
                assert_eq!(outcome.verdict, expected(&batch, &views));
                assert_eq!(outcome.now, now);
                let taken = outcome.verdict == Verdict::Reserved;
                for (((slot, view), usage), key) in
                    batch.slots.iter().zip(&views).zip(&outcome.usage).zip(&keys)
                {
                    let charge = slot.charge.filter(|_| taken).map_or(0, Amount::as_micros);
                    let resets_at = match view.counter.algorithm() {
                        Algorithm::Sliding if charge > 0 => {
                            view.stamp.plus_millis(view.counter.window().seconds().unwrap() * 1_000)
                        }
                        _ => view.resets_at(),
                    };
                    assert_eq!(
                        *usage,
                        Usage { used: micros(view.now() + charge), resets_at, stamp: view.stamp }
                    );
                    if charge > 0 && !ask {
                        let (counter, scope) = *key;
                        model.charges.push(Charged { counter, scope, stamp: view.stamp, amount: charge });
                    }
                }
            }
            Step::Refund { charge, part } if !model.charges.is_empty() => {
                check_bounds(&model, &counters);
                let index = charge % model.charges.len();
                let Charged { counter, scope, stamp, amount } = model.charges[index];
                let (amount, who) = (amount.min(*part), super::scope(SCOPES[scope]));
                let view = model.view(counter, scope, &counters[counter], seen);
                let refund = Settlement::refund(&counters[counter], &who, stamp, micros(amount));
                store.settle(&[refund], now).unwrap();
                let lives = match view.counter.algorithm() {
                    Algorithm::Fixed => stamp == view.stamp,
                    Algorithm::Sliding => {
                        let length = view.counter.window().seconds().unwrap() * 1_000;
                        stamp.as_millis() + length > view.stamp.as_millis()
                    }
                };
                if lives {
                    model.charges[index].amount -= amount;
                }
            }
            Step::Refund { .. } => {}
            Step::Purge => {
                store.purge(now).unwrap();
            }
        }
    }
    check_bounds(&model, &counters);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_model_while_time_advances(
        steps in prop::collection::vec((jump(), step()), 1..80),
    ) {
        run(&steps);
    }

    #[test]
    fn agrees_with_the_model_when_clocks_run_backwards(
        steps in prop::collection::vec((prop_oneof![2 => jump(), 1 => jump().prop_map(|by| -by)], step()), 1..80),
    ) {
        run(&steps);
    }
}
