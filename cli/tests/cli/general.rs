//! Help, version, usage errors, schema and completions.

use crate::{callgate, json};

#[test]
fn every_command_has_help_with_examples() {
    for command in ["check", "eval", "explain", "schema", "completions"] {
        let run = callgate(&[command, "--help"]);
        assert_eq!(run.status, 0);
        assert!(
            run.out.contains("Examples:") && run.out.contains(&format!("callgate {command}")),
            "{}",
            run.out
        );
    }
    assert!(callgate(&["--help"]).out.contains("Examples:"));
    assert_eq!(callgate(&["--version"]).out, format!("callgate {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn usage_errors_go_to_standard_error_with_status_2() {
    for args in [
        &[][..],
        &["chekc"],
        &["check"],
        &["check", "--format", "xml", "x.yaml"],
        &["eval", "--policy", "x.yaml"],
        &["eval", "--tool", "x"],
        &["eval", "--policy", "x.yaml", "--tool", "x", "--calls", "y"],
        &["eval", "--policy", "x.yaml", "--calls", "y", "--args", "{}"],
        &["eval", "--policy", "x.yaml", "--tool", "x", "--at", "noon"],
        &["explain", "--policy", "x.yaml"],
        &["completions", "tcsh"],
    ] {
        let run = callgate(args);
        assert_eq!((run.status, &*run.out), (2, ""), "{args:?}");
        assert!(!run.err.is_empty(), "{args:?}");
    }
    assert!(callgate(&["chekc"]).err.contains("check"), "suggests what was meant");
}

#[test]
fn the_schema_is_the_one_of_the_language() {
    let run = callgate(&["schema"]);
    assert_eq!(run.status, 0);
    assert_eq!(run.out, include_str!("../../../spec/policy.schema.json"));
    assert!(json(&run.out)["$schema"].is_string());
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = callgate(&["completions", shell]);
        assert_eq!(run.status, 0, "{shell}");
        assert!(run.out.contains("callgate") && run.out.contains("deny-warnings"), "{shell}");
    }
}
