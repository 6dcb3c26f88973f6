//! `callgate check`.

use crate::{callgate, callgate_with, file, json, policy};

const TYPO: &str =
    "version: \"1\"\ndefault: deny\ntools:\n  create_charge:\n    rulez:\n      - action: deny\n";
const WARNED: &str = "default: deny\ntools: {}\n";
const GOOD: &str = "version: \"1\"\ndefault: deny\ntools: {}\n";

#[test]
fn a_typo_is_shown_in_its_line_with_what_was_meant() {
    let path = file("check-typo.yaml", TYPO);
    let run = callgate(&["check", &path]);
    assert_eq!(run.status, 1);
    let expected = format!(
        "\
error[unknown_field]: unknown field `rulez`
 --> {path}:5:5
  |
5 |     rulez:
  |     ^^^^^
  |
  = note: at /tools/create_charge/rulez
  = help: did you mean `rules`?

{path}: 1 error
"
    );
    assert_eq!(run.out, expected);
    assert_eq!(run.err, "");
}

#[test]
fn warnings_are_shown_and_count_if_they_are_to() {
    let path = file("check-warned.yaml", WARNED);
    let run = callgate(&["check", &path]);
    assert_eq!(run.status, 0);
    assert!(
        run.out.contains("warning[missing_version]") && run.out.ends_with(": 1 warning\n"),
        "{}",
        run.out
    );
    assert_eq!(callgate(&["check", "--deny-warnings", &path]).status, 1);
    let good = file("check-good.yaml", GOOD);
    let run = callgate(&["check", "--deny-warnings", &good]);
    assert_eq!((run.status, run.out), (0, format!("{good}: no errors, no warnings\n")));
}

#[test]
fn the_policies_of_the_language_pass() {
    for name in ["code-host.yaml", "payments.yaml", "seed-create-user.json", "seed-described.yaml"] {
        assert_eq!(callgate(&["check", "--deny-warnings", &policy(name)]).status, 0, "{name}");
    }
    assert_eq!(callgate(&["check", &policy("seed-create-token-with-iam.yaml")]).status, 0);
}

#[test]
fn many_files_are_all_checked_whatever_the_first_is() {
    let (typo, good) = (file("check-many-typo.yaml", TYPO), file("check-many-good.yaml", GOOD));
    let run = callgate(&["check", &typo, "no-such-file.yaml", &good]);
    assert_eq!(run.status, 2, "an unreadable file weighs more than an error");
    assert!(run.out.ends_with("3 files: 1 error, 1 unreadable file\n"), "{}", run.out);
    assert!(run.err.starts_with("error: no-such-file.yaml: "), "{}", run.err);
    assert_eq!(callgate(&["check", &good, &typo]).status, 1);
}

#[test]
fn standard_input_is_a_file() {
    let run = callgate_with(&["check", "-"], TYPO.as_bytes());
    assert_eq!(run.status, 1);
    assert!(run.out.contains("--> <stdin>:5:5") && run.out.ends_with("<stdin>: 1 error\n"), "{}", run.out);
    assert_eq!(callgate_with(&["check", "-"], GOOD.as_bytes()).status, 0);
    let run = callgate_with(&["check", "-"], b"\xff");
    assert_eq!(run.status, 2);
    assert!(run.err.contains("not UTF-8"), "{}", run.err);
}

#[test]
fn json_holds_every_finding_with_its_place() {
    let (typo, good) = (file("check-json-typo.yaml", TYPO), file("check-json-good.yaml", GOOD));
    let run = callgate(&["check", "--format", "json", &typo, &good, "no-such-file.yaml"]);
    assert_eq!((run.status, &*run.err), (2, ""));
    let report = json(&run.out);
    assert_eq!(report["errors"], 1);
    assert_eq!(report["files"][0]["ok"], false);
    let at = TYPO.find("rulez").unwrap();
    let expected = serde_json::json!({
        "severity": "error", "code": "unknown_field", "message": "unknown field `rulez`",
        "help": "did you mean `rules`?", "pointer": "/tools/create_charge/rulez", "line": 5, "column": 5,
        "start": at, "end": at + 5,
    });
    assert_eq!(report["files"][0]["diagnostics"], serde_json::json!([expected]));
    assert_eq!(
        report["files"][1],
        serde_json::json!({"path": good, "ok": true, "unreadable": null, "diagnostics": []})
    );
    assert!(report["files"][2]["unreadable"].as_str().unwrap().starts_with("no-such-file.yaml: "));
}

