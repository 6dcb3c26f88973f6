//! How much of a policy its tests cover, by outcome: every rule that acted and let pass, every condition that held and failed.
//!
//! In: a policy, and each call that tests make. Out: a [`CoverageReport`]. Decides nothing: outcomes are those that core's
//! explanations give.

mod gaps;
mod json;
mod kinds;
mod lcov;
mod margins;
mod path;
mod points;
mod record;
mod report;

pub use gaps::Gap;
pub use kinds::{Branch, Kind};
pub use margins::Margin;
pub use record::Coverage;
pub use report::{CoverageReport, PointReport};
