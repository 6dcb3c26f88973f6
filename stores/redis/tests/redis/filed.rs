//! Filed calls on a server with its own clock, its own memory and a user who may do little.

use std::time::{Duration, Instant};

use callgate::store::{
    Answered, ApprovalAnswer, ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, ApprovalState,
    Approvals as _, Batch, Filed, Grant, Store as _, Verdict,
};
use callgate::time::Timestamp;
use callgate_redis::{RedisOptions, RedisStore};

use crate::server::Server;

/// A caller's clock that no answer may depend on.
const NOW: Timestamp = Timestamp::MIN;

fn request(key: &str) -> ApprovalRequest {
    let call = format!(
        r#"{{"key": "{key}", "server": "s", "method": "tools/call", "tool": "t", "caller": null, "rules": [], "policy": "p", "uses": 1}}"#
    );
    ApprovalRequest { call: ApprovalCall::from_text(&call).unwrap(), args: ApprovalArgs::full("{}") }
}

fn record(store: &RedisStore, key: &str, is_new: bool) -> ApprovalRecord {
    match (store.file(&request(key), NOW).unwrap(), is_new) {
        (Filed::New(record), true) | (Filed::Found(record), false) => *record,
        (filed, _) => panic!("{filed:?}"),
    }
}

fn new(store: &RedisStore, key: &str) -> String {
    record(store, key, true).id
}

#[test]
fn the_servers_clock_ends_records_and_their_keys() {
    let server = Server::start();
    let store = server.open();
    let life = |key: &str| server.ask(&["PTTL", key]).parse::<i64>().unwrap();
    let keys = || server.ask(&["KEYS", "*"]).lines().map(str::to_owned).collect::<Vec<_>>();
    let id = new(&store, "k");
    assert_eq!(keys().len(), 2);
    let day = 86_400_000;
    assert!(keys().iter().all(|key| (day..=day + 60_000).contains(&life(key))), "{:?}", keys());
    let short = ApprovalAnswer::grant("alice", Duration::from_millis(50));
    assert!(matches!(store.answer(&id, &short, NOW).unwrap(), Answered::Done(_)));
    assert!(keys().iter().all(|key| (1..=60_050).contains(&life(key))), "{:?}", keys());
    let patience = Instant::now();
    while matches!(store.file(&request("k"), NOW).unwrap(), Filed::Found(_)) {
        assert!(patience.elapsed() < Duration::from_secs(20), "a grant does not end");
    }
    assert_eq!(store.find(&id, NOW).unwrap(), None);
    assert_eq!(store.filed(NOW).unwrap().len(), 1);
}

#[test]
fn the_documented_permissions_are_enough_to_file_and_answer() {
    let server = Server::start();
    let user = crate::readme::permissions();
    assert_eq!(server.ask(&user.split_whitespace().collect::<Vec<_>>()), "OK");
    let url = format!("redis://callgate:secret@127.0.0.1:{}", server.port());
    let store = RedisStore::open(&RedisOptions::from_url(&url).unwrap().with_namespace("prod")).unwrap();
    let id = new(&store, "k");
    for answer in
        [ApprovalAnswer::grant("a", Duration::from_secs(60)), ApprovalAnswer::deny("a", Duration::ZERO)]
    {
        assert!(matches!(store.answer(&id, &answer, NOW).unwrap(), Answered::Done(_)));
    }
    assert_eq!((store.find(&id, NOW).unwrap(), store.filed(NOW).unwrap()), (None, vec![]));
    assert_ne!(new(&store, "k"), id);
}

#[test]
fn a_full_server_files_and_answers_nothing() {
    let server = Server::with(&["--save", "", "--maxmemory-policy", "noeviction"]);
    let store = server.open();
    let id = new(&store, "k");
    let grant = ApprovalAnswer::grant("alice", Duration::from_secs(60));
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(store.file(&request("other"), NOW).is_err());
    assert!(store.answer(&id, &grant, NOW).is_err());
    let found = record(&store, "k", false);
    assert_eq!(found.state, ApprovalState::Pending);
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(store.filed(NOW).unwrap(), [found]);
    assert!(matches!(store.answer(&id, &grant, NOW).unwrap(), Answered::Done(_)));
    new(&store, "other");
}

