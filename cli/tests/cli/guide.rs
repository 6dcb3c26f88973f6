//! The commands and the test files of the guide to tests of policies: `docs/guide/test.md`.

use std::process::Command;

use super::{Path, fs};

const GUIDE: &str = include_str!("../../../docs/guide/test.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A folder with the policy of the guide, and the files that the guide speaks of.
fn folder(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let policy = fs::read_to_string(root().join("spec/policies/payments.yaml")).unwrap();
    fs::write(folder.join("next.yaml"), policy.replace("value: 50000", "value: 40000")).unwrap();
    fs::write(folder.join("payments.yaml"), policy).unwrap();
    let list = r#"{"tools": [{"name": "create_charge", "inputSchema": {"properties": {"amount": {"type": "integer"}}}}]}"#;
    fs::write(folder.join("tools.json"), list).unwrap();
    folder
}

/// The blocks of a language that this file runs.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("<!-- run by cli/tests/cli/guide.rs -->\n```{language}\n");
    GUIDE.split(&*start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn shell(folder: &Path, command: &str) -> String {
    let run = Command::new("sh")
        .args(["-c", &format!("callgate() {{ \"$CALLGATE\" \"$@\"; }}; {command} 2>&1")])
        .env("CALLGATE", env!("CARGO_BIN_EXE_callgate"))
        .current_dir(folder)
        .output()
        .unwrap();
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn commands_print_what_the_guide_shows() {
    let folder = folder("guide-commands");
    fs::copy(root().join("spec/policies/payments_test.yaml"), folder.join("payments_test.yaml")).unwrap();
    let blocks = blocks("console");
    assert_eq!(blocks.len(), 2);
    // In order: each works on what the one before it left.
    for block in blocks {
        let (command, expected) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        let printed = shell(&folder, command);
        assert!(printed.starts_with(expected), "{command} prints\n{printed}");
    }
}

#[test]
fn the_files_of_the_guide_pass() {
    let blocks = blocks("yaml");
    assert_eq!(blocks.len(), 5);
    let folder = folder("guide-files");
    for block in blocks {
        fs::write(folder.join("a_test.yaml"), block).unwrap();
        let printed = shell(&folder, "callgate test; echo status $?");
        assert!(printed.ends_with("status 0\n"), "{block}\n{printed}");
    }
}

/// Every field of the schema is told of.
#[test]
fn the_guide_tells_every_field() {
    let schema = crate::json(include_str!("../../../spec/test.schema.json"));
    let (_, reference) = GUIDE.split_once("## All fields").unwrap();
    let parts = [
        &schema["properties"],
        &schema["$defs"]["test"]["properties"],
        &schema["$defs"]["step"]["properties"],
    ];
    for name in parts.iter().flat_map(|part| part.as_object().unwrap().keys()) {
        assert!(reference.contains(&format!("`{name}`")), "{name}");
    }
    for name in schema["$defs"]["rule"]["oneOf"][2]["properties"].as_object().unwrap().keys() {
        assert!(GUIDE.contains(&format!("`{name}`")), "{name}");
    }
}
