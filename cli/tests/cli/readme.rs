//! The commands of the README, and what it shows of their output.

use std::process::Command;

use super::{Path, fs};

const README: &str = include_str!("../../../README.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What a shell prints, both streams, in a folder that has the README's policy with a mistake, and the policies of `spec`.
fn shell(folder: &str, command: &str) -> String {
    // Of each test its own: one may write the policy while the other's command reads it.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir_all(folder.join("spec/policies")).unwrap();
    let policy = fs::read_to_string(root().join("examples/quickstart/policy.yaml")).unwrap();
    fs::write(folder.join("policy.yaml"), policy.replace("30/minute", "30 per minute")).unwrap();
    for name in ["payments.yaml", "seed-create-access-key.json"] {
        fs::copy(root().join("spec/policies").join(name), folder.join("spec/policies").join(name)).unwrap();
    }
    let run = Command::new("sh")
        .args(["-c", &format!("callgate() {{ \"$CALLGATE\" \"$@\"; }}; {command} 2>&1")])
        .env("CALLGATE", env!("CARGO_BIN_EXE_callgate"))
        .env("DEMO", root().join("demo"))
        .current_dir(folder)
        .output()
        .unwrap();
    String::from_utf8(run.stdout).unwrap()
}

/// The blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    README.split(&*start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn commands_print_what_the_readme_shows() {
    let blocks = blocks("console");
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let (command, expected) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        let printed = shell("readme", command);
        assert!(printed.starts_with(expected), "{command} prints\n{printed}");
    }
}

#[test]
fn the_demo_prints_what_the_readme_shows() {
    let printed = shell(
        "readme-demo",
        "awk -f \"$DEMO/expand.awk\" \"$DEMO/agents/seed-create-access-key.txt\" \
         | callgate eval --policy spec/policies/seed-create-access-key.json --calls - --format table",
    );
    let block = blocks("text").into_iter().find(|block| block.starts_with("time ")).unwrap();
    for line in block.lines() {
        assert!(printed.lines().any(|other| other == line), "{line}\n{printed}");
    }
}