/// A hash of somebody else's under our names must not pass for records.
#[test]
fn what_cannot_be_read_lets_nothing_through() {
    let server = Server::start();
    let store = server.open();
    new(&store, "k");
    let place = request("k").call.place();
    server.ask(&["HSET", "{callgate}:2:r", &place, "nonsense"]);
    assert!(store.file(&request("k"), NOW).is_err());
    server.ask(&["DEL", "{callgate}:2:r"]);
    new(&store, "k");
}

/// Whether a batch passes by an approval that lets so many through.
fn passes(store: &RedisStore, id: &str, uses: u32) -> bool {
    let approval = Some(Grant { uses, ..Grant::from(id) });
    let outcome = store.reserve(&Batch { approval, asks: true, ..Batch::default() }, NOW).unwrap();
    assert!(matches!(outcome.verdict, Verdict::Reserved | Verdict::ApprovalSpent), "{outcome:?}");
    outcome.verdict == Verdict::Reserved
}

fn granted(store: &RedisStore, id: &str) -> String {
    let grant = ApprovalAnswer::grant("alice", Duration::from_secs(60));
    match store.answer(id, &grant, NOW).unwrap() {
        Answered::Done(record) => record.approval_id().unwrap(),
        answered => panic!("{answered:?}"),
    }
}

#[test]
fn a_grant_is_used_once_its_id_was_as_often_as_the_call_says() {
    let server = Server::start();
    let store = server.open();
    let mut request = request("k");
    request.call.uses = 3;
    let file = || store.file(&request, NOW).unwrap();
    let Filed::New(record) = file() else { panic!("it was filed before") };
    let id = granted(&store, &record.id);
    for _ in 0..2 {
        assert!(passes(&store, &id, 3));
        let Filed::Found(found) = file() else { panic!("its uses are not used up") };
        assert_eq!((found.state, found.call.uses), (ApprovalState::Granted, 3));
    }
    assert!(passes(&store, &id, 3) && !passes(&store, &id, 3));
    assert_eq!(store.filed(NOW).unwrap()[0].state, ApprovalState::Used);
    let deny = ApprovalAnswer::deny("bob", Duration::from_secs(60));
    assert!(matches!(store.answer(&record.id, &deny, NOW).unwrap(), Answered::Used(_)));
    // Filed anew. A grant that is replaced is used up, however many uses it had left; its replacement has all.
    let Filed::New(record) = file() else { panic!("a grant that is used was found") };
    let first = granted(&store, &record.id);
    assert!(passes(&store, &first, 3));
    // The next answer has another time, and so an id of its own.
    std::thread::sleep(Duration::from_millis(2));
    let second = granted(&store, &record.id);
    assert!(!passes(&store, &first, 3) && (0..3).all(|_| passes(&store, &second, 3)));
    assert!(!passes(&store, &second, 3));
}

/// What was stored before approvals had uses: an id that was marked as spent, and calls that do not say how many they have.
#[test]
fn what_was_stored_before_there_were_uses_has_one() {
    let server = Server::start();
    let store = server.open();
    server.ask(&["SET", "{callgate}:2:a:old", "1"]);
    assert!(!passes(&store, "old", 1));
    assert!(passes(&store, "old", 2) && !passes(&store, "old", 2));
    server.ask(&["SET", "{callgate}:2:a:nonsense", "x"]);
    let approval = Some(Grant::from("nonsense"));
    assert!(store.reserve(&Batch { approval, asks: true, ..Batch::default() }, NOW).is_err());

    let filed = new(&store, "k");
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut place = |command: &str, value: Option<&[u8]>| -> redis::RedisResult<redis::Value> {
        let mut command = redis::cmd(command);
        command.arg("{callgate}:2:r").arg(request("k").call.place());
        value.iter().for_each(|value| {
            command.arg(value);
        });
        command.query(&mut connection)
    };
    let redis::Value::BulkString(mut value) = place("HGET", None).unwrap() else { panic!("it is not there") };
    let uses = b",\"uses\":1";
    let at = value.windows(uses.len()).position(|part| part == uses).unwrap();
    value.drain(at..at + uses.len());
    place("HSET", Some(&value)).unwrap();
    let id = granted(&store, &filed);
    assert_eq!(record(&store, "k", false).call.uses, 1);
    assert!(passes(&store, &id, 1) && !passes(&store, &id, 1));
    assert_eq!(store.find(&filed, NOW).unwrap().unwrap().record.state, ApprovalState::Used);
    assert_ne!(new(&store, "k"), filed);
}
