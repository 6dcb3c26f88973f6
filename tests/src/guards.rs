//! Guard scenarios: what guards do between a client and a server, as data that every language runs.
//!
//! In: the files of `spec/guards`. Out: the same, typed, so that a member which no runner knows is found here. Must not run
//! them: that takes a server of an SDK.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A file of scenarios.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What the file is about.
    pub about: String,
    /// Its scenarios.
    pub scenarios: Vec<Scenario>,
}

/// A server behind a guard, and what its client and its host do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Unique within the file.
    pub name: String,
    /// Clauses of the language that it proves.
    pub clauses: Vec<String>,
    /// Traps that it shows to be ruled out.
    #[serde(default)]
    pub traps: Vec<u32>,
    policy: Value,
    /// The server's tools, by name.
    pub tools: BTreeMap<String, Tool>,
    /// Who calls; nobody is known if there is none.
    pub identity: Option<Value>,
    /// Whether somebody answers questions for approval.
    #[serde(default)]
    pub approvals: bool,
    /// `http`, if the clients speak streamable HTTP.
    pub over: Option<String>,
    /// Other options of the guard.
    #[serde(default)]
    pub options: BTreeMap<String, Value>,
    /// The guards that run it; all, if there are none here.
    #[serde(default)]
    pub only: Vec<String>,
    /// The guards that do not run it.
    #[serde(default)]
    pub except: Vec<String>,
    /// Why not all guards run it.
    pub because: Option<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// A tool of the server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its input schema.
    pub input: Option<Value>,
    /// What its handler does.
    #[serde(default)]
    pub does: Does,
}

/// What a handler does each time that it runs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "`spec/guards/README.md` says what each does")]
pub enum Does {
    #[default]
    Answer,
    ToolError,
    Raise,
    ProtocolError,
    InvalidResult,
    Wait,
}

/// One step. Which members go together, the runners see to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "`spec/guards/README.md` says what each is")]
pub struct Step {
    pub call: Option<String>,
    /// A null that is written is a value: what a guard reads as absent, the client has sent.
    #[serde(deserialize_with = "written")]
    pub arguments: Option<Value>,
    pub task: Option<Value>,
    pub times: Option<u32>,
    pub expect: Option<String>,
    pub text: Option<String>,
    #[serde(rename = "as")]
    pub named: Option<String>,
    pub approve: Option<String>,
    pub refuse: Option<String>,
    pub finish: Option<String>,
    pub answer: Option<String>,
    pub cancel: Option<String>,
    pub hang_up: Option<String>,
    pub disconnect: Option<bool>,
    pub connect: Option<bool>,
    pub listed: Option<Vec<String>>,
    pub ran: Option<BTreeMap<String, u32>>,
    pub used: Option<BTreeMap<String, String>>,
}

fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Scenario {
    /// The text of its policy: JSON, or lines of YAML.
    pub fn policy(&self) -> String {
        match &self.policy {
            Value::Array(lines) => {
                let lines: Vec<_> = lines.iter().map(|line| line.as_str().expect("a line is text")).collect();
                lines.join("\n")
            }
            document => document.to_string(),
        }
    }
}

/// Every file of scenarios, with its name.
pub fn files() -> Vec<(String, File)> {
    let parse = |(name, text): (String, String)| {
        let file = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, file)
    };
    crate::json_files("spec/guards").into_iter().map(parse).collect()
}
