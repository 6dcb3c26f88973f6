//! Files of the third form, which knew no budgets, no time zones, and of an approval only whether it was spent.

use std::path::Path;

use callgate::store::{
    Algorithm, ApprovalAnswer, ApprovalState, Approvals as _, Batch, Counter, Filed, Grant, Inspect as _,
    Owner, ScopeValue, Store as _, Verdict, Window,
};
use callgate_sqlite::SqliteStore;
use rusqlite::{Connection, params};

use crate::charges::{at, charge, counter, is_taken, used};
use crate::filed::request;
use crate::scratch::{Scratch, open};

/// The tables as that release made them.
const THIRD: &str = "
    CREATE TABLE spaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE declarations (
        id BLOB PRIMARY KEY, tool TEXT, name TEXT NOT NULL, window TEXT NOT NULL, algorithm TEXT NOT NULL,
        scope TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE counters (
        space INTEGER NOT NULL, id BLOB NOT NULL, scope BLOB NOT NULL, start INTEGER NOT NULL, stamp INTEGER NOT NULL,
        ends INTEGER NOT NULL, used INTEGER NOT NULL, entries INTEGER NOT NULL, gone INTEGER, keep INTEGER NOT NULL,
        PRIMARY KEY (space, id, scope, start)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX counters_by_keep ON counters (keep);
    CREATE TABLE charges (
        space INTEGER NOT NULL, id BLOB NOT NULL, scope BLOB NOT NULL, stamp INTEGER NOT NULL, micros INTEGER NOT NULL,
        keep INTEGER NOT NULL, PRIMARY KEY (space, id, scope, stamp)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE approvals (
        space INTEGER NOT NULL, id TEXT NOT NULL, keep INTEGER NOT NULL, PRIMARY KEY (space, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX approvals_by_keep ON approvals (keep);
    CREATE TABLE clock (passed INTEGER NOT NULL, seen INTEGER NOT NULL, forgotten INTEGER NOT NULL) STRICT;
    INSERT INTO clock VALUES (0, 0, 0);
    CREATE TABLE filed (
        space INTEGER NOT NULL, place TEXT NOT NULL, id TEXT NOT NULL, call TEXT NOT NULL, filed INTEGER NOT NULL,
        until INTEGER NOT NULL, state TEXT NOT NULL, answered INTEGER, by TEXT, keep INTEGER NOT NULL, args TEXT NOT NULL,
        UNIQUE (space, place), UNIQUE (space, id)
    ) STRICT;
    CREATE INDEX filed_by_keep ON filed (keep);
    INSERT INTO spaces VALUES (1, 'callgate');
    PRAGMA user_version = 3;
    PRAGMA application_id = 1667719540;
";

const DAY: i64 = 86_400_000;

/// A file with two of a fixed and two of a sliding counter, a spent approval, and two filed calls, of which one is granted.
fn make(file: &Path) -> [Counter; 2] {
    let counters = [counter("f", Algorithm::Fixed), counter("s", Algorithm::Sliding)];
    let older = Connection::open(file).unwrap();
    older.execute_batch(THIRD).unwrap();
    let now = at(0).as_millis();
    for (counter, start, entries) in [(&counters[0], now, 0), (&counters[1], 0, 1)] {
        let (id, algorithm) = (counter.id(), counter.algorithm().name());
        let insert = "INSERT INTO declarations VALUES (?1, 'tool', ?2, 'day', ?3, 'grant')";
        older.execute(insert, params![id.as_bytes(), counter.name(), algorithm]).unwrap();
        let insert = "INSERT INTO counters VALUES (1, ?1, x'61', ?2, ?3, ?4, 2000000, ?5, NULL, ?4)";
        older.execute(insert, params![id.as_bytes(), start, now, now + DAY, entries]).unwrap();
        if entries > 0 {
            let insert = "INSERT INTO charges VALUES (1, ?1, x'61', ?2, 2000000, ?3)";
            older.execute(insert, params![id.as_bytes(), now, now + DAY]).unwrap();
        }
    }
    older.execute("INSERT INTO approvals VALUES (1, 'spent', ?1)", [now + 366 * DAY]).unwrap();
    older.execute("UPDATE clock SET passed = ?1, seen = ?1, forgotten = ?1", [now]).unwrap();
    for (key, id, state) in [("waits", "aaaaaaaa", "pending"), ("granted", "bbbbbbbb", "granted")] {
        let call = format!(
            r#"{{"key":"{key}","server":"s","method":"tools/call","tool":"t","caller":null,"rules":[],"policy":"p"}}"#
        );
        let (answered, by) = if state == "granted" { (Some(now), Some("alice")) } else { (None, None) };
        let place = format!("{} {key} s", key.len());
        let insert = "INSERT INTO filed VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?5, 'full {}')";
        let row = params![place, id, call, now, now + DAY, state, answered, by];
        older.execute(insert, row).unwrap();
    }
    counters
}

/// What becomes of a batch that needs an approval.
fn spend(store: &SqliteStore, id: &str, uses: u32) -> Verdict {
    let grant = Grant { id: id.into(), uses, holds: None };
    let batch = Batch { approval: Some(grant), asks: true, ..Batch::default() };
    store.reserve(&batch, at(1)).unwrap().verdict
}

#[test]
fn counters_of_the_third_form_go_on() {
    let scratch = Scratch::new("third-counters");
    let file = scratch.path("counters.db");
    let counters = make(&file);
    // Two that open it at once, of which one migrates it.
    let stores = std::thread::scope(|scope| {
        [(), ()].map(|()| scope.spawn(|| open(&file))).map(|thread| thread.join().unwrap())
    });
    for (counter, store) in counters.iter().zip(&stores) {
        assert_eq!(used(store, counter, "a", 0), 2);
        assert!(is_taken(&charge(store, counter, "a", 3, 0).unwrap()));
        assert!(!is_taken(&charge(store, counter, "a", 3, 0).unwrap()));
    }
    let mut held = Vec::new();
    stores[0].each(at(1), &mut |live| held.push(live.counter)).unwrap();
    assert!(held.len() == 2 && counters.iter().all(|counter| held.contains(counter)), "{held:?}");
    assert!(stores[0].reset(counters[0].id(), &ScopeValue::from(&b"a"[..]), at(1)).unwrap());
    // No clock counts before what that release had forgotten.
    let other = counter("other", Algorithm::Fixed);
    assert_eq!(charge(&stores[0], &other, "a", 1, -1).unwrap().usage[0].stamp, at(0));
    // What is new has its place in the file.
    let budget = Counter::new(Owner::Budget, "b", Window::Ever, Algorithm::Fixed, "global");
    assert!(is_taken(&charge(&stores[1], &budget, "", 1, 0).unwrap()));
    assert!(!is_taken(&charge(&stores[0], &budget, "", 1, 300 * DAY).unwrap()));
    let version = "SELECT user_version FROM pragma_user_version";
    let connection = Connection::open(&file).unwrap();
    assert_eq!(connection.query_row(version, [], |row| row.get::<_, i64>(0)).unwrap(), 4);
}

/// Nothing in such a file says how often an id was used, and it may be that of a grant that was withdrawn.
#[test]
fn an_approval_that_was_spent_stays_used_up() {
    let scratch = Scratch::new("third-approvals");
    let file = scratch.path("counters.db");
    make(&file);
    let store = open(&file);
    for uses in [1, 2, u32::MAX] {
        assert_eq!(spend(&store, "spent", uses), Verdict::ApprovalSpent);
    }
    assert_eq!(
        [(); 3].map(|()| spend(&store, "new", 2)),
        [Verdict::Reserved, Verdict::Reserved, Verdict::ApprovalSpent]
    );
    // It is forgotten when it would have been.
    store.purge(at(366 * DAY - 1)).unwrap();
    assert_eq!(spend(&store, "spent", 1), Verdict::ApprovalSpent);
    store.purge(at(366 * DAY)).unwrap();
    assert_eq!(spend(&store, "spent", 1), Verdict::Reserved);
}

#[test]
fn calls_that_were_filed_stand_and_are_let_through_once() {
    let scratch = Scratch::new("third-filed");
    let file = scratch.path("counters.db");
    make(&file);
    let store = open(&file);
    let records = store.filed(at(1)).unwrap();
    assert_eq!(
        records.iter().map(|record| (&*record.id, record.call.uses)).collect::<Vec<_>>(),
        [("aaaaaaaa", 1), ("bbbbbbbb", 1)]
    );
    store
        .answer("aaaaaaaa", &ApprovalAnswer::grant("bob", std::time::Duration::from_secs(60)), at(1))
        .unwrap();
    for key in ["waits", "granted"] {
        let Filed::Found(record) = store.file(&request(key), at(2)).unwrap() else { panic!("{key}") };
        assert_eq!(record.state, ApprovalState::Granted);
        let id = record.approval_id().unwrap();
        assert_eq!(spend(&store, &id, record.call.uses), Verdict::Reserved);
        assert_eq!(store.find(&record.id, at(2)).unwrap().unwrap().record.state, ApprovalState::Used);
        assert!(matches!(store.file(&request(key), at(2)).unwrap(), Filed::New(_)));
    }
}