#[test]
fn sarif_is_a_log_with_one_run() {
    let typo = file("check sarif.yaml", format!("{WARNED}x: 1\n"));
    let run = callgate(&["check", "--format", "sarif", &typo, "no-such-file.yaml"]);
    assert_eq!(run.status, 2);
    let log = json(&run.out);
    assert_eq!(log["version"], "2.1.0");
    let only = &log["runs"][0];
    assert_eq!(only["tool"]["driver"]["name"], "callgate");
    assert_eq!(only["invocations"][0]["executionSuccessful"], false);
    let results = only["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        let rule = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(only["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.ends_with("/check%20sarif.yaml"), "{uri}");
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
    }
    assert_eq!((&results[1]["level"], &results[1]["ruleId"]), (&"error".into(), &"unknown_field".into()));
    assert_eq!(results[1]["locations"][0]["physicalLocation"]["region"]["startLine"], 3);

    let good = file("check-sarif-good.yaml", GOOD);
    let run = callgate(&["check", "--format", "sarif", &good]);
    assert_eq!(run.status, 0);
    assert_eq!(json(&run.out)["runs"][0]["results"], serde_json::json!([]));
}

#[test]
fn text_of_the_author_cannot_steer_the_terminal() {
    let path =
        file("check-escape.yaml", "version: \"1\"\ndefault: deny\n\"\\e[2Jdefualt\": deny\n# \u{1b}[2J\n");
    let run = callgate(&["check", &path]);
    assert_eq!(run.status, 1);
    assert!(!run.out.contains('\u{1b}'), "{}", run.out);
}

/// Trap 5: a line of megabytes, and a thousand findings in it.
#[test]
fn a_policy_of_one_long_line_is_shown_in_parts() {
    let fields: Vec<String> = (0..3_000).map(|n| format!("\"f{n}{}\": 1", "x".repeat(500))).collect();
    let path = file(
        "check-long.json",
        format!("{{\"version\": \"1\", \"default\": \"deny\", {}}}", fields.join(", ")),
    );
    let run = callgate(&["check", &path]);
    assert_eq!(run.status, 1);
    assert!(run.out.lines().all(|line| line.len() < 2_000));
    assert!(run.out.contains("unknown_field"));
}

/// Trap 8: a rule on an argument that no tool has is told from the server's own list.
#[test]
fn a_servers_tools_show_what_can_never_match() {
    let policy = file(
        "check-tools.yaml",
        "version: \"1\"\ndefault: deny\ntools:\n  pay: {require: [{path: args.ammount, op: lte, value: 5}]}\n  pya: {}\n",
    );
    let tools = file(
        "check-tools.json",
        r#"{"tools": [{"name": "pay", "inputSchema": {"type": "object", "properties": {"amount": {}}}}]}"#,
    );
    assert_eq!(callgate(&["check", &policy]).status, 0);
    let run = callgate(&["check", "--tools", &tools, "--deny-warnings", "--format", "json", &policy]);
    assert_eq!(run.status, 1);
    for part in ["unknown_argument", "did you mean `args.amount`?", "unmatched_entry", "did you mean `pay`?"]
    {
        assert!(run.out.contains(part), "{part}: {}", run.out);
    }
    let broken = callgate(&["check", "--tools", &policy, &policy]);
    assert_eq!(broken.status, 2);
    assert!(broken.err.contains("tools/list"), "{}", broken.err);
}

