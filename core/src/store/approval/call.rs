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
    /// How often an approval may let it through.
    pub uses: u32,
    /// For how many seconds an approval lets it through, where the rules say so.
    pub valid_for: Option<u64>,
    /// The paths that an approval does not cover.
    pub ignored: Vec<String>,
    /// Of each rule that names who may approve, those names.
    pub approvers: Vec<Vec<String>>,
}

impl ApprovalCall {
    /// The call that `decision` is about; `None` where it asks for no approval. `server` is the host's name for the server, `caller`
    /// the identity's id.
    pub fn new(decision: &Decision<'_>, server: &str, caller: Option<&str>) -> Option<Self> {
        let approval = decision.approval()?;
        let lists = approval.rules().map(|rule| rule.approvers()).filter(|names| !names.is_empty());
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
            uses: approval.uses(),
            valid_for: approval.valid_for().map(|span| span.as_secs()),
            ignored: approval.ignored().iter().map(|path| path.to_string()).collect(),
            // Of all rules, not only of those that are named: nobody may answer whom one of them does not name.
            approvers: lists.map(|names| names.iter().map(|name| name.to_string()).collect()).collect(),
        })
    }

    /// Who may approve: those whom every rule names that names somebody. `None` for anybody; empty for nobody alone.
    pub fn may_approve(&self) -> Option<Vec<&str>> {
        let (first, others) = self.approvers.split_first()?;
        let by_all = |name: &&String| others.iter().all(|names| names.contains(name));
        Some(first.iter().filter(by_all).map(String::as_str).collect())
    }

    /// Under what a store files it: the key and the server. No two calls that differ in either have the same.
    pub fn place(&self) -> String {
        format!("{} {} {}", self.key.len(), self.key, self.server)
    }

    /// As a store keeps it: JSON.
    pub fn to_text(&self) -> String {
        let Self { key, server, method, tool, caller, rules, policy, uses, valid_for, ignored, approvers } =
            self;
        json!({
            "key": key, "server": server, "method": method, "tool": tool, "caller": caller, "rules": rules, "policy": policy,
            "uses": uses, "valid_for": valid_for, "ignored": ignored, "approvers": approvers,
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
        // What an earlier version filed has no terms. What is there must be read: nobody answers in place of those who are named.
        let strings = |list: &Value| -> Option<Vec<String>> {
            list.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        Some(Self {
            key: text("key")?,
            server: text("server")?,
            method: text("method")?,
            tool: optional("tool")?,
            caller: optional("caller")?,
            rules: rules.map(|rule| rule.as_str().map(str::to_owned)).collect::<Option<_>>()?,
            policy: text("policy")?,
            valid_for: match read.get("valid_for") {
                None | Some(Value::Null) => None,
                Some(seconds) => Some(seconds.as_u64()?),
            },
            ignored: read.get("ignored").map_or_else(|| Some(Vec::new()), strings)?,
            approvers: match read.get("approvers") {
                None => Vec::new(),
                Some(lists) => lists.as_array()?.iter().map(strings).collect::<Option<_>>()?,
            },
            // A call that was filed before it could say so has one.
            uses: read.get("uses").map_or(Some(1), |uses| u32::try_from(uses.as_u64()?).ok())?,
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
    fn the_terms_of_its_rules_come_along() {
        let policy: Policy = "{version: '1', default: deny, tools: {pay: {rules: [
            {action: require_approval, approval: {uses: 3, valid_for: 5m, ignore: [args.note], approvers: [ann, bob]}},
            {action: require_approval, approval: {uses: 9, ignore: [args.note], approvers: [bob, eve]}}]}}}"
            .parse()
            .unwrap();
        let call =
            ApprovalCall::new(&Engine::new(policy).decide(&Call::without_args("pay")), "bank", None).unwrap();
        assert_eq!(
            (call.uses, call.valid_for, &*call.ignored),
            (3, Some(300), &["args.note".to_owned()][..])
        );
        assert_eq!(call.may_approve(), Some(vec!["bob"]));
        let text = call.to_text();
        assert_eq!(
            ApprovalCall::from_text(&text.replace("bob", "eva")).unwrap().may_approve(),
            Some(vec!["eva"])
        );
        assert_eq!(ApprovalCall::from_text(&text.replace("[\"ann\"", "[1")), None);
        assert_eq!(ApprovalCall::from_text(&text), Some(call));
        let plain = asked("bank", "alice");
        assert_eq!((plain.uses, plain.valid_for, plain.may_approve()), (1, None, None));
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
