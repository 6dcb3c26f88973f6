//! Decisions as Python sees them.
//!
//! In: the core's decision. Out: its parts as Python values, made when they are asked for. Holds no arguments.

use callgate_host::Observed;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyString, PyTuple};

use super::reservation::{Finisher, Reservation, parsed};
use crate::policy::digest;

/// A decision about one call.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct Decision {
    /// Whether the call may run now.
    // A field, which Python reads without a call; the other parts are made when they are asked for.
    #[pyo3(get)]
    allowed: Py<PyBool>,
    inner: callgate::Decision<'static>,
    /// What finishes the reservation; only a decision that asked a store can have one.
    finisher: Option<Py<Finisher>>,
    /// Made when it is asked for, once: every reader gets the same, which can be finished once.
    reservation: PyOnceLock<Option<Py<Reservation>>>,
}

/// The rule or item that a decision reports.
#[pyclass(module = "callgate", frozen)]
#[derive(Clone)]
pub(crate) struct Rule {
    #[pyo3(get)]
    layer: Option<String>,
    #[pyo3(get)]
    name: Option<String>,
    #[pyo3(get)]
    pointer: String,
    #[pyo3(get)]
    line: u32,
    approvers: Vec<String>,
}

impl Rule {
    fn new(rule: callgate::RuleRef<'_>) -> Self {
        Self {
            layer: rule.layer().map(str::to_owned),
            name: rule.name().map(str::to_owned),
            pointer: rule.pointer().to_owned(),
            line: rule.line(),
            approvers: rule.approvers().iter().map(|name| name.to_string()).collect(),
        }
    }
}

/// What a call needs to be approved.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct ApprovalNeeded {
    #[pyo3(get)]
    key: String,
    rules: Vec<Rule>,
    ignored: Vec<String>,
    #[pyo3(get)]
    valid_for: Option<u64>,
    #[pyo3(get)]
    uses: u32,
}

/// A counter that a decision asked the store about. Amounts are exact decimals.
#[pyclass(module = "callgate", frozen, get_all)]
pub(crate) struct CounterUse {
    entry: Option<String>,
    counter: String,
    scope: String,
    window: String,
    charged: Option<Py<PyAny>>,
    used: Py<PyAny>,
    max: Option<Py<PyAny>>,
    resets_at: Option<Py<PyAny>>,
    budget: Option<String>,
}

impl Decision {
    /// A decision of `engine`.
    pub(crate) fn new(py: Python<'_>, finisher: &Py<Finisher>, inner: callgate::Decision<'static>) -> Self {
        let finisher = inner.counters().next().map(|_| finisher.clone_ref(py));
        Self { finisher, ..Self::uncharged(py, inner) }
    }

    /// A decision of the engine of `finisher`, which holds what a candidate says of it.
    pub(crate) fn observed_by(
        py: Python<'_>,
        finisher: Finisher,
        inner: callgate::Decision<'static>,
    ) -> PyResult<Self> {
        let finisher = Some(Py::new(py, finisher)?);
        Ok(Self { finisher, ..Self::uncharged(py, inner) })
    }

    /// A decision that charged nothing, whatever it says.
    pub(crate) fn uncharged(py: Python<'_>, inner: callgate::Decision<'static>) -> Self {
        let allowed = PyBool::new(py, inner.allowed()).to_owned().unbind();
        Self { allowed, inner, finisher: None, reservation: PyOnceLock::new() }
    }

    fn candidate(&self) -> Option<&Observed> {
        self.finisher.as_ref()?.get().observed.as_ref()
    }

    pub(crate) fn inner(&self) -> &callgate::Decision<'static> {
        &self.inner
    }
}

static DECIMAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static INSTANT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// An exact `Decimal`.
pub(crate) fn decimal(py: Python<'_>, amount: callgate::Amount) -> PyResult<Py<PyAny>> {
    DECIMAL.import(py, "decimal", "Decimal")?.call1((amount.to_string(),)).map(Bound::unbind)
}

/// An aware `datetime`, exact to the millisecond.
pub(crate) fn instant(py: Python<'_>, at: callgate::time::Timestamp) -> PyResult<Py<PyAny>> {
    INSTANT.import(py, "callgate._values", "instant")?.call1((at.as_millis(),)).map(Bound::unbind)
}

pub(crate) fn loads<'py>(py: Python<'py>, json: &str) -> PyResult<Bound<'py, PyAny>> {
    LOADS.import(py, "json", "loads")?.call1((json,))
}

#[pymethods]
impl Decision {
    /// The inner tool, where a dispatcher was called (spec 3.11). For guards.
    #[getter]
    fn _inner(&self) -> Option<&str> {
        self.inner.inner()
    }

