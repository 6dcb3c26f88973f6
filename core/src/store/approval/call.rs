//! What a list of waiting calls says of each (spec 7.7).
//!
//! In: a decision that asks for approval, and what the host knows beside it. Out: the same as one text for a store, and back. Must not
//! hold an argument's value.

use serde_json::{Value, json};

use super::args::cut;
use crate::decision::Decision;
use crate::json_text::hex;

/// Rules that are named, and bytes of each name: enough for a person. The key stands for all of them.
const RULES: usize = 16;
const RULE_BYTES: usize = 256;
/// Bytes of a caller's id, which may be of any length. Longer ones are cut.
const CALLER_BYTES: usize = 1_024;

/// A call that waits for approval, without its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApprovalCall {
    /// The approval key of the decision (spec 7.1).
    pub key: String,
    /// The server that would run it, by the host's name for it. The same call of another server is another call.
    pub server: String,
    /// The method: `tools/call`, or another (spec 3.10).
    pub method: String,
    /// The tool; `None` for another method.
    pub tool: Option<String>,
    /// The caller's id, if it has one.
    pub caller: Option<String>,
    /// The rules that ask, by their names or else their pointers; at most 16.
    pub rules: Vec<String>,
    /// `sha256:` and the digest of the policy in hex.
    pub policy: String,
}

impl ApprovalCall {
    /// The call that `decision` is about; `None` where it asks for no approval. `server` is the host's name for the server, `caller`
    /// the identity's id.
    pub fn new(decision: &Decision<'_>, server: &str, caller: Option<&str>) -> Option<Self> {
        let approval = decision.approval()?;
        let rules = approval.rules().take(RULES);
        let rules = rules.map(|rule| cut(rule.name().unwrap_or(rule.pointer()), RULE_BYTES).to_owned());
        Some(Self {
            key: approval.key().to_owned(),
            server: server.to_owned(),
            method: decision.method().to_owned(),
            tool: decision.tool().map(str::to_owned),
            caller: caller.map(|caller| cut(caller, CALLER_BYTES).to_owned()),
            rules: rules.collect(),
            policy: format!("sha256:{}", hex(decision.policy().digest())),
        })
    }

    /// Under what a store files it: the key and the server. No two calls that differ in either have the same.
    pub fn place(&self) -> String {
        format!("{} {} {}", self.key.len(), self.key, self.server)
    }

    /// As a store keeps it: JSON.
    pub fn to_text(&self) -> String {
        let Self { key, server, method, tool, caller, rules, policy } = self;
        json!({
            "key": key, "server": server, "method": method, "tool": tool, "caller": caller, "rules": rules, "policy": policy,
        })
        .to_string()
    }

    /// Reads what [`ApprovalCall::to_text`] wrote; `None` for anything else. Members that it does not know are passed over.
    pub fn from_text(text: &str) -> Option<Self> {
        let read: Value = serde_json::from_str(text).ok()?;
        let text = |name: &str| read.get(name)?.as_str().map(str::to_owned);
        let optional = |name: &str| match read.get(name)? {
            Value::Null => Some(None),
            Value::String(text) => Some(Some(text.clone())),
            _ => None,
        };
        let rules = read.get("rules")?.as_array()?.iter();
        Some(Self {
            key: text("key")?,
            server: text("server")?,
            method: text("method")?,
            tool: optional("tool")?,
            caller: optional("caller")?,
            rules: rules.map(|rule| rule.as_str().map(str::to_owned)).collect::<Option<_>>()?,
            policy: text("policy")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, Engine, Identity, Policy};

    fn asked(server: &str, caller: &str) -> ApprovalCall {
        let policy: Policy = "{version: '1', default: deny, tools: {pay: {rules: [{action: require_approval, name: big}, {action: require_approval}]}}}"
            .parse()
            .unwrap();
        let engine = Engine::new(policy);
        let call = Call::without_args("pay").identity(Identity::new(caller));
        ApprovalCall::new(&engine.decide(&call), server, Some(caller)).unwrap()
    }

    #[test]
    fn a_call_is_what_its_decision_asks_for() {
        let call = asked("bank", "alice");
        assert_eq!(call.rules, ["big", "/tools/pay/rules/1"]);
        assert_eq!((call.tool.as_deref(), &*call.method), (Some("pay"), "tools/call"));
        assert!(call.key.starts_with("ak1:") && call.policy.starts_with("sha256:"), "{call:?}");
        assert_eq!(ApprovalCall::from_text(&call.to_text()), Some(call));
        let policy: Policy = "{version: '1', default: allow}".parse().unwrap();
        let engine = Engine::new(policy);
        assert_eq!(ApprovalCall::new(&engine.decide(&Call::without_args("pay")), "bank", None), None);
    }

    #[test]
    fn another_call_or_server_has_another_place() {
        assert_ne!(asked("bank", "alice").place(), asked("bank", "bob").place());
        assert_ne!(asked("bank", "alice").place(), asked("bank2", "alice").place());
        let one = ApprovalCall { key: "a b".into(), server: "c".into(), ..asked("x", "y") };
        let other = ApprovalCall { key: "a".into(), server: "b c".into(), ..asked("x", "y") };
        assert_ne!(one.place(), other.place());
    }

    #[test]
    fn what_is_no_call_is_not_read() {
        let good = asked("bank", &"é".repeat(2_000));
        assert_eq!(good.caller.as_ref().map(String::len), Some(1_024));
        let text = good.to_text();
        let extended = text.replacen('{', "{\"later\":[1],", 1);
        assert_eq!(ApprovalCall::from_text(&extended), Some(good));
        for wrong in ["", "[]", "{}", &text.replace("\"bank\"", "1"), &text.replace("[\"big\"", "[1")] {
            assert_eq!(ApprovalCall::from_text(wrong), None, "{wrong}");
        }
    }
}
