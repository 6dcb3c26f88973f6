//! The tests that every callgate counter store has to pass: its contract, clause by clause of the language (spec 8).
//!
//! In: a [`Subject`], which opens stores of one kind. Out: the clauses that they break. To be run from the tests of a store;
//! nothing here belongs into a program.
//!
//! ```
//! use callgate::MemoryStore;
//! use callgate_store_contract::{Counters, Subject, TimeKept, check};
//!
//! struct Memory;
//!
//! impl Subject for Memory {
//!     fn open(&self, _name: &str) -> Box<dyn Counters> {
//!         Box::new(MemoryStore::new())
//!     }
//!
//!     fn time_kept(&self) -> TimeKept {
//!         TimeKept::Store
//!     }
//! }
//!
//! # if false { // The project's own tests do this.
//! check(&Memory); // panics, and names the clauses that are broken
//! # }
//! ```
//!
//! A store whose counters are shared between processes also runs [`check_processes`], from a test of its own. One that has namespaces
//! runs [`check_namespaces`], and one in which calls are filed that wait for approval runs [`check_approvals`].
//!
//! A store with a clock of its own has to be opened so that it takes the time that it is given: no test could wait for
//! the end of a month.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test tells by panicking"
)]

mod amounts;
mod approvals;
mod asks;
mod batches;
mod ever;
mod filed;
mod guards;
mod inspect;
mod keys;
mod ledger;
mod long;
mod model;
mod namespaces;
mod processes;
mod property;
mod purge;
mod settlements;
mod sliding;
mod subject;
mod threads;
mod time;
mod windows;
mod zoned;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use callgate::store::Counters;
pub use filed::{ApprovalClause, ApprovalStore, OpenApprovals, approval_clauses, check_approvals};
pub use namespaces::check_namespaces;
pub use processes::{PROCESSES, THREADS, check_processes};
pub use property::check_choices;
pub use subject::{Subject, TimeKept};

/// One thing that a store promises, and its test.
#[derive(Clone, Copy)]
pub struct Clause {
    name: &'static str,
    spec: &'static str,
    check: fn(&dyn Subject),
}

impl Clause {
    /// What it says, as the name of a function.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The clause of the language that it comes from, such as `8.1`.
    pub fn spec(&self) -> &'static str {
        self.spec
    }

    /// Tests it.
    ///
    /// # Panics
    /// Where the store breaks it.
    pub fn check(&self, subject: &dyn Subject) {
        (self.check)(subject);
    }
}

impl fmt::Debug for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (spec {})", self.name, self.spec)
    }
}

/// A list of clauses: functions of this module, each after the clause of the language that it tests.
macro_rules! group {
    ($($spec:literal $name:ident,)*) => {
        pub(crate) const CLAUSES: &[$crate::Clause] =
            &[$($crate::Clause { name: stringify!($name), spec: $spec, check: $name }),*];
    };
}
use group;

/// Every clause, those about one thing together.
pub fn clauses() -> impl Iterator<Item = Clause> {
    let groups = [
        batches::CLAUSES,
        guards::CLAUSES,
        asks::CLAUSES,
        windows::CLAUSES,
        zoned::CLAUSES,
        ever::CLAUSES,
        sliding::CLAUSES,
        long::CLAUSES,
        time::CLAUSES,
        amounts::CLAUSES,
        keys::CLAUSES,
        approvals::CLAUSES,
        settlements::CLAUSES,
        purge::CLAUSES,
        inspect::CLAUSES,
        threads::CLAUSES,
        property::CLAUSES,
    ];
    groups.into_iter().flatten().copied()
}

/// The clauses that the store breaks. What is wrong with each is printed to standard error as it is found.
pub fn broken(subject: &dyn Subject) -> Vec<Clause> {
    clauses().filter(|clause| catch_unwind(AssertUnwindSafe(|| clause.check(subject))).is_err()).collect()
}

/// Tests every clause.
///
/// # Panics
/// Where the store breaks one, after all have been tested, with the names of all that it breaks.
pub fn check(subject: &dyn Subject) {
    let broken = broken(subject);
    assert!(
        broken.is_empty(),
        "the store breaks {} of {} clauses: {broken:#?}",
        broken.len(),
        clauses().count()
    );
}
