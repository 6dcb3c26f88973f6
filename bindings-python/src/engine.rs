//! The engine as Python sees it.
//!
//! In: calls made of Python objects. Out: decisions. The GIL is held while arguments are read, so that no other thread can
//! change them meanwhile, and while in-memory counters are asked; it is released around compiling and other stores.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use callgate::value::RawJson;
use callgate::{Call, Identity, OnStoreError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString};
use pyo3::{PyTraverseError, PyVisit};

use crate::args_check::{ArgsCheck, checked};
use crate::call::{Caller, Given, ToolName, id};
use crate::decision::Decision;
use crate::error;
use crate::explanation::Explanation;
use crate::in_force::Kept;
use crate::known::Known;
use crate::observe::check_callback;
use crate::options::{Options, Parts};
use crate::pending::{Held, Owned, PendingCall, approved as with_approval};
use crate::policy::{self, Policy};
use crate::root::{Root, Top};
use crate::shape::exact;
use crate::view::Budget;
use crate::watch::{Plan, Watch};

/// Text that no parser takes, for arguments that are no Unicode text themselves: core says why.
const LONE_SURROGATE: &str = "\"\\ud800\"";

/// Decides calls: evaluates the policy and charges the counters. Safe to share between threads.
#[pyclass(module = "callgate", frozen, weakref)]
pub(crate) struct Engine {
    pub(crate) parts: Parts,
    kept: Kept,
    watch: Mutex<Option<Watch>>,
}

impl Engine {
    fn new(py: Python<'_>, parts: Parts) -> Self {
        let kept = Kept::new(py, &parts.engine);
        Self { parts, kept, watch: Mutex::new(None) }
    }

    pub(crate) fn core(&self) -> &callgate::Engine {
        self.parts.engine.core()
    }

    pub(crate) fn on_store_error(&self) -> OnStoreError {
        self.parts.on_store_error
    }

    /// The face of the store that does not block, if it has one, and the time for what it is asked.
    pub(crate) fn unblocking(
        &self,
    ) -> Option<(Arc<dyn callgate::store::AsyncStore>, callgate::time::Timestamp)> {
        let store = self.parts.engine.unblocking()?;
        Some((store, self.parts.clock.clock.now()))
    }

