//! Test files of stacks of policies.

use super::Folder;
use crate::{callgate, json};

const BASE: &str = "\
version: '1'
name: base
default: deny
hide: [drop_table]
tools: {pay: {require: [{name: cap, conditions: [{path: args.amount, op: lte, value: 100}]}]}, drop_table: {}}
";
const TEAM: &str = "\
version: '1'
name: team
default: deny
tools:
  pay:
    require: [{name: cap, conditions: [{path: args.amount, op: lte, value: 50}]}]
    limits: [{counter: paid, window: day, max: 2}]
  refund: {}
";
const TESTS: &str = "\
policy: [base.yaml, team.yaml]
tests:
  - name: both decide
    each:
      - {tool: pay, args: {amount: 50}, expect: allow}
      - {tool: pay, args: {amount: 60}, expect: deny, rule: {name: cap, layer: team}}
      - {tool: pay, args: {amount: 600}, expect: deny, rule: {name: cap, layer: base}}
      - {tool: drop_table, expect: hidden}
      - {tool: refund, expect: not_listed}
  - name: a reload of one file is one of the stack
    steps:
      - {tool: pay, args: {amount: 50}, repeat: 2, expect: allow}
      - {tool: pay, args: {amount: 50}, expect: limit_exceeded}
      - {reload: [base.yaml, next.yaml], tool: pay, args: {amount: 70}, expect: allow}
      - {reload: base.yaml, tool: pay, args: {amount: 90}, expect: allow}
";

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("base.yaml", BASE);
    folder.write("team.yaml", TEAM);
    folder.write("next.yaml", TEAM.replace("value: 50", "value: 80").replace("max: 2", "max: 3"));
    folder
}

#[test]
fn a_list_of_files_is_tested_as_one_stack() {
    let folder = folder("stack");
    let path = folder.write("a_test.yaml", TESTS);
    let run = callgate(&["test", "--format", "json", &path]);
    assert_eq!(run.status, 0, "{}", run.out);
    let report = json(&run.out);
    assert_eq!(report["totals"]["passed"], 6);
    assert_eq!(report["files"][0]["tests"][0]["policy"], "base.yaml, team.yaml");
    // The order decides which rule is reported, and `layer` tells rules of one name apart.
    let path = folder.write("a_test.yaml", TESTS.replace("[base.yaml, team.yaml]", "[team.yaml, base.yaml]"));
    let run = callgate(&["test", &path]);
    assert_eq!(run.status, 1);
    assert!(run.out.contains("rule.layer: actual   \"team\""), "{}", run.out);
}

/// Stacks and files, side by side in `policies`.
#[test]
fn a_stack_is_one_of_several_policies() {
    let folder = folder("stack-beside");
    let text = "\
policies: [base.yaml, [base.yaml, team.yaml]]
tests: [{name: a, each: [{tool: pay, args: {amount: 5}, expect: allow}, {tool: drop_table, expect: hidden}]}]
";
    let run = callgate(&["test", "--verbose", &folder.write("a_test.yaml", text)]);
    assert_eq!(run.status, 0, "{}", run.out);
    assert!(run.out.contains("a / #1 / base.yaml, team.yaml") && run.out.contains("4 passed"), "{}", run.out);
}

#[test]
fn what_is_wrong_with_a_file_of_a_stack_is_told_of_that_file() {
    let folder = folder("stack-broken");
    let path = folder.write("a_test.yaml", TESTS);
    folder.write("team.yaml", TEAM.replace("default", "defualt"));
    let run = callgate(&["test", &path]);
    assert_eq!(run.status, 2);
    assert!(
        run.out.contains("team.yaml:3:1") && run.out.matches("unknown_field").count() == 1,
        "{}",
        run.out
    );
    folder.write("team.yaml", TEAM.replace("name: team", "name: base"));
    let run = callgate(&["test", &path]);
    assert_eq!(run.status, 2);
    assert!(run.out.contains("error[duplicate_layer]") && run.out.contains("a_test.yaml:1:9"), "{}", run.out);
    folder.write("team.yaml", format!("{TEAM}  Pay: {{}}\n"));
    let run = callgate(&["test", &path]);
    assert!(
        run.out.contains("team.yaml has 2 warnings") && !run.out.contains("base.yaml has"),
        "{}",
        run.out
    );
}

#[test]
fn coverage_of_a_stack_is_not_measured_and_that_is_said() {
    let folder = folder("stack-coverage");
    let of_stack = TESTS.lines().filter(|line| !line.contains("reload: base.yaml"));
    let path = folder.write("a_test.yaml", of_stack.map(|line| format!("{line}\n")).collect::<String>());
    let run = callgate(&["test", "--coverage", &path]);
    assert_eq!(run.status, 0);
    assert!(run.err.contains("coverage of a stack is not measured: base.yaml, team.yaml"), "{}", run.err);
    assert!(!run.out.contains("coverage  "), "{}", run.out);
    // So it cannot be enough.
    let run = callgate(&["test", "--coverage", "--min", "1", &path]);
    assert!(run.status == 1 && run.err.contains("no policy is under test"), "{}", run.err);
    // Tests of a file by itself are measured as ever.
    let alone = "policy: base.yaml\ntests: [{name: a, each: [{tool: drop_table, expect: hidden}]}]\n";
    let alone = folder.write("b_test.yaml", alone);
    let run = callgate(&["test", "--coverage", &path, &alone]);
    assert!(run.out.contains("base.yaml: 1 of 8 ") && !run.out.contains("team.yaml: "), "{}", run.out);
}
