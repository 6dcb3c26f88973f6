//! What an engine remembers of calls: one cache for a policy, in it one for each tool, in that decisions.
//!
//! In: a core engine whose policy may be replaced. Out: tools and decisions that were made before. Must not outlive the policy:
//! with another one in force, all of it is made anew.

mod policy;
mod tool;

pub(crate) use policy::{CurrentPolicy, PolicyCache};
pub(crate) use tool::{CachedDecision, ToolCache};
