//! Which class of risk each tool of a server has, and why.
//!
//! In: the definitions that `tools/list` gives. Out: a [`Risk`] for each: class, severity, labels, confidence, and the reasons for and
//! against. `spec/risk.md` says what each means, and is normative.
//!
//! ```
//! use callgate_analysis::risk::{Class, Options, classify};
//! use serde_json::json;
//!
//! let tools = [json!({
//!     "name": "delete_repository",
//!     "description": "Deletes a repository. This cannot be undone.",
//!     "inputSchema": {"type": "object", "properties": {"repo": {"type": "string"}}},
//!     "annotations": {"readOnlyHint": true},
//! })];
//! let risks = classify("code-host", &tools, &Options::new());
//! assert_eq!(risks[0].class, Class::Destructive);
//! assert_eq!(risks[0].findings[0].code.name(), "contradicting_hint");
//! ```
//!
//! A server writes its own descriptions and hints. They may raise a class and never lower it, unless the server is
//! [trusted](Options::trust). Nothing is decided here: a policy decides.

mod choices;
mod confidence;
mod evidence;
mod hidden;
pub(crate) use hidden::count as hidden_characters;
mod injection;
mod json;
mod labels;
mod lexicon;
mod options;
mod phrases;
mod prose;
pub(crate) mod quote;
mod reading;
mod rules;
mod schema;
mod severity;
mod tokens;
mod weigh;
mod weigh_schema;

use std::collections::BTreeSet;

use serde_json::Value;

pub(crate) use choices::{Argument, arguments, said};
pub use json::{classify_json, to_json, to_value};
pub use options::{Options, Override, OverrideError};

/// The strongest thing that one call of a tool can do. Clause R1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Leaves nothing changed but the answer.
    Read,
    /// Changes something that can be changed back.
    Write,
    /// Runs what the caller brings, or sets off a program that acts on its own.
    Execute,
    /// Takes something away without a way back.
    Destructive,
    /// Moves money, or binds somebody to pay.
    Financial,
    /// Too little says what the tool does. Policies treat it as [`Class::Execute`].
    Unknown,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Write, Self::Execute, Self::Destructive, Self::Financial, Self::Unknown];

    /// The name, as it is written in results and overrides.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Execute => "Execute",
            Self::Destructive => "Destructive",
            Self::Financial => "Financial",
            Self::Unknown => "Unknown",
        }
    }

    /// What one call of such a tool can do, in a sentence without a subject.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Read => "leaves nothing changed but the answer",
            Self::Write => "changes something that can be changed back",
            Self::Execute => "runs what the caller brings, or sets off a program that acts on its own",
            Self::Destructive => "takes something away without a way back",
            Self::Financial => "moves money, or binds somebody to pay",
            Self::Unknown => "could be anything: too little says what it does",
        }
    }

    /// The class of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// The order of clause R1.2. [`Class::Unknown`] is as strong as [`Class::Execute`].
    pub const fn strength(self) -> u8 {
        match self {
            Self::Read => 0,
            Self::Write => 1,
            Self::Execute | Self::Unknown => 2,
            Self::Destructive => 3,
            Self::Financial => 4,
        }
    }
}

/// How much a call can harm. Clause R5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// A question about public data.
    Low,
    /// A change that can be changed back, or a question about somebody's data.
    Medium,
    /// What acts on its own, or takes away.
    High,
    /// Money, keys and rights, or many things at once.
    Critical,
}

impl Severity {
    /// The name, as it is written in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What a tool has to do with, beside its class. Clause R6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label {
    /// One call takes many things.
    Batch,
    /// Makes, shows or changes what opens doors.
    Credentials,
    /// Changes who may do what.
    IdentityAdmin,
    /// Sends something to others.
    Outbound,
    /// Shows or changes what belongs to somebody.
    PrivateData,
    /// Its answer holds what strangers wrote.
    UntrustedInput,
}

impl Label {
    /// All labels, sorted by name.
    pub const ALL: [Self; 6] = [
        Self::Batch,
        Self::Credentials,
        Self::IdentityAdmin,
        Self::Outbound,
        Self::PrivateData,
        Self::UntrustedInput,
    ];

    /// The name, as it is written in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Credentials => "credentials",
            Self::IdentityAdmin => "identity_admin",
            Self::Outbound => "outbound",
            Self::PrivateData => "private_data",
            Self::UntrustedInput => "untrusted_input",
        }
    }

    /// What it means, in a sentence without a subject.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Batch => "one call takes many things",
            Self::Credentials => "makes, shows or changes what opens doors: keys, secrets, passwords, tokens",
            Self::IdentityAdmin => "changes who may do what: users, roles, groups, policies, permissions",
            Self::Outbound => "sends something to others",
            Self::PrivateData => {
                "shows or changes what belongs to somebody: mail, files, customers, payments"
            }
            Self::UntrustedInput => "its answer may hold what strangers wrote",
        }
    }
}

