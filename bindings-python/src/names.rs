//! The member names that policies ask for, as Python strings that are made once.
//!
//! In: a dict and a name from a policy's path. Out: the value at that name, if there is one. Must not keep what an
//! agent sends: names come from policies alone, and the table has a fixed size.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

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
pub(crate) fn look_up<'py>(dict: &Bound<'py, PyDict>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
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

/// Where the search for a name begins. Told by its length and three of its bytes: names are short and few, and hashing
/// them whole would take longer than the look-ups that this spares.
pub(crate) fn place(name: &[u8]) -> usize {
    let byte = |index: usize| name.get(index).map_or(0, |byte| usize::from(*byte));
    let (middle, last) = (byte(name.len() >> 1), byte(name.len().saturating_sub(1)));
    (name.len() ^ (byte(0) << 1) ^ (middle << 3) ^ (last << 2)) % SLOTS
}
