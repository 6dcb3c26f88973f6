//! Locks of definitions as Python sees them.
//!
//! In: the path of a lock, definitions as JSON text. Out: whether a definition is the approved one; digests; what a refused call is told. Must not
//! judge a change.

use std::path::PathBuf;

use callgate::lock::{self, Definition, Field, OnDrift};
use callgate_host::load_pins;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error;

/// The approved definitions of one server. Not public: guards read the file that their host names.
#[pyclass(module = "callgate._native", frozen)]
pub(crate) struct Pins(pub(crate) lock::Pins);

#[pymethods]
impl Pins {
    /// Those of this server in a lock, or of its only one.
    #[staticmethod]
    #[pyo3(signature = (path, server = None))]
    fn load(py: Python<'_>, path: PathBuf, server: Option<&str>) -> PyResult<Self> {
        let pins = py.detach(|| load_pins(&path, server));
        pins.map(Self).map_err(|failed| error::lock(py, &failed, &path.to_string_lossy()))
    }

    /// Whether this is the definition that was approved under its name.
    fn admits(&self, definition: &str) -> bool {
        self.0.admits(definition)
    }
}

/// What becomes of a tool whose definition is not the approved one, by its name.
pub(crate) fn on_drift(name: &str) -> PyResult<OnDrift> {
    match name {
        "hide" => Ok(OnDrift::Hide),
        "deny" => Ok(OnDrift::Deny),
        _ => Err(PyValueError::new_err("on_drift must be 'hide' or 'deny'")),
    }
}

/// The digest of a definition and those of its fields, each with its name; `None` for what is no definition.
#[pyfunction]
pub(crate) fn _definition_digests(definition: &str) -> Option<Vec<(&'static str, String)>> {
    let definition = Definition::read(definition).ok()?;
    let fields = Field::ALL.into_iter().filter_map(|field| Some((field.name(), definition.field(field)?)));
    let all = [("digest", definition.digest())].into_iter().chain(fields);
    Some(all.map(|(name, digest)| (name, digest.to_string())).collect())
}

/// What a call is told whose tool is not as it was approved: the tool's result as JSON, and the message.
#[pyfunction]
pub(crate) fn _changed(tool: &str) -> (String, String) {
    (lock::changed_result(tool), lock::changed_message(tool))
}
