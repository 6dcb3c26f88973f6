//! Every decision case of `spec/cases`, run by the runner of policy tests.

use std::collections::BTreeMap;
use std::time::Duration;

use callgate::__analysis::{Matching, matching};
use callgate::Policy;
use callgate_analysis::report::{FileReport, Status, Totals};
use callgate_analysis::{Options, run};
use serde_json::{Map, Value, json};

/// A case as a test file, with the files that it names.
struct Converted {
    suite: Value,
    files: BTreeMap<String, String>,
}

fn lines(value: &Value) -> String {
    let lines: Vec<&str> = value.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    lines.join("\n")
}

fn convert(case: &Value) -> Converted {
    let mut files = BTreeMap::new();
    let text = match (case.get("policy"), case.get("policy_file")) {
        (Some(policy), None) => lines(policy),
        (None, Some(file)) => {
            let path = callgate_tests::project().join("spec/policies").join(file.as_str().unwrap());
            std::fs::read_to_string(path).unwrap()
        }
        _ => panic!("a case has one policy"),
    };
    let mut current: Policy = text.parse().unwrap();
    files.insert("policy".to_owned(), text);
    let mut steps = Vec::new();
    for (index, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        if let Some(reload) = step.get("reload") {
            let text = lines(reload);
            current = text.parse().unwrap();
            files.insert(format!("reload {index}"), text);
        }
        let expect = step["expect"].as_object().unwrap();
        let tool = step["tool"].as_str().unwrap();
        let is_listed = match matching(&current, tool) {
            Matching::Hidden(_) => true,
            Matching::Entries(entries) => !entries.is_empty(),
            Matching::NotListed | Matching::Invalid => false,
        };
        let mut call = Map::new();
        call.insert("tool".into(), tool.into());
        let named = expect["code"] == "not_listed" || expect["code"] == "invalid_tool";
        if !is_listed && !named {
            call.insert("unlisted".into(), true.into());
        }
        for (from, to) in
            [("args", "raw"), ("identity", "raw_identity"), ("explain", "explain"), ("check", "check")]
        {
            if let Some(value) = step.get(from) {
                call.insert(to.into(), value.clone());
            }
        }
        if let Some(approve) = step.get("approve") {
            let mut approve = approve.clone();
            if let Some(of) = approve.get("key_of").and_then(Value::as_u64) {
                approve["key_of"] = format!("step {of}").into();
            }
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

fn run_converted(converted: &Converted) -> FileReport {
    let read =
        |file: &str| converted.files.get(file).cloned().ok_or_else(|| "there is no such file".to_owned());
    let options = Options { filter: None, read: &read, elapsed: &|| Duration::ZERO };
    run("case_test.json", &converted.suite.to_string(), &options)
}

fn cases() -> Vec<(String, Value)> {
    let mut cases = Vec::new();
    for (file, text) in callgate_tests::case_files("decisions") {
        let mut content: Value = serde_json::from_str(&text).unwrap();
        for case in content["cases"].as_array_mut().unwrap() {
            cases.push((file.clone(), case.take()));
        }
    }
    cases
}

#[test]
fn the_runner_decides_every_case_as_the_engine_does() {
    let mut failures = Vec::new();
    let mut calls = 0;
    for (file, case) in cases() {
        let report = run_converted(&convert(&case));
        calls += Totals::of(std::slice::from_ref(&report)).calls;
        if Totals::of(std::slice::from_ref(&report)).exit_code() != 0 {
            let problems: Vec<_> = report.problems.iter().map(|one| &one.diagnostic).collect();
            let status: Vec<_> = report.tests.iter().map(|test| &test.status).collect();
            failures.push(format!("{file}: {}\n    {problems:#?}\n    {status:#?}", case["name"]));
        }
    }
    println!("{calls} calls");
    assert!(calls > 5_000);
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_wrong_expectation_fails_at_its_step() {
    for (file, case) in cases() {
        let mut converted = convert(&case);
        let steps = converted.suite["tests"][0]["steps"].as_array_mut().unwrap();
        let index = steps.len() - 1;
        let step = steps[index].as_object_mut().unwrap();
        let other = if step["expect"] == "denied" { "condition_failed" } else { "denied" };
        if step["expect"] == "not_listed" || step["expect"] == "invalid_tool" {
            step.insert("unlisted".into(), true.into());
        }
        step.insert("expect".into(), other.into());
        let report = run_converted(&converted);
        let [test] = &*report.tests else { panic!("{file}: {}: {:#?}", case["name"], report.problems) };
        let Status::Failed(failures) = &test.status else { panic!("{file}: {} passes", case["name"]) };
        assert_eq!(failures.len(), 1, "{file}: {}", case["name"]);
        assert_eq!(failures[0].pointer, format!("/tests/0/steps/{index}"));
        assert_eq!(failures[0].differences[0].what, "decision");
    }
}

#[test]
fn the_example_of_the_readme_passes() {
    let readme = std::fs::read_to_string(callgate_tests::project().join("analysis/README.md")).unwrap();
    let (_, block) = readme.split_once("```yaml\n").unwrap();
    let (example, _) = block.split_once("```").unwrap();
    let read = |file: &str| {
        let path = callgate_tests::project().join("spec/policies").join(file);
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    };
    let report = run(
        "payments_test.yaml",
        example,
        &Options { filter: None, read: &read, elapsed: &|| Duration::ZERO },
    );
    let totals = Totals::of(std::slice::from_ref(&report));
    assert_eq!((totals.passed, totals.exit_code()), (3, 0), "{report:#?}");
}
