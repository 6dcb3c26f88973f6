//! The audit record: the decision with who called and what the arguments were, but never their values (spec 10.8).

use std::ops::ControlFlow;

use super::Decision;
use super::json::optional_string;
use crate::budget::Budget;
use crate::call::Call;
use crate::canonical::{ArgsHash, canonical};
use crate::identity::Identity;
use crate::json_text::write_string;
use crate::view::{Kind, View};

/// What to log of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    call: AuditedCall,
    decision: String,
}

/// What a record says of a call beside the decision: for hosts that read a call before they know its decision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditedCall {
    identity: Option<String>,
    keys: Vec<String>,
    hash: Option<String>,
}

impl AuditRecord {
    /// The identity's id, if it has one.
    pub fn identity(&self) -> Option<&str> {
        self.call.identity()
    }

    /// The names of the arguments, sorted.
    pub fn keys(&self) -> &[String] {
        self.call.keys()
    }

    /// The digest of the arguments, if it was asked for: `sha256:…` or `hmac-sha256:…`.
    pub fn hash(&self) -> Option<&str> {
        self.call.hash()
    }

    /// The record as JSON, the same in every language (spec 10.8).
    pub fn to_json(&self) -> String {
        let mut out = format!("{{\"decision\":{},\"identity\":", self.decision);
        optional_string(&mut out, self.identity());
        out.push_str(",\"args\":{\"keys\":[");
        for (index, key) in self.keys().iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            let _ = write_string(&mut out, key);
        }
        out.push_str("],\"hash\":");
        optional_string(&mut out, self.hash());
        out.push_str("}}");
        out
    }
}

impl Decision<'_> {
    /// The record of this decision about `call`.
    pub fn audit<A: View, I: View>(&self, call: &Call<'_, A, I>, hash: ArgsHash<'_>) -> AuditRecord {
        self.audit_of(AuditedCall::new(call, hash))
    }

    /// [`Decision::audit`] of a call that was read before.
    pub fn audit_of(&self, call: AuditedCall) -> AuditRecord {
        AuditRecord { call, decision: self.to_json() }
    }
}

impl AuditedCall {
    /// Reads the call as far as a record shows it.
    pub fn new<A: View, I: View>(call: &Call<'_, A, I>, hash: ArgsHash<'_>) -> Self {
        let identity = match &call.identity {
            Identity::Absent => None,
            Identity::Id(id) => Some((*id).to_owned()),
            Identity::Claims(claims) if matches!(claims.kind(), Ok(Kind::Object)) => {
                claims.member("id").ok().flatten().and_then(|id| match id.kind() {
                    Ok(Kind::String(id)) => Some(id.into_owned()),
                    _ => None,
                })
            }
            Identity::Claims(_) => None,
        };
        let is_object = |args: &&A| matches!(args.kind(), Ok(Kind::Object));
        let text = match &call.args {
            None => Some("{}".to_owned()),
            Some(args) => {
                Some(args).filter(is_object).and_then(|args| canonical(args, &Budget::without_end()).ok())
            }
        };
        let mut keys = Vec::new();
        if let (Some(args), true) = (&call.args, text.is_some()) {
            // What has a canonical form was read whole just before.
            let _ = args.members(|name, _| {
                keys.push(name.to_owned());
                ControlFlow::Continue(())
            });
            keys.sort();
        }
        let hash = text.and_then(|text| hash.of(&text));
        Self { identity, keys, hash }
    }

    /// The identity's id, if it has one.
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// The names of the arguments, sorted.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The digest of the arguments, if it was asked for: `sha256:…` or `hmac-sha256:…`.
    pub fn hash(&self) -> Option<&str> {
        self.hash.as_deref()
    }
}
