//! What differs from a lock, what is accepted, and what is written.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json as value};

use super::{beside, scan};
use crate::{Run, callgate, json};

/// A folder of a test's own, with a list of tools and a lock.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scan-lock-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn lists(&self, tools: &Value) -> &Self {
        fs::write(self.path("tools.json"), value!({"tools": tools}).to_string()).unwrap();
        self
    }

    fn scan(&self, flags: &[&str]) -> Run {
        let (tools, lock) = (self.path("tools.json"), self.path("callgate.lock"));
        let mut args = vec!["scan", "--tools", &tools, "--name", "server", "--lock", &lock];
        args.extend(flags);
        callgate(&args)
    }

    /// The kind of each tool that differs, and whether it is accepted.
    fn drift(&self, flags: &[&str]) -> Vec<(String, String, bool)> {
        let run = self.scan(&[&["--format", "json"], flags].concat());
        assert!(matches!(run.status, 0 | 1), "{}", run.err);
        let drift = json(&run.out)["drift"].clone();
        let of = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let rows = drift.as_array().unwrap().iter();
        rows.map(|row| (of(row, "name"), of(row, "kind"), row["accepted"].as_bool().unwrap())).collect()
    }

    fn lock(&self) -> String {
        fs::read_to_string(self.path("callgate.lock")).unwrap()
    }
}

fn tool(name: &str, description: &str, most: u32) -> Value {
    value!({"name": name, "description": description, "inputSchema": {"type": "object", "maxProperties": most}})
}

#[test]
fn drift_is_shown_and_accepted_by_name_or_by_kind() {
    let place = Place::new("kinds");
    let first = value!([
        tool("read_a", "Reads.", 2),
        tool("read_b", "Reads.", 2),
        tool("read_c", "Reads.", 2),
        tool("read_d", "Reads D.", 2)
    ]);
    assert_eq!(place.lists(&first).scan(&["--update"]).status, 0);
    assert_eq!(place.drift(&["--fail-on", "drift"]), []);
    let second = value!([
        tool("read_a", "Reads it.", 2),
        tool("read_b", "Reads.", 1),
        tool("read_c", "Reads it.", 1),
        tool("read_e", "Reads D.", 2),
        tool("read_f", "Reads.", 3),
    ]);
    place.lists(&second);
    let row = |name: &str, kind: &str, is_accepted| (name.to_owned(), kind.to_owned(), is_accepted);
    let all = |is: [bool; 5]| {
        vec![
            row("read_a", "wording", is[0]),
            row("read_b", "narrower", is[1]),
            row("read_c", "narrower", is[2]),
            row("read_e", "renamed", is[3]),
            row("read_f", "new", is[4]),
        ]
    };
    let before = place.lock();
    assert_eq!(place.drift(&[]), all([false; 5]));
    assert_eq!(place.scan(&["--fail-on", "drift"]).status, 1);
    assert_eq!(place.lock(), before);
    // Nothing is written where a name is of no tool that differs.
    for name in ["read_d", "other/read_a", "read_"] {
        let run = place.scan(&["--accept", name, "--accept", "wording"]);
        assert!(run.status == 2 && run.err.contains(&format!("has the name `{name}`")), "{}", run.err);
    }
    assert_eq!(place.lock(), before);
    assert_eq!(place.drift(&["--accept", "wording"]), all([true, false, false, false, false]));
    assert_eq!(place.drift(&["--accept", "narrower"]), all([true, true, false, false, false])[1..]);
    assert_eq!(place.scan(&["--accept", "narrower", "--accept", "wording", "--fail-on", "drift"]).status, 1);
    let run = place.scan(&["--accept", "server/read_e", "--accept", "read_f", "--fail-on", "drift"]);
    assert_eq!((run.status, run.err.contains("written, 2 accepted, 0 not")), (0, true), "{}", run.err);
    assert_eq!(place.drift(&[]), []);
    assert!(!place.lock().contains("read_d"));
    assert_eq!(fs::read_dir(&place.0).unwrap().count(), 2, "only the list and the lock");
    // What did not change keeps its bytes.
    let now = place.lock();
    assert_eq!(place.scan(&["--update"]).status, 0);
    assert_eq!(place.lock(), now);
}

#[test]
fn no_lock_is_written_by_half_a_list() {
    let place = Place::new("half");
    let text = value!({"tools": [tool("read_a", "Reads.", 2)], "nextCursor": "2"}).to_string();
    fs::write(place.path("tools.json"), text).unwrap();
    let run = place.scan(&["--update"]);
    assert_eq!(run.status, 2);
    assert!(
        run.err.contains("such a list cannot be compared") && run.err.contains("not written"),
        "{}",
        run.err
    );
    assert!(!Path::new(&place.path("callgate.lock")).exists());
    // Nor by a list that has a name twice.
    place.lists(&value!([tool("read_a", "Reads.", 2), tool("read_a", "Reads it.", 2)]));
    let run = place.scan(&["--update"]);
    assert!(run.status == 2 && run.err.contains("lists `read_a` twice"), "{}", run.err);
    assert!(!Path::new(&place.path("callgate.lock")).exists());
    place.lists(&value!([tool("read_a", "Reads.", 2)]));
    assert_eq!(place.scan(&["--update"]).status, 0);
    place.lists(&value!([tool("read_a", "Reads.", 2), tool("read_a", "Reads.", 2)]));
    assert_eq!(place.drift(&["--fail-on", "drift"])[0].1, "riskier");
}

