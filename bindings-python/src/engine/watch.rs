//! Watching the policy file of an engine.
//!
//! In: an engine and a path. Out: the engine with every new policy of the file in force. Must not wait for a watcher's
//! callback with the GIL held, which that callback may be waiting for.

use std::sync::Arc;
use std::time::Duration;

use callgate_host::{LoadError, PolicyPaths, PolicyWatcher, WatchOptions};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBool;

use super::hook::Hook;
use crate::error;
use crate::live::LiveEngine;
use crate::log;
use crate::policy::Policy;

/// The longest interval: a day.
const LONGEST: f64 = 86_400.0;

/// What to watch, and whom to tell.
pub(crate) struct WatchPlan {
    pub(crate) paths: PolicyPaths,
    interval: Option<Duration>,
    /// Of its warnings, of each new policy, and of why there is none.
    hooks: ReloadHooks,
}

/// Who hears of a reload.
#[derive(Clone)]
pub(crate) struct ReloadHooks {
    pub(super) warnings: Hook,
    pub(super) on_reload: Hook,
    pub(super) on_reload_error: Hook,
}

/// A watcher and the process that it watches in.
pub(crate) struct Watch {
    plan: WatchPlan,
    process: u32,
    watcher: Option<PolicyWatcher>,
}

impl WatchPlan {
    /// `watch` is whether to watch, or how often in seconds.
    pub(crate) fn new(
        paths: PolicyPaths,
        watch: &Bound<'_, PyAny>,
        hooks: ReloadHooks,
    ) -> PyResult<Option<Self>> {
        let interval = match watch.cast::<PyBool>() {
            Ok(watch) if !watch.is_true() => return Ok(None),
            Ok(_) => None,
            Err(_) => {
                let seconds: f64 = watch
                    .extract()
                    .map_err(|_| PyTypeError::new_err("watch must be a bool or a number of seconds"))?;
                if !(seconds > 0.0 && seconds <= LONGEST) {
                    return Err(PyValueError::new_err("watch must be more than 0 and at most 86400 seconds"));
                }
                Some(Duration::from_secs_f64(seconds))
            }
        };
        Ok(Some(Self { paths, interval, hooks }))
    }

    pub(crate) fn start(self, engine: &Arc<LiveEngine>) -> PyResult<Watch> {
        let watcher = self.watcher(engine)?;
        Ok(Watch { plan: self, process: std::process::id(), watcher: Some(watcher) })
    }

    fn watcher(&self, engine: &Arc<LiveEngine>) -> PyResult<PolicyWatcher> {
        let (in_force, replaced) = (engine.clone(), engine.clone());
        let mut options = WatchOptions::new()
            .with_in_force(move || in_force.core().policy())
            .with_replace(move |policy| replaced.replace(policy));
        if let Some(interval) = self.interval {
            options = options.with_interval(interval);
        }
        let paths = self.paths.clone();
        let (hooks, engine) = (self.hooks.clone(), engine.clone());
        let watcher = PolicyWatcher::start(self.paths.clone(), options, move |change| {
            // Nobody is left to be told when the interpreter is shutting down.
            let _ = Python::try_attach(|py| {
                hooks.tell(py, &paths, change, engine.core());
            });
        });
        Ok(watcher?)
    }
}

impl Watch {
    /// Starts again in a process that a fork made: threads do not come along.
    pub(crate) fn after_fork(&mut self, engine: &Arc<LiveEngine>) -> PyResult<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        self.process = std::process::id();
        self.watcher = Some(self.plan.watcher(engine)?);
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(watcher) = self.watcher.take() else { return };
        let mut watcher = Some(watcher);
        let dropped = Python::try_attach(|py| {
            let watcher = watcher.take();
            py.detach(|| drop(watcher));
        });
        if dropped.is_none() {
            // The interpreter is shutting down, and the callback may never come back from waiting for it.
            std::mem::forget(watcher);
        }
    }
}

impl ReloadHooks {
    /// Reports a reload: the new policy, or why the old one stays. Called on a thread of the watcher; must not raise.
    fn tell(
        &self,
        py: Python<'_>,
        paths: &PolicyPaths,
        change: Result<callgate::Policy, LoadError>,
        engine: &callgate::Engine,
    ) {
        let path = paths.to_string();
        let told = match change {
            Ok(policy) => Py::new(py, Policy(policy)).and_then(|policy| {
                log::reload(py, &path, Ok(policy.as_any()))?;
                self.warnings.warn_of_files(py, paths, engine)?;
                self.on_reload.tell(py, (policy,))
            }),
            Err(error) => {
                let error = error::load(py, &error).into_value(py).into_any();
                log::reload(py, &path, Err(&error)).and_then(|()| self.on_reload_error.tell(py, (error,)))
            }
        };
        if let Err(error) = told {
            error.write_unraisable(py, None);
        }
    }
}
