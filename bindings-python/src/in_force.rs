//! The policy in force, and the decisions of it that are the same for many calls.
//!
//! In: a core engine whose policy may be replaced, and the core's decisions. Out: the policy without a step between threads,
//! and decisions as Python objects, made once where nothing of the call but the tool's name is in them. Must not outlive the
//! policy: with another one in force, all of it is made anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callgate::Code;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use crate::decision::Decision;
use crate::names;
use crate::store::Waiting;

/// Slots of the table of shared decisions: more than the tools of most servers, in 4 KiB.
const SLOTS: usize = 1 << 8;
/// Slots that are tried for a decision before it is made for the one call.
const PROBES: usize = 4;

/// An engine of the core with its store, and how often its policy was replaced. Every replacement must go through here.
pub(crate) struct Replaceable {
    engine: callgate::Engine,
    /// The store, if asking it waits.
    waiting: Option<Arc<Waiting>>,
    replaced: AtomicUsize,
}

/// A policy and the decisions that were made of it. Held by Python's own count of references, which costs a thread that
/// has the GIL nothing, where an `Arc` takes two atomic steps for each call.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct InForce {
    policy: callgate::Policy,
    /// How often the policy had been replaced before this one was asked for.
    replaced: usize,
    /// A slot is written once, so reading it takes no lock.
    decisions: Box<[PyOnceLock<Py<Decision>>]>,
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
    pub(crate) fn now<'py>(&self, py: Python<'py>, engine: &Replaceable) -> PyResult<Bound<'py, InForce>> {
        let list = self.0.bind(py);
        let replaced = engine.replaced.load(Ordering::Acquire);
        if !list.is_empty()
            && let Ok(kept) = list.get_item(0)?.cast_into_exact::<InForce>()
            && kept.get().replaced == replaced
        {
            return Ok(kept);
        }
        let decisions = (0..SLOTS).map(|_| PyOnceLock::new()).collect();
        let new = Bound::new(py, InForce { policy: engine.core().policy(), replaced, decisions })?;
        // The whole content at once: what was there may be of any length, since `gc` shows lists to everybody.
        list.set_slice(0, list.len(), PyList::new(py, [&new])?.as_any())?;
        Ok(new)
    }
}

impl InForce {
    pub(crate) fn policy(&self) -> &callgate::Policy {
        &self.policy
    }

    /// A decision by this policy as a Python object: the same one for equal decisions that hold nothing of the call but the
    /// tool's name.
    pub(crate) fn decision<'py>(
        &self,
        py: Python<'py>,
        engine: &Arc<Replaceable>,
        decision: callgate::Decision<'_>,
    ) -> PyResult<Bound<'py, Decision>> {
        if !is_shared(&decision) {
            return Bound::new(py, Decision::new(py, engine, decision.into_owned()));
        }
        let start = names::place(decision.tool().as_bytes());
        for probe in 0..PROBES {
            let Some(slot) = self.decisions.get(start.wrapping_add(probe) % SLOTS) else { break };
            match slot.get(py) {
                Some(made) if same(made.get().inner(), &decision) => return Ok(made.bind(py).clone()),
                Some(_) => {}
                None => {
                    let made = Bound::new(py, Decision::new(py, engine, decision.into_owned()))?;
                    // If another thread was faster, this one is for the one call.
                    let _ = slot.set(py, made.clone().unbind());
                    return Ok(made);
                }
            }
        }
        Bound::new(py, Decision::new(py, engine, decision.into_owned()))
    }
}

/// Whether a decision holds nothing of the call but the tool's name, and that name is not just any that an agent thinks of:
/// those would take the slots of the others.
fn is_shared(decision: &callgate::Decision<'_>) -> bool {
    matches!(decision.code(), Code::Allowed | Code::Hidden | Code::Denied | Code::ConditionFailed)
        && decision.counters().next().is_none()
        && decision.retry_after().is_none()
        && decision.approval_key().is_none()
}

/// Whether two shared decisions by one policy are equal.
fn same(made: &callgate::Decision<'_>, decision: &callgate::Decision<'_>) -> bool {
    let rule = |decision: &callgate::Decision<'_>| decision.rule().map(|rule| rule.pointer().as_ptr());
    made.code() == decision.code()
        && made.effect() == decision.effect()
        && rule(made) == rule(decision)
        && made.tool() == decision.tool()
}
