//! One decision, whatever the form of the arguments and on whatever thread.
//!
//! In: an engine and a call. Out: the decision's JSON, its charges and the audit record if one is wanted. Must not know
//! JS.

use std::sync::Arc;

use callgate::{
    Approval, ArgsHash, Call, Decision, Engine, Identity, RawJson, Reservation as Charges, Unreadable, View,
};

use crate::clock;
use crate::reservation::Reservation;
use crate::snapshot::Snapshot;

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
    pub(crate) tool: &'a str,
    pub(crate) args: Args<'a, A>,
    pub(crate) identity: Identity<'a, I>,
    pub(crate) approval: Option<Approval<'a>>,
    /// Milliseconds since the epoch, if the host has a clock of its own.
    pub(crate) now: Option<f64>,
    /// How the audit record is to identify the arguments, if one is wanted.
    pub(crate) audit: Option<Hash>,
}

/// What the TypeScript half makes a `Decision` from.
pub struct Decided {
    json: String,
    charges: Option<Charges>,
    audit: Option<String>,
}

/// A decision as it crosses the border.
#[napi_derive::napi(object, object_from_js = false)]
pub struct Answer {
    /// The decision's JSON (spec 10.3).
    pub json: String,
    /// The charges, if there were any.
    pub reservation: Option<Reservation>,
    /// The audit record's JSON (spec 10.8), if one was asked for.
    pub audit: Option<String>,
}

impl Decided {
    fn new(mut decision: Decision<'_>, audit: Option<String>) -> Self {
        Self { json: decision.to_json(), charges: decision.take_reservation(), audit }
    }

    /// Puts the engine beside the charges, for their release.
    pub(crate) fn answer(self, engine: &Arc<Engine>) -> Answer {
        let reservation = self.charges.map(|charges| Reservation::new(engine.clone(), charges));
        Answer { json: self.json, reservation, audit: self.audit }
    }
}

/// Decides a call and charges what it costs.
pub(crate) fn decide<A: View + Clone, I: View + Clone>(engine: &Engine, given: Given<'_, A, I>) -> Decided {
    let Given { tool, args, identity, approval, now, audit } = given;
    let decision = clock::at(now, || match &args {
        Args::Value(args) => {
            engine.decide(&call(tool, args.clone(), identity.clone(), approval)).into_owned()
        }
        Args::Raw(text) => engine.decide_json(&call(tool, *text, identity.clone(), approval)).into_owned(),
    });
    let record = audit.map(|hash| match args {
        Args::Value(args) => decision.audit(&call(tool, args, identity, approval), hash.choice()),
        Args::Raw(text) => match RawJson::parse(text) {
            Ok(raw) => decision.audit(&call(tool, raw.root(), identity, approval), hash.choice()),
            // No keys and no hash: the text is no arguments.
            Err(_) => {
                let none = Snapshot::Unreadable(Unreadable::Host);
                decision.audit(&call(tool, &none, identity, approval), hash.choice())
            }
        },
    });
    Decided::new(decision, record.map(|record| record.to_json()))
}

/// A call, with its approval if it has one.
pub(crate) fn call<'a, A, I: View>(
    tool: &'a str,
    args: A,
    identity: Identity<'a, I>,
    approval: Option<Approval<'a>>,
) -> Call<'a, A, I> {
    let call = Call::new(tool, args).identity(identity);
    match approval {
        Some(approval) => call.approved(approval),
        None => call,
    }
}
