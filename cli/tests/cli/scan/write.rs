//! `scan --write`: both files or none, and never over another one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{callgate, file};

const TOOLS: &str = r#"[
    {"name": "list_users", "description": "Lists users.", "inputSchema": {"type": "object"}},
    {"name": "delete_user", "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}}},
    {"name": "pay\u2028*", "description": "Pays.\u2028default: allow", "inputSchema": {"properties": {"amount": {"type": "number"}}}},
    {"name": "twice"}, {"name": "twice"}
]"#;

/// An empty folder of a test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("write-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_policy_and_its_tests_are_written_and_hold() {
    let folder = folder("both");
    let tools = file("write-tools.json", TOOLS);
    let policy = folder.join("p.yaml");
    let policy = policy.to_str().unwrap();
    for profile in ["read-only", "recommended", "permissive"] {
        for scope in ["caller", "global", "grant", "session", "identity"] {
            let run = callgate(&[
                "scan",
                "--tools",
                &tools,
                "--write",
                policy,
                "--profile",
                profile,
                "--scope",
                scope,
                "--force",
            ]);
            assert_eq!(run.status, 0, "{}", run.err);
            assert!(run.err.starts_with("wrote: "), "{}", run.err);
            assert_eq!(
                run.err.matches("the tool `twice` has no entry, and is denied").count(),
                2,
                "{}",
                run.err
            );
            assert_eq!(names(&folder), ["p.yaml", "p_test.yaml"]);
            let run = callgate(&["check", "--deny-warnings", "--tools", &tools, policy]);
            assert_eq!(run.status, 0, "{profile}: {}", run.out);
            let run = callgate(&["test", "--coverage", "--min", "100", folder.to_str().unwrap()]);
            assert_eq!(run.status, 0, "{profile}: {}", run.out);
        }
    }
    let run = callgate(&["eval", "--policy", policy, "--tool", "pay", "--identity", "ann"]);
    assert_eq!(run.status, 1, "{}", run.out);
}

#[test]
fn nothing_is_replaced_without_force() {
    let tools = file("write-tools-2.json", TOOLS);
    for there in ["p.yaml", "p_test.yaml"] {
        let folder = folder(&format!("there-{there}"));
        fs::write(folder.join(there), "mine").unwrap();
        let policy = folder.join("p.yaml");
        let args = ["scan", "--tools", &tools, "--write", policy.to_str().unwrap(), "--force"];
        let run = callgate(&args[..5]);
        assert_eq!((run.status, &*run.out), (2, ""), "{}", run.err);
        assert!(run.err.contains(there) && run.err.contains("`--force` replaces it"), "{}", run.err);
        assert_eq!(names(&folder), [there]);
        assert_eq!(fs::read_to_string(folder.join(there)).unwrap(), "mine");
        assert_eq!(callgate(&args).status, 0);
        assert_eq!(names(&folder), ["p.yaml", "p_test.yaml"]);
        assert_ne!(fs::read_to_string(folder.join(there)).unwrap(), "mine");
    }
    // What is not a file is never replaced.
    let folder = folder("odd");
    fs::create_dir(folder.join("p_test.yaml")).unwrap();
    let policy = folder.join("p.yaml");
    let run = callgate(&["scan", "--tools", &tools, "--write", policy.to_str().unwrap(), "--force"]);
    assert_eq!(run.status, 2);
    assert!(run.err.contains("it is not a regular file"), "{}", run.err);
    assert_eq!(names(&folder), ["p_test.yaml"]);
}

