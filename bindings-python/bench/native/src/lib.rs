//! What a check of arguments costs at least in a native extension of Python.
//!
//! In: the arguments of `callgate.Engine.evaluate`. Out: nothing, or a decision by a policy that is written here as code. It is the
//! language border, the look at every key, the reading of two values, and the field of the decision: what a package that reads such
//! arguments cannot leave out.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyBool, PyDict, PyInt, PyString};

/// A decision.
#[pyclass(frozen)]
struct Verdict {
    #[pyo3(get)]
    allowed: Py<PyBool>,
}

/// A policy that is known when this is compiled: that of `evaluate.py` about a charge.
#[pyclass(frozen)]
struct Floor {
    amount: Py<PyString>,
    currency: Py<PyString>,
    verdicts: [Py<Verdict>; 2],
}

#[pymethods]
impl Floor {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let verdict =
            |allowed| Py::new(py, Verdict { allowed: PyBool::new(py, allowed).to_owned().unbind() });
        Ok(Self {
            amount: PyString::intern(py, "amount").unbind(),
            currency: PyString::intern(py, "currency").unbind(),
            verdicts: [verdict(false)?, verdict(true)?],
        })
    }

    /// Does nothing, with the signature of `evaluate` and as little of it read.
    #[pyo3(signature = (tool, args = None, identity = None, approved = None))]
    fn noop<'py>(
        &self,
        tool: &Bound<'py, PyString>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
    ) {
        let _ = (tool, args, identity, approved);
    }

    /// Decides a charge, and returns an object that was made before.
    #[pyo3(signature = (tool, args = None, identity = None, approved = None))]
    fn decide<'py>(
        &self,
        py: Python<'py>,
        tool: &Bound<'py, PyString>,
        args: Option<&Bound<'py, PyAny>>,
        identity: Option<&Bound<'py, PyAny>>,
        approved: Option<&Bound<'py, PyAny>>,
    ) -> Py<Verdict> {
        let [denied, allowed] = &self.verdicts;
        let known = identity.is_none_or(|identity| identity.is_exact_instance_of::<PyString>());
        if !known || approved.is_some() || !matches!(tool.to_str(), Ok("create_charge")) {
            return denied.clone_ref(py);
        }
        let dict = args.filter(|args| args.is_exact_instance_of::<PyDict>());
        let dict = dict.and_then(|args| args.cast_exact::<PyDict>().ok());
        if dict.is_some_and(|args| self.may_charge(args)) { allowed } else { denied }.clone_ref(py)
    }
}

impl Floor {
    fn may_charge(&self, args: &Bound<'_, PyDict>) -> bool {
        let (mut amount, mut currency) = (None, None);
        // The keys are stepped through as the package does: iterators of pyo3 take a reference to each key and value.
        let strings = with_critical_section(args, || {
            let (mut position, mut key, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
            for _ in 0..args.len() {
                // SAFETY: `args` is a live dict, nothing between two steps runs code that could change it, and `key` and `value` are
                // live while it is unchanged.
                let value = unsafe {
                    if ffi::PyDict_Next(args.as_ptr(), &raw mut position, &raw mut key, &raw mut value) == 0
                        || ffi::PyUnicode_CheckExact(key) == 0
                    {
                        return false;
                    }
                    Borrowed::from_ptr(args.py(), value)
                };
                if key == self.amount.as_ptr() {
                    amount = value.cast_exact::<PyInt>().ok().and_then(|value| value.extract::<i64>().ok());
                } else if key == self.currency.as_ptr() {
                    currency = value.cast_exact::<PyString>().ok().map(|value| value.to_owned());
                }
            }
            true
        });
        strings
            && amount.is_some_and(|amount| amount <= 50_000)
            && currency.is_some_and(|text| matches!(text.to_str(), Ok("usd" | "eur" | "gbp")))
    }
}

/// The extension module `callgate_floor`.
#[pymodule]
mod callgate_floor {
    #[pymodule_export]
    use super::{Floor, Verdict};
}
