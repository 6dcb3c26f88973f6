//! Waking Python from threads that it did not make.
//!
//! In: work that does not block. Out: its result, kept and told of with the GIL held. Must not wait for the GIL of an interpreter
//! that is shutting down: such a thread never comes back.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use callgate_host::spawn_io;
use pyo3::prelude::*;

/// Whether the interpreter is about to shut down.
static CLOSED: AtomicBool = AtomicBool::new(false);
/// The process in which a thread that Python did not make is about to hold the GIL, or holds it; 0 if none does.
static INSIDE: AtomicU32 = AtomicU32::new(0);

/// Runs `work` without blocking, keeps its result, and calls `wake`, both with the GIL on another thread. False if no thread
/// could be started, and so nothing is called. If the work panicked, nothing is kept.
pub(crate) fn carry_and_wake<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    keep: impl FnOnce(T) + Send + 'static,
    wake: Py<PyAny>,
) -> bool {
    let then = move |done: Option<T>| {
        hand_over(|py| {
            if let Some(done) = done {
                keep(done);
            }
            if let Err(error) = wake.call0(py) {
                error.write_unraisable(py, None);
            }
        });
    };
    spawn_io(work, then).is_ok()
}

/// Runs `work` with the GIL, unless the interpreter is shutting down: a thread that waits for the GIL then never comes back.
pub(crate) fn hand_over(work: impl FnOnce(Python<'_>)) {
    INSIDE.store(std::process::id(), Ordering::SeqCst);
    if !CLOSED.load(Ordering::SeqCst) {
        let _ = Python::try_attach(work);
    }
    INSIDE.store(0, Ordering::SeqCst);
}

/// Ends the handing over of answers. Called by `callgate._awaiting` when the interpreter exits.
#[pyfunction]
pub(crate) fn _stop_handing_over(py: Python<'_>) {
    CLOSED.store(true, Ordering::SeqCst);
    py.detach(|| {
        while INSIDE.load(Ordering::SeqCst) == std::process::id() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}
