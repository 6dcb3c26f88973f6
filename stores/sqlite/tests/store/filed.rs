//! Filed calls in a file: their rows, and files of releases that had none.

use std::time::Duration;

use callgate::store::{
    Algorithm, ApprovalAnswer, ApprovalArgs, ApprovalCall, ApprovalRequest, ApprovalState, Approvals as _,
    Filed, Store as _,
};
use callgate_sqlite::SqliteStore;
use rusqlite::Connection;

use crate::charges::{at, charge, counter, is_taken, used};
use crate::scratch::{Scratch, open};

const DAY: i64 = 86_400_000;

/// Makes a file what it was before it took filed calls, budgets, zones, and counted uses.
const SECOND: &str = "
    DROP TABLE filed;
    ALTER TABLE declarations DROP COLUMN budget;
    ALTER TABLE declarations DROP COLUMN zone;
    ALTER TABLE declarations DROP COLUMN sunday;
    ALTER TABLE declarations DROP COLUMN method;
    ALTER TABLE declarations DROP COLUMN policy;
    ALTER TABLE approvals DROP COLUMN used;
    DROP TABLE ended;
    DROP TABLE zoned;
    ALTER TABLE clock ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
    PRAGMA user_version = 2;
";

/// A call that a grant lets through once.
pub(crate) fn request(key: &str) -> ApprovalRequest {
    let call = format!(
        r#"{{"key": "{key}", "server": "s", "method": "tools/call", "tool": "t", "caller": null, "rules": [], "policy": "p", "uses": 1}}"#
    );
    ApprovalRequest {
        call: ApprovalCall::from_text(&call).unwrap(),
        args: ApprovalArgs::full("{\"a\":\"secret\"}"),
    }
}

#[expect(clippy::panic, reason = "a test tells by panicking")]
fn id(filed: Filed) -> String {
    match filed {
        Filed::New(record) => record.id,
        filed => panic!("{filed:?}"),
    }
}

fn rows(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM filed", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_file_of_the_second_form_goes_on_and_takes_filed_calls() {
    let scratch = Scratch::new("second-form");
    let (file, counter) = (scratch.path("counters.db"), counter("c", Algorithm::Fixed));
    let store = open(&file);
    assert!(is_taken(&charge(&store, &counter, "a", 9, 0).unwrap()));
    drop(store);
    let older = Connection::open(&file).unwrap();
    older.execute_batch(SECOND).unwrap();
    drop(older);
    // Two that open it at once, of which one migrates it.
    let [one, other] = std::thread::scope(|scope| {
        [(), ()].map(|()| scope.spawn(|| open(&file))).map(|thread| thread.join().unwrap())
    });
    assert_eq!(used(&one, &counter, "a", 0), 1);
    let id = id(one.file(&request("k"), at(0)).unwrap());
    assert!(other.find(&id, at(0)).unwrap().is_some());
}

#[test]
fn what_has_ended_is_deleted_with_its_arguments() {
    let scratch = Scratch::new("filed-ended");
    let (file, counter) = (scratch.path("counters.db"), counter("c", Algorithm::Fixed));
    let (store, raw) = (open(&file), Connection::open(&file).unwrap());
    // By a purge.
    store.file(&request("k"), at(0)).unwrap();
    store.purge(at(DAY - 1)).unwrap();
    assert_eq!(rows(&raw), 1);
    store.purge(at(DAY)).unwrap();
    assert_eq!(rows(&raw), 0);
    // By the charges of others. The file's clock goes on by a second at most for each.
    let id = id(store.file(&request("k"), at(DAY)).unwrap());
    store.answer(&id, &ApprovalAnswer::grant("alice", Duration::from_secs(3)), at(DAY)).unwrap();
    for second in 1..20 {
        assert!(is_taken(&charge(&store, &counter, "a", 99, DAY + second * 2_000).unwrap()));
        if rows(&raw) == 0 {
            assert!(second >= 3, "it was deleted before it ended");
            return;
        }
    }
    panic!("a record that has ended is never deleted");
}

#[test]
fn namespaces_in_which_something_is_filed_are_listed() {
    let scratch = Scratch::new("filed-namespaces");
    let store = open(scratch.path("counters.db"));
    assert_eq!(store.filed_namespaces().unwrap(), [""; 0]);
    let counter = counter("c", Algorithm::Fixed);
    assert!(is_taken(&charge(&store.namespaced("counts"), &counter, "a", 9, 0).unwrap()));
    for name in ["files", "bank"] {
        store.namespaced(name).file(&request("k"), at(0)).unwrap();
    }
    assert_eq!(store.filed_namespaces().unwrap(), ["bank", "files"]);
}

/// Such as one that a later release wrote. The call waits anew; what it counts beside goes on.
#[test]
fn a_record_that_cannot_be_read_lets_nothing_through() {
    let scratch = Scratch::new("filed-unreadable");
    let file = scratch.path("counters.db");
    let (store, raw): (SqliteStore, _) = (open(&file), Connection::open(&file).unwrap());
    for change in ["call = '{}'", "state = 'maybe'"] {
        let first = id(store.file(&request(change), at(0)).unwrap());
        store.answer(&first, &ApprovalAnswer::grant("alice", Duration::from_secs(60)), at(0)).unwrap();
        raw.execute(&format!("UPDATE filed SET {change} WHERE id = ?1"), [&first]).unwrap();
        assert_eq!(store.find(&first, at(1)).unwrap(), None);
        assert!(store.filed(at(1)).unwrap().iter().all(|record| record.id != first));
        let Filed::New(record) = store.file(&request(change), at(1)).unwrap() else { panic!("{change}") };
        assert_eq!(record.state, ApprovalState::Pending);
    }
}
