//! Many namespaces of one store: their connections, a user who may not use all of them, and closing.

use std::sync::{Arc, Barrier};
use std::thread;

use callgate::store::{AsyncStore as _, Inspect as _, Store};
use callgate::time::Timestamp;
use callgate::{Call, Code, Engine};
use callgate_redis::{AsyncRedisStore, RedisOptions, RedisStore};

use crate::async_calls::{engine as async_engine, runtime};
use crate::calls::{call, engine};
use crate::server::Server;

const TENANTS: usize = 50;
const NOW: Timestamp = Timestamp::MIN;

/// How many connections the server has, without that of the question.
fn clients(server: &Server) -> usize {
    server.ask(&["CLIENT", "LIST"]).lines().filter(|line| !line.contains("cmd=client")).count()
}

fn tenants<T>(namespaced: impl Fn(&str) -> T) -> Vec<T> {
    (0..TENANTS).map(|n| namespaced(&format!("tenant-{n}"))).collect()
}

#[test]
fn fifty_tenants_call_over_one_connection() {
    let server = Server::start();
    let store = server.open();
    assert_eq!(clients(&server), 1);
    let engines = tenants(|name| engine(Arc::new(store.namespaced(name).unwrap()), 2));
    for code in [Code::Allowed, Code::Allowed, Code::LimitExceeded] {
        for engine in &engines {
            assert_eq!(call(engine), code);
        }
    }
    assert_eq!(clients(&server), 1);
}

#[test]
fn threads_of_fifty_tenants_have_as_many_connections_as_there_are_threads() {
    let server = Server::start();
    let store = server.open();
    let engines = tenants(|name| engine(Arc::new(store.namespaced(name).unwrap()), 8));
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                for engine in &engines {
                    assert_eq!([call(engine), call(engine)], [Code::Allowed; 2]);
                }
            });
        }
    });
    assert!(engines.iter().all(|engine| call(engine) == Code::LimitExceeded));
    assert!((1..=4).contains(&clients(&server)), "{}", clients(&server));
}

#[test]
fn fifty_tenants_that_do_not_block_call_over_one_connection() {
    let server = Server::start();
    let (runtime, store) = (runtime(), AsyncRedisStore::lazy(&server.options()).unwrap());
    let allowed = runtime.block_on(async {
        let engines = tenants(|name| Arc::new(async_engine(store.namespaced(name).unwrap())));
        let calls = engines.iter().cycle().take(3 * TENANTS).cloned().map(|engine: Arc<Engine>| {
            tokio::spawn(async move { engine.decide_async(&Call::without_args("t")).await.allowed() })
        });
        let mut allowed = 0;
        for call in calls.collect::<Vec<_>>() {
            allowed += usize::from(call.await.unwrap());
        }
        allowed
    });
    assert_eq!((allowed, clients(&server)), (3 * TENANTS, 1));
}

#[test]
fn counters_are_known_by_server_and_namespace() {
    let server = Server::start();
    let store = server.open();
    let id = |name: &str| Store::id(&store.namespaced(name).unwrap());
    assert_eq!(store.id(), id("callgate"), "the name that a store has by itself");
    assert_eq!(id("a"), Store::id(&store.namespaced("b").unwrap().namespaced("a").unwrap()));
    assert_ne!(id("a"), id("b"));
    let other_face = AsyncRedisStore::lazy(&server.options()).unwrap().namespaced("a").unwrap();
    assert_eq!(id("a"), callgate::store::AsyncStore::id(&other_face));
    assert!(store.namespaced("a}b").is_err() && store.namespaced("").is_err());
}

/// A script that met a missing permission would stop halfway, so each namespace is examined before its first charge.
#[test]
fn a_namespace_that_the_user_may_not_use_is_refused_and_costs_the_others_nothing() {
    let server = Server::start();
    let user = crate::readme::permissions();
    assert_eq!(server.ask(&user.split_whitespace().collect::<Vec<_>>()), "OK");
    let url = format!("redis://callgate:secret@127.0.0.1:{}", server.port());
    let options = RedisOptions::from_url(&url).unwrap().with_namespace("prod");
    let store = RedisStore::open(&options).unwrap();
    let prod = engine(Arc::new(store.namespaced("prod").unwrap()), 9);
    let other = store.namespaced("other").unwrap();
    for _ in 0..3 {
        assert_eq!(call(&prod), Code::Allowed);
        let error = other.purge(NOW).unwrap_err();
        assert!(error.is_certainly_undone() && error.to_string().contains("may not run"), "{error}");
    }
    assert_eq!(clients(&server), 1, "a connection that serves others was closed");
    // The same without blocking.
    let (runtime, store) = (runtime(), AsyncRedisStore::lazy(&options).unwrap());
    let other = store.namespaced("other").unwrap();
    for _ in 0..3 {
        runtime.block_on(store.purge(NOW)).unwrap();
        let error = runtime.block_on(other.purge(NOW)).unwrap_err();
        assert!(error.is_certainly_undone() && error.to_string().contains("may not run"), "{error}");
    }
    assert_eq!(clients(&server), 2);
    // It is examined again once it may.
    server.ask(&["ACL", "SETUSER", "callgate", "~{other}:*"]);
    runtime.block_on(other.purge(NOW)).unwrap();
}

#[test]
fn a_store_that_is_closed_has_no_connection_and_does_nothing() {
    let server = Server::start();
    let (runtime, store) = (runtime(), server.open());
    let unblocking = AsyncRedisStore::lazy(&server.options()).unwrap();
    let (tenant, other_face) =
        (store.namespaced("tenant").unwrap(), unblocking.namespaced("tenant").unwrap());
    tenant.purge(NOW).unwrap();
    runtime.block_on(other_face.purge(NOW)).unwrap();
    assert_eq!(clients(&server), 2);
    store.close();
    unblocking.close();
    let patience = std::time::Instant::now();
    while clients(&server) > 0 {
        assert!(patience.elapsed().as_secs() < 10, "a connection stays open");
    }
    for _ in 0..2 {
        let errors = [
            store.purge(NOW).unwrap_err(),
            tenant.purge(NOW).unwrap_err(),
            tenant.each(NOW, &mut |_| ()).unwrap_err(),
            store.namespaced("another").unwrap().purge(NOW).unwrap_err(),
            runtime.block_on(unblocking.purge(NOW)).unwrap_err(),
            runtime.block_on(other_face.purge(NOW)).unwrap_err(),
        ];
        for error in errors {
            assert!(error.is_certainly_undone() && !error.is_transient(), "{error}");
            assert!(error.to_string().contains("closed"), "{error}");
        }
        store.close();
        unblocking.close();
    }
    assert_eq!(clients(&server), 0);
}
