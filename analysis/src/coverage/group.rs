//! A place of a policy with all of its outcomes.
//!
//! In: what the document says there. Out: what counting and removing outcomes has to know of it.

use std::ops::Range;

use super::kinds::{Branch, Kind};
use super::path::ArgsPath;

/// What of the document a group is, beyond its kind: what its removal has to know.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Default,
    Hide,
    /// By its index in [`Subject::entries`].
    Entry,
    Rule {
        blocks: bool,
        reads_counters: bool,
    },
    Approval,
    Condition(ConditionShape),
    Limit(LimitShape),
    /// A budget that has a maximum, by its name.
    Budget {
        name: String,
        max: Option<String>,
    },
}

/// What charges a counter.
#[derive(Debug, Clone)]
pub(super) struct LimitShape {
    /// The key of its entry.
    pub(super) entry: Option<String>,
    /// The counter's name, or that of the budget.
    pub(super) counter: String,
    pub(super) max: Option<String>,
    /// Whether a claim may say the maximum.
    pub(super) claimed: bool,
    pub(super) form: Form,
}

/// Which counters a limit charges.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// One of its entry, which nothing else charges.
    Counter,
    /// The calls in flight of a scope.
    InFlight { scope: String },
    /// A budget. `from`: where the arguments say the amount, as far as that can be read here.
    Budget { from: Option<ArgsPath> },
}

#[derive(Debug, Clone)]
pub(super) struct ConditionShape {
    /// Whether an unknown outcome counts as `holds`: the outcome that refuses here.
    pub(super) unknown_holds: bool,
    /// Where it reads a counter, if it does.
    pub(super) counter: Option<String>,
    /// Of a comparison of an argument with a number: where it is read, and the number.
    pub(super) number: Option<(ArgsPath, String)>,
}

impl ConditionShape {
    /// Whether it reads a counter.
    pub(super) fn reads_counter(&self) -> bool {
        self.counter.is_some()
    }
}

/// The points of one place.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) kind: Kind,
    /// JSON Pointer to the place.
    pub(super) pointer: String,
    /// JSON Pointer to its rule or item; the place's own where it is in none.
    pub(super) rule: String,
    /// The entry it is in, by its index in [`Subject::entries`].
    pub(super) entry: Option<usize>,
    /// The name of its rule.
    pub(super) name: Option<String>,
    /// What it is, for people.
    pub(super) text: String,
    /// Bytes of the policy's text.
    pub(super) range: Range<usize>,
    pub(super) branches: Vec<Branch>,
    pub(super) shape: Shape,
}
