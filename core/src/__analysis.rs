//! For `callgate-analysis` alone: documents as the reader of policies sees them, and what of a policy applies to a tool. May change in
//! any version.

pub use crate::diagnostic::{Diagnostics, Span};
pub use crate::document::reader::{Field, Reader, shown};
pub use crate::path::{PathView, Segment};
pub use crate::text::{Content, Items, Members, Node, Tree};

use crate::call::Target;
use crate::path::Path;
use crate::policy::{Found, Policy};
use crate::ruling::Code;

/// Reads a text as policies are read (spec 1); `None` after an error, which `diagnostics` has.
pub fn parse<'t>(text: &'t str, diagnostics: &mut Diagnostics<'t>) -> Option<Tree<'t>> {
    crate::policy::parse(text, crate::policy::Format::Detect, diagnostics)
}

/// The segments of a path behind its root (spec 4.2); `None` for what is no path, and for one with a view.
pub fn segments(path: &str) -> Option<Box<[Segment]>> {
    Path::parse(path).ok().filter(|path| path.views().next().is_none()).map(|path| path.segments)
}

/// What of a policy applies to a tool, whatever the call is (spec 2.8, 3.6, 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matching {
    /// A name of `hide`, by its pointer.
    Hidden(String),
    /// No entry lists it, and `default` denies.
    NotListed,
    /// No call can have such a name.
    Invalid,
    /// It may be called: an entry lists it, or `default` allows it.
    Open,
}

/// What of `policy` applies to `tool`.
pub fn matching(policy: &Policy, tool: &str) -> Matching {
    let mut found = Found::new();
    match policy.0.admit(Target::Tool(tool), &mut found) {
        Ok(_) => Matching::Open,
        Err(ruling) => match (ruling.code(), ruling.rule().and_then(|rule| policy.0.rule(rule))) {
            (Code::Hidden, Some(rule)) => Matching::Hidden(rule.pointer().to_owned()),
            (Code::NotListed, _) => Matching::NotListed,
            _ => Matching::Invalid,
        },
    }
}

/// The entries of `tools` whose glob matches `tool`, by their index in the document, also those without rules: they list it all the same
/// (spec 2.8). What is hidden, or has a name that no call can have, may be among them.
pub fn globs_matching(policy: &Policy, tool: &str) -> Vec<usize> {
    let mut found = Found::new();
    policy.0.globs_matching(tool, &mut found);
    found.iter().map(|entry| *entry as usize).collect()
}
