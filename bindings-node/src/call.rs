//! A call as core takes it, whatever the form of its arguments.
//!
//! In: the parts of a call. Out: core's call. Must not know JS, nor a plan.

use std::sync::Arc;

use callgate::__binding::{Target, call_of};
use callgate::value::View;
use callgate::{Approval, ArgsCheck, ArgsHash, Call, Identity};

/// How audit records identify arguments (spec 10.8).
#[derive(Clone, Default)]
pub(crate) enum Hash {
    #[default]
    None,
    Sha256,
    HmacSha256(Arc<[u8]>),
}

impl Hash {
    pub(crate) fn choice(&self) -> ArgsHash<'_> {
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
    /// The name of the server that the call goes to.
    pub(crate) server: Option<&'a str>,
    /// Milliseconds since the epoch, if the host has a clock of its own.
    pub(crate) now: Option<f64>,
    /// How the audit record is to identify the arguments, if one is wanted.
    pub(crate) audit: Option<Hash>,
}

impl<'a, A, I: View + Clone> Given<'a, A, I> {
    /// The call with these arguments, and all that is given beside them.
    pub(crate) fn call<V>(&self, target: Target<'a>, args: V) -> Call<'a, V, I> {
        let mut call = call_of(target, args).identity(self.identity.clone());
        if let Some(approval) = self.approval {
            call = call.approved(approval);
        }
        if let Some(server) = self.server {
            call = call.server(server);
        }
        if let Some(check) = self.check {
            call = call.checked(check);
        }
        call
    }
}
