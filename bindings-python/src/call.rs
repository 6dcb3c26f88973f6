//! Who calls, and with whose approval.
//!
//! In: the `identity` and `approved` that a host passes. Out: the core's identity and approval. Must not look anything
//! up: the host vouches for both.

use callgate::{Approval, Identity};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::shape::Shape;
use crate::view::{Budget, PyView};

/// An identity as the host passed it.
pub(crate) enum Caller<'py> {
    Absent,
    Text(Bound<'py, PyString>),
    Other(Bound<'py, PyAny>),
}

impl<'py> Caller<'py> {
    /// `None` is absent.
    pub(crate) fn new(identity: Option<&Bound<'py, PyAny>>) -> Self {
        let Some(identity) = identity else { return Self::Absent };
        if let Ok(text) = identity.cast_exact::<PyString>() {
            return Self::Text(text.clone());
        }
        match Shape::of(identity, &Budget::new()) {
            Shape::String(text) => Self::Text(text),
            _ => Self::Other(identity.clone()),
        }
    }

    /// As the core sees it. What is neither a string nor an object denies (`invalid_identity`).
    pub(crate) fn identity<'c>(&'c self, budget: &'c Budget) -> Identity<'c, PyView<'c, 'py>> {
        match self {
            Self::Absent => Identity::Absent,
            Self::Text(text) => match text.to_str() {
                Ok(id) => Identity::Id(id),
                // A lone surrogate: unreadable, so no identity.
                Err(_) => Identity::Claims(PyView::new(text, budget)),
            },
            Self::Other(claims) => Identity::Claims(PyView::new(claims, budget)),
        }
    }
}

/// An approval: the key of the decision that asked for it, and its own id.
#[derive(FromPyObject)]
pub(crate) struct Approved(String, String);

impl Approved {
    pub(crate) fn approval(&self) -> Approval<'_> {
        Approval::new(&self.0, &self.1)
    }
}
