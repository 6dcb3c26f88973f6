//! What policies may have beside rules, conditions and counters, each for itself: a generator leaves out what the engine does not know yet.

use super::Generator;

/// A part of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// `includes`, `not_includes` and `type`.
    Operators,
    /// `value_from`
    ValueFrom,
    /// `optional`
    Optional,
    /// `only_args`
    OnlyArgs,
    /// `when`
    When,
    /// `@lower`, `@length`, `@count` and `@keys`.
    Views,
    /// `@json`
    Json,
    /// `.*` and `.**`
    Wildcards,
    /// The root `server`.
    Server,
    /// `list`
    List,
    /// `claims`
    Claims,
    /// `budgets`
    Budgets,
    /// `max_from`
    MaxFrom,
    /// The window `ever`.
    Ever,
    /// Sliding windows that are longer than a day.
    LongSliding,
    /// `time_zone` and `week_start`
    Calendars,
    /// `refund` and `settle`
    Ends,
    /// `in_flight`
    InFlight,
    /// Conditions on counters in rules that ask for approval.
    AskByState,
    /// `approval`
    Terms,
    /// Stacks of policies.
    Layers,
    /// `requests`
    Requests,
    /// `dispatchers`
    Dispatchers,
}

/// What the engine knows.
pub const KNOWN: &[Feature] = &[
    Feature::Operators,
    Feature::Claims,
    Feature::When,
    Feature::Views,
    Feature::ValueFrom,
    Feature::Optional,
    Feature::OnlyArgs,
    Feature::Server,
    Feature::List,
    Feature::Json,
    Feature::Wildcards,
    Feature::Ever,
    Feature::LongSliding,
    Feature::Calendars,
    Feature::Budgets,
    Feature::MaxFrom,
    Feature::Ends,
    Feature::InFlight,
    Feature::AskByState,
    Feature::Terms,
    Feature::Layers,
    Feature::Requests,
    Feature::Dispatchers,
];

/// How a part of the language is written, as it stands in a policy in JSON.
const WRITTEN: [&str; 27] = [
    "includes\",",
    "\"op\":\"type\"",
    "\"value_from\"",
    "\"optional\"",
    "\"only_args\"",
    "\"when\"",
    ".@lower",
    ".@length",
    ".@count",
    ".@keys",
    ".@json",
    ".*",
    "\"server\"",
    "\"list\":\"callable\"",
    "\"claims\"",
    "\"budgets\"",
    "\"max_from\"",
    "\"ever\"",
    "\"time_zone\"",
    "\"week_start\"",
    "\"refund\"",
    "\"settle\"",
    "\"in_flight\"",
    "\"approval\"",
    "\"name\":\"two\"",
    "\"requests\"",
    "\"dispatchers\"",
];

/// Whether a generated policy has any of them.
pub fn has_features(policy: &str) -> bool {
    WRITTEN.iter().any(|written| policy.contains(written))
}

impl Generator {
    /// One of these texts with paths that the policy may have; the first one always may stand.
    pub(super) fn pick_path(&mut self, from: &[&'static str]) -> &'static str {
        let known: Vec<&str> = from.iter().copied().filter(|text| self.may_reach(text)).collect();
        known[self.below(known.len())]
    }

    /// Whether the policy may have the views and wildcards of a path.
    pub(super) fn may_reach(&self, path: &str) -> bool {
        let views = ["@lower", "@length", "@count", "@keys"];
        (self.may(Feature::Views) || !views.iter().any(|view| path.contains(view)))
            && (self.may(Feature::Json) || !path.contains("@json"))
            && (self.may(Feature::Wildcards) || !path.contains(".*"))
    }

    /// Whether the policy may have this.
    pub(super) fn may(&self, feature: Feature) -> bool {
        self.extended && KNOWN.contains(&feature)
    }
}