    /// Decides any call, and charges what it costs.
    #[inline(never)]
    fn evaluate_rarer<'py>(
        &self,
        py: Python<'py>,
        tool: &Bound<'py, PyString>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
    ) -> PyResult<Py<Decision>> {
        let approved = approved.map(Given::new).transpose()?;
        let check = check.map(|check| &check.get().0);
        let mut later = None;
        let in_force = self.kept.now(py, &self.parts.engine, &mut later)?;
        let (tool, known) = in_force.called(tool)?;
        let budget = Budget::new();
        let caller = Caller::new(identity);
        let identity = caller.identity(&budget);
        match args.map(|args| Top::new(args, known.map(Known::names), &budget)) {
            Some(args) => {
                let call = Call::new(tool, args.view(&budget)).identity(identity);
                self.decide(py, in_force, known, &checked(with_approval(call, approved.as_ref()), check))
            }
            None => {
                let call = Call::without_args(tool).identity(identity);
                self.decide(py, in_force, known, &checked(with_approval(call, approved.as_ref()), check))
            }
        }
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
        Ok(Self::new(py, options.build(py, policy.get().0.clone())?))
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
        Ok(Self::new(py, options.build(py, policy::from_text(py, text, "detect")?)?))
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
            Some(watch) => Plan::new(path.clone(), watch, on_reload)?,
            None => None,
        };
        let parts = options.build(py, policy::from_file(py, &path)?)?;
        let engine = Py::new(py, Self::new(py, parts))?;
        if let Some(plan) = plan {
            let watch = plan.start(&engine.get().parts.engine)?;
            *engine.get().watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
            WATCHED.import(py, "callgate._forking", "watched")?.call1((&engine,))?;
        }
        Ok(engine)
    }

    /// Decides a call and charges what it costs.
    #[pyo3(signature = (tool, args = None, identity = None, approved = None, check = None))]
    #[inline(always)]
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        tool: ToolName<'_, 'py>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
    ) -> PyResult<Py<Decision>> {
        // Nearly all calls: a dict, by somebody who is known by an id, of a tool that was called by the same string before. What all
        // others need is left to a function of its own, so that it takes no room here.
        let (Some(dict), Some(id), None, None) = (args.and_then(exact), id(identity), approved, check) else {
            return self.evaluate_rarer(py, &tool, args, identity, approved, check);
        };
        let in_force = self.kept.first(&self.parts.engine);
        let Some((in_force, known)) = in_force.and_then(|it| Some((it, it.named(&tool)?))) else {
            return self.evaluate_rarer(py, &tool, args, identity, None, None);
        };
        let root = Root::new(dict, Some(known.names()));
        self.decide_by_id(py, in_force, known, &root, id)
    }

    /// Decides a call whose arguments are raw JSON text, which is checked whole.
    #[pyo3(signature = (tool, text, identity = None, approved = None, check = None))]
    fn evaluate_json<'py>(
        &self,
        py: Python<'py>,
        tool: &str,
        text: &Bound<'py, PyString>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<Given>,
        check: Option<&Bound<'py, ArgsCheck>>,
    ) -> PyResult<Py<Decision>> {
        let budget = Budget::new();
        let caller = Caller::new(identity);
        let text = text.to_str().unwrap_or(LONE_SURROGATE);
        let call = Call::new(tool, text).identity(caller.identity(&budget));
        let call = checked(with_approval(call, approved.as_ref()), check.map(|check| &check.get().0));
        let mut later = None;
        let in_force = self.kept.now(py, &self.parts.engine, &mut later)?;
        let decision = self.core().complete(in_force.policy().evaluate_json(&call));
        let about = if self.parts.observer.listens() {
            let identity = caller.identity(&budget);
            match RawJson::parse(text) {
                Ok(raw) => self.about(&decision, &Call::new(tool, raw.root()).identity(identity)),
                // No object, so it has no keys and no hash.
                Err(_) => {
                    self.about(&decision, &Call::new(tool, &serde_json::Value::Null).identity(identity))
                }
            }
        } else {
            None
        };
        let known = in_force.known(py, tool);
        self.finish_by(py, in_force, known, decision, about)
    }

    /// Does nothing, with the signature of `evaluate` and as little of it read: what a call across the border costs by itself.
    #[cfg(feature = "bench")]
    #[pyo3(signature = (tool, args = None, identity = None, approved = None))]
    fn _noop<'py>(
        &self,
        tool: ToolName<'_, 'py>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
    ) {
        let _ = (tool, args, identity, approved);
    }

    /// Decides a charge with the signature of `evaluate` by a policy that is a part of the program, and returns an object that was made
    /// before: what reading these arguments as this package does costs by itself.
    #[cfg(feature = "bench")]
    #[pyo3(signature = (tool, args = None, identity = None, approved = None))]
    fn _by_heart<'py>(
        &self,
        py: Python<'py>,
        tool: ToolName<'_, 'py>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Py<Decision>> {
        crate::floor::by_heart(args, || self.evaluate_rarer(py, &tool, args, identity, approved, None))
    }

    /// The first half of `evaluate_async`: a decision, or what waits for the store.
    #[pyo3(signature = (tool, args = None, identity = None, approved = None, check = None))]
    fn _begin<'py>(
        slf: &Bound<'py, Self>,
        tool: ToolName<'_, 'py>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
    ) -> PyResult<Py<PyAny>> {
        let (py, engine) = (slf.py(), slf.get());
        if engine.parts.engine.is_in_memory() {
            return engine.evaluate(py, tool, args, identity, approved, check).map(Py::into_any);
        }
        let (tool, approved) = (tool.to_str()?, approved.map(Given::new).transpose()?);
        let budget = Budget::new();
        let caller = Caller::new(identity);
        let id = match caller.identity(&budget) {
            Identity::Id(id) => Some(id.to_owned()),
            _ => None,
        };
        let policy = engine.core().policy();
        let args = args.map(|args| Top::new(args, None, &budget));
        let check = check.map(|check| check.get().0.clone());
        let owned = Owned { policy, tool: tool.to_owned(), id, approved, check };
        let held = Held::evaluate(owned, args.as_ref(), &caller, &budget);
        // A record needs a decision to be made about; what it says of the call is the same for any.
        let record = |decision: &callgate::Decision<'_>| match &args {
            Some(args) => {
                let args = args.view(&budget);
                engine.about(decision, &Call::new(tool, args).identity(caller.identity(&budget)))
            }
            None => engine.about(decision, &Call::without_args(tool).identity(caller.identity(&budget))),
        };
        match held {
            Err(decision) => {
                let about = record(&decision);
                engine.finish(py, *decision, about).map(Py::into_any)
            }
            Ok(held) => {
                let about = if engine.parts.observer.listens() {
                    // Arguments that are no object are always decided without counters.
                    let policy = engine.core().policy();
                    let any = policy.evaluate(&Call::new("", &serde_json::Value::Null)).decided();
                    any.and_then(|decision| record(&decision))
                } else {
                    None
                };
                Ok(Py::new(py, PendingCall::new(slf.clone().unbind(), held, about))?.into_any())
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
        approved: Option<Given>,
        check: Option<&Bound<'py, ArgsCheck>>,
    ) -> PyResult<Explanation> {
        let check = check.map(|check| &check.get().0);
        let budget = Budget::new();
        let caller = Caller::new(identity);
        let identity = caller.identity(&budget);
        match args.map(|args| Top::new(args, None, &budget)) {
            Some(args) => {
                let call = Call::new(tool, args.view(&budget)).identity(identity);
                self.explained(
                    py,
                    self.core().explain(&checked(with_approval(call, approved.as_ref()), check)),
                )
            }
            None => {
                let call = Call::without_args(tool).identity(identity);
                self.explained(
                    py,
                    self.core().explain(&checked(with_approval(call, approved.as_ref()), check)),
                )
            }
        }
    }

    /// `explain` for arguments that are raw JSON text.
    #[pyo3(signature = (tool, text, identity = None, approved = None, check = None))]
    fn explain_json<'py>(
        &self,
        py: Python<'py>,
        tool: &str,
        text: &Bound<'py, PyString>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<Given>,
        check: Option<&Bound<'py, ArgsCheck>>,
    ) -> PyResult<Explanation> {
        let budget = Budget::new();
        let caller = Caller::new(identity);
        let text = text.to_str().unwrap_or(LONE_SURROGATE);
        let call = Call::new(tool, text).identity(caller.identity(&budget));
        let call = checked(with_approval(call, approved.as_ref()), check.map(|check| &check.get().0));
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