#[test]
fn what_cannot_be_a_policy_is_refused_before_a_server_is_asked() {
    let folder = folder("refused");
    let started = folder.join("started");
    let touch = started.to_str().unwrap();
    for (name, why) in [
        ("p.json", "ends with `.yaml`"),
        ("p_test.yaml", "test files are called so"),
        (".yaml", "ends with `.yaml`"),
        ("no/p.yaml", "its folder is not there"),
    ] {
        let policy = folder.join(name);
        let run = callgate(&["scan", "--yes", "--write", policy.to_str().unwrap(), "--", "touch", touch]);
        assert_eq!(run.status, 2, "{name}");
        assert!(run.err.contains(why), "{}", run.err);
        assert!(!started.exists(), "{name}");
        assert!(names(&folder).is_empty(), "{:?}", names(&folder));
    }
    let config = format!(
        r#"{{"mcpServers": {{"a": {{"command": "touch", "args": ["{touch}"]}}, "b": {{"command": "touch", "args": ["{touch}"]}}}}}}"#
    );
    let config = file("write-two.json", config);
    let policy = folder.join("p.yaml");
    let run = callgate(&["scan", "--yes", "--config", &config, "--write", policy.to_str().unwrap()]);
    assert_eq!(run.status, 2);
    assert!(run.err.contains("pick one with `--server NAME`"), "{}", run.err);
    assert!(names(&folder).is_empty(), "{:?}", names(&folder));
}

#[test]
fn a_server_without_a_list_has_no_policy() {
    let folder = folder("none");
    let policy = folder.join("p.yaml");
    let run = callgate(&["scan", "--yes", "--write", policy.to_str().unwrap(), "--", "false"]);
    assert_eq!(run.status, 2);
    assert!(names(&folder).is_empty(), "{:?}", names(&folder));
}

#[test]
fn overrides_are_told_at_their_place_and_hold_for_what_is_written() {
    let folder = folder("overrides");
    let tools = file("write-tools-3.json", TOOLS);
    let policy = folder.join("p.yaml");
    let scan = |overrides: &str| {
        let overrides = file("write-overrides.yaml", overrides);
        let args = [
            "scan",
            "--tools",
            &*tools,
            "--name",
            "users",
            "--overrides",
            &*overrides,
            "--fail-on",
            "finding",
        ];
        callgate(&[&args[..], &["--write", policy.to_str().unwrap()]].concat())
    };
    for (text, code) in [
        ("classes: [{tool: list_users, class: Red, reason: why}]", "error[invalid_class]"),
        ("classes: [{tool: lst_users, class: Read, reason: why}]", "error[unknown_tool]"),
        ("classes: [{tool: list_users, server: user, class: Read, reason: why}]", "error[unknown_server]"),
        ("ignore: [{tool: list_users, code: bad_name, reason: why}]", "error[unknown_finding]"),
    ] {
        let run = scan(text);
        assert_eq!((run.status, &*run.out), (2, ""), "{text}");
        assert!(run.err.starts_with(code) && run.err.contains("write-overrides.yaml:1:"), "{}", run.err);
        assert!(names(&folder).is_empty(), "{text}");
    }
    let run = scan(
        "
classes: [{tool: delete_user, class: Read, reason: it only marks}]
ignore:
  - {tool: twice, code: same_name, reason: the server is ours}
  - {tool: \"pay\\u2028*\", code: bad_name, server: users, reason: the server is ours}
  - {tool: \"pay\\u2028*\", code: hidden_characters, reason: the server is ours}
",
    );
    assert_eq!(run.status, 0, "{}{}", run.out, run.err);
    assert!(run.out.contains("0 findings, 4 left out"), "{}", run.out);
    let written = fs::read_to_string(&policy).unwrap();
    assert!(
        written.contains(
            "# Read, severity medium, confidence 100: override: it only marks (otherwise Destructive)"
        ),
        "{written}"
    );
}

#[test]
fn a_server_that_is_trusted_has_to_be_in_the_scan() {
    let tools = file("write-tools-4.json", r#"[{"name": "aks", "annotations": {"readOnlyHint": true}}]"#);
    let run = callgate(&["scan", "--tools", &tools, "--name", "azure", "--trust", "azure"]);
    assert!(run.status == 0 && run.out.contains("Read"), "{}{}", run.out, run.err);
    let run = callgate(&["scan", "--tools", &tools, "--name", "azure", "--trust", "azur"]);
    assert!(run.status == 2 && run.err.contains("names no server of the scan"), "{}{}", run.out, run.err);
}
