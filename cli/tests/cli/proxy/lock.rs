//! `--lock`: which locks start a gateway, and what it records and says of tools that are not as they were approved.

use super::*;

const LIST: &str = r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}},{"name":"pay","inputSchema":{"type":"object"}}]}"#;

/// A lock of the tool `echo` on each of these servers.
fn lock(setup: &Setup, servers: &[&str]) -> String {
    let path = setup.path("callgate.lock");
    let tools = setup.path("tools.json");
    fs::write(&tools, r#"[{"name":"echo","inputSchema":{"type":"object"}}]"#).unwrap();
    for server in servers {
        let run =
            crate::callgate(&["scan", "--tools", &tools, "--name", server, "--lock", &path, "--update"]);
        assert_eq!(run.status, 0, "{}", run.err);
    }
    path
}

#[test]
fn a_lock_that_cannot_be_used_starts_nothing() {
    let setup = Setup::new("lock-flags");
    let both = lock(&setup, &["tests", "other"]);
    let broken = setup.path("broken.lock");
    fs::write(&broken, fs::read_to_string(&both).unwrap().replace("\"version\":\"1\"", "\"version\":\"2\""))
        .unwrap();
    for (flags, why) in [
        (&["--lock", "/no/such/callgate.lock"][..], "/no/such/callgate.lock"),
        (&["--lock", &broken], "line 2: version `2` of a lock is not known"),
        (&["--lock", &both, "--name", "third"], "the lock has no server `third`"),
        (&["--on-drift", "deny"], "--lock"),
    ] {
        let mut setup = Setup::kept("lock-flags");
        if flags.contains(&"--name") {
            setup.flags.drain(0..2);
        }
        let setup = setup.flags(&["--check"]).flags(flags);
        let output = setup.command().stdin(Stdio::null()).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && err.contains(why), "{flags:?}: {err}");
    }
    let setup = Setup::kept("lock-flags").flags(&["--check", "--lock", &both]);
    assert_eq!(setup.command().stdin(Stdio::null()).output().unwrap().status.code(), Some(0));
}

/// Also without a policy.
#[test]
fn a_refused_call_is_recorded_and_told_of_once() {
    let setup = Setup::new("lock-records");
    let path = lock(&setup, &["tests"]);
    let mut proxy = setup.flags(&["--lock", &path]).served(&["--list", LIST]).open();
    for id in [1, 2] {
        let answer = proxy.call(id, "pay", "{}");
        assert_eq!(answer["result"]["_meta"]["callgate/code"], "definition_changed", "{answer}");
    }
    assert_eq!(proxy.call(3, "echo", "{}")["result"]["isError"], Value::Null);
    let ended = proxy.close();
    let calls = ended.setup.calls();
    let refusals: Vec<_> = calls.iter().map(|call| call["refusal"].as_str()).collect();
    assert_eq!(refusals, [Some("definition_changed"), Some("definition_changed"), None]);
    assert_eq!(calls[0]["decision"], Value::Null);
    assert_eq!(ended.said.matches("tool `pay` is not as it was approved").count(), 1, "{}", ended.said);
    assert_eq!(ended.setup.seen_calls().len(), 1);
}
