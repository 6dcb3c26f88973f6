//! The store that does not block: the same contract, and the same faults.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate::store::{
    Answered, ApprovalAnswer, ApprovalRecord, ApprovalRequest, Approvals, AsyncApprovals as _,
    AsyncStore as _, Batch, BatchOutcome, CounterId, Counters, Filed, FiledCall, Inspect, LiveCounter,
    ScopeValue, Settlement, Store,
};
use callgate::time::Timestamp;
use callgate::{Call, Code, Engine, StoreError};
use callgate_redis::{AsyncRedisStore, RedisOptions, RedisStore};
use callgate_store_contract::{Subject, TimeKept, check, check_approvals, check_namespaces};
use tokio::runtime::{Builder, Runtime};

use crate::calls::TIMEOUT;
use crate::server::Server;

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Waits for each call, so that the contract can be tested; lists and resets by the store that blocks.
struct Waiting {
    runtime: Arc<Runtime>,
    store: AsyncRedisStore,
    inspected: RedisStore,
}

impl Store for Waiting {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.runtime.block_on(self.store.reserve(batch, now))
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.runtime.block_on(self.store.peek(batch, now))
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.runtime.block_on(self.store.settle(settlements, now))
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.runtime.block_on(self.store.purge(now))
    }
}

impl Inspect for Waiting {
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError> {
        self.inspected.each(now, show)
    }

    fn reset(&self, counter: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError> {
        self.inspected.reset(counter, scope, now)
    }
}

impl Approvals for Waiting {
    fn file(&self, request: &ApprovalRequest, now: Timestamp) -> Result<Filed, StoreError> {
        self.runtime.block_on(self.store.file(request, now))
    }

    fn filed(&self, now: Timestamp) -> Result<Vec<ApprovalRecord>, StoreError> {
        self.inspected.filed(now)
    }

    fn find(&self, id: &str, now: Timestamp) -> Result<Option<FiledCall>, StoreError> {
        self.inspected.find(id, now)
    }

    fn answer(&self, id: &str, answer: &ApprovalAnswer, now: Timestamp) -> Result<Answered, StoreError> {
        self.inspected.answer(id, answer, now)
    }
}

struct AsyncRedis {
    runtime: Arc<Runtime>,
    options: RedisOptions,
}

impl Subject for AsyncRedis {
    fn open(&self, name: &str) -> Box<dyn Counters> {
        let options = self.options.clone().with_namespace(name).with_callers_time();
        let store = self.runtime.block_on(AsyncRedisStore::open(&options)).unwrap();
        Box::new(Waiting {
            runtime: self.runtime.clone(),
            store,
            inspected: RedisStore::open(&options).unwrap(),
        })
    }

