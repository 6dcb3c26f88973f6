//! Counter stores, for a process that has a GIL and may fork.
//!
//! In: a URL, or a store that is open. Out: counters that are waited for without the GIL. Must never repeat the URL: it may hold a
//! password.

mod class;
mod counter;
mod handle;

pub(crate) use class::Store;
pub(crate) use counter::LiveCounter;
pub(crate) use handle::{Handle, seconds};
