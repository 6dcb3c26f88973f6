//! What a policy needs that this server or these callers do not have (G4.6, G8.4).
//!
//! In: the policy in force, the server's tools, a caller. Out: warnings in the host's log, each once; whether a call may be decided at all.
//! Must not decide.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use callgate::{CallerNeed, Engine};
use serde_json::Value;

use crate::call::Caller;
use crate::refusal::Unchecked;

/// What becomes of a policy with names that the server does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unmatched {
    /// The host's log has a warning of each, once.
    #[default]
    Warn,
    /// As long as there is one, every call of a tool is refused, too.
    Refuse,
}

/// What was said, over all connections of a guard.
#[derive(Debug, Default)]
pub(crate) struct Told {
    warnings: Mutex<BTreeSet<String>>,
    /// The policies whose callers were looked at: over HTTP, and where there are no sessions.
    looked_at: Mutex<BTreeSet<([u8; 32], bool, bool)>>,
}

impl Told {
    fn say(&self, warning: String) {
        if self.warnings.lock().unwrap_or_else(PoisonError::into_inner).insert(warning.clone()) {
            tracing::warn!(target: "callgate", "policy: {warning}");
        }
    }

    /// The server has these tools, and no others.
    pub(crate) fn listed(&self, engine: &Engine, tools: &[String]) {
        for name in engine.policy().unmatched(tools.iter().map(String::as_str)) {
            self.say(name.to_string());
        }
    }

    /// Warns of rules that need to know more of callers than this one tells. `nobody` where no host says who calls, over a transport that many
    /// can reach; `sessionless` where the protocol has no sessions.
    pub(crate) fn called(&self, caller: &Caller, nobody: bool, sessionless: bool) {
        let has_session =
            caller.identity.as_ref().and_then(|claims| claims.get("session")).is_some_and(Value::is_string);
        let sessionless = sessionless && !has_session;
        if !nobody && !sessionless {
            return;
        }
        let policy = caller.engine.policy();
        let looked_at = (*policy.digest(), nobody, sessionless);
        if !self.looked_at.lock().unwrap_or_else(PoisonError::into_inner).insert(looked_at) {
            return;
        }
        for need in caller.engine.identity_needs() {
            if nobody || need.needs == CallerNeed::Session {
                self.say(format!("{need}: {}", need.needs.help()));
            }
        }
    }
}

/// Refuses to decide by a policy with names that the server does not have.
pub(crate) fn refuse_unmatched(engine: &Arc<Engine>, tools: &[String]) -> Result<(), Unchecked> {
    match engine.policy().unmatched(tools.iter().map(String::as_str)).first() {
        Some(name) => Err(Unchecked(name.to_string())),
        None => Ok(()),
    }
}