    fn time_kept(&self) -> TimeKept {
        TimeKept::Store
    }
}

#[test]
fn it_keeps_the_contract() {
    let server = Server::start();
    check(&AsyncRedis { runtime: Arc::new(runtime()), options: server.options() });
}

#[test]
fn namespaces_over_one_connection_are_apart() {
    let (server, runtime) = (Server::start(), Arc::new(runtime()));
    let options = server.options().with_callers_time();
    let store = AsyncRedisStore::lazy(&options).unwrap();
    let inspected = RedisStore::open(&options).unwrap();
    check_namespaces(&|name| {
        let (store, inspected) = (store.namespaced(name).unwrap(), inspected.namespaced(name).unwrap());
        Box::new(Waiting { runtime: runtime.clone(), store, inspected })
    });
}

#[test]
fn calls_that_wait_for_approval_are_filed_without_blocking() {
    let (server, runtime) = (Server::start(), Arc::new(runtime()));
    let options = server.options().with_callers_time();
    let store = AsyncRedisStore::lazy(&options).unwrap();
    let inspected = RedisStore::open(&options).unwrap();
    check_approvals(&|name| {
        let (store, inspected) = (store.namespaced(name).unwrap(), inspected.namespaced(name).unwrap());
        Box::new(Waiting { runtime: runtime.clone(), store, inspected })
    });
}

pub(crate) fn engine(store: AsyncRedisStore) -> Engine {
    let policy = "version: \"1\"\ndefault: deny\ntools: {t: {limits: [{counter: c, window: 366d, max: 50}]}}";
    Engine::builder(callgate::Policy::from_yaml(policy).unwrap()).async_store(Arc::new(store)).build()
}

async fn call(engine: &Engine) -> Code {
    let begun = Instant::now();
    let code = engine.decide_async(&Call::without_args("t")).await.code();
    assert!(begun.elapsed() < TIMEOUT + Duration::from_millis(1_500), "a call waited {:?}", begun.elapsed());
    code
}

async fn recovers(engine: &Engine) -> Code {
    let patience = Instant::now();
    loop {
        let code = call(engine).await;
        if code != Code::StoreUnavailable {
            return code;
        }
        assert!(patience.elapsed() < Duration::from_secs(25), "the service does not resume");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn faults_deny_in_time_and_service_resumes() {
    let mut server = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let engine = engine(AsyncRedisStore::lazy(&server.options().with_timeout(TIMEOUT)).unwrap());
    runtime().block_on(async {
        assert_eq!(call(&engine).await, Code::Allowed);
        server.kill();
        assert_eq!(call(&engine).await, Code::StoreUnavailable);
        server.resume_service();
        assert_eq!(recovers(&engine).await, Code::Allowed);
        server.signal("STOP");
        assert_eq!(call(&engine).await, Code::StoreUnavailable);
        server.signal("CONT");
        assert_eq!(recovers(&engine).await, Code::Allowed);
        server.ask(&["SCRIPT", "FLUSH"]);
        assert_eq!(call(&engine).await, Code::Allowed);
    });
}

/// What a server is examined for, and that it is examined again, is the same for either store.
#[test]
fn a_server_that_will_not_do_is_noticed() {
    let server = Server::with(&["--save", "", "--maxmemory", "100mb", "--maxmemory-policy", "noeviction"]);
    let user = format!("{} -hset", crate::readme::permissions());
    assert_eq!(server.ask(&user.split_whitespace().collect::<Vec<_>>()), "OK");
    let url = format!("redis://callgate:secret@127.0.0.1:{}", server.port());
    let weak = RedisOptions::from_url(&url).unwrap().with_namespace("prod");
    let engine = engine(AsyncRedisStore::lazy(&server.options().with_timeout(TIMEOUT)).unwrap());
    runtime().block_on(async {
        let error = AsyncRedisStore::open(&weak).await.unwrap_err();
        assert!(!error.is_transient() && error.to_string().contains("(HSET)"), "{error}");
        assert_eq!(call(&engine).await, Code::Allowed);
        server.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
        let patience = Instant::now();
        while call(&engine).await != Code::StoreUnavailable {
            assert!(patience.elapsed() < Duration::from_secs(25), "it goes on charging");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        server.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        assert_ne!(call(&engine).await, Code::StoreUnavailable);
    });
}

/// One thread has a hundred calls under way at once, and exactly as many pass as may.
#[test]
fn one_thread_waits_for_many_calls() {
    let server = Server::start();
    let store = AsyncRedisStore::lazy(&server.options().with_timeout(Duration::from_secs(5))).unwrap();
    let (engine, runtime) =
        (Arc::new(engine(store)), Builder::new_current_thread().enable_all().build().unwrap());
    let allowed = runtime.block_on(async {
        let calls: Vec<_> = (0..100)
            .map(|_| {
                let engine = engine.clone();
                tokio::spawn(async move { engine.decide_async(&Call::without_args("t")).await.allowed() })
            })
            .collect();
        let mut allowed = 0;
        for call in calls {
            allowed += usize::from(call.await.unwrap());
        }
        allowed
    });
    assert_eq!(allowed, 50);
}