/// Other JSON must not pass for a server without tools.
#[test]
fn the_tools_are_a_list_a_result_or_an_answer_and_nothing_else() {
    let policy = file("check-listed.yaml", "version: \"1\"\ndefault: deny\ntools: {pay: {}, pya: {}}\n");
    let list = r#"[{"name": "pay", "inputSchema": {}}, {"name": "refund"}]"#;
    let result = format!("{{\"tools\": {list}, \"nextCursor\": null}}");
    let answer = format!("{{\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": {result}}}");
    let marked = format!("\u{feff}{list}");
    for (at, text) in [list, &result, &answer, &marked].into_iter().enumerate() {
        let tools = file(&format!("check-listed-{at}.json"), text);
        let run = callgate(&["check", "--tools", &tools, &policy]);
        assert_eq!(run.status, 0, "{text}: {}", run.err);
        assert!(
            run.out.contains("`pya` matches no tool") && run.out.ends_with(": 1 warning\n"),
            "{}",
            run.out
        );
        assert_eq!(run.err, "", "{text}");
    }
    for (at, (text, part)) in [
        ("", "the text ends"),
        ("null", "not a list of tools"),
        ("5", "not a list of tools"),
        ("\"tools\"", "not a list of tools"),
        ("{}", "not a list of tools"),
        (r#"{"tool": []}"#, "not a list of tools"),
        (r#"{"tools": {}}"#, "not a list of tools"),
        (r#"{"tools": null}"#, "not a list of tools"),
        (r#"{"result": {}}"#, "not a list of tools"),
        (r#"{"result": []}"#, "not a list of tools"),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no such method"}}"#,
            "not a list of tools",
        ),
        (r#"["pay"]"#, "the tool at index 0 has no name"),
        (r#"[{"name": "pay"}, {"title": "Pay"}]"#, "the tool at index 1 has no name"),
        (r#"{"tools": [{"name": 5}]}"#, "the tool at index 0 has no name"),
        (
            r#"{"tools": [{"name": "pay", "inputSchema": "object"}]}"#,
            "has an `inputSchema` that is not an object",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let tools = file(&format!("check-unlisted-{at}.json"), text);
        let run = callgate(&["check", "--tools", &tools, &policy]);
        assert_eq!((run.status, &*run.out), (2, ""), "{text}");
        assert!(run.err.contains(part) && run.err.contains(&tools), "{text}: {}", run.err);
        assert!(run.err.contains("help: give what `tools/list` answers"), "{}", run.err);
    }
    let page = file("check-page.json", format!("{{\"tools\": {list}, \"nextCursor\": \"2\"}}"));
    let run = callgate(&["check", "--tools", &page, &policy]);
    assert!(
        run.status == 0 && run.err.contains("warning: ") && run.err.contains("only the first tools"),
        "{}",
        run.err
    );
}

#[test]
fn standard_input_is_read_once_and_may_be_the_tools() {
    let policy = "version: \"1\"\ndefault: deny\n";
    let named = file("check-twice.yaml", policy);
    for args in [&["-", "-"][..], &[&named, "-", "-"], &["--tools", "-", "-"]] {
        let run = callgate_with(&[&["check"], args].concat(), policy.as_bytes());
        assert_eq!((run.status, &*run.out), (2, ""), "{args:?}");
        assert!(run.err.contains("standard input is named twice"), "{}", run.err);
    }
    let run = callgate_with(&["check", "--tools", "-", &named], b"[]");
    assert_eq!((run.status, &*run.err), (0, ""), "{}", run.out);
}

#[test]
#[cfg(unix)]
fn a_file_without_end_is_refused() {
    let policy = file("check-endless.yaml", "version: \"1\"\ndefault: deny\n");
    for args in [&["check", "/dev/zero"][..], &["check", "--tools", "/dev/zero", &policy]] {
        let run = callgate(args);
        assert_eq!(run.status, 2, "{args:?}");
        assert!(run.err.contains("/dev/zero: larger than"), "{}", run.err);
    }
}

#[test]
fn a_document_that_decides_nothing_is_no_policy() {
    for text in ["", "---\n", "# nothing\n", "{}", "null", "\u{feff}", "version: \"1\"\n"] {
        let run = callgate_with(&["check", "-"], text.as_bytes());
        assert_eq!(run.status, 1, "{text:?}");
        assert!(
            run.out.contains("error[empty_policy]") && run.out.contains("write `default: deny`"),
            "{}",
            run.out
        );
    }
    assert_eq!(callgate_with(&["check", "-"], b"default: allow").status, 0);
}
