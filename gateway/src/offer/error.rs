//! Why a server's tools cannot be listed.
//!
//! In: what went wrong. Out: sentences. Must not repeat a server's text as it is: it may steer a terminal.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use callgate::__text::is_invisible;

use super::ceilings::{self, QUOTED};
use super::tools::ToolsError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// Its process cannot be started.
    #[error("the server cannot be started: {0}")]
    Start(io::Error),
    /// It cannot be reached over HTTP.
    #[error("the server cannot be reached: {0}")]
    Reach(String),
    /// It refuses a request of HTTP.
    #[error("the server answers with HTTP status {}{}", .0, if matches!(.0, 401 | 403) { ": it asks who you are, by a header" } else { "" })]
    Status(u16),
    /// It ended, or closed its output, before it had answered.
    #[error("the server ended before it had listed its tools")]
    Closed,
    /// It took too long.
    #[error("the server did not list its tools within {:?}", .0)]
    TimeOut(Duration),
    /// One message is too long.
    #[error("a message of the server has more than {} bytes", ceilings::MESSAGE_BYTES)]
    LongMessage,
    /// All messages together are too long.
    #[error("the server said more than {} bytes", ceilings::BYTES)]
    Bytes,
    /// There are too many pages.
    #[error("the list of tools has more than {} pages", ceilings::PAGES)]
    Pages,
    /// A page leads to one that was read already.
    #[error("the list of tools never ends: two pages have the same `nextCursor`")]
    Circle,
    /// Something in the list is not as the protocol has it, or there is too much of it.
    #[error("{0}")]
    Tools(#[from] ToolsError),
    /// It refuses.
    #[error("the server answers `{method}` with error {code}: {message}")]
    Refused {
        /// What was asked.
        method: &'static str,
        /// The error's number.
        code: i64,
        /// What it says, cut and escaped.
        message: String,
    },
    /// It does not speak the protocol.
    #[error("the server's answer to `{method}` {what}")]
    Answer {
        /// What was asked.
        method: &'static str,
        /// What is wrong with the answer.
        what: String,
    },
    /// This process was asked to end, by the signal of this number.
    #[error("ended by signal {0}")]
    Signal(u8),
}

/// What went wrong, and what the server said on its standard error last.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct OfferFailure {
    /// What went wrong.
    pub error: OfferError,
    /// Its last words, escaped, a line each; empty if there are none.
    pub said: Vec<String>,
}

impl OfferFailure {
    pub(super) fn new(error: OfferError, said: &[u8]) -> Self {
        let said = String::from_utf8_lossy(said);
        let lines = said.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(quoted);
        Self { error, said: lines.collect() }
    }
}

impl From<OfferError> for OfferFailure {
    fn from(error: OfferError) -> Self {
        Self { error, said: Vec::new() }
    }
}

/// A server's text, escaped and cut.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::new();
    for (index, character) in text.chars().enumerate() {
        if index >= QUOTED {
            out.push('…');
            break;
        }
        if is_invisible(character) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}
