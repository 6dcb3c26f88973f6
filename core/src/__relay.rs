//! For `callgate-relay` alone: reading messages as strictly as arguments are read. May change in any version.

use crate::admission::folding::fold;
use crate::budget::Budget;
use crate::ceilings::ARGUMENT_DEPTH;
use crate::policy::Policy;
use crate::raw::{Limits, RawError, RawJson};

/// Validates a message of at most so many bytes, as [`RawJson::parse`] validates arguments.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str, bytes: usize) -> Result<RawJson<'_>, RawError> {
    // The envelope and `params` lie around the arguments.
    const AROUND: usize = 2;
    RawJson::parse_within(text, Limits { bytes, depth: ARGUMENT_DEPTH.saturating_add(AROUND) })
}

/// The canonical JSON of a text (spec 10.7); `None` where it has none.
pub fn canonical(text: &str) -> Option<String> {
    let raw = RawJson::parse(text).ok()?;
    crate::canonical::canonical(&raw.root(), &Budget::without_end()).ok()
}

/// The call that stands in the arguments of a dispatcher (spec 3.11): its tool, and its arguments as canonical JSON.
pub fn inner_call(policy: &Policy, tool: &str, args: &str) -> Option<(String, String)> {
    policy.0.inner_call(tool, &RawJson::parse(args).ok()?.root())
}

/// What a name is to a reader that ignores case, or that ends it at its first NUL (spec 3.8).
pub fn folded(name: &str) -> String {
    fold(name)
}
