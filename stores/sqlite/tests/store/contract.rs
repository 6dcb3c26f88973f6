//! The store keeps the contract, in one process and in several.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use callgate::StoreError;
use callgate::store::{Batch, BatchOutcome, CounterId, Inspect, LiveCounter, ScopeValue, Settlement, Store};
use callgate::time::Timestamp;
use callgate_sqlite::SqliteStore;
use callgate_store_contract::{
    Counters, Subject, TimeKept, check, check_approvals, check_namespaces, check_processes,
};

use crate::scratch::{Scratch, open, root};

/// A file for each name, in one directory.
struct Files(PathBuf);

impl Subject for Files {
    fn open(&self, name: &str) -> Box<dyn Counters> {
        Box::new(open(self.0.join(name)))
    }

    fn time_kept(&self) -> TimeKept {
        TimeKept::EachCounter
    }
}

#[test]
fn the_store_keeps_the_contract() {
    let scratch = Scratch::new("contract");
    check(&Files(scratch.path("")));
}

#[test]
fn namespaces_of_a_file_are_apart() {
    let scratch = Scratch::new("contract-namespaces");
    let store = open(scratch.path("counters.db"));
    check_namespaces(&|name| Box::new(store.namespaced(name)));
}

/// Each handle is of one of two connections, so that a clause asks both in turn.
#[test]
fn calls_that_wait_for_approval_are_filed_in_a_file() {
    let scratch = Scratch::new("contract-approvals");
    let stores = [open(scratch.path("counters.db")), open(scratch.path("counters.db"))];
    let next = AtomicUsize::new(0);
    check_approvals(&|name| Box::new(stores[next.fetch_add(1, Ordering::Relaxed) % 2].namespaced(name)));
}

/// Two connections to one file, two calls each in turn: what one knows holds at its second call, and may not at the next.
struct InTurn {
    stores: [SqliteStore; 2],
    calls: AtomicUsize,
}

impl InTurn {
    fn next(&self) -> &SqliteStore {
        &self.stores[self.calls.fetch_add(1, Ordering::Relaxed) / 2 % 2]
    }
}

impl Store for InTurn {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.next().reserve(batch, now)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.next().peek(batch, now)
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.next().settle(settlements, now)
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.next().purge(now)
    }
}

impl Inspect for InTurn {
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError> {
        self.next().each(now, show)
    }

    fn reset(&self, counter: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError> {
        self.next().reset(counter, scope, now)
    }
}

struct FilesInTurn(PathBuf);

impl Subject for FilesInTurn {
    fn open(&self, name: &str) -> Box<dyn Counters> {
        let stores = [open(self.0.join(name)), open(self.0.join(name))];
        Box::new(InTurn { stores, calls: AtomicUsize::new(0) })
    }

    fn time_kept(&self) -> TimeKept {
        TimeKept::EachCounter
    }
}

#[test]
fn two_connections_in_turn_keep_the_contract() {
    let scratch = Scratch::new("contract-in-turn");
    check(&FilesInTurn(scratch.path("")));
}

#[test]
fn processes_share_a_file() {
    // Every process runs this, so they meet in a directory that all know.
    let directory = root().join("callgate-processes");
    fs::create_dir_all(&directory).unwrap();
    check_processes(&Files(directory.clone()), "contract::processes_share_a_file");
    // The names hold the number of the process that started the others.
    let own = format!("contract-{}-", std::process::id());
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&own)) {
            fs::remove_file(path).unwrap();
        }
    }
}
