//! What a fork means to the stores, for `callgate._forking`, which Python calls around each.
//!
//! The GIL stays held: no thread that works on a store waits for it.

use pyo3::prelude::*;

/// Before a fork, on the thread that forks.
#[pyfunction]
pub(crate) fn _before_fork() {
    callgate_host::before_fork();
}

/// After it, in the process that forked.
#[pyfunction]
pub(crate) fn _after_fork_in_parent() {
    callgate_host::after_fork_in_parent();
}

/// After it, in the new process.
#[pyfunction]
pub(crate) fn _after_fork_in_child() {
    callgate_host::after_fork_in_child();
}
