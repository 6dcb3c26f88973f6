//! The pages about the gateway: `docs/guide/gateway.md` as a reader follows it, and `docs/guide/moving-from-intercept.md` flag by flag.
//!
//! The server is a shell script that speaks as much of the protocol as the page's calls need: what is tested is what the page says of callgate.

#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::{Path, fs, json};

const GUIDE: &str = include_str!("../../../docs/guide/gateway.md");
const MOVING: &str = include_str!("../../../docs/guide/moving-from-intercept.md");
const SERVER: &str = r#"#!/bin/sh
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id": *\("[^"]*"\|[0-9]*\).*/\1/p')
  case $line in
    *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"files","version":"1"}}' ;;
    *'"tools/list"'*) result='{"tools":[
      {"name":"list_directory","inputSchema":{"type":"object","properties":{"path":{"type":"string"}}}},
      {"name":"read_text_file","inputSchema":{"type":"object","properties":{"path":{"type":"string"}}}},
      {"name":"write_file","inputSchema":{"type":"object","properties":{"path":{"type":"string"},"content":{"type":"string"}}}}]}' ;;
    *'"tools/call"'*) result='{"content":[{"type":"text","text":"done"}]}' ;;
    *) continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$(printf '%s' "$result" | tr -d '\n')"
done
"#;

/// The blocks of a language that this file runs.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("<!-- run by cli/tests/cli/gateway.rs -->\n```{language}\n");
    GUIDE.split(&*start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// A folder with the page's configuration and policy, and the server as `npx`.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
}

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gateway").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::write(folder.join(".mcp.json"), blocks("json")[0]).unwrap();
        fs::write(folder.join("files.yaml"), blocks("yaml")[0]).unwrap();
        let npx = folder.join("bin/npx");
        fs::write(&npx, SERVER).unwrap();
        fs::set_permissions(&npx, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn command(&self, program: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(program);
        command
            .current_dir(&self.folder)
            .env("PATH", format!("{}:{path}", self.folder.join("bin").display()))
            .env("CALLGATE_STATE_DIR", self.folder.join("state"));
        command
    }

    /// Runs a command of the page, and says what it prints.
    pub(crate) fn callgate(&self, line: &str) -> String {
        let line = format!("callgate() {{ \"$CALLGATE\" \"$@\"; }}; {line} 2>&1");
        let mut shell = self.command("sh");
        let run = shell.args(["-c", &line]).env("CALLGATE", env!("CARGO_BIN_EXE_callgate")).output().unwrap();
        crate::wherever(&String::from_utf8(run.stdout).unwrap())
    }

    fn entry(&self) -> serde_json::Value {
        json(&fs::read_to_string(self.folder.join(".mcp.json")).unwrap())["mcpServers"]["files"].clone()
    }

    /// Starts the server as a client does, and calls its tools.
    pub(crate) fn client(&self, calls: &[(&str, serde_json::Value)]) -> Vec<serde_json::Value> {
        let entry = self.entry();
        let args = entry["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        let mut server = self.command(entry["command"].as_str().unwrap());
        let server = server.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = server.spawn().unwrap();
        let mut input = server.stdin.take().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let mut ask = |id: usize, method: &str, params: serde_json::Value| {
            if id == 1 {
                let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
                writeln!(input, "{ready}").unwrap();
            }
            writeln!(input, "{}", json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
                .unwrap();
            lines.by_ref().map(|line| json(&line.unwrap())).find(|answer| answer["id"] == id).unwrap()
        };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "page", "version": "1"}});
        assert!(ask(0, "initialize", hello)["result"].is_object());
        let answers = calls.iter().enumerate().map(|(index, (name, arguments))| {
            ask(index + 1, "tools/call", json!({"name": name, "arguments": arguments}))["result"].clone()
        });
        let answers = answers.collect();
        drop(input);
        assert!(server.wait().unwrap().success());
        answers
    }
}

