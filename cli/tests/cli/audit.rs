//! `callgate status` and `callgate audit verify`, on logs as gateways write them; and the page about them, `docs/guide/audit.md`.

use std::path::PathBuf;

use callgate::{Engine, Identity, Policy};
use callgate_gateway::audit::{Call, Event, Log, Options, Start, Stop};

use crate::{Path, callgate, fs, json};

const GUIDE: &str = include_str!("../../../docs/guide/audit.md");
const POLICY: &str = "\
version: '1'
default: deny
tools:
  create_charge: {rules: [{name: \"max\\e[2J\", conditions: [{path: args.amount, op: lte, value: 5}], on_deny: \"no\\e[31m\\nmore\"}]}
";
/// A tool's name that would clear a terminal and turn the text around.
const HOSTILE: &str = "rm\u{1b}[2J\u{202e}\r\n\u{9b}1m";

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit").join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// A log of four records.
fn write(directory: &Path, server: &str, chain: bool) -> Log {
    let log = Log::open(Options::in_directory(directory, server).chain(chain)).unwrap();
    log.record(Event::Start(Start {
        policy_file: Some("payments.yaml".to_owned()),
        policy: Some(format!("sha256:9ae5c7f7ed5a{}", "0".repeat(52))),
        store: "sqlite:///var/lib/agent/store.db".to_owned(),
        ..Start::default()
    }));
    let engine = Engine::new(Policy::from_yaml(POLICY).unwrap());
    for tool in ["create_charge", HOSTILE] {
        let args = r#"{"amount": 6, "token": "tell-nobody"}"#;
        let decision = engine.evaluate_json(tool, args, &Identity::new("alice"));
        log.record(Event::Call(Box::new(Call {
            name: Some(tool.to_owned()),
            decision: Some(decision.to_json()),
            args: log.args(Some(args)),
            ..Call::default()
        })));
    }
    log.record(Event::Stop(Stop { why: "client_closed".to_owned(), code: Some(0) }));
    log.flush().unwrap();
    log
}

fn status(directory: &Path, more: &[&str]) -> String {
    let run = callgate(&[&["status", "--dir", directory.to_str().unwrap()], more].concat());
    assert_eq!((run.status, &*run.err), (0, ""));
    run.out
}

#[test]
fn status_shows_gateways_and_denials() {
    let folder = folder("status");
    let log = write(&folder, "payments", false);
    drop(write(&folder, "other", false));
    wait_for_lock(&folder, "other");
    let out = status(&folder, &[]);
    let running = format!("payments: running, process {}\n", std::process::id());
    assert!(out.starts_with("other: not running\n") && out.contains(&running), "{out}");
    assert!(out.contains("calls      2: 2 denied (100.0 %); 0.2 a minute in the last ten"), "{out}");
    assert!(out.contains("max\\u{1b}[2J 1, not_listed 1") && !out.contains("no\\u{1b}"), "{out}");
    let denied = status(&folder, &["--denied"]);
    assert!(denied.contains("      no\\u{1b}[31m\\u{a}more\n"), "{denied}");
    // Nothing steers a terminal, and nothing secret is shown.
    for text in [&out, &denied] {
        let steers = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!text.contains(steers) && !text.contains("tell-nobody"), "{text}");
    }
    drop(log);
    wait_for_lock(&folder, "payments");
}

/// Programs that other tests start hold a log's lock, too, until they run.
fn wait_for_lock(folder: &Path, server: &str) {
    let patience = std::time::Instant::now();
    while !status(folder, &[]).contains(&format!("{server}: not running")) {
        assert!(patience.elapsed().as_secs() < 20, "the lock is never released");
    }
}

#[test]
fn status_is_json_for_programs() {
    let folder = folder("status-json");
    drop(write(&folder, "payments", false));
    wait_for_lock(&folder, "payments");
    let out = status(&folder, &["--format", "json"]);
    assert_eq!(out.lines().count(), 1);
    let server = json(&out);
    assert_eq!(
        (&server["server"], &server["calls"], &server["denied"]),
        (&"payments".into(), &2.into(), &2.into())
    );
    assert_eq!(server["denials"][1]["name"], HOSTILE);
    assert_eq!(server["denials"][0]["message"], "no\u{1b}[31m\nmore");
    assert_eq!(server["running"], serde_json::Value::Array(Vec::new()));
}

#[test]
fn status_of_nothing_says_so() {
    let folder = folder("status-none");
    assert!(status(&folder, &[]).starts_with("no gateway has written to "));
    assert_eq!(status(&folder, &["--format", "json"]), "");
    // A file in place of the directory.
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(callgate(&["status", "--dir", file.to_str().unwrap()]).status, 2);
}

/// The user's own directory, where no other is named.
#[test]
fn status_finds_the_users_directory() {
    let folder = folder("status-home");
    drop(write(&folder.join("audit"), "payments", false));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_callgate"));
    let run = command.arg("status").env("CALLGATE_STATE_DIR", &folder).output().unwrap();
    assert!(String::from_utf8(run.stdout).unwrap().starts_with("payments: not running"));
}

#[test]
fn verify_says_yes_no_or_that_it_cannot_know() {
    let folder = folder("verify");
    drop(write(&folder, "payments", true));
    drop(write(&folder, "plain", false));
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (chained, plain, missing) = (file("payments.jsonl"), file("plain.jsonl"), file("missing.jsonl"));
    let run = callgate(&["audit", "verify", &chained]);
    assert_eq!((run.status, &*run.err), (0, ""));
    assert!(run.out.contains(": whole: 4 records in 1 file\n"), "{}", run.out);
    let run = callgate(&["audit", "verify", "--format", "json", &chained]);
    let found = json(&run.out);
    assert_eq!(
        (&found["whole"], &found["last"]["seq"], &found["headless"]),
        (&true.into(), &4.into(), &serde_json::json!([]))
    );
    for (file, why) in [(&plain, "no chain"), (&missing, "No such file")] {
        let run = callgate(&["audit", "verify", &chained, file]);
        assert_eq!((run.status, &*run.out), (2, ""));
        assert!(run.err.contains(why), "{}", run.err);
    }
    assert_eq!(callgate(&["audit", "verify"]).status, 2);
    // One byte.
    let text = fs::read_to_string(&chained).unwrap();
    fs::write(&chained, text.replacen("create_charge", "create_chargE", 1)).unwrap();
    let run = callgate(&["audit", "verify", &chained]);
    assert_eq!((run.status, &*run.err), (1, ""));
    assert!(run.out.starts_with(&format!("{chained}:2: the record was changed")), "{}", run.out);
    assert!(run.out.contains(": 1 fault: 4 records"), "{}", run.out);
    let run = callgate(&["audit", "verify", "--format", "json", &chained]);
    assert_eq!((run.status, &json(&run.out)["faults"][0]["fault"]), (1, &"changed".into()));
    // Without its head, one cannot know whether the end is missing, and is told so.
    let (first, _) = text.split_at(text.find("\"seq\":4").unwrap() - "{\"v\":1,".len());
    fs::write(&chained, first).unwrap();
    assert!(
        callgate(&["audit", "verify", &chained]).out.contains("records are missing at the end of the file")
    );
    fs::remove_file(format!("{chained}.head")).unwrap();
    let run = callgate(&["audit", "verify", &chained]);
    assert!(run.status == 0 && run.out.contains("payments.jsonl has no head"), "{}", run.out);
}

#[test]
fn the_guides_commands_print_what_it_shows() {
    let folder = folder("guide");
    drop(write(&folder.join("audit"), "payments", true));
    let start = "<!-- run by cli/tests/cli/audit.rs -->\n```console\n";
    let blocks: Vec<_> = GUIDE.split(start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let (command, expected) = block.strip_prefix("$ callgate ").unwrap().split_once('\n').unwrap();
        let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_callgate"));
        let run = run.args(command.split(' ')).current_dir(&folder).output().unwrap();
        let printed = String::from_utf8(run.stdout).unwrap();
        assert!(printed.starts_with(expected.trim_end()), "{command} prints\n{printed}");
    }
}

#[test]
fn the_guide_tells_every_kind_and_field() {
    let schema = json(include_str!("../../../spec/audit.schema.json"));
    for kind in schema["properties"]["kind"]["enum"].as_array().unwrap() {
        let kind = kind.as_str().unwrap();
        let names =
            schema["$defs"][kind]["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        for name in names.chain([kind]) {
            assert!(GUIDE.contains(&format!("`{name}`")), "{kind}: {name}");
        }
    }
}