#[test]
fn a_lock_that_is_not_there_or_not_understood_is_an_error() {
    let place = Place::new("errors");
    place.lists(&value!([tool("read_a", "Reads.", 2)]));
    let run = place.scan(&[]);
    assert!(
        run.status == 2 && run.err.contains("there is no lock") && run.err.contains("--update"),
        "{}",
        run.err
    );
    assert_eq!(place.scan(&["--update"]).status, 0);
    let lock = place.lock();
    fs::write(place.path("callgate.lock"), lock.replace("Reads.", "Reads!")).unwrap();
    // Also where it would be written anew: whoever broke it has to look.
    for flags in [&["--update"][..], &[]] {
        let run = place.scan(flags);
        assert!(
            run.status == 2 && run.err.contains("line 7: tool `read_a` has another digest"),
            "{}",
            run.err
        );
    }
    let run = callgate(&["scan", "--tools", &place.path("tools.json"), "--fail-on", "drift"]);
    assert!(run.status == 2 && run.err.contains("needs `--lock FILE`"), "{}", run.err);
    for flags in [&["--update"][..], &["--accept", "wording"]] {
        let run = callgate(&[&["scan", "--tools", &place.path("tools.json")], flags].concat());
        assert!(run.status == 2 && run.err.contains("--lock"), "{}", run.err);
    }
}

#[test]
fn what_a_server_says_is_escaped_in_each_form() {
    let place = Place::new("escaped");
    place.lists(&value!([tool("read_a", "Reads.", 2)]));
    assert_eq!(place.scan(&["--update"]).status, 0);
    place.lists(&value!([
        tool("read_a", "Reads.\u{202e}\u{1b}[2J|\u{e0041}`x`", 2),
        tool("b\u{200b}\n| x", "", 1)
    ]));
    for format in ["table", "json", "markdown"] {
        let run = place.scan(&["--format", format, "--accept", "read_a"]);
        assert_eq!(run.status, 0, "{}", run.err);
        let hidden =
            run.out.chars().chain(run.err.chars()).find(|c| *c != '\n' && callgate::__text::is_invisible(*c));
        assert_eq!(hidden, None, "{format}: {}", run.out);
        if format == "table" {
            assert!(
                run.out.contains("  riskier  /description: \"Reads.\" -> \"Reads.\\u{202e}"),
                "{}",
                run.out
            );
            place.lists(&value!([
                tool("read_a", "Reads.\u{202e}\u{1b}[2J|\u{e0041}`x`.", 2),
                tool("b\u{200b}\n| x", "", 1)
            ]));
        } else if format == "json" {
            place.lists(&value!([
                tool("read_a", "Reads.\u{202e}\u{1b}[2J|\u{e0041}`x`..", 2),
                tool("b\u{200b}\n| x", "", 1)
            ]));
        }
    }
    assert!(place.lock().chars().all(|c| c == '\n' || !callgate::__text::is_invisible(c)));
}

#[test]
fn servers_that_are_asked_are_locked_by_what_they_sent() {
    let place = Place::new("asked");
    let lock = place.path("callgate.lock");
    let run = scan("honest", &["--yes", "--lock", &lock, "--update"]).run;
    assert_eq!(run.status, 0, "{}", run.err);
    let line = "{\"name\":\"python3\",\"protocol\":\"2025-06-18\",\"complete\":true,";
    assert!(place.lock().contains(line), "{}", place.lock());
    assert_eq!(scan("honest", &["--yes", "--lock", &lock, "--fail-on", "drift"]).run.status, 0);
    let other = scan("modern", &["--yes", "--lock", &lock, "--fail-on", "drift", "--format", "json"]).run;
    assert_eq!(other.status, 1, "{}", other.err);
    let kinds: Vec<_> =
        json(&other.out)["drift"].as_array().unwrap().iter().map(|row| row["kind"].clone()).collect();
    assert_eq!(kinds, ["gone", "renamed", "gone"]);
    // Another server of the lock stays as it is.
    let run = callgate(&[
        "scan",
        "--yes",
        "--lock",
        &lock,
        "--update",
        "--name",
        "second",
        "--",
        "python3",
        &beside("server.py"),
        "modern",
    ]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert_eq!(scan("honest", &["--yes", "--lock", &lock, "--fail-on", "drift"]).run.status, 0);
}
