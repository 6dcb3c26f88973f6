//! The relay of a connection as Python sees it.
//!
//! In: messages as text, identities as JSON with their engines, decisions. Out: steps as tuples, each of which begins with its kind. Must not
//! make Python objects under the lock: they may run anything.

use std::sync::{Mutex, MutexGuard, PoisonError};

use callgate::Policy;
use callgate::lock::CHANGED;
use callgate_host::stream::{self, Decide, Note, Policed, Refusal, Step};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::decision::Decision;
use crate::engine::{ArgsCheck, Engine};
use crate::live::LiveEngine;
use crate::lock::Pins;

impl Policed for LiveEngine {
    fn policy(&self) -> Policy {
        self.core().policy()
    }
}

/// Reads the messages of one connection, and says what to do. Not public: `guard_streams` drives it.
#[pyclass(module = "callgate._native", frozen)]
pub(crate) struct Stream(Mutex<stream::Stream<LiveEngine>>);

/// What is to be decided.
#[pyclass(module = "callgate._native", frozen)]
pub(crate) struct StreamAsk(Decide);

impl Stream {
    fn lock(&self) -> MutexGuard<'_, stream::Stream<LiveEngine>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Stream {
    /// `engine` is that of all callers; without it, each is identified with its own. `server` is the server's name.
    #[new]
    #[pyo3(signature = (engine, *, server = None, check_args = true, lock = None, on_drift = "hide"))]
    fn py_new(
        engine: Option<&Bound<'_, Engine>>,
        server: Option<&str>,
        check_args: bool,
        lock: Option<&Bound<'_, Pins>>,
        on_drift: &str,
    ) -> PyResult<Self> {
        let mut options = stream::Options::new().check_args(check_args);
        if let Some(pins) = lock {
            options = options.lock(pins.get().0.clone(), crate::lock::on_drift(on_drift)?);
        }
        if let Some(server) = server {
            options = options.server(server);
        }
        let engine = engine.map(|engine| engine.get().live().clone());
        Ok(Self(Mutex::new(stream::Stream::new(engine, options))))
    }

    /// A message of the client. `tag` is a number above 0 by which steps name it, `now` are milliseconds.
    #[pyo3(name = "from_client")]
    fn client_wrote<'py>(
        &self,
        py: Python<'py>,
        text: &str,
        tag: u64,
        now: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        let steps = self.lock().from_client(text, tag, now);
        listed(py, steps)
    }

    /// A message of the server.
    #[pyo3(name = "from_server")]
    fn server_wrote<'py>(
        &self,
        py: Python<'py>,
        text: &str,
        tag: u64,
        now: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        let steps = self.lock().from_server(text, tag, now);
        listed(py, steps)
    }

    /// For whom a request is: the identity as JSON, and the engine that decides.
    fn identified<'py>(
        &self,
        engine: &Bound<'py, Engine>,
        call: u64,
        identity: Option<&str>,
        now: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        let steps = self.lock().identified(call, identity, engine.get().live(), now);
        listed(engine.py(), steps)
    }

    /// What was decided of a call.
    fn decided<'py>(
        &self,
        call: u64,
        decision: &Bound<'py, Decision>,
        now: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        let steps = self.lock().decided(call, Some(decision.get().inner()), None, now);
        listed(decision.py(), steps)
    }

    /// A call was denied, and its caller is told more than the decision says: this result, or this message with `data` where the answer
    /// is an error.
    fn deny<'py>(
        &self,
        py: Python<'py>,
        call: u64,
        result: String,
        message: String,
        data: Option<String>,
        now: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        let steps = self.lock().deny(call, Refusal { result, message, data }, now);
        listed(py, steps)
    }

    /// A request does not run: its caller gets this text, in the form of a denial.
    fn refuse<'py>(&self, py: Python<'py>, call: u64, text: &str, now: u64) -> PyResult<Bound<'py, PyList>> {
        let steps = self.lock().refuse(call, text, now);
        listed(py, steps)
    }

    /// A call does not run now: its caller gets this result, a JSON object.
    fn answer<'py>(
        &self,
        py: Python<'py>,
        call: u64,
        result: String,
        now: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        let steps = self.lock().answer(call, result, now);
        listed(py, steps)
    }

    /// The message that a call begins with could not be given to the server.
    fn unsent<'py>(&self, py: Python<'py>, call: u64) -> PyResult<Bound<'py, PyList>> {
        let steps = self.lock().unsent(call);
        listed(py, steps)
    }

    /// A time has come that a step named.
    fn wake<'py>(&self, py: Python<'py>, now: u64) -> PyResult<Bound<'py, PyList>> {
        let steps = self.lock().wake(now);
        listed(py, steps)
    }

    /// The client is gone.
    fn client_closed<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let steps = self.lock().client_closed();
        listed(py, steps)
    }

    /// The policy of some engine was replaced.
    fn reloaded<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let steps = self.lock().reloaded();
        listed(py, steps)
    }

    /// Bytes of the server's messages that wait for decisions.
    #[getter]
    fn deciding_bytes(&self) -> usize {
        self.lock().deciding_bytes()
    }
}

