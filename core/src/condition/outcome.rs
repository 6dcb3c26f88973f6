//! The three outcomes of a condition and how they combine: Kleene's strong logic (spec 5.4).

use std::ops::Not;

/// The outcome of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub(crate) enum Outcome {
    /// It is true.
    Holds,
    /// It is false.
    Fails,
    /// It cannot be decided: a value is absent or of the wrong type. Never lets a call through.
    Unknown,
}

impl From<bool> for Outcome {
    #[inline]
    fn from(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

impl Not for Outcome {
    type Output = Self;

    #[inline]
    fn not(self) -> Self {
        match self {
            Self::Holds => Self::Fails,
            Self::Fails => Self::Holds,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// How the outcomes of several conditions, or of several elements, become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    All,
    Any,
}

impl Quantifier {
    /// The outcome of an empty list.
    pub(crate) const fn of_none(self) -> Outcome {
        match self {
            Self::All => Outcome::Holds,
            Self::Any => Outcome::Fails,
        }
    }

    /// The outcome that settles the whole: what follows need not be tried.
    pub(crate) const fn settled_by(self) -> Outcome {
        match self {
            Self::All => Outcome::Fails,
            Self::Any => Outcome::Holds,
        }
    }

    pub(crate) const fn flipped(self) -> Self {
        match self {
            Self::All => Self::Any,
            Self::Any => Self::All,
        }
    }

    /// Adds one more outcome to what came before.
    #[inline]
    pub(crate) fn with(self, before: Outcome, next: Outcome) -> Outcome {
        let settled = self.settled_by();
        if before == settled || next == settled {
            settled
        } else if before == Outcome::Unknown || next == Outcome::Unknown {
            Outcome::Unknown
        } else {
            before
        }
    }
}

/// Where a condition stands: what an absent value means there (spec 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// `require`, and rules with `evaluate` or `allow`.
    Permit,
    /// `deny_if`, and rules with `deny` or `require_approval`.
    Block,
    /// `when`: whether a limit applies (spec 2.21).
    Limit,
}

impl Place {
    /// The outcome that is not against the call: by it, a limit does not apply.
    #[inline]
    pub(crate) const fn passing(self) -> Outcome {
        match self {
            Self::Permit => Outcome::Holds,
            Self::Block | Self::Limit => Outcome::Fails,
        }
    }

    /// How a path with `[*]` stands for its elements before any `not` (spec 5.6).
    pub(crate) const fn quantifier(self) -> Quantifier {
        match self {
            Self::Permit => Quantifier::All,
            Self::Block | Self::Limit => Quantifier::Any,
        }
    }
}
