//! The entry of one tool, and the calls that show what it does.
//!
//! In: a definition and its risk. Out: rules as YAML, a call that they are about, and calls that they refuse. Decides nothing: what a rule
//! says is in `treatment`, `gates`, `amount` and `arguments`.

use serde_json::Value;

use super::treatment::{Rate, Treatment, treatment};
use super::{Options, amount, arguments, gates, yaml};
use crate::risk::{Class, Direction, Risk, Variants};

/// The list of an entry in which a rule stands. In the order in which they are written and decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Require,
    DenyIf,
    Limits,
    Rules,
}

impl List {
    const ALL: [Self; 4] = [Self::Require, Self::DenyIf, Self::Limits, Self::Rules];

    const fn name(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::DenyIf => "deny_if",
            Self::Limits => "limits",
            Self::Rules => "rules",
        }
    }
}

/// A rule or item.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) list: List,
    /// Unique in its entry.
    pub(super) name: String,
    /// Its other fields, a line each.
    pub(super) fields: Vec<String>,
    /// What an author has to know or to fill in, a line of a comment each.
    pub(super) notes: Vec<String>,
}

impl Item {
    pub(super) fn new(list: List, name: impl Into<String>, fields: impl Into<Vec<String>>) -> Self {
        Self { list, name: name.into(), fields: fields.into(), notes: Vec::new() }
    }

    /// What the agent is told.
    pub(super) fn told(mut self, message: &str) -> Self {
        self.fields.push(format!("on_deny: {}", yaml::quoted(message)));
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// Another call than the entry's own.
#[derive(Debug)]
pub(super) struct Case {
    /// Arguments by name, each as YAML, in place of those of the call.
    pub(super) with: Vec<(String, String)>,
    pub(super) expect: Expect,
    /// The rule that decides.
    pub(super) rule: String,
}

/// What must be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// A permit place that refuses.
    Failed,
    /// A block place that denies.
    Denied,
    /// A rule that asks, and lets an approved call through.
    Asked,
}

/// What becomes of the entry's own call.
#[derive(Debug)]
pub(super) enum Flow {
    Allowed,
    Limited(Rate),
    /// Asked by the rule [`APPROVAL`], and let through so often until this rule refuses.
    Asked {
        most: u32,
        limit: String,
    },
    Denied,
}

/// Names of rules that tests name.
pub(super) const APPROVAL: &str = "approval";
pub(super) const DENIED: &str = "denied";

/// An entry of a policy.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) tool: String,
    key: String,
    /// Lines of the comment above it.
    head: Vec<String>,
    /// Fields that mean nothing to a decision, a line each.
    marks: Vec<String>,
    items: Vec<Item>,
    /// Conditions that an author may want, each with what to fill in: comments.
    stubs: Vec<(String, String)>,
    /// A call that meets its conditions: arguments by name, each as YAML.
    pub(super) args: Vec<(String, String)>,
    pub(super) cases: Vec<Case>,
    pub(super) flow: Flow,
}

impl Entry {
    fn new(key: String, odd: bool, risk: &Risk) -> Self {
        let mut entry = Self {
            tool: risk.name.clone(),
            key,
            head: head(risk),
            marks: Vec::new(),
            items: Vec::new(),
            stubs: Vec::new(),
            args: Vec::new(),
            cases: Vec::new(),
            flow: Flow::Denied,
        };
        entry.marks.extend([
            format!("x-risk: {}", risk.class.name()),
            format!("x-severity: {}", risk.severity.name()),
            format!("x-confidence: {}", risk.confidence),
        ]);
        if !risk.labels.is_empty() {
            let labels: Vec<&str> = risk.labels.iter().map(|label| label.name()).collect();
            entry.marks.push(format!("x-labels: [{}]", labels.join(", ")));
        }
        if odd {
            entry.marks.push("x-ignore: {confusable_name: the server lists this very name}".to_owned());
        }
        entry
    }

    /// Adds a rule, under a name that no other one of the entry has.
    pub(super) fn add(&mut self, mut item: Item) -> String {
        let (first, mut number) = (item.name.clone(), 1_u32);
        while self.items.iter().any(|other| other.name == item.name) {
            number = number.saturating_add(1);
            item.name = format!("{first} ({number})");
        }
        let name = item.name.clone();
        self.items.push(item);
        name
    }

    /// Adds an argument to the entry's own call, unless it has it.
    pub(super) fn call_with(&mut self, name: &str, value: impl Into<String>) {
        if !self.args.iter().any(|(known, _)| known == name) {
            self.args.push((name.to_owned(), value.into()));
        }
    }

    pub(super) fn case(&mut self, with: &[(&str, &str)], expect: Expect, rule: &str) {
        let with = with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.cases.push(Case { with, expect, rule: rule.to_owned() });
    }

    /// A condition of `require`, as a comment, and what to write there.
    pub(super) fn stub(&mut self, what: String, condition: String) {
        self.stubs.push((what, condition));
    }

    /// Something that an author has to fill in before calls pass.
    pub(super) fn mark(&mut self, mark: String) {
        self.marks.push(mark);
    }

    /// The rules for a treatment.
    fn treat(&mut self, treatment: Treatment, class: Class, options: &Options<'_>) {
        let limit = |rate: Rate| {
            let field = format!("rate_limit: {}/{}", rate.most, rate.window);
            let scope = options.scope.name().map(|name| format!("scope: {name}"));
            Item::new(List::Rules, rate.name(), [field].into_iter().chain(scope).collect::<Vec<_>>())
        };
        match treatment {
            Treatment::Allow => self.flow = Flow::Allowed,
            Treatment::Limit(rate) => {
                self.add(limit(rate));
                self.flow = Flow::Limited(rate);
            }
            Treatment::Approve(rate) => {
                let limit = self.add(limit(rate));
                self.approve(class);
                self.flow = Flow::Asked { most: rate.most, limit };
            }
            Treatment::Deny => {
                let rule = Item::new(List::Rules, DENIED, ["action: deny".to_owned()]);
                self.add(rule.told(denial(class)));
                self.flow = Flow::Denied;
            }
        }
    }

