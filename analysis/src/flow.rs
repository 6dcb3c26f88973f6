//! What tools can do together: bring in what strangers wrote, read what is private, and send it away (clause R10).
//!
//! In: the risks of all tools that one agent has. Out: at most one [`Flow`], with the rules that cut it. Must not look at definitions.
//!
//! ```
//! use callgate_analysis::flow;
//! use callgate_analysis::risk::{Options, classify};
//! use serde_json::json;
//!
//! let web = classify("web", &[json!({"name": "fetch_page", "description": "Fetches a web page."})], &Options::new());
//! let mail = [json!({"name": "list_contacts"}), json!({"name": "send_message"})];
//! let mail = classify("mail", &mail, &Options::new());
//! let flow = flow::toxic(web.iter().chain(&mail)).expect("all three");
//! assert_eq!(flow.servers, ["mail", "web"]);
//! assert!(flow.policy.ends_with("tools:\n  send_message: {rules: [{action: require_approval}]}\n"));
//! ```

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use callgate::__text::is_invisible;

use crate::risk::{Class, Label, Risk};

/// Tools of a leg that are named.
const NAMED: usize = 5;
/// Characters of a name that a policy is written for: the protocol has no more.
const NAME: usize = 128;

/// The name of the finding, as it is written in results.
pub const CODE: &str = "toxic_flow";

/// Tools that together bring in, read and send. Clause R10.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The servers that have these tools, sorted.
    pub servers: Vec<String>,
    /// What brings in, what reads, and what sends.
    pub legs: [Leg; 3],
    /// A policy's `tools`, as YAML, that asks a person about each call that sends. Clause R10.2.
    pub policy: String,
}

/// The tools of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The label that they have.
    pub label: Label,
    /// How many there are.
    pub count: usize,
    /// The first of them, each with its server: `(server, tool)`.
    pub tools: Vec<(String, String)>,
}

impl Leg {
    fn new(label: Label) -> Self {
        Self { label, count: 0, tools: Vec::new() }
    }

    /// `, …` where not all are named.
    pub const fn rest(&self) -> &'static str {
        if self.count > self.tools.len() { ", …" } else { "" }
    }

    fn add(&mut self, risk: &Risk) {
        self.count = self.count.saturating_add(1);
        if self.tools.len() < NAMED {
            self.tools.push((risk.server.clone(), risk.name.clone()));
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [brings, reads, sends] = self.legs.each_ref().map(|leg| leg.count);
        write!(
            formatter,
            "what strangers wrote ({brings} of the tools bring it in) can make the model read private data ({reads}) and send it away ({sends})"
        )
    }
}

/// The flow through these tools, if they have all three legs.
pub fn toxic<'r>(risks: impl IntoIterator<Item = &'r Risk>) -> Option<Flow> {
    let mut legs = [Label::UntrustedInput, Label::PrivateData, Label::Outbound].map(Leg::new);
    let mut servers = BTreeSet::new();
    let (mut sending, mut unnamed) = (BTreeSet::new(), 0_usize);
    for risk in risks {
        let [brings, reads, sends] = &mut legs;
        let mut take = |leg: &mut Leg| {
            leg.add(risk);
            servers.insert(risk.server.clone());
        };
        if answers(risk) && risk.labels.contains(&Label::UntrustedInput) {
            take(brings);
        }
        if answers(risk)
            && (risk.labels.contains(&Label::PrivateData) || risk.labels.contains(&Label::Credentials))
        {
            take(reads);
        }
        if risk.labels.contains(&Label::Outbound) {
            take(sends);
            if risk.name.is_empty() || risk.name.chars().count() > NAME {
                unnamed = unnamed.saturating_add(1);
            } else {
                sending.insert(&*risk.name);
            }
        }
    }
    if legs.iter().any(|leg| leg.count == 0) {
        return None;
    }
    Some(Flow { servers: servers.into_iter().collect(), legs, policy: policy(&sending, unnamed) })
}

/// Whether what the tool finds comes back to the model. The answer of what writes says that it was done.
fn answers(risk: &Risk) -> bool {
    matches!(risk.class, Class::Read | Class::Execute | Class::Unknown)
}

/// Clause R10.2.
fn policy(sending: &BTreeSet<&str>, unnamed: usize) -> String {
    let mut text =
        String::from("# Asks a person about each call of a tool that sends something to others.\n");
    if unnamed > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# Left out, as their names are empty or too long: {unnamed}. Deny what is not named."
        );
    }
    text.push_str("tools:\n");
    for name in sending {
        let _ = writeln!(text, "  {}: {{rules: [{{action: require_approval}}]}}", key(name));
    }
    text
}

/// A name as a key that matches this name alone, in YAML of one line.
fn key(name: &str) -> String {
    let mut exact = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '*' | '?' | '[' | '{' | '}' => exact.extend(['[', c, ']']),
            c => exact.push(c),
        }
    }
    // As keys these two would mean all tools.
    if matches!(name, "all_tools" | "_global") {
        let last = exact.pop().map(|c| format!("[{c}]")).unwrap_or_default();
        exact.push_str(&last);
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    // Shorter words may mean something else to YAML, such as `no`.
    let is_plain =
        exact.starts_with(|c: char| c.is_ascii_alphabetic()) && exact.chars().all(is_word) && exact.len() > 5;
    if is_plain {
        return exact;
    }
    let mut quoted = String::from('"');
    for c in exact.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric() && !is_invisible(c) => {
                quoted.push(c)
            }
            c => _ = write!(quoted, "\\U{:08X}", u32::from(c)),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
