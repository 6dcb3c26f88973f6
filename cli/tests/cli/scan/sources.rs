//! Which servers are asked, in which revision of the protocol, and who has to agree.

use std::process::Command;

use serde_json::json as value;

use super::{beside, names, python, scan, scan_of};
use crate::{callgate, callgate_with, file, json};

const JSON: [&str; 3] = ["--yes", "--format", "json"];

#[test]
fn servers_of_both_generations_list_all_of_their_pages() {
    for (kind, protocol, tools) in [
        ("honest", "2025-06-18", &["read_file", "write_file", "list_files"][..]),
        ("modern", "2026-07-28", &["search"]),
        ("dies-unless-greeted", "2025-06-18", &["read_file", "write_file", "list_files"]),
        ("silent-unless-greeted", "2025-06-18", &["read_file", "write_file", "list_files"]),
        ("noisy", "2025-06-18", &["read_file", "write_file", "list_files"]),
    ] {
        let run = scan(kind, &JSON).run;
        assert_eq!((run.status, &*run.err), (0, ""), "{kind}");
        assert_eq!(names(&run), tools, "{kind}");
        let report = json(&run.out);
        let server = &report["servers"][0];
        assert_eq!((&server["protocol"], &server["error"]), (&protocol.into(), &().into()), "{kind}");
        assert_eq!(server["name"], "python3");
    }
}

#[test]
fn nothing_but_the_list_is_asked_for() {
    let asked = file("scan-asked.txt", "");
    let run = scan_of(&["--", "python3", &beside("server.py"), "modern", &asked], "asked", &JSON).run;
    assert_eq!(run.status, 0, "{}", run.err);
    assert_eq!(std::fs::read_to_string(&asked).unwrap(), "server/discover\ntools/list\n");
}

