//! The options of an engine.
//!
//! In: the keyword arguments of its constructors. Out: an engine of the core and what belongs to it. Must not take a
//! misspelt option for another choice: options are typed (traps 3 and 29).

use std::sync::Arc;
use std::time::Duration;

use callgate::OnStoreError;
use callgate_host::StoreOptions;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::clock::ChosenClock;
use super::hook::Hook;
use super::observer::Observer;
use super::parts::EngineParts;
use crate::cache::CurrentPolicy;
use crate::decision::Finisher;
use crate::live::LiveEngine;
use crate::{error, store};

/// The longest time-out of a store in seconds.
const LONGEST: f64 = 86_400.0;

/// The keyword arguments that all constructors share.
pub(crate) struct Options<'a, 'py> {
    pub(crate) store: &'a str,
    pub(crate) store_namespace: &'a str,
    pub(crate) store_timeout: f64,
    pub(crate) on_store_error: &'a str,
    pub(crate) clock: Option<&'a Bound<'py, PyAny>>,
    pub(crate) on_decision: Option<&'a Bound<'py, PyAny>>,
    pub(crate) args_hash: Option<&'a Bound<'py, PyAny>>,
    pub(crate) on_warning: Option<&'a Bound<'py, PyAny>>,
}

impl Options<'_, '_> {
    pub(crate) fn build(&self, py: Python<'_>, policy: callgate::Policy) -> PyResult<EngineParts> {
        let on_store_error = match self.on_store_error {
            "deny" => OnStoreError::Deny,
            "allow" => OnStoreError::Allow,
            other => {
                let message = format!("on_store_error must be 'deny' or 'allow', not '{other}'");
                return Err(PyValueError::new_err(message));
            }
        };
        let seconds = self.store_timeout;
        if !(seconds > 0.0 && seconds <= LONGEST) {
            let message = "store_timeout must be more than 0 and at most 86400 seconds";
            return Err(PyValueError::new_err(message));
        }
        let options = StoreOptions::new()
            .with_on_error(on_store_error)
            .with_namespace(self.store_namespace)
            .with_timeout(Duration::from_secs_f64(seconds));
        let clock = ChosenClock::new(self.clock)?;
        let observer = Observer::new(self.on_decision, self.args_hash)?;
        let warnings = Hook::new("on_warning", self.on_warning)?;
        let (store, waiting) =
            store::open(py, self.store, options).map_err(|error| error::open(py, &error))?;
        let core = callgate::Engine::builder(policy)
            .store(store.clone())
            .clock(clock.clock.clone())
            .on_store_error(on_store_error)
            .build();
        let engine = Arc::new(LiveEngine::new(core, waiting));
        let finisher = Py::new(py, Finisher(engine.clone()))?;
        let current = CurrentPolicy::new(py);
        Ok(EngineParts { engine, current, store, finisher, on_store_error, clock, observer, warnings })
    }
}
