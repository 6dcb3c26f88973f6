//! Servers that do what they should not: each ends in an error, in time, in little memory, and leaves no process.

use std::fs;
use std::path::Path;
use std::time::Duration;

use callgate::__text::is_invisible;

use super::{beside, scan, scan_of};
use crate::{file, json};

/// What the end of a server may take, and a loaded machine.
const SLACK: Duration = Duration::from_secs(12);

#[test]
fn each_ends_in_an_error_in_time() {
    for (kind, seconds, why) in [
        ("endless-pages", 60, "more than 1000 pages"),
        ("circle", 60, "two pages have the same `nextCursor`"),
        ("million", 60, "more than 10000 tools"),
        ("gibibyte", 60, "a message of the server has more than 16777216 bytes"),
        ("bomb", 60, "bytes of memory"),
        ("chatter", 60, "said more than 67108864 bytes"),
        ("half", 60, "the server ended before it had listed its tools"),
        ("two-names", 60, "the tool at index 0"),
        ("refuses", 60, "answers `tools/list` with error -32000: no \\u{1b}[2Jsuch method"),
        ("not-a-list", 60, "the server's answer to `tools/list` cannot be read"),
        ("asks-first", 60, "it asks for something first"),
        ("never", 3, "did not list its tools within 3s"),
        ("slow", 3, "did not list its tools within 3s"),
        ("endless-line", 3, "did not list its tools within 3s"),
        ("blank-lines", 3, "did not list its tools within 3s"),
        ("stderr", 3, "did not list its tools within 3s"),
    ] {
        let measured = scan(kind, &["--yes", "--timeout", &format!("{seconds}s")]);
        let run = &measured.run;
        assert_eq!(run.status, 2, "{kind}: {} {}", run.out, run.err);
        assert!(run.err.contains(why), "{kind}: {}", run.err);
        assert!(run.err.starts_with("error: server `python3`: "), "{kind}: {}", run.err);
        assert!(!run.err.chars().any(|c| c != '\n' && is_invisible(c)), "{kind}: {:?}", run.err);
        assert!(run.out.ends_with("1 server, 1 not listed, 0 tools, 0 findings\n"), "{kind}: {}", run.out);
        assert!(measured.took < Duration::from_secs(seconds) + SLACK, "{kind}: {:?}", measured.took);
    }
}

#[test]
fn as_much_as_is_taken_fits() {
    let measured = scan("full", &["--yes", "--format", "json", "--timeout", "300s"]);
    assert_eq!((measured.run.status, super::names(&measured.run).len()), (0, 20), "{}", measured.run.err);
}

#[test]
fn what_a_server_says_steers_no_terminal_and_no_page() {
    for format in ["table", "json", "markdown"] {
        let run = scan("escapes", &["--yes", "--format", format]).run;
        assert_eq!(run.status, 0, "{}", run.err);
        assert!(!run.out.chars().any(|c| c != '\n' && is_invisible(c)), "{format}: {:?}", run.out);
        assert!(!run.out.contains(&"n".repeat(300)), "{format}: {}", run.out);
        match format {
            "table" => {
                for part in [
                    "a\\u{1b}[2J",
                    "pa\\u{202e}y",
                    "look_alike: looks like `Read_File`",
                    "same_name: the server lists",
                ] {
                    assert!(run.out.contains(part), "{part} {}", run.out);
                }
            }
            "json" => {
                let report = json(&run.out);
                assert_eq!(report["servers"][0]["own_name"], "o\\u{1b}[31mld");
                let tools = report["tools"].as_array().unwrap();
                let codes: Vec<Vec<&str>> = tools
                    .iter()
                    .map(|tool| {
                        tool["findings"]
                            .as_array()
                            .unwrap()
                            .iter()
                            .map(|it| it["code"].as_str().unwrap())
                            .collect()
                    })
                    .collect();
                let odd = vec!["hidden_characters", "bad_name"];
                assert_eq!(codes[0], odd);
                assert_eq!(codes[1], ["hidden_characters", "bad_name", "look_alike"]);
                assert_eq!(codes[2], odd);
                assert_eq!(codes[3], ["same_name", "look_alike"]);
                assert_eq!(codes[4], ["look_alike"]);
                assert_eq!(codes[6], ["bad_name", "look_alike"]);
                assert_eq!(codes[8], ["bad_name"]);
            }
            _ => {
                let row = run.out.lines().find(|line| line.contains("script")).unwrap();
                // In code, and the cell goes on.
                assert!(
                    row.contains("`` \\|`<script>alert(1)</script>`\\|\\u{a}\\| x \\| y \\| ``"),
                    "{row}"
                );
            }
        }
    }
}

/// Whether a process runs. One that has ended and that nobody has looked at yet does not.
fn runs(pid: &str) -> bool {
    let status = fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    status.is_ok_and(|status| !status.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

#[test]
fn no_process_is_left_whether_the_server_answers_or_not() {
    for (kind, status) in [("stays", 0), ("never-at-all", 2)] {
        let pids = file(&format!("scan-{kind}.pid"), "");
        let measured = scan_of(
            &["--", "python3", &beside("server.py"), kind, &pids],
            kind,
            &["--yes", "--timeout", "5s"],
        );
        assert_eq!(measured.run.status, status, "{kind}: {}", measured.run.err);
        let pids = fs::read_to_string(&pids).unwrap();
        assert!(!pids.is_empty(), "{kind}");
        for pid in pids.lines() {
            assert!(!runs(pid), "{kind}: {pid}");
        }
    }
}

#[test]
fn a_signal_ends_the_server_too() {
    let pids = file("scan-signal.pid", "");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_callgate"))
        .args(["scan", "--yes", "--", "python3", &beside("server.py"), "never-at-all", &pids])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begin = std::time::Instant::now();
    while fs::read_to_string(&pids).unwrap().lines().count() == 0 {
        assert!(begin.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    for pid in fs::read_to_string(&pids).unwrap().lines() {
        assert!(!runs(pid), "{pid}");
    }
}
