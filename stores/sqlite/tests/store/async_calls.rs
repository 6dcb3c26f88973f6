//! The store for callers that must not block.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use callgate::StoreError;
use callgate::store::{
    Algorithm, Answered, ApprovalAnswer, ApprovalRecord, ApprovalRequest, Approvals, AsyncApprovals,
    AsyncStore, Batch, BatchOutcome, CounterId, Filed, FiledCall, Inspect, LiveCounter, ScopeValue,
    Settlement, Store,
};
use callgate::time::Timestamp;
use callgate_sqlite::{AsyncSqliteStore, SqliteOptions, SqliteStore};
use callgate_store_contract::{Counters, Subject, TimeKept, check, check_approvals, check_namespaces};
use rusqlite::Connection;

use crate::charges::{at, counter, is_taken, slot, used};
use crate::scratch::{Scratch, open, options};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

/// Asked without blocking, by callers that wait for the answer all the same.
struct Blocking {
    store: AsyncSqliteStore,
    beside: SqliteStore,
}

impl Store for Blocking {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        block_on(self.store.reserve(batch, now))
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        block_on(self.store.peek(batch, now))
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        block_on(self.store.settle(settlements, now))
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        block_on(self.store.purge(now))
    }
}

impl Inspect for Blocking {
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError> {
        self.beside.each(now, show)
    }

    fn reset(&self, counter: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError> {
        self.beside.reset(counter, scope, now)
    }
}

impl Approvals for Blocking {
    fn file(&self, request: &ApprovalRequest, now: Timestamp) -> Result<Filed, StoreError> {
        block_on(AsyncApprovals::file(&self.store, request, now))
    }

    fn filed(&self, now: Timestamp) -> Result<Vec<ApprovalRecord>, StoreError> {
        self.beside.filed(now)
    }

    fn find(&self, id: &str, now: Timestamp) -> Result<Option<FiledCall>, StoreError> {
        self.beside.find(id, now)
    }

    fn answer(&self, id: &str, answer: &ApprovalAnswer, now: Timestamp) -> Result<Answered, StoreError> {
        self.beside.answer(id, answer, now)
    }
}

struct Files(PathBuf);

impl Subject for Files {
    fn open(&self, name: &str) -> Box<dyn Counters> {
        let file = self.0.join(name);
        let store = AsyncSqliteStore::lazy(&file, &options()).unwrap();
        Box::new(Blocking { store, beside: open(file) })
    }

    fn time_kept(&self) -> TimeKept {
        TimeKept::EachCounter
    }
}

#[test]
fn the_store_that_does_not_block_keeps_the_contract() {
    let scratch = Scratch::new("async-contract");
    check(&Files(scratch.path("")));
}

#[test]
fn namespaces_of_a_file_are_apart() {
    let scratch = Scratch::new("async-namespaces");
    let store = open(scratch.path("counters.db"));
    check_namespaces(&|name| {
        let beside = store.namespaced(name);
        Box::new(Blocking { store: beside.nonblocking(), beside })
    });
}

#[test]
fn calls_that_wait_for_approval_are_filed_without_blocking() {
    let scratch = Scratch::new("async-approvals");
    let store = open(scratch.path("counters.db"));
    check_approvals(&|name| {
        let beside = store.namespaced(name);
        Box::new(Blocking { store: beside.nonblocking(), beside })
    });
}

/// The file is locked until every call was answered: each by its own time-out, and none did anything.
#[test]
fn every_call_is_answered_while_another_process_keeps_the_file() {
    let scratch = Scratch::new("locked");
    let (file, counter) = (scratch.path("counters.db"), counter("c", Algorithm::Fixed));
    let short = SqliteOptions::new().with_timeout(Duration::from_millis(100));
    let blocking = SqliteStore::open(&file, &short).unwrap();
    let unblocking = AsyncSqliteStore::lazy(&file, &short).unwrap();
    let batch = || Batch { slots: [slot(&counter, "a", 1000)].into_iter().collect(), ..Batch::default() };
    assert!(is_taken(&blocking.reserve(&batch(), at(0)).unwrap()));
    assert!(is_taken(&block_on(unblocking.reserve(&batch(), at(0))).unwrap()));

    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let denied = |answer: Result<BatchOutcome, StoreError>| {
        let error = answer.unwrap_err();
        assert!(error.is_transient() && error.is_certainly_undone(), "{error}");
        assert!(error.to_string().contains("busy"), "{error}");
    };
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| denied(blocking.reserve(&batch(), at(0))));
            scope.spawn(|| denied(block_on(unblocking.reserve(&batch(), at(0)))));
        }
    });
    other.execute_batch("COMMIT").unwrap();
    assert!(is_taken(&blocking.reserve(&batch(), at(0)).unwrap()));
    assert!(is_taken(&block_on(unblocking.reserve(&batch(), at(0))).unwrap()));
    assert_eq!(used(&blocking, &counter, "a", 0), 4);
    // What one has charged, the other may give back.
    assert_eq!(Store::id(&blocking), AsyncStore::id(&unblocking));
    assert_ne!(Store::id(&blocking), Store::id(&open(scratch.path("other.db"))));
}

/// A lazy store finds out with its first call, and again with each.
#[test]
fn a_file_that_cannot_be_opened_is_an_error_of_each_call_until_it_can() {
    let scratch = Scratch::new("async-nowhere");
    let (directory, counter) = (scratch.path("later"), counter("c", Algorithm::Fixed));
    let store = AsyncSqliteStore::lazy(directory.join("counters.db"), &options()).unwrap();
    let batch = Batch { slots: [slot(&counter, "a", 9)].into_iter().collect(), ..Batch::default() };
    for _ in 0..2 {
        let error = block_on(store.reserve(&batch, at(0))).unwrap_err();
        assert!(error.is_certainly_undone() && error.to_string().contains("directory"), "{error}");
    }
    std::fs::create_dir(&directory).unwrap();
    assert!(is_taken(&block_on(store.reserve(&batch, at(0))).unwrap()));
}
