//! Python objects as core reads them.
//!
//! In: what a host passes. Out: views, callers and exact numbers. Must not know of engines, decisions or stores.
//!
//! Files only point down: `view` reads by `shape`, `shape` by `dicts`, `dicts` by `keys` and `names`, all by `classes` and `integer`.

mod budget;
mod caller;
mod classes;
mod dicts;
pub(crate) mod integer;
mod keys;
mod names;
mod shape;
mod view;

pub(crate) use budget::Budget;
pub(crate) use caller::Caller;
pub(crate) use names::{ArgNames, place};
pub(crate) use view::{PyView, RootValue};
