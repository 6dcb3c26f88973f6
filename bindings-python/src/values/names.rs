//! The member names that policies ask for, as Python strings that are made once.
//!
//! In: a name from a policy's path. Out: the value at that name in a dict, or the number by which it is picked. Must not keep what
//! an agent sends: names come from policies alone, and the table has a fixed size.

use callgate::__binding::BindPolicy as _;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

/// Names by which arguments are picked: as many as the checks of most tools read.
pub(super) const PICKS: usize = 4;
/// Slots of the table: more names than the policies of one process ask for, in 32 KiB.
const SLOTS: usize = 1 << 10;
/// Slots that are tried for a name before it is made for the one look-up.
const PROBES: usize = 8;

/// For the life of the process, as interned strings are. A slot is written once, so reading it takes no lock.
static TABLE: [PyOnceLock<Name>; SLOTS] = [const { PyOnceLock::new() }; SLOTS];

struct Name {
    text: Box<str>,
    string: Py<PyString>,
}

/// The value at `name`. Makes a Python string of the name only where the table has no room for it.
pub(super) fn look_up<'py>(dict: &Bound<'py, PyDict>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = dict.py();
    let start = place(name.as_bytes());
    for probe in 0..PROBES {
        let Some(slot) = TABLE.get(start.wrapping_add(probe) % SLOTS) else { break };
        let held =
            slot.get_or_init(py, || Name { text: name.into(), string: PyString::intern(py, name).unbind() });
        if *held.text == *name {
            return dict.get_item(held.string.bind(py));
        }
    }
    dict.get_item(name)
}

/// Where the search for a name begins: a hash of its length and three of its bytes. Names are short and few, and hashing them
/// whole would take longer than the look-ups that it saves.
pub(crate) fn place(name: &[u8]) -> usize {
    let byte = |index: usize| name.get(index).map_or(0, |byte| usize::from(*byte));
    let (middle, last) = (byte(name.len() >> 1), byte(name.len().saturating_sub(1)));
    (name.len() ^ (byte(0) << 1) ^ (middle << 3) ^ (last << 2)) % SLOTS
}

/// The first names of the paths that a tool's checks read of the arguments.
pub(crate) struct ArgNames {
    /// Where each stands in the policy, and its length. INVARIANT: the owner holds the policy, too, so the address
    /// holds that name and nothing else. Nothing stands at 0.
    places: [(usize, usize); PICKS],
    /// Where the Python strings of these names are, which are held by `strings`.
    keys: [usize; PICKS],
    strings: [Option<Py<PyString>>; PICKS],
}

impl ArgNames {
    pub(crate) fn new(py: Python<'_>, policy: &callgate::Policy, tool: &str) -> Self {
        let mut names = Self::none();
        let reads = policy.reads(tool);
        let first = reads.args().iter().filter_map(|path| path.first());
        let slots = names.places.iter_mut().zip(&mut names.keys).zip(&mut names.strings);
        for (name, ((kept, key), string)) in first.zip(slots) {
            let interned = PyString::intern(py, name);
            (*kept, *key) = (address(name), interned.as_ptr().addr());
            *string = Some(interned.unbind());
        }
        names
    }

    pub(crate) const fn none() -> Self {
        Self { places: [(0, 0); PICKS], keys: [0; PICKS], strings: [const { None }; PICKS] }
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
        self.places.iter().position(|known| *known == address(name))
    }
}

/// Where a name stands, and its length.
fn address(name: &str) -> (usize, usize) {
    (name.as_ptr().addr(), name.len())
}
