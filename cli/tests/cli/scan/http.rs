//! Servers over HTTP: JSON and events, sessions, headers, and what a hostile one does.

use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::{Value, json};

use super::{Measured, beside, names, scan_of};
use crate::file;

/// A server that runs until it is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) url: String,
    log: String,
}

impl Server {
    fn start(kind: &str) -> Self {
        let mut server = Self::start_with(kind, kind, &[]);
        server.url = format!("http://127.0.0.1:{}/mcp?a=b", server.url);
        server
    }

    /// One that shows a certificate, which is in the first file, and its key in the second.
    pub(super) fn start_secure(kind: &str, label: &str, files: &[String; 2]) -> Self {
        let mut server = Self::start_with(kind, &format!("tls-{label}"), files);
        server.url = format!("https://localhost:{}/mcp", server.url);
        server
    }

    /// Its address is its port alone.
    fn start_with(kind: &str, label: &str, more: &[String]) -> Self {
        let (port, log) =
            (file(&format!("scan-http-{label}.port"), ""), file(&format!("scan-http-{label}.log"), ""));
        let child = Command::new("python3")
            .args([&*beside("web.py"), kind, &port, &log])
            .args(more)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        let port = loop {
            let said = fs::read_to_string(&port).unwrap();
            if said.ends_with('\n') {
                break said;
            }
            assert!(begin.elapsed() < Duration::from_secs(60));
            thread::sleep(Duration::from_millis(10));
        };
        Self { child, url: port.trim().to_owned(), log }
    }

    fn scan(&self, flags: &[&str]) -> Measured {
        scan_of(&["--url", &self.url, "--format", "json"], self.log.rsplit('/').next().unwrap(), flags)
    }

    fn asked(&self) -> Vec<Value> {
        fs::read_to_string(&self.log)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn json_and_events_are_read_in_both_generations() {
    for (kind, protocol) in [("json", "2025-06-18"), ("events", "2025-06-18"), ("modern", "2026-07-28")] {
        let server = Server::start(kind);
        let run = server.scan(&[]).run;
        assert_eq!((run.status, &*run.err), (0, ""), "{kind}");
        assert_eq!(names(&run), ["read_file", "delete_repo"], "{kind}");
        assert_eq!(crate::json(&run.out)["servers"][0]["protocol"], protocol, "{kind}");
        let asked = server.asked();
        let methods: Vec<_> = asked.iter().map(|asked| asked["method"].as_str().unwrap_or("-")).collect();
        if kind == "modern" {
            assert_eq!(methods, ["server/discover", "tools/list", "tools/list"]);
            assert!(
                asked.iter().all(|it| it["protocol"] == "2026-07-28" && it["named"] == it["method"]),
                "{asked:?}"
            );
        } else {
            let all = [
                "server/discover",
                "initialize",
                "notifications/initialized",
                "tools/list",
                "tools/list",
                "-",
            ];
            assert_eq!(methods, all, "{kind}");
            assert_eq!((&asked[1]["protocol"], &asked[1]["session"]), (&json!(null), &json!(null)));
            assert!(
                asked[2..].iter().all(|it| it["protocol"] == protocol && it["session"] == "s-1"),
                "{asked:?}"
            );
            // The session is ended.
            assert_eq!(asked[5]["verb"], "DELETE");
        }
    }
}

#[test]
fn a_header_comes_from_a_file_alone() {
    let server = Server::start("locked");
    let run = server.scan(&[]).run;
    assert!(run.status == 2 && run.err.contains("HTTP status 401: it asks who you are"), "{}", run.err);
    let token = file("scan-token.txt", "Bearer secret\n");
    let run = server.scan(&["--header", &format!("Authorization=@{token}")]).run;
    assert_eq!((run.status, names(&run).len()), (0, 2), "{}", run.err);
    assert!(!run.out.contains("secret"));
    let run = server.scan(&["--header", "Authorization=secret"]).run;
    assert!(run.status == 2 && run.err.contains("a file that holds its value"), "{}", run.err);
}

#[test]
fn a_hostile_one_ends_in_an_error_in_time() {
    for (kind, flags, why) in [
        ("elsewhere", &[][..], "it is elsewhere, and is not followed there"),
        ("endless", &["--timeout", "300s"], "said more than 67108864 bytes"),
        ("long", &["--timeout", "300s"], "a message of the server has more than 16777216 bytes"),
        ("never", &["--timeout", "3s"], "did not list its tools within 3s"),
    ] {
        let measured = Server::start(kind).scan(flags);
        assert_eq!(measured.run.status, 2, "{kind}");
        assert!(measured.run.err.contains(why), "{kind}: {}", measured.run.err);
        assert!(
            measured.took < Duration::from_secs(if kind == "never" { 12 } else { 300 }),
            "{kind}: {:?}",
            measured.took
        );
    }
    for url in ["ftp://a/", "nothing", "http://user:secret@127.0.0.1/", "http://127.0.0.1:1/"] {
        let run = scan_of(&["--url", url], "address", &[]).run;
        assert!(run.status == 2 && run.err.contains("the server cannot be reached: "), "{url}: {}", run.err);
        assert!(!run.err.contains("secret"), "{}", run.err);
    }
}
