//! Decision cases: policies, scripted time, calls and what must be decided.
//!
//! In: the files of `spec/cases/decisions`. Out: their cases. `run` runs them.

mod run;

use std::collections::BTreeMap;

use callgate::__binding::Target;
use callgate::Policy;
use callgate::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

pub use run::{Form, start_clock};

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What the file is about.
    pub about: String,
    /// Its cases.
    pub cases: Vec<Case>,
}

/// A policy and the calls made under it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Unique within the file.
    pub name: String,
    /// Clauses of the language that it proves.
    pub clauses: Vec<String>,
    /// Traps that it shows to be ruled out.
    #[serde(default)]
    pub traps: Vec<u32>,
    policy: Option<Vec<String>>,
    policy_file: Option<String>,
    /// The policies of a stack.
    layers: Option<Vec<Vec<String>>>,
    /// A policy that decides beside it.
    candidate: Option<Vec<String>>,
    /// Who sees which tools.
    #[serde(default)]
    visible: Vec<Seen>,
    /// Who sees what requests are for.
    #[serde(default)]
    requests: Vec<Requested>,
    /// The calls.
    pub steps: Vec<Step>,
}

/// Who sees which tools.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    identity: Option<String>,
    server: Option<String>,
    shown: Vec<String>,
    left_out: Vec<String>,
}

/// Who sees what requests of a method are for, by their params.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Requested {
    identity: Option<String>,
    method: String,
    shown: Vec<String>,
    left_out: Vec<String>,
}

/// One call and what must be decided.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    at: Option<String>,
    pub(crate) tool: Option<String>,
    pub(crate) args: Option<String>,
    method: Option<String>,
    params: Option<String>,
    pub(crate) identity: Option<String>,
    server: Option<String>,
    raw_only: Option<String>,
    #[serde(default)]
    explain: bool,
    #[serde(default)]
    repeat: Option<u32>,
    approve: Option<Approve>,
    check: Option<Check>,
    finish: Option<Finish>,
    finish_of: Option<usize>,
    finish_error: Option<String>,
    reload: Option<Reload>,
    expect: BTreeMap<String, Value>,
    observed: Option<Value>,
}

/// The lines of a policy, or of each policy of a stack.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Reload {
    Policy(Vec<String>),
    Layers(Vec<Vec<String>>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    id: String,
    key: Option<String>,
    key_of: Option<usize>,
    given_at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    schema: Option<Value>,
    folding: Option<bool>,
}

impl Step {
    /// What is called, and the text of its arguments or params.
    fn called(&self) -> (Target<'_>, Option<&str>) {
        match (&self.tool, &self.method) {
            (Some(tool), None) if self.params.is_none() => (Target::Tool(tool), self.args.as_deref()),
            (None, Some(method)) if self.args.is_none() => (Target::Method(method), self.params.as_deref()),
            _ => panic!("a step has `tool` and `args`, or `method` and `params`: {self:?}"),
        }
    }

    /// The tool's input schema, where the step has it checked.
    pub fn schema(&self) -> Option<&Value> {
        self.check.as_ref()?.schema.as_ref()
    }
}

/// How a reservation is finished: the text of an outcome, or what the call really cost.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Finish {
    Ended(String),
    Settled(Settle),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    settle: Amounts,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Amounts {
    Only(String),
    ByCounter(BTreeMap<Box<str>, String>),
}

/// The time that a text says.
pub fn timestamp(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

impl Case {
    /// The texts of the policies that the case has itself.
    pub fn own_texts(&self) -> Vec<String> {
        if self.policy_file.is_some() { Vec::new() } else { self.texts() }
    }

    /// The policy's text, or that of each policy of a stack.
    pub fn texts(&self) -> Vec<String> {
        match (&self.policy, &self.policy_file, &self.layers) {
            (Some(lines), None, None) => vec![lines.join("\n")],
            (None, Some(file), None) => {
                let path = crate::project().join("spec/policies").join(file);
                let text = std::fs::read_to_string(&path);
                vec![text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))]
            }
            (None, None, Some(layers)) => layers.iter().map(|lines| lines.join("\n")).collect(),
            _ => panic!("{}: give `policy`, `policy_file` or `layers`", self.name),
        }
    }

    /// The policy, or the stack of its policies.
    pub fn load(&self) -> Policy {
        self.stack(&self.texts())
    }

    fn stack(&self, texts: &[String]) -> Policy {
        let policies = texts.iter().map(|text| {
            text.parse::<Policy>()
                .unwrap_or_else(|error| panic!("{}: the policy does not load:\n{error}\n{text}", self.name))
        });
        Policy::stack(policies).unwrap_or_else(|error| panic!("{}: no stack: {error}", self.name))
    }

    fn reloaded(&self, reload: &Reload) -> Policy {
        match reload {
            Reload::Policy(lines) => self.stack(&[lines.join("\n")]),
            Reload::Layers(layers) => {
                self.stack(&layers.iter().map(|lines| lines.join("\n")).collect::<Vec<_>>())
            }
        }
    }
}

/// All files of decision cases.
pub fn files() -> Vec<(String, File)> {
    let parse = |(name, text): (String, String)| {
        let file = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, file)
    };
    crate::case_files("decisions").into_iter().map(parse).collect()
}
