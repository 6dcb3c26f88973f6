//! Findings in policy documents.
//!
//! In: core's diagnostics. Out: the same as Python objects. Adds nothing to a message.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// One finding in a policy document.
#[pyclass(module = "callgate", frozen, get_all)]
pub(crate) struct Diagnostic {
    severity: &'static str,
    code: &'static str,
    message: String,
    help: Option<String>,
    pointer: String,
    line: u32,
    column: u32,
    span: (usize, usize),
    text: String,
}

pub(crate) fn diagnostics_tuple<'py>(
    py: Python<'py>,
    diagnostics: &[callgate::Diagnostic],
) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, diagnostics.iter().map(Diagnostic::new).collect::<Vec<_>>())
}

impl Diagnostic {
    pub(crate) fn new(diagnostic: &callgate::Diagnostic) -> Self {
        let range = diagnostic.byte_range();
        Self {
            severity: match diagnostic.severity() {
                callgate::Severity::Warning => "warning",
                _ => "error",
            },
            code: diagnostic.code(),
            message: diagnostic.message().to_owned(),
            help: diagnostic.help().map(str::to_owned),
            pointer: diagnostic.pointer().to_owned(),
            line: diagnostic.line(),
            column: diagnostic.column(),
            span: (range.start, range.end),
            text: diagnostic.to_string(),
        }
    }
}

#[pymethods]
impl Diagnostic {
    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("<Diagnostic {}:{} {}[{}]>", self.line, self.column, self.severity, self.code)
    }
}
