//! Decisions (section 10).

use crate::counters::Taken;
use crate::policy::Item;

/// A decision (clause 10.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// `allow`, `deny` or `require_approval`.
    pub effect: &'static str,
    /// Clause 10.2.
    pub code: &'static str,
    /// Clause 10.5. Why arguments are not valid is the engine's to say: then the message ends with a colon.
    pub message: Option<String>,
    /// The reported rule's name.
    pub rule_name: Option<String>,
    /// The reported rule's JSON Pointer.
    pub rule: Option<String>,
    /// Clause 10.4.
    pub counters: Vec<CounterUse>,
    /// Clause 8.9.
    pub retry_after: Option<i64>,
    /// Stands for the approval key: equal for two calls exactly when the engine's keys must be.
    pub approval_key: Option<String>,
    /// The name and the JSON Pointer of each rule that asks for approval.
    pub askers: Vec<(Option<String>, String)>,
    pub(crate) taken: Vec<Taken>,
}

/// A counter in a decision (clause 10.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterUse {
    /// The key of its entry; none for `all_tools`.
    pub entry: Option<String>,
    /// Its name.
    pub counter: String,
    /// The kind of its scope.
    pub scope: String,
    /// Its window.
    pub window: String,
    /// What was charged.
    pub charged: Option<String>,
    /// What it holds.
    pub used: String,
    /// Its maximum.
    pub max: Option<String>,
    /// When it holds nothing any more.
    pub resets_at: String,
}

/// Clause 10.5: a rule's name, else its pointer.
pub(crate) fn label(item: &Item) -> &str {
    item.name.as_deref().unwrap_or(&item.pointer)
}

pub(crate) fn named(item: &Item) -> (Option<String>, String) {
    (item.name.clone(), item.pointer.clone())
}

/// A decision that reports a rule. Clause 10.5: `on_deny` speaks for some codes only.
pub(crate) fn about(item: &Item, effect: &'static str, code: &'static str) -> Decision {
    let speaks = matches!(code, "condition_failed" | "denied" | "limit_exceeded" | "approval_required");
    let message = match &item.on_deny {
        Some(text) if speaks => text.clone(),
        _ if code == "approval_required" => format!("Rule \"{}\" needs approval", label(item)),
        _ => format!("Denied by rule \"{}\"", label(item)),
    };
    Decision {
        effect,
        code,
        message: Some(message),
        rule_name: item.name.clone(),
        rule: Some(item.pointer.clone()),
        ..Decision::default()
    }
}
