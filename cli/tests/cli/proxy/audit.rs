//! The records of a gateway that is stopped, that cannot write, that stands beside another, and whose calls are many and given up.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::callgate;

const LIMITED: &str = "\
version: '1'
default: allow
all_tools: {limits: [{counter: all, window: month, max: 1000000}]}
tools:
  pay:
    limits:
      - {counter: pays, window: month, max: 800}
      - {counter: spend, window: month, max: 1000000, increment_from: args.amount}
";

/// That a log is whole: its records follow one another, and its chain holds.
fn whole(file: &str) -> Vec<Value> {
    let records = records_of(file);
    for (at, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], at + 1, "{file}");
    }
    let run = callgate(&["audit", "verify", file]);
    assert_eq!((run.status, &*run.err), (0, ""), "{}", run.out);
    records
}

#[test]
fn a_signal_in_the_middle_of_many_calls_loses_no_record() {
    const CALLS: u64 = 100_000;
    const SIGNAL: usize = 20_000;
    let mut proxy = Setup::new("signal").flags(&["--audit-chain"]).policy(ALLOW).open();
    // Some hundred are under way at any time: more than ten thousand are refused.
    let mut next = 1;
    let mut send = |proxy: &mut Proxy, until: u64| {
        let until = until.min(CALLS);
        (next..until).for_each(|id| proxy.send(&call(id, "echo", "{}")));
        next = next.max(until);
    };
    let mut answered = BTreeSet::new();
    send(&mut proxy, 500);
    while let Some(answer) = proxy.next() {
        if answer.get("result").is_some() {
            answered.insert(answer["id"].to_string());
        }
        if answered.len() == SIGNAL {
            proxy.signal("TERM");
        }
        send(&mut proxy, 500 + u64::try_from(answered.len()).unwrap());
    }
    let ended = proxy.wait();
    assert_eq!(ended.code, 143, "{}", ended.said);
    let records = whole(&ended.setup.audit());
    let mut recorded = BTreeMap::new();
    for record in records.iter().filter(|record| record["kind"] == "call") {
        let request = record["request"].as_str().unwrap().to_owned();
        let outcome = record["upstream"]["outcome"].as_str().unwrap();
        assert_eq!(recorded.insert(request, outcome), None, "{record}");
    }
    let seen: BTreeSet<_> = ended.setup.seen_calls().iter().map(|call| call["id"].to_string()).collect();
    assert!(seen.len() >= SIGNAL && seen.len() < 100_000 && seen.is_superset(&answered));
    for call in &seen {
        assert!(matches!(recorded.get(call), Some(&"done" | &"lost")), "{call}: {:?}", recorded.get(call));
    }
    for call in &answered {
        assert_eq!(recorded[call], "done", "{call}");
    }
    let stop = records.last().unwrap();
    assert_eq!((&stop["kind"], &stop["why"]), (&json!("stop"), &json!("signal")));
}

#[test]
fn what_cannot_be_recorded_does_not_run_where_records_are_required() {
    let mut proxy =
        Setup::new("full").flags(&["--audit", "/dev/full", "--audit-required"]).policy(ALLOW).open();
    let is_refused = |answer: &Value| answer["result"]["_meta"]["callgate/code"] == "audit_unavailable";
    let mut id = 0;
    // The first record may not have failed yet.
    until("calls are refused", || {
        id += 1;
        is_refused(&proxy.call(id, "echo", "{}"))
    });
    let ran = proxy.setup.seen_calls().len();
    for id in 1_000..1_010 {
        let answer = proxy.call(id, "echo", "{}");
        assert!(is_refused(&answer) && answer["result"]["isError"] == true, "{answer}");
        assert!(text(&answer).contains("cannot be recorded"), "{answer}");
    }
    assert_eq!(proxy.setup.seen_calls().len(), ran);
    assert_eq!(proxy.close().code, 0);

    let mut proxy = Setup::new("full").flags(&["--audit", "/dev/full"]).policy(ALLOW).open();
    assert_eq!(text(&proxy.call(1, "echo", "{}")), "{}");
    let ended = proxy.close();
    assert!(ended.code == 0 && ended.said.contains("/dev/full"), "{}", ended.said);

    // A file that cannot be there.
    let ended =
        Setup::new("nowhere").flags(&["--audit", "/dev/null/a.jsonl", "--audit-required"]).start().wait();
    assert_eq!((ended.code, ended.setup.seen().len()), (2, 0));
    assert!(ended.said.contains("the audit file cannot be opened"), "{}", ended.said);
}

#[test]
fn two_gateways_of_one_name_write_two_logs() {
    let setup = || Setup::kept("two").flags(&["--audit-chain"]);
    drop(Setup::new("two"));
    let (mut one, mut two) = (setup().open(), setup().open());
    for id in 1..=20 {
        one.call(id, "echo", "{}");
        two.call(id, "echo", "{}");
    }
    let (one, two) = (one.close(), two.close());
    assert_eq!((one.code, two.code), (0, 0));
    let mut instances = BTreeSet::new();
    for file in [one.setup.audit(), one.setup.audit().replace(".jsonl", ".2.jsonl")] {
        let records = whole(&file);
        assert_eq!(records.len(), 22, "{file}");
        assert!(records.iter().all(|record| record["server"] == "tests"));
        instances.insert(records[0]["instance"].to_string());
    }
    assert_eq!(instances.len(), 2);
    // Later, the first name is free again, and its log goes on.
    assert_eq!(setup().open().close().code, 0);
    assert_eq!(whole(&two.setup.audit()).len(), 24);
    let mut status = std::process::Command::new(env!("CARGO_BIN_EXE_callgate"));
    let status = status.arg("status").env("CALLGATE_STATE_DIR", two.setup.path("state")).output().unwrap();
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.contains("tests: not running") && status.contains("calls      40"), "{status}");
}

