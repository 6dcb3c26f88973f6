//! An engine as a Python object, and how it is opened.
//!
//! In: a policy, its text or its file, and options. Out: the engine; a watched file has its watcher. Must not decide calls.

use std::sync::{Arc, Mutex, PoisonError};

use callgate::Format;
use callgate::time::{Clock as _, Timestamp};
use callgate_host::PolicyPaths;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::hook::Hook;
use super::options::Options;
use super::parts::EngineParts;
use super::watch::{ReloadHooks, Watch, WatchPlan};
use crate::live::LiveEngine;
use crate::policy::{self, Policy};

/// Decides calls: evaluates the policy and charges the counters. Safe to share between threads.
#[pyclass(module = "callgate", frozen, weakref)]
pub(crate) struct Engine {
    pub(super) parts: Arc<EngineParts>,
    pub(super) watch: Mutex<Option<Watch>>,
}

impl Engine {
    fn new(parts: EngineParts) -> Self {
        Self { parts: Arc::new(parts), watch: Mutex::new(None) }
    }

    /// What it shares with its decisions.
    pub(crate) fn live(&self) -> &Arc<LiveEngine> {
        &self.parts.engine
    }

    pub(super) fn core(&self) -> &callgate::Engine {
        self.parts.core()
    }

    /// What the engine's clock shows.
    pub(super) fn shown(&self) -> PyResult<Timestamp> {
        let now = self.parts.clock.clock.now();
        self.parts.clock.check()?;
        Ok(now)
    }

    /// Tells of the warnings of a policy that was logged when it was loaded. What only this engine's store makes one is new.
    pub(super) fn warn_again(&self, py: Python<'_>) -> PyResult<()> {
        let warnings = self.core().warnings();
        let logged = self.core().policy().warnings().len();
        let new = warnings.get(if self.parts.warnings.is_given() { 0 } else { logged }..);
        self.parts.warnings.warn(py, None, new.unwrap_or_default())
    }

    /// An engine for a policy that was loaded, and whose warnings were logged then.
    pub(super) fn open(py: Python<'_>, policy: &Policy, options: &Options<'_, '_>) -> PyResult<Self> {
        let engine = Self::new(options.build(py, policy.0.clone())?);
        engine.warn_again(py)?;
        Ok(engine)
    }

    /// An engine for the text of a policy.
    pub(super) fn open_text(py: Python<'_>, text: &str, options: &Options<'_, '_>) -> PyResult<Self> {
        let engine = Self::new(options.build(py, policy::from_text(py, text, Format::Detect)?)?);
        engine.parts.warnings.warn(py, None, &engine.core().warnings())?;
        Ok(engine)
    }

    /// An engine for a policy file, and for its later versions if it is watched. `hooks` are `on_reload` and `on_reload_error`.
    pub(super) fn open_file(
        py: Python<'_>,
        paths: PolicyPaths,
        watch: Option<&Bound<'_, PyAny>>,
        hooks: (Option<&Bound<'_, PyAny>>, Option<&Bound<'_, PyAny>>),
        options: &Options<'_, '_>,
    ) -> PyResult<Py<Self>> {
        static WATCHED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let parts = options.build(py, policy::from_file(py, &paths)?)?;
        let hooks = ReloadHooks {
            warnings: parts.warnings.clone(),
            on_reload: Hook::new("on_reload", hooks.0)?,
            on_reload_error: Hook::new("on_reload_error", hooks.1)?,
        };
        parts.warnings.warn_of_files(py, &paths, parts.core())?;
        let plan = match watch {
            Some(watch) => WatchPlan::new(paths, watch, hooks)?,
            None => None,
        };
        let engine = Py::new(py, Self::new(parts))?;
        if let Some(plan) = plan {
            let watch = plan.start(&engine.get().parts.engine)?;
            *engine.get().watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
            WATCHED.import(py, "callgate._forking", "watched")?.call1((&engine,))?;
        }
        Ok(engine)
    }
}
