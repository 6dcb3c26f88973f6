//! The policy in force, and the tools that were called under it.
//!
//! In: an engine and a tool's name. Out: the tool's cache. Must not keep a name that an agent made up: it would take the place of
//! a tool.

use callgate::Code;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use super::tool::{self, ToolCache};
use crate::decision::{Decision, Finisher};
use crate::live::LiveEngine;
use crate::values::place;

/// Slots of the table of tools: more than the tools of most servers.
const SLOTS: usize = 1 << 8;
/// Slots that are tried for a tool before it stays uncached.
const PROBES: usize = 4;

/// The cache of the policy in force, in a list of one: Python guards the exchange. A lock, or a pointer that is guarded while it is
/// read, took a tenth of a call.
pub(crate) struct CurrentPolicy(Py<PyList>);

/// A policy and its tools. Held by Python's own count of references, which costs a thread that has the GIL nothing, where an
/// `Arc` takes two atomic steps for each call.
#[pyclass(module = "callgate._native", frozen)]
pub(crate) struct PolicyCache {
    policy: callgate::Policy,
    /// How often the policy had been replaced before this one was asked for.
    replaced: usize,
    /// Whether a candidate decides beside it. Then nothing is cached: each decision has what the candidate said of it.
    is_observed: bool,
    /// A slot is written once, so reading it takes no lock.
    tools: Box<[PyOnceLock<ToolCache>]>,
}

impl CurrentPolicy {
    pub(crate) fn new(py: Python<'_>) -> Self {
        Self(PyList::empty(py).unbind())
    }

    /// The cache of the policy in force now.
    #[inline(always)]
    pub(crate) fn get<'py>(&self, py: Python<'py>, engine: &LiveEngine) -> PyResult<Bound<'py, PolicyCache>> {
        let replaced = engine.replaced();
        if let Ok(cache) = self.0.bind(py).get_item(0)
            && let Ok(cache) = cache.cast_into_exact::<PolicyCache>()
            && cache.get().replaced == replaced
        {
            return Ok(cache);
        }
        self.renew(py, engine, replaced)
    }

    #[cold]
    fn renew<'py>(
        &self,
        py: Python<'py>,
        engine: &LiveEngine,
        replaced: usize,
    ) -> PyResult<Bound<'py, PolicyCache>> {
        let cache = Bound::new(py, PolicyCache::new(engine, replaced))?;
        let list = self.0.bind(py);
        // Replace the whole list: `gc` exposes lists, so it may have any length.
        list.set_slice(0, list.len(), PyList::new(py, [&cache])?.as_any())?;
        Ok(cache)
    }
}

impl PolicyCache {
    /// The policy that is in force, which must have been replaced so often or more.
    fn new(engine: &LiveEngine, replaced: usize) -> Self {
        let tools = (0..SLOTS).map(|_| PyOnceLock::new()).collect();
        let is_observed = engine.observer().candidate().is_some();
        Self { policy: engine.core().policy(), replaced, is_observed, tools }
    }

    pub(crate) fn policy(&self) -> &callgate::Policy {
        &self.policy
    }

    pub(crate) fn is_observed(&self) -> bool {
        self.is_observed
    }

    /// The cache of a tool that was called before.
    #[inline]
    pub(crate) fn tool(&self, py: Python<'_>, tool: &str) -> Option<&ToolCache> {
        let start = place(tool.as_bytes());
        for probe in 0..PROBES {
            // Slots are filled in order: behind an empty one there is none.
            let cached = self.tools.get(start.wrapping_add(probe) % SLOTS)?.get(py)?;
            if cached.tool().is(tool) {
                return Some(cached);
            }
        }
        None
    }

    /// A decision by this policy as a Python object; of a tool that is cached, or is from now on.
    pub(crate) fn decision<'py>(
        &self,
        py: Python<'py>,
        finisher: &Py<Finisher>,
        tool: Option<&ToolCache>,
        decision: callgate::Decision<'_>,
    ) -> PyResult<Bound<'py, Decision>> {
        match tool.or_else(|| self.add(py, &decision)) {
            Some(tool) => tool.decision(py, finisher, decision),
            None => tool::for_one_call(py, finisher, decision),
        }
    }

    /// Caches the tool of a decision, if there is room and the policy admits it.
    #[cold]
    fn add(&self, py: Python<'_>, decision: &callgate::Decision<'_>) -> Option<&ToolCache> {
        if self.is_observed || matches!(decision.code(), Code::NotListed | Code::InvalidTool) {
            return None;
        }
        let tool = decision.tool()?;
        let new = || ToolCache::new(py, &self.policy, tool);
        let start = place(tool.as_bytes());
        let slots = (0..PROBES).filter_map(|probe| self.tools.get(start.wrapping_add(probe) % SLOTS));
        slots.map(|slot| slot.get_or_init(py, new)).find(|cached| cached.tool().is(tool))
    }
}