#[test]
fn each_of_many_calls_has_one_outcome_and_is_charged_by_it() {
    let setup = Setup::new("many");
    let store = format!("sqlite://{}", setup.path("store.db"));
    let mut proxy = setup.flags(&["--store", &store, "--audit-chain"]).policy(LIMITED).open();
    // A tenth is given up: half of it at once, half of it once all are sent. The server never answers these.
    let given_up = |id: &u64| id.is_multiple_of(10);
    let cancel = |proxy: &mut Proxy, id: u64| {
        let params = json!({"requestId": id});
        proxy.send(
            &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}).to_string(),
        );
    };
    for id in 1..=1_000_u64 {
        match id % 20 {
            0 => {
                proxy.send(&call(id, "hold", "{}"));
                cancel(&mut proxy, id);
            }
            10 => proxy.send(&call(id, "hold", "{}")),
            _ => proxy.send(&call(id, "pay", r#"{"amount":2.5}"#)),
        }
    }
    // At least one of them runs when it is given up.
    let runs = |call: &Value| call["id"].as_u64().is_some_and(|id| id % 20 == 10);
    until("a call that is given up runs", || proxy.setup.seen_calls().iter().any(runs));
    (1..=1_000).filter(|id| id % 20 == 10).for_each(|id| cancel(&mut proxy, id));
    let mut denied = BTreeSet::new();
    for id in (1..=1_000).filter(|id| !given_up(id)) {
        if proxy.answer(id)["result"]["isError"] == true {
            denied.insert(id);
        }
    }
    // What was given up is answered now: nobody gets it.
    proxy.call(1_001, "go", "{}");
    let ended = proxy.close();
    let late: Vec<_> = ended.rest.iter().filter(|answer| answer["result"]["isError"] != true).collect();
    assert!(late.is_empty(), "{late:?}");

    whole(&ended.setup.audit());
    let calls = ended.setup.calls();
    let (mut ids, mut all, mut spent) = (BTreeSet::new(), 0, 0.0);
    for record in &calls {
        let id: u64 = record["request"].as_str().unwrap().parse().unwrap();
        assert!(ids.insert(id), "two records: {record}");
        let outcome = record["upstream"]["outcome"].as_str().unwrap();
        let charge = record["charge"].as_str().unwrap();
        match outcome {
            "not_run" => assert!(given_up(&id) || denied.contains(&id), "{record}"),
            "cancelled" => assert!(given_up(&id), "{record}"),
            _ => assert!(outcome == "done" && !given_up(&id), "{record}"),
        }
        assert_eq!(charge == "kept", outcome != "not_run", "{record}");
        if charge == "kept" {
            all += 1;
            spent += if record["name"] == "pay" { 2.5 } else { 0.0 };
        }
    }
    assert_eq!(ids, (1..=1_001).collect());
    assert!(denied.len() == 100 && calls.iter().any(|call| call["upstream"]["outcome"] == "cancelled"));
    let run = callgate(&["counters", "list", "--store", &store, "--namespace", "tests", "--format", "json"]);
    let used: BTreeMap<_, _> = run
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|held| (held["counter"].as_str().unwrap().to_owned(), held["used"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!((used["all"].parse(), used["spend"].parse()), (Ok(f64::from(all)), Ok(spent)));
}

/// A log that cannot be written says so on standard error. That nobody reads it, or that it is closed, lets no call through and stops nothing.
#[test]
fn records_that_are_required_are_required_whoever_reads_standard_error() {
    for is_closed in [true, false] {
        let name = if is_closed { "stderr-closed" } else { "stderr-unread" };
        let setup = Setup::new(name).policy("{version: '1', default: allow}");
        let mut command = setup.flags(&["--audit", "/dev/full", "--audit-required"]).command();
        let (reader, writer) = std::io::pipe().unwrap();
        let reader = (!is_closed).then_some(reader);
        if reader.is_some() {
            // Full, so that whoever writes to it waits for ever.
            let mut full = writer.try_clone().unwrap();
            thread::spawn(move || while full.write_all(&[b'x'; 4096]).is_ok() {});
            thread::sleep(Duration::from_millis(100));
        }
        let mut child = command.stderr(writer).spawn().unwrap();
        drop(command);
        let mut stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let hello = request(0, "initialize", r#"{"protocolVersion":"2025-11-25","capabilities":{}}"#);
        stdin.write_all(format!("{hello}\n").as_bytes()).unwrap();
        lines.next().unwrap().unwrap();
        for id in 1..20 {
            stdin.write_all(format!("{}\n", call(id, "echo", "{}")).as_bytes()).unwrap();
            let answer: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            let code = &answer["result"]["_meta"]["callgate/code"];
            assert!(code == "audit_unavailable" || id == 1, "{name}: {answer}");
        }
        drop(stdin);
        until("the gateway ends", || child.try_wait().unwrap().is_some());
        drop(reader);
    }
}

/// A client that sends very much of what is refused must not push out of the files what it did before.
#[test]
fn very_many_refused_messages_are_few_records() {
    let mut proxy = Setup::new("junk").open();
    for _ in 0..300 {
        proxy.send("x");
        assert_eq!(proxy.next().unwrap()["error"]["code"], -32700);
    }
    let records = proxy.close().setup.records();
    let times =
        records.iter().filter(|record| record["kind"] == "frame_refused").map(|record| &record["times"]);
    let times: Vec<_> = times.map(|times| times.as_u64().unwrap()).collect();
    assert_eq!(times, (1..=100).chain([128, 256]).collect::<Vec<_>>());
}
