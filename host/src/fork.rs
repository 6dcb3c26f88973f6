//! Tells the stores of this process that it forks.
//!
//! In: the three moments of a fork. Out: stores that work in both processes. A host that may fork calls these, on the thread that
//! does; the stores that need none of it are not touched.

#[cfg(feature = "sqlite")]
pub use callgate_sqlite::{after_fork_in_child, after_fork_in_parent, before_fork};

/// Before the fork. This build has no store that needs to know.
#[cfg(not(feature = "sqlite"))]
pub fn before_fork() {}

/// After it, in the process that forked.
#[cfg(not(feature = "sqlite"))]
pub fn after_fork_in_parent() {}

/// After it, in the new process.
#[cfg(not(feature = "sqlite"))]
pub fn after_fork_in_child() {}
