//! The JSON type of a Python object.
//!
//! In: any object. Out: its shape, by the builtin type that it is or extends. Must not run code of the object's class.
//! Mappings and sequences that are not builtins are the exception: they cannot be read otherwise, and are read once, whole.

use callgate::value::Unreadable;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyString, PyTuple, PyType,
};

use super::budget::Budget;
use super::classes::{exact, into_exact, is_plain, string_key};
use super::dicts::RootDict;
use super::integer;

/// What an object is, with what is needed to read it: two machine words, because every step of a path passes it on. The first
/// is the tag alone, and nothing in the second is shorter than a word: a value that is written in parts and read whole stalls
/// store forwarding.
#[repr(u64)]
pub(super) enum Shape<'r, 'py> {
    Null,
    True,
    False,
    Int(i64),
    /// An `int` beyond 64 bits: not converted before it is read, which takes steps.
    Long(Bound<'py, PyInt>),
    Float(f64),
    String(Bound<'py, PyString>),
    /// One that was picked, and stays where it is.
    Text(&'r Bound<'py, PyString>),
    List(Bound<'py, PyList>),
    Tuple(Bound<'py, PyTuple>),
    Dict(Bound<'py, PyDict>),
    /// An object without members: what a call without arguments has.
    Empty,
    /// One that is read again and again.
    Root(&'r RootDict<'r, 'py>),
    /// A copy that was made here: all its keys are known to be strings.
    Copy(Bound<'py, PyDict>),
    /// Of no JSON type: bytes, a date, a set.
    Foreign,
    Unreadable(&'static Unreadable),
}

/// Visits that telling what an object of any other class is takes as long as.
const CLASS_VISITS: u32 = 30;
/// Visits that copying an item through a protocol takes as long as.
const COPY_VISITS: u32 = 4;

impl<'py> Shape<'_, 'py> {
    /// The shape of an object.
    #[inline(always)]
    pub(super) fn of(object: Bound<'py, PyAny>, budget: &Budget) -> Self {
        // The exact builtins first, by their frequency: no code of the caller can run for them.
        let object = match into_exact(object) {
            Ok(text) => return Self::String(text),
            Err(object) => object,
        };
        if let Some(int) = exact::<PyInt>(&object) {
            return Self::int(int);
        }
        match into_exact(object) {
            Ok(dict) => Self::Dict(dict),
            Err(object) => Self::rarer(&object, budget),
        }
    }

    #[inline(never)]
    fn rarer(object: &Bound<'py, PyAny>, budget: &Budget) -> Self {
        if let Some(list) = exact::<PyList>(object) {
            return Self::List(list.clone());
        }
        if object.is_none() {
            return Self::Null;
        }
        if let Some(truth) = exact::<PyBool>(object) {
            return if truth.is_true() { Self::True } else { Self::False };
        }
        if let Some(float) = exact::<PyFloat>(object) {
            return Self::Float(float.value());
        }
        if let Some(tuple) = exact::<PyTuple>(object) {
            return Self::Tuple(tuple.clone());
        }
        if !budget.take(CLASS_VISITS) {
            return Self::Unreadable(&Unreadable::TooLarge);
        }
        Self::other(object, budget)
    }

    fn int(int: &Bound<'py, PyInt>) -> Self {
        match integer::small(int) {
            Some(whole) => Self::Int(whole),
            None => Self::Long(int.clone()),
        }
    }

    /// Anything but an exact builtin.
    fn other(object: &Bound<'py, PyAny>, budget: &Budget) -> Self {
        let extends = object.is_instance_of::<PyDict>()
            || object.is_instance_of::<PyList>()
            || object.is_instance_of::<PyString>()
            || object.is_instance_of::<PyInt>()
            || object.is_instance_of::<PyFloat>()
            || object.is_instance_of::<PyTuple>();
        if extends {
            return if is_plain(object).unwrap_or(false) {
                Self::extended(object)
            } else {
                Self::Unreadable(&Unreadable::Host)
            };
        }
        let binary = object.is_instance_of::<PyBytes>()
            || object.is_instance_of::<PyByteArray>()
            || object.is_instance_of::<PyMemoryView>();
        if binary {
            return Self::Foreign;
        }
        Self::by_protocol(object, budget).unwrap_or_else(|_| Self::Unreadable(&Unreadable::Host))
    }

    /// An object of a subclass that changes nothing about what is stored.
    fn extended(object: &Bound<'py, PyAny>) -> Self {
        if let Ok(dict) = object.cast::<PyDict>() {
            return Self::Dict(dict.clone());
        }
        if let Ok(list) = object.cast::<PyList>() {
            return Self::List(list.clone());
        }
        if let Ok(text) = object.cast::<PyString>() {
            return Self::String(text.clone());
        }
        if let Ok(int) = object.cast::<PyInt>() {
            return Self::int(int);
        }
        if let Ok(float) = object.cast::<PyFloat>() {
            return Self::Float(float.value());
        }
        object.cast::<PyTuple>().map_or(Self::Foreign, |tuple| Self::Tuple(tuple.clone()))
    }

    /// A mapping or sequence of another kind, read whole through its protocol; foreign if it is neither.
    fn by_protocol(object: &Bound<'py, PyAny>, budget: &Budget) -> PyResult<Self> {
        let py = object.py();
        let too_large =
            |len: usize| !budget.take(u32::try_from(len).unwrap_or(u32::MAX).saturating_mul(COPY_VISITS));
        if object.is_instance(abc(py, &MAPPING, "Mapping")?)? {
            let len = object.len()?;
            if too_large(len) {
                return Ok(Self::Unreadable(&Unreadable::TooLarge));
            }
            let copy = PyDict::new(py);
            let mut seen = 0_usize;
            for key in object.try_iter()? {
                let key = key?;
                if seen >= len {
                    // More keys than it says it has, or without end.
                    return Ok(Self::Unreadable(&Unreadable::Host));
                }
                seen = seen.saturating_add(1);
                match string_key(&key)? {
                    Ok(()) => copy.set_item(&key, object.get_item(&key)?)?,
                    Err(unreadable) => return Ok(Self::Unreadable(unreadable)),
                }
            }
            // Fewer members than keys: it has a key twice, so there is more than one way to read it.
            let whole = copy.len() == seen && seen == len;
            return Ok(if whole { Self::Copy(copy) } else { Self::Unreadable(&Unreadable::Host) });
        }
        if object.is_instance(abc(py, &SEQUENCE, "Sequence")?)? {
            let len = object.len()?;
            if too_large(len) {
                return Ok(Self::Unreadable(&Unreadable::TooLarge));
            }
            let copy = PyList::empty(py);
            for index in 0..len {
                copy.append(object.get_item(index)?)?;
            }
            return Ok(Self::List(copy));
        }
        Ok(Self::Foreign)
    }
}

static MAPPING: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static SEQUENCE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
fn abc<'a, 'py>(
    py: Python<'py>,
    cell: &'a PyOnceLock<Py<PyType>>,
    name: &str,
) -> PyResult<&'a Bound<'py, PyType>> {
    cell.import(py, "collections.abc", name)
}
