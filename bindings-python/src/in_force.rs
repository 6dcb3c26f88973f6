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
use pyo3::types::{PyList, PyString};

use crate::decision::Decision;
use crate::known::{self, Known};
use crate::names;
use crate::reservation::Finisher;
use crate::store::Waiting;

/// Slots of the table of tools: more than the tools of most servers, in 4 KiB.
const SLOTS: usize = 1 << 8;
/// Slots that are tried for a tool before it stays unknown.
const PROBES: usize = 4;
/// Slots that are tried for a string before it is read.
const NAME_PROBES: usize = 2;
/// Python's strings stand at multiples of this.
const NAME_ALIGN: usize = 16;

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
    tools: Box<[PyOnceLock<Arc<Known>>]>,
    /// The same tools by where a string of their name is.
    named: Box<[PyOnceLock<Named>]>,
}

/// A tool and a string by which a host names it: held, so that nothing else can be where it is.
struct Named {
    string: Py<PyString>,
    known: Arc<Known>,
}

/// Where what is in force is kept.
pub(crate) struct Kept {
    /// The first one, for as long as there is the engine: most policies are never replaced, and this takes no count.
    first: InForce,
    /// A later one, in a list of one, so that Python guards the exchange.
    later: Py<PyList>,
}

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
    pub(crate) fn unblocking(&self) -> Option<Arc<dyn callgate::store::AsyncStore>> {
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
    pub(crate) fn new(py: Python<'_>, engine: &Replaceable) -> Self {
        let replaced = engine.replaced.load(Ordering::Acquire);
        Self { first: InForce::new(engine, replaced), later: PyList::empty(py).unbind() }
    }

    /// What is in force now, if it is the first.
    #[inline(always)]
    pub(crate) fn first(&self, engine: &Replaceable) -> Option<&InForce> {
        (self.first.replaced == engine.replaced.load(Ordering::Acquire)).then_some(&self.first)
    }

    /// What is in force now. A later one is held in `later`: while a call is decided, there may be others.
    #[inline(always)]
    pub(crate) fn now<'a, 'py>(
        &'a self,
        py: Python<'py>,
        engine: &Replaceable,
        later: &'a mut Option<Bound<'py, InForce>>,
    ) -> PyResult<&'a InForce> {
        if let Some(first) = self.first(engine) {
            return Ok(first);
        }
        Ok(later.insert(self.later(py, engine)?).get())
    }

    /// What is in force now, if it is not the first.
    #[inline(never)]
    fn later<'py>(&self, py: Python<'py>, engine: &Replaceable) -> PyResult<Bound<'py, InForce>> {
        let list = self.later.bind(py);
        let replaced = engine.replaced.load(Ordering::Acquire);
        if let Ok(kept) = list.get_item(0)
            && let Ok(kept) = kept.cast_into_exact::<InForce>()
            && kept.get().replaced == replaced
        {
            return Ok(kept);
        }
        let new = Bound::new(py, InForce::new(engine, replaced))?;
        // The whole content at once: what was there may be of any length, since `gc` shows lists to everybody.
        list.set_slice(0, list.len(), PyList::new(py, [&new])?.as_any())?;
        Ok(new)
    }
}

impl InForce {
    /// The policy that is in force, which must have been replaced so often or more.
    fn new(engine: &Replaceable, replaced: usize) -> Self {
        Self {
            policy: engine.core().policy(),
            replaced,
            tools: (0..SLOTS).map(|_| PyOnceLock::new()).collect(),
            named: (0..SLOTS).map(|_| PyOnceLock::new()).collect(),
        }
    }

    pub(crate) fn policy(&self) -> &callgate::Policy {
        &self.policy
    }

    /// What is known of a tool, if it was called before.
    pub(crate) fn known(&self, py: Python<'_>, tool: &str) -> Option<&Known> {
        self.find(py, tool).map(|known| &**known)
    }

    #[inline(always)]
    fn find(&self, py: Python<'_>, tool: &str) -> Option<&Arc<Known>> {
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

    /// A tool's name as text, and what is known of it, if it was called before. A program names a tool by the same string again
    /// and again, which is told without a look at the text.
    #[inline(always)]
    pub(crate) fn called<'a>(
        &'a self,
        tool: &'a Bound<'_, PyString>,
    ) -> PyResult<(&'a str, Option<&'a Known>)> {
        match self.named(tool) {
            Some(known) => Ok((known.tool().name(), Some(known))),
            None => self.called_by_text(tool),
        }
    }

    /// What is known of a tool that was called by this very string.
    #[inline(always)]
    pub(crate) fn named(&self, tool: &Bound<'_, PyString>) -> Option<&Known> {
        for slot in self.named_slots(tool) {
            // Slots are filled in order: behind an empty one there is none.
            let named = slot.get(tool.py())?;
            if named.string.is(tool) {
                return Some(&named.known);
            }
        }
        None
    }

    #[inline(never)]
    fn called_by_text<'a>(&'a self, tool: &'a Bound<'_, PyString>) -> PyResult<(&'a str, Option<&'a Known>)> {
        let text = tool.to_str()?;
        let known = self.find(tool.py(), text);
        if let Some(known) = known
            && known.is_to_be_named()
        {
            self.name(tool, known);
        }
        Ok((text, known.map(|known| &**known)))
    }

    /// Slots in which a string may be, in the order of their use.
    #[inline(always)]
    fn named_slots(&self, tool: &Bound<'_, PyString>) -> impl Iterator<Item = &PyOnceLock<Named>> + use<'_> {
        let start = tool.as_ptr().addr() / NAME_ALIGN;
        (0..NAME_PROBES).filter_map(move |probe| self.named.get(start.wrapping_add(probe) % SLOTS))
    }

    /// Keeps strings by which a tool is called: the one that is the literal of every program, and the one that was passed, which may
    /// be a literal that could be no name.
    #[cold]
    fn name(&self, tool: &Bound<'_, PyString>, known: &Arc<Known>) {
        let py = tool.py();
        for string in [&PyString::intern(py, known.tool().name()), tool] {
            let mut slots = self.named_slots(string);
            let free = slots.find(|slot| slot.get(py).is_none_or(|named| named.string.is(string)));
            // Not one of a subclass: all else that it holds would be kept. If another thread was faster, the text tells.
            if let (Some(slot), true) = (free, string.is_exact_instance_of::<PyString>()) {
                let _ = slot.set(py, Named { string: string.clone().unbind(), known: known.clone() });
            }
        }
    }

    /// A decision by this policy as a Python object; of a tool that is known, or is from now on.
    pub(crate) fn decision<'py>(
        &self,
        py: Python<'py>,
        finisher: &Py<Finisher>,
        known: Option<&Known>,
        decision: callgate::Decision<'_>,
    ) -> PyResult<Bound<'py, Decision>> {
        match known.or_else(|| self.get_to_know(py, &decision)) {
            Some(known) => known.decision(py, finisher, decision),
            None => known::new(py, finisher, decision),
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
        let new = || Arc::new(Known::new(py, &self.policy, tool));
        let start = names::place(tool.as_bytes());
        let slots = (0..PROBES).filter_map(|probe| self.tools.get(start.wrapping_add(probe) % SLOTS));
        slots.map(|slot| slot.get_or_init(py, new)).find(|known| known.tool().is(tool)).map(|known| &**known)
    }
}