/// Whether a reason speaks for the class that was given, or against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// For it.
    For,
    /// Against it, or against being sure of it.
    Against,
}

impl Direction {
    /// The name, as it is written in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::For => "for",
            Self::Against => "against",
        }
    }
}

/// One thing that was weighed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Which way it points.
    pub direction: Direction,
    /// A sentence, with at most 80 characters of the server's own text.
    pub text: String,
    /// A JSON pointer into the definition; empty where no single place says it.
    pub place: String,
}

/// What is odd about a definition. Clause R8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A hint says less than the rest of the definition.
    ContradictingHint,
    /// An argument chooses between things of different classes.
    SeveralTools,
    /// A text has characters that are not drawn, or that reorder others.
    HiddenCharacters,
    /// A text gives the model orders, against its user or about other tools.
    PromptInjection,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 4] =
        [Self::ContradictingHint, Self::SeveralTools, Self::HiddenCharacters, Self::PromptInjection];

    /// The name, as it is written in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ContradictingHint => "contradicting_hint",
            Self::SeveralTools => "several_tools",
            Self::HiddenCharacters => "hidden_characters",
            Self::PromptInjection => "prompt_injection",
        }
    }
}

/// Something odd about a definition, at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which kind.
    pub code: Code,
    /// A sentence.
    pub text: String,
    /// A JSON pointer into the definition.
    pub place: String,
}

/// What a tool was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk {
    /// The server's name, as it was given.
    pub server: String,
    /// The tool's name, as the definition has it; empty where it has none.
    pub name: String,
    /// The strongest thing that a call can do.
    pub class: Class,
    /// How much it can harm.
    pub severity: Severity,
    /// What else it has to do with.
    pub labels: BTreeSet<Label>,
    /// 0 to 100. Below 60 the class is [`Class::Unknown`].
    pub confidence: u8,
    /// What was weighed, and what lowered the confidence.
    pub reasons: Vec<Reason>,
    /// What is odd.
    pub findings: Vec<Finding>,
}

/// The risk of each tool, in the order of the list. Clause R2.
///
/// `tools` are definitions as `tools/list` gives them. What a definition lacks, or has in a wrong type, is as absent.
pub fn classify(server: &str, tools: &[Value], options: &Options) -> Vec<Risk> {
    let prefix = evidence::prefix(tools);
    tools.iter().map(|definition| one(server, definition, prefix, options)).collect()
}

/// Classes of definitions that a list does not have, such as one with an argument less, as if they stood in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variants<'a> {
    server: &'a str,
    prefix: usize,
    options: &'a Options,
}

impl<'a> Variants<'a> {
    pub(crate) fn of(server: &'a str, tools: &[Value], options: &'a Options) -> Self {
        Self { server, prefix: evidence::prefix(tools), options }
    }

    /// Whether somebody gave the tool its class.
    pub(crate) fn is_given(&self, tool: &str) -> bool {
        self.options.class_of(self.server, tool).is_some()
    }

    /// The arguments of a tool, with what the values of a choice do in this list.
    pub(crate) fn arguments<'d>(&self, definition: &'d Value) -> Vec<Argument<'d>> {
        arguments(definition, self.prefix)
    }

    pub(crate) fn classify(&self, definition: &Value) -> Risk {
        one(self.server, definition, self.prefix, self.options)
    }
}

fn one(server: &str, definition: &Value, prefix: usize, options: &Options) -> Risk {
    let tool = evidence::Tool::read(definition, prefix);
    let mut verdict = weigh::weigh(&tool, options.trusts(server));
    if let Some(said) = options.class_of(server, tool.name) {
        let text = format!("override: {} (otherwise {})", quote::quote(&said.reason), verdict.class.name());
        verdict.reasons.insert(0, Reason { direction: Direction::For, text, place: String::new() });
        verdict.class = said.class;
        verdict.confidence = if said.class == Class::Unknown { 0 } else { 100 };
    }
    verdict.findings.extend(hidden::find(definition));
    verdict.findings.extend(injection::find(definition));
    let labels = labels::labels(&tool, verdict.class);
    Risk {
        server: server.to_owned(),
        name: tool.name.to_owned(),
        class: verdict.class,
        severity: severity::severity(verdict.class, &labels),
        labels,
        confidence: verdict.confidence,
        reasons: verdict.reasons,
        findings: verdict.findings,
    }
}
