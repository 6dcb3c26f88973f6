//! A call as a host passed it.
//!
//! In: views of what `evaluate` and its like got. Out: core's call. Must not look anything up: the host vouches for the identity and
//! the approval.

use callgate::__binding::{Target, call_of};
use callgate::{Approval, Call, Identity};
use pyo3::prelude::*;

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
        call = call.approved(Approval::new(&given.0.0, &given.0.1));
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

/// An approval: the key of the decision that asked for it, and its own id. Boxed: mostly there is none, and room for one would be
/// copied with each call.
pub(super) struct GivenApproval(Box<(String, String)>);

impl GivenApproval {
    /// `approved` is a tuple of two strings.
    #[inline]
    pub(super) fn new(approved: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Self>> {
        approved.map(Self::extract).transpose()
    }

    #[cold]
    fn extract(approved: &Bound<'_, PyAny>) -> PyResult<Self> {
        let given = approved.extract().inspect_err(|error: &PyErr| {
            // What pyo3 says of the arguments that it reads.
            let note = "while processing 'approved'";
            let _ = error.value(approved.py()).call_method1("add_note", (note,));
        })?;
        Ok(Self(Box::new(given)))
    }
}
