//! What is added to a policy never lets a call through that the policy stops.
//!
//! In: a generator. Out: how many calls were stopped, or the pair of policies and the call for which it does not hold. Must not look at
//! what was added.

use std::sync::Arc;

use callgate::time::{ManualClock, Timestamp};
use callgate::{Code, Engine, Policy};

use crate::differ::ask;
use crate::generate::{Generator, Ways};

/// Calls of one pair of policies, and how many of them were stopped by the shorter one and how many by what was added.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stopped {
    /// All calls.
    pub calls: u64,
    /// Those that the policy stops.
    pub before: u64,
    /// Those that it lets through, and the longer one stops.
    pub added: u64,
}

/// Decides the calls of a generated case by a policy and by the same with an addition, each from the same counters.
///
/// # Errors
/// A call that the policy stops passes with the addition.
pub fn with_an_addition(generator: &mut Generator) -> Result<Stopped, String> {
    let case = generator.case();
    let text = generator.with_addition(&case.policy);
    let mut stopped = Stopped::default();
    // Some additions do not go together with the rest, such as a second counter of one name.
    let (Ok(policy), Ok(longer)) = (case.policy.parse::<Policy>(), text.parse::<Policy>()) else {
        return Ok(stopped);
    };
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let engine = Engine::builder(policy.clone()).clock(clock.clone()).build();
    for step in &case.steps {
        clock.set(Timestamp::from_millis(step.at));
        let explained = |engine: &Engine| ask(engine, step, None, Ways::default(), true).code();
        let before = explained(&engine);
        engine.replace(longer.clone());
        let after = explained(&engine);
        engine.replace(policy.clone());
        stopped.calls += 1;
        stopped.before += u64::from(before != Code::Allowed);
        stopped.added += u64::from(before == Code::Allowed && after != Code::Allowed);
        // An entry may list a tool that was not listed before.
        if !matches!(before, Code::Allowed | Code::NotListed) && after == Code::Allowed {
            return Err(format!("{}\n{text}\n{:?}\n{before:?}, {after:?}", case.policy, step.call));
        }
        // The counters go on by the shorter policy.
        let _ = ask(&engine, step, None, Ways::default(), false);
    }
    Ok(stopped)
}
