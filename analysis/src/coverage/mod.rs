//! How much of a policy its tests cover, by outcome: every rule that acted and let pass, every condition that held and failed.
//!
//! In: a policy, and each call that tests make. Out: a [`CoverageReport`]. Decides nothing: outcomes are those that core's
//! explanations give.
//!
//! An outcome is covered where a call had it. That is not enough to say that a test would notice its loss: [`dependence()`] removes
//! each covered outcome from the policy and runs the tests that had it again.

mod behind;
mod charged;
mod dependence;
mod gaps;
mod group;
mod json;
mod kinds;
mod lcov;
mod limits;
mod margins;
mod part;
mod path;
mod points;
mod record;
mod removal;
mod report;
mod same;

pub use dependence::{RunAt, TestFile, Trial, dependence};
pub use gaps::Gap;
pub use kinds::{Branch, Kind};
pub use margins::Margin;
pub use record::Coverage;
pub use report::{CoverageReport, PointReport};
