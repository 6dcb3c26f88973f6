//! Filed calls on a server with its own clock, its own memory and a user who may do little.

use std::time::{Duration, Instant};

use callgate::store::{
    Answered, ApprovalAnswer, ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, ApprovalState,
    Approvals as _, Filed,
};
use callgate::time::Timestamp;
use callgate_redis::{RedisOptions, RedisStore};

use crate::server::Server;

/// A caller's clock that no answer may depend on.
const NOW: Timestamp = Timestamp::MIN;

fn request(key: &str) -> ApprovalRequest {
    let call = format!(
        r#"{{"key": "{key}", "server": "s", "method": "tools/call", "tool": "t", "caller": null, "rules": [], "policy": "p"}}"#
    );
    ApprovalRequest { call: ApprovalCall::from_text(&call).unwrap(), args: ApprovalArgs::full("{}") }
}

#[expect(clippy::panic, reason = "a test tells by panicking")]
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
