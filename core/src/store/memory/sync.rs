//! Locks, atomics and the seed of hashes: the usual ones, or with `--cfg callgate_loom` those with which `interleavings`
//! tries every order in which threads can meet. A run must then be repeatable, so the seed is fixed.

#[cfg(not(callgate_loom))]
pub(super) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicI64, Ordering},
};

pub(super) use std::sync::PoisonError;

#[cfg(callgate_loom)]
pub(super) use foldhash::quality::FixedState as RandomState;
#[cfg(not(callgate_loom))]
pub(super) use foldhash::quality::RandomState;
#[cfg(callgate_loom)]
pub(super) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicI64, Ordering},
};
