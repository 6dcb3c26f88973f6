//! `callgate test --coverage`.

use std::fs;
use std::path::Path;

use super::{callgate, json};

const POLICY: &str = "\
version: \"1\"
default: deny
tools:
  pay:
    require:
      - name: small
        conditions: [{path: args.amount, op: lte, value: 5}]
  get: {}
";

/// A folder of a test's own with a policy and tests of it.
fn folder(name: &str, tests: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("pay.yaml"), POLICY).unwrap();
    fs::write(folder.join("pay_test.yaml"), format!("policy: pay.yaml\ntests:\n{tests}")).unwrap();
    folder.to_str().unwrap().to_owned()
}

const SMALL: &str = "  - {name: small, each: [{tool: pay, args: {amount: 4}, expect: allow}]}\n";
const LARGE: &str = "  - {name: large, each: [{tool: pay, args: {amount: 6}, expect: condition_failed}]}\n";
const GET: &str = "  - {name: get, each: [{tool: get, expect: allow}]}\n";
const OTHER: &str = "  - {name: other, each: [{tool: other, expect: not_listed}]}\n";

#[test]
fn each_gap_is_shown_where_it_is_with_its_reason() {
    let folder = folder("coverage_gaps", &[SMALL, GET].concat());
    let run = callgate(&["test", &folder, "--coverage"]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(run.out.contains("pay.yaml: 4 of 7 points (57 %)"), "{}", run.out);
    for (title, place, reason) in [
        ("not covered: default: deny hit", "pay.yaml:2:10", "no test calls a tool that is not listed"),
        ("not covered: rule \"small\" acted", "pay.yaml:6:9", "reached in 1 call, always passed"),
        (
            "not covered: condition args.amount lte 5 fails",
            "pay.yaml:7:22",
            "reached in 1 call, always holds",
        ),
    ] {
        let (_, after) = run.out.split_once(title).unwrap_or_else(|| panic!("{title}\n{}", run.out));
        let excerpt: Vec<&str> = after.lines().take(8).collect();
        assert!(excerpt[1].ends_with(place), "{excerpt:#?}");
        assert!(excerpt.iter().any(|line| line.contains(reason)), "{excerpt:#?}");
    }
}

/// What decides by the names of arguments is a rule, and has two outcomes that decisions depend on.
#[test]
fn closed_arguments_are_covered() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("coverage_only_args");
    fs::create_dir_all(&folder).unwrap();
    let policy =
        "version: \"1\"\ndefault: allow\ntools:\n  pay: {only_args: [amount]}\n  list: {only_args: []}\n";
    fs::write(folder.join("closed.yaml"), policy).unwrap();
    let tests = "policy: closed.yaml\ntests:
  - name: all
    each:
      - {tool: pay, args: {amount: 1}, expect: allow}
      - {tool: pay, args: {memo: x}, expect: deny, rule: /tools/pay/only_args}
      - {tool: list, expect: allow}
      - {tool: list, args: {memo: x}, expect: deny, rule: /tools/list/only_args}
      - {tool: other, unlisted: true, expect: allow}\n";
    fs::write(folder.join("closed_test.yaml"), tests).unwrap();
    let run = callgate(&["test", folder.to_str().unwrap(), "--coverage", "--min", "100"]);
    assert_eq!(run.status, 0, "{}{}", run.out, run.err);
    for said in ["no decision depends", "not known"] {
        assert!(!format!("{}{}", run.out, run.err).contains(said), "{}{}", run.out, run.err);
    }
}

#[test]
fn the_least_coverage_is_in_whole_points() {
    let all = [SMALL, LARGE, GET, OTHER].concat();
    let whole = folder("coverage_whole", &all);
    assert_eq!(callgate(&["test", &whole, "--coverage", "--min", "100"]).status, 0);
    // 6 of 7 points are 85.7 %.
    let part = folder("coverage_part", &[SMALL, LARGE, GET].concat());
    assert_eq!(callgate(&["test", &part, "--coverage", "--min", "85"]).status, 0);
    let run = callgate(&["test", &part, "--coverage", "--min", "86"]);
    assert_eq!(run.status, 1);
    assert!(run.err.contains("less than 86 %") && run.err.contains("6 of 7 points"), "{}", run.err);
    // A test that fails is the worse news.
    let failing = folder("coverage_failing", &SMALL.replace("allow", "deny"));
    let run = callgate(&["test", &failing, "--coverage", "--min", "100"]);
    assert_eq!((run.status, run.err.as_str()), (1, ""));
}

#[test]
fn machines_get_points_and_reasons() {
    let folder = folder("coverage_json", SMALL);
    let run = callgate(&["test", &folder, "--coverage", "--format", "json"]);
    let report = &json(&run.out)["coverage"][0];
    assert_eq!((&report["hit"], &report["total"]), (&3.into(), &7.into()), "{report}");
    let acted = report["points"].as_array().unwrap().iter().find(|point| point["branch"] == "acted").unwrap();
    assert_eq!(acted["pointer"], "/tools/pay/require/0");
    assert_eq!(acted["gap"]["reason"], "one_sided");

    let lcov = format!("{folder}/lcov.info");
    assert_eq!(callgate(&["test", &folder, "--coverage", "--lcov", &lcov]).status, 0);
    let lcov = fs::read_to_string(lcov).unwrap();
    assert!(lcov.starts_with("TN:\nSF:") && lcov.ends_with("end_of_record\n"), "{lcov}");
    assert!(lcov.contains("BRF:7\nBRH:3\n"), "{lcov}");

    let run = callgate(&["test", &folder, "--coverage", "--format", "markdown"]);
    assert!(run.out.contains("| 3 of 7 | 4 |"), "{}", run.out);
}

