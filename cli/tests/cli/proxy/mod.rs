//! `callgate proxy` as a client runs it: the real binary, in front of a server that is another process.
//!
//! In: a policy, flags, a server. Out: what came back, what the server saw, what was recorded. Must not wait for ever for anything.

mod approvals;
mod around;
mod audit;
mod flags;
mod guards;
mod lock;
mod observe;
mod process;
mod reload;
mod requests;
mod secrets;
mod survive;

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fs};

use serde_json::{Value, json};

/// After this, what should have happened never will. No test waits so long that passes.
const NEVER: Duration = Duration::from_secs(30);

/// A policy that has nothing against anything.
const ALLOW: &str = "{version: '1', default: allow}";

/// How often a test of processes is run: more often by `tests/proof.sh orphans`.
fn runs() -> usize {
    env::var("CALLGATE_TEST_RUNS").ok().map_or(10, |runs| runs.parse().unwrap())
}

/// What is to be started.
struct Setup {
    /// A directory of the test's own: policy, audit, state, and what the server saw.
    folder: PathBuf,
    flags: Vec<String>,
    server: Vec<String>,
    env: Vec<(String, String)>,
    /// Whether somebody reads the gateway's standard error.
    reads_stderr: bool,
    /// Whether counters are in memory where no flag says where.
    in_memory: bool,
}

impl Setup {
    /// A dry run of the server `server.py`, with counters in memory.
    fn new(test: &str) -> Self {
        let folder = folder(test);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self::kept(test)
    }

