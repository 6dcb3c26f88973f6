//! Policies.
//!
//! In: text, or the path of a file. Out: a compiled policy, or every reason why there is none. Must not hold the GIL while
//! it compiles: a large policy takes tens of milliseconds.

use std::path::PathBuf;

use callgate::{Call, Format};
use callgate_host::PolicyPaths;
use pyo3::Borrowed;
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

/// The path of a policy file, or those of a stack.
pub(crate) struct Paths(pub(crate) PolicyPaths);

impl<'py> FromPyObject<'_, 'py> for Paths {
    type Error = PyErr;

    fn extract(paths: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let is_list = paths.is_instance_of::<PyList>() || paths.is_instance_of::<PyTuple>();
        if is_list {
            return Ok(Self(paths.extract::<Vec<PathBuf>>()?.into()));
        }
        Ok(Self(paths.extract::<PathBuf>()?.into()))
    }
}

/// A policy read from a file, or a stack from several, without the GIL.
pub(crate) fn from_file(py: Python<'_>, paths: &PolicyPaths) -> PyResult<callgate::Policy> {
    py.detach(|| callgate_host::load_policy(paths.clone())).map_err(|error| error::load(py, &error))
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

    /// Reads and compiles a policy file, or several as a stack. Raises `PolicyError`, or `OSError` where it cannot be read.
    #[staticmethod]
    fn from_file(py: Python<'_>, path: Paths) -> PyResult<Self> {
        let Paths(paths) = path;
        let policy = from_file(py, &paths)?;
        for (file, warnings) in paths.warnings(&policy, false) {
            log::warnings(py, Some(&file.to_string_lossy()), &warnings)?;
        }
        Ok(Self(policy))
    }

    /// Several policies as one. Raises `StackError` where they do not go together.
    #[staticmethod]
    fn stack(py: Python<'_>, policies: Vec<Py<Self>>) -> PyResult<Self> {
        let policies = policies.iter().map(|policy| policy.get().0.clone()).collect::<Vec<_>>();
        let stacked = py.detach(|| callgate::Policy::stack(policies));
        stacked.map(Self).map_err(|error| error::stack(py, &error, None))
    }

    /// The names of the policies that it was made of, in order; `None` for one without a name.
    #[getter]
    fn layers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.layers().map(|layer| layer.name()).collect::<Vec<_>>())
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

    /// Whether the caller may see a resource or a prompt, for the guards (spec 10.9).
    #[pyo3(signature = (method, params, identity = None, server = None))]
    fn _shows_request(
        &self,
        method: &str,
        params: &Bound<'_, PyAny>,
        identity: Option<&Bound<'_, PyAny>>,
        server: Option<&str>,
    ) -> bool {
        let budget = Budget::new();
        let (caller, params) = (Caller::new(identity), RootValue::new(Some(params), None, &budget));
        let call = Call::request(method, params.view(&budget)).identity(caller.identity(&budget));
        self.0.shows_request(&with_server(call, server))
    }

    /// Whether requests of another method than `tools/call` are decided, for the guards (spec 3.10).
    fn _decides(&self, method: &str) -> bool {
        self.0.decides_request(method)
    }

    /// A sentence about each name that none of these tools has, for the guards (spec 12.2).
    #[expect(clippy::needless_pass_by_value, reason = "pyo3 makes it")]
    fn _unmatched(&self, tools: Vec<String>) -> Vec<String> {
        self.0.unmatched(tools.iter().map(String::as_str)).iter().map(ToString::to_string).collect()
    }

    /// A sentence about each rule that needs to know who calls, what it needs, and what to write instead. For the guards.
    fn _identity_needs(&self) -> Vec<(String, &'static str, &'static str)> {
        let needs = self.0.identity_needs();
        needs.iter().map(|need| (need.to_string(), need.needs.as_str(), need.needs.help())).collect()
    }

    /// The call that stands in the arguments of a dispatcher, given as JSON text: its tool, and its arguments as canonical JSON. For the
    /// guards (spec 3.11).
    fn _inner_call(&self, tool: &str, args: &str) -> Option<(String, String)> {
        callgate::__relay::inner_call(&self.0, tool, args)
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

/// The canonical JSON of a text (spec 10.7), for the guards.
#[pyfunction]
pub(crate) fn _canonical(text: &str) -> Option<String> {
    callgate::__relay::canonical(text)
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