#[test]
fn a_policy_that_two_files_test_is_covered_by_both() {
    let folder = folder("coverage_both", &[SMALL, LARGE].concat());
    let second = format!("policy: ./pay.yaml\ntests:\n{GET}{OTHER}");
    fs::write(Path::new(&folder).join("more_test.yaml"), second).unwrap();
    let run = callgate(&["test", &folder, "--coverage", "--min", "100"]);
    assert_eq!(run.status, 0, "{}{}", run.out, run.err);
    assert_eq!(run.out.matches("coverage  ").count(), 1, "{}", run.out);
}

#[test]
fn options_of_coverage_want_coverage() {
    for option in [&["--min", "5"], &["--lcov", "x"]] {
        assert_eq!(callgate(&["test", option[0], option[1]]).status, 2);
    }
    for min in ["0", "101", "x"] {
        assert_eq!(callgate(&["test", "--coverage", "--min", min]).status, 2);
    }
}

#[test]
fn what_is_covered_and_decides_nothing_is_named() {
    let policy = "\
version: \"1\"
default: deny
tools:
  pay:
    require:
      - {path: args.amount, op: gt, value: 0}
      - {path: args.amount, op: lte, value: 5}
";
    let both = "policy: twice.yaml\ntests:\n  - {name: text, each: [{tool: pay, args: {amount: x}, expect: deny}]}\n";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("coverage_same");
    fs::create_dir_all(&folder).unwrap();
    let policy = policy
        .replace("    require:\n", "    require:\n      - conditions:\n")
        .replace("      - {path", "          - {path");
    fs::write(folder.join("twice.yaml"), policy).unwrap();
    fs::write(folder.join("twice_test.yaml"), both).unwrap();
    let run = callgate(&["test", folder.to_str().unwrap(), "--coverage"]);
    assert_eq!(run.status, 0, "{}", run.err);
    let wanted = "covered, but  condition args.amount gt 0 fails: no decision depends on it, \
                  /tools/pay/require/0/conditions/1 decides the same";
    assert!(run.out.contains(wanted), "{}", run.out);
}

/// A policy that tests name and that decides none of their calls is at 0 %, and is not left out.
#[test]
fn a_policy_that_decides_nothing_is_reported() {
    let all = [SMALL, LARGE, GET, OTHER].concat();
    let skipped =
        "policy: other.yaml\ntests:\n  - {name: later, skip: no time, each: [{tool: pay, expect: allow}]}\n";
    let replaced = "policy: other.yaml\ntests:\n  - name: next\n    steps: [{reload: pay.yaml, tool: get, expect: allow}]\n";
    let second = "policies: [other.yaml, pay.yaml]\ntests:\n  - name: both\n    steps: \
                  [{reload: pay.yaml, tool: get, expect: allow}]\n";
    for (name, tests) in [("skipped", skipped), ("replaced", replaced), ("second", second)] {
        let folder = folder(&format!("coverage_unseen_{name}"), &all);
        fs::write(Path::new(&folder).join("other.yaml"), POLICY.replace("lte", "lt")).unwrap();
        fs::write(Path::new(&folder).join("other_test.yaml"), tests).unwrap();
        let run = callgate(&["test", &folder, "--coverage", "--min", "100", "--format", "json"]);
        assert_eq!(run.status, 1, "{name}: {}{}", run.out, run.err);
        assert!(run.err.contains("other.yaml: 0 of 7 points (0 %)"), "{name}: {}", run.err);
        let reports = &json(&run.out)["coverage"];
        assert_eq!(reports.as_array().unwrap().len(), 2, "{name}: {reports}");
        assert_eq!(reports[0]["points"][0]["gap"]["reason"], "not_called", "{name}");
    }
}

/// How near tests come to a bound are values of arguments, which may be secrets.
#[test]
fn values_of_arguments_are_shown_only_where_asked_for() {
    let tests = SMALL.replace("amount: 4}", "amount: 3.14159}");
    let folder = folder("coverage_values", &tests);
    let lcov = Path::new(&folder).join("lcov.info");
    for format in ["human", "json", "junit", "markdown"] {
        let args = ["test", &folder, "--coverage", "--format", format, "--lcov", lcov.to_str().unwrap()];
        let run = callgate(&args);
        assert_eq!(run.status, 0, "{format}: {}", run.err);
        assert!(!run.out.contains("3.14159"), "{format}: {}", run.out);
        let verbose = callgate(&[&args[..], &["--verbose"]].concat());
        assert_eq!(verbose.out.contains("3.14159"), ["human", "json"].contains(&format), "{format}");
        assert!(!fs::read_to_string(&lcov).unwrap().contains("3.14159"));
    }
}
