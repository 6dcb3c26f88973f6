//! The cache of an engine: one for a policy, in it one for each tool, in that decisions.
//!
//! In: a core engine whose policy may be replaced. Out: cached tools and decisions. Must not outlive the policy: with another
//! one in force, the cache is made anew.

mod policy;
mod tool;

pub(crate) use policy::{CurrentPolicy, PolicyCache};
pub(crate) use tool::{CachedDecision, ToolCache};
