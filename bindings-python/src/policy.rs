//! Policies.
//!
//! In: text, or the path of a file. Out: a compiled policy, or every reason why there is none. Must not hold the GIL while
//! it compiles: a large policy takes tens of milliseconds.

use std::path::PathBuf;

use callgate::Format;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

use crate::diagnostic::diagnostics_tuple;
use crate::{error, log};

/// A compiled policy: immutable, safe to share between threads and engines.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct Policy(pub(crate) callgate::Policy);

/// `sha256:` and the digest in hexadecimal (spec 10.3).
pub(crate) fn digest(policy: &callgate::Policy) -> String {
    policy.digest().iter().fold(String::from("sha256:"), |text, byte| format!("{text}{byte:02x}"))
}

/// A policy read from a file, without the GIL. Its warnings are logged.
pub(crate) fn from_file(py: Python<'_>, path: &PathBuf) -> PyResult<callgate::Policy> {
    let policy = py.detach(|| callgate_host::load_policy(path)).map_err(|error| error::load(py, &error))?;
    log::warnings(py, Some(&path.to_string_lossy()), policy.warnings())?;
    Ok(policy)
}

/// A policy compiled from text, without the GIL. Its warnings are logged.
pub(crate) fn from_text(py: Python<'_>, text: &str, format: &str) -> PyResult<callgate::Policy> {
    let format = match format {
        "detect" => Format::Detect,
        "yaml" => Format::Yaml,
        "json" => Format::Json,
        other => {
            let message = format!("format must be 'detect', 'yaml' or 'json', not '{other}'");
            return Err(PyValueError::new_err(message));
        }
    };
    let policy = py
        .detach(|| callgate::Policy::from_text(text, format))
        .map_err(|error| error::policy(py, error.diagnostics(), None))?;
    log::warnings(py, None, policy.warnings())?;
    Ok(policy)
}

#[pymethods]
impl Policy {
    /// Compiles a policy written in YAML or JSON. Raises `PolicyError` with everything that is wrong.
    #[staticmethod]
    #[pyo3(signature = (text, *, format = "detect"))]
    fn from_str(py: Python<'_>, text: &str, format: &str) -> PyResult<Self> {
        from_text(py, text, format).map(Self)
    }

    /// Reads and compiles a policy file. Raises `PolicyError`, or `OSError` where it cannot be read.
    #[staticmethod]
    fn from_file(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        from_file(py, &path).map(Self)
    }

    /// What may not mean what its author thinks.
    #[getter]
    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        diagnostics_tuple(py, self.0.warnings())
    }

    /// `sha256:` and the SHA-256 of the policy's text in hexadecimal.
    #[getter]
    fn digest(&self) -> String {
        digest(&self.0)
    }

    /// Whether a client may see the tool in `tools/list`.
    fn visible(&self, tool: &Bound<'_, PyString>) -> bool {
        is_visible(&self.0, tool)
    }

    /// Drops what `hide` names from a list of tools.
    #[pyo3(signature = (tools, *, name = None))]
    fn filter_tools<'py>(
        &self,
        tools: &Bound<'py, PyAny>,
        name: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        filter_tools(&self.0, tools, name)
    }

    fn __repr__(&self) -> String {
        format!("<Policy {}>", digest(&self.0))
    }
}

/// Whether a client may see the tool. A name with a lone surrogate is no text, so no call can have it.
pub(crate) fn is_visible(policy: &callgate::Policy, tool: &Bound<'_, PyString>) -> bool {
    tool.to_str().is_ok_and(|tool| policy.visible(tool))
}

/// The tools that `policy` does not hide, in order; all by one policy (spec 10.9).
pub(crate) fn filter_tools<'py>(
    policy: &callgate::Policy,
    tools: &Bound<'py, PyAny>,
    name: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyList>> {
    let visible = PyList::empty(tools.py());
    for tool in tools.try_iter()? {
        let tool = tool?;
        let name = match name {
            Some(name) => name.call1((&tool,))?,
            None => name_of(&tool)?,
        };
        if is_visible(policy, name.cast::<PyString>()?) {
            visible.append(tool)?;
        }
    }
    Ok(visible)
}

/// A string is its own name, a mapping has a `"name"`, anything else a `name`.
fn name_of<'py>(tool: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if tool.is_instance_of::<PyString>() {
        Ok(tool.clone())
    } else if tool.hasattr("__getitem__")? {
        tool.get_item("name")
    } else {
        tool.getattr("name")
    }
}
