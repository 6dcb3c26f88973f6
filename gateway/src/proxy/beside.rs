//! A candidate policy that decides beside the one in force, or in a dry run beside none (spec 10.11).
//!
//! In: calls that were decided. Out: what the candidate says of them. Must not change what becomes of a call.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use callgate::{Call, Decision, Engine, Policy};
use callgate_host::{Candidate, NoVerdict, Observed, Observer, SharedStore};
use tokio::time::{Instant, sleep};

/// What is added to the namespace of the counters in force.
const NAMESPACE: &str = ".candidate";

/// How long the record of a call that has ended waits for what the candidate says of it.
const VERDICT: Duration = Duration::from_secs(1);
/// How often that is looked for.
const LOOK: Duration = Duration::from_millis(2);

/// Waits until the candidate has decided, or should have.
pub(super) async fn verdict(observed: &Observed) {
    let began = Instant::now();
    while observed.error() == Some(NoVerdict::Pending) && began.elapsed() < VERDICT {
        sleep(LOOK).await;
    }
}

/// A candidate, and where it counts.
pub(super) struct Beside {
    observer: Observer,
    /// That of the policy in force; without one, an engine that decides nothing.
    engine: Arc<Engine>,
    store: SharedStore,
}

impl Beside {
    /// Counts in the same store under another name, so that a client that starts anew gets no new limits.
    ///
    /// # Errors
    /// The store does not admit the name.
    pub(super) fn new(
        candidate: Policy,
        engine: Option<Arc<Engine>>,
        store: &SharedStore,
    ) -> io::Result<Self> {
        let engine = engine.unwrap_or_else(|| Arc::new(Engine::new(candidate.clone())));
        let store =
            store.namespaced(&format!("{}{NAMESPACE}", store.namespace())).map_err(io::Error::other)?;
        let beside = Self { observer: Observer::new(), engine, store };
        beside.replace(candidate)?;
        Ok(beside)
    }

    /// Another candidate, which goes on with the counters of the one before.
    ///
    /// # Errors
    /// Its counters are those of the policy in force.
    pub(super) fn replace(&self, candidate: Policy) -> io::Result<()> {
        let candidate = Candidate::new(candidate).store(&self.store);
        self.observer.observe(&self.engine, candidate).map_err(io::Error::other)
    }

    pub(super) fn candidate(&self) -> Option<Policy> {
        self.observer.candidate()
    }

    pub(super) fn decided(&self, call: &Call<'_, &str>, decision: Option<&Decision<'_>>) -> Option<Observed> {
        self.observer.decided_json(call, decision)
    }
}
