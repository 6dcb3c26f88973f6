//! `callgate explain`.

use crate::{callgate, json, policy};

fn explain(args: &str, more: &[&str]) -> crate::Run {
    let payments = policy("payments.yaml");
    let mut all = vec!["explain", "--policy", &payments, "--tool", "create_charge", "--args", args];
    all.extend(["--identity", "alice", "--at", "2026-11-21T10:00:00Z"]);
    all.extend(more);
    callgate(&all)
}

#[test]
fn the_checks_are_a_tree_with_places_and_outcomes() {
    let run = explain(r#"{"amount": 4200, "currency": "gbp"}"#, &[]);
    assert_eq!((run.status, &*run.err), (0, ""));
    let expected = "\
create_charge
├─ permit \"max single charge\"  passes  /tools/create_charge/rules/0
│  ├─ args.amount gt 0  holds  …/conditions/0
│  └─ args.amount lte 50000  holds  …/conditions/1
└─ permit \"allowed currencies\"  denies  /tools/create_charge/rules/1
   └─ args.currency in [\"usd\",\"eur\"]  fails  …/conditions/0

denied  create_charge  by alice  2026-11-21T10:00:00.000Z
  code          condition_failed
  message       Only USD and EUR charges are allowed.
  rule          allowed currencies, /tools/create_charge/rules/1, line 21
";
    assert_eq!(run.out, expected);
}

#[test]
fn why_stands_below_a_check() {
    let run = explain(r#"{"amount": "4200", "currency": "usd"}"#, &[]);
    assert!(run.out.contains("args.amount gt 0  unknown  …/conditions/0\n"), "{}", run.out);
    let run = explain(r#"{"amount": 4200, "currency": "usd"}"#, &[]);
    assert!(run.out.contains("resets at 2026-11-22T00:00:00.000Z"), "{}", run.out);
}

#[test]
fn json_has_decision_and_checks() {
    let run = explain(r#"{"amount": 4200, "currency": "gbp"}"#, &["--format", "json"]);
    assert_eq!(run.status, 0);
    let explained = json(&run.out);
    assert_eq!(explained["decision"]["code"], "condition_failed");
    let check = &explained["checks"][1];
    assert_eq!(
        (&check["pointer"], &check["outcome"]),
        (&"/tools/create_charge/rules/1".into(), &"denies".into())
    );
    assert_eq!(check["checks"][0]["pointer"], "/tools/create_charge/rules/1/conditions/0");
}

#[test]
fn a_tool_that_nothing_was_checked_of() {
    let run = callgate(&["explain", "--policy", &policy("payments.yaml"), "--tool", "drop\u{1b}[2Jall"]);
    assert_eq!(run.status, 0);
    assert!(
        run.out.contains("nothing in the policy was checked") && run.out.contains("not_listed"),
        "{}",
        run.out
    );
    assert!(!run.out.contains('\u{1b}'), "a tool's name cannot steer the terminal");
}
