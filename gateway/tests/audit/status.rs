//! What a status says, by the logs that it reads.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use callgate::time::{Clock as _, SystemClock, Timestamp};
use callgate::{Engine, Identity, Policy};
use callgate_gateway::audit::{
    Call, Candidate, Event, Log, Mode, Options, Principal, Reload, ServerStatus, Start, status,
};
use callgate_relay::Peer;

use crate::folder;

const POLICY: &str = "\
version: '1'
default: deny
tools:
  pay: {rules: [{name: some, conditions: [{path: args.amount, op: lte, value: 5}], on_deny: too much}]}
  ask: {rules: [{action: require_approval}]}
";

fn decided(tool: &str, amount: u64) -> Option<String> {
    let engine = Engine::new(Policy::from_yaml(POLICY).unwrap());
    Some(engine.evaluate_json(tool, &format!("{{\"amount\":{amount}}}"), &Identity::new("alice")).to_json())
}

fn call(tool: &str, amount: u64, candidate: Option<u64>) -> Event {
    let candidate = candidate.map(|amount| Candidate { decision: decided(tool, amount), error: None });
    Event::Call(Box::new(Call {
        principal: Principal { id: Some("alice".to_owned()), grant: None },
        method: "tools/call".to_owned(),
        name: Some(tool.to_owned()),
        decision: decided(tool, amount),
        candidate,
        ..Call::default()
    }))
}

fn read(folder: &Path) -> Vec<ServerStatus> {
    status(folder, SystemClock.now(), 3).unwrap()
}

#[test]
fn a_status_counts_what_was_recorded() {
    let folder = folder("status");
    assert!(read(&folder).is_empty());
    let log = Log::open(Options::in_directory(&folder, "a").rotate_at(3_000).keep(100)).unwrap();
    let digest = |digit: &str| Some(format!("sha256:{}", digit.repeat(64)));
    log.record(Event::Start(Start { policy: digest("1"), program: "npx".to_owned(), ..Start::default() }));
    for (tool, amount, candidate) in [
        ("pay", 5, None),
        ("pay", 6, Some(5)),
        ("pay", 7, Some(7)),
        ("pay", 1, Some(6)),
        ("ask", 1, Some(1)),
        ("other", 1, None),
    ] {
        log.record(call(tool, amount, candidate));
    }
    let candidate = Candidate { decision: None, error: Some("no answer".to_owned()) };
    let refusal = Some("audit_unavailable".to_owned());
    log.record(Event::Call(Box::new(Call { candidate: Some(candidate), refusal, ..Call::default() })));
    log.record(Event::Reload(Reload { new: digest("2"), ..Reload::default() }));
    log.record(Event::Reload(Reload { error: Some("syntax at 1:1".to_owned()), ..Reload::default() }));
    log.record(Event::FrameRefused { from: Peer::Client, reason: "a batch".to_owned(), times: 1 });
    log.record(Event::Gap { lost: 7 });
    log.flush().unwrap();
    let found = read(&folder);
    let [found] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&*found.server, &found.running[..]), ("a", &[std::process::id()][..]));
    let start = found.start.as_ref().unwrap();
    assert_eq!((&*start.program, &*start.mode, &start.policy), ("npx", "enforce", &digest("2")));
    assert_eq!((found.calls, found.denied, found.to_approve, found.recent), (7, 4, 1, 7));
    assert_eq!((found.frames_refused, found.lost, found.unreadable), (1, 7, 0));
    let rules: Vec<_> = found.rules.iter().map(|(rule, count)| (&**rule, *count)).collect();
    assert_eq!(rules, [("some", 2), ("/tools/ask/rules/0", 1), ("audit_unavailable", 1), ("not_listed", 1)]);
    let compared = found.candidate;
    assert_eq!((compared.calls, compared.would_refuse, compared.would_allow, compared.failed), (4, 1, 1, 1));
    let denials: Vec<_> = found.denials.iter().map(|denial| (&*denial.name, &*denial.code)).collect();
    assert_eq!(denials, [("ask", "approval_required"), ("other", "not_listed"), ("", "audit_unavailable")]);
    assert_eq!(found.denials[0].caller.as_deref(), Some("alice"));
    // Ten minutes later.
    let (_, last) = found.between.unwrap();
    let later = Timestamp::from_millis(last.as_millis() + 600_000);
    assert_eq!(status(&folder, later, 0).unwrap()[0].recent, 0);
    log.close().unwrap();
    drop(log);
    assert!(read(&folder)[0].running.is_empty());
}

