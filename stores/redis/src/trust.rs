//! The examination of a server: it must not evict counters, and the user may run all that a charge needs (pure).
//!
//! In: the server's replies, one after the other. Out: the next command, or why the server is refused. Each connection is
//! examined when it is made, and again from time to time: both can change while a server runs.

use std::time::Duration;

use redis::{Cmd, RedisResult, Value};

use crate::failure::{self, After, Failure, Next};
use crate::key::Keys;
use crate::reply::text;
use crate::script::Script;
use crate::{memory, permissions};

/// How long an examination holds. A change may go unnoticed for so long.
pub(crate) const TRUSTED: Duration = Duration::from_secs(10);

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
