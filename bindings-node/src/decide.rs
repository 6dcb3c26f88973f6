//! One decision, whatever the form of the arguments and on whatever thread.
//!
//! In: a plan and a call. Out: the decision as bytes, and the audit record if one is wanted. Must not know JS.

use callgate::__binding::{BindDecision as _, BindEngine as _};
use callgate::value::{RawJson, View};
use callgate::{AuditedCall, Decision, Evaluation};

use crate::call::{Args, Given, Hash};
use crate::clock;
use crate::observed::{Observed, observed};
use crate::planned::Planned;
use crate::raw::Bytes;

/// A decision as it crosses the border.
#[napi_derive::napi(object, object_from_js = false)]
pub struct Answer {
    /// The decision, for the plan that made it to read.
    #[napi(ts_type = "string")]
    pub packed: Bytes,
    /// The audit record's JSON (spec 10.8), if one was asked for.
    pub audit: Option<String>,
    /// What a candidate says of the call, if there is one.
    #[napi(ts_type = "NativeObserved")]
    pub observed: Option<Observed>,
}

/// Decides a call by the plan's policy and charges what it costs.
pub(crate) fn decide<A: View + Clone, I: View + Clone>(plan: &Planned, given: Given<'_, A, I>) -> Answer {
    let decision = clock::at(given.now, || plan.engine.complete(evaluate(plan, &given)));
    let record = given.audit.as_ref().map(|hash| audited(plan, &given, hash));
    answer(&decision, record, None)
}

/// [`decide`], with what a candidate says of the call. `renew` is called before the call is read anew.
pub(crate) fn decide_observed<A: View + Clone, I: View + Clone>(
    plan: &Planned,
    given: Given<'_, A, I>,
    renew: impl FnOnce(),
) -> Answer {
    let decision = clock::at(given.now, || plan.engine.complete(evaluate(plan, &given)));
    let record = given.audit.as_ref().map(|hash| audited(plan, &given, hash));
    renew();
    let observed = observed(plan, &given, &decision);
    answer(&decision, record, observed)
}

/// Decides a call as far as that goes without counters.
pub(crate) fn evaluate<'p, A: View + Clone, I: View + Clone>(
    plan: &'p Planned,
    given: &Given<'p, A, I>,
) -> Evaluation<'p> {
    match &given.args {
        Args::Value(args) => plan.policy.evaluate(&given.call(plan.target(), args.clone())),
        Args::Raw(text) => plan.policy.evaluate_json(&given.call(plan.target(), *text)),
    }
}

/// What a record says of the call. After the decision: reading a call whole may use up what its checks need.
pub(crate) fn audited<A: View + Clone, I: View + Clone>(
    plan: &Planned,
    given: &Given<'_, A, I>,
    hash: &Hash,
) -> AuditedCall {
    match &given.args {
        Args::Value(args) => AuditedCall::new(&given.call(plan.target(), args.clone()), hash.choice()),
        // A text that is not valid arguments has no keys and no hash, like null.
        Args::Raw(text) => match RawJson::parse(text).or_else(|_| RawJson::parse("null")) {
            Ok(raw) => AuditedCall::new(&given.call(plan.target(), raw.root()), hash.choice()),
            Err(_) => AuditedCall::default(),
        },
    }
}

/// The decision as it crosses the border, with its record.
pub(crate) fn answer(
    decision: &Decision<'_>,
    record: Option<AuditedCall>,
    observed: Option<Observed>,
) -> Answer {
    let mut packed = Vec::new();
    decision.pack(&mut packed);
    Answer { packed: Bytes(packed), audit: record.map(|call| decision.audit_of(call).to_json()), observed }
}
