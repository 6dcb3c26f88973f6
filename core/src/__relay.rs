//! For `callgate-relay` alone: reading messages as strictly as arguments are read. May change in any version.

use crate::admission::folding::fold;
use crate::ceilings::ARGUMENT_DEPTH;
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

/// What a name is to a reader that ignores case, or that ends it at its first NUL (spec 3.8).
pub fn folded(name: &str) -> String {
    fold(name)
}