    /// The same, with what is left of others in this test.
    fn kept(test: &str) -> Self {
        let folder = folder(test);
        let setup = Self {
            folder,
            flags: Vec::new(),
            server: Vec::new(),
            env: Vec::new(),
            reads_stderr: true,
            in_memory: true,
        };
        let seen = setup.path("seen");
        setup.flags(&["--name", "tests"]).server(&["python3", "-S", &helper("server.py"), "--seen", &seen])
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    fn policy(self, text: &str) -> Self {
        let file = self.path("policy.yaml");
        fs::write(&file, text).unwrap();
        self.flags(&["--policy", &file])
    }

    /// Instead of `server.py`.
    fn server(mut self, command: &[&str]) -> Self {
        self.server = command.iter().map(|part| (*part).to_owned()).collect();
        self
    }

    /// Flags of `server.py`.
    fn served(mut self, flags: &[&str]) -> Self {
        self.server.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.arg("proxy");
        if self.in_memory
            && !self
                .flags
                .iter()
                .any(|flag| flag == "--store" || flag == "--state-dir" || flag == "--state-dsn")
        {
            command.args(["--store", "memory"]);
        }
        command.args(&self.flags).arg("--").args(&self.server);
        command.env("CALLGATE_STATE_DIR", self.folder.join("state")).envs(self.env.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts it, without a handshake.
    fn start(self) -> Proxy {
        let mut child = self.command().spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut stderr = child.stderr.take().unwrap();
        let reads = self.reads_stderr;
        let said = thread::spawn(move || {
            let mut said = Vec::new();
            if reads {
                stderr.read_to_end(&mut said).unwrap();
            } else {
                // It stays open for as long as the gateway runs.
                std::mem::forget(stderr);
            }
            String::from_utf8(said).unwrap()
        });
        Proxy { setup: self, child, stdin, stdout, said: Some(said), lines: None, other: VecDeque::new() }
    }

    /// Starts it, and shakes hands.
    fn open(self) -> Proxy {
        let mut proxy = self.start();
        proxy.initialize();
        proxy
    }

    /// The log, where it is by default.
    fn audit(&self) -> String {
        self.path("state/audit/tests.jsonl")
    }

    /// The records, in their order.
    fn records(&self) -> Vec<Value> {
        records_of(&self.audit())
    }

    /// The records of calls, in the order of their requests: they are written in the order in which calls end.
    fn calls(&self) -> Vec<Value> {
        let mut calls: Vec<_> =
            self.records().into_iter().filter(|record| record["kind"] == "call").collect();
        calls.sort_by_key(|call| call["request"].as_str().and_then(|id| id.parse::<u64>().ok()));
        calls
    }

    /// The lines that `server.py` read.
    fn seen(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("seen")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The calls among them: their messages.
    fn seen_calls(&self) -> Vec<Value> {
        let messages = self.seen().into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap());
        messages.filter(|message| message["method"] == "tools/call").collect()
    }
}

fn folder(test: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("proxy").join(test)
}

fn records_of(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A file beside this one.
fn helper(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/proxy").join(name).to_str().unwrap().to_owned()
}

/// A gateway that runs, as its client holds it.
struct Proxy {
    setup: Setup,
    child: Child,
    stdin: Option<ChildStdin>,
    /// Until somebody reads.
    stdout: Option<ChildStdout>,
    said: Option<JoinHandle<String>>,
    lines: Option<Receiver<String>>,
    /// Messages that were read while another was looked for.
    other: VecDeque<Value>,
}

/// How it ended.
struct Ended {
    code: i32,
    /// Messages that nobody read before.
    rest: Vec<Value>,
    said: String,
    setup: Setup,
}

fn request(id: u64, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

fn call(id: u64, tool: &str, args: &str) -> String {
    request(id, "tools/call", &format!(r#"{{"name":"{tool}","arguments":{args}}}"#))
}

/// The text of a call's result.
fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_default()
}

impl Proxy {
    fn initialize(&mut self) {
        self.send(&request(0, "initialize", r#"{"protocolVersion":"2025-11-25","capabilities":{}}"#));
        assert_eq!(self.answer(0)["result"]["serverInfo"]["name"], "tests");
        self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    }

    /// Sends a line. A gateway that has ended takes none, which is not a failure.
    fn send(&mut self, line: &str) {
        let _ = self.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes());
    }

    /// The next message; `None` at the end.
    fn next(&mut self) -> Option<Value> {
        if let Some(message) = self.other.pop_front() {
            return Some(message);
        }
        let line = self.line()?;
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    /// The next line as it came.
    fn line(&mut self) -> Option<String> {
        let stdout = &mut self.stdout;
        let lines = self.lines.get_or_insert_with(|| {
            let stdout = BufReader::new(stdout.take().unwrap());
            let (send, lines) = mpsc::channel();
            thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
            lines
        });
        match lines.recv_timeout(NEVER) {
            Ok(line) => Some(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("nothing came"),
        }
    }

    /// The next message for which this holds. The others are kept.
    fn find(&mut self, found: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.other.iter().position(&found) {
            return self.other.remove(at).unwrap();
        }
        loop {
            let Some(line) = self.line() else {
                panic!("it has ended: {}", self.said.take().unwrap().join().unwrap())
            };
            let message: Value =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if found(&message) {
                return message;
            }
            self.other.push_back(message);
        }
    }

    /// The answer to a request.
    fn answer(&mut self, id: u64) -> Value {
        self.find(|message| message["id"] == id && message.get("method").is_none())
    }

    /// Calls a tool, and waits for the answer.
    fn call(&mut self, id: u64, tool: &str, args: &str) -> Value {
        self.send(&call(id, tool, args));
        self.answer(id)
    }

    fn signal(&self, signal: &str) {
        kill(signal, self.child.id());
    }

    /// The most memory that was resident so far, in KiB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    /// Ends the client's input, and waits for the end.
    fn close(mut self) -> Ended {
        self.stdin = None;
        self.wait()
    }

    /// Waits for the end, while the client's input stays open.
    fn wait(mut self) -> Ended {
        let mut rest = Vec::new();
        while let Some(message) = self.next() {
            rest.push(message);
        }
        let code = self.exit();
        Ended { code, rest, said: self.said.take().unwrap().join().unwrap(), setup: self.setup }
    }

    /// Waits for the end of the process, and reads nothing.
    fn exit(&mut self) -> i32 {
        until("the gateway ends", || self.child.try_wait().unwrap().is_some());
        let status = self.child.wait().unwrap();
        status.code().unwrap_or_else(|| panic!("ended by signal {:?}", status.signal()))
    }
}

/// Waits until this holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < NEVER, "{what}: never");
        thread::sleep(Duration::from_millis(5));
    }
}

fn kill(signal: &str, process: u32) {
    let process = process.to_string();
    assert!(Command::new("kill").args(["-s", signal, &process]).status().unwrap().success());
}
