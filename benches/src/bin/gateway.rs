//! What stands between a client and a server adds to a call over stdio, to the start, and to memory. One program plays three parts, so that
//! none of them is what takes the time:
//!
//!     gateway [NAME COMMAND]...    the client: measures the server alone, a byte relay, and each command in front of the server
//!     gateway server               a server that answers by the id alone
//!     gateway relay COMMAND...     copies bytes both ways: the floor
//!
//! A COMMAND is split at spaces; the server's command is put after it.

#![expect(clippy::unwrap_used, reason = "a bench may fail by panicking")]

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use callgate_benches::{Record, Role, quick};

/// Calls of a turn.
const CALLS: usize = 1_000;
/// A turn ends after this time, too.
const TURN: Duration = Duration::from_secs(2);

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("server") => serve(),
        Some("relay") => relay(&args[1..]),
        _ => measure(&args),
    }
}

/// Answers each request by its id.
fn serve() {
    let (mut input, mut out) = (io::stdin().lock(), io::stdout().lock());
    let mut line = String::new();
    while input.read_line(&mut line).unwrap() > 0 {
        let message: serde_json::Value = serde_json::from_str(&line).unwrap();
        if let Some(id) = message.get("id").filter(|_| message.get("method").is_some()) {
            let answer = match message["method"].as_str().unwrap() {
                "initialize" => {
                    let version = &message["params"]["protocolVersion"];
                    format!(
                        r#""result":{{"protocolVersion":{version},"capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"bench","version":"1"}}}}"#
                    )
                }
                "tools/list" => r#""result":{"tools":[{"name":"write","inputSchema":{"type":"object","properties":{"path":{"type":"string"},"text":{"type":"string"}}}}]}"#.to_owned(),
                "tools/call" => r#""result":{"content":[{"type":"text","text":"written"}]}"#.to_owned(),
                "ping" => r#""result":{}"#.to_owned(),
                _ => r#""error":{"code":-32601,"message":"no such method"}"#.to_owned(),
            };
            out.write_all(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{answer}}}\n").as_bytes()).unwrap();
            out.flush().unwrap();
        }
        line.clear();
    }
}

fn relay(command: &[String]) {
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut to, mut from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    thread::spawn(move || copy(&mut io::stdin().lock(), &mut to));
    copy(&mut from, &mut io::stdout().lock());
    child.wait().unwrap();
}

