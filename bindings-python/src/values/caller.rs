//! Who calls.
//!
//! In: the `identity` that a host passes. Out: core's identity. Must not look anything up: the host vouches for it.

use callgate::Identity;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::budget::Budget;
use super::classes::exact;
use super::shape::Shape;
use super::view::{PyView, RootValue};

/// An identity as the host passed it.
pub(crate) enum Caller<'c, 'py> {
    Absent,
    Text(&'c Bound<'py, PyString>),
    /// Boxed: it is larger than all of a call, and mostly there are none.
    Claims(Box<RootValue<'c, 'py>>),
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
        Self::Claims(Box::new(RootValue::new(Some(identity), None, &budget)))
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
