//! Guard scenarios: what guards do between a client and a server, as data that every language runs.
//!
//! In: the files of `spec/guards`. Out: the same, typed, so that a member which no runner knows is found here. Must not run
//! them: that takes a server of an SDK.

use std::collections::BTreeMap;

use callgate::lock::{Definition, Entry, Lock, Origin};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

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
    /// Clauses of the language and of `spec/guards.md` that it proves.
    pub clauses: Vec<String>,
    /// Traps that it shows to be ruled out.
    #[serde(default)]
    pub traps: Vec<u32>,
    policy: Value,
    /// The server's tools, by name.
    pub tools: BTreeMap<String, Tool>,
    /// Who calls; nobody is known if there is none.
    pub identity: Option<Value>,
    /// URIs that the server has.
    #[serde(default)]
    pub resources: Vec<String>,
    /// Prompts that the server has.
    #[serde(default)]
    pub prompts: Vec<String>,
    /// How many items a page of the server's lists has.
    pub pages: Option<usize>,
    /// Members that each page has besides.
    #[serde(default)]
    pub cache: serde_json::Map<String, Value>,
    /// The revision in which clients speak.
    pub era: Option<Era>,
    /// Who answers questions for approval.
    #[serde(default)]
    pub approvals: Approvals,
    /// `http`, if the clients speak streamable HTTP.
    pub over: Option<String>,
    /// The tools that the guard's lock holds, as the server lists them at the beginning; without it there is no lock.
    pub lock: Option<Vec<String>>,
    /// Other options of the guard.
    #[serde(default)]
    pub options: BTreeMap<String, Value>,
    /// The guards that run it; all, if there are none here.
    #[serde(default)]
    pub only: Vec<String>,
    /// Why only these.
    pub because: Option<String>,
    /// The guards that do not run it, each with the reason.
    #[serde(default)]
    pub except: BTreeMap<String, String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// A revision of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "their serialized names say it")]
pub enum Era {
    #[serde(rename = "2026-07-28")]
    Modern,
}

/// Who answers questions for approval.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Approvals {
    /// Nobody can be asked.
    #[default]
    Nobody,
    /// The host's callback, which waits for the steps.
    Callback,
    /// The client that calls.
    Elicitation,
    /// The store in which calls are filed.
    Store,
}

impl TryFrom<Value> for Approvals {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match (value.as_bool(), value.as_str()) {
            (Some(true), _) => Ok(Self::Callback),
            (_, Some("elicitation")) => Ok(Self::Elicitation),
            (_, Some("store")) => Ok(Self::Store),
            _ => Err(format!("{value} says nothing of who is asked")),
        }
    }
}

/// A tool of the server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its input schema.
    pub input: Option<Value>,
    /// Its output schema.
    pub output: Option<Value>,
    /// What its handler does.
    #[serde(default)]
    pub does: Does,
}

/// What becomes of a tool's definition.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    /// Another input schema.
    pub input: Option<Value>,
    /// Another name.
    pub name: Option<String>,
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
    Ask(u32),
    Settle,
    Sample,
    Dispatch,
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
    pub progress: bool,
    /// Who calls, in this step.
    pub identity: Option<Value>,
    pub times: Option<u32>,
    pub at_once: Option<u32>,
    pub expect: Option<Expect>,
    pub text: Option<String>,
    #[serde(rename = "as")]
    pub named: Option<String>,
    pub request: Option<String>,
    pub params: Option<Value>,
    pub round: Option<String>,
    /// In place of the state that was given.
    pub state: Option<String>,
    pub progressed: Option<String>,
    pub approve: Option<String>,
    pub refuse: Option<String>,
    pub finish: Option<String>,
    pub answer: Option<String>,
    pub cancel: Option<String>,
    pub hang_up: Option<String>,
    pub disconnect: Option<bool>,
    pub connect: Option<bool>,
    pub reload: Option<Value>,
    pub change: Option<BTreeMap<String, Change>>,
    pub listed: Option<Vec<String>>,
    /// The method of the list.
    pub of: Option<String>,
    pub cache: Option<serde_json::Map<String, Value>>,
    pub seen: Option<BTreeMap<String, u32>>,
    pub ran: Option<BTreeMap<String, u32>>,
    pub used: Option<BTreeMap<String, String>>,
}

/// What is expected of one answer, or of how many.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "`spec/guards/README.md` says what each is")]
pub enum Expect {
    Each(String),
    Counts(BTreeMap<String, u32>),
}

fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Scenario {
    /// The text of its policy.
    pub fn policy(&self) -> String {
        policy(&self.policy)
    }

    /// Whether this guard runs it.
    pub fn is_for(&self, guard: &str) -> bool {
        (self.only.is_empty() || self.only.iter().any(|only| only == guard))
            && !self.except.contains_key(guard)
    }
}

/// Definitions, as `tools/list` gives them.
pub fn listed(tools: &BTreeMap<String, Tool>, changes: &BTreeMap<String, Change>) -> Vec<Value> {
    let definition = |(name, tool): (&String, &Tool)| {
        let Change { input, name: new } = changes.get(name).cloned().unwrap_or_default();
        let schema = input.or_else(|| tool.input.clone()).unwrap_or_else(|| json!({"type": "object"}));
        let mut listed = json!({"name": new.as_ref().unwrap_or(name), "inputSchema": schema});
        if let Some(output) = &tool.output {
            listed["outputSchema"] = output.clone();
        }
        listed
    };
    tools.iter().map(definition).collect()
}

/// A lock of these tools of a server.
///
/// # Panics
/// What is listed is no definition.
pub fn lock(server: &str, names: &[String], listed: &[Value]) -> Lock {
    let mut lock = Lock::new();
    let origin = Origin { protocol: String::new(), date: "2026-11-30".to_owned() };
    lock.put_server(server, origin).expect("a date");
    let named = listed.iter().filter(|tool| names.iter().any(|name| tool["name"] == **name));
    for tool in named {
        let definition = Definition::read(&tool.to_string()).expect("a definition");
        let entry = Entry { class: "Unknown".to_owned(), severity: "high".to_owned(), definition };
        lock.put(server, entry).expect("the server is there");
    }
    lock
}

/// The text of a policy: JSON, or lines of YAML.
pub fn policy(written: &Value) -> String {
    match written {
        Value::Array(lines) => {
            let lines: Vec<_> = lines.iter().map(|line| line.as_str().expect("a line is text")).collect();
            lines.join("\n")
        }
        document => document.to_string(),
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
