//! Who hears that another policy came into force.
//!
//! In: a callable of Python. Out: it is called after each replacement, until the object is dropped. Must not wait for the GIL of an
//! interpreter that is shutting down.

use pyo3::prelude::*;

use crate::wake::hand_over;

/// Ends when it is dropped. Not public: the guards hold one.
#[pyclass(module = "callgate._native", frozen)]
pub(crate) struct Subscription(#[expect(dead_code, reason = "held for its drop")] callgate::Subscription);

impl Subscription {
    pub(super) fn new(engine: &callgate::Engine, heard: Py<PyAny>) -> Self {
        Self(engine.subscribe(move || {
            hand_over(|py| {
                if let Err(error) = heard.call0(py) {
                    error.write_unraisable(py, None);
                }
            });
        }))
    }
}
