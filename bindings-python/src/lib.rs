//! The native half of the Python package `callgate`.
//!
//! In: Python objects. Out: the core's answers as Python objects, and its errors as Python exceptions. Must not decide
//! anything about a call: conversion and error mapping only.

mod cache;
mod callback;
mod decision;
mod diagnostic;
mod engine;
mod error;
mod fork;
mod live;
mod lock;
mod log;
mod policy;
mod risk;
mod store;
mod stream;
mod values;
mod wake;

use pyo3::prelude::*;

/// The extension module `callgate._native`; the package `callgate` re-exports what is public.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.setattr("MCP_DENIED", callgate::MCP_DENIED)?;
        module.setattr("__version__", env!("CARGO_PKG_VERSION"))
    }

    #[pymodule_export]
    use crate::decision::AuditRecord;
    #[pymodule_export]
    use crate::decision::Finishing;
    #[pymodule_export]
    use crate::decision::Reservation;
    #[pymodule_export]
    use crate::decision::{ApprovalNeeded, CounterUse, Decision, Rule};
    #[pymodule_export]
    use crate::decision::{Check, Explanation};
    #[pymodule_export]
    use crate::diagnostic::Diagnostic;
    #[pymodule_export]
    use crate::engine::ArgsCheck;
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::engine::ManualClock;
    #[pymodule_export]
    use crate::engine::PendingCall;
    #[pymodule_export]
    use crate::engine::Subscription;
    #[pymodule_export]
    use crate::fork::{_after_fork_in_child, _after_fork_in_parent, _before_fork};
    #[pymodule_export]
    use crate::lock::{_changed, _definition_digests, Pins};
    #[pymodule_export]
    use crate::log::_forget_levels;
    #[pymodule_export]
    use crate::policy::{_canonical, Policy, lint};
    #[pymodule_export]
    use crate::risk::_classify_tools;
    #[pymodule_export]
    use crate::store::{LiveCounter, Store};
    #[pymodule_export]
    use crate::stream::{Stream, StreamAsk};
    #[pymodule_export]
    use crate::wake::_stop_handing_over;
}
