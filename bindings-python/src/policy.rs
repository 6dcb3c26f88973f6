//! Policies.
//!
//! In: text, or the path of a file. Out: a compiled policy, or every reason why there is none. Must not hold the GIL while
//! it compiles: a large policy takes tens of milliseconds.

use std::path::PathBuf;

use callgate::{Call, Format};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

use crate::diagnostic::diagnostics_tuple;
use crate::engine::with_server;
use crate::values::{Budget, Caller, RootValue};
use crate::{error, log};

/// A compiled policy: immutable, safe to share between threads and engines.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct Policy(pub(crate) callgate::Policy);

/// `sha256:` and the digest in hexadecimal (spec 10.3).
pub(crate) fn digest(policy: &callgate::Policy) -> String {
    policy.digest().iter().fold(String::from("sha256:"), |text, byte| format!("{text}{byte:02x}"))
}

/// A policy read from a file, without the GIL.
pub(crate) fn from_file(py: Python<'_>, path: &PathBuf) -> PyResult<callgate::Policy> {
    py.detach(|| callgate_host::load_policy(path)).map_err(|error| error::load(py, &error))
}

/// A policy compiled from text, without the GIL.
pub(crate) fn from_text(py: Python<'_>, text: &str, format: Format) -> PyResult<callgate::Policy> {
    let compiled = py.detach(|| callgate::Policy::from_text(text, format));
    compiled.map_err(|error| error::policy(py, error.diagnostics(), None))
}

fn format(name: &str) -> PyResult<Format> {
    match name {
        "detect" => Ok(Format::Detect),
        "yaml" => Ok(Format::Yaml),
        "json" => Ok(Format::Json),
        other => {
            let message = format!("format must be 'detect', 'yaml' or 'json', not '{other}'");
            Err(PyValueError::new_err(message))
        }
    }
}

/// Warns of names in a policy that match none of a server's tools, and of what can never be in their arguments (spec 12.2).
#[pyfunction]
#[pyo3(signature = (text, tools, *, format = "detect"))]
pub(crate) fn lint<'py>(
    py: Python<'py>,
    text: &str,
    tools: &Bound<'py, PyAny>,
    format: &str,
) -> PyResult<Bound<'py, PyTuple>> {
    let (format, budget) = (self::format(format)?, Budget::new());
    let tools = RootValue::new(Some(tools), None, &budget);
    let found = callgate::lint(text, format, &tools.view(&budget));
    diagnostics_tuple(py, &found.map_err(|error| error::policy(py, error.diagnostics(), None))?)
}

#[pymethods]
impl Policy {
    /// Compiles a policy written in YAML or JSON. Raises `PolicyError` with everything that is wrong.
    #[staticmethod]
    #[pyo3(signature = (text, *, format = "detect"))]
    fn from_str(py: Python<'_>, text: &str, format: &str) -> PyResult<Self> {
        let policy = from_text(py, text, self::format(format)?)?;
        log::warnings(py, None, policy.warnings())?;
        Ok(Self(policy))
    }

    /// Reads and compiles a policy file. Raises `PolicyError`, or `OSError` where it cannot be read.
    #[staticmethod]
    fn from_file(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let policy = from_file(py, &path)?;
        log::warnings(py, Some(&path.to_string_lossy()), policy.warnings())?;
        Ok(Self(policy))
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

    /// Whether the caller may see the tool in `tools/list`.
    #[pyo3(signature = (tool, identity = None, server = None))]
    fn visible(
        &self,
        tool: &Bound<'_, PyString>,
        identity: Option<&Bound<'_, PyAny>>,
        server: Option<&str>,
    ) -> bool {
        is_visible(&self.0, tool, identity, server)
    }

    /// Whether checks of an admitted tool read its arguments, for the guards.
    fn _reads_args(&self, tool: &Bound<'_, PyString>) -> bool {
        tool.to_str().is_ok_and(|tool| self.0.reads_args(tool))
    }

    /// Whether what is shown depends on who asks, for the guards.
    #[getter]
    fn _lists_by_caller(&self) -> bool {
        self.0.lists_by_caller()
    }

    /// Drops what the caller may not see from a list of tools.
    #[pyo3(signature = (tools, identity = None, server = None, *, name = None))]
    fn filter_tools<'py>(
        &self,
        tools: &Bound<'py, PyAny>,
        identity: Option<&Bound<'py, PyAny>>,
        server: Option<&str>,
        name: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        filter_tools(&self.0, tools, identity, server, name)
    }

    fn __repr__(&self) -> String {
        format!("<Policy {}>", digest(&self.0))
    }
}

/// Whether the caller may see the tool. A name with a lone surrogate is not text, so no call can have it.
pub(crate) fn is_visible(
    policy: &callgate::Policy,
    tool: &Bound<'_, PyString>,
    identity: Option<&Bound<'_, PyAny>>,
    server: Option<&str>,
) -> bool {
    let budget = Budget::new();
    let caller = Caller::new(identity);
    tool.to_str().is_ok_and(|tool| {
        let call = Call::without_args(tool).identity(caller.identity(&budget));
        policy.shows(&with_server(call, server))
    })
}

/// The tools that `policy` shows to the caller, in order; all by one policy (spec 10.9).
pub(crate) fn filter_tools<'py>(
    policy: &callgate::Policy,
    tools: &Bound<'py, PyAny>,
    identity: Option<&Bound<'py, PyAny>>,
    server: Option<&str>,
    name: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyList>> {
    let visible = PyList::empty(tools.py());
    for tool in tools.try_iter()? {
        let tool = tool?;
        let name = match name {
            Some(name) => name.call1((&tool,))?,
            None => name_of(&tool)?,
        };
        if is_visible(policy, name.cast::<PyString>()?, identity, server) {
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