/// Words that are of each run and not of the page: times, rates, this folder.
fn masked(text: &str, folder: &Path) -> String {
    let text = text.replace(folder.to_str().unwrap(), "/home/ann/shop");
    let mask = |word: &str| {
        let is_time = word.starts_with("20") && word.ends_with('Z');
        let is_rate = word.parse::<f64>().is_ok() && word.contains('.');
        if is_time || is_rate { "*".to_owned() } else { word.to_owned() }
    };
    text.lines().map(|line| line.split(' ').map(mask).collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[test]
fn the_guide_works_as_it_says() {
    let place = Place::new("guide");
    let blocks = blocks("console");
    let calls = [
        ("list_directory", json!({"path": "/data"})),
        ("write_file", json!({"path": "/data/a.txt", "content": "x"})),
        ("read_text_file", json!({"path": "/data/.env"})),
    ];
    let before = fs::read_to_string(place.folder.join(".mcp.json")).unwrap();
    assert_eq!(blocks.len(), 7);
    for (index, block) in blocks.iter().enumerate() {
        let (command, expected) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        let printed = place.callgate(command);
        let (printed, expected) = (masked(&printed, &place.folder), masked(expected, &place.folder));
        assert_eq!(printed, expected, "{command}");
        match index {
            // Wrapped as a dry run, and enforced.
            0 => assert!(place.client(&calls).iter().all(|answer| answer["isError"].is_null())),
            3 => {
                let answers = place.client(&calls);
                let denied = answers.iter().map(|answer| answer["isError"] == true).collect::<Vec<_>>();
                assert_eq!(denied, [false, true, true]);
                assert_eq!(answers[1]["content"][0]["text"], "Only files under /data/drafts may be written");
            }
            5 => assert_eq!(fs::read_to_string(place.folder.join(".mcp.json")).unwrap(), before),
            _ => {}
        }
    }
    // The last one names the program and the policy as a team shares them.
    assert_eq!(place.entry()["command"], "callgate");
    assert_eq!(place.entry()["args"][4], "${POLICIES:-.}/files.yaml");
}

/// Every flag that `--help` shows is told of, and none that is not there.
#[test]
fn the_guide_tells_every_flag() {
    // The long flag of a line that begins with one, behind a short one or not.
    let flag = |line: &str| {
        let line = line.trim_start_matches(['|', ' ', '`']);
        let is_flag = line.starts_with('-') && !line.starts_with("- ") && !line.starts_with("---");
        let words = line.split([' ', '`', ',']).filter(|_| is_flag);
        words.map(str::to_owned).find(|word| word.starts_with("--"))
    };
    let (_, told) = GUIDE.split_once("## Flags of `callgate proxy`\n").unwrap();
    let help = crate::callgate(&["proxy", "--help"]).out;
    let (_, options) = help.split_once("\nOptions:\n").unwrap();
    let (options, _) = options.split_once("\nExamples:\n").unwrap();
    let mut told = told.lines().filter_map(flag).collect::<Vec<_>>();
    let mut options = options.lines().filter_map(flag).filter(|flag| flag != "--help").collect::<Vec<_>>();
    told.sort();
    options.sort();
    assert!(told.len() > 15 && told == options, "the page has {told:?}, and the program {options:?}");
}

/// What the page says that `wrap` writes.
#[test]
fn the_guide_shows_what_is_written() {
    let place = Place::new("written");
    place.callgate("callgate proxy wrap .mcp.json --command /usr/local/bin/callgate");
    assert_eq!(fs::read_to_string(place.folder.join(".mcp.json")).unwrap(), blocks("json")[1]);
}

/// The entry that is written is a command line that `proxy` takes; `--check` tries it as the page says.
#[test]
fn a_wrapped_entry_can_be_checked() {
    let place = Place::new("check");
    place.callgate("callgate proxy wrap .mcp.json --policy files.yaml");
    let entry = place.entry();
    let args = entry["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    let mut words = args.collect::<Vec<_>>();
    words.insert(1, "--check");
    let run = place.command(entry["command"].as_str().unwrap()).args(words).output().unwrap();
    assert_eq!((run.status.code(), &*run.stdout), (Some(0), &b"files: ok\n"[..]));
}

/// What a user adds to a configuration reaches the server: its variables and its folder.
#[test]
fn a_wrapped_server_has_its_variables_and_its_folder() {
    let place = Place::new("variables");
    let entry = json!({"command": "sh", "args": ["-c", "echo \"$KEY\"; pwd"]});
    fs::write(place.folder.join(".mcp.json"), json!({"mcpServers": {"files": entry}}).to_string()).unwrap();
    fs::create_dir(place.folder.join("elsewhere")).unwrap();
    let policy = fs::canonicalize(&place.folder).unwrap().join("files.yaml");
    place.callgate("callgate proxy wrap .mcp.json --policy ./files.yaml");
    let entry = place.entry();
    assert_eq!(entry["args"][4], policy.to_str().unwrap());
    let args = entry["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
    let args = args.map(|word| word.replace("; pwd", " > seen; pwd >> seen"));
    let mut server = place.command(entry["command"].as_str().unwrap());
    let run = server.args(args).current_dir(place.folder.join("elsewhere")).env("KEY", "value");
    assert!(run.stdin(Stdio::null()).output().unwrap().status.success());
    let seen = fs::read_to_string(place.folder.join("elsewhere/seen")).unwrap();
    assert!(seen.starts_with("value\n") && seen.ends_with("/elsewhere\n"), "{seen}");
}

/// What `proxy` makes of flags that Intercept has.
fn proxy(place: &Place, flags: &str) -> (i32, String) {
    let mut command = place.command(env!("CARGO_BIN_EXE_callgate"));
    let run = command.arg("proxy").args(flags.split(' ')).args(["--check", "--", "npx"]).output().unwrap();
    (run.status.code().unwrap(), String::from_utf8([run.stdout, run.stderr].concat()).unwrap())
}

#[test]
fn flags_of_intercept_do_what_the_page_says() {
    let place = Place::new("moving");
    let (_, table) = MOVING.split_once("## Flags\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let row = |flag: &str| {
        let mut rows = table.lines().filter(|row| row.starts_with('|') && row.contains(flag));
        rows.next().unwrap_or_else(|| panic!("no row has {flag}")).to_owned()
    };
    for (flag, given) in [
        ("-c FILE", "-c files.yaml"),
        ("--config FILE", "--config files.yaml"),
        ("--state-dir DIR", "-c files.yaml --state-dir kept"),
        ("--state-dsn redis://", "-c files.yaml --state-dsn sqlite://dsn.db"),
        ("--state-prefix NAME", "-c files.yaml --state-prefix shop"),
        ("--state-fail-mode closed", "-c files.yaml --state-fail-mode closed"),
        ("--state-fail-mode closed`, `open", "-c files.yaml --state-fail-mode open"),
        ("--transport stdio", "-c files.yaml --transport stdio"),
    ] {
        assert_eq!(proxy(&place, given), (0, "files: ok\n".to_owned()), "{given}");
        assert!(!row(flag).contains("refused |"), "{flag}");
    }
    // Where the page says that the counters are.
    assert!(place.folder.join("kept/store.db").exists() && place.folder.join("dsn.db").exists());
    let (status, printed) = proxy(&place, "-c files.yaml --log-level debug");
    assert!(status == 0 && printed.contains("note: --log-level has no effect"), "{printed}");
    assert!(row("--log-level LEVEL").contains("without effect"));
    for (flag, given) in [
        ("--transport sse", "--transport sse"),
        ("`http`", "--transport http"),
        ("--upstream URL", "--upstream https://example.org/mcp"),
        ("--header", "--header A=b"),
        ("--bind ADDRESS", "--bind 127.0.0.1"),
        ("--port PORT", "--port 0"),
    ] {
        let (status, printed) = proxy(&place, &format!("-c files.yaml {given}"));
        assert!(status == 2 && printed.contains("HTTP"), "{given}: {printed}");
        assert!(row(flag).contains("refused |"), "{flag}");
    }
}

/// The two lines of the page differ in the program alone, and the second one is taken.
#[test]
fn a_command_line_of_intercept_works() {
    let place = Place::new("moving-line");
    let mark = "<!-- run by cli/tests/cli/gateway.rs -->\n```console\n";
    let (_, block) = MOVING.split_once(mark).unwrap();
    let [theirs, ours, ..] = *block.lines().collect::<Vec<_>>() else { panic!("two lines") };
    let (theirs, ours) =
        (theirs.strip_prefix("$ intercept ").unwrap(), ours.strip_prefix("$ callgate proxy ").unwrap());
    assert_eq!(theirs, ours);
    fs::rename(place.folder.join("files.yaml"), place.folder.join("policy.yaml")).unwrap();
    let printed = place.callgate(&format!("callgate proxy --check {ours}"));
    assert_eq!(printed, "policy: ok\n");
}
