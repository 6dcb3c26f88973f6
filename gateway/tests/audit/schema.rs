//! Every kind of record, by the schema; and that no record shows what is secret.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use callgate::{Engine, Identity, Outcome, Policy};
use callgate_gateway::audit::{
    Approval, ApprovalOutcome, Call, Candidate, Charge, Event, Log, Mode, Options, Principal, Reload,
    ShownArgs, Start, Stop, Target, Upstream,
};
use callgate_relay::{Note, Peer};
use serde_json::Value;

use crate::folder;

const SCHEMA: &str = include_str!("../../../spec/audit.schema.json");
const ARGS: &str = r#"{"amount":"tell-nobody-1","token":"tell-nobody-2","":{"deep":["tell-nobody-3"]}}"#;
const POLICY: &str = "\
version: '1'
default: deny
hide: [secret]
tools:
  pay: {rules: [{name: some, rate_limit: 1/hour}]}
  ask: {rules: [{name: ask me, action: require_approval}]}
  cap: {rules: [{conditions: [{path: args.amount, op: eq, value: 5}], on_deny: \"\\\"too\\nmuch\\\"\"}]}
";

fn decision(engine: &Engine, tool: &str) -> Option<String> {
    Some(engine.evaluate_json(tool, ARGS, &Identity::new("alice")).to_json())
}

type Change = fn(Options) -> Options;

/// Events of every kind, and of every form of a decision.
fn events(log: &Log) -> Vec<Event> {
    let engine = Engine::new(Policy::from_yaml(POLICY).unwrap());
    let digest = || Some(format!("sha256:{}", "0".repeat(64)));
    let mut events = vec![
        Event::Start(Start {
            version: "0.1.0".to_owned(),
            program: "npx".to_owned(),
            policy_file: Some("policy.yaml".to_owned()),
            policy: digest(),
            candidate: digest(),
            mode: Mode::Observe,
            store: "rediss://user:tell-nobody-4/@?x@redis.example:1/0?password=tell-nobody-5".to_owned(),
        }),
        Event::Start(Start { store: "memory".to_owned(), mode: Mode::DryRun, ..Start::default() }),
        Event::Reload(Reload { old: digest(), new: digest(), ..Reload::default() }),
        Event::Reload(Reload {
            target: Target::Candidate,
            old: digest(),
            error: Some("unknown_field at 3:1".to_owned()),
            ..Reload::default()
        }),
    ];
    for (at, tool) in ["pay", "pay", "ask", "cap", "secret", "other", "e\u{1b}[2J\n"].into_iter().enumerate()
    {
        let outcome = Outcome::ALL.get(at).copied().unwrap();
        events.push(Event::Call(Box::new(Call {
            request: Some("\"a-1\"".to_owned()),
            protocol: Some("2025-11-25".to_owned()),
            principal: Principal { id: Some("alice".to_owned()), grant: Some("laptop".to_owned()) },
            method: "tools/call".to_owned(),
            name: Some(tool.to_owned()),
            decision: decision(&engine, tool),
            candidate: Some(Candidate { decision: decision(&engine, tool), error: None }),
            args: log.args(Some(ARGS)),
            upstream: Upstream {
                outcome,
                code: Some(-32_000),
                latency: Some(Duration::from_micros(7)),
                bytes_out: 1,
                bytes_in: 2,
            },
            charge: [Charge::Kept, Charge::Released, Charge::Settled, Charge::None]
                .get(at % 4)
                .copied()
                .unwrap(),
            ..Call::default()
        })));
    }
    let refused = Call { refusal: Some("audit_unavailable".to_owned()), ..Call::default() };
    let candidate = Candidate { decision: None, error: Some("the store did not answer".to_owned()) };
    let dry = Call { mode: Mode::DryRun, candidate: Some(candidate), ..Call::default() };
    events.extend([refused, dry].map(|call| Event::Call(Box::new(call))));
    let notes = [
        Note::FrameRefused { from: Peer::Client, reason: "a batch" },
        Note::FrameRefused { from: Peer::Server, reason: "too long" },
        Note::ListFiltered { method: "tools/list", hidden: 3 },
        Note::ListFailed("the server did not answer in time"),
    ];
    events.extend(notes.iter().filter_map(Event::of_note));
    assert_eq!(Event::of_note(&Note::Listed(Vec::new())), None);
    for outcome in [
        ApprovalOutcome::Asked,
        ApprovalOutcome::Approved,
        ApprovalOutcome::Denied,
        ApprovalOutcome::Used,
        ApprovalOutcome::Expired,
    ] {
        let who = Some("bob".to_owned());
        events.push(Event::Approval(Approval { key: "sha256:0".to_owned(), who, outcome }));
    }
    events.push(Event::Gap { lost: 2 });
    events.push(Event::Stop(Stop { why: "signal".to_owned(), code: Some(-1) }));
    events
}

fn written(name: &str, options: impl FnOnce(Options) -> Options) -> (PathBuf, String) {
    let log = Log::open(options(Options::new(folder(name).join("a.jsonl"), "git\"hub"))).unwrap();
    for event in events(&log) {
        log.record(event);
    }
    log.close().unwrap();
    let file = log.file().unwrap().to_owned();
    let text = fs::read_to_string(&file).unwrap();
    (file, text)
}

fn key() -> ShownArgs {
    ShownArgs::Hmac(b"tell-nobody-6".to_vec())
}

#[test]
fn every_record_is_as_the_schema_says() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let options: [(&str, Change); 3] = [
        ("schema-chain", |options| options.chain(true)),
        ("schema-none", |options| options.args(ShownArgs::None)),
        ("schema-hmac", |options| options.args(key())),
    ];
    let mut kinds = Vec::new();
    for (name, options) in options {
        for line in written(name, options).1.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            if let Err(error) = validator.validate(&record) {
                panic!("{line}\n{error} at {}", error.instance_path());
            }
            kinds.push(record["kind"].as_str().unwrap().to_owned());
        }
    }
    kinds.sort();
    kinds.dedup();
    let mut all: Vec<_> = schema["properties"]["kind"]["enum"].as_array().unwrap().iter().collect();
    all.sort_by_key(|kind| kind.as_str());
    assert_eq!(
        kinds.iter().map(String::as_str).collect::<Vec<_>>(),
        all.iter().filter_map(|k| k.as_str()).collect::<Vec<_>>()
    );
    // What the schema refuses, so that it says something.
    let line = written("schema-refused", |options| options).1;
    let mut record: Value = serde_json::from_str(line.lines().last().unwrap()).unwrap();
    record.as_object_mut().unwrap().remove("why");
    assert!(!validator.is_valid(&record));
}

/// The record in the guide, `docs/guide/audit.md`.
#[test]
fn the_guides_record_is_one() {
    let guide = include_str!("../../../docs/guide/audit.md");
    let (_, block) = guide.split_once("<!-- run by gateway/tests/audit/schema.rs -->\n```json\n").unwrap();
    let record = serde_json::from_str(block.split_once("```").unwrap().0).unwrap();
    let validator = jsonschema::draft202012::new(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
    assert!(validator.validate(&record).is_ok());
}

/// The names at the first level of an object, in order, by its text.
fn names(object: &str) -> Vec<String> {
    let mut depth = 0;
    let mut names = Vec::new();
    let mut rest = object;
    while let Some(at) = rest.find(['{', '}', '[', ']', '"']) {
        let (begin, after) = rest.split_at(at);
        let _ = begin;
        rest = after.get(1..).unwrap();
        match after.as_bytes().first() {
            Some(b'{' | b'[') => depth += 1,
            Some(b'}' | b']') => depth -= 1,
            _ => {
                let mut strings = serde_json::Deserializer::from_str(after).into_iter::<String>();
                let text = strings.next().unwrap().unwrap();
                rest = after.get(strings.byte_offset()..).unwrap();
                if depth == 1 && rest.starts_with(':') {
                    names.push(text);
                }
            }
        }
    }
    names
}

#[test]
fn fields_are_always_present_and_in_the_schemas_order() {
    // The schema's own text has its order; a parsed one has none.
    let member = |object: &str, name: &str| {
        let (_, rest) = object.split_once(&format!("\"{name}\": {{")).unwrap();
        format!("{{{rest}")
    };
    let own = |kind: &str| {
        let (_, defs) = SCHEMA.split_once("\"$defs\": {").unwrap();
        let (_, rest) = defs.split_once(&format!("    \"{kind}\": {{\n      \"description\"")).unwrap();
        first_object(&member(rest, "properties"))
    };
    let common = names(&first_object(&member(SCHEMA, "properties")));
    for line in written("order", |options| options.chain(true)).1.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let mut expected = common.clone();
        let tail = expected.split_off(6);
        expected.extend(names(&own(record["kind"].as_str().unwrap())).into_iter().skip(1));
        expected.extend(tail);
        assert_eq!(names(line), expected, "{line}");
    }
}

/// The object with which a text begins.
fn first_object(text: &str) -> String {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    stream.next().unwrap().unwrap();
    text.get(..stream.byte_offset()).unwrap().to_owned()
}

#[test]
fn no_record_shows_a_secret() {
    let options: [(&str, Change); 3] = [
        ("secret-keys", |options| options.chain(true)),
        ("secret-hash", |options| options.args(ShownArgs::Hash)),
        ("secret-hmac", |options| options.args(key())),
    ];
    for (name, options) in options {
        let (file, text) = written(name, options);
        assert!(!text.contains("tell-nobody"), "{text}");
        assert!(text.contains("\"store\":\"rediss://redis.example:1/0\""), "{text}");
        assert!(text.contains(r#""keys":["","amount","token"]"#), "{text}");
        for entry in fs::read_dir(file.parent().unwrap()).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains("tell-nobody"));
        }
    }
    let none = written("secret-none", |options| options.args(ShownArgs::None)).1;
    assert!(none.contains(r#""args":{"keys":null,"hash":null}"#), "{none}");
    assert!(!format!("{:?}", Options::new("a", "b").args(key())).contains("tell"));
}

#[test]
fn a_key_is_read_from_a_file() {
    let folder = folder("key");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("key");
    fs::write(&file, "0123456789abcdef\n").unwrap();
    assert_eq!(ShownArgs::hmac_of_file(&file).unwrap(), ShownArgs::Hmac(b"0123456789abcdef".to_vec()));
    fs::write(&file, "0123456789abcde\n").unwrap();
    let error = ShownArgs::hmac_of_file(&file).unwrap_err().to_string();
    assert!(error.contains("fewer than 16 bytes") && !error.contains("012345"), "{error}");
}

/// Whoever calls does not choose how long a record is.
#[test]
fn records_are_bounded() {
    let engine = Engine::new(Policy::from_yaml(POLICY).unwrap());
    let long = "é".repeat(1 << 20);
    let args = (0..5_000).map(|at| format!("\"{at}{}\":1", "k".repeat(500))).collect::<Vec<_>>().join(",");
    let log = Log::open(Options::new(folder("bounded").join("a.jsonl"), "a").chain(true)).unwrap();
    let texts = || Some(long.clone());
    log.record(Event::Call(Box::new(Call {
        request: texts(),
        protocol: texts(),
        principal: Principal { id: texts(), grant: texts() },
        method: long.clone(),
        name: texts(),
        decision: decision(&engine, &long),
        refusal: None,
        candidate: Some(Candidate { decision: decision(&engine, &long), error: texts() }),
        args: log.args(Some(&format!("{{{args}}}"))),
        ..Call::default()
    })));
    log.record(Event::FrameRefused { from: Peer::Client, reason: long.clone(), times: 1 });
    log.record(Event::ListFailed { reason: long.clone() });
    log.record(Event::Stop(Stop { why: long, code: None }));
    log.close().unwrap();
    let records = crate::records(log.file().unwrap());
    assert!(fs::metadata(log.file().unwrap()).unwrap().len() < 64 << 10);
    assert_eq!(records.first().unwrap()["decision"]["code"], "invalid_tool");
}
