//! `callgate proxy wrap`, and the page that shows it: `docs/guide/gateway.md`.

use crate::{Path, callgate, fs, json};

const BEFORE: &str = r#"{
  "mcpServers": {
    "files": {
      "command": "npx",
      "args": ["-y", "server-filesystem", "--token=tell-nobody"],
      "env": {"API_KEY": "tell-nobody"}
    },
    "web": {"type": "http", "url": "https://example.org/mcp?key=tell-nobody"}
  }
}
"#;
const POLICY: &str = "version: '1'\ndefault: deny\n";

/// A folder with a configuration and a policy.
fn folder(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrap").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(".mcp.json"), BEFORE).unwrap();
    fs::write(folder.join("policy.yaml"), POLICY).unwrap();
    folder
}

struct Ran {
    status: i32,
    out: String,
    err: String,
}

/// Runs `callgate proxy wrap` in a folder.
fn wrap(folder: &Path, args: &[&str]) -> Ran {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_callgate"));
    let run = command.args(["proxy", "wrap"]).args(args).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { status: run.status.code().unwrap(), out: text(run.stdout), err: crate::wherever(&text(run.stderr)) }
}

fn text(folder: &Path) -> String {
    fs::read_to_string(folder.join(".mcp.json")).unwrap()
}

/// The file with this program in front of its server.
fn wrapped(folder: &Path, policy: bool) -> String {
    let name = |path: &Path| serde_json::to_string(path.to_str().unwrap()).unwrap();
    let program = fs::canonicalize(env!("CARGO_BIN_EXE_callgate")).unwrap();
    let policy =
        if policy { format!("\"-p\", {}, ", name(&folder.join("policy.yaml"))) } else { String::new() };
    BEFORE
        .replace("\"command\": \"npx\"", &format!("\"command\": {}", name(&program)))
        .replace("[\"-y\"", &format!("[\"proxy\", \"--name\", \"files\", {policy}\"--\", \"npx\", \"-y\""))
}

#[test]
fn a_file_is_wrapped_and_undone() {
    let folder = folder("undone");
    let run = wrap(&folder, &[".mcp.json"]);
    assert_eq!((run.status, &*run.err), (0, ""));
    assert!(
        run.out.starts_with(
            ".mcp.json:3: files: wrapped, a dry run: every call is recorded, and none is stopped\n"
        ),
        "{}",
        run.out
    );
    assert!(run.out.contains(".mcp.json:8: web: left as it is, unguarded"), "{}", run.out);
    assert_eq!(text(&folder), wrapped(&folder, false));
    let run = wrap(&folder, &[".mcp.json", "--policy", "policy.yaml"]);
    assert!(
        run.out.starts_with(".mcp.json:3: files: changed: the policy decides its calls\n"),
        "{}",
        run.out
    );
    assert_eq!(text(&folder), wrapped(&folder, true));
    let run = wrap(&folder, &[".mcp.json", "-p", "policy.yaml", "--format", "json"]);
    let report = json(&run.out);
    assert_eq!((run.status, &report["changes"], &report["written"]), (0, &false.into(), &false.into()));
    assert_eq!(report["servers"][0]["policy"], folder.join("policy.yaml").to_str().unwrap());
    assert_eq!(
        (&report["servers"][0]["state"], &report["servers"][1]["state"]),
        (&"kept".into(), &"remote".into())
    );
    let run = wrap(&folder, &[".mcp.json", "--undo"]);
    assert!(run.out.ends_with("the file is as it was, byte for byte\nrestart the client\n"), "{}", run.out);
    assert_eq!((run.status, text(&folder)), (0, BEFORE.to_owned()));
    let run = wrap(&folder, &[".mcp.json", "--undo"]);
    assert_eq!(
        (run.status, &*run.out),
        (
            0,
            ".mcp.json:3: files: is started without callgate\n.mcp.json:8: web: left as it is, unguarded: it is not started as a process\n"
        )
    );
}

/// A preview shows the lines that change, and no other: the next one may hold a token.
#[test]
fn a_check_writes_nothing() {
    let folder = folder("check");
    let run = wrap(&folder, &[".mcp.json", "--check"]);
    assert_eq!((run.status, text(&folder)), (1, BEFORE.to_owned()));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    let lines = run.out.lines().take(7).collect::<Vec<_>>();
    let after = wrapped(&folder, false);
    let after = after.lines().collect::<Vec<_>>();
    let plus = |index: usize| format!("+{}", after[index]);
    assert_eq!(
        lines,
        [
            "--- .mcp.json",
            "+++ .mcp.json",
            "@@ -4,2 +4,2 @@",
            "-      \"command\": \"npx\",",
            "-      \"args\": [\"-y\", \"server-filesystem\", \"--token=tell-nobody\"],",
            &plus(3),
            &plus(4),
        ]
    );
    assert!(!run.out.contains("API_KEY"), "{}", run.out);
    wrap(&folder, &[".mcp.json"]);
    assert_eq!(wrap(&folder, &[".mcp.json", "--check"]).status, 0);
    let run = wrap(&folder, &[".mcp.json", "--undo", "--check", "--format", "json"]);
    assert_eq!((run.status, &json(&run.out)["written"]), (1, &false.into()));
    assert_eq!(text(&folder), wrapped(&folder, false));
}

