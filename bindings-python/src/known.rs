//! What is known of a tool that was called before: the arguments that its checks name, and the decisions that were made about it.
//!
//! In: a policy and a tool's name. Out: names by which arguments are picked, and decisions as Python objects, made once. Must
//! not outlive the policy: what is known is kept beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use crate::decision::Decision;
use crate::observe::Level;
use crate::reservation::Finisher;

/// Names by which arguments are picked: as many as the checks of most tools read.
pub(crate) const PICKS: usize = 4;
/// Decisions that are kept for a tool: it may run, and a few of its rules say no.
const DECISIONS: usize = 4;

/// What is known of a tool.
pub(crate) struct Known {
    tool: callgate::__binding::Tool,
    /// The same, for decisions that outlive the call. Not the one that is asked, which would be a step farther away.
    shared: Arc<callgate::__binding::Tool>,
    names: Names,
    /// A slot is written once, so reading it takes no lock.
    made: [PyOnceLock<Made>; DECISIONS],
    /// Whether strings were kept by which it is called.
    named: AtomicBool,
}

/// A decision that was made, and by what it is told from the others about its tool.
pub(crate) struct Made {
    likeness: u64,
    pub(crate) level: Level,
    pub(crate) decision: Py<Decision>,
}

/// The first names of the paths that a tool's checks read of the arguments.
pub(crate) struct Names {
    /// Where each stands in the policy, and its length. INVARIANT: `Known::tool` keeps the policy, so that what stands there is
    /// that name and nothing else. Nothing stands at 0.
    places: [(usize, usize); PICKS],
    /// Where the Python strings of these names are, which are held by `strings`.
    keys: [usize; PICKS],
    strings: [Option<Py<PyString>>; PICKS],
}

impl Names {
    fn new(py: Python<'_>, policy: &callgate::Policy, tool: &str) -> Self {
        let mut names = Self::none();
        let reads = policy.reads(tool);
        let first = reads.args().iter().filter_map(|path| path.first());
        let slots = names.places.iter_mut().zip(&mut names.keys).zip(&mut names.strings);
        for (name, ((kept, key), string)) in first.zip(slots) {
            let made = PyString::intern(py, name);
            (*kept, *key) = (place(name), made.as_ptr().addr());
            *string = Some(made.unbind());
        }
        names
    }

    pub(crate) const fn none() -> Self {
        Self { places: [(0, 0); PICKS], keys: [0; PICKS], strings: [const { None }; PICKS] }
    }

    /// Whether there is no name.
    #[inline(always)]
    pub(crate) fn is_none(&self) -> bool {
        matches!(self.keys, [0, ..])
    }

    /// The Python string of a name by its number.
    pub(crate) fn string(&self, position: usize) -> Option<&Py<PyString>> {
        self.strings.get(position)?.as_ref()
    }

    /// Where the Python strings of the names are; 0 for none.
    pub(crate) fn keys(&self) -> &[usize; PICKS] {
        &self.keys
    }

    /// The number of a name from the policy, told by where it stands.
    #[inline(always)]
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.places.iter().position(|known| *known == place(name))
    }
}

fn place(name: &str) -> (usize, usize) {
    (name.as_ptr().addr(), name.len())
}

impl Known {
    pub(crate) fn new(py: Python<'_>, policy: &callgate::Policy, tool: &str) -> Self {
        let names = Names::new(py, policy, tool);
        let tool = policy.tool(tool);
        Self {
            shared: Arc::new(tool.clone()),
            tool,
            names,
            made: [const { PyOnceLock::new() }; DECISIONS],
            named: AtomicBool::new(false),
        }
    }

    pub(crate) fn tool(&self) -> &callgate::__binding::Tool {
        &self.tool
    }

    /// Whether no strings were kept yet by which it is called; true once.
    pub(crate) fn is_to_be_named(&self) -> bool {
        !self.named.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// A decision about this tool of that likeness, which holds nothing of the call but the tool's name.
    #[inline(always)]
    pub(crate) fn made(&self, py: Python<'_>, likeness: u64) -> Option<&Made> {
        // Slots are filled in order: behind an empty one there is none.
        for slot in &self.made {
            let made = slot.get(py)?;
            if made.likeness == likeness {
                return Some(made);
            }
        }
        None
    }

    /// A decision about this tool as a Python object: the one that was made, or one for the next ones too.
    pub(crate) fn decision<'py>(
        &self,
        py: Python<'py>,
        finisher: &Py<Finisher>,
        decision: callgate::Decision<'_>,
    ) -> PyResult<Bound<'py, Decision>> {
        let (likeness, level) = (decision.likeness(), Level::of(decision.code()));
        if let Some(made) = likeness.and_then(|likeness| self.made(py, likeness)) {
            return Ok(made.decision.bind(py).clone());
        }
        let decision = decision.into_owned_with(&self.shared);
        let decision = Bound::new(py, Decision::new(py, finisher, decision))?;
        // If another thread was faster, or there is no room, this one is for the one call.
        if let (Some(likeness), Some(slot)) = (likeness, self.made.iter().find(|slot| slot.get(py).is_none()))
        {
            let _ = slot.set(py, Made { likeness, level, decision: decision.clone().unbind() });
        }
        Ok(decision)
    }
}

/// A decision for one call.
#[inline(never)]
pub(crate) fn new<'py>(
    py: Python<'py>,
    finisher: &Py<Finisher>,
    decision: callgate::Decision<'_>,
) -> PyResult<Bound<'py, Decision>> {
    Bound::new(py, Decision::new(py, finisher, decision.into_owned()))
}
