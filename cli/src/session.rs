//! A policy with counters and a clock, for the calls of one run.
//!
//! In: calls. Out: core's decisions and explanations. Must not decide anything itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use callgate::time::{Clock, ManualClock, SystemClock, Timestamp};
use callgate::{Decision, Engine, Explanation, Policy};
use callgate_host::{PolicyFiles, StoreOptions, open_store};

use crate::call::GivenCall;
use crate::excerpt::Excerpts;
use crate::failure::{Failure, tell};

/// The machine's clock until a call has a time; then that time, until another call has one.
struct ReplayClock {
    manual: ManualClock,
    set: AtomicBool,
}

impl ReplayClock {
    fn set(&self, now: Timestamp) {
        self.manual.set(now);
        self.set.store(true, Ordering::SeqCst);
    }
}

impl Clock for ReplayClock {
    fn now(&self) -> Timestamp {
        if self.set.load(Ordering::SeqCst) { self.manual.now() } else { SystemClock.now() }
    }
}

/// Loads a policy, or several as a stack. Those that do not load fail with all their errors as excerpts.
pub(crate) fn load_policy(paths: &[PathBuf]) -> Result<Policy, Failure> {
    let files = PolicyFiles::read(paths).map_err(|error| Failure::new(error.to_string()))?;
    let (mut policies, mut errors) = (Vec::new(), String::new());
    for file in files.files() {
        match file.compile() {
            Ok(policy) => policies.push(policy),
            Err(invalid) => {
                errors.push_str(&Excerpts::for_stderr().errors(file, invalid.diagnostics()));
            }
        }
    }
    if !errors.is_empty() {
        errors.push_str("error: the policy does not load\n");
        return Err(Failure::Rendered(errors));
    }
    for (file, policy) in files.files().iter().zip(&policies) {
        let count = policy.warnings().len();
        if count > 0 {
            let s = if count == 1 { "" } else { "s" };
            let path = file.path().display();
            tell("warning", &format!("{path} has {count} warning{s}: `callgate check` shows them"), None);
        }
    }
    files.stack(policies).map_err(|error| Failure::new(error.to_string()))
}

/// An engine for one run.
pub(crate) struct Session {
    engine: Engine,
    clock: Arc<ReplayClock>,
}

impl Session {
    /// Loads a policy or a stack, and opens the counters that a URL names.
    pub(crate) fn load(paths: &[PathBuf], store: &str) -> Result<Self, Failure> {
        let policy = load_policy(paths)?;
        let store = open_store(store, &StoreOptions::new())?.blocking();
        let clock =
            Arc::new(ReplayClock { manual: ManualClock::new(Timestamp::MIN), set: AtomicBool::new(false) });
        let engine = Engine::builder(policy).store(store).clock(clock.clone()).build();
        Ok(Self { engine, clock })
    }

    /// Sets the clock.
    pub(crate) fn set_clock(&self, now: Timestamp) {
        self.clock.set(now);
    }

    /// What the clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Decides a call at its time, and charges what it costs.
    pub(crate) fn decide<'c>(&self, given: &'c GivenCall<'_>) -> Decision<'c> {
        given.at.into_iter().for_each(|at| self.clock.set(at));
        self.engine.decide_json(&given.call())
    }

    /// Explains a call at its time. Charges nothing.
    pub(crate) fn explain<'c>(&self, given: &'c GivenCall<'_>) -> Explanation<'c> {
        given.at.into_iter().for_each(|at| self.clock.set(at));
        self.engine.explain_json(&given.call())
    }
}
