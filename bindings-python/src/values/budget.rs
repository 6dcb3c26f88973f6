//! A bound on the values that one evaluation visits.
//!
//! In: visits. Out: whether they are still within the bound. Must not grow while a call is decided.

use std::cell::Cell;

/// Values that one evaluation may visit, at some 60 ns each: what core's steps count takes longer in Python. Objects may share
/// parts, so that a few lists mean more elements than there are atoms.
const VISITS: u32 = 120_000;

/// What is left of the visits of one evaluation.
pub(crate) struct Budget(Cell<u32>);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(Cell::new(VISITS))
    }

    /// Takes what is visited; false where that is more than is left.
    pub(crate) fn take(&self, visits: u32) -> bool {
        let left = self.0.get().checked_sub(visits);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}
