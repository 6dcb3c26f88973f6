//! The native half of the Python package `callgate`.
//!
//! In: Python objects. Out: the core's answers as Python objects, and its errors as Python exceptions. Must not decide
//! anything about a call: conversion and error mapping only.

mod args_check;
mod audit;
mod call;
mod clock;
mod deciding;
mod decision;
mod engine;
mod error;
mod explanation;
mod finishing;
#[cfg(feature = "bench")]
mod floor;
mod fork;
mod in_force;
mod integer;
mod keys;
mod known;
mod names;
mod observe;
mod options;
mod pending;
mod policy;
mod reservation;
mod root;
mod shape;
mod store;
mod view;
mod watch;

use pyo3::prelude::*;

/// The extension module `callgate._native`; the package `callgate` re-exports what is public.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.setattr("__version__", env!("CARGO_PKG_VERSION"))
    }

    #[pymodule_export]
    use crate::args_check::ArgsCheck;
    #[pymodule_export]
    use crate::audit::AuditRecord;
    #[pymodule_export]
    use crate::clock::ManualClock;
    #[pymodule_export]
    use crate::decision::{CounterUse, Decision, Rule};
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::explanation::{Check, Explanation};
    #[pymodule_export]
    use crate::finishing::Finishing;
    #[pymodule_export]
    use crate::fork::{_after_fork_in_child, _after_fork_in_parent, _before_fork};
    #[pymodule_export]
    use crate::observe::_forget_levels;
    #[pymodule_export]
    use crate::pending::{_stop_handing_over, PendingCall};
    #[pymodule_export]
    use crate::policy::{Diagnostic, Policy};
    #[pymodule_export]
    use crate::reservation::Reservation;
}
