//! Who hears of decisions: the `callgate` logger and the host's `on_decision`.
//!
//! In: a decision that was made, and what its record says of the call. Out: a log record, a call of the callback, whose error is
//! the caller's: a decision that could not be recorded lets no call run (spec 10.10).

use pyo3::prelude::*;

use crate::callback::{check_callback, done};
use crate::decision::{About, AuditRecord, Decision, Hash};
use crate::log::Level;

/// The host's callback, and how its records identify arguments.
pub(crate) struct Observer {
    pub(super) on_decision: Option<Py<PyAny>>,
    pub(super) hash: Hash,
}

impl Observer {
    pub(super) fn new(
        on_decision: Option<&Bound<'_, PyAny>>,
        hash: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        if let Some(callback) = on_decision {
            check_callback("on_decision", callback)?;
        }
        let on_decision = on_decision.map(|callback| callback.clone().unbind());
        Ok(Self { on_decision, hash: Hash::new(hash)? })
    }

    /// Whether a record is to be made of each decision.
    #[inline]
    pub(super) fn listens(&self) -> bool {
        self.on_decision.is_some()
    }

    /// Tells of a decision.
    pub(super) fn tell(&self, decision: &Bound<'_, Decision>, about: Option<Box<About>>) -> PyResult<()> {
        Level::of(decision.get().inner().code()).log(decision)?;
        match (&self.on_decision, about) {
            (Some(callback), Some(about)) => {
                let record = AuditRecord::new(decision.clone().unbind(), *about);
                callback.bind(decision.py()).call1((record,)).and_then(done)
            }
            _ => Ok(()),
        }
    }
}
