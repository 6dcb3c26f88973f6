//! Decisions (section 10).

use crate::approval::Asking;
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
    /// The name of the reported rule's policy.
    pub layer: Option<String>,
    /// The reported rule's name.
    pub rule_name: Option<String>,
    /// The reported rule's JSON Pointer.
    pub rule: Option<String>,
    /// Clause 10.4.
    pub counters: Vec<CounterUse>,
    /// Clause 8.9.
    pub retry_after: Option<i64>,
    /// The name of the inner tool (clause 3.11).
    pub inner: Option<String>,
    /// Where the effect is `require_approval`.
    pub approval: Option<Wanted>,
    pub(crate) taken: Vec<Taken>,
    /// The id of the approval that let it through.
    pub(crate) spent: Option<String>,
}

/// A counter in a decision (clause 10.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterUse {
    /// The key of its entry, or the method; none for `all_tools` and for a budget.
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
    /// The maximum that held.
    pub max: Option<String>,
    /// When it holds nothing any more; none where that never comes.
    pub resets_at: Option<String>,
    /// Its name, where it is a budget.
    pub budget: Option<String>,
}

/// What an approval would have to be (clause 10.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Stands for the key: equal for two calls exactly when the engine's keys must be.
    pub key: String,
    /// Each rule that asks or may ask.
    pub rules: Vec<WantedBy>,
    /// The paths that the approval does not cover.
    pub ignored: Vec<String>,
    /// For how many seconds it lets calls through.
    pub valid_for: Option<i64>,
    /// How many calls it lets through.
    pub uses: u64,
}

/// A rule that asks or may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedBy {
    /// The name of its policy.
    pub layer: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its JSON Pointer.
    pub pointer: String,
    /// Who may approve.
    pub approvers: Vec<String>,
}

/// Clause 10.5: a rule's name, else its pointer.
pub(crate) fn label(item: &Item) -> &str {
    item.name.as_deref().unwrap_or(&item.pointer)
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
        layer: item.layer.clone(),
        rule_name: item.name.clone(),
        rule: Some(item.pointer.clone()),
        ..Decision::default()
    }
}

/// Clause 10.3: a decision that a rule asks for approval.
pub(crate) fn wanted(item: &Item, asking: &Asking<'_>, code: &'static str) -> Decision {
    let mut decision = about(item, "require_approval", code);
    let items: Vec<&Item> = asking.items.iter().map(|matched| matched.item).collect();
    let quoted: Vec<String> = items.iter().map(|item| format!("\"{}\"", label(item))).collect();
    match (&quoted[..], code) {
        (_, "approval_spent") => {
            decision.message = Some(format!("The approval for rule \"{}\" was already used", label(item)));
        }
        ([rest @ .., last], _) if !rest.is_empty() && item.on_deny.is_none() => {
            decision.message = Some(format!("Rules {} and {last} need approval", rest.join(", ")));
        }
        _ => {}
    }
    let rule = |item: &&Item| WantedBy {
        layer: item.layer.clone(),
        name: item.name.clone(),
        pointer: item.pointer.clone(),
        approvers: item.terms.approvers.clone(),
    };
    decision.approval = Some(Wanted {
        key: asking.key.clone(),
        rules: items.iter().map(rule).collect(),
        ignored: asking.ignored.clone(),
        valid_for: asking.valid_for,
        uses: asking.uses,
    });
    decision
}
