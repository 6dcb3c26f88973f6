//! Help, version, usage errors, schema and completions.

use crate::{callgate, file, json};

#[test]
fn every_command_has_help_with_examples() {
    for command in [
        "check",
        "eval",
        "explain",
        "test",
        "approvals list",
        "approvals approve",
        "status",
        "audit verify",
        "proxy wrap",
        "scan",
        "catalogue list",
        "catalogue show",
        "init",
        "schema",
        "completions",
    ] {
        let words = command.split_whitespace().chain(["--help"]).collect::<Vec<_>>();
        let run = callgate(&words);
        assert_eq!(run.status, 0);
        assert!(
            run.out.contains("Examples:") && run.out.contains(&format!("callgate {command}")),
            "{}",
            run.out
        );
    }
    assert!(callgate(&["--help"]).out.contains("Examples:"));
}

/// `-V` is the version alone; `--version` also says of which commit it is, and which stores it can open.
#[test]
fn the_version_names_the_commit_and_the_stores() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(callgate(&["-V"]).out, format!("callgate {version}\n"));
    let git = std::process::Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let head = git.ok().filter(|run| run.status.success()).map(|run| String::from_utf8(run.stdout).unwrap());
    let commit = head.as_ref().map_or("unknown", |head| head.get(..12).unwrap());
    assert_eq!(
        callgate(&["--version"]).out,
        format!(
            "callgate {version}\ntime zones {zones}\ncommit {commit}\nstores memory, sqlite, redis\n",
            zones = callgate::time::ZONE_DATABASE
        )
    );
    // What it names is what it has.
    let policy = file("version.yaml", "version: \"1\"\ndefault: allow\n");
    for store in ["memory".to_owned(), format!("sqlite://{policy}.db"), "redis://127.0.0.1:1".to_owned()] {
        let run = callgate(&["eval", "-p", &policy, "--tool", "t", "--store", &store]);
        assert!(!run.err.contains("this build has no store"), "{}", run.err);
    }
}

/// 0 as asked, 1 the answer is no, 2 the question could not be asked.
#[test]
fn each_command_documents_its_exit_status_and_keeps_it() {
    for command in [
        "check",
        "eval",
        "explain",
        "test",
        "counters list",
        "counters reset",
        "approvals list",
        "approvals show",
        "approvals approve",
        "approvals deny",
        "status",
        "audit verify",
        "proxy wrap",
        "scan",
        "catalogue list",
        "catalogue show",
        "init",
        "schema",
        "completions",
        "",
    ] {
        let words = command.split_whitespace().chain(["--help"]).collect::<Vec<_>>();
        assert!(callgate(&words).out.contains("\nExit status"), "{command}");
    }
    // Of a policy that does not load, `check` says no, and the others can say nothing.
    let root = callgate(&["--help"]).out;
    let status = root.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "1 the answer is no: a policy that `check` reads",
        "2 the question could not be asked: a wrong option, a policy to decide by",
    ] {
        assert!(status.contains(part), "{root}");
    }
    let (missing, store) = ("no/such/file.yaml", "sqlite://no/such/counters.db");
    let policy = file("exit.yaml", "version: \"1\"\ndefault: deny\ntools: {t: {}}\n");
    let broken = file("exit-broken.yaml", "defualt: deny\n");
    let warned = file("exit-warned.yaml", "default: deny\n");
    let calls = file("exit.jsonl", "{\"tool\": \"t\"}\n{\"tool\": \"u\"}\n");
    let no_calls = file("exit-broken.jsonl", "{\"tool\": \"t\"}\nt\n");
    let url = format!("sqlite://{}", std::path::Path::new(&policy).with_file_name("exit.db").display());
    let _ = std::fs::remove_file(url.trim_start_matches("sqlite://"));
    let limited = file(
        "exit-limit.yaml",
        "version: \"1\"\ndefault: deny\ntools: {t: {rules: [{rate_limit: 5/month}]}}\n",
    );
    for (status, args) in [
        (0, &["check", &policy, &warned][..]),
        (1, &["check", &policy, &broken]),
        (1, &["check", "--deny-warnings", &warned]),
        (2, &["check", &broken, missing]),
        (2, &["check", "--tools", missing, &policy]),
        (0, &["eval", "-p", &policy, "--tool", "t"]),
        (1, &["eval", "-p", &policy, "--tool", "u"]),
        (2, &["eval", "-p", &broken, "--tool", "t"]),
        (2, &["eval", "-p", missing, "--tool", "t"]),
        (2, &["eval", "-p", &policy, "--tool", "t", "--store", "nowhere"]),
        (2, &["eval", "-p", &policy, "--tool", "t", "--args", "@no/such/file.json"]),
        (0, &["eval", "-p", &policy, "--calls", &calls]),
        (2, &["eval", "-p", &policy, "--calls", &no_calls]),
        (2, &["eval", "-p", &policy, "--calls", missing]),
        (0, &["explain", "-p", &policy, "--tool", "t"]),
        (0, &["explain", "-p", &policy, "--tool", "u"]),
        (2, &["explain", "-p", &broken, "--tool", "t"]),
        (2, &["counters", "list", "--store", store]),
        (2, &["counters", "reset", "--everything", "--store", store]),
        (0, &["eval", "-p", &limited, "--tool", "t", "--identity", "a", "--store", &url]),
        (0, &["counters", "list", "--store", &url]),
        (0, &["counters", "list", "--store", &url, "--tool", "u"]),
        (1, &["counters", "reset", "--store", &url, "--tool", "u"]),
        (0, &["counters", "reset", "--store", &url, "--tool", "t"]),
        (1, &["counters", "reset", "--store", &url, "--everything"]),
        (0, &["schema"]),
        (2, &["schema", "x"]),
        (0, &["completions", "bash"]),
        (2, &["completions", "tcsh"]),
    ] {
        let run = callgate(args);
        assert_eq!(run.status, status, "{args:?}: {}{}", run.out, run.err);
    }
}

/// Output that nobody reads to its end does not turn a no into a yes.
#[test]
#[cfg(unix)]
fn an_answer_that_is_no_stays_no_where_its_reader_leaves() {
    let many = (0..2_000).map(|at| format!("x{at}: 1\n")).collect::<String>();
    let broken = file("left.yaml", format!("version: \"1\"\ndefault: deny\n{many}"));
    for format in ["human", "json", "sarif"] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_callgate"))
            .args(["check", "--format", format, &broken])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(1), "{format}");
    }
    let full = std::fs::File::options().write(true).open("/dev/full");
    if let Ok(full) = full {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_callgate"));
        let status = command.args(["check", &broken]).stdout(full).status().unwrap();
        assert_eq!(status.code(), Some(2), "output that cannot be written");
    }
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
    assert_eq!(callgate(&["schema", "--of", "policy"]).out, run.out);
    for (kind, text) in [
        ("test", include_str!("../../../spec/test.schema.json")),
        ("audit", include_str!("../../../spec/audit.schema.json")),
        ("scan", include_str!("../../../spec/scan.schema.json")),
        ("overrides", include_str!("../../../spec/overrides.schema.json")),
    ] {
        let run = callgate(&["schema", "--of", kind]);
        assert_eq!((run.status, &*run.out), (0, text));
        assert!(json(&run.out)["$schema"].is_string());
    }
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = callgate(&["completions", shell]);
        assert_eq!(run.status, 0, "{shell}");
        assert!(run.out.contains("callgate") && run.out.contains("deny-warnings"), "{shell}");
    }
}
