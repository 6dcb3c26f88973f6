//! What passes and what fails.

use super::{Folder, POLICY};
use crate::{Run, callgate, json};

/// Runs a test file of the policy.
fn run(folder: &Folder, text: &str) -> Run {
    callgate(&["test", &folder.suite(text)])
}

#[test]
fn what_is_as_expected_passes_and_what_is_not_fails() {
    let folder = Folder::new("outcomes");
    let suite = |expect: &str| {
        format!(
            "policy: p.yaml\ntests: [{{name: pays, each: [{{tool: pay, args: {{amount: 101}}, expect: {expect}}}]}}]\n"
        )
    };
    for expect in
        ["deny", "condition_failed", "condition_failed, rule: cap", "deny, rule: /tools/pay/rules/0"]
    {
        let run = run(&folder, &suite(expect));
        assert_eq!(run.status, 0, "{expect}: {}", run.out);
        assert!(run.out.contains("a_test.yaml  1 passed\n1 passed; 1 call in "), "{}", run.out);
    }
    for (expect, says) in [
        ("allow", "decision: expected allow\n  = note: decision: actual   deny (condition_failed)"),
        (
            "approval",
            "decision: expected require_approval\n  = note: decision: actual   deny (condition_failed)",
        ),
        ("denied", "decision: expected denied\n  = note: decision: actual   deny (condition_failed)"),
        ("deny, rule: large", "rule: expected large\n  = note: rule: actual   cap (/tools/pay/rules/0)"),
        ("deny, rule: null", "rule: expected no rule\n  = note: rule: actual   cap (/tools/pay/rules/0)"),
        ("deny, retry_after: 5", "retry_after: expected 5\n  = note: retry_after: actual   null"),
        (
            "deny, message: No.",
            "message: expected \"No.\"\n  = note: message: actual   \"Denied by rule \\\"cap\\\"\"",
        ),
        (
            "deny, counters: [{used: 1}]",
            "number of counters: expected 1\n  = note: number of counters: actual   0",
        ),
        (
            "deny, approval_rules: [large]",
            "approval_rules: expected [\"large\"]\n  = note: approval_rules: actual   null",
        ),
    ] {
        let run = run(&folder, &suite(expect));
        assert_eq!(run.status, 1, "{expect}: {}", run.out);
        assert!(run.out.contains(says) && run.out.contains("error: failed: pays\n"), "{expect}: {}", run.out);
        // Every check that led to the decision.
        assert!(run.out.contains("permit \"cap\"  denies  /tools/pay/rules/0"), "{}", run.out);
    }
}

/// `deny` is a denial by the policy: a call that never got to a rule shows nothing of the rules.
#[test]
fn a_call_that_cannot_be_read_is_not_denied() {
    let folder = Folder::new("unread");
    let long = "x".repeat(1_025);
    for (call, code) in [
        ("tool: pay, raw: '{\"amount\": 1, \"amount\": 2}'", "invalid_args"),
        ("tool: pay, raw: 'amount'", "invalid_args"),
        ("tool: pay, args: [1]", "invalid_args"),
        ("tool: pay, args: null", "invalid_args"),
        (
            "tool: pay, args: {amount: \"1\"}, check: {schema: {properties: {amount: {type: number}}}}",
            "invalid_args",
        ),
        ("tool: list, identity: 5", "invalid_identity"),
        ("tool: list, raw_identity: '[]'", "invalid_identity"),
        (&format!("tool: {long}, unlisted: true"), "invalid_tool"),
    ] {
        let text = |expect: &str| {
            format!("policy: p.yaml\ntests: [{{name: a, each: [{{{call}, expect: {expect}}}]}}]\n")
        };
        let failed = run(&folder, &text("deny"));
        assert_eq!(failed.status, 1, "{call}: {}", failed.out);
        let says = format!("expected deny by a rule (write `expect: {code}` if this is meant)");
        assert!(failed.out.contains(&says), "{call}: {}", failed.out);
        assert_eq!(run(&folder, &text(code)).status, 0, "{call}");
    }
    // A tool that is not listed has to be meant.
    for (call, status) in [
        ("tool: refund, expect: deny", 2),
        ("tool: refund, expect: deny, unlisted: true", 0),
        ("tool: refund, expect: not_listed", 0),
    ] {
        let run = run(&folder, &format!("policy: p.yaml\ntests: [{{name: a, each: [{{{call}}}]}}]\n"));
        assert_eq!(run.status, status, "{call}: {}", run.out);
    }
}

#[test]
fn a_test_that_is_marked_to_fail_fails_once_it_passes() {
    let folder = Folder::new("todo");
    let text = |expect: &str| {
        format!(
            "policy: p.yaml\ntests: [{{name: a, todo: caps are to come, each: [{{tool: list, expect: {expect}}}]}}]\n"
        )
    };
    let known = run(&folder, &text("deny"));
    assert_eq!(known.status, 0, "{}", known.out);
    assert!(known.out.contains("  todo  a: caps are to come\n1 todo; "), "{}", known.out);
    let passes = run(&folder, &text("allow"));
    assert_eq!(passes.status, 1, "{}", passes.out);
    assert!(
        passes.out.contains("  failed  a: it passes: remove `todo: caps are to come`\n"),
        "{}",
        passes.out
    );
}