#[pymethods]
impl StreamAsk {
    /// The method: `tools/call`, or another one (spec 3.10).
    #[getter]
    fn method(&self) -> &str {
        &self.0.method
    }

    /// The tool's name; `None` for another method.
    #[getter]
    fn tool(&self) -> Option<&str> {
        self.0.tool.as_deref()
    }

    /// The JSON text of the arguments, or of the params; `None` for absent ones.
    #[getter]
    fn args(&self) -> Option<&str> {
        self.0.args.as_deref()
    }

    /// How they are to be checked.
    #[getter]
    fn check(&self) -> ArgsCheck {
        ArgsCheck(self.0.check.clone())
    }

    /// The id of the request, as JSON.
    #[getter]
    fn request(&self) -> &str {
        &self.0.request
    }

    /// The revision of the protocol, where it is known.
    #[getter]
    fn protocol(&self) -> Option<&str> {
        self.0.protocol.as_deref()
    }

    /// Whether the client asks; else the server does.
    #[getter(from_client)]
    fn is_of_client(&self) -> bool {
        self.0.from_client
    }

    /// Whether the caller asks for a task.
    #[getter]
    fn task(&self) -> bool {
        self.0.task
    }
}

fn listed(py: Python<'_>, steps: Vec<Step>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for step in steps {
        list.append(tuple(py, step)?)?;
    }
    Ok(list)
}

fn tuple(py: Python<'_>, step: Step) -> PyResult<Bound<'_, PyTuple>> {
    let made = match step {
        Step::ToClient { tag, call, message } => ("client", tag, call, message).into_pyobject(py)?,
        Step::ToServer { tag, call, message } => ("server", tag, call, message).into_pyobject(py)?,
        Step::Identify { call, tag, from_client } => {
            ("identify", call, tag, from_client).into_pyobject(py)?
        }
        Step::Decide(ask) => ("decide", ask.call, ask.tag, StreamAsk(*ask)).into_pyobject(py)?,
        Step::Finish { call, outcome } => ("finish", call, outcome.as_str()).into_pyobject(py)?,
        Step::Accepted { call } => ("accepted", call).into_pyobject(py)?,
        Step::GivenUp { call } => ("given_up", call).into_pyobject(py)?,
        Step::WakeAt(at) => ("wake", at).into_pyobject(py)?,
        Step::Note(note) => noted(py, note)?,
    };
    Ok(made)
}

/// A note: what it is about, and what there is to say.
fn noted(py: Python<'_>, note: Note) -> PyResult<Bound<'_, PyTuple>> {
    let names = |tools: &[stream::Listed], are_changed: bool| -> Vec<String> {
        tools.iter().filter(|tool| tool.is_changed || !are_changed).map(|tool| tool.name.clone()).collect()
    };
    match note {
        Note::Listed(tools) => {
            ("note", "listed", (names(&tools, false), names(&tools, true))).into_pyobject(py)
        }
        Note::ListFailed(why) => ("note", "list_failed", why).into_pyobject(py),
        Note::ListFiltered { method, hidden } => {
            ("note", "list_filtered", (method, hidden)).into_pyobject(py)
        }
        Note::FrameRefused { from: _, reason } => ("note", "frame_refused", reason).into_pyobject(py),
        Note::Unchecked { request, tool } => ("note", "unchecked", (request, tool)).into_pyobject(py),
        Note::Changed { request, tool, .. } => ("note", CHANGED, (request, tool)).into_pyobject(py),
        Note::Withdrawn { request, tool } => ("note", "withdrawn", (request, tool)).into_pyobject(py),
    }
}
