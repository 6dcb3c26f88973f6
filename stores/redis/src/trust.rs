//! The examination of a server: it must not evict counters, and the user may run all that a charge needs (pure).
//!
//! In: the server's replies, one after the other. Out: the next command, or why the server is refused. Each connection is
//! examined for each namespace that uses it, and again from time to time: both can change while a server runs.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use redis::{Cmd, RedisResult, Value};

use crate::failure::{self, After, Failure, Next};
use crate::key::Keys;
use crate::reply::text;
use crate::script::Script;
use crate::{memory, permissions};

/// How long an examination holds. A change may go unnoticed for so long.
const TRUSTED: Duration = Duration::from_secs(10);

/// For which namespaces the server of a connection passed, and when. A user may be allowed one namespace and not the next.
#[derive(Default)]
pub(crate) struct Trust(HashMap<Keys, Instant>);

impl Trust {
    /// Whether the last examination for the namespace holds.
    pub(crate) fn holds(&self, keys: &Keys, now: Instant) -> bool {
        self.0.get(keys).is_some_and(|since| is_recent(*since, now))
    }

    /// The server passed for the namespace. What holds no more is forgotten, so that this does not grow with all namespaces.
    pub(crate) fn note(&mut self, keys: &Keys, now: Instant) {
        self.0.retain(|_, since| is_recent(*since, now));
        self.0.insert(keys.clone(), now);
    }
}

fn is_recent(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) <= TRUSTED
}

/// How far an examination has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trial {
    Memory,
    Permissions,
    /// The server does not know the script.
    Load,
    Again,
    Passed,
}

impl Trial {
    pub(crate) fn new() -> Self {
        Self::Memory
    }

    /// What to ask next; nothing once the server has passed.
    pub(crate) fn next(self, keys: &Keys) -> Option<Cmd> {
        match self {
            Self::Memory => Some(memory::command()),
            Self::Permissions | Self::Again => Some(permissions::request(keys).command()),
            Self::Load => Some(Script::Permissions.load()),
            Self::Passed => None,
        }
    }

    /// Learns from the reply.
    pub(crate) fn learn(&mut self, reply: RedisResult<Value>) -> Result<(), Failure> {
        let may_not_ask = reply.as_ref().is_err_and(failure::is_permission_missing);
        let reply = match (reply.map_err(|error| failure::next(&error)), *self) {
            (Ok(reply), _) => reply,
            (Err(Next::Load), Self::Permissions) => {
                *self = Self::Load;
                return Ok(());
            }
            // Another node has the counters, or they are not available at the moment: the call gets the same answer.
            (Err(Next::Follow(_)), Self::Permissions | Self::Again) => {
                *self = Self::Passed;
                return Ok(());
            }
            (Err(Next::Fail(failure)), Self::Permissions | Self::Again) if failure.after == After::Keep => {
                *self = Self::Passed;
                return Ok(());
            }
            // Other namespaces may use the connection. This one is examined again before its next call.
            (Err(Next::Fail(failure)), Self::Permissions | Self::Again) if may_not_ask => {
                return Err(Failure { after: After::Keep, ..failure });
            }
            (Err(Next::Fail(failure)), _) => return Err(failure),
            (Err(Next::Load | Next::Follow(_)), _) => return Err(failure::astray()),
        };
        *self = match self {
            Self::Memory => {
                let info = text(&reply).and_then(|info| std::str::from_utf8(info).ok()).unwrap_or_default();
                memory::check(info).map_err(|error| Failure { error, after: After::ReopenAll })?;
                Self::Permissions
            }
            Self::Load => Self::Again,
            Self::Permissions | Self::Again | Self::Passed => {
                permissions::check(&reply)?;
                Self::Passed
            }
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_one_namespaces_and_ends() {
        let [one, other] = ["one", "other"].map(|name| Keys::new(name).unwrap());
        let (mut trust, begun) = (Trust::default(), Instant::now());
        assert!(!trust.holds(&one, begun));
        trust.note(&one, begun);
        let later = begun + TRUSTED;
        assert!(trust.holds(&one, later) && !trust.holds(&other, later));
        let over = later + Duration::from_millis(1);
        assert!(!trust.holds(&one, over));
        trust.note(&other, over);
        assert_eq!(trust.0.len(), 1);
    }
}
