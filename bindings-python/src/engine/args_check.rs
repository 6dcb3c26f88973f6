//! What a host wants checked in arguments before any rule, as Python sees it (spec 3.7, 3.8).
//!
//! In: a tool's input schema. Out: the core's check, compiled once. Must not judge the schema: what core does not know admits
//! everything.

use callgate::InputSchema;
use callgate::value::View;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::values::{Budget, RootValue};

/// What is checked in the arguments of a call, before any rule. Made once for a tool.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct ArgsCheck(pub(crate) callgate::ArgsCheck);

#[pymethods]
impl ArgsCheck {
    #[new]
    #[pyo3(signature = (schema = None, *, folding = true))]
    fn new(schema: Option<&Bound<'_, PyAny>>, folding: bool) -> PyResult<Self> {
        let check = callgate::ArgsCheck::new();
        let check = if folding { check } else { check.without_folding() };
        let Some(schema) = schema else { return Ok(Self(check)) };
        let budget = Budget::new();
        let schema = RootValue::new(Some(schema), None, &budget);
        let view = schema.view(&budget);
        if !matches!(view.is_object(), Ok(true)) {
            return Err(PyTypeError::new_err("schema must be a mapping: a tool's input schema"));
        }
        Ok(Self(check.schema(InputSchema::new(view))))
    }

    fn __repr__(&self) -> &'static str {
        "<ArgsCheck>"
    }
}

/// The core's check of a host's, if it passed one.
pub(super) fn core_check<'c>(check: Option<&'c Bound<'_, ArgsCheck>>) -> Option<&'c callgate::ArgsCheck> {
    check.map(|check| &check.get().0)
}
