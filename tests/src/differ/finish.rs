//! How the engine and the reference finish what a call charged (clauses 8.10, 8.13 and 8.14).
//!
//! In: a reservation, what the reference charged, and how the call ended. Out: what each says of it. What went wrong must leave both open.

use std::collections::BTreeMap;

use callgate::{Actual, Amount, Engine, Outcome, Reservation};
use callgate_reference::{End, Reference};

use crate::generate::{Finish, Settled};

/// How each finishes what a step charged. What went wrong leaves it open.
pub(super) fn finish(
    engine: &Engine,
    reference: &mut Reference,
    one: &mut Option<Reservation>,
    other: &mut Option<callgate_reference::Decision>,
    how: &Finish,
    at: i64,
) -> (&'static str, &'static str) {
    let (Some(reservation), Some(decision)) = (one.as_mut(), other.as_ref()) else {
        return if one.is_none() == other.is_none() { ("none", "none") } else { ("open", "none") };
    };
    let (ended, expected) = match how {
        Finish::Ended(outcome) => {
            let end = match outcome {
                Outcome::NotRun => End::NotRun,
                Outcome::Error => End::Error,
                Outcome::ToolError => End::ToolError,
                _ => End::Other,
            };
            reference.finish(decision, end, at);
            (engine.finish(reservation, *outcome), Ok(()))
        }
        Finish::Settled(actual) => {
            let amounts = named(actual, &decision.counters);
            let expected: Vec<_> =
                amounts.iter().map(|(name, amount)| (name.as_deref(), i128::from(*amount))).collect();
            let expected = reference.settle(decision, &expected, at);
            let amount = |micros: &i64| Amount::from_micros(*micros).expect("an amount of zero or more");
            let actual = match amounts.iter().next() {
                Some((None, micros)) => Actual::from(amount(micros)),
                _ => Actual::ByCounter(
                    amounts
                        .iter()
                        .filter_map(|(name, micros)| Some((name.as_deref()?.into(), amount(micros))))
                        .collect(),
                ),
            };
            (engine.settle(reservation, actual), expected)
        }
    };
    let is_open = reservation.is_open();
    if !is_open {
        (*one, *other) = (None, None);
    }
    let code = ended.as_ref().map_or_else(|error| error.code(), |()| "ok");
    // What is refused leaves it open, and nothing else does.
    if is_open == ended.is_ok() { ("open", "closed") } else { (code, expected.err().unwrap_or("ok")) }
}

/// Amounts by the names of counters; without a name, that of the only charge.
fn named(
    actual: &[(Settled, i64)],
    counters: &[callgate_reference::CounterUse],
) -> BTreeMap<Option<String>, i64> {
    let name = |settled: &Settled| match settled {
        Settled::Only => None,
        Settled::Nth(index) => {
            let counter = counters.get(index % counters.len().max(1));
            Some(counter.map_or("nobody", |counter| counter.counter.as_str()).to_owned())
        }
        Settled::Named(name) => Some(name.clone()),
    };
    actual.iter().map(|(settled, amount)| (name(settled), *amount)).collect()
}