#[test]
fn a_program_gets_little_of_the_environment() {
    let run = |flags: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_callgate"))
            .args(["scan", "--yes", "--format", "json"])
            .args(flags)
            .args(["--", &python(), &beside("server.py"), "environment"])
            .env("SCAN_TOKEN", "secret")
            .env("SCAN_OTHER", "secret")
            .output()
            .unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let tools = json(&out)["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(run(&[]), ["HOME", "PATH"]);
    assert_eq!(run(&["--env", "SCAN_TOKEN"]), ["HOME", "PATH", "SCAN_TOKEN"]);
    let missing = callgate(&["scan", "--yes", "--env", "SCAN_NO_SUCH", "--", "python3"]);
    assert_eq!(missing.status, 2);
    assert!(missing.err.contains("there is no variable `SCAN_NO_SUCH`"), "{}", missing.err);
}

#[test]
fn no_program_is_started_that_nobody_agreed_to() {
    let pids = file("scan-agreed.pid", "");
    let run = callgate(&["scan", "--", "python3", &beside("server.py"), "stays", &pids]);
    assert_eq!(run.status, 2);
    assert!(run.err.contains("`--yes` starts it without a question"), "{}", run.err);
    assert_eq!(std::fs::read_to_string(&pids).unwrap(), "");
}

/// A terminal is lent by `script`, of util-linux.
#[test]
fn on_a_terminal_the_command_is_shown_and_asked_about() {
    if Command::new("script").arg("--version").output().is_err() {
        return;
    }
    let server = beside("server.py");
    let command = format!("{} scan -- python3 {server} honest 'a b'", env!("CARGO_BIN_EXE_callgate"));
    let answer = |text: &str| {
        let mut child = Command::new("script")
            .args(["-q", "-e", "-c", &command, "/dev/null"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (status, said) = answer("y\n");
    assert!(said.contains(&format!("python3 {server} honest 'a b'")), "{said}");
    assert!(status == 0 && said.contains("read_file"), "{said}");
    let (status, said) = answer("\n");
    assert!(status == 2 && said.contains("it was not started, as you chose"), "{said}");
}

#[test]
fn a_saved_list_is_taken_in_any_form_that_check_takes() {
    let list = r#"[{"name": "read_file", "inputSchema": {"type": "object"}}, {"name": "Read_File"}]"#;
    for text in [
        list.to_owned(),
        format!(r#"{{"tools": {list}}}"#),
        format!(r#"{{"jsonrpc": "2.0", "id": 1, "result": {{"tools": {list}}}}}"#),
    ] {
        let run =
            callgate_with(&["scan", "--tools", "-", "--format", "json", "--name", "files"], text.as_bytes());
        assert_eq!(
            (run.status, names(&run)),
            (0, vec!["read_file".to_owned(), "Read_File".to_owned()]),
            "{}",
            run.err
        );
        assert_eq!(json(&run.out)["tools"][0]["server"], "files");
    }
    for text in ["{}", "[1]", "[{\"name\": \"a\", \"name\": \"b\"}]", ""] {
        assert_eq!(callgate_with(&["scan", "--tools", "-"], text.as_bytes()).status, 2, "{text}");
    }
    let odd = file("scan-odd.json", list);
    assert_eq!(callgate(&["scan", "--tools", &odd]).status, 0);
    assert_eq!(callgate(&["scan", "--tools", &odd, "--fail-on", "finding"]).status, 1);
    let good = file("scan-good.json", r#"[{"name": "read_file"}]"#);
    assert_eq!(callgate(&["scan", "--tools", &good, "--fail-on", "finding"]).status, 0);
}

#[test]
fn all_servers_of_a_configuration_are_asked_and_one_that_fails_stops_none() {
    let server = beside("server.py");
    let configuration = value!({"mcpServers": {
        "broken": {"command": "no-such-program-at-all"},
        "old": {"command": "python3", "args": [server, "honest"]},
        "guarded": {"command": "callgate", "args": ["proxy", "--name", "guarded", "--", python(), server, "environment"],
                    "env": {"GIVEN": "by the configuration"}},
        "filled": {"command": "python3", "args": ["${workspaceFolder}/server.py"]},
        "again": {"command": "python3", "args": [server, "honest"]},
    }});
    let path = file("scan-mcp.json", configuration.to_string());
    let run = scan_of(&["--config", &path], "config", &JSON).run;
    assert_eq!(run.status, 2);
    assert!(run.err.contains("server `broken`: the server cannot be started"), "{}", run.err);
    assert!(
        run.err.contains("server `filled`: it has a variable that only the client fills in"),
        "{}",
        run.err
    );
    let report = json(&run.out);
    let tools = report["tools"].as_array().unwrap();
    let of = |server: &str| -> Vec<&str> {
        tools
            .iter()
            .filter(|tool| tool["server"] == server)
            .map(|tool| tool["name"].as_str().unwrap())
            .collect()
    };
    assert_eq!(of("guarded"), ["GIVEN", "HOME", "PATH"]);
    assert_eq!(of("old"), of("again"));
    let same = tools.iter().find(|tool| tool["server"] == "old").unwrap();
    assert_eq!(same["findings"][0]["text"], "server `again` has a tool of this name, too");
    let run = scan_of(&["--config", &path], "config", &["--yes", "--server", "old"]).run;
    assert_eq!((run.status, &*run.err), (0, ""), "{}", run.out);
    assert_eq!(callgate(&["scan", "--yes", "--config", &path, "--server", "none"]).status, 2);
}

/// The tools of a bank, and what each is.
const BANK: &str = r#"[
    {"name": "list_accounts", "description": "Lists the accounts.", "inputSchema": {"type": "object"}},
    {"name": "delete_account", "description": "Deletes an account for ever.", "annotations": {"readOnlyHint": true},
     "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}}}
]"#;

#[test]
fn each_tool_is_judged_and_the_result_is_as_the_schema_says() {
    let path = file("scan-bank.json", BANK);
    let run = callgate(&["scan", "--tools", &path, "--format", "json"]);
    assert_eq!(run.status, 0, "{}", run.err);
    let schema = json(&callgate(&["schema", "--of", "scan"]).out);
    let report = json(&run.out);
    let tools = report["tools"].as_array().unwrap();
    let keys =
        |value: &serde_json::Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let properties = |name: &str| schema["$defs"][name]["properties"].clone();
    assert_eq!(keys(&report["servers"][0]), keys(&properties("server")));
    for tool in tools {
        let properties = properties("tool");
        assert_eq!(keys(tool), keys(&properties));
        for field in ["class", "severity"] {
            assert!(properties[field]["enum"].as_array().unwrap().contains(&tool[field]), "{tool}");
        }
        for list in ["reasons", "findings"] {
            for item in tool[list].as_array().unwrap() {
                assert_eq!(keys(item), keys(&properties[list]["items"]["properties"]));
            }
        }
        let codes = &properties["findings"]["items"]["properties"]["code"]["enum"];
        for finding in tool["findings"].as_array().unwrap() {
            assert!(codes.as_array().unwrap().contains(&finding["code"]), "{finding}");
        }
    }
    let brief: Vec<_> = tools
        .iter()
        .map(|tool| (tool["class"].as_str().unwrap(), tool["findings"][0]["code"].as_str()))
        .collect();
    assert_eq!(brief, [("Read", None), ("Destructive", Some("contradicting_hint"))]);
    let table = callgate(&["scan", "--tools", &path]).out;
    assert!(table.lines().nth(2).unwrap().contains("delete_account  Destructive"), "{table}");
    let page = callgate(&["scan", "--tools", &path, "--format", "markdown"]).out;
    assert!(page.contains("` delete_account ` | Destructive | "), "{page}");
    for (what, status) in [("high", 1), ("unknown", 0), ("finding", 1)] {
        assert_eq!(callgate(&["scan", "--tools", &path, "--fail-on", what]).status, status, "{what}");
    }
}

/// Servers that others have published, where the tests of Node have installed them.
#[test]
fn published_servers_list_their_tools() {
    let modules = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../bindings-node/node_modules/@modelcontextprotocol");
    if !modules.is_dir() {
        return;
    }
    for (server, args, tool) in [
        ("server-filesystem", &[env!("CARGO_TARGET_TMPDIR")][..], "read_text_file"),
        ("server-everything", &[], "echo"),
    ] {
        let program = modules.join(server).join("dist/index.js").to_str().unwrap().to_owned();
        let mut words = vec!["--", "node", &program];
        words.extend(args);
        let run = scan_of(&words, server, &JSON).run;
        assert_eq!(run.status, 0, "{server}: {}", run.err);
        assert!(names(&run).len() > 5 && names(&run).contains(&tool.to_owned()), "{server}: {}", run.out);
    }
}
