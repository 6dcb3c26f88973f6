//! Calls of several rounds (spec 8.16, G5), and the guard's own questions, which are rounds too (G6.8).
//!
//! In: a call whose server, or whose guard, asked for input; later, what a client brings. Out: the same call, once, or none. Must not give
//! a call to another caller, tool or arguments, or twice; must not keep more than it may.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callgate::Outcome;
use serde_json::json;
use tokio::time::Instant;

use crate::call::digest;
use crate::mistake;
use crate::running::Running;
use crate::waiting::Place;

/// For how long a call may go on after the server asked.
const RESUMES_FOR: Duration = Duration::from_secs(600);
/// The most rounds of one call.
const ROUNDS: u32 = 8;
/// The most calls that wait for input, of one caller and in all. One more has ended, and is a new call when it comes again.
const OF_ONE: usize = 1_000;
const OF_ALL: usize = 10_000;
/// How the state of a guard's own question begins.
const OWN: &str = "callgate:";
/// The member of `inputRequests` that is the guard's.
pub(crate) const QUESTION: &str = "callgate/approval";

/// Which call it is that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    state: String,
    /// The tool, arguments and caller.
    likeness: String,
    /// Where the transport is the guard's: an instance of the guard for HTTP without sessions serves one request.
    connection: Option<u64>,
}

/// What waits for the client's input.
pub(crate) enum Round {
    /// A call that the server has begun with.
    Call(Box<Running>),
    /// The guard asked whether this approval key is approved.
    Question { key: String, _place: Place },
}

struct Waiting {
    round: Round,
    until: Instant,
    /// The caller's id.
    caller: Option<String>,
}

/// All that wait, over all connections of a guard.
#[derive(Default)]
pub(crate) struct Rounds(Mutex<HashMap<Key, Waiting>>);

impl Key {
    /// `None` where the call has no canonical form: it does not go on then.
    pub(crate) fn new(state: &str, likeness: Option<&str>, connection: Option<u64>) -> Option<Self> {
        let likeness = if mistake::is_on("round_of_another_call") { "" } else { likeness? };
        Some(Self { state: digest(&json!({ "state": state }))?, likeness: likeness.to_owned(), connection })
    }
}

/// A new state of the guard's own. Nobody can choose or foresee it.
pub(crate) fn own_state() -> String {
    format!("{OWN}{}", random())
}

/// Whether a state is the guard's: such a one never reaches the server.
pub(crate) fn is_own(state: &str) -> bool {
    state.starts_with(OWN)
}

/// 32 digits, keyed anew by the system's random numbers.
pub(crate) fn random() -> String {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

impl Rounds {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a round until its client brings it; gives it back where too many wait.
    pub(crate) fn keep(
        self: &Arc<Self>,
        key: Key,
        round: Round,
        caller: Option<&str>,
        lasts: Option<Duration>,
    ) -> Result<(), Round> {
        let Some(until) = Instant::now().checked_add(lasts.unwrap_or(RESUMES_FOR)) else { return Err(round) };
        let before = {
            let mut waiting = self.lock();
            let of_one = || waiting.values().filter(|one| one.caller.as_deref() == caller).count();
            if waiting.len() >= OF_ALL || of_one() >= OF_ONE {
                return Err(round);
            }
            waiting.insert(key.clone(), Waiting { round, until, caller: caller.map(str::to_owned) })
        };
        // Two calls with one state cannot be told apart: the earlier one has ended.
        end(before, Outcome::Done);
        let rounds = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            if let Some(rounds) = rounds.upgrade() {
                let over = {
                    let mut waiting = rounds.lock();
                    let is_over = waiting.get(&key).is_some_and(|one| one.until <= until);
                    if is_over { waiting.remove(&key) } else { None }
                };
                end(over, Outcome::TimedOut);
            }
        });
        Ok(())
    }

    /// What the client goes on with; `None` for what is a new call.
    pub(crate) fn take(&self, key: &Key) -> Option<Round> {
        let found = self.lock().remove(key)?;
        match &found.round {
            _ if found.until <= Instant::now() => {
                end(Some(found), Outcome::TimedOut);
                None
            }
            Round::Call(running) if running.rounds >= ROUNDS || !running.is_in_force() => {
                end(Some(found), Outcome::Done);
                None
            }
            Round::Call(_) | Round::Question { .. } => Some(found.round),
        }
    }

    /// A connection has ended, and what waited on it.
    pub(crate) fn close(&self, connection: Option<u64>) {
        if connection.is_none() {
            return;
        }
        let over: Vec<Waiting> = {
            let mut waiting = self.lock();
            let keys: Vec<Key> = waiting.keys().filter(|key| key.connection == connection).cloned().collect();
            keys.iter().filter_map(|key| waiting.remove(key)).collect()
        };
        over.into_iter().for_each(|one| end(Some(one), Outcome::Lost));
    }
}

/// The call does not go on.
fn end(waiting: Option<Waiting>, outcome: Outcome) {
    if let Some(Waiting { round: Round::Call(running), .. }) = waiting {
        running.ends_unanswered(outcome);
    }
}
