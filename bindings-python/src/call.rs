//! Who calls, and with whose approval.
//!
//! In: the `identity` and `approved` that a host passes. Out: the core's identity and approval. Must not look anything
//! up: the host vouches for both.

use std::ops::Deref;

use callgate::{Approval, Identity};
use pyo3::CastError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::root::Top;
use crate::shape::{Shape, exact};
use crate::view::{Budget, PyView};

/// An identity as the host passed it.
pub(crate) enum Caller<'c, 'py> {
    Absent,
    Text(&'c Bound<'py, PyString>),
    Claims(Top<'c, 'py>),
}

impl<'c, 'py> Caller<'c, 'py> {
    /// `None` is absent.
    #[inline(always)]
    pub(crate) fn new(identity: Option<&'c Bound<'py, PyAny>>) -> Self {
        let Some(identity) = identity else { return Self::Absent };
        match exact::<PyString>(identity) {
            Some(text) => Self::Text(text),
            None => Self::of_claims(identity),
        }
    }

    #[inline(never)]
    fn of_claims(identity: &'c Bound<'py, PyAny>) -> Self {
        let budget = Budget::new();
        if let Ok(text) = identity.cast()
            && let Shape::String(_) = Shape::of(identity.clone(), &budget)
        {
            return Self::Text(text);
        }
        Self::Claims(Top::new(identity, None, &budget))
    }

    /// As the core sees it. What is neither a string nor an object denies (`invalid_identity`).
    #[inline(always)]
    pub(crate) fn identity<'r>(&'r self, budget: &'r Budget) -> Identity<'r, PyView<'r, 'py>> {
        match self {
            Self::Absent => Identity::Absent,
            Self::Text(text) => match text.to_str() {
                Ok(id) => Identity::Id(id),
                // A lone surrogate: unreadable, so no identity.
                Err(_) => Identity::Claims(PyView::new(text, budget)),
            },
            Self::Claims(claims) => Identity::Claims(claims.view(budget)),
        }
    }
}

/// The id that an identity is, or nothing for none; `None` where it is more, or no text.
#[inline(always)]
pub(crate) fn id<'c>(identity: Option<&'c Bound<'_, PyAny>>) -> Option<Option<&'c str>> {
    let Some(identity) = identity else { return Some(None) };
    exact::<PyString>(identity)?.to_str().ok().map(Some)
}

/// A tool's name as a host passed it: not read, because most are known by the string that they are.
pub(crate) struct ToolName<'a, 'py>(Borrowed<'a, 'py, PyString>);

impl<'a, 'py> FromPyObject<'a, 'py> for ToolName<'a, 'py> {
    type Error = CastError<'a, 'py>;

    #[inline(always)]
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> Result<Self, Self::Error> {
        // Asked first, because it is so for nearly all, and the cast asks for more.
        if object.is_exact_instance_of::<PyString>() { object.cast_exact() } else { object.cast() }.map(Self)
    }
}

impl<'py> Deref for ToolName<'_, 'py> {
    type Target = Bound<'py, PyString>;

    #[inline(always)]
    fn deref(&self) -> &Bound<'py, PyString> {
        &self.0
    }
}

/// An approval: the key of the decision that asked for it, and its own id.
#[derive(FromPyObject)]
struct Approved(String, String);

/// An approval that a host passes, boxed: mostly there is none, and room for one would be copied with each call.
pub(crate) struct Given(Box<Approved>);

impl<'a, 'py> FromPyObject<'a, 'py> for Given {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(Box::new(object.extract()?)))
    }
}

impl Given {
    /// One that is read where it is used: to be told that there is none is most of what reading them costs.
    #[cold]
    pub(crate) fn new(approved: &Bound<'_, PyAny>) -> PyResult<Self> {
        approved.extract().inspect_err(|error: &PyErr| {
            // What pyo3 says of the arguments that it reads.
            let note = "while processing 'approved'";
            let _ = error.value(approved.py()).call_method1("add_note", (note,));
        })
    }

    pub(crate) fn approval(&self) -> Approval<'_> {
        Approval::new(&self.0.0, &self.0.1)
    }
}
