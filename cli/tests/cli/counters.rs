//! `callgate counters`, and `callgate eval` with a store.

use std::path::Path;

use crate::{callgate, file, json};

const POLICY: &str = "\
version: '1'
default: deny
all_tools: {limits: [{counter: all, window: month, max: 100}]}
tools:
  pay: {limits: [{counter: spend, window: month, max: 5, increment_from: args.amount, scope: identity}]}
  ask: {rules: [{rate_limit: 9/day}]}
";

/// A file of counters in which two have paid and one has asked.
fn charged(name: &str) -> (String, String) {
    let policy = file(&format!("{name}.yaml"), POLICY);
    let counters = Path::new(&policy).with_extension("db");
    let _ = std::fs::remove_file(&counters);
    let url = format!("sqlite://{}", counters.display());
    for (tool, args, who, status) in [
        ("pay", r#"{"amount": 3}"#, "alice", 0),
        ("pay", r#"{"amount": 2.5}"#, "alice", 1),
        ("pay", r#"{"amount": 2}"#, "bob", 0),
        ("ask", "{}", "bob", 0),
    ] {
        let call =
            ["eval", "--policy", &policy, "--tool", tool, "--args", args, "--identity", who, "--store", &url];
        let run = callgate(&call);
        assert_eq!((run.status, &*run.err), (status, ""), "{}", run.out);
    }
    (policy, url)
}

fn list(url: &str, more: &[&str]) -> Vec<String> {
    let run = callgate(&[&["counters", "list", "--store", url, "--format", "json"], more].concat());
    assert_eq!((run.status, &*run.err), (0, ""));
    let line = |line: &str| {
        let held = json(line);
        ["tool", "counter", "for", "used"].map(|field| held.get(field).unwrap().to_string()).join(" ")
    };
    let mut lines: Vec<_> = run.out.lines().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn counters_are_listed_as_they_were_declared() {
    let (_, url) = charged("listed");
    let alice = r#""pay" "spend" "id \"alice\"" "3""#;
    let all = [
        r#""ask" "_rate_day" "id \"bob\"" "1""#,
        alice,
        r#""pay" "spend" "id \"bob\"" "2""#,
        r#"null "all" "-" "3""#,
    ];
    assert_eq!(list(&url, &[]), all);
    assert_eq!(list(&url, &["--tool", "pay"]), all[1..3]);
    assert_eq!(list(&url, &["--all-tools"]), all[3..]);
    assert_eq!(list(&url, &["--for", "id \"alice\""]), [alice]);
    // As it is shown to people, too.
    assert_eq!(list(&url, &["--for", "identity id \"alice\""]), [alice]);
    assert_eq!(list(&url, &["--for", "global -"]), all[3..]);
    assert!(list(&url, &["--for", "session id \"alice\""]).is_empty());
    assert!(list(&url, &["--tool", "other"]).is_empty());
    assert!(list(&url, &["--namespace", "other"]).is_empty());
    let run = callgate(&["counters", "list", "--store", &url, "--counter", "all"]);
    let lines: Vec<_> = run.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", run.out);
    assert!(
        lines.last().is_some_and(|line| line.ends_with("all_tools.all, fixed month, global -")),
        "{}",
        run.out
    );
}

#[test]
fn a_reset_makes_room() {
    let (policy, url) = charged("reset");
    let reset = |which: &[&str]| callgate(&[&["counters", "reset", "--store", &url], which].concat());
    let run = reset(&["--tool", "pay", "--counter", "spend", "--for", "id \"alice\""]);
    assert!(run.status == 0 && run.out.ends_with("1 counter reset\n"), "{}{}", run.out, run.err);
    let call =
        ["eval", "--policy", &policy, "--tool", "pay", "--args", r#"{"amount": 5}"#, "--identity", "alice"];
    assert_eq!(callgate(&[&call[..], &["--store", &url]].concat()).status, 0);
    // What is to be reset has to be said.
    for which in [&[][..], &["--counter", "spend"], &["--everything", "--tool", "pay"]] {
        assert_eq!(reset(which).status, 2);
    }
    assert_eq!(list(&url, &[]).len(), 4);
    assert!(reset(&["--tool", "pay"]).out.ends_with("2 counters reset\n"));
    assert!(reset(&["--everything"]).out.ends_with("2 counters reset\n"));
    assert!(list(&url, &[]).is_empty());
}

#[test]
fn budgets_and_local_days_are_listed_and_reset() {
    let policy = file(
        "budgets.yaml",
        "{version: '1', default: deny, time_zone: Asia/Tokyo, budgets: {money: {window: day, max: 9}}, \
         tools: {pay: {limits: [{budget: money, increment_from: args.amount}]}, ask: {rules: [{rate_limit: 9/day}]}}}",
    );
    let counters = Path::new(&policy).with_extension("db");
    let _ = std::fs::remove_file(&counters);
    let url = format!("sqlite://{}", counters.display());
    for (tool, args) in [("pay", r#"{"amount": 3}"#), ("ask", "{}")] {
        let run = callgate(&["eval", "--policy", &policy, "--tool", tool, "--args", args, "--store", &url]);
        assert_eq!((run.status, &*run.err), (0, ""), "{}", run.out);
    }
    let run = callgate(&["counters", "list", "--store", &url, "--budget", "money", "--format", "json"]);
    let held = json(&run.out);
    let shown = ["tool", "budget", "counter", "used"].map(|field| held.get(field).unwrap().to_string());
    assert_eq!(shown, ["null", r#""money""#, r#""money""#, r#""3""#], "{}", run.out);
    let run = callgate(&["counters", "list", "--store", &url, "--budget", "money"]);
    assert!(run.out.contains("budget.money") && run.out.contains("Asia/Tokyo"), "{}", run.out);
    // A budget is no counter of all tools.
    assert!(list(&url, &["--all-tools"]).is_empty());
    let run = callgate(&["counters", "reset", "--store", &url, "--budget", "money"]);
    assert!(run.status == 0 && run.out.ends_with("1 counter reset\n"), "{}{}", run.out, run.err);
    assert_eq!(list(&url, &[]).len(), 1);
}

#[test]
fn a_reset_of_nothing_says_so() {
    let (_, url) = charged("reset-nothing");
    let before = list(&url, &[]);
    for which in [
        // The id alone is not a scope as `list` prints it.
        &["--tool", "pay", "--for", "alice"][..],
        &["--tool", "pya"],
        &["--tool", "pay", "--counter", "spent"],
        &["--everything", "--namespace", "other"],
    ] {
        for format in [&[][..], &["--format", "json"]] {
            let run = callgate(&[&["counters", "reset", "--store", &url], which, format].concat());
            assert_eq!(run.status, 1, "{which:?}");
            assert!(run.err.contains("no counter that holds anything is selected"), "{}", run.err);
            assert!(run.err.contains(r#"--for 'id "alice"'"#), "{}", run.err);
        }
    }
    assert_eq!(list(&url, &[]), before);
}

#[test]
fn a_store_that_cannot_be_opened_says_why_and_is_not_made() {
    let missing = Path::new(&file("missing.yaml", POLICY)).with_file_name("no-counters.db");
    let run = callgate(&["counters", "list", "--store", &format!("sqlite://{}", missing.display())]);
    assert_eq!((run.status, &*run.out), (2, ""));
    assert!(run.err.contains("cannot be opened") && !run.err.contains("no-counters"), "{}", run.err);
    assert!(!missing.exists());
    for (url, reason) in [("memory", "one process"), ("nowhere", "no known form")] {
        let run = callgate(&["counters", "list", "--store", url]);
        assert!(run.status == 2 && run.err.contains(reason), "{}", run.err);
    }
}

#[test]
fn people_get_columns_that_line_up() {
    let (_, url) = charged("columns");
    let run = callgate(&["counters", "list", "--store", &url]);
    let mut lines = run.out.lines();
    let until = lines.next().unwrap().find("UNTIL").unwrap();
    let dates: Vec<_> = lines.map(|line| line.find(" 20").map(|space| space + 1)).collect();
    assert!(!dates.is_empty() && dates.iter().all(|date| *date == Some(until)), "{}", run.out);
}
