//! What the flags mean, those of Intercept among them, and what is there where none is given.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

const ONCE: &str = "\
version: '1'
default: allow
tools: {echo: {limits: [{counter: n, window: month, max: 1, scope: identity}]}, pay: {rules: [{rate_limit: 1/day}]}}
";

/// Runs it with nothing on its standard input.
fn run(setup: &Setup) -> (i32, String, String) {
    let output = setup.command().stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn is_denied(answer: &Value) -> bool {
    answer["result"]["isError"] == true
}

#[test]
fn a_check_starts_nothing() {
    let setup = Setup::new("check").policy(ALLOW).flags(&["--check"]);
    assert_eq!(run(&setup), (0, "tests: ok\n".to_owned(), String::new()));
    let setup = Setup::new("check").policy("version: '1'\ndefualt: deny\n").flags(&["--check"]);
    let (code, out, err) = run(&setup);
    assert!(code == 2 && out.is_empty() && err.contains("defualt"), "{err}");
    assert!(setup.seen().is_empty());
    for (flags, why) in [
        (&["--store", "nowhere"][..], "no known form"),
        (&["--audit", "off"], "without a policy and without records"),
        (&["--audit-args", "hmac"], "needs a key"),
        (&["--policy", "/no/such/file.yaml"], "/no/such/file.yaml"),
        (&["--max-message", "16MB"], "16MB"),
        (&["--name", ""], "name"),
        (&["--upstream", "https://example.com/mcp"], "HTTP"),
        (&["--transport", "sse"], "HTTP"),
        (&["--header", "A: b"], "HTTP"),
        (&["--port", "0"], "HTTP"),
    ] {
        let mut setup = Setup::new("check").flags(&["--check"]).flags(flags);
        if flags[0] == "--name" {
            setup.flags.drain(0..2);
        }
        let (code, out, err) = run(&setup);
        assert!(code == 2 && out.is_empty() && err.contains(why), "{flags:?}: {err}");
    }
    // No command.
    let (code, _, err) = run(&Setup::new("check").server(&[]));
    assert!(code == 2 && err.contains("stands after `--`"), "{err}");
}

#[test]
fn intercepts_flags_mean_what_they_did() {
    let setup = Setup::new("intercept");
    let file = setup.path("mine.yaml");
    fs::write(&file, ONCE).unwrap();
    let directory = setup.path("directory");
    let shown = |flags: &[&str]| {
        let mut setup = Setup::kept("intercept").flags(&["--print-config"]).flags(flags);
        // The name is the policy file's where none is given.
        setup.flags.drain(0..2);
        let (code, out, err) = run(&setup);
        assert_eq!(code, 0, "{err}");
        (serde_json::from_str::<Value>(&out).unwrap(), err)
    };
    let (config, said) = shown(&[
        "-c",
        &file,
        "--state-dsn",
        "memory",
        "--state-prefix",
        "space",
        "--state-fail-mode",
        "open",
        "--log-level",
        "debug",
        "--transport",
        "stdio",
    ]);
    for (name, value) in [
        ("name", "mine"),
        ("policy", &file),
        ("store", "memory"),
        ("namespace", "space"),
        ("on_store_error", "allow"),
        ("mode", "enforce"),
        ("identity", "local"),
        ("without_schema", "deny"),
    ] {
        assert_eq!(config[name], value, "{name}");
    }
    assert!(said.contains("note") && said.contains("--log-level"), "{said}");
    let (config, _) = shown(&["--config", &file, "--state-dir", &directory, "--state-fail-mode", "closed"]);
    assert_eq!(config["store"], format!("sqlite://{directory}/store.db"));
    assert_eq!((&config["on_store_error"], &config["namespace"]), (&json!("deny"), &json!("mine")));
    assert!(!Path::new(&directory).exists(), "nothing was started");
    // They work, too.
    for denied in [false, true] {
        let flags = ["-c", &file, "--state-dir", &directory, "--state-fail-mode", "open", "--watch"];
        let mut proxy = Setup::kept("intercept").flags(&flags).open();
        assert_eq!(is_denied(&proxy.call(1, "echo", "{}")), denied);
        assert_eq!(proxy.close().code, 0);
    }
    assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_terminal_is_no_client() {
    let setup = Setup::new("terminal");
    let script = "\
import os, pty, subprocess, sys
other, terminal = pty.openpty()
run = subprocess.run(sys.argv[1:], stdin=terminal, capture_output=True, timeout=30)
sys.stderr.buffer.write(run.stderr)
sys.exit(run.returncode if not run.stdout else 99)";
    let command = setup.command();
    let mut python = Command::new("python3");
    python.args(["-c", script]).arg(command.get_program()).args(command.get_args());
    let run = python.env("CALLGATE_STATE_DIR", setup.path("state")).output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains("standard input is a terminal") && said.contains("callgate proxy wrap"), "{said}");
    assert!(setup.seen().is_empty() && !Path::new(&setup.path("state")).exists());
}

#[test]
fn without_a_policy_every_call_passes_and_is_recorded() {
    let mut proxy = Setup::new("dry").open();
    assert_eq!(text(&proxy.call(1, "pay", r#"{"amount":1000000}"#)), r#"{"amount": 1000000}"#);
    let ended = proxy.close();
    assert!(ended.said.contains("no policy, a dry run"), "{}", ended.said);
    let records = ended.setup.records();
    assert_eq!((&records[0]["mode"], &records[0]["policy"]), (&json!("dry_run"), &Value::Null));
    let calls = ended.setup.calls();
    assert_eq!((calls.len(), &calls[0]["mode"], &calls[0]["decision"]), (1, &json!("dry_run"), &Value::Null));
    assert_eq!(
        (&calls[0]["upstream"]["outcome"], &calls[0]["args"]["keys"]),
        (&json!("done"), &json!(["amount"]))
    );
    let mode = fs::metadata(ended.setup.audit()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
}

#[test]
fn counters_outlive_the_gateway_where_no_store_is_named() {
    let start = |flags: &[&str]| {
        let mut setup = Setup::kept("default-store").policy(ONCE).flags(flags);
        setup.in_memory = false;
        setup.open()
    };
    drop(Setup::new("default-store"));
    let mut first = start(&[]);
    assert!(!is_denied(&first.call(1, "echo", "{}")) && is_denied(&first.call(2, "echo", "{}")));
    let folder = first.close().setup.path("state");
    let private = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o77 == 0;
    assert!(private(Path::new(&folder)) && private(&Path::new(&folder).join("store.db")));
    // A client that starts it anew gets no new limits; another caller and another server have their own.
    for (flags, denied) in [
        (&[][..], true),
        (&["--identity", "local"], true),
        (&["--identity", "alice"], false),
        (&["--identity", r#"{"id":"alice","role":"admin"}"#], true),
        (&["--namespace", "other"], false),
    ] {
        let mut next = start(flags);
        assert_eq!(is_denied(&next.call(1, "echo", "{}")), denied, "{flags:?}");
        // So has a rate, for which a caller is one whatever the claims.
        assert_eq!(is_denied(&next.call(2, "pay", "{}")), denied && !flags.is_empty(), "{flags:?}");
        next.close();
    }
}

/// A stdio connection has one caller, who is the grant of policies that count by grants.
#[test]
fn a_policy_that_counts_by_grants_works_as_it_is() {
    let policy = r#"{"version": "1", "default": "deny", "tools": {
        "pay": {"limits": [{"counter": "spend", "window": "day", "max": 10, "increment_from": "args.amount", "scope": "grant"}]},
        "echo": {"limits": [{"counter": "calls", "window": "hour", "max": 2, "scope": "grant"}]}}}"#;
    let mut proxy = Setup::new("grant").policy(policy).open();
    assert!(!is_denied(&proxy.call(1, "pay", r#"{"amount":6}"#)));
    assert_eq!(proxy.call(2, "pay", r#"{"amount":6}"#)["result"]["_meta"]["callgate/code"], "limit_exceeded");
    let denied: Vec<_> = (3..6).map(|id| is_denied(&proxy.call(id, "echo", "{}"))).collect();
    assert_eq!(denied, [false, false, true]);
    assert_eq!(proxy.close().setup.calls()[0]["principal"]["id"], "local");
}

#[test]
fn every_policy_of_the_specification_starts_a_gateway() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/policies");
    let mut started = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        if name.contains("_test.") {
            continue;
        }
        let proxy = Setup::new("policies").flags(&["--policy", file.to_str().unwrap()]).open();
        assert_eq!(proxy.close().code, 0, "{name}");
        started += 1;
    }
    assert!(started >= 6);
}

#[test]
fn a_tool_that_is_not_listed_is_decided_by_choice() {
    let policy = "{version: '1', default: deny, tools: {pay: {rules: [{conditions: [{path: args.amount, op: lte, value: 5}]}]}}}";
    for (choice, code) in [(None, None), (Some("deny"), None), (Some("allow"), Some("condition_failed"))] {
        let flags: Vec<_> = choice.iter().flat_map(|choice| ["--without-schema", choice]).collect();
        let list = r#"{"tools":[]}"#;
        let mut proxy = Setup::new("unlisted").policy(policy).flags(&flags).served(&["--list", list]).open();
        assert_eq!(is_denied(&proxy.call(1, "pay", r#"{"amount":5}"#)), code.is_none(), "{choice:?}");
        assert!(is_denied(&proxy.call(2, "pay", r#"{"amount":6}"#)));
        let calls = proxy.close().setup.calls();
        assert_eq!(calls[1]["decision"]["code"].as_str(), code);
        assert_eq!(calls[1]["refusal"].as_str(), if code.is_none() { Some("unchecked") } else { None });
    }
}

#[test]
fn a_message_has_so_many_bytes_and_no_more() {
    let mut proxy = Setup::new("max").flags(&["--max-message", "4KiB"]).open();
    let args = |bytes: usize| json!({"a": "a".repeat(bytes)}).to_string();
    assert_eq!(proxy.call(1, "echo", &args(3_500))["result"]["isError"], Value::Null);
    assert_eq!(proxy.call(2, "echo", &args(5_000))["error"]["code"], -32600);
    assert_eq!(proxy.close().code, 0);
    // By default much passes, on both ways.
    let mut proxy = Setup::new("max").open();
    let long = args(12 << 20);
    assert_eq!(text(&proxy.call(1, "echo", &long)).len(), long.len() + 1);
    assert_eq!(proxy.close().code, 0);
}

/// `5` is five bytes, and not what somebody means who leaves the unit out.
#[test]
fn a_file_of_records_is_not_put_aside_after_each_record() {
    let policy = crate::file("rotate.yaml", "{version: '1', default: allow}");
    for (size, status) in [("5", 2), ("65535", 2), ("64KiB", 0), ("64MiB", 0)] {
        let audit = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rotate.jsonl");
        let flags = ["proxy", "-p", &policy, "--store", "memory", "--audit", audit.to_str().unwrap()];
        let run = crate::callgate(&[&flags[..], &["--audit-rotate", size, "--check", "--", "true"]].concat());
        assert_eq!(run.status, status, "{size}: {}{}", run.out, run.err);
    }
}
