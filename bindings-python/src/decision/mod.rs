//! Decisions in the host's hands, and what belongs to them: records, explanations, reservations.
//!
//! In: what core decided. Out: Python objects. Must not hold arguments.

mod audit;
mod charges;
mod explanation;
mod finishing;
mod object;
mod reservation;

pub(crate) use audit::{About, AuditRecord, Hash};
pub(crate) use explanation::{Check, Explanation};
pub(crate) use finishing::Finishing;
pub(crate) use object::{ApprovalNeeded, CounterUse, Decision, Rule, decimal, instant, loads};
pub(crate) use reservation::{Finisher, Reservation};
