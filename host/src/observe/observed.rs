//! What a candidate says of one call.
//!
//! In: its decision, or why there is none, and the enforced one. Out: both, compared. Must not hold an argument.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use callgate::time::Timestamp;
use callgate::{Actual, Code, Decision, Effect, Engine, Outcome, Reservation};
use serde_json::{Value, json};

use super::table::Table;
use super::time::at;
use super::{Observing, lock};

/// How a candidate's decision differs from the enforced one. From loose to tight: allow, require approval, deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flip {
    /// The effect is the same.
    None,
    /// The candidate is looser.
    Looser,
    /// The candidate is tighter.
    Tighter,
}

impl Flip {
    /// `none`, `looser` or `tighter`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Looser => "looser",
            Self::Tighter => "tighter",
        }
    }

    fn between(enforced: Effect, candidate: Effect) -> Self {
        let tightness = |effect| match effect {
            Effect::Allow => 0,
            Effect::RequireApproval => 1,
            _ => 2,
        };
        match tightness(candidate).cmp(&tightness(enforced)) {
            std::cmp::Ordering::Less => Self::Looser,
            std::cmp::Ordering::Equal => Self::None,
            std::cmp::Ordering::Greater => Self::Tighter,
        }
    }
}

/// Why a candidate says nothing of a call. It is counted, and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoVerdict {
    /// Its store has not answered yet.
    Pending,
    /// Its store did not answer, or answered with an error.
    StoreUnavailable,
    /// Too many calls wait for its store.
    Overloaded,
    /// It failed otherwise.
    Failed,
}

impl NoVerdict {
    /// `pending`, `store_unavailable`, `overloaded` or `failed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::StoreUnavailable => "store_unavailable",
            Self::Overloaded => "overloaded",
            Self::Failed => "failed",
        }
    }
}

/// The rule of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RuleSummary {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// JSON Pointer into its policy.
    pub pointer: String,
    /// Line in its policy's text, from 1.
    pub line: u32,
}

/// The parts of a decision by which decisions are compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DecisionSummary {
    /// What is to happen with the call.
    pub effect: Effect,
    /// Why.
    pub code: Code,
    /// The rule that decided, if one did.
    pub rule: Option<RuleSummary>,
}

impl DecisionSummary {
    pub(super) fn new(decision: &Decision<'_>) -> Self {
        let rule = decision.rule().map(|rule| RuleSummary {
            name: rule.name().map(str::to_owned),
            pointer: rule.pointer().to_owned(),
            line: rule.line(),
        });
        Self { effect: decision.effect(), code: decision.code(), rule }
    }

    pub(super) fn json(&self) -> Value {
        let rule = self.rule.as_ref();
        let rule = rule.map(|rule| json!({"name": rule.name, "pointer": rule.pointer, "line": rule.line}));
        json!({"effect": self.effect.as_str(), "code": self.code.as_str(), "rule": rule})
    }
}

/// What a candidate says of one call. Clones are one.
#[derive(Clone)]
pub struct Observed {
    observing: Arc<Observing>,
    shared: Arc<Shared>,
}

impl Observed {
    pub(super) fn new(observing: Arc<Observing>, shared: Arc<Shared>) -> Self {
        Self { observing, shared }
    }

    /// The candidate's decision. Nobody may act on it.
    pub fn decision(&self) -> Option<&Decision<'static>> {
        self.shared.told.get()?.as_ref().ok()
    }

    /// Why there is no decision; `None` if there is one. [`NoVerdict::Pending`] may change.
    pub fn error(&self) -> Option<NoVerdict> {
        self.shared.told.get().map_or(Some(NoVerdict::Pending), |told| told.as_ref().err().copied())
    }

    /// How the decision differs from the enforced one, if there is a decision.
    pub fn flip(&self) -> Option<Flip> {
        self.decision().map(|decision| self.shared.flip(decision))
    }

    /// `{effect, code, rule, flip}` as JSON, the same in every language; `None` without a decision. `rule` is null or
    /// `{name, pointer, line}`.
    pub fn to_json(&self) -> Option<String> {
        let decision = self.decision()?;
        let mut json = DecisionSummary::new(decision).json();
        if let Some(json) = json.as_object_mut() {
            json.insert("flip".to_owned(), self.shared.flip(decision).as_str().into());
        }
        Some(json.to_string())
    }

    /// Says how the call ended, as [`Engine::finish`] does for the policy in force: what that gives back of the candidate's
    /// charges is given back. To be called for a call that was allowed, also where the policy in force charged nothing. If the policy in
    /// force refused the call, the charges stand. Does not wait.
    pub fn finish(&self, outcome: Outcome) {
        self.observing.end(&self.shared, Ending::Ended(outcome));
    }

    /// Makes the candidate's charges what the call really cost, as [`Engine::settle`] does for the policy in force. Where `actual`
    /// does not fit them, they stand, and only the call in flight has ended. Does not wait.
    pub fn settle(&self, actual: impl Into<Actual>) {
        self.observing.end(&self.shared, Ending::Settled(actual.into()));
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("decision", &self.decision()).field("error", &self.error()).finish()
    }
}

/// How the charges of a call end.
pub(super) enum Ending {
    Ended(Outcome),
    Settled(Actual),
}

/// One call, in the hands of the host and of the candidate's thread.
pub(super) struct Shared {
    /// `None` in a dry run.
    enforced: Option<DecisionSummary>,
    pub(super) now: Timestamp,
    told: OnceLock<Result<Decision<'static>, NoVerdict>>,
    /// The charges that the host may give back.
    reservation: Mutex<Option<Reservation>>,
}

impl Shared {
    pub(super) fn new(enforced: Option<&Decision<'_>>, now: Timestamp) -> Self {
        let enforced = enforced.map(DecisionSummary::new);
        Self { enforced, now, told: OnceLock::new(), reservation: Mutex::new(None) }
    }

    fn enforced(&self) -> Effect {
        self.enforced.as_ref().map_or(Effect::Allow, |enforced| enforced.effect)
    }

    fn flip(&self, decision: &Decision<'_>) -> Flip {
        Flip::between(self.enforced(), decision.effect())
    }

    pub(super) fn decided(&self, decision: Decision<'static>, table: &Mutex<Table>) {
        if decision.code() == Code::StoreUnavailable {
            return self.failed(NoVerdict::StoreUnavailable, table);
        }
        if self.enforced() == Effect::Allow {
            *lock(&self.reservation) = decision.take_reservation();
        }
        lock(table).add(&decision, self.enforced.as_ref(), self.flip(&decision), self.now);
        // Nobody else tells.
        let _ = self.told.set(Ok(decision));
    }

    pub(super) fn failed(&self, why: NoVerdict, table: &Mutex<Table>) {
        lock(table).fail();
        let _ = self.told.set(Err(why));
    }

    /// Ends the charges, once. What cannot be ended stands.
    pub(super) fn end(&self, engine: &Engine, ending: &Ending, now: Timestamp) {
        let ends = |reservation: &mut Reservation| match ending {
            // What stands may still be settled.
            Ending::Ended(outcome) => reservation.gives_back(*outcome),
            Ending::Settled(_) => true,
        };
        let Some(mut reservation) = lock(&self.reservation).take_if(ends) else { return };
        let _ = at(now, || match ending {
            Ending::Ended(outcome) => engine.finish(&mut reservation, *outcome),
            Ending::Settled(actual) => match engine.settle(&mut reservation, actual.clone()) {
                // What does not fit settles nothing, but the call has ended.
                Err(_) if reservation.is_open() => engine.finish(&mut reservation, Outcome::Done),
                settled => settled,
            },
        });
    }
}