    /// `"allow"`, `"deny"` or `"require_approval"`.
    #[getter]
    pub(crate) fn effect(&self) -> &'static str {
        self.inner.effect().as_str()
    }

    /// Why, as a stable code.
    #[getter]
    pub(crate) fn code(&self) -> &'static str {
        self.inner.code().as_str()
    }

    /// The tool that was called; `None` for another method than `tools/call`.
    #[getter]
    fn tool(&self) -> Option<&str> {
        self.inner.tool()
    }

    /// The method that was called.
    #[getter]
    fn method(&self) -> &str {
        self.inner.method()
    }

    /// What to tell the agent; `None` when the call is allowed.
    #[getter]
    fn message<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.inner.message().map(|message| PyString::new(py, &message))
    }

    /// The rule or item that decided, if one did.
    #[getter]
    fn rule(&self) -> Option<Rule> {
        self.inner.rule().map(Rule::new)
    }

    /// Every counter that the decision asked the store about.
    #[getter]
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let counters = self.inner.counters().map(|usage| {
            Ok(CounterUse {
                entry: usage.entry().map(str::to_owned),
                counter: usage.counter().name().to_owned(),
                scope: usage.counter().scope().to_owned(),
                window: usage.window().to_owned(),
                charged: usage.charged().map(|amount| decimal(py, amount)).transpose()?,
                used: decimal(py, usage.used())?,
                max: usage.max().map(|amount| decimal(py, amount)).transpose()?,
                resets_at: usage.resets_at().map(|at| instant(py, at)).transpose()?,
                budget: usage.budget().map(str::to_owned),
            })
        });
        PyTuple::new(py, counters.collect::<PyResult<Vec<_>>>()?)
    }

    /// Whole seconds after which the call may pass if nothing else happens; `None` if waiting does not help.
    #[getter]
    fn retry_after(&self) -> Option<u64> {
        self.inner.retry_after()
    }

    /// What an approval of this call must name, and which rules ask; `None` unless the effect is `require_approval`.
    #[getter]
    fn approval(&self) -> Option<ApprovalNeeded> {
        let needed = self.inner.approval()?;
        Some(ApprovalNeeded {
            key: needed.key().to_owned(),
            rules: needed.rules().map(Rule::new).collect(),
            ignored: needed.ignored().iter().map(|path| path.to_string()).collect(),
            valid_for: needed.valid_for().map(|length| length.as_secs()),
            uses: needed.uses(),
        })
    }

    /// Digest of the policy that decided.
    #[getter]
    fn policy(&self) -> String {
        digest(self.inner.policy())
    }

    /// The charges of an allowed call, to be released or settled; `None` if nothing was charged.
    #[getter]
    fn reservation(&self, py: Python<'_>) -> PyResult<Option<Py<Reservation>>> {
        let reservation = self.reservation.get_or_try_init(py, || {
            let Some(finisher) = &self.finisher else { return Ok(None) };
            let held = self.inner.take_reservation();
            held.map(|held| Py::new(py, Reservation::new(finisher.get(), held))).transpose()
        })?;
        Ok(reservation.as_ref().map(|reservation| reservation.clone_ref(py)))
    }

    /// What a candidate says of the call; `None` without one, where it failed, and while its store has not answered.
    fn observed<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let json = self.candidate().and_then(Observed::to_json);
        json.map(|json| loads(py, &json)).transpose()
    }

    /// Whether a call that ended so gives back what the policy in force charged, so that the reservation is to be finished. If not,
    /// a candidate hears of the end here. For guards.
    fn _gives_back(&self, py: Python<'_>, outcome: &str) -> PyResult<bool> {
        let outcome = parsed(outcome)?;
        if self.reservation(py)?.is_some_and(|reservation| reservation.get().gives(outcome)) {
            return Ok(true);
        }
        if let Some(observed) = self.candidate() {
            observed.finish(outcome);
        }
        Ok(false)
    }

    /// The decision as JSON, the same in every language.
    pub(crate) fn to_json(&self) -> String {
        self.inner.to_json()
    }

    /// The same as Python values.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        loads(py, &self.inner.to_json())
    }

    /// The MCP tool result that tells the agent; `None` when the call is allowed.
    fn to_mcp_result<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.inner.to_mcp_result().map(|json| loads(py, &json)).transpose()
    }

    /// The `_meta` of that result; `None` when the call is allowed.
    fn to_mcp_meta<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.inner.to_mcp_meta().map(|json| loads(py, &json)).transpose()
    }

    /// Whether the call may run now: an unread decision must not look like a permission.
    fn __bool__(&self) -> bool {
        self.inner.allowed()
    }

    fn __repr__(&self) -> String {
        let called = self.inner.tool().unwrap_or(self.inner.method());
        format!("<Decision {} {} {called:?}>", self.effect(), self.code())
    }
}

#[pymethods]
impl ApprovalNeeded {
    /// Every rule that asks, in the order of the policy.
    #[getter]
    fn rules<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(
            py,
            self.rules.iter().cloned().map(|rule| Bound::new(py, rule)).collect::<PyResult<Vec<_>>>()?,
        )
    }

    /// The paths that an approval does not cover.
    #[getter]
    fn ignored<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.ignored)
    }

    fn __repr__(&self) -> String {
        format!("<ApprovalNeeded {}>", self.key)
    }
}

#[pymethods]
impl Rule {
    /// Who may approve.
    #[getter]
    fn approvers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.approvers)
    }

    fn __repr__(&self) -> String {
        format!("<Rule {} line {}>", self.pointer, self.line)
    }
}

#[pymethods]
impl CounterUse {
    fn __repr__(&self) -> String {
        format!("<CounterUse {} {} {}>", self.counter, self.used, self.window)
    }
}
