//! The class `Engine`.
//!
//! In: calls made of Python objects. Out: decisions. The GIL is held while arguments are read, so that no other thread can
//! change them meanwhile, and while in-memory counters are asked; it is released around compiling and other stores.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use callgate::Call;
use callgate::value::RawJson;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString};
use pyo3::{PyTraverseError, PyVisit};

use super::args_check::{ArgsCheck, core_check};
use super::call::{GivenApproval, host_call};
use super::options::Options;
use super::parts::EngineParts;
use super::pending::{HeldCall, PendingCall, PendingOwner};
use super::watch::{Watch, WatchPlan};
use crate::cache::ToolCache;
use crate::callback::check_callback;
use crate::decision::{Decision, Explanation};
use crate::error;
use crate::policy::{self, Policy};
use crate::values::{Budget, Caller, RootValue};

/// Text that no parser takes, for arguments that are no Unicode text themselves: core says why.
const LONE_SURROGATE: &str = "\"\\ud800\"";

/// Decides calls: evaluates the policy and charges the counters. Safe to share between threads.
#[pyclass(module = "callgate", frozen, weakref)]
pub(crate) struct Engine {
    parts: Arc<EngineParts>,
    watch: Mutex<Option<Watch>>,
}

impl Engine {
    fn new(parts: EngineParts) -> Self {
        Self { parts: Arc::new(parts), watch: Mutex::new(None) }
    }

    fn core(&self) -> &callgate::Engine {
        self.parts.core()
    }

    fn explained(&self, py: Python<'_>, found: callgate::Explanation<'_>) -> PyResult<Explanation> {
        self.parts.clock.check()?;
        let decision = Py::new(py, Decision::uncharged(py, found.decision.into_owned()))?;
        Explanation::new(py, decision, found.checks)
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (policy, *, store = "memory", namespace = None, timeout = None, fail_open = false, clock = None, on_decision = None, audit_hash = None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn py_new(
        py: Python<'_>,
        policy: &Bound<'_, Policy>,
        store: &str,
        namespace: Option<&str>,
        timeout: Option<f64>,
        fail_open: bool,
        clock: Option<&Bound<'_, PyAny>>,
        on_decision: Option<&Bound<'_, PyAny>>,
        audit_hash: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let options = Options { store, namespace, timeout, fail_open, clock, on_decision, audit_hash };
        Ok(Self::new(options.build(py, policy.get().0.clone())?))
    }

    /// An engine for a policy written in YAML or JSON.
    #[staticmethod]
    #[pyo3(signature = (text, *, store = "memory", namespace = None, timeout = None, fail_open = false, clock = None, on_decision = None, audit_hash = None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn from_str(
        py: Python<'_>,
        text: &str,
        store: &str,
        namespace: Option<&str>,
        timeout: Option<f64>,
        fail_open: bool,
        clock: Option<&Bound<'_, PyAny>>,
        on_decision: Option<&Bound<'_, PyAny>>,
        audit_hash: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let options = Options { store, namespace, timeout, fail_open, clock, on_decision, audit_hash };
        Ok(Self::new(options.build(py, policy::from_text(py, text, "detect")?)?))
    }

    /// An engine for a policy file, and for its later versions if it is watched.
    #[staticmethod]
    #[pyo3(signature = (path, *, watch = None, on_reload = None, store = "memory", namespace = None, timeout = None, fail_open = false, clock = None, on_decision = None, audit_hash = None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn from_file(
        py: Python<'_>,
        path: PathBuf,
        watch: Option<&Bound<'_, PyAny>>,
        on_reload: Option<&Bound<'_, PyAny>>,
        store: &str,
        namespace: Option<&str>,
        timeout: Option<f64>,
        fail_open: bool,
        clock: Option<&Bound<'_, PyAny>>,
        on_decision: Option<&Bound<'_, PyAny>>,
        audit_hash: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Self>> {
        static WATCHED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let options = Options { store, namespace, timeout, fail_open, clock, on_decision, audit_hash };
        if let Some(callback) = on_reload {
            check_callback("on_reload", callback)?;
        }
        let plan = match watch {
            Some(watch) => WatchPlan::new(path.clone(), watch, on_reload)?,
            None => None,
        };
        let parts = options.build(py, policy::from_file(py, &path)?)?;
        let engine = Py::new(py, Self::new(parts))?;
        if let Some(plan) = plan {
            let watch = plan.start(&engine.get().parts.engine)?;
            *engine.get().watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
            WATCHED.import(py, "callgate._forking", "watched")?.call1((&engine,))?;
        }
        Ok(engine)
    }

    /// Decides a call and charges what it costs.
    #[pyo3(signature = (tool, args = None, identity = None, approved = None, check = None))]
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        tool: &Bound<'py, PyString>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
    ) -> PyResult<Py<Decision>> {
        let parts = &*self.parts;
        let policy = parts.current.get(py, &parts.engine)?;
        let (policy, name) = (policy.get(), tool.to_str()?);
        let tool = policy.tool(py, name);
        let (approval, budget) = (GivenApproval::new(approved)?, Budget::new());
        let args = RootValue::new(args, tool.map(ToolCache::names), &budget);
        let (caller, check) = (Caller::new(identity), core_check(check));
        let call = host_call(name, args.view(&budget), caller.identity(&budget), approval.as_ref(), check);
        let decision = match tool {
            Some(tool) => {
                let decided = parts.core().decide_by_tool(tool.tool(), &call);
                if !parts.observer.listens()
                    && let Some(cached) = decided.likeness().and_then(|key| tool.cached(py, key))
                {
                    return parts.repeat(py, cached);
                }
                decided.decision()
            }
            None => parts.core().complete(policy.policy().evaluate(&call)),
        };
        let about = parts.about(&decision, &call);
        parts.conclude(py, (policy, tool), decision, about)
    }