    /// A person decides on each call.
    pub(super) fn approve(&mut self, class: Class) {
        let rule = Item::new(List::Rules, APPROVAL, ["action: require_approval".to_owned()]);
        self.add(rule.told(question(class)));
    }

    /// The entry as YAML, with its key.
    pub(super) fn to_yaml(&self, indent: usize) -> String {
        let mut out = String::new();
        let mut line = |deeper: usize, text: &str| {
            out.extend(std::iter::repeat_n(' ', indent.saturating_add(deeper)));
            out.push_str(text);
            out.push('\n');
        };
        for text in &self.head {
            line(0, &format!("# {text}"));
        }
        line(0, &format!("{}:", yaml::quoted(&self.key)));
        for mark in &self.marks {
            line(2, mark);
        }
        for list in List::ALL {
            let mut items = self.items.iter().filter(|item| item.list == list).peekable();
            let stubs = if list == List::Require { &*self.stubs } else { &[] };
            let is_list = items.peek().is_some();
            // Where there is no list, its name is a part of the comment: a list of nothing would be an error.
            let (depth, before) = if is_list { (4, "") } else { (2, "  ") };
            if is_list {
                line(2, &format!("{}:", list.name()));
            }
            if !stubs.is_empty() {
                line(depth, "# FILL IN, and take the first `# ` of these lines away:");
            }
            if !stubs.is_empty() && !is_list {
                line(depth, "# require:");
            }
            for (what, condition) in stubs {
                line(depth, &format!("# {before}# {what}"));
                line(depth, &format!("# {before}- {condition}"));
            }
            for item in items {
                for note in &item.notes {
                    line(4, &format!("# {note}"));
                }
                line(4, &format!("- name: {}", yaml::quoted(&item.name)));
                for field in &item.fields {
                    line(6, field);
                }
            }
        }
        out
    }
}

/// The entry of a tool.
pub(super) fn make(
    key: String,
    odd: bool,
    definition: &Value,
    risk: &Risk,
    options: &Options<'_>,
    variants: Variants<'_>,
) -> Entry {
    let mut entry = Entry::new(key, odd, risk);
    let arguments = variants.arguments(definition);
    let full = treatment(options.profile, risk.class, &risk.labels);
    let gated = gates::find(definition, risk, &arguments, options.profile, variants);
    let (class, treatment) =
        gated.as_ref().map_or((risk.class, full), |gated| (gated.class, gated.treatment));
    if treatment != Treatment::Deny {
        arguments::check(&mut entry, &arguments, class, treatment, options.profile);
        if let Some(gated) = &gated {
            gates::write(&mut entry, gated);
        }
    }
    let amount = amount::find(class, &arguments).filter(|_| treatment != Treatment::Deny);
    if !amount.is_some_and(|argument| amount::write(&mut entry, argument, class, options)) {
        entry.treat(treatment, class, options);
    }
    entry
}

/// The entry of a tool that cannot be called whatever its arguments are.
pub(super) fn denied(key: String, odd: bool, risk: &Risk, options: &Options<'_>) -> Entry {
    let mut entry = Entry::new(key, odd, risk);
    entry.head.push("Its arguments have names that rules cannot have: it is denied.".to_owned());
    entry.treat(Treatment::Deny, risk.class, options);
    entry
}

/// What the definition says, for readers of the policy.
fn head(risk: &Risk) -> Vec<String> {
    let reason = risk
        .reasons
        .iter()
        .find(|reason| reason.direction == Direction::For)
        .or_else(|| risk.reasons.first());
    let why = reason.map(|reason| format!(": {}", yaml::line(&reason.text))).unwrap_or_default();
    let (class, severity, confidence) = (risk.class.name(), risk.severity.name(), risk.confidence);
    let findings = risk.findings.iter();
    let findings =
        findings.map(|finding| format!("Finding {}: {}", finding.code.name(), yaml::line(&finding.text)));
    [format!("{class}, severity {severity}, confidence {confidence}{why}")]
        .into_iter()
        .chain(findings)
        .collect()
}

/// What an agent is told of a tool that the policy denies.
pub(super) const fn denial(class: Class) -> &'static str {
    match class {
        Class::Read => "This policy does not permit this tool, since it shows secrets. Ask a person.",
        Class::Write => {
            "This policy permits tools that only read, and this one changes something. Ask a person."
        }
        Class::Execute => "This policy does not permit tools that run something. Ask a person.",
        Class::Destructive => {
            "This policy does not permit what cannot be undone. Ask a person to do it, or find a way that keeps what there is."
        }
        Class::Financial => "This policy does not permit what moves money. Ask a person.",
        Class::Unknown => {
            "This policy does not permit this tool, since too little says what it does. Ask a person."
        }
    }
}

/// What an agent is told of a call that waits.
const fn question(class: Class) -> &'static str {
    match class {
        Class::Read => "A person has to approve this call: it shows secrets.",
        Class::Write => "A person has to approve this call: it changes keys or rights.",
        Class::Execute => "A person has to approve this call: it runs something.",
        Class::Destructive => "A person has to approve this call: it cannot be undone.",
        Class::Financial => "A person has to approve this call: it moves money.",
        Class::Unknown => "A person has to approve this call: too little says what it does.",
    }
}
