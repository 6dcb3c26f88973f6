//! A policy with counters and a clock, for the calls of one run.
//!
//! In: calls. Out: core's decisions and explanations. Must not decide anything itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use callgate::time::{Clock, ManualClock, SystemClock, Timestamp};
use callgate::{Decision, Engine, Explanation, Policy};
use callgate_host::{PolicyFile, StoreOptions, open_store};

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

/// Loads a policy. One that does not load fails with all its errors as excerpts.
pub(crate) fn load_policy(path: &Path) -> Result<Policy, Failure> {
    let file = PolicyFile::read(path)?;
    let policy = file.compile().map_err(|invalid| {
        let mut text = Excerpts::for_stderr().errors(&file, invalid.diagnostics());
        text.push_str("error: the policy does not load\n");
        Failure::Rendered(text)
    })?;
    if !policy.warnings().is_empty() {
        let count = policy.warnings().len();
        let s = if count == 1 { "" } else { "s" };
        tell(
            "warning",
            &format!("{} has {count} warning{s}: `callgate check` shows them", path.display()),
            None,
        );
    }
    Ok(policy)
}

/// An engine for one run.
pub(crate) struct Session {
    engine: Engine,
    clock: Arc<ReplayClock>,
}

impl Session {
    /// Loads a policy, and opens the counters that a URL names.
    pub(crate) fn load(path: &Path, store: &str) -> Result<Self, Failure> {
        let policy = load_policy(path)?;
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
