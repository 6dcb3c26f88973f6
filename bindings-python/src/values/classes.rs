//! What the class of a Python object says about reading it.
//!
//! In: any object. Out: whether it is a builtin itself, or of a class that reads as the builtin does. Must not run code of the
//! object's class.

use callgate::value::Unreadable;
use pyo3::CastIntoError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType};

/// Members that say what an object holds, and that the builtin which it extends may lack.
const READING: [&str; 8] = [
    "__missing__",
    "__getattribute__",
    "__bool__",
    "__int__",
    "__index__",
    "__float__",
    "__bytes__",
    "__trunc__",
];

/// Members of a builtin that a subclass may have of its own: they say nothing about what an object holds.
const SILENT: [&str; 16] = [
    "__class_getitem__",
    "__delattr__",
    "__delitem__",
    "__dict__",
    "__dir__",
    "__doc__",
    "__getnewargs__",
    "__init__",
    "__init_subclass__",
    "__module__",
    "__new__",
    "__repr__",
    "__setattr__",
    "__setitem__",
    "__sizeof__",
    "__subclasshook__",
];

/// The object as an instance of `T` itself. Asked before the cast, because one that fails makes an error.
#[inline]
pub(super) fn exact<'a, 'py, T: PyTypeInfo>(object: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, T>> {
    if object.is_exact_instance_of::<T>() { object.cast_exact().ok() } else { None }
}

/// The same, without another reference to the object.
#[inline]
pub(super) fn into_exact<'py, T: PyTypeInfo>(
    object: Bound<'py, PyAny>,
) -> Result<Bound<'py, T>, Bound<'py, PyAny>> {
    if object.is_exact_instance_of::<T>() {
        object.cast_into_exact().map_err(CastIntoError::into_inner)
    } else {
        Err(object)
    }
}

static ORDERED_DICT: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Whether nothing between the object and the builtin that it extends overrides a member of that: a program would read through
/// it something else than what is stored.
pub(super) fn is_plain(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = object.py();
    let class = object.get_type();
    // It overrides iteration, but to keep an order that dict keeps too.
    if class.is(ORDERED_DICT.import(py, "collections", "OrderedDict")?) {
        return Ok(true);
    }
    let (mut own, mut builtin) = (Vec::new(), None);
    for base in class.mro() {
        let base = base.cast_into::<PyType>()?;
        if base.is(py.get_type::<PyAny>()) {
            continue;
        }
        if builtin.is_none() && is_builtin(&base) {
            builtin = Some(base);
            continue;
        }
        // A class of another kind could answer with other members than it has.
        if !base.get_type().is(py.get_type::<PyType>()) {
            return Ok(false);
        }
        // Behind the builtin, only what it lacks is found.
        own.push((builtin.is_none(), base.getattr(intern!(py, "__dict__"))?));
    }
    builtin.map_or(Ok(false), |builtin| hides_nothing(object, &builtin, &own))
}

fn is_builtin(class: &Bound<'_, PyType>) -> bool {
    let py = class.py();
    class.is(py.get_type::<PyDict>())
        || class.is(py.get_type::<PyList>())
        || class.is(py.get_type::<PyString>())
        || class.is(py.get_type::<PyInt>())
        || class.is(py.get_type::<PyFloat>())
        || class.is(py.get_type::<PyTuple>())
}

/// Whether no member of `own`, or of the object itself, stands before one of the builtin's.
fn hides_nothing(
    object: &Bound<'_, PyAny>,
    builtin: &Bound<'_, PyType>,
    own: &[(bool, Bound<'_, PyAny>)],
) -> PyResult<bool> {
    let py = object.py();
    for (before, members) in own {
        for name in members.try_iter()? {
            let name = name?;
            let Ok(text) = name.extract::<&str>() else { return Ok(false) };
            let reads = READING.contains(&text);
            let hides = !SILENT.contains(&text) && builtin.hasattr(text)?;
            if (reads || hides) && (*before || !hides) {
                return Ok(false);
            }
            // What a class has by itself under this name runs no code.
            if text == "__dict__" && members.get_item(&name)?.get_type().name()? != "getset_descriptor" {
                return Ok(false);
            }
        }
    }
    let Some(attributes) = object.getattr_opt(intern!(py, "__dict__"))? else { return Ok(true) };
    let attributes = attributes.cast_into::<PyDict>()?;
    for name in attributes.keys() {
        let Ok(text) = name.extract::<&str>() else { return Ok(false) };
        if builtin.hasattr(text)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a key is a string whose comparison runs no code.
pub(super) fn string_key(key: &Bound<'_, PyAny>) -> PyResult<Result<(), &'static Unreadable>> {
    Ok(if key.is_exact_instance_of::<PyString>() {
        Ok(())
    } else if !key.is_instance_of::<PyString>() {
        Err(&Unreadable::KeyNotString)
    } else if is_plain(key)? {
        Ok(())
    } else {
        Err(&Unreadable::Host)
    })
}
