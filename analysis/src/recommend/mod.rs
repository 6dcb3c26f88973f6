//! A policy for a server's tools, by what each can do, and the tests of that policy.
//!
//! In: the server's name, its tools and their [risks](crate::risk), and a [`Profile`]. Out: the texts of a policy and of a test file.
//! Nothing that the server wrote can become a rule, another name or a line of its own. Reads no file.
//!
//! ```
//! use callgate_analysis::{recommend, risk};
//! use serde_json::json;
//!
//! let tools = [json!({"name": "list_users", "description": "Lists users.", "inputSchema": {"type": "object"}}), json!({"name": "delete_user"})];
//! let known = risk::Options::new();
//! let risks = risk::classify("directory", &tools, &known);
//! let written = recommend::recommend("directory", &tools, &risks, &recommend::Options::new(&known), "directory.yaml")?;
//! let policy: callgate::Policy = written.policy.parse()?;
//! assert!(policy.warnings().is_empty());
//! assert!(written.tests.contains("policy: \"directory.yaml\""));
//! # Ok::<(), callgate::PolicyError>(())
//! ```
//!
//! Tools stand by the strength of their class, then by name: what passes without a person comes first, and a list in another order
//! gives the same text.

mod amount;
mod arguments;
mod cases;
mod entry;
mod gates;
mod key;
mod policy;
mod treatment;
mod yaml;

use std::collections::HashMap;

use callgate::__analysis::{Matching, matching};
use callgate::{Format, Policy, PolicyError};
use serde_json::{Value, json};

use crate::risk::{self, Class, Risk, Variants};
use entry::Entry;
pub use treatment::{Profile, Scope};

/// How a policy is written.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// What may pass.
    pub profile: Profile,
    /// For whom limits count separately.
    pub scope: Scope,
    /// As the risks were found: a tool with a condition on an argument is judged once more, without that argument.
    pub risk: &'a risk::Options,
}

impl<'a> Options<'a> {
    /// The profile `recommended`, with limits for each caller.
    pub fn new(risk: &'a risk::Options) -> Self {
        Self { profile: Profile::Recommended, scope: Scope::Caller, risk }
    }
}

/// A policy and its tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recommended {
    /// The policy, as YAML.
    pub policy: String,
    /// Its test file, as YAML.
    pub tests: String,
    /// Tools that have no entry, each with the reason: they stay denied.
    pub left_out: Vec<(String, &'static str)>,
}

/// What is written of a tool.
enum Written {
    Entry(Box<Entry>),
    LeftOut(&'static str),
}

/// Writes a policy for `tools` of `server`, and tests that name its file `file`. `risks` are those of the same tools, in the same order.
///
/// # Errors
/// The policy does not load, as when it is larger than a policy may be. Each entry was tried alone before.
pub fn recommend(
    server: &str,
    tools: &[Value],
    risks: &[Risk],
    options: &Options<'_>,
    file: &str,
) -> Result<Recommended, PolicyError> {
    let list = List::of(server, tools, options);
    let mut written: Vec<(&Risk, Written)> =
        tools.iter().zip(risks).map(|(definition, risk)| (risk, list.write(definition, risk))).collect();
    written.sort_by(|(one, _), (other, _)| order(one).cmp(&order(other)));
    let left_out = written.iter().filter_map(|(risk, written)| match written {
        Written::LeftOut(why) => Some((risk.name.clone(), *why)),
        Written::Entry(_) => None,
    });
    let left_out = left_out.collect();
    let policy = policy::write(server, &written, options);
    let tests = cases::write(server, &written, options, file);
    Policy::from_text(&policy, Format::Yaml)?;
    Ok(Recommended { policy, tests, left_out })
}

/// What a policy says of one tool: its entry alone, with its key, as YAML. An error is why there is none.
///
/// # Errors
/// The tool has no entry, for this reason: it stays denied.
pub fn rule(
    server: &str,
    tools: &[Value],
    definition: &Value,
    risk: &Risk,
    options: &Options<'_>,
) -> Result<String, &'static str> {
    match List::of(server, tools, options).write(definition, risk) {
        Written::Entry(entry) => Ok(entry.to_yaml(0)),
        Written::LeftOut(why) => Err(why),
    }
}

/// By strength, and `Unknown` behind `Execute`.
fn order(risk: &Risk) -> (u8, bool, &str) {
    (risk.class.strength(), risk.class == Class::Unknown, &risk.name)
}

/// What is known of the whole list.
struct List<'a> {
    options: &'a Options<'a>,
    variants: Variants<'a>,
    names: HashMap<&'a str, usize>,
    /// Keys that differ only in case are one here.
    folded: HashMap<String, usize>,
}

impl<'a> List<'a> {
    fn of(server: &'a str, tools: &'a [Value], options: &'a Options<'a>) -> Self {
        let mut names: HashMap<&str, usize> = HashMap::new();
        for definition in tools {
            let count = names.entry(name_of(definition)).or_default();
            *count = count.saturating_add(1);
        }
        let mut folded: HashMap<String, usize> = HashMap::new();
        for key in names.keys().filter_map(|name| key::key(name).ok()) {
            let count = folded.entry(key::folded(&key)).or_default();
            *count = count.saturating_add(1);
        }
        Self { options, variants: Variants::of(server, tools, options.risk), names, folded }
    }

    fn write(&self, definition: &Value, risk: &Risk) -> Written {
        let name = name_of(definition);
        if self.names.get(name).is_some_and(|count| *count > 1) {
            return Written::LeftOut(
                "the server lists this name twice, and does not say which of the two runs",
            );
        }
        let key = match key::key(name) {
            Ok(key) => key,
            Err(why) => return Written::LeftOut(why),
        };
        let odd = key::is_odd(&key) || self.folded.get(&key::folded(&key)).is_some_and(|count| *count > 1);
        let made = entry::make(key.clone(), odd, definition, risk, self.options, self.variants);
        if is_clean(&made, definition) {
            return Written::Entry(Box::new(made));
        }
        // Rules on arguments that the language has no words for: none on arguments, and no call.
        let plain = entry::denied(key, odd, risk, self.options);
        if is_clean(&plain, definition) {
            return Written::Entry(Box::new(plain));
        }
        Written::LeftOut("no key of a policy can be this name")
    }
}

fn name_of(definition: &Value) -> &str {
    definition.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Whether a policy with this entry alone loads, lists just this tool, and gives no warning, also with the tool's definition.
fn is_clean(entry: &Entry, definition: &Value) -> bool {
    let text = format!("version: \"1\"\ndefault: deny\ntools:\n{}", entry.to_yaml(2));
    let Ok(policy) = Policy::from_text(&text, Format::Yaml) else { return false };
    let lists = matching(&policy, name_of(definition)) == Matching::Open;
    let warns =
        callgate::lint(&text, Format::Yaml, &&json!([definition])).map_or(true, |found| !found.is_empty());
    lists && policy.warnings().is_empty() && !warns
}
