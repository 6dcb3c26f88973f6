//! What tests of planted faults share.
//!
//! In: stores that break a promise each, with the clause that has to notice. Out: a panic where one is not noticed.

use std::fmt::Debug;
use std::panic::{RefUnwindSafe, catch_unwind};

use callgate::store::{Batch, Guard, Slot, Test};
use callgate_store_contract::{Counters, Subject, TimeKept, clauses};

/// Stores with one fault, as this function opens them.
pub(crate) struct Kind<F>(pub(crate) F, pub(crate) fn(F) -> Box<dyn Counters>);

impl<F: Copy + Send + Sync> Subject for Kind<F> {
    fn open(&self, _name: &str) -> Box<dyn Counters> {
        (self.1)(self.0)
    }

    fn time_kept(&self) -> TimeKept {
        TimeKept::Store
    }
}

/// Each fault is caught by the clause beside it; others may catch it, too.
pub(crate) fn each_is_caught<F>(caught_by: &[(F, &str)], open: fn(F) -> Box<dyn Counters>)
where
    F: Copy + Debug + Send + Sync + RefUnwindSafe,
{
    for &(fault, name) in caught_by {
        let clause = clauses().find(|clause| clause.name() == name).unwrap();
        let caught = catch_unwind(|| clause.check(&Kind(fault, open))).is_err();
        assert!(caught, "{fault:?} was not caught by {clause:?}");
    }
}

/// The same batch, with shorter borrows.
pub(crate) fn borrowed<'b>(batch: &'b Batch<'_>) -> Batch<'b> {
    let guard = |guard: &'b Guard<'_>| Guard {
        tests: guard.tests.iter().map(|test| Test { slot: test.slot, ranges: test.ranges }).collect(),
        ..*guard
    };
    Batch {
        slots: batch.slots.iter().map(|slot| Slot { scope: slot.scope.clone(), ..*slot }).collect(),
        guards: batch.guards.iter().map(guard).collect(),
        approval: batch.approval.clone(),
        asks: batch.asks,
    }
}
