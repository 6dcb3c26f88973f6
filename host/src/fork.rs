//! Notice of a fork to the stores of this process.
//!
//! In: the three moments of a fork. Out: stores that work in both processes. A host that may fork calls these functions on the
//! thread that forks. Must not touch stores that survive a fork anyway.

#[cfg(feature = "sqlite")]
pub use callgate_sqlite::{after_fork_in_child, after_fork_in_parent, before_fork};

/// Before the fork. No store of this build needs it.
#[cfg(not(feature = "sqlite"))]
pub fn before_fork() {}

/// After the fork, in the parent.
#[cfg(not(feature = "sqlite"))]
pub fn after_fork_in_parent() {}

/// After the fork, in the child.
#[cfg(not(feature = "sqlite"))]
pub fn after_fork_in_child() {}
