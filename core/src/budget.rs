//! The budget of one evaluation, in steps (spec 11): it bounds the time, whatever the arguments are.

use std::cell::Cell;

use crate::ceilings::CALL_STEPS;
use crate::view::{Access, Unreadable, View};

/// Below this many steps, a call has made many look-ups.
const LATE: u64 = CALL_STEPS - 4_096;

/// Bytes that are read as JSON in a step.
pub(crate) const JSON_BYTES: u64 = 3;

/// The steps that one call has left.
#[derive(Debug)]
pub(crate) struct Budget(Cell<u64>);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(Cell::new(CALL_STEPS))
    }

    /// For work outside an evaluation that only the host can ask for.
    pub(crate) fn without_end() -> Self {
        Self(Cell::new(u64::MAX))
    }

    /// Goes on with what another has left: two parts of one call share its steps.
    pub(crate) fn goes_on_from(&self, other: &Self) {
        self.0.set(other.0.get());
    }

    /// The steps of looking at so many bytes once.
    #[inline]
    pub(crate) const fn of_bytes(bytes: usize) -> u64 {
        bytes as u64 / 16
    }

    /// Takes `count` steps, or refuses the call.
    #[inline]
    pub(crate) fn take(&self, count: u64) -> Result<(), Unreadable> {
        match self.0.get().checked_sub(count) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(Unreadable::TooLarge),
        }
    }

    /// Takes the steps of looking a member up.
    #[inline]
    pub(crate) fn take_look_up<V: View>(&self, value: &V) -> Result<(), Unreadable> {
        self.take(value.cost(Access::Member))?;
        if self.0.get() < LATE { self.take(value.cost(Access::LateMember)) } else { Ok(()) }
    }

    /// Takes the steps of looking at a string once.
    #[inline]
    pub(crate) fn take_text(&self, text: &str) -> Result<(), Unreadable> {
        self.take(Self::of_bytes(text.len()))
    }

    /// Takes the steps of reading so many bytes as JSON: one takes up to 4 ns where every second byte begins a value.
    #[inline]
    pub(crate) fn take_json(&self, bytes: usize) -> Result<(), Unreadable> {
        self.take(bytes as u64 / JSON_BYTES)
    }

    /// Takes the steps of reading a value once.
    #[inline]
    pub(crate) fn take_value<V: View>(&self, value: &V) -> Result<(), Unreadable> {
        self.take(value.cost(Access::Read))
    }
}
