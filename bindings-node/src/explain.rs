//! Explanations: the decision that would be made, with every check that leads to it.
//!
//! In: core's checks. Out: the same as plain objects. Charges nothing.

use callgate::__binding::{BindDecision as _, BindPolicy as _, Explaining};
use callgate::value::View;
use callgate::{Check as Made, Explanation};
use napi_derive::napi;

use crate::call::{Args, Given};
use crate::clock;
use crate::planned::Planned;
use crate::raw::Bytes;

/// One check that an evaluation makes.
#[napi(object, object_from_js = false)]
pub struct Check {
    /// JSON Pointer to its place in the policy; empty where it has none.
    pub pointer: String,
    /// What is checked, for people: not stable.
    pub what: String,
    /// The outcome: `holds`, `fails`, `unknown`, `passes`, `denies`, …
    pub outcome: String,
    /// Why, where there is more to say. Carries no argument values.
    pub why: Option<String>,
    /// The checks that it consists of.
    pub checks: Vec<Check>,
}

/// A decision that would be made, and why.
#[napi(object, object_from_js = false)]
pub struct Explained {
    /// The decision, for the plan that made it to read.
    #[napi(ts_type = "string")]
    pub packed: Bytes,
    /// The checks, in the order in which they are made.
    pub checks: Vec<Check>,
}

/// Recursion is bounded by the nesting of a policy.
impl From<Made> for Check {
    fn from(made: Made) -> Self {
        let checks = made.checks.into_iter().map(Self::from).collect();
        Self { pointer: made.pointer, what: made.what, outcome: made.outcome, why: made.why, checks }
    }
}

/// What there is to tell of an explanation.
pub(crate) fn explained(explanation: Explanation<'_>) -> Explained {
    let mut packed = Vec::new();
    explanation.decision.pack(&mut packed);
    Explained { packed: Bytes(packed), checks: explanation.checks.into_iter().map(Check::from).collect() }
}

/// What would be decided by the plan's policy, as far as that goes without counters.
pub(crate) fn begin_explaining<'p, A: View + Clone, I: View + Clone>(
    plan: &'p Planned,
    given: &Given<'p, A, I>,
) -> Explaining<'p, 'p> {
    match &given.args {
        Args::Value(args) => plan.policy.begin_explaining(&given.call(plan.target(), args.clone())),
        Args::Raw(text) => plan.policy.begin_explaining_json(&given.call(plan.target(), *text)),
    }
}

/// What the engine would decide now.
pub(crate) fn explain<A: View + Clone, I: View + Clone>(
    plan: &Planned,
    given: &Given<'_, A, I>,
) -> Explained {
    explained(clock::at(given.now, || match &given.args {
        Args::Value(args) => plan.engine.explain(&given.call(plan.target(), args.clone())),
        Args::Raw(text) => plan.engine.explain_json(&given.call(plan.target(), *text)),
    }))
}
