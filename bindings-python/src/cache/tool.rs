//! A tool that was called before: the arguments that its checks name, and the decisions that were made about it.
//!
//! In: a policy and a tool's name. Out: names by which arguments are picked, and decisions as Python objects, made once.

use std::sync::Arc;

use callgate::__binding::Tool;
use callgate::__binding::{BindDecision as _, BindPolicy as _};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::decision::{Decision, Finisher};
use crate::log::Level;
use crate::values::ArgNames;

/// Decisions that are cached for a tool: allowed, and denied by a few of its rules.
const DECISIONS: usize = 4;

/// A tool, and what was cached for its calls.
pub(crate) struct ToolCache {
    /// Shared with decisions that outlive the call.
    tool: Arc<Tool>,
    names: ArgNames,
    /// A slot is written once, so reading it takes no lock.
    decisions: [PyOnceLock<CachedDecision>; DECISIONS],
}

/// A decision that was made, and the key that tells it from others about its tool.
pub(crate) struct CachedDecision {
    key: u64,
    pub(crate) level: Level,
    pub(crate) decision: Py<Decision>,
}

impl ToolCache {
    pub(super) fn new(py: Python<'_>, policy: &callgate::Policy, tool: &str) -> Self {
        Self {
            names: ArgNames::new(py, policy, tool),
            tool: Arc::new(policy.tool(tool)),
            decisions: [const { PyOnceLock::new() }; DECISIONS],
        }
    }

    #[inline]
    pub(crate) fn tool(&self) -> &Tool {
        &self.tool
    }

    pub(crate) fn names(&self) -> &ArgNames {
        &self.names
    }

    /// A decision about this tool by its key, which holds nothing of the call but the tool's name.
    #[inline]
    pub(crate) fn cached(&self, py: Python<'_>, key: u64) -> Option<&CachedDecision> {
        // Slots are filled in order: behind an empty one there is none.
        for slot in &self.decisions {
            let cached = slot.get(py)?;
            if cached.key == key {
                return Some(cached);
            }
        }
        None
    }

    /// A decision about this tool as a Python object: the one that was made, or one for the next ones too.
    pub(super) fn decision<'py>(
        &self,
        py: Python<'py>,
        finisher: &Py<Finisher>,
        decision: callgate::Decision<'_>,
    ) -> PyResult<Bound<'py, Decision>> {
        let (key, level) = (decision.cache_key(), Level::of(decision.code()));
        if let Some(cached) = key.and_then(|key| self.cached(py, key)) {
            return Ok(cached.decision.bind(py).clone());
        }
        let decision = Decision::new(py, finisher, decision.into_owned_with(&self.tool));
        let decision = Bound::new(py, decision)?;
        // If another thread was faster, or there is no room, this one is for the one call.
        if let (Some(key), Some(slot)) = (key, self.decisions.iter().find(|slot| slot.get(py).is_none())) {
            let _ = slot.set(py, CachedDecision { key, level, decision: decision.clone().unbind() });
        }
        Ok(decision)
    }
}

/// A decision for one call.
#[inline(never)]
pub(super) fn for_one_call<'py>(
    py: Python<'py>,
    finisher: &Py<Finisher>,
    decision: callgate::Decision<'_>,
) -> PyResult<Bound<'py, Decision>> {
    Bound::new(py, Decision::new(py, finisher, decision.into_owned()))
}
