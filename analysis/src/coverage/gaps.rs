//! Why a point is not covered.
//!
//! In: what a group had, and the calls of its entry. Out: one reason, the most frequent.

use std::fmt;

use super::group::Group;
use super::kinds::{Branch, Kind};
use super::record::Counts;

/// Why a point is not covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// No test makes a call that it is about.
    NotCalled(Kind),
    /// Calls reached it, and it always had other outcomes.
    OneSided {
        /// How many outcomes it had.
        calls: u64,
        /// Which: the most frequent first, each with how often.
        always: Vec<(Branch, u64)>,
    },
    /// Something that comes before it decided the calls.
    DecidedEarlier {
        /// What did most often: a rule's pointer, or a code where no rule decided.
        by: String,
        /// How many calls that decided.
        times: u64,
        /// All calls of the entry.
        calls: u64,
    },
    /// Another condition of the same rule settled the calls before it.
    Settled {
        /// How many calls were settled.
        times: u64,
        /// All calls of the entry.
        calls: u64,
    },
    /// Calls reached it and charged nothing: they were only explained, or their amount was 0.
    NothingCharged {
        /// How many.
        calls: u64,
    },
}

impl Gap {
    /// Why a branch of a group is not covered. `calls`: those of its entry; for a name or the default, those that something decided before it.
    pub(super) fn of(group: &Group, counts: &Counts, calls: u64) -> Self {
        let other = group.branches.iter().zip(&counts.branches);
        let mut always: Vec<(Branch, u64)> = other
            .filter(|(_, count)| count.count > 0)
            .map(|(branch, count)| (*branch, count.count))
            .collect();
        always.sort_by_key(|(branch, count)| (std::cmp::Reverse(*count), *branch));
        let earlier = counts.decided.iter().max_by_key(|(by, times)| (**times, std::cmp::Reverse(*by)));
        let times = earlier.map_or(0, |(_, times)| *times);
        match earlier {
            _ if !always.is_empty() => {
                let calls = always.iter().fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
                Self::OneSided { calls, always }
            }
            // What pays into a budget was charged, and the budget itself has no such outcome.
            _ if counts.paid > 0 => {
                Self::OneSided { calls: counts.paid, always: vec![(Branch::Charged, counts.paid)] }
            }
            _ if calls == 0 => Self::NotCalled(group.kind),
            _ if counts.uncharged > 0 && counts.uncharged >= times => {
                Self::NothingCharged { calls: counts.uncharged }
            }
            Some((by, times)) if *times > counts.settled => {
                Self::DecidedEarlier { by: by.clone(), times: *times, calls }
            }
            _ => Self::Settled { times: counts.settled, calls },
        }
    }

    /// The word for it, as in JSON.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotCalled(_) => "not_called",
            Self::OneSided { .. } => "one_sided",
            Self::DecidedEarlier { .. } => "decided_earlier",
            Self::Settled { .. } => "settled",
            Self::NothingCharged { .. } => "nothing_charged",
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCalled(Kind::Hide) => f.write_str("no test calls a tool of this name"),
            Self::NotCalled(Kind::Default) => f.write_str("no test calls a tool that is not listed"),
            Self::NotCalled(Kind::Budget) => f.write_str("no test pays into it"),
            Self::NotCalled(_) => f.write_str("no test calls a tool of this entry"),
            Self::OneSided { calls, always } => {
                let others =
                    always.iter().map(|(branch, _)| branch.as_str()).collect::<Vec<_>>().join(" or ");
                write!(f, "reached in {}, always {others}", Calls(*calls))
            }
            Self::DecidedEarlier { by, times, calls } if !by.starts_with('/') => {
                write!(f, "not reached in {}: {by}", Part(*times, *calls))
            }
            Self::DecidedEarlier { by, times, calls } => {
                write!(f, "another rule decided in {}: {by}", Part(*times, *calls))
            }
            Self::Settled { times, calls } => write!(f, "settled before it in {}", Part(*times, *calls)),
            Self::NothingCharged { calls } => write!(f, "reached in {} that charged nothing", Calls(*calls)),
        }
    }
}

/// `1 call`, `2 calls`.
struct Calls(u64);

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "call" } else { "calls" })
    }
}

/// `all 2 calls`, `1 of 2 calls`.
struct Part(u64, u64);

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(1, 1) => f.write_str("the only call"),
            Self(times, calls) if times == calls => write!(f, "all {}", Calls(*calls)),
            Self(times, calls) => write!(f, "{times} of {}", Calls(*calls)),
        }
    }
}
