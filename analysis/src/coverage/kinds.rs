//! The words of coverage: what has outcomes, and which.
//!
//! In: nothing. Out: the kinds of places and their outcomes, with the words that machines read: stable.

/// What has outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `default`, also where the document does not write it.
    Default,
    /// A name or glob of `hide`.
    Hide,
    /// An entry.
    Entry,
    /// A rule or item that permits or denies.
    Rule,
    /// A rule that asks for approval.
    Approval,
    /// One condition without a combinator.
    Condition,
    /// A counter that is charged: an item of `limits`, a `rate_limit` or a `state`.
    Limit,
    /// A budget with a maximum. What pays into it are limits.
    Budget,
}

/// An outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Branch {
    /// An entry, a name or the default applied.
    Hit,
    /// A rule refused, or a deny rule acted.
    Acted,
    /// A rule let the call pass.
    Passed,
    /// A condition is true.
    Holds,
    /// A condition is false.
    Fails,
    /// A counter was charged.
    Charged,
    /// A maximum refused.
    Refused,
    /// A rule asked for approval.
    Asked,
    /// The approval that a rule asks for came with the call.
    Given,
}

impl Kind {
    /// The word for it, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Hide => "hide",
            Self::Entry => "entry",
            Self::Rule => "rule",
            Self::Approval => "approval",
            Self::Condition => "condition",
            Self::Limit => "limit",
            Self::Budget => "budget",
        }
    }
}

impl Branch {
    /// The word for it, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Acted => "acted",
            Self::Passed => "passed",
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Charged => "charged",
            Self::Refused => "refused",
            Self::Asked => "asked",
            Self::Given => "given",
        }
    }
}