fn copy(from: &mut impl Read, to: &mut impl Write) {
    let mut chunk = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        if to.write_all(&chunk[..read]).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

/// A connection to what was started.
struct Session {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    next: u64,
}

impl Session {
    /// Starts it, and gives how long it took until it had answered.
    fn start(command: &[String]) -> (Self, Duration) {
        let begun = Instant::now();
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", command[0]));
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut this = Self { child, to, from, next: 0 };
        this.ask(r#""method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}"#);
        let took = begun.elapsed();
        this.to.write_all(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n").unwrap();
        (this, took)
    }

    /// Sends a request and reads its answer.
    fn ask(&mut self, request: &str) -> String {
        self.next += 1;
        let id = format!("\"id\":{},", self.next);
        self.to.write_all(format!("{{\"jsonrpc\":\"2.0\",{id}{request}}}\n").as_bytes()).unwrap();
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "it ended");
            // Not a notification.
            if line.contains("\"id\":") {
                return line;
            }
        }
    }

    /// Nanoseconds of calls, sorted.
    fn turn(&mut self, call: &str) -> Vec<f64> {
        let begun = Instant::now();
        let mut found = Vec::with_capacity(CALLS);
        while found.len() < CALLS && (begun.elapsed() < TURN || found.len() < 100) {
            let begun = Instant::now();
            let answer = self.ask(call);
            found.push(begun.elapsed().as_secs_f64() * 1e9);
            assert!(answer.contains("written"), "{answer}");
        }
        found.sort_unstable_by(f64::total_cmp);
        found
    }

    fn end(mut self) {
        drop(self.to);
        self.child.wait().unwrap();
    }
}

/// Resident bytes of a process and those that it started, but for the server.
fn resident(pid: u32) -> f64 {
    let cmdline = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    if cmdline.split('\0').nth(1) == Some("server") {
        return 0.0;
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let own = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    let mut sum = own.unwrap_or_default() * 1024.0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        sum += children.split_whitespace().map(|child| resident(child.parse().unwrap())).sum::<f64>();
    }
    sum
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

struct Subject {
    name: String,
    role: Role,
    command: Vec<String>,
    start: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    memory: f64,
}

fn measure(args: &[String]) {
    let own = env::current_exe().unwrap().to_string_lossy().into_owned();
    let server = [own.clone(), "server".to_owned()];
    let subject = |name: &str, role, before: Vec<String>| {
        let command = [before, server.to_vec()].concat();
        let (start, p50, p99) = (Vec::new(), Vec::new(), Vec::new());
        Subject { name: name.to_owned(), role, command, start, p50, p99, memory: 0.0 }
    };
    let mut subjects = vec![
        subject("the server alone", Role::Floor, Vec::new()),
        subject("a relay of bytes", Role::Floor, vec![own, "relay".to_owned()]),
    ];
    for pair in args.chunks_exact(2) {
        let role = if pair[0].starts_with("callgate") { Role::Ours } else { Role::Peer };
        subjects.push(subject(&pair[0], role, pair[1].split(' ').map(str::to_owned).collect()));
    }
    assert!(Path::new("/proc/self/status").exists(), "memory is read from /proc");

    let rounds = if quick() { 5 } else { 20 };
    for _ in 0..rounds {
        for subject in &mut subjects {
            let (session, took) = Session::start(&subject.command);
            subject.start.push(took.as_secs_f64() * 1e9);
            session.end();
        }
    }
    // 1 KiB of arguments.
    let text = "a line of text \\u00fc, ".repeat(44);
    let call = format!(
        r#""method":"tools/call","params":{{"name":"write","arguments":{{"path":"/data/notes.txt","text":"{}"}}}}"#,
        &text[..1024 - r#"{"path":"/data/notes.txt","text":""}"#.len()]
    );
    let mut sessions: Vec<_> = subjects.iter().map(|subject| Session::start(&subject.command).0).collect();
    // The list that most of them ask for is there, and code is warm.
    for session in &mut sessions {
        session.turn(&call);
    }
    for _ in 0..rounds {
        for (subject, session) in subjects.iter_mut().zip(&mut sessions) {
            let found = session.turn(&call);
            subject.p50.push(quantile(&found, 0.5));
            subject.p99.push(quantile(&found, 0.99));
        }
    }
    thread::sleep(Duration::from_secs(2));
    for (subject, session) in subjects.iter_mut().zip(&sessions) {
        subject.memory = resident(session.child.id());
    }
    sessions.into_iter().for_each(Session::end);
    report(&subjects);
}

fn report(subjects: &[Subject]) {
    let record = |case, subject: &Subject, unit, found| {
        Record { bench: "gateway", case, subject: &subject.name, role: subject.role, unit, x: None, found }
            .write();
    };
    let (alone, others) = subjects.split_first().unwrap();
    // Round by round: what else the machine did then fell on both.
    let added =
        |found: &[f64], alone: &[f64]| found.iter().zip(alone).map(|(one, other)| one - other).collect();
    for subject in subjects {
        record("a call, p50", subject, "ns", subject.p50.clone());
        record("a call, p99", subject, "ns", subject.p99.clone());
        record("the start", subject, "ns", subject.start.clone());
    }
    for subject in others {
        record("added to a call, p50", subject, "ns", added(&subject.p50, &alone.p50));
        record("added to a call, p99", subject, "ns", added(&subject.p99, &alone.p99));
        record("added to the start", subject, "ns", added(&subject.start, &alone.start));
        record("memory of an idle one", subject, "bytes", vec![subject.memory]);
    }
}
