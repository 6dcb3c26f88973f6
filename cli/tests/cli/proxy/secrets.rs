//! What must not be told: tokens, passwords and values of arguments, wherever they come in.

use super::*;
use crate::callgate;

/// Every secret of these tests begins with it.
const PLANTED: &str = "planted";

const POLICY: &str = "\
version: '1'
default: allow
tools:
  pay: {require: [{path: args.to, op: eq, value: bob}], limits: [{counter: by, window: month, max: 1, scope: [args.token]}]}
  go: {rules: [{action: require_approval}]}
";

fn run(setup: &Setup) -> (i32, String) {
    let output = setup.command().stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

fn assert_untold(what: &str, text: &str) {
    let at = text.find(PLANTED);
    assert!(at.is_none(), "{what}: {}", &text[at.unwrap_or_default().saturating_sub(80)..]);
}

/// Every file below a directory, as text.
fn files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            found.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn nothing_that_calls_carry_is_written_down() {
    for args in [&[][..], &["--audit-args", "none"], &["--audit-args", "hash"]] {
        let setup = Setup::new("secrets");
        let server = [&setup.server[..], &["--says".to_owned(), "planted-by-the-server".to_owned()]].concat();
        // An argument of the server's command, and its environment.
        let server: Vec<_> = server.iter().map(String::as_str).collect();
        let command =
            [&["sh", "-c", "shift; exec \"$@\"", "sh", "--token=planted-argument"][..], &server].concat();
        let mut proxy = setup
            .policy(POLICY)
            .flags(args)
            .flags(&["--identity", r#"{"id":"alice","token":"planted-claim"}"#])
            // What the server says on its standard error is its own.
            .flags(&["--stderr", "null", "--max-message", "64KiB"])
            .env("API_TOKEN", "planted-environment")
            .server(&command)
            .open();
        let secret = |name: &str| {
            format!(r#"{{"to":"planted-to","token":"planted-{name}","password":["planted-list"]}}"#)
        };
        let allowed = secret("allowed").replace("planted-to", "bob");
        for (id, tool, args, more) in [
            (1, "echo", secret("echo"), ""),
            (2, "pay", secret("denied"), ""),
            (3, "pay", allowed.clone(), ""),
            (4, "pay", allowed, ""),
            (5, "pay", "\"planted-string\"".to_owned(), ""),
            (6, "fail", r#"{"says":"planted-tool-error"}"#.to_owned(), ""),
            (7, "fail", r#"{"error":"planted-protocol-error"}"#.to_owned(), ""),
            (8, "go", secret("approval"), ""),
            (
                9,
                "echo",
                "{}".to_owned(),
                r#","_meta":{"token":"planted-meta"},"requestState":"planted-state","inputResponses":{"a":"planted-input"}"#,
            ),
            // Not messages.
            (10, "echo", r#"{"a":"planted","a":"planted-twice"}"#.to_owned(), ""),
            (11, "echo", format!(r#"{{"a":"{}planted-long"}}"#, "a".repeat(65 << 10)), ""),
        ] {
            proxy.send(&request(
                id,
                "tools/call",
                &format!(r#"{{"name":"{tool}","arguments":{args}{more}}}"#),
            ));
            proxy.answer(id);
        }
        proxy.send("planted-garbage");
        proxy.find(|message| message["id"].is_null());
        let mut status = Command::new(env!("CARGO_BIN_EXE_callgate"));
        let status = status.args(["status", "--denied"]).env("CALLGATE_STATE_DIR", proxy.setup.path("state"));
        let status = String::from_utf8(status.output().unwrap().stdout).unwrap();
        assert!(status.contains("calls      9"), "{status}");
        assert_untold("status", &status);
        let ended = proxy.close();
        assert_untold("standard error", &ended.said);
        let mut written = Vec::new();
        files(&ended.setup.folder.join("state"), &mut written);
        assert!(written.iter().any(|(file, text)| file.ends_with("tests.jsonl") && text.len() > 5_000));
        for (file, text) in written {
            assert_untold(&file, &text);
        }
        assert_eq!(ended.setup.seen_calls().len(), 5);
    }
}

#[test]
fn no_way_to_begin_tells_a_stores_password() {
    for store in [
        "redis://user:planted-password@127.0.0.1:1/0?password=planted-query#planted-fragment",
        "redis://:planted-a@b/c?planted-d@127.0.0.1:1/0",
        "rediss://planted-user:p%40planted@127.0.0.1:1",
        "redis+cluster://u:planted-password@127.0.0.1:1,127.0.0.1:2",
        "planted-user:planted-password@127.0.0.1",
        "postgres://u:planted-password@127.0.0.1/db",
        "redis:/u:planted-password@127.0.0.1",
    ] {
        for more in ["--print-config", "--check", "--no-watch"] {
            let setup = Setup::new("password").policy(ALLOW).flags(&["--store", store, more]);
            let (code, told) = run(&setup);
            assert!(code == 0 || code == 2, "{store} {more}: {code} {told}");
            assert_untold(&format!("{store} {more}"), &told);
            let mut written = Vec::new();
            if setup.folder.join("state").exists() {
                files(&setup.folder.join("state"), &mut written);
            }
            written.iter().for_each(|(file, text)| assert_untold(file, text));
        }
    }
}

#[test]
fn a_store_that_does_not_answer_decides_by_choice_and_tells_no_password() {
    let limited =
        "{version: '1', default: allow, tools: {echo: {limits: [{counter: n, window: month, max: 5}]}}}";
    // It takes connections, and says nothing on them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let store = |port: u16| format!("redis://user:planted-password@127.0.0.1:{port}/0");
    let flags =
        |port: u16| ["--on-store-error".to_owned(), "allow".to_owned(), "--store".to_owned(), store(port)];
    // Calls run, as was chosen; the last one is being decided when a signal comes, and has a record all the same.
    for port in [1, port] {
        let flags = flags(port);
        let flags: Vec<_> = flags.iter().map(String::as_str).chain(["--audit-chain"]).collect();
        let mut proxy = Setup::new("silent").policy(limited).flags(&flags).open();
        let answer = proxy.call(1, "echo", "{}");
        assert_eq!(text(&answer), "{}");
        proxy.send(&call(2, "echo", "{}"));
        proxy.send(&request(3, "ping", "{}"));
        proxy.answer(3);
        proxy.signal("TERM");
        let ended = proxy.wait();
        assert_eq!(ended.code, 143);
        let calls = ended.setup.calls();
        let ids: Vec<_> = calls.iter().map(|call| call["request"].as_str().unwrap()).collect();
        assert_eq!(ids, ["1", "2"]);
        assert_eq!(calls[0]["decision"]["code"], "store_unavailable");
        assert_untold("standard error", &ended.said);
        assert_untold("the log", &fs::read_to_string(ended.setup.audit()).unwrap());
        assert_eq!(callgate(&["audit", "verify", &ended.setup.audit()]).status, 0);
    }
    // By default, no gateway begins whose store cannot be reached.
    let ended = Setup::new("silent").policy(limited).flags(&["--store", &store(1)]).start().wait();
    assert!(ended.code == 2 && ended.said.contains("no Redis server listens"), "{}", ended.said);
    assert_untold("standard error", &ended.said);
}

#[test]
fn the_configuration_is_shown_without_what_may_be_secret() {
    let setup = Setup::new("shown").policy(ALLOW).flags(&[
        "--print-config",
        "--identity",
        r#"{"id":"alice","token":"planted"}"#,
    ]);
    let (code, told) = run(&setup.served(&["--token", "planted"]));
    let shown: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &shown["program"], &shown["identity"]["id"]), (0, &json!("python3"), &json!("alice")));
    assert_untold("--print-config", &told);
}
