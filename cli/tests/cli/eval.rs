//! `callgate eval` of one call.

use crate::{callgate, callgate_with, file, json, policy};

const AT: [&str; 2] = ["--at", "2026-11-21T10:00:00Z"];

fn charge<'a>(path: &'a str, args: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["eval", "--policy", path, "--tool", "create_charge", "--args", args];
    all.extend(AT);
    all.extend(more);
    all
}

#[test]
fn an_allowed_call() {
    let payments = policy("payments.yaml");
    let run =
        callgate(&charge(&payments, r#"{"amount": 4200, "currency": "usd"}"#, &["--identity", "alice"]));
    assert_eq!((run.status, &*run.err), (0, ""));
    let expected = "\
allowed  create_charge  by alice  2026-11-21T10:00:00.000Z
  code          allowed
  counter       create_charge.spend: 4200 used, 4200 by this call, until 2026-11-22T00:00:00.000Z
";
    assert_eq!(run.out, expected);
}

#[test]
fn a_denied_call_and_one_to_be_approved() {
    let payments = policy("payments.yaml");
    let run = callgate(&charge(&payments, r#"{"amount": 99999, "currency": "usd"}"#, &[]));
    assert_eq!(run.status, 1);
    assert!(run.out.starts_with("denied  create_charge  2026"), "{}", run.out);
    for part in
        ["condition_failed", "at most $500.00", "max single charge, /tools/create_charge/rules/0, line 11"]
    {
        assert!(run.out.contains(part), "{}", run.out);
    }
    let run = callgate(&charge(&payments, r#"{"amount": 30000, "currency": "usd"}"#, &[]));
    assert_eq!(run.status, 1);
    assert!(run.out.starts_with("needs approval  ") && run.out.contains("approval key"), "{}", run.out);
}

#[test]
fn json_is_the_decision_and_nothing_else() {
    let payments = policy("payments.yaml");
    let run = callgate(&charge(
        &payments,
        r#"{"amount": 99999, "currency": "usd"}"#,
        &["--format", "json", "--summary"],
    ));
    assert_eq!((run.status, run.out.lines().count()), (1, 1));
    let decision = json(&run.out);
    assert_eq!(decision["code"], "condition_failed");
    assert_eq!(decision["rule"]["pointer"], "/tools/create_charge/rules/0");
    assert!(run.err.starts_with("1 call: 0 allowed, 1 denied\n"), "{}", run.err);
}

#[test]
fn a_table_of_one() {
    let payments = policy("payments.yaml");
    let run = callgate(&charge(&payments, "{}", &["--format", "table", "--identity", r#"{"grant": "g-7"}"#]));
    assert_eq!(run.status, 1);
    let lines: Vec<&str> = run.out.lines().collect();
    for title in ["time", "calls", "tool", "identity", "decision", "code", "rule", "retry after"] {
        assert!(lines[0].contains(title), "{}", lines[0]);
    }
    assert_eq!(lines[1], "2026-11-21 (UTC)");
    assert_eq!(
        lines[2].split_whitespace().collect::<Vec<_>>(),
        ["10:00:00", "create_charge", "g-7", "denied", "condition_failed", "max", "single", "charge", "-"]
    );
}

#[test]
fn arguments_come_from_files_and_standard_input_too() {
    let payments = policy("payments.yaml");
    let path = file("eval-args.json", r#"{"amount": 4200, "currency": "usd"}"#);
    assert_eq!(callgate(&charge(&payments, &format!("@{path}"), &[])).status, 0);
    let run = callgate_with(&charge(&payments, "-", &[]), br#"{"amount": 4200, "currency": "gbp"}"#);
    assert_eq!(run.status, 1);
    assert!(run.out.contains("Only USD and EUR"), "{}", run.out);
    let run = callgate(&charge(&payments, "@no-such-file.json", &[]));
    assert_eq!(run.status, 2);
    assert!(run.err.starts_with("error: no-such-file.json: "), "{}", run.err);
    assert_eq!(callgate_with(&charge(&payments, "-", &[]), b"\xff").status, 2);
}

/// Trap 18: arguments reach core as they were written.
#[test]
fn arguments_are_as_strict_as_core_is() {
    let payments = policy("payments.yaml");
    for args in [
        r#"{"amount": 99999, "amount": 1, "currency": "usd"}"#,
        "",
        "null",
        "[]",
        "{} {}",
        r#"{"a": "\ud800"}"#,
    ] {
        let run = callgate(&charge(&payments, args, &["--format", "json"]));
        assert_eq!((run.status, &json(&run.out)["code"]), (1, &"invalid_args".into()), "{args}");
    }
}

#[test]
fn identities_are_ids_or_claims() {
    let payments = policy("payments.yaml");
    let refund = |identity: &str| {
        let args = r#"{"reason": "late", "amount": 5}"#;
        let tool =
            ["eval", "--policy", &payments, "--tool", "create_refund", "--args", args, "--format", "json"];
        let mut all = tool.to_vec();
        if !identity.is_empty() {
            all.extend(["--identity", identity]);
        }
        callgate(&all)
    };
    for identity in ["alice", "42", "\"alice\"", r#"{"id": "alice"}"#, r#"{"grant": "g-7"}"#] {
        assert_eq!(refund(identity).status, 0, "{identity}");
    }
    let run = refund("");
    assert_eq!((run.status, &json(&run.out)["code"]), (1, &"identity_required".into()));
    for identity in ["{", r#"{"grant": "a", "grant": "b"}"#] {
        let run = refund(identity);
        assert_eq!((run.status, &*run.out), (2, ""), "{identity}");
        assert!(
            run.err.contains("--identity is not valid JSON") && run.err.contains("help: "),
            "{}",
            run.err
        );
    }
}

#[test]
fn a_policy_that_does_not_load_is_shown_with_its_errors() {
    let path = file("eval-typo.yaml", "version: \"1\"\ndefualt: deny\n");
    let run = callgate(&charge(&path, "{}", &[]));
    assert_eq!((run.status, &*run.out), (2, ""));
    assert!(
        run.err.contains("defualt: deny\n") && run.err.contains("did you mean `default`?"),
        "{}",
        run.err
    );
    let run = callgate(&charge("no-such-file.yaml", "{}", &[]));
    assert_eq!(run.status, 2);
    assert!(run.err.starts_with("error: no-such-file.yaml: "), "{}", run.err);
    let run = callgate(&charge(&policy("seed-create-token-with-iam.yaml"), "{}", &[]));
    assert_eq!(run.status, 0);
    assert!(run.err.starts_with("warning: ") && run.err.contains("2 warnings"), "{}", run.err);
}

#[test]
fn files_of_arguments_are_named_and_may_begin_with_a_mark() {
    let path = policy("payments.yaml");
    let run = callgate(&charge(&path, "@", &[]));
    assert_eq!((run.status, &*run.out), (2, ""));
    assert!(
        run.err.contains("`--args @` names no file") && run.err.contains("--args @call.json"),
        "{}",
        run.err
    );

    let args = r#"{"amount": 4200, "currency": "usd"}"#;
    let plain = callgate(&charge(&path, args, &["--format", "json"]));
    let marked = format!("@{}", file("eval-mark.json", format!("\u{feff}{args}")));
    assert_eq!(callgate(&charge(&path, &marked, &["--format", "json"])).status, plain.status);
    for (name, text) in [("-", args.to_owned()), ("@-", args.to_owned()), ("-", format!("\u{feff}{args}"))] {
        let run = crate::callgate_with(&charge(&path, name, &["--format", "json"]), text.as_bytes());
        assert_eq!(
            (run.status, run.out.contains("\"allowed\"")),
            (plain.status, true),
            "{name}: {}",
            run.out
        );
    }
}