/// An approval or an ending that nothing asks for would pass whatever the policy says.
#[test]
fn an_approval_that_nothing_asks_for_fails() {
    let folder = Folder::new("approvals");
    let text = |steps: &str| format!("policy: p.yaml\ntests: [{{name: a, steps: [{steps}]}}]\n");
    let says =
        "approve: expected a call that asks for approval\n  = note: approve: actual   one that does not";
    for (steps, part) in [
        (
            "{tool: pay, args: {amount: 60}, expect: approval, approval_rules: [large]}, {tool: pay, args: {amount: 60}, approve: i, expect: allow}, {tool: pay, args: {amount: 60}, approve: i, expect: approval_spent}",
            "",
        ),
        (
            "{name: b, tool: pay, args: {amount: 60}, expect: approval}, {tool: pay, args: {amount: 61}, approve: {id: i, key_of: b}, expect: approval}, {tool: pay, args: {amount: 60}, approve: {id: i, key_of: b}, expect: allow}",
            "",
        ),
        // The approval does not stand above a rule that denies.
        ("{tool: pay, args: {amount: 101}, approve: i, expect: condition_failed}", ""),
        ("{tool: pay, args: {amount: 50}, approve: i, expect: allow}", says),
        ("{tool: list, approve: i, expect: allow}", says),
        (
            "{name: b, tool: list, expect: allow}, {tool: pay, args: {amount: 60}, approve: {id: i, key_of: b}, expect: approval}",
            says,
        ),
    ] {
        let run = run(&folder, &text(steps));
        assert_eq!(run.status, i32::from(!part.is_empty()), "{steps}: {}", run.out);
        assert!(run.out.contains(part), "{steps}: {}", run.out);
    }
}

#[test]
fn an_ending_without_charges_fails() {
    let folder = Folder::new("endings");
    let text = |steps: &str| format!("policy: p.yaml\ntests: [{{name: a, steps: [{steps}]}}]\n");
    let nothing = "finish: expected charges to finish\n  = note: finish: actual   none";
    let twice = "finish_error: expected no error\n  = note: finish_error: actual   finished";
    for (steps, part) in [
        (
            "{tool: read_x, expect: allow, finish: not_run, repeat: 1}, {tool: read_x, repeat: 2, expect: allow}, {tool: read_x, expect: limit_exceeded}",
            "",
        ),
        (
            "{name: b, tool: read_x, repeat: 2, expect: allow}, {tool: read_x, expect: allow, finish: not_run, finish_of: b}",
            "",
        ),
        (
            "{name: b, tool: read_x, expect: allow}, {tool: list, expect: allow, finish: done, finish_of: b}, {tool: list, expect: allow, finish: done, finish_of: b, finish_error: finished}",
            "",
        ),
        ("{tool: list, expect: allow, finish: done}", nothing),
        (
            "{name: b, tool: list, expect: allow}, {tool: list, expect: allow, finish: done, finish_of: b}",
            nothing,
        ),
        (
            "{name: b, tool: list, expect: allow}, {tool: list, expect: allow, finish: done, finish_of: b, finish_error: finished}",
            nothing,
        ),
        ("{tool: pay, args: {amount: 101}, expect: deny, finish: not_run}", nothing),
        (
            "{name: b, tool: read_x, expect: allow, explain: true}, {tool: list, expect: allow, finish: done, finish_of: b}",
            nothing,
        ),
        (
            "{name: b, tool: read_x, expect: allow}, {tool: list, expect: allow, finish: done, finish_of: b}, {tool: list, expect: allow, finish: done, finish_of: b}",
            twice,
        ),
    ] {
        let run = run(&folder, &text(steps));
        assert_eq!(run.status, i32::from(!part.is_empty()), "{steps}: {}", run.out);
        assert!(run.out.contains(part), "{steps}: {}", run.out);
    }
}

/// `as` of a matrix is the caller, also where it is nobody and not a list.
#[test]
fn a_matrix_has_the_caller_that_it_names() {
    let folder = Folder::new("callers");
    folder.write(
        "grants.yaml",
        "version: \"1\"\ndefault: deny\ntools: {t: {limits: [{counter: n, window: day, max: 1, scope: grant}]}}\n",
    );
    let text = |caller: &str, outcome: &str| {
        format!(
            "policy: grants.yaml\nidentities: {{al: al, nobody: null}}\ncalls: {{c: {{tool: t, as: al}}}}\ntests: [{{name: a, matrix: {{{caller}call: [c]}}, expect: {{c: {outcome}}}}}]\n"
        )
    };
    for (caller, outcome) in [("", "allow"), ("as: al, ", "allow"), ("as: nobody, ", "identity_required")] {
        let run = run(&folder, &text(caller, outcome));
        assert_eq!(run.status, 0, "{caller}: {}", run.out);
    }
}

