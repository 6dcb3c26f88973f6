//! `callgate eval --calls`: streams of calls.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::{callgate, callgate_with, file, json, policy};

/// An agent that makes the same call every 100 ms.
fn loop_of(calls: u64) -> String {
    (0..calls)
        .map(|n| {
            let (minute, second, millis) = (n / 600, n / 10 % 60, n % 10 * 100);
            let at = format!("2026-11-21T10:{minute:02}:{second:02}.{millis:03}Z");
            format!("{{\"tool\": \"create_access_key\", \"identity\": \"agent-7\", \"at\": \"{at}\"}}\n")
        })
        .collect()
}

#[test]
fn counters_are_kept_and_the_clock_follows_the_calls() {
    let (keys, calls) = (policy("seed-create-access-key.json"), file("stream-loop.jsonl", loop_of(1_000)));
    let run = callgate(&["eval", "--policy", &keys, "--calls", &calls, "--format", "table", "--summary"]);
    assert_eq!((run.status, &*run.err), (0, ""));
    let rows: Vec<Vec<&str>> = run.out.lines().map(|line| line.split_whitespace().collect()).collect();
    let rule = "/tools/create_access_key/limits/0";
    let allowed =
        |time, calls| vec![time, "×", calls, "create_access_key", "agent-7", "allowed", "allowed", "-", "-"];
    let denied = |time, calls, first, last| {
        let mut row =
            vec![time, "×", calls, "create_access_key", "agent-7", "denied", "limit_exceeded", rule, first];
        row.extend(["…", last]);
        row
    };
    assert_eq!(rows[2], allowed("10:00:00", "30"));
    assert_eq!(rows[3], denied("10:00:03", "570", "57s", "1s"));
    assert_eq!(rows[4], allowed("10:01:00", "30"));
    assert_eq!(rows[5], denied("10:01:03", "370", "57s", "21s")[..]);
    let summary = "\
1,000 calls: 60 allowed, 940 denied
  by code  limit_exceeded 940, allowed 60
  by tool  create_access_key 1,000
  by rule  /tools/create_access_key/limits/0 940
";
    assert!(run.out.ends_with(summary), "{}", run.out);
}

#[test]
fn a_line_that_is_no_call_is_counted_and_the_stream_goes_on() {
    let keys = policy("seed-create-access-key.json");
    let lines = "{\"tool\": \"create_access_key\", \"identity\": \"a\"}\n\n{\"tool\": 7}\n{\"tool\": \"other\"}\nnonsense";
    let run = callgate_with(
        &["eval", "-p", &keys, "--calls", "-", "--format", "json", "--summary"],
        lines.as_bytes(),
    );
    assert_eq!(run.status, 2);
    let codes: Vec<_> = run.out.lines().map(|line| json(line)["code"].clone()).collect();
    assert_eq!(codes, ["allowed", "not_listed"]);
    let errors: Vec<&str> = run.err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 2);
    assert!(
        errors[0].starts_with("error: -:3:10: invalid type") && errors[1].starts_with("error: -:5: expected")
    );
    assert!(run.err.contains("2 calls: 1 allowed, 1 denied, 2 not valid\n"), "{}", run.err);
}

#[test]
fn a_stream_of_denials_is_no_failure_and_an_empty_one_is_none_either() {
    let keys = policy("seed-create-access-key.json");
    assert_eq!(callgate_with(&["eval", "-p", &keys, "--calls", "-"], b"{\"tool\": \"other\"}\n").status, 0);
    for format in ["human", "json", "table"] {
        let run = callgate_with(&["eval", "-p", &keys, "--calls", "-", "--format", format], b"");
        assert_eq!((run.status, run.out, run.err), (0, String::new(), String::new()));
    }
    let run = callgate(&["eval", "-p", &keys, "--calls", "no-such-file.jsonl"]);
    assert_eq!(run.status, 2);
    assert!(run.err.starts_with("error: no-such-file.jsonl: "), "{}", run.err);
}

/// Traps 18 and 14: arguments of a line reach core as they were written.
#[test]
fn arguments_stay_raw() {
    let payments = policy("payments.yaml");
    let lines = r#"{"tool": "create_charge", "args": {"amount": 99999, "amount": 1, "currency": "usd"}}
{"tool": "create_charge", "args": {"amount": 1e400, "currency": "usd"}}
{"tool": "create_charge", "args": null}
{"tool": "create_charge", "args": {"$serde_json::private::RawValue": "{\"amount\": 1, \"currency\": \"usd\"}"}}
"#;
    let run = callgate_with(&["eval", "-p", &payments, "--calls", "-", "--format", "json"], lines.as_bytes());
    let codes: Vec<_> = run.out.lines().map(|line| json(line)["code"].clone()).collect();
    assert_eq!(codes, ["invalid_args", "condition_failed", "invalid_args", "condition_failed"]);
    assert_eq!(run.status, 0);
}

#[test]
fn a_byte_order_mark_before_the_first_line_is_no_part_of_it() {
    let path = file("stream-mark.yaml", "version: \"1\"\ndefault: deny\ntools: {t: {}}\n");
    let decided = |text: &str| {
        let calls = file("stream-mark.jsonl", text);
        let run = callgate(&["eval", "-p", &path, "--calls", &calls, "--format", "json"]);
        (run.status, run.out.lines().count())
    };
    let call = "{\"tool\": \"t\"}\n";
    assert_eq!(decided(&format!("\u{feff}{call}{call}")), (0, 2));
    assert_eq!(decided(&format!("\u{feff}\n{call}")), (0, 1));
    assert_eq!(decided("\u{feff}"), (0, 0));
    assert_eq!(decided(&format!("{call}\u{feff}{call}")), (2, 1), "only at the beginning of the text");
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let keys = policy("seed-create-access-key.json");
    // More than any pipe holds, so that writing fails.
    let calls = file("stream-pipe.jsonl", loop_of(20_000));
    for format in ["human", "json"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_callgate"))
            .args(["eval", "-p", &keys, "--calls", &calls, "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        drop(out);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((child.wait().unwrap().code(), &*err), (Some(0), ""));
    }
}

/// A reader of the stream sees each decision before the next call is made.
#[test]
fn a_slow_stream_is_answered_line_by_line() {
    let keys = policy("seed-create-access-key.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_callgate"))
        .args(["eval", "-p", &keys, "--calls", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut calls = child.stdin.take().unwrap();
    let mut decisions = BufReader::new(child.stdout.take().unwrap()).lines();
    for code in ["allowed", "not_listed"] {
        let tool = if code == "allowed" { "create_access_key" } else { "other" };
        writeln!(calls, "{{\"tool\": \"{tool}\", \"identity\": \"a\"}}").unwrap();
        assert_eq!(json(&decisions.next().unwrap().unwrap())["code"], code);
    }
    drop(calls);
    assert!(decisions.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
