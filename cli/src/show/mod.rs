//! Decisions and explanations as people and programs read them.

mod decision;
mod summary;
mod table;
mod tree;

pub(crate) use decision::write_decision;
pub(crate) use summary::Summary;
pub(crate) use table::Table;
pub(crate) use tree::write_tree;

use callgate::time::Timestamp;
use callgate::{Decision, Effect};

use crate::terminal::Paint;

/// A decision with what it does not say itself.
pub(crate) struct Decided<'d> {
    pub(crate) at: Timestamp,
    /// What to call the identity; `None` for nobody known.
    pub(crate) identity: Option<&'d str>,
    pub(crate) decision: &'d Decision<'d>,
}

/// The colour of an effect.
fn paint_of(effect: Effect) -> Paint {
    match effect {
        Effect::Allow => Paint::Green,
        Effect::RequireApproval => Paint::Yellow,
        _ => Paint::Red,
    }
}

/// An effect in the words of a person.
fn words_of(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allowed",
        Effect::RequireApproval => "needs approval",
        _ => "denied",
    }
}

/// What to call what was called: the tool, else the method.
pub(crate) fn called<'d>(decision: &'d Decision<'_>) -> &'d str {
    decision.tool().unwrap_or(decision.method())
}

/// What to call the rule that decided: its name, else its place.
fn rule_of<'d>(decision: &'d Decision<'_>) -> Option<&'d str> {
    decision.rule().map(|rule| rule.name().unwrap_or(rule.pointer()))
}
