//! A call as a host passed it.
//!
//! In: views of what `evaluate` and its like got. Out: core's call. Must not look anything up: the host vouches for the identity and
//! the approval.

use callgate::__binding::{Target, call_of};
use callgate::time::Timestamp;
use callgate::{Approval, Call, Identity};
use pyo3::prelude::*;

use super::clock::timestamp;

/// The call of a tool or of another method, by whom and with what the host passed beside its arguments.
#[inline(always)]
pub(super) fn host_call<'c, A, I>(
    target: Target<'c>,
    args: A,
    identity: Identity<'c, I>,
    approval: Option<&'c GivenApproval>,
    check: Option<&'c callgate::ArgsCheck>,
    server: Option<&'c str>,
) -> Call<'c, A, I> {
    let mut call = with_server(call_of(target, args).identity(identity), server);
    if let Some(given) = approval {
        call = call.approved(given.approval());
    }
    match check {
        Some(check) => call.checked(check),
        None => call,
    }
}

/// The call to a server of this name, if it is given.
#[inline(always)]
pub(crate) fn with_server<'c, A, I>(call: Call<'c, A, I>, server: Option<&'c str>) -> Call<'c, A, I> {
    match server {
        Some(server) => call.server(server),
        None => call,
    }
}

/// An approval: the key of the decision that asked for it, its own id, and when it was given. Boxed: mostly there is none, and room
/// for one would be copied with each call.
pub(super) struct GivenApproval(Box<(String, String, Option<Timestamp>)>);

impl GivenApproval {
    /// `approved` is a tuple of two strings, and seconds or `None`, which may be left out.
    #[inline]
    pub(super) fn new(approved: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Self>> {
        approved.map(Self::extract).transpose()
    }

    #[cold]
    fn extract(approved: &Bound<'_, PyAny>) -> PyResult<Self> {
        let given = Self::read(approved).inspect_err(|error: &PyErr| {
            // What pyo3 says of the arguments that it reads.
            let note = "while processing 'approved'";
            let _ = error.value(approved.py()).call_method1("add_note", (note,));
        })?;
        Ok(Self(Box::new(given)))
    }

    fn read(approved: &Bound<'_, PyAny>) -> PyResult<(String, String, Option<Timestamp>)> {
        if let Ok((key, id)) = approved.extract() {
            return Ok((key, id, None));
        }
        let (key, id, at): (String, String, Option<Bound<'_, PyAny>>) = approved.extract()?;
        Ok((key, id, at.map(|at| timestamp(&at)).transpose()?))
    }

    fn approval(&self) -> Approval<'_> {
        let (key, id, given_at) = &*self.0;
        let approval = Approval::new(key, id);
        match given_at {
            Some(at) => approval.given_at(*at),
            None => approval,
        }
    }
}
