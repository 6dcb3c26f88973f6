//! Callbacks that change nothing: `on_warning`, `on_reload`, `on_reload_error` (spec 10.10).
//!
//! In: news about policies. Out: a call of the callback. What it raises is logged; only what asks the program to stop goes on.

use std::sync::Arc;

use callgate_host::PolicyPaths;
use pyo3::call::PyCallArgs;
use pyo3::prelude::*;

use crate::callback::{check_callback, done};
use crate::diagnostic::Diagnostic;
use crate::log;

/// A callback by its name, if the host gave one.
#[derive(Clone)]
pub(super) struct Hook {
    name: &'static str,
    callback: Option<Arc<Py<PyAny>>>,
}

impl Hook {
    pub(super) fn new(name: &'static str, callback: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        if let Some(callback) = callback {
            check_callback(name, callback)?;
        }
        Ok(Self { name, callback: callback.map(|callback| Arc::new(callback.clone().unbind())) })
    }

    pub(super) fn is_given(&self) -> bool {
        self.callback.is_some()
    }

    /// Calls it.
    pub(super) fn tell<'py>(&self, py: Python<'py>, news: impl PyCallArgs<'py>) -> PyResult<()> {
        let Some(callback) = &self.callback else { return Ok(()) };
        if let Err(error) = callback.bind(py).call1(news).and_then(done) {
            let raised = log::stops(py, error)?;
            log::contain(py, log::callback(py, self.name, &raised))?;
        }
        Ok(())
    }

    /// Tells of each warning of the engine's policy, with the file that it is about.
    pub(super) fn warn_of_files(
        &self,
        py: Python<'_>,
        paths: &PolicyPaths,
        engine: &callgate::Engine,
    ) -> PyResult<()> {
        let policy = engine.policy();
        let in_memory = engine.warnings().len() > policy.warnings().len();
        for (file, warnings) in paths.warnings(&policy, in_memory) {
            self.warn(py, Some(&file.to_string_lossy()), &warnings)?;
        }
        Ok(())
    }

    /// Tells of each warning of a policy, with the file it was read from; logs them where there is no callback.
    pub(super) fn warn(
        &self,
        py: Python<'_>,
        path: Option<&str>,
        warnings: &[callgate::Diagnostic],
    ) -> PyResult<()> {
        if !self.is_given() {
            return log::warnings(py, path, warnings);
        }
        for warning in warnings {
            self.tell(py, (Diagnostic::new(warning), path))?;
        }
        Ok(())
    }
}
