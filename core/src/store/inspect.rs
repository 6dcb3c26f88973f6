//! Listing and resetting the counters of a store, for operators (spec 8.12).

use std::sync::Arc;

use super::error::StoreError;
use super::{Counter, CounterId, ScopeValue, Store};
use crate::amount::Amount;
use crate::time::Timestamp;

/// A live counter as a store holds it, for one scope value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCounter {
    /// The counter, as the policy that charged it declared it.
    pub counter: Counter,
    /// For whom it counts.
    pub scope: ScopeValue,
    /// What it holds.
    pub used: Amount,
    /// When it will hold nothing if nothing else happens.
    pub resets_at: Timestamp,
}

/// A store whose counters can be listed and reset. Not part of deciding: no engine calls it.
pub trait Inspect: Send + Sync {
    /// Shows every counter that holds something at `now`, in no particular order. Counters that are charged meanwhile
    /// may be shown before or after.
    ///
    /// # Errors
    /// [`StoreError`] where the counters cannot be read; those shown so far are right.
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError>;

    /// Empties a counter, and returns whether it held something. Charges made before can no longer be refunded.
    ///
    /// # Errors
    /// [`StoreError`] where it is unknown whether the counter was reset.
    fn reset(&self, counter: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError>;
}

/// A store that several hold, as each of them.
impl<S: Inspect + ?Sized> Inspect for Arc<S> {
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError> {
        (**self).each(now, show)
    }

    fn reset(&self, counter: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError> {
        (**self).reset(counter, scope, now)
    }
}

/// A store that can also be listed and reset.
pub trait Counters: Store + Inspect {}

impl<S: Store + Inspect + ?Sized> Counters for S {}
