//! The options of an engine.
//!
//! In: the keyword arguments of its constructors. Out: an engine of the core and what belongs to it. Must not take a
//! misspelt option for another choice: options are typed (traps 3 and 29).

use std::sync::Arc;

use callgate::OnStoreError;
use callgate_host::StoreOptions;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::clock::ChosenClock;
use super::hook::Hook;
use super::observer::Observer;
use super::parts::EngineParts;
use crate::cache::CurrentPolicy;
use crate::decision::Finisher;
use crate::error;
use crate::live::LiveEngine;
use crate::store::{Handle, Store, seconds};

/// The keyword arguments that all constructors share.
pub(crate) struct Options<'a, 'py> {
    store: Option<&'a Bound<'py, PyAny>>,
    store_namespace: Option<&'a str>,
    store_timeout: Option<f64>,
    on_store_error: &'a str,
    clock: Option<&'a Bound<'py, PyAny>>,
    on_decision: Option<&'a Bound<'py, PyAny>>,
    args_hash: Option<&'a Bound<'py, PyAny>>,
    on_warning: Option<&'a Bound<'py, PyAny>>,
}

type Object<'a, 'py> = Option<&'a Bound<'py, PyAny>>;
/// `store`, `store_namespace`, `store_timeout` and `on_store_error`.
type StoreArgs<'a, 'py> = (Object<'a, 'py>, Option<&'a str>, Option<f64>, &'a str);

impl<'a, 'py> Options<'a, 'py> {
    /// The store with its options, the clock, `on_decision` with its `args_hash`, and `on_warning`.
    pub(crate) fn new(
        (store, store_namespace, store_timeout, on_store_error): StoreArgs<'a, 'py>,
        clock: Object<'a, 'py>,
        (on_decision, args_hash): (Object<'a, 'py>, Object<'a, 'py>),
        on_warning: Object<'a, 'py>,
    ) -> Self {
        Self {
            store,
            store_namespace,
            store_timeout,
            on_store_error,
            clock,
            on_decision,
            args_hash,
            on_warning,
        }
    }

    pub(crate) fn build(&self, py: Python<'_>, policy: callgate::Policy) -> PyResult<EngineParts> {
        let on_store_error = match self.on_store_error {
            "deny" => OnStoreError::Deny,
            "allow" => OnStoreError::Allow,
            other => {
                let message = format!("on_store_error must be 'deny' or 'allow', not '{other}'");
                return Err(PyValueError::new_err(message));
            }
        };
        let clock = ChosenClock::new(self.clock)?;
        let observer = Observer::new(self.on_decision, self.args_hash)?;
        let warnings = Hook::new("on_warning", self.on_warning)?;
        let (store, owns_store) = self.opened(py, on_store_error)?;
        let core = callgate::Engine::builder(policy)
            .store(store.counters().clone())
            .clock(clock.clock.clone())
            .on_store_error(on_store_error)
            .build();
        let engine = Arc::new(LiveEngine::new(core, store, owns_store));
        let finisher = Py::new(py, Finisher { engine: engine.clone(), observed: None })?;
        let current = CurrentPolicy::new(py);
        Ok(EngineParts { engine, current, finisher, on_store_error, clock, observer, warnings })
    }

    /// The store, and whether the engine opened it.
    fn opened(&self, py: Python<'_>, on_store_error: OnStoreError) -> PyResult<(Handle, bool)> {
        if let Some(store) = self.store.and_then(|store| store.cast::<Store>().ok()) {
            for (name, is_given) in [
                ("store_namespace", self.store_namespace.is_some()),
                ("store_timeout", self.store_timeout.is_some()),
            ] {
                if is_given {
                    let message = format!("{name} is for a store URL: a Store was opened with its own");
                    return Err(PyTypeError::new_err(message));
                }
            }
            return Ok((store.get().0.clone(), false));
        }
        let mut options = StoreOptions::new().with_on_error(on_store_error);
        if let Some(namespace) = self.store_namespace {
            options = options.with_namespace(namespace);
        }
        if let Some(timeout) = self.store_timeout {
            options = options.with_timeout(seconds("store_timeout", timeout)?);
        }
        let url: &str = match self.store {
            Some(store) => {
                store.extract().map_err(|_| PyTypeError::new_err("store must be a URL or a Store"))?
            }
            None => "memory",
        };
        let store = Handle::open(py, url, &options).map_err(|error| error::open(py, &error))?;
        Ok((store, true))
    }
}
