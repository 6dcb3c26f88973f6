//! The charges of a call while they can be finished.
//!
//! In: what core reserved. Out: the same, to one caller at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use callgate::Outcome;

/// Charges that nobody is finishing; none while somebody is, and afterwards.
pub(super) struct Charges(Mutex<Option<callgate::Reservation>>);

impl Charges {
    pub(super) fn new(charges: callgate::Reservation) -> Self {
        Self(Mutex::new(Some(charges)))
    }

    fn lock(&self) -> MutexGuard<'_, Option<callgate::Reservation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes them, to be finished.
    pub(super) fn take(&self) -> Option<callgate::Reservation> {
        self.lock().take()
    }

    /// Gives them back if finishing them changed nothing.
    pub(super) fn keep(&self, charges: callgate::Reservation) {
        if charges.is_open() {
            *self.lock() = Some(charges);
        }
    }

    pub(super) fn gives_back(&self, outcome: Outcome) -> bool {
        self.lock().as_ref().is_some_and(|charges| charges.gives_back(outcome))
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().is_some()
    }
}
