//! What a user's gateways do and did, by their logs.
//!
//! In: the directory of the logs. Out: for each server whether a gateway runs, what it decides, and the last denials. Must not hold a file in memory,
//! and must not stop at a line that was cut off.

mod record;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use callgate::time::Timestamp;
use serde_json::value::RawValue;

use self::record::{Candidate, Decision, Gap, Record, Reload, Rule, Start};
use super::place;

/// Bytes of a line that are read: no record is longer.
const LINE: u64 = 4 << 20;
/// Different rules that are counted one by one.
const RULES: usize = 10_000;
/// How far back the rate of calls looks.
const RECENT: Duration = Duration::from_secs(600);

/// What the gateways of one server do and did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ServerStatus {
    /// The server's name.
    pub server: String,
    /// Process ids of the gateways that run.
    pub running: Vec<u32>,
    /// How the last gateway began.
    pub start: Option<Started>,
    /// When the first and the last record were made.
    pub between: Option<(Timestamp, Timestamp)>,
    /// Calls that ended or were refused.
    pub calls: u64,
    /// Calls that were denied, by a policy or by the gateway itself.
    pub denied: u64,
    /// Calls that need a person's approval.
    pub to_approve: u64,
    /// Calls of the last ten minutes.
    pub recent: u64,
    /// What refused calls: rules by their name or place, else codes; the most frequent first.
    pub rules: Vec<(String, u64)>,
    /// The last calls that did not run, the oldest first.
    pub denials: Vec<Denial>,
    /// What a candidate decided.
    pub candidate: Compared,
    /// Messages that were not passed on.
    pub frames_refused: u64,
    /// Records that could not be written.
    pub lost: u64,
    /// Lines that are no record.
    pub unreadable: u64,
}

/// How a gateway began, and the policies since.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Started {
    /// When.
    pub at: Timestamp,
    /// Its version.
    pub version: String,
    /// The server's program.
    pub program: String,
    /// The policy's file.
    pub policy_file: Option<String>,
    /// The digest of the policy in force.
    pub policy: Option<String>,
    /// What is wrong with the policy's file, if it changed since and cannot be used: codes and places.
    pub reload_error: Option<String>,
    /// The candidate's digest.
    pub candidate: Option<String>,
    /// `enforce`, `observe` or `dry_run`.
    pub mode: String,
    /// The store.
    pub store: String,
}

/// A call that did not run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// When.
    pub at: Timestamp,
    /// The tool, or the other method.
    pub name: String,
    /// Who called.
    pub caller: Option<String>,
    /// The code of the decision, or of the gateway.
    pub code: String,
    /// The rule's name, else its place.
    pub rule: Option<String>,
    /// What the caller was told.
    pub message: Option<String>,
}

/// A candidate's decisions beside those in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Compared {
    /// Calls that it decided.
    pub calls: u64,
    /// Of these, calls that passed, and that it would refuse.
    pub would_refuse: u64,
    /// Of these, calls that were refused, and that it would let pass.
    pub would_allow: u64,
    /// Calls that it could not decide.
    pub failed: u64,
}

