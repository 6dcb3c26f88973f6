//! Mistakes that the interpreter can be told to make, so that it can be tested whether a comparison with it would notice them.
//!
//! In: a mistake. Out: what is asked on this thread is decided with it. Each stands where its clause is said.

use std::cell::Cell;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Clause 6.6: approval is asked before the counters are looked at.
    ApprovalBeforeLimit,
}

thread_local! {
    static MADE: Cell<Option<Mistake>> = const { Cell::new(None) };
}

/// Makes this mistake from now on, and no other; or none.
pub fn make(mistake: Option<Mistake>) {
    MADE.set(mistake);
}

/// Whether this mistake is made.
pub(crate) fn is_made(mistake: Mistake) -> bool {
    MADE.get() == Some(mistake)
}