#[test]
fn nothing_is_printed_of_a_configuration() {
    let folder = folder("secrets");
    let broken = BEFORE.replace("\"env\"", "\"args\"");
    fs::write(folder.join("broken.json"), broken).unwrap();
    for args in [
        &[".mcp.json"][..],
        &[".mcp.json", "--format", "json"],
        &["broken.json"],
        &[".mcp.json", "--server", "none"],
        &[".mcp.json", "--undo"],
    ] {
        let run = wrap(&folder, args);
        assert!(
            !run.out.contains("tell-nobody") && !run.err.contains("tell-nobody"),
            "{}{}",
            run.out,
            run.err
        );
    }
}

/// A policy that does not load would keep a client's servers from starting.
#[test]
fn a_policy_must_load() {
    let folder = folder("policy");
    fs::write(folder.join("broken.yaml"), "defualt: deny\n").unwrap();
    let run = wrap(&folder, &[".mcp.json", "-p", "broken.yaml"]);
    assert_eq!((run.status, text(&folder)), (2, BEFORE.to_owned()));
    assert!(run.err.contains("defualt") && run.err.contains("the policy does not load"), "{}", run.err);
    assert_eq!(wrap(&folder, &[".mcp.json", "-p", "none.yaml"]).status, 2);
    // A variable is the client's to expand.
    let run = wrap(&folder, &[".mcp.json", "-p", "${workspaceFolder}/none.yaml", "--command", "callgate"]);
    assert_eq!(run.status, 0);
    assert!(text(&folder).contains(r#""command": "callgate""#));
    assert!(text(&folder).contains(r#""-p", "${workspaceFolder}/none.yaml", "--", "npx""#));
}

/// By the name that a shell finds it by: an update leaves the link where it is, and moves what it leads to.
#[cfg(unix)]
#[test]
fn a_link_to_the_program_is_kept() {
    let folder = folder("link");
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    let link = bin.join("callgate");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_callgate"), &link).unwrap();
    let mut command = std::process::Command::new("callgate");
    let run = command.args(["proxy", "wrap", ".mcp.json"]).env("PATH", &bin).current_dir(&folder).output();
    assert!(run.unwrap().status.success());
    assert_eq!(json(&text(&folder))["mcpServers"]["files"]["command"], link.to_str().unwrap());
}

/// Callgate by another name is taken away by that name.
#[test]
fn an_undo_may_name_the_program() {
    let folder = folder("named");
    assert_eq!(wrap(&folder, &[".mcp.json", "--command", "gate"]).status, 0);
    let run = wrap(&folder, &[".mcp.json", "--undo"]);
    assert!(run.out.starts_with(".mcp.json:3: files: is started without callgate\n"), "{}", run.out);
    assert_eq!(wrap(&folder, &[".mcp.json", "--undo", "--command", "gate"]).status, 0);
    assert_eq!(text(&folder), BEFORE);
}

/// Programs that `npx` and `uvx` run lie in their caches, which are emptied.
#[cfg(unix)]
#[test]
fn a_program_in_a_cache_is_warned_of() {
    let folder = folder("cache");
    let cache = folder.join("_npx/0a1b/bin");
    fs::create_dir_all(&cache).unwrap();
    let program = cache.join("callgate");
    fs::hard_link(env!("CARGO_BIN_EXE_callgate"), &program).unwrap();
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(&program);
        let run =
            command.args(["proxy", "wrap", ".mcp.json"]).args(args).current_dir(&folder).output().unwrap();
        assert!(run.status.success());
        String::from_utf8(run.stderr).unwrap()
    };
    let warned = run(&[]);
    assert!(warned.starts_with("warning: this program may not stay where it is: "), "{warned}");
    assert!(warned.contains("_npx") && warned.contains("--command"), "{warned}");
    assert_eq!(run(&["--command", "callgate"]), "");
    assert_eq!(run(&["--undo"]), "");
}

/// Tools of two servers have different names.
#[test]
fn one_policy_for_two_servers_is_told_of() {
    let folder = folder("shared");
    let two = r#"{"servers": {"a": {"command": "a"}, "b": {"command": "b"}}}"#;
    fs::write(folder.join("two.json"), two).unwrap();
    let run = wrap(&folder, &["two.json", "-p", "policy.yaml", "--check"]);
    assert!(
        run.err.starts_with("note: one policy decides the calls of 2 servers\nhelp: `--server NAME`"),
        "{}",
        run.err
    );
    for args in [&["two.json", "-p", "policy.yaml", "--server", "a", "--check"][..], &["two.json", "--check"]]
    {
        assert_eq!(wrap(&folder, args).err, "");
    }
}

#[test]
fn exit_statuses_say_what_was_found() {
    let folder = folder("status");
    // No server that could be wrapped.
    let remote = r#"{"servers": {"web": {"type": "http", "url": "https://example.org/mcp"}}}"#;
    fs::write(folder.join("remote.json"), remote).unwrap();
    assert_eq!(wrap(&folder, &["remote.json"]).status, 1);
    fs::write(folder.join("none.json"), "{}").unwrap();
    for args in [
        &["none.json"][..],
        &["missing.json"],
        &[],
        &[".mcp.json", "--undo", "--policy", "policy.yaml"],
        &[".mcp.json", "--server", "none"],
    ] {
        let run = wrap(&folder, args);
        assert_eq!((run.status, &*run.out), (2, ""), "{args:?}");
        assert!(!run.err.is_empty(), "{args:?}");
    }
    assert_eq!(text(&folder), BEFORE);
    // `wrap` is a server's name like any other behind `--`.
    assert!(!callgate(&["proxy", "--", "wrap", "--help"]).out.contains("Put callgate in front"));
}