/// Reads the logs of a directory, sorted by the server's name; with so many of the last denials of each. A directory that is not there has none.
///
/// # Errors
/// A file cannot be read.
pub fn status(directory: &Path, now: Timestamp, denials: usize) -> io::Result<Vec<ServerStatus>> {
    let mut servers = BTreeMap::<String, Reading>::new();
    for path in logs(directory)? {
        let mut log = Log { running: None, server: None };
        // Before its records: one that begins meanwhile shows next time.
        let (is_held, note) = (place::is_held(&path), place::noted_start(&path));
        let mut files = place::older(&path)?;
        files.push(path);
        for path in files {
            match File::open(&path) {
                Ok(file) => log.read(file, &mut servers, now, denials)?,
                // It was put aside meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        log.end(is_held, &note, &mut servers, now, denials);
    }
    Ok(servers.into_iter().map(|(server, reading)| reading.end(server)).collect())
}

/// The logs of a directory, without the files that were put aside.
fn logs(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// One log: its files are read in order.
struct Log {
    /// The process that wrote last.
    running: Option<u32>,
    server: Option<String>,
}

impl Log {
    fn read(
        &mut self,
        file: File,
        servers: &mut BTreeMap<String, Reading>,
        now: Timestamp,
        denials: usize,
    ) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut bytes = Vec::new();
        let mut unreadable = 0_u64;
        loop {
            bytes.clear();
            let read = reader.by_ref().take(LINE).read_until(b'\n', &mut bytes)?;
            if read == 0 {
                break;
            }
            let is_whole = bytes.ends_with(b"\n");
            if !is_whole && read as u64 == LINE {
                reader.skip_until(b'\n')?;
            }
            // Text that is known to be UTF-8 is read a sixth faster. Other bytes are no record.
            let line = str::from_utf8(&bytes).unwrap_or_default();
            match serde_json::from_str::<Record<'_>>(line) {
                Ok(record) if record.v == 1 => {
                    if self.server.as_deref() != Some(&*record.server) {
                        self.server = Some(record.server.clone().into_owned());
                    }
                    if !servers.contains_key(&*record.server) {
                        servers.insert(record.server.clone().into_owned(), Reading::new(now, denials));
                    }
                    if let Some(reading) = servers.get_mut(&*record.server) {
                        self.running = reading.record(record, line).or(self.running);
                    }
                }
                // The last one may be half written.
                Err(_) if !is_whole && (read as u64) < LINE => {}
                _ => unreadable = unreadable.saturating_add(1),
            }
        }
        if let (true, Some(server)) = (unreadable > 0, &self.server) {
            let reading = servers.entry(server.clone()).or_insert_with(|| Reading::new(now, denials));
            reading.status.unreadable = reading.status.unreadable.saturating_add(unreadable);
        }
        Ok(())
    }
}

impl Log {
    /// All files of the log were read; `note` is what its gateway says beside them, for when its own `start` record is gone.
    fn end(
        self,
        is_held: bool,
        note: &str,
        servers: &mut BTreeMap<String, Reading>,
        now: Timestamp,
        denials: usize,
    ) {
        let noted =
            serde_json::from_str::<Record<'_>>(note).ok().zip(serde_json::from_str::<Start>(note).ok());
        let server = match (&noted, self.server) {
            (Some((record, _)), _) => record.server.clone().into_owned(),
            (None, Some(server)) => server,
            (None, None) => return,
        };
        let mut pid = self.running;
        let reading = servers.entry(server).or_insert_with(|| Reading::new(now, denials));
        if let Some((record, start)) = noted
            && let Ok(at) = record.ts.parse()
        {
            pid = Some(start.pid);
            reading.start(at, start);
        }
        if let (true, Some(pid)) = (is_held, pid) {
            reading.status.running.push(pid);
        }
    }
}

/// What was read of a server so far.
struct Reading {
    status: ServerStatus,
    rules: HashMap<String, u64>,
    denials: VecDeque<Denial>,
    most_denials: usize,
    /// Calls since then are recent.
    since: Timestamp,
}

impl Reading {
    fn new(now: Timestamp, most_denials: usize) -> Self {
        let recent = i64::try_from(RECENT.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp::from_millis(now.as_millis().saturating_sub(recent));
        let status = ServerStatus::default();
        Self { status, rules: HashMap::new(), denials: VecDeque::new(), most_denials, since }
    }

    /// Takes a record in; returns the process that began by it.
    fn record(&mut self, record: Record<'_>, line: &str) -> Option<u32> {
        let Ok(at) = record.ts.parse::<Timestamp>() else {
            self.unreadable();
            return None;
        };
        let (first, last) = self.status.between.unwrap_or((at, at));
        self.status.between = Some((first.min(at), last.max(at)));
        match &*record.kind {
            "call" => self.call(at, record),
            "frame_refused" => {
                self.status.frames_refused = self.status.frames_refused.saturating_add(1);
            }
            "start" => match serde_json::from_str(line) {
                Ok(start) => return self.start(at, start),
                Err(_) => self.unreadable(),
            },
            "reload" => match serde_json::from_str(line) {
                Ok(reload) => self.reload(reload),
                Err(_) => self.unreadable(),
            },
            "gap" => match serde_json::from_str::<Gap>(line) {
                Ok(gap) => self.status.lost = self.status.lost.saturating_add(gap.lost),
                Err(_) => self.unreadable(),
            },
            _ => {}
        }
        None
    }

    fn unreadable(&mut self) {
        self.status.unreadable = self.status.unreadable.saturating_add(1);
    }

    fn start(&mut self, at: Timestamp, start: Start) -> Option<u32> {
        let Start { pid, version, program, policy_file, policy, candidate, mode, store } = start;
        // Else another gateway of the same server began later.
        if self.status.start.as_ref().is_none_or(|start| start.at <= at) {
            // The same beginning may stand in the file and in its lock, which says nothing of a fault since.
            let same = self.status.start.take().filter(|start| start.at == at);
            let started = Started {
                at,
                version,
                program,
                policy_file,
                policy,
                reload_error: same.and_then(|start| start.reload_error),
                candidate,
                mode,
                store,
            };
            self.status.start = Some(started);
        }
        Some(pid)
    }

    fn reload(&mut self, reload: Reload) {
        let Some(start) = &mut self.status.start else { return };
        match (&*reload.target, reload.new) {
            ("candidate", Some(new)) => start.candidate = Some(new),
            ("candidate", None) => {}
            (_, Some(new)) => (start.policy, start.reload_error) = (Some(new), None),
            (_, None) => start.reload_error = reload.error,
        }
    }

    fn call(&mut self, at: Timestamp, record: Record<'_>) {
        let status = &mut self.status;
        status.calls = status.calls.saturating_add(1);
        if at > self.since {
            status.recent = status.recent.saturating_add(1);
        }
        let passed = record.refusal.as_deref().is_none_or(|why| why == "withdrawn")
            && record.decision.as_ref().is_none_or(Decision::allows);
        if let Some(candidate) = record.candidate {
            compare(&mut status.candidate, passed, candidate);
        }
        if passed {
            return;
        }
        let (effect, code, rule, message) = match record.decision {
            Some(Decision { effect, code, rule, message }) => (effect, code, rule.map(Rule::called), message),
            None => ("deny".into(), "".into(), None, None),
        };
        // What the gateway refused, it refused for its own reason.
        let code = record.refusal.unwrap_or(code);
        let count = if effect == "require_approval" { &mut status.to_approve } else { &mut status.denied };
        *count = count.saturating_add(1);
        let label = rule.as_ref().unwrap_or(&code);
        if let Some(count) = self.rules.get_mut(&**label) {
            *count = count.saturating_add(1);
        } else if self.rules.len() < RULES {
            self.rules.insert(label.clone().into_owned(), 1);
        }
        if self.denials.len() >= self.most_denials {
            // Of files that were written at a time, too, the newest stay.
            let oldest = self.denials.front().is_some_and(|denial| denial.at <= at);
            if !oldest {
                return;
            }
            self.denials.pop_front();
        }
        let denial = Denial {
            at,
            name: record.name.or(record.method).unwrap_or_default().into_owned(),
            caller: record.principal.and_then(|principal| principal.id).map(Cow::into_owned),
            code: code.into_owned(),
            rule: rule.map(Cow::into_owned),
            message: message.map(Cow::into_owned),
        };
        let place =
            self.denials.iter().rposition(|other| other.at <= at).map_or(0, |at| at.saturating_add(1));
        self.denials.insert(place, denial);
    }

    fn end(self, server: String) -> ServerStatus {
        let mut rules: Vec<_> = self.rules.into_iter().collect();
        rules.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        ServerStatus { server, rules, denials: self.denials.into(), ..self.status }
    }
}

/// Counts what a candidate decided of a call.
fn compare(compared: &mut Compared, passed: bool, candidate: &RawValue) {
    let decision =
        serde_json::from_str::<Candidate<'_>>(candidate.get()).ok().and_then(|found| found.decision);
    let Some(decision) = decision else {
        compared.failed = compared.failed.saturating_add(1);
        return;
    };
    compared.calls = compared.calls.saturating_add(1);
    match (passed, decision.allows()) {
        (true, false) => compared.would_refuse = compared.would_refuse.saturating_add(1),
        (false, true) => compared.would_allow = compared.would_allow.saturating_add(1),
        _ => {}
    }
}
