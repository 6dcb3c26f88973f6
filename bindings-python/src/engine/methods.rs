//! The methods of the class `Engine`.
//!
//! In: calls made of Python objects. Out: decisions. The GIL is held while arguments are read, so that no other thread can
//! change them meanwhile, and while in-memory counters are asked; it is released around compiling and other stores.

use std::sync::PoisonError;
use std::time::Duration;

use callgate::__binding::Target;
use callgate::store::{ApprovalAnswer, Store as _};
use callgate_host::Candidate;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::args_check::ArgsCheck;
use super::decide::{Args, Beside};
use super::filing::{self, FiledCall};
use super::object::Engine;
use super::options::Options;
use super::subscription::Subscription;
use crate::decision::{Decision, Explanation, loads};
use crate::diagnostic::diagnostics_tuple;
use crate::error;
use crate::policy::{self, Paths, Policy};
use crate::store::{LiveCounter, Store};

/// A function of `callgate._awaiting`.
fn awaiting<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("callgate._awaiting").map(Bound::unbind))?;
    module.bind(py).getattr(name)
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (policy, *, store = None, store_namespace = None, store_timeout = None, on_store_error = "deny", clock = None, on_decision = None, args_hash = None, on_warning = None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn py_new(
        py: Python<'_>,
        policy: &Bound<'_, Policy>,
        store: Option<&Bound<'_, PyAny>>,
        store_namespace: Option<&str>,
        store_timeout: Option<f64>,
        on_store_error: &str,
        clock: Option<&Bound<'_, PyAny>>,
        on_decision: Option<&Bound<'_, PyAny>>,
        args_hash: Option<&Bound<'_, PyAny>>,
        on_warning: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let store = (store, store_namespace, store_timeout, on_store_error);
        let options = Options::new(store, clock, (on_decision, args_hash), on_warning);
        Self::open(py, policy.get(), &options)
    }

    /// An engine for a policy written in YAML or JSON.
    #[staticmethod]
    #[pyo3(signature = (text, *, store = None, store_namespace = None, store_timeout = None, on_store_error = "deny", clock = None, on_decision = None, args_hash = None, on_warning = None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn from_str(
        py: Python<'_>,
        text: &str,
        store: Option<&Bound<'_, PyAny>>,
        store_namespace: Option<&str>,
        store_timeout: Option<f64>,
        on_store_error: &str,
        clock: Option<&Bound<'_, PyAny>>,
        on_decision: Option<&Bound<'_, PyAny>>,
        args_hash: Option<&Bound<'_, PyAny>>,
        on_warning: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let store = (store, store_namespace, store_timeout, on_store_error);
        let options = Options::new(store, clock, (on_decision, args_hash), on_warning);
        Self::open_text(py, text, &options)
    }

    /// An engine for a policy file, or for several as a stack, and for their later versions if they are watched.
    #[staticmethod]
    #[pyo3(signature = (path, *, watch = None, on_reload = None, on_reload_error = None, store = None, store_namespace = None, store_timeout = None, on_store_error = "deny", clock = None, on_decision = None, args_hash = None, on_warning = None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn from_file(
        py: Python<'_>,
        path: Paths,
        watch: Option<&Bound<'_, PyAny>>,
        on_reload: Option<&Bound<'_, PyAny>>,
        on_reload_error: Option<&Bound<'_, PyAny>>,
        store: Option<&Bound<'_, PyAny>>,
        store_namespace: Option<&str>,
        store_timeout: Option<f64>,
        on_store_error: &str,
        clock: Option<&Bound<'_, PyAny>>,
        on_decision: Option<&Bound<'_, PyAny>>,
        args_hash: Option<&Bound<'_, PyAny>>,
        on_warning: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Self>> {
        let store = (store, store_namespace, store_timeout, on_store_error);
        let options = Options::new(store, clock, (on_decision, args_hash), on_warning);
        Self::open_file(py, path.0, watch, (on_reload, on_reload_error), &options)
    }

    /// Decides a call and charges what it costs.
    #[pyo3(signature = (tool, args = None, identity = None, approved = None, check = None, server = None))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of Python")]
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        tool: &Bound<'py, PyString>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&str>,
    ) -> PyResult<Py<Decision>> {
        self.parts.evaluate(py, tool, args, Beside { identity, approved, check, server })
    }

    /// Decides a call whose arguments are raw JSON text, which is checked whole.
    #[pyo3(signature = (tool, text, identity = None, approved = None, check = None, server = None))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of Python")]
    fn evaluate_json<'py>(
        &self,
        py: Python<'py>,
        tool: &str,
        text: &Bound<'py, PyString>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&str>,
    ) -> PyResult<Py<Decision>> {
        self.parts.decide(
            py,
            Target::Tool(tool),
            Args::Json(text),
            Beside { identity, approved, check, server },
        )
    }

    /// The first half of `evaluate_async` and the like, which `form` names without `_async`: a decision, or what waits for the store.
    #[expect(clippy::too_many_arguments, reason = "the arguments of each form, and the form")]
    fn _begin<'py>(
        &self,
        py: Python<'py>,
        form: &str,
        name: &str,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&str>,
    ) -> PyResult<Py<PyAny>> {
        let target =
            if form.starts_with("evaluate_request") { Target::Method(name) } else { Target::Tool(name) };
        let args = match args {
            Some(text) if form.ends_with("_json") => Args::Json(text.cast()?),
            _ => Args::Value(args),
        };
        self.parts.begin(py, target, args, Beside { identity, approved, check, server })
    }

    /// Decides a call without blocking the event loop. In-memory counters decide at once, Redis is
    /// asked without blocking, and a SQLite file by a thread of the package's own.
    #[pyo3(signature = (tool, args = None, identity = None, approved = None, check = None, server = None))]
    fn evaluate_async<'py>(
        slf: &Bound<'py, Self>,
        tool: &Bound<'py, PyAny>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = (slf, intern!(slf.py(), "evaluate"), tool, args, identity, approved, check, server);
        awaiting(slf.py(), "evaluate")?.call1(call)
    }

    /// `evaluate_async` for arguments that are raw JSON text.
    #[pyo3(signature = (tool, text, identity = None, approved = None, check = None, server = None))]
    fn evaluate_json_async<'py>(
        slf: &Bound<'py, Self>,
        tool: &Bound<'py, PyAny>,
        text: &Bound<'py, PyAny>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = (slf, intern!(slf.py(), "evaluate_json"), tool, text, identity, approved, check, server);
        awaiting(slf.py(), "evaluate")?.call1(call)
    }

    /// Decides a request of another method than `tools/call`.
    #[pyo3(signature = (method, params = None, identity = None, approved = None, check = None, server = None))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of Python")]
    fn evaluate_request<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        params: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&str>,
    ) -> PyResult<Py<Decision>> {
        self.parts.decide(
            py,
            Target::Method(method),
            Args::Value(params),
            Beside { identity, approved, check, server },
        )
    }

    /// `evaluate_request` for params that are raw JSON text.
    #[pyo3(signature = (method, text, identity = None, approved = None, check = None, server = None))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of Python")]
    fn evaluate_request_json<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        text: &Bound<'py, PyString>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&str>,
    ) -> PyResult<Py<Decision>> {
        self.parts.decide(
            py,
            Target::Method(method),
            Args::Json(text),
            Beside { identity, approved, check, server },
        )
    }

    /// `evaluate_request`, without blocking the event loop.
    #[pyo3(signature = (method, params = None, identity = None, approved = None, check = None, server = None))]
    fn evaluate_request_async<'py>(
        slf: &Bound<'py, Self>,
        method: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call =
            (slf, intern!(slf.py(), "evaluate_request"), method, params, identity, approved, check, server);
        awaiting(slf.py(), "evaluate")?.call1(call)
    }

    /// `evaluate_request_json`, without blocking the event loop.
    #[pyo3(signature = (method, text, identity = None, approved = None, check = None, server = None))]
    fn evaluate_request_json_async<'py>(
        slf: &Bound<'py, Self>,
        method: &Bound<'py, PyAny>,
        text: &Bound<'py, PyAny>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = (
            slf,
            intern!(slf.py(), "evaluate_request_json"),
            method,
            text,
            identity,
            approved,
            check,
            server,
        );
        awaiting(slf.py(), "evaluate")?.call1(call)
    }

    /// What the engine would decide now, with every check that leads to it. Charges nothing.
    #[pyo3(signature = (tool, args = None, identity = None, approved = None, check = None, server = None))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of Python")]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        tool: &str,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&str>,
    ) -> PyResult<Explanation> {
        self.parts.explain(
            py,
            Target::Tool(tool),
            Args::Value(args),
            Beside { identity, approved, check, server },
        )
    }

    /// `explain` for arguments that are raw JSON text.
    #[pyo3(signature = (tool, text, identity = None, approved = None, check = None, server = None))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of Python")]
    fn explain_json<'py>(
        &self,
        py: Python<'py>,
        tool: &str,
        text: &Bound<'py, PyString>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&str>,
    ) -> PyResult<Explanation> {
        self.parts.explain(
            py,
            Target::Tool(tool),
            Args::Json(text),
            Beside { identity, approved, check, server },
        )
    }

    /// `explain`, without blocking the event loop.
    #[pyo3(signature = (tool, args = None, identity = None, approved = None, check = None, server = None))]
    fn explain_async<'py>(
        slf: &Bound<'py, Self>,
        tool: &Bound<'py, PyAny>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = (slf, intern!(slf.py(), "explain"), tool, args, identity, approved, check, server);
        awaiting(slf.py(), "explain")?.call1(call)
    }

    /// `explain_json`, without blocking the event loop.
    #[pyo3(signature = (tool, text, identity = None, approved = None, check = None, server = None))]
    fn explain_json_async<'py>(
        slf: &Bound<'py, Self>,
        tool: &Bound<'py, PyAny>,
        text: &Bound<'py, PyAny>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
        check: Option<&Bound<'py, ArgsCheck>>,
        server: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = (slf, intern!(slf.py(), "explain_json"), tool, text, identity, approved, check, server);
        awaiting(slf.py(), "explain")?.call1(call)
    }

    /// Whether asking the store never waits.
    #[getter]
    fn _in_memory(&self) -> bool {
        self.parts.engine.is_in_memory()
    }

    /// Whether the caller may see the tool in `tools/list`.
    #[pyo3(signature = (tool, identity = None, server = None))]
    fn visible(
        &self,
        tool: &Bound<'_, PyString>,
        identity: Option<&Bound<'_, PyAny>>,
        server: Option<&str>,
    ) -> bool {
        policy::is_visible(&self.core().policy(), tool, identity, server)
    }

    /// Drops what the caller may not see from a list of tools; all by one policy.
    #[pyo3(signature = (tools, identity = None, server = None, *, name = None))]
    fn filter_tools<'py>(
        &self,
        tools: &Bound<'py, PyAny>,
        identity: Option<&Bound<'py, PyAny>>,
        server: Option<&str>,
        name: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        policy::filter_tools(&self.core().policy(), tools, identity, server, name)
    }

    /// Puts another policy in force, for every call from here on. Counters go on.
    fn replace(&self, py: Python<'_>, policy: &Bound<'_, Policy>) -> PyResult<()> {
        self.parts.engine.replace(policy.get().0.clone());
        self.warn_again(py)
    }

    /// Lets a candidate decide beside the policy in force, with counters of its own, or none. Changes no decision.
    #[pyo3(signature = (candidate, *, store = None))]
    fn observe(
        &self,
        candidate: Option<&Bound<'_, Policy>>,
        store: Option<&Bound<'_, Store>>,
    ) -> PyResult<()> {
        let candidate = candidate.map(|policy| {
            let candidate = Candidate::new(policy.get().0.clone()).clock(self.parts.clock.quiet());
            match store {
                Some(store) => candidate.store(store.get().0.shared()),
                None => candidate,
            }
        });
        self.parts.engine.observe(candidate).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// What came of all calls since the candidate began; `None` without one.
    fn observations<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let observations = self.parts.engine.observer().observations();
        observations.map(|observations| loads(py, &observations.to_json())).transpose()
    }

    /// Forgets what no call can see any more, and gives its memory back; returns how many counters were dropped.
    fn purge(&self, py: Python<'_>) -> PyResult<usize> {
        // Not `callgate::Engine::purge`: a clock that raises tells no time, and at a wrong one live counters would be dropped.
        let now = self.shown()?;
        self.parts.store().counters().purge(now).map_err(|error| error::store(py, &error))
    }

    /// Every counter of the store that holds something, in no particular order.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let live = self.parts.store().list(py, self.shown()?).map_err(|error| error::store(py, &error))?;
        LiveCounter::list(py, live)
    }

    /// Makes a counter hold nothing, and returns whether it held something.
    fn reset_counter(&self, py: Python<'_>, counter: &Bound<'_, PyAny>) -> PyResult<bool> {
        let counter = LiveCounter::named(counter)?;
        self.parts.store().reset(py, counter, self.shown()?).map_err(|error| error::store(py, &error))
    }

    /// What may not mean what its author thinks in the policy in force, and what it cannot keep with this engine's store.
    #[getter]
    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        diagnostics_tuple(py, &self.core().warnings())
    }

    /// Files a call that waits for approval, or finds what became of it (spec 7.7, 7.9). For `approve_by_store`.
    #[pyo3(signature = (decision, server, caller, text, keys))]
    fn _file(
        &self,
        py: Python<'_>,
        decision: &Bound<'_, Decision>,
        server: &str,
        caller: Option<&str>,
        text: Option<&str>,
        keys: Option<Vec<String>>,
    ) -> PyResult<Option<FiledCall>> {
        filing::file(py, self.parts.store(), decision.get(), (server, caller), (text, keys), self.shown()?)
    }

    /// Answers a call that was filed for a person, by its id (spec 7.8).
    #[pyo3(signature = (id, granted, *, by, valid_for = 3600.0))]
    fn answer_approval(
        &self,
        py: Python<'_>,
        id: &str,
        granted: bool,
        by: &str,
        valid_for: f64,
    ) -> PyResult<&'static str> {
        if !(valid_for > 0.0 && valid_for.is_finite()) {
            return Err(PyValueError::new_err("valid_for must be more than 0 seconds"));
        }
        // No answer holds for longer than the ceiling of days (spec 7.5).
        let lasts = Duration::from_secs_f64(valid_for.min(1e9));
        let answer = if granted { ApprovalAnswer::grant(by, lasts) } else { ApprovalAnswer::deny(by, lasts) };
        filing::answer(py, self.parts.store(), id, &answer, self.shown()?)
    }

    /// Calls `heard` after each policy that comes into force, on the thread that put it there, as long as the result lives. For guards.
    fn _subscribe(&self, heard: Py<PyAny>) -> Subscription {
        Subscription::new(self.core(), heard)
    }

    /// What the engine's clock shows, in seconds. For guards.
    fn _now(&self) -> PyResult<f64> {
        Ok(self.shown()?.as_millis() as f64 / 1000.0)
    }

    /// The policy in force.
    #[getter]
    fn policy(&self) -> Policy {
        Policy(self.core().policy())
    }

    /// Stops watching the policy file, and closes the store that the engine opened.
    fn close(&self, py: Python<'_>) {
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(watch);
        self.parts.engine.close(py);
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) {
        self.close(py);
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