    /// Decides a call whose arguments are raw JSON text, which is checked whole.
    #[pyo3(signature = (tool, text, identity = None, approved = None, check = None))]
    fn evaluate_json<'py>(
        &self,
        py: Python<'py>,
        tool: &str,
        text: &Bound<'py, PyString>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
    ) -> PyResult<Py<Decision>> {
        let parts = &*self.parts;
        let (approval, budget) = (GivenApproval::new(approved)?, Budget::new());
        let (caller, check) = (Caller::new(identity), core_check(check));
        let text = text.to_str().unwrap_or(LONE_SURROGATE);
        let policy = parts.current.get(py, &parts.engine)?;
        let policy = policy.get();
        let call = host_call(tool, text, caller.identity(&budget), approval.as_ref(), check);
        let decision = parts.core().complete(policy.policy().evaluate_json(&call));
        let about = if parts.observer.listens() {
            let identity = caller.identity(&budget);
            match RawJson::parse(text) {
                Ok(raw) => parts.about(&decision, &Call::new(tool, raw.root()).identity(identity)),
                // No object, so it has no keys and no hash.
                Err(_) => {
                    parts.about(&decision, &Call::new(tool, &serde_json::Value::Null).identity(identity))
                }
            }
        } else {
            None
        };
        parts.conclude(py, (policy, policy.tool(py, tool)), decision, about)
    }

    /// The first half of `evaluate_async`: a decision, or what waits for the store.
    #[pyo3(signature = (tool, args = None, identity = None, approved = None, check = None))]
    fn _begin<'py>(
        &self,
        py: Python<'py>,
        tool: &Bound<'py, PyString>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
    ) -> PyResult<Py<PyAny>> {
        let parts = &self.parts;
        if parts.engine.is_in_memory() {
            return self.evaluate(py, tool, args, identity, approved, check).map(Py::into_any);
        }
        let (tool, policy) = (tool.to_str()?, parts.core().policy());
        let (approval, budget) = (GivenApproval::new(approved)?, Budget::new());
        let args = RootValue::new(args, None, &budget);
        let (caller, check) = (Caller::new(identity), core_check(check));
        let owner = PendingOwner::new(policy.clone(), tool, &caller.identity(&budget), approval, check);
        let held = HeldCall::evaluate(owner, args.view(&budget), caller.identity(&budget));
        let call = Call::new(tool, args.view(&budget)).identity(caller.identity(&budget));
        match held {
            Err(decision) => {
                let about = parts.about(&decision, &call);
                parts.conclude_late(py, *decision, about).map(Py::into_any)
            }
            Ok(held) => {
                let about = if parts.observer.listens() {
                    // A record needs a decision to be made about; what it says of the call is the same for any. Arguments that are
                    // no object are always decided without counters.
                    let any = policy.evaluate(&Call::new("", &serde_json::Value::Null)).decided();
                    any.and_then(|decision| parts.about(&decision, &call))
                } else {
                    None
                };
                Ok(Py::new(py, PendingCall::new(parts.clone(), held, about))?.into_any())
            }
        }
    }

    /// Decides a call without blocking the event loop. In-memory counters decide at once, Redis is
    /// asked without blocking, and a SQLite file by a thread of the package's own.
    #[pyo3(signature = (tool, args = None, identity = None, approved = None, check = None))]
    fn evaluate_async<'py>(
        slf: &Bound<'py, Self>,
        tool: &Bound<'py, PyAny>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static EVALUATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let evaluate = EVALUATE.import(slf.py(), "callgate._awaiting", "evaluate")?;
        evaluate.call1((slf, tool, args, identity, approved, check))
    }

    /// What the engine would decide now, with every check that leads to it. Charges nothing.
    #[pyo3(signature = (tool, args = None, identity = None, approved = None, check = None))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        tool: &str,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
    ) -> PyResult<Explanation> {
        let (approval, budget) = (GivenApproval::new(approved)?, Budget::new());
        let args = RootValue::new(args, None, &budget);
        let (caller, check) = (Caller::new(identity), core_check(check));
        let call = host_call(tool, args.view(&budget), caller.identity(&budget), approval.as_ref(), check);
        self.explained(py, self.core().explain(&call))
    }

    /// `explain` for arguments that are raw JSON text.
    #[pyo3(signature = (tool, text, identity = None, approved = None, check = None))]
    fn explain_json<'py>(
        &self,
        py: Python<'py>,
        tool: &str,
        text: &Bound<'py, PyString>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
    ) -> PyResult<Explanation> {
        let (approval, budget) = (GivenApproval::new(approved)?, Budget::new());
        let (caller, check) = (Caller::new(identity), core_check(check));
        let text = text.to_str().unwrap_or(LONE_SURROGATE);
        let call = host_call(tool, text, caller.identity(&budget), approval.as_ref(), check);
        self.explained(py, self.core().explain_json(&call))
    }

    /// Whether a client may see the tool in `tools/list`.
    fn visible(&self, tool: &Bound<'_, PyString>) -> bool {
        policy::is_visible(&self.core().policy(), tool)
    }

    /// Drops what `hide` names from a list of tools; all by one policy.
    #[pyo3(signature = (tools, *, name = None))]
    fn filter_tools<'py>(
        &self,
        tools: &Bound<'py, PyAny>,
        name: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        policy::filter_tools(&self.core().policy(), tools, name)
    }

    /// Puts another policy in force, for every call from here on. Counters go on.
    fn replace(&self, policy: &Bound<'_, Policy>) {
        self.parts.engine.replace(policy.get().0.clone());
    }

    /// Forgets what no call can see any more, and gives its memory back; returns how many counters were dropped.
    fn purge(&self, py: Python<'_>) -> PyResult<usize> {
        // Not `callgate::Engine::purge`: a clock that raises tells no time, and at a wrong one live counters would be dropped.
        let now = self.parts.clock.clock.now();
        self.parts.clock.check()?;
        self.parts.store.purge(now).map_err(|error| error::store(py, &error))
    }

    /// The policy in force.
    #[getter]
    fn policy(&self) -> Policy {
        Policy(self.core().policy())
    }

    /// Stops watching the policy file. Calls are decided as before.
    fn close(&self) {
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(watch);
    }

    /// Watches again in a forked process. Called by `callgate._forking`.
    fn _after_fork(&self) -> PyResult<()> {
        match self.watch.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(watch) => watch.after_fork(&self.parts.engine),
            None => Ok(()),
        }
    }

    fn __repr__(&self) -> String {
        format!("<Engine {}>", policy::digest(&self.core().policy()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.parts.observer.on_decision)
    }
}
