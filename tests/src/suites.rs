//! The decision cases as test files of `callgate-analysis`.
//!
//! In: a case of `spec/cases/decisions`. Out: a test file that expects the same, and the policies that it names.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use callgate_analysis::report::FileReport;
use callgate_analysis::subject::Subject;
use callgate_analysis::{Options, run};
use serde_json::{Map, Value, json};

/// The name of the test file.
pub const FILE: &str = "case_test.json";

/// A case as a test file, with the files that it names.
pub struct Converted {
    /// The test file.
    pub suite: Value,
    /// The texts of policies by name; `policy` is the one that is in force first.
    pub files: BTreeMap<String, String>,
}

fn lines(value: &Value) -> String {
    let lines: Vec<&str> = value.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    lines.join("\n")
}

/// A case as a test file.
pub fn convert(case: &Value) -> Converted {
    let mut files = BTreeMap::new();
    let text = match (case.get("policy"), case.get("policy_file")) {
        (Some(policy), None) => lines(policy),
        (None, Some(file)) => {
            let path = crate::project().join("spec/policies").join(file.as_str().unwrap());
            std::fs::read_to_string(path).unwrap()
        }
        _ => panic!("a case has one policy"),
    };
    let mut current = Subject::new("policy", &text).unwrap();
    files.insert("policy".to_owned(), text);
    let mut steps = Vec::new();
    // A case ends a call twice to show that nothing comes of it; a test file has to name the error.
    let mut ended = HashSet::new();
    for (index, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        if let Some(reload) = step.get("reload") {
            let text = lines(reload);
            current = Subject::new("policy", &text).unwrap();
            files.insert(format!("reload {index}"), text);
        }
        let expect = step["expect"].as_object().unwrap();
        let (kind, tool) = match (step.get("tool"), step.get("method")) {
            (Some(tool), None) => ("tool", tool.as_str().unwrap()),
            (None, Some(method)) => ("method", method.as_str().unwrap()),
            _ => panic!("a step has a tool or a method"),
        };
        let mut call = Map::new();
        call.insert(kind.into(), tool.into());
        let named = expect["code"] == "not_listed" || expect["code"] == "invalid_tool";
        if kind == "tool" && !current.names(tool) && !named {
            call.insert("unlisted".into(), true.into());
        }
        for (from, to) in [
            ("args", "raw"),
            ("params", "raw"),
            ("identity", "raw_identity"),
            ("server", "server"),
            ("explain", "explain"),
            ("check", "check"),
        ] {
            if let Some(value) = step.get(from) {
                call.insert(to.into(), value.clone());
            }
        }
        // Cases leave out that members are checked; a test has to say something.
        if call.get("check").and_then(Value::as_object).is_some_and(Map::is_empty) {
            call.insert("check".into(), json!({"folding": true}));
        }
        if let Some(approve) = step.get("approve") {
            let mut approve = approve.clone();
            if let Some(of) = approve.get("key_of").and_then(Value::as_u64) {
                approve["key_of"] = format!("step {of}").into();
            }
            // What a case leaves out, the host does not know.
            approve["given_at"] = approve.get("given_at").cloned().unwrap_or(Value::Null);
            call.insert("approve".into(), approve);
        }
        let mut first = call.clone();
        let mut last = call;
        last.insert("name".into(), format!("step {index}").into());
        for field in ["finish", "finish_error"] {
            if let Some(value) = step.get(field) {
                last.insert(field.into(), value.clone());
            }
        }
        let repeat = step.get("repeat").and_then(Value::as_u64).unwrap_or(1);
        let begins = if repeat > 1 { &mut first } else { &mut last };
        if let Some(at) = step.get("at") {
            begins.insert("at".into(), at.clone());
        }
        if step.get("reload").is_some() {
            begins.insert("reload".into(), format!("reload {index}").into());
        }
        if let Some(of) = step.get("finish_of").and_then(Value::as_u64) {
            assert_eq!(repeat, 1, "it would end before the last call, not before the first");
            last.insert("finish_of".into(), format!("step {of}").into());
            if step.get("finish_error").is_none() && !ended.insert(of) {
                last.insert("finish_error".into(), "finished".into());
            }
        } else if step.get("finish").is_some() && step.get("finish_error").is_none() {
            ended.insert(index as u64);
        }
        if repeat > 1 {
            first.insert("repeat".into(), (repeat - 1).into());
            first.insert("expect".into(), "allow".into());
            steps.push(Value::Object(first));
        }
        last.insert("expect".into(), expect["code"].clone());
        for field in ["message", "retry_after", "counters", "approval_rules"] {
            if let Some(value) = expect.get(field) {
                last.insert(field.into(), value.clone());
            }
        }
        let fields = [("rule", "pointer"), ("rule_name", "name"), ("line", "line")];
        let fields =
            fields.iter().filter_map(|(from, to)| Some(((*to).to_owned(), expect.get(*from)?.clone())));
        let rule: Map<String, Value> = fields.collect();
        if rule.get("pointer") == Some(&Value::Null) {
            last.insert("rule".into(), Value::Null);
        } else if !rule.is_empty() {
            last.insert("rule".into(), Value::Object(rule));
        }
        steps.push(Value::Object(last));
    }
    let name = case["name"].clone();
    Converted { suite: json!({"policy": "policy", "tests": [{"name": name, "steps": steps}]}), files }
}

/// Runs it.
pub fn run_converted(converted: &Converted) -> FileReport {
    converted.with_options(|options| run(FILE, &converted.suite.to_string(), options))
}

/// Every decision case of one policy, with the name of its file.
pub fn cases() -> Vec<(String, Value)> {
    let mut cases = Vec::new();
    for (file, text) in crate::case_files("decisions") {
        let mut content: Value = serde_json::from_str(&text).unwrap();
        for case in content["cases"].as_array_mut().unwrap() {
            // A test file names one policy, and reloads one.
            let stacks = |step: &Value| step["reload"][0].is_array();
            if case.get("layers").is_none() && !case["steps"].as_array().unwrap().iter().any(stacks) {
                cases.push((file.clone(), case.take()));
            }
        }
    }
    cases
}

impl Converted {
    /// What reads its files.
    pub fn with_options<R>(&self, with: impl FnOnce(&Options<'_>) -> R) -> R {
        let read =
            |file: &str| self.files.get(file).cloned().ok_or_else(|| "there is no such file".to_owned());
        with(&Options { filter: None, read: &read, elapsed: &|| Duration::ZERO })
    }
}
