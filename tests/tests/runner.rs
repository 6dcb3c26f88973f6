//! Every decision case of `spec/cases`, run by the runner of policy tests.

use std::time::Duration;

use callgate_analysis::report::{Status, Totals};
use callgate_analysis::{Options, run};
use callgate_tests::suites::{cases, convert, run_converted};

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
        // An inner tool that is not listed is not the one that the step names.
        let is_own = file != "dispatchers.json";
        if is_own && (step["expect"] == "not_listed" || step["expect"] == "invalid_tool") {
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

/// `callgate test --coverage --min 100` (part `core`) measures policies that tests name: so each has to have some.
#[test]
fn every_policy_of_the_repository_has_tests() {
    let mut found = 0;
    for folder in [
        "spec/policies",
        "examples/quickstart",
        "examples/node",
        "examples/python",
        "adapters/rmcp/examples",
        "bindings-python/tests/servers",
    ] {
        for entry in std::fs::read_dir(callgate_tests::project().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let is_text = path.extension().is_some_and(|ending| ending == "yaml" || ending == "json");
            let is_policy = is_text
                && !stem.ends_with("_test")
                && std::fs::read_to_string(&path).unwrap().parse::<callgate::Policy>().is_ok();
            if is_policy {
                let tests = path.with_file_name(format!("{stem}_test.yaml"));
                let text = std::fs::read_to_string(&tests).unwrap();
                let name = path.file_name().unwrap().to_str().unwrap();
                assert!(text.contains(&format!("policy: {name}\n")), "{}", tests.display());
                found += 1;
            }
        }
    }
    assert_eq!(found, 11);
}
