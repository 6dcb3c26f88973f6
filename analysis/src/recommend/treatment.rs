//! What becomes of a class under each profile.
//!
//! In: class, labels, profile. Out: whether calls pass, how many, and whether a person is asked. The guide has the same as a table.

use std::collections::BTreeSet;

use crate::risk::{Class, Label};

/// What a written policy lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Tools that read, and no other.
    ReadOnly,
    /// What can be changed back passes within limits, a person decides on the rest, and what takes away is denied.
    Recommended,
    /// All passes within limits. A person decides on what takes away and on money.
    Permissive,
}

impl Profile {
    /// The name, as it is written on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Recommended => "recommended",
            Self::Permissive => "permissive",
        }
    }
}

/// For whom limits of a written policy count separately (spec 9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Each session, else each identity; where nobody is known, one for all. It works everywhere.
    Caller,
    /// One for all callers.
    Global,
    /// Each grant. A call without one is denied.
    Grant,
    /// Each session. A call without one is denied.
    Session,
    /// Each identity. A call without one is denied.
    Identity,
}

impl Scope {
    /// The scope as a policy writes it; none for that of `rate_limit` without one.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Caller => None,
            Self::Global => Some("global"),
            Self::Grant => Some("grant"),
            Self::Session => Some("session"),
            Self::Identity => Some("identity"),
        }
    }

    /// Behind another field of a rule.
    pub(super) fn field(self) -> String {
        self.name().map(|name| format!(", scope: {name}")).unwrap_or_default()
    }

    /// Whether a call without an identity is denied.
    pub(super) const fn needs_identity(self) -> bool {
        matches!(self, Self::Grant | Self::Session | Self::Identity)
    }
}

/// So many calls in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) most: u32,
    pub(super) window: &'static str,
}

impl Rate {
    /// `30 a minute`.
    pub(super) fn name(self) -> String {
        format!("{} a {}", self.most, self.window)
    }
}

/// What becomes of a tool's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// They pass, within the limit that all share.
    Allow,
    /// They pass, within a limit of their own.
    Limit(Rate),
    /// A person decides on each, within a limit.
    Approve(Rate),
    /// None passes.
    Deny,
}

impl Treatment {
    /// How much is in the way of a call.
    pub(super) const fn strictness(self) -> u8 {
        match self {
            Self::Allow => 0,
            Self::Limit(_) => 1,
            Self::Approve(_) => 2,
            Self::Deny => 3,
        }
    }
}

/// What all calls together may come to.
pub(super) const TOGETHER: Rate = Rate { most: 60, window: "minute" };
const CHANGES: Rate = Rate { most: 30, window: "minute" };
const RUNS: Rate = Rate { most: 10, window: "minute" };
/// Keys, rights and money: a person needs few of them.
const FEW: Rate = Rate { most: 3, window: "day" };

/// What becomes of a tool with this class and these labels.
pub(super) fn treatment(profile: Profile, class: Class, labels: &BTreeSet<Label>) -> Treatment {
    use Treatment::{Allow, Approve, Deny, Limit};
    let secret = labels.contains(&Label::Credentials);
    let rights = secret || labels.contains(&Label::IdentityAdmin);
    match (profile, class) {
        // What a model has read is known to whatever it talks to.
        (Profile::ReadOnly | Profile::Recommended, Class::Read) if secret => Approve(RUNS),
        (_, Class::Read) => Allow,
        (Profile::ReadOnly, _) => Deny,
        (Profile::Recommended, Class::Write) if rights => Approve(FEW),
        (Profile::Permissive, Class::Write) if rights => Limit(RUNS),
        (_, Class::Write) => Limit(CHANGES),
        (Profile::Recommended, Class::Execute | Class::Unknown) => Approve(RUNS),
        (Profile::Recommended, Class::Destructive) => Deny,
        (Profile::Recommended, Class::Financial) => Approve(FEW),
        (Profile::Permissive, Class::Execute | Class::Unknown) => Limit(RUNS),
        (Profile::Permissive, Class::Destructive | Class::Financial) => Approve(RUNS),
    }
}
