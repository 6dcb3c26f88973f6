//! What a candidate says of a call (spec 10.11).
//!
//! In: a candidate, and calls that were decided. Out: what it says, in JS terms. Must not fail a call.

use callgate::Decision;
use callgate::value::View;
use callgate_host::{Begun, Observed as Core};
use napi_derive::napi;

use crate::call::{Args, Given};
use crate::clock;
use crate::failure::Failure;
use crate::planned::Planned;
use crate::reservation::Finish;

/// What a candidate says of one call.
#[napi(js_name = "NativeObserved")]
pub struct Observed(Core);

#[napi]
impl Observed {
    /// `{effect, code, rule, flip}`; null where the candidate failed, and as long as its store has not answered.
    #[napi(catch_unwind)]
    pub fn json(&self) -> Option<String> {
        self.0.to_json()
    }

    /// Says how the call ended.
    #[napi(catch_unwind)]
    pub fn finish(&self, outcome: String, now: Option<f64>) -> Result<(), Failure> {
        self.end(Finish::ended(&outcome)?, now);
        Ok(())
    }

    /// Makes the candidate's charges what the call really cost, where the amounts fit them.
    #[napi(catch_unwind)]
    pub fn settle(
        &self,
        names: Option<Vec<String>>,
        amounts: Vec<String>,
        now: Option<f64>,
    ) -> Result<(), Failure> {
        self.end(Finish::settled(names, &amounts)?, now);
        Ok(())
    }
}

impl Observed {
    fn end(&self, how: Finish, now: Option<f64>) {
        clock::at(now, || match how {
            Finish::Ended(outcome) => self.0.finish(outcome),
            Finish::Settled(actual) => self.0.settle(actual),
        });
    }
}

/// What a candidate says of a call that was decided.
pub(crate) fn observed<A: View + Clone, I: View + Clone>(
    plan: &Planned,
    given: &Given<'_, A, I>,
    decision: &Decision<'_>,
) -> Option<Observed> {
    let observed = clock::at(given.now, || match &given.args {
        Args::Value(args) => plan.observer.decided(&given.call(plan.target(), args.clone()), Some(decision)),
        Args::Raw(text) => plan.observer.decided_json(&given.call(plan.target(), *text), Some(decision)),
    });
    observed.map(Observed)
}

/// What a candidate says of a call that is yet to be decided.
pub(crate) fn begun<A: View + Clone, I: View + Clone>(
    plan: &Planned,
    given: &Given<'_, A, I>,
) -> Option<Begun> {
    clock::at(given.now, || match &given.args {
        Args::Value(args) => plan.observer.begin(&given.call(plan.target(), args.clone())),
        Args::Raw(text) => plan.observer.begin_json(&given.call(plan.target(), *text)),
    })
}

/// What follows for the candidate from the decision.
pub(crate) fn concluded(begun: Option<Begun>, decision: &Decision<'_>) -> Option<Observed> {
    begun.map(|begun| Observed(begun.decided(Some(decision))))
}
