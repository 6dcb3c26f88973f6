//! One decision, whatever the form of the arguments and on whatever thread.
//!
//! In: a plan and a call. Out: the decision as bytes, and the audit record if one is wanted. Must not know JS.

use std::sync::Arc;

use callgate::__binding::{BindDecision as _, BindEngine as _, Target, call_of};
use callgate::value::{RawJson, View};
use callgate::{Approval, ArgsCheck, ArgsHash, AuditedCall, Call, Decision, Evaluation, Identity};

use crate::clock;
use crate::plan::Planned;
use crate::raw::Bytes;

/// How audit records identify arguments (spec 10.8).
#[derive(Clone, Default)]
pub(crate) enum Hash {
    #[default]
    None,
    Sha256,
    HmacSha256(Arc<[u8]>),
}

impl Hash {
    fn choice(&self) -> ArgsHash<'_> {
        match self {
            Self::None => ArgsHash::None,
            Self::Sha256 => ArgsHash::Sha256,
            Self::HmacSha256(key) => ArgsHash::HmacSha256(key),
        }
    }
}

/// The arguments of a call. Absent ones are an empty object (spec 3.2).
pub(crate) enum Args<'a, A> {
    Value(A),
    Raw(&'a str),
}

/// A call to decide.
pub(crate) struct Given<'a, A, I> {
    pub(crate) args: Args<'a, A>,
    pub(crate) identity: Identity<'a, I>,
    pub(crate) approval: Option<Approval<'a>>,
    /// What is checked in the arguments, if anything.
    pub(crate) check: Option<&'a ArgsCheck>,
    /// Milliseconds since the epoch, if the host has a clock of its own.
    pub(crate) now: Option<f64>,
    /// How the audit record is to identify the arguments, if one is wanted.
    pub(crate) audit: Option<Hash>,
}

/// A decision as it crosses the border.
#[napi_derive::napi(object, object_from_js = false)]
pub struct Answer {
    /// The decision, for the plan that made it to read.
    #[napi(ts_type = "string")]
    pub packed: Bytes,
    /// The audit record's JSON (spec 10.8), if one was asked for.
    pub audit: Option<String>,
}

/// Decides a call by the plan's policy and charges what it costs.
pub(crate) fn decide<A: View + Clone, I: View + Clone>(plan: &Planned, given: Given<'_, A, I>) -> Answer {
    let decision = clock::at(given.now, || plan.engine.complete(evaluate(plan, &given)));
    let record = given.audit.as_ref().map(|hash| audited(plan, &given, hash));
    answer(&decision, record)
}

/// Decides a call as far as that goes without counters.
pub(crate) fn evaluate<'p, A: View + Clone, I: View + Clone>(
    plan: &'p Planned,
    given: &Given<'p, A, I>,
) -> Evaluation<'p> {
    let (target, identity, approval) = (plan.target(), given.identity.clone(), given.approval);
    match &given.args {
        Args::Value(args) => {
            plan.policy.evaluate(&checked(call(target, args.clone(), identity, approval), given.check))
        }
        Args::Raw(text) => {
            plan.policy.evaluate_json(&checked(call(target, *text, identity, approval), given.check))
        }
    }
}

/// What a record says of the call. After the decision: reading a call whole may use up what its checks need.
pub(crate) fn audited<A: View + Clone, I: View + Clone>(
    plan: &Planned,
    given: &Given<'_, A, I>,
    hash: &Hash,
) -> AuditedCall {
    let (target, identity, approval) = (plan.target(), given.identity.clone(), given.approval);
    match &given.args {
        Args::Value(args) => AuditedCall::new(&call(target, args.clone(), identity, approval), hash.choice()),
        // A text that is not valid arguments has no keys and no hash, like null.
        Args::Raw(text) => match RawJson::parse(text).or_else(|_| RawJson::parse("null")) {
            Ok(raw) => AuditedCall::new(&call(target, raw.root(), identity, approval), hash.choice()),
            Err(_) => AuditedCall::default(),
        },
    }
}

/// The decision as it crosses the border, with its record.
pub(crate) fn answer(decision: &Decision<'_>, record: Option<AuditedCall>) -> Answer {
    let mut packed = Vec::new();
    decision.pack(&mut packed);
    Answer { packed: Bytes(packed), audit: record.map(|call| decision.audit_of(call).to_json()) }
}

/// A call, with its approval if it has one.
pub(crate) fn call<'a, A, I: View>(
    target: Target<'a>,
    args: A,
    identity: Identity<'a, I>,
    approval: Option<Approval<'a>>,
) -> Call<'a, A, I> {
    let call = call_of(target, args).identity(identity);
    match approval {
        Some(approval) => call.approved(approval),
        None => call,
    }
}

/// The call with what is checked in its arguments.
pub(crate) fn checked<'a, A, I>(call: Call<'a, A, I>, check: Option<&'a ArgsCheck>) -> Call<'a, A, I> {
    match check {
        Some(check) => call.checked(check),
        None => call,
    }
}