#[test]
fn every_test_runs_on_each_of_several_policies() {
    let folder = Folder::new("several");
    folder.write("tight.yaml", POLICY.replace("value: 100", "value: 10"));
    let text = "policies: [p.yaml, tight.yaml]\ntests:\n  - {name: caps, each: [{tool: pay, args: {amount: 11}, expect: allow}]}\n  - {name: lists, each: [{tool: list, expect: allow}]}\n";
    let run = callgate(&["test", "--format", "json", &folder.suite(text)]);
    assert_eq!(run.status, 1, "{}", run.out);
    let found = json(&run.out);
    let tests: Vec<_> = found["files"][0]["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| [&test["name"], &test["policy"], &test["status"]].map(|text| text.as_str().unwrap()))
        .collect();
    assert_eq!(
        tests,
        [
            ["caps / p.yaml", "p.yaml", "passed"],
            ["lists / p.yaml", "p.yaml", "passed"],
            ["caps / tight.yaml", "tight.yaml", "failed"],
            ["lists / tight.yaml", "tight.yaml", "passed"],
        ]
    );
}

#[test]
fn counters_go_on_when_a_policy_is_put_in_force() {
    let folder = Folder::new("reload");
    folder.write("wide.yaml", POLICY.replace("2/minute", "3/minute"));
    let text = "policy: p.yaml\ntests:\n  - name: a\n    steps:\n      - {tool: read_x, repeat: 2, expect: allow}\n      - {tool: read_x, expect: limit_exceeded}\n      - {reload: wide.yaml, tool: read_x, expect: allow, counters: [{used: 3, max: 3}]}\n      - {tool: read_x, expect: limit_exceeded, retry_after: 60}\n      - {after: 60s, tool: read_x, expect: allow, counters: [{used: 1}]}\n";
    let run = run(&folder, text);
    assert_eq!(run.status, 0, "{}", run.out);
    let folder = Folder::new("reload-fails");
    folder.write("wide.yaml", POLICY.replace("2/minute", "3/minute"));
    let run = super::outcomes::run(&folder, &text.replace("used: 3", "used: 1"));
    assert_eq!(run.status, 1, "{}", run.out);
    assert!(
        run.out.contains("counters[0].used: expected \"1\"\n  = note: counters[0].used: actual   \"3\""),
        "{}",
        run.out
    );
}

/// The server's own list: arguments are checked against its schemas first.
#[test]
fn arguments_are_checked_against_the_servers_list() {
    let folder = Folder::new("tools");
    folder.write(
        "tools.json",
        r#"{"tools": [{"name": "pay", "inputSchema": {"properties": {"amount": {"type": "integer"}}}}]}"#,
    );
    let text = |expect: &str| {
        format!(
            "policy: p.yaml\ntools: tools.json\ntests: [{{name: a, each: [{{tool: pay, args: {{amount: true}}, expect: {expect}}}]}}]\n"
        )
    };
    assert_eq!(run(&folder, &text("invalid_args")).status, 0);
    assert_eq!(run(&folder, &text("condition_failed")).status, 1);
}

/// A reader that goes away, as `head` does, changes no answer.
#[test]
fn a_closed_pipe_does_not_make_a_failure_pass() {
    use std::process::{Command, Stdio};
    let folder = Folder::new("closed_pipe");
    let text = "policy: p.yaml\ntests: [{name: pays, each: [{tool: list, expect: deny}]}]\n";
    folder.suite(text);
    for index in 0..20 {
        folder.write(&format!("{index}_test.yaml"), text);
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_callgate"))
        .args(["test", &folder.path("")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_rule_is_expected_even_by_a_field_that_is_null() {
    let folder = Folder::new("null_field");
    let run = run(
        &folder,
        "policy: p.yaml\ntests: [{name: a, each: [{tool: list, expect: allow, rule: {name: null}}]}]\n",
    );
    assert_eq!(run.status, 1, "{}", run.out);
    assert!(run.out.contains("rule: expected a rule"), "{}", run.out);
}

/// Spec 1.8: a host that watches the file would keep the policy in force.
#[test]
fn a_reload_of_half_a_file_fails() {
    let folder = Folder::new("half");
    folder.write("half.yaml", "version: \"1\"\ntools: {list: null}\n");
    let run = run(
        &folder,
        "policy: p.yaml\ntests: [{name: a, steps: [{reload: half.yaml, tool: list, expect: allow}]}]\n",
    );
    assert_eq!(run.status, 1, "{}", run.out);
    assert!(run.out.contains("reload: actual   missing_default"), "{}", run.out);
    assert!(run.out.contains("half.yaml has 2 warnings"), "{}", run.out);
}

#[test]
fn the_arguments_of_a_file_are_bounded() {
    let folder = Folder::new("bounded");
    let call = format!("{{tool: list, raw: \"{}\"}}", "x".repeat(1 << 20));
    let step = "      - {call: c, expect: deny}\n";
    let run = run(
        &folder,
        &format!(
            "policy: p.yaml\ncalls: {{c: {call}}}\ntests:\n  - name: a\n    each:\n{}",
            step.repeat(200)
        ),
    );
    assert_eq!(run.status, 2, "{}", &run.out[..400]);
    assert_eq!(run.out.matches("error[too_large]").count(), 1);
}
