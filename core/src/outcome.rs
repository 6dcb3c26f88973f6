//! How a call ended: what a host says once, so that its charges can be given back (spec 8.13).

use std::fmt;
use std::str::FromStr;

use crate::parse::ParseError;

/// How a call that was allowed ended (spec 8.13).
///
/// ```
/// use callgate::Outcome;
/// assert_eq!("timed_out".parse(), Ok(Outcome::TimedOut));
/// assert_eq!(Outcome::NotRun.to_string(), "not_run");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It provably never reached its tool. All of its charges are given back.
    NotRun,
    /// The tool answered.
    Done,
    /// The tool answered that it failed: a result with `isError`.
    ToolError,
    /// A protocol error was the answer.
    Error,
    /// The client cancelled it.
    Cancelled,
    /// The host waited no longer.
    TimedOut,
    /// The connection ended before there was an answer.
    Lost,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 7] =
        [Self::NotRun, Self::Done, Self::ToolError, Self::Error, Self::Cancelled, Self::TimedOut, Self::Lost];

    /// `not_run`, `done`, `tool_error`, `error`, `cancelled`, `timed_out` or `lost`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotRun => "not_run",
            Self::Done => "done",
            Self::ToolError => "tool_error",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text).ok_or(ParseError(
            "an outcome is `not_run`, `done`, `tool_error`, `error`, `cancelled`, `timed_out` or `lost`",
        ))
    }
}
