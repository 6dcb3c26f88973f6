//! The policy in force, and what is known of the tools that were called under it.
//!
//! In: a core engine whose policy may be replaced, and the core's decisions. Out: the policy without a step between threads,
//! and decisions as Python objects. What is known must not outlive the policy: with another one in force, all of it is made
//! anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callgate::Code;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use crate::decision::Decision;
use crate::known::{self, Known};
use crate::names;
use crate::store::Waiting;

/// Slots of the table of tools: more than the tools of most servers, in 4 KiB.
const SLOTS: usize = 1 << 8;
/// Slots that are tried for a tool before it stays unknown.
const PROBES: usize = 4;

/// An engine of the core with its store, and how often its policy was replaced. Every replacement must go through here.
pub(crate) struct Replaceable {
    engine: callgate::Engine,
    /// The store, if asking it waits.
    waiting: Option<Arc<Waiting>>,
    replaced: AtomicUsize,
}

/// A policy and what is known of its tools. Held by Python's own count of references, which costs a thread that
/// has the GIL nothing, where an `Arc` takes two atomic steps for each call.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct InForce {
    policy: callgate::Policy,
    /// How often the policy had been replaced before this one was asked for.
    replaced: usize,
    /// A slot is written once, so reading it takes no lock.
    tools: Box<[PyOnceLock<Box<Known>>]>,
}

/// Where what is in force is kept: in a list of one, so that Python guards the exchange.
pub(crate) struct Kept(Py<PyList>);

impl Replaceable {
    pub(crate) fn new(engine: callgate::Engine, waiting: Option<Arc<Waiting>>) -> Self {
        Self { engine, waiting, replaced: AtomicUsize::new(0) }
    }

    pub(crate) fn core(&self) -> &callgate::Engine {
        &self.engine
    }

    /// Whether asking the store never waits.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.waiting.is_none()
    }

    /// The face of the store that does not block, if it has one.
    pub(crate) fn unblocking(&self) -> Option<Arc<dyn callgate::AsyncStore>> {
        self.waiting.as_ref()?.unblocking()
    }

    /// Puts another policy in force, for every call from here on.
    pub(crate) fn replace(&self, policy: callgate::Policy) {
        self.engine.replace(policy);
        // Behind the replacement: who sees this count sees that policy, or a later one.
        self.replaced.fetch_add(1, Ordering::Release);
    }
}

impl Kept {
    pub(crate) fn new(py: Python<'_>) -> Self {
        Self(PyList::empty(py).unbind())
    }

    /// What is in force now.
    #[inline(always)]
    pub(crate) fn now<'py>(&self, py: Python<'py>, engine: &Replaceable) -> PyResult<Bound<'py, InForce>> {
        let list = self.0.bind(py);
        let replaced = engine.replaced.load(Ordering::Acquire);
        if let Ok(kept) = list.get_item(0)
            && let Ok(kept) = kept.cast_into_exact::<InForce>()
            && kept.get().replaced == replaced
        {
            return Ok(kept);
        }
        Self::renew(list, engine, replaced)
    }

    #[cold]
    fn renew<'py>(
        list: &Bound<'py, PyList>,
        engine: &Replaceable,
        replaced: usize,
    ) -> PyResult<Bound<'py, InForce>> {
        let py = list.py();
        let tools = (0..SLOTS).map(|_| PyOnceLock::new()).collect();
        let new = Bound::new(py, InForce { policy: engine.core().policy(), replaced, tools })?;
        // The whole content at once: what was there may be of any length, since `gc` shows lists to everybody.
        list.set_slice(0, list.len(), PyList::new(py, [&new])?.as_any())?;
        Ok(new)
    }
}

impl InForce {
    pub(crate) fn policy(&self) -> &callgate::Policy {
        &self.policy
    }

    /// What is known of a tool, if it was called before.
    #[inline(always)]
    pub(crate) fn known(&self, py: Python<'_>, tool: &str) -> Option<&Known> {
        let start = names::place(tool.as_bytes());
        for probe in 0..PROBES {
            // Slots are filled in order: behind an empty one there is none.
            let known = self.tools.get(start.wrapping_add(probe) % SLOTS)?.get(py)?;
            if known.tool().is(tool) {
                return Some(known);
            }
        }
        None
    }

    /// A decision by this policy as a Python object; of a tool that is known, or is from now on.
    pub(crate) fn decision<'py>(
        &self,
        py: Python<'py>,
        engine: &Arc<Replaceable>,
        known: Option<&Known>,
        decision: callgate::Decision<'_>,
    ) -> PyResult<Bound<'py, Decision>> {
        match known.or_else(|| self.get_to_know(py, &decision)) {
            Some(known) => known.decision(py, engine, decision),
            None => known::new(py, engine, decision),
        }
    }

    /// Keeps what is to be known of the tool of a decision, if there is room. Not of a name that is just any that an agent thinks
    /// of: those would take the slots of the others.
    #[cold]
    fn get_to_know(&self, py: Python<'_>, decision: &callgate::Decision<'_>) -> Option<&Known> {
        if matches!(decision.code(), Code::NotListed | Code::InvalidTool) {
            return None;
        }
        let tool = decision.tool();
        let new = || Box::new(Known::new(py, &self.policy, tool));
        let start = names::place(tool.as_bytes());
        let slots = (0..PROBES).filter_map(|probe| self.tools.get(start.wrapping_add(probe) % SLOTS));
        slots.map(|slot| slot.get_or_init(py, new)).find(|known| known.tool().is(tool)).map(|known| &**known)
    }
}