/// With no policy in force, every call passes, and the candidate alone would refuse.
#[test]
fn a_dry_run_denies_nothing() {
    let folder = folder("status-dry");
    let log = Log::open(Options::in_directory(&folder, "a")).unwrap();
    let candidate = Some(Candidate { decision: decided("pay", 9), error: None });
    log.record(Event::Call(Box::new(Call { mode: Mode::DryRun, candidate, ..Call::default() })));
    log.close().unwrap();
    let found = read(&folder);
    assert_eq!((found[0].calls, found[0].denied, found[0].candidate.would_refuse), (1, 0, 1));
}

#[test]
fn gateways_of_one_server_are_one_status_with_the_newest_denials() {
    let folder = folder("status-slots");
    let open = || Log::open(Options::in_directory(&folder, "a/b")).unwrap();
    let (one, two) = (open(), open());
    for log in [&two, &one, &two, &one, &two] {
        log.record(Event::Start(Start::default()));
        log.record(call("other", 1, None));
        log.flush().unwrap();
    }
    let found = read(&folder);
    let [found] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&*found.server, found.calls, found.running.len(), found.denials.len()), ("a/b", 5, 2, 3));
    assert!(found.denials.is_sorted_by_key(|denial| denial.at));
    assert_eq!(found.denials.last().unwrap().at, found.between.unwrap().1);
}

#[test]
fn lines_that_are_no_records_are_counted_and_passed_over() {
    let folder = folder("status-lines");
    let log = Log::open(Options::in_directory(&folder, "a")).unwrap();
    log.record(call("other", 1, None));
    log.close().unwrap();
    let path = log.file().unwrap();
    let record = fs::read_to_string(path).unwrap();
    let mut file = File::options().append(true).open(path).unwrap();
    // A later version, no JSON, no text, a line without end in memory, and one that was cut off in the middle.
    let later = record.replacen("\"v\":1", "\"v\":2", 1);
    for line in [later.as_bytes(), b"{}\n", b"\xff\xfe\n", b"\n", record.as_bytes()] {
        file.write_all(line).unwrap();
    }
    file.write_all(&vec![b' '; 9 << 20]).unwrap();
    file.write_all(b"\n").unwrap();
    file.write_all(&record.as_bytes()[..record.len() / 2]).unwrap();
    let found = read(&folder);
    assert_eq!((found[0].calls, found[0].unreadable), (2, 5));
    // New fields and kinds of the same version are read.
    fs::write(path, record.replacen("\"kind\":\"call\"", "\"kind\":\"call\",\"new\":{\"a\":[1]}", 1))
        .unwrap();
    assert_eq!(read(&folder)[0].calls, 1);
}

/// The record of a gateway's start goes with the oldest files; what it says stays.
#[test]
fn a_gateway_is_known_after_its_first_records_are_gone() {
    let folder = folder("status-rotated");
    let log = Log::open(Options::in_directory(&folder, "a").rotate_at(3_000).keep(1)).unwrap();
    let digest = |digit: &str| Some(format!("sha256:{}", digit.repeat(64)));
    log.record(Event::Start(Start { policy: digest("1"), program: "npx".to_owned(), ..Start::default() }));
    log.record(Event::Reload(Reload { new: digest("2"), ..Reload::default() }));
    for _ in 0..50 {
        log.record(call("pay", 5, None));
    }
    log.flush().unwrap();
    let found = read(&folder);
    assert_eq!(found[0].running, [std::process::id()]);
    let start = found[0].start.as_ref().unwrap();
    assert_eq!((&*start.program, &start.policy), ("npx", &digest("2")));
    assert!(found[0].calls < 50);
    log.close().unwrap();
}
