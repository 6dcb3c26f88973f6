//! The rules of a SARIF log: severities of tools, and codes of findings.
//!
//! In: a rule's id. Out: what it is about, and what to do. Ids are stable: people close alerts by them.

use callgate_analysis::risk::Severity;
use serde_json::{Value, json};

/// What a result may be about.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: &'static str,
    /// One of SARIF's levels.
    pub(super) level: &'static str,
    /// One sentence.
    about: &'static str,
    /// What to do.
    help: &'static str,
}

const fn rule(id: &'static str, level: &'static str, about: &'static str, help: &'static str) -> Rule {
    Rule { id, level, about, help }
}

/// All rules.
pub(super) const RULES: &[Rule] = &[
    rule(
        "severity_medium",
        "note",
        "One call changes what can be changed back, or shows what belongs to somebody.",
        "Limit how often a caller may use the tool, and check its arguments.",
    ),
    rule(
        "severity_high",
        "warning",
        "One call runs something, takes something away, or shows a secret; or too little says what it does.",
        "Ask a person to approve calls of the tool, or deny it.",
    ),
    rule(
        "severity_critical",
        "error",
        "One call moves money, hands out keys or rights, or takes many things away.",
        "Deny the tool, or ask a person to approve each call and cap its amounts.",
    ),
    rule(
        "bad_name",
        "warning",
        "The name has other characters than letters, digits, `_`, `.` and `-`, none, or more than 128.",
        "Clients may refuse or change such a name. Ask the server's author for another one.",
    ),
    rule(
        "hidden_characters",
        "error",
        "A text of the definition has characters that are not drawn, or that reorder others.",
        "A person cannot see all that a model reads. Read the text with its characters escaped before you use the tool.",
    ),
    rule(
        "same_name",
        "warning",
        "The same name stands twice on a server, or on two servers.",
        "A client may call the other one. Rename one of them, or use one of the servers.",
    ),
    rule(
        "look_alike",
        "warning",
        "Another tool's name looks the same.",
        "A person may approve the wrong one. Make sure which server each belongs to.",
    ),
    rule(
        "contradicting_hint",
        "warning",
        "A hint of the server says less than the rest of the definition.",
        "Trust neither. Let a policy go by the class, not by the hint.",
    ),
    rule(
        "prompt_injection",
        "error",
        "A text of the definition gives the model orders, against its user or about other tools.",
        "Read the definition as a whole before you use the server. Ask its author what the text is for.",
    ),
    rule(
        "shadowing",
        "warning",
        "A text names a tool that another server has, and its own has not.",
        "It may change how the model uses that tool. Read the text, and use the servers apart.",
    ),
    rule(
        "toxic_flow",
        "error",
        "Tools together bring in what strangers wrote, read what is private, and send something to others.",
        "Put the rules that the message ends with into a policy, or use the servers apart.",
    ),
    rule(
        "several_tools",
        "warning",
        "An argument chooses between things of different classes.",
        "Write a rule with a condition on that argument.",
    ),
];

/// The rule of a severity; a tool of low severity is no result.
pub(super) const fn id_of(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::Low => None,
        Severity::Medium => Some("severity_medium"),
        Severity::High => Some("severity_high"),
        Severity::Critical => Some("severity_critical"),
    }
}

/// A rule by its id, and its place among all.
pub(super) fn find(id: &str) -> Option<(usize, &'static Rule)> {
    RULES.iter().enumerate().find(|(_, rule)| rule.id == id)
}

/// A rule as SARIF has it.
pub(super) fn to_value(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": {"text": rule.about},
        "fullDescription": {"text": rule.about},
        "help": {"text": rule.help},
        "defaultConfiguration": {"level": rule.level},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_severity_and_each_code_of_the_schema_has_a_rule() {
        let schema: Value = serde_json::from_str(include_str!("../../../scan.schema.json")).unwrap();
        let codes = &schema["$defs"]["tool"]["properties"]["findings"]["items"]["properties"]["code"]["enum"];
        let together = &schema["$defs"]["flow"]["properties"]["code"]["enum"];
        let codes = [codes, together].into_iter().flat_map(|codes| codes.as_array().unwrap());
        let mut wanted: Vec<&str> = codes.map(|code| code.as_str().unwrap()).collect();
        for severity in [Severity::Low, Severity::Medium, Severity::High, Severity::Critical] {
            wanted.extend(id_of(severity).iter());
        }
        for id in &wanted {
            assert!(find(id).is_some(), "{id}");
        }
        for rule in RULES {
            assert!(wanted.contains(&rule.id), "{}", rule.id);
            assert!(["note", "warning", "error"].contains(&rule.level));
            // A link in brackets would be one to SARIF, and addresses grow old.
            assert!(!rule.help.contains(['[', ']']) && !rule.about.contains("://"), "{}", rule.id);
        }
    }
}
