//! Which class of risk each tool of a server has (spec/risk.md).
//!
//! In: the JSON text of a list of definitions. Out: the JSON text of the results, which `callgate._risk` makes objects of. Must not hold the GIL
//! while it reads a list, which may be long.

use callgate_analysis::risk::{Options, Override, classify_json};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Server, or every one; tool; class; reason.
type Given = (Option<String>, String, String, String);

/// The results for a list of definitions, both as JSON text. Raises `ValueError`. For `callgate.classify_tools`.
#[pyfunction]
pub(crate) fn _classify_tools(
    py: Python<'_>,
    tools: &str,
    server: &str,
    trusted: bool,
    overrides: Vec<Given>,
) -> PyResult<String> {
    let mut options = if trusted { Options::new().trust(server) } else { Options::new() };
    for (server, tool, class, reason) in overrides {
        let said =
            Override::named(&class, reason).map_err(|error| PyValueError::new_err(error.to_string()))?;
        options = options.override_class(server.as_deref(), tool, said);
    }
    py.detach(|| classify_json(server, tools, &options))
        .map_err(|error| PyValueError::new_err(format!("the list of tools: {error}")))
}
