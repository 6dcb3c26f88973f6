//! Explanations: the decision with every check that led to it.
//!
//! In: the core's checks. Out: the same tree as Python objects. Carries no argument values.

use std::fmt::Write as _;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::object::Decision;

/// What the engine would decide, and why. Nothing was charged.
#[pyclass(module = "callgate", frozen, get_all)]
pub(crate) struct Explanation {
    decision: Py<Decision>,
    checks: Py<PyTuple>,
}

/// One check of an evaluation.
#[pyclass(module = "callgate", frozen, get_all)]
pub(crate) struct Check {
    pointer: String,
    what: String,
    outcome: String,
    why: Option<String>,
    checks: Py<PyTuple>,
}

impl Explanation {
    pub(crate) fn new(
        py: Python<'_>,
        decision: Py<Decision>,
        checks: Vec<callgate::Check>,
    ) -> PyResult<Self> {
        Ok(Self { decision, checks: tuple(py, checks)? })
    }
}

fn tuple(py: Python<'_>, checks: Vec<callgate::Check>) -> PyResult<Py<PyTuple>> {
    let checks = checks.into_iter().map(|check| Check::new(py, check)).collect::<PyResult<Vec<_>>>()?;
    Ok(PyTuple::new(py, checks)?.unbind())
}

impl Check {
    fn new(py: Python<'_>, check: callgate::Check) -> PyResult<Self> {
        let callgate::Check { pointer, what, outcome, why, checks } = check;
        Ok(Self { pointer, what, outcome, why, checks: tuple(py, checks)? })
    }

    fn write(&self, py: Python<'_>, depth: usize, to: &mut String) {
        let _ = write!(to, "{}{}: {}", "  ".repeat(depth), self.what, self.outcome);
        if let Some(why) = &self.why {
            let _ = write!(to, " ({why})");
        }
        to.push('\n');
        for check in self.checks.bind(py).iter() {
            if let Ok(check) = check.cast::<Self>() {
                check.get().write(py, depth.saturating_add(1), to);
            }
        }
    }
}

#[pymethods]
impl Check {
    fn __str__(&self, py: Python<'_>) -> String {
        let mut text = String::new();
        self.write(py, 0, &mut text);
        text
    }

    fn __repr__(&self) -> String {
        format!("<Check {} {}>", self.pointer, self.outcome)
    }
}

#[pymethods]
impl Explanation {
    fn __str__(&self, py: Python<'_>) -> String {
        let mut text = String::new();
        for check in self.checks.bind(py).iter() {
            if let Ok(check) = check.cast::<Check>() {
                check.get().write(py, 0, &mut text);
            }
        }
        let decision = self.decision.get();
        let _ = write!(text, "{}: {}", decision.effect(), decision.code());
        text
    }
}
