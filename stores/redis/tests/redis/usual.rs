//! The usual call, run on a server: it takes the short way, which decides as the long one does.

use std::sync::Arc;

use callgate::store::Inspect;
use callgate::time::Timestamp;
use callgate::{Call, Code, Decision, Engine, Policy};
use callgate_redis::{RedisOptions, RedisStore};

use crate::server::Server;

/// An engine for a tool with so many limits of one size.
pub(crate) fn engine(server: &Server, counters: usize, window: &str, max: u32) -> Engine {
    let limits: String =
        (0..counters).map(|n| format!("{{counter: c{n}, window: {window}, max: {max}}}, ")).collect();
    let policy = format!("version: \"1\"\ndefault: deny\ntools: {{t: {{limits: [{limits}]}}}}");
    let store = Arc::new(server.open());
    Engine::builder(Policy::from_yaml(&policy).unwrap()).store(store).build()
}

/// The usual call takes the short way, with one counter and with several: it asks for little, and says little.
#[test]
fn the_usual_call_asks_the_server_for_little() {
    let server = Server::start();
    for counters in [1, 3] {
        let engine = engine(&server, counters, "366d", 100);
        let call = Call::without_args("t");
        // The first one begins the windows.
        assert!(engine.decide(&call).allowed());
        server.ask(&["CONFIG", "RESETSTAT"]);
        let before = server.read();
        for _ in 0..10 {
            assert!(engine.decide(&call).allowed());
        }
        let counters = u64::try_from(counters).unwrap();
        let bytes = server.read() - before;
        assert!(bytes < 10 * (260 + 420 * counters) + 100, "{bytes} bytes for {counters}");
        let expected =
            [("incrby", 10 * counters), ("evalsha", 10), ("time", 0), ("get", 0), ("set", 0), ("decrby", 0)];
        for (command, expected) in expected {
            assert_eq!(server.calls(command), expected, "{command}");
        }
    }
}

/// A process that comes later need not begin the windows.
#[test]
fn who_comes_later_takes_the_short_way_at_once() {
    let server = Server::start();
    for counters in [1, 3] {
        assert!(engine(&server, counters, "366d", 100).decide(&Call::without_args("t")).allowed());
        let engine = engine(&server, counters, "366d", 100);
        server.ask(&["CONFIG", "RESETSTAT"]);
        for _ in 0..2 {
            assert!(engine.decide(&Call::without_args("t")).allowed());
        }
        assert_eq!((server.calls("get"), server.calls("set")), (0, 0));
    }
}

/// A window that is gone begins again, and one that was reset is counted another way: by the same question.
#[test]
fn a_window_that_is_gone_begins_again_by_one_question() {
    let server = Server::start();
    let store = Arc::new(server.open());
    let policy = "version: \"1\"\ndefault: deny\ntools: {\
                  one: {limits: [{counter: a, window: 366d, max: 5}]}, \
                  two: {limits: [{counter: b, window: 366d, max: 9}, {counter: c, window: 366d, max: 5}]}}";
    let policy = Policy::from_yaml(policy).unwrap();
    let engine = Engine::builder(policy).store(store.clone()).build();
    for tool in ["one", "two"] {
        let asks = |expected: &[u64]| {
            for expected in expected {
                server.ask(&["CONFIG", "RESETSTAT"]);
                assert!(engine.decide(&Call::without_args(tool)).allowed());
                assert_eq!(server.calls("evalsha"), *expected, "{tool}");
            }
        };
        for _ in 0..2 {
            assert!(engine.decide(&Call::without_args(tool)).allowed());
        }
        asks(&[1]);
        server.ask(&["FLUSHALL"]);
        asks(&[1; 3]);
        let keys = server.ask(&["KEYS", "*:f:*"]);
        for key in keys.lines() {
            assert_eq!(server.ask(&["GET", key]), "3000000");
            assert_ne!(server.ask(&["PTTL", key]), "-1");
        }
        // One is gone, and the others must not keep what was charged before that was found out.
        let gone = keys.lines().last().unwrap();
        server.ask(&["DEL", gone]);
        asks(&[1; 2]);
        for key in keys.lines() {
            assert_eq!(server.ask(&["GET", key]), if key == gone { "2000000" } else { "5000000" });
        }
        let mut held = Vec::new();
        Inspect::each(&*store, Timestamp::MIN, &mut |counter| held.push(counter)).unwrap();
        for counter in held {
            let reset = Inspect::reset(&*store, counter.counter.id(), &counter.scope, Timestamp::MIN);
            assert!(reset.unwrap());
        }
        // What was reset is stored as three numbers.
        asks(&[1; 5]);
        assert!(!engine.decide(&Call::without_args(tool)).allowed());
        server.ask(&["FLUSHALL"]);
    }
}

/// Charges of other amounts than one are counted exactly by either way, and so is what only the long way can count.
#[test]
fn the_short_way_charges_any_amount() {
    let server = Server::start();
    let policy = "version: \"1\"\ndefault: deny\ntools: {\
                  tenths: {limits: [{counter: a, window: 366d, max: 0.7, increment: 0.1}]}, \
                  edge: {limits: [{counter: b, window: 366d, max: 9}, \
                                  {counter: c, window: 366d, max: 9007199254, increment: 1286742750}]}, \
                  beyond: {limits: [{counter: d, window: 366d, max: 18014398509, increment: 2500000000}]}, \
                  beyond2: {limits: [{counter: e, window: 366d, max: 9}, \
                                     {counter: f, window: 366d, max: 18014398509, increment: 2500000000}]}}";
    let store = Arc::new(server.open());
    let policy = Policy::from_yaml(policy).unwrap();
    let engine = Engine::builder(policy).store(store).build();
    for tool in ["tenths", "edge", "beyond", "beyond2"] {
        let call = Call::without_args(tool);
        let codes: Vec<_> = (0..9).map(|_| engine.decide(&call).code()).collect();
        assert_eq!(codes, [[Code::Allowed; 7].as_slice(), &[Code::LimitExceeded; 2]].concat(), "{tool}");
        server.ask(&["CONFIG", "RESETSTAT"]);
        assert!(!engine.decide(&call).allowed());
        assert_eq!(server.calls("evalsha"), 1, "{tool}");
    }
}

/// The short way leaves what it cannot do as it was.
#[test]
fn the_short_way_undoes_what_does_not_fit() {
    let server = Server::start();
    let policy = "version: \"1\"\ndefault: deny\ntools: {\
                  one: {limits: [{counter: a, window: 366d, max: 3}]}, \
                  two: {limits: [{counter: b, window: 366d, max: 9}, {counter: c, window: 366d, max: 3}]}}";
    let store = Arc::new(server.open());
    let policy = Policy::from_yaml(policy).unwrap();
    let engine = Engine::builder(policy).store(store).build();
    for tool in ["one", "two"] {
        let call = Call::without_args(tool);
        let allowed = (0..6).filter(|_| engine.decide(&call).allowed()).count();
        assert_eq!(allowed, 3, "{tool}");
    }
    let keys = server.ask(&["KEYS", "*:f:*"]);
    assert_eq!(keys.lines().count(), 3, "{keys}");
    for key in keys.lines() {
        assert_eq!(server.ask(&["GET", key]), "3000000");
        assert_ne!(server.ask(&["PTTL", key]), "-1");
        // Amounts that only three numbers hold, as a policy with higher maxima may leave them.
        let start: f64 = key.split(':').nth(4).unwrap().parse().unwrap();
        let parts = [start, 9_007_199.0, 254_740_993.0].map(f64::to_be_bytes).concat();
        let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        let () = redis::cmd("SET").arg(key).arg(&parts).arg("KEEPTTL").query(&mut connection).unwrap();
        for tool in ["one", "two"] {
            assert!(!engine.decide(&Call::without_args(tool)).allowed());
        }
        let after: Vec<u8> = redis::cmd("GET").arg(key).query(&mut connection).unwrap();
        assert_eq!(after, parts);
    }
}

/// A refusal by the short way says what the long one says, which is how it is explained; in one question, too.
#[test]
fn the_short_way_refuses_as_the_long_one_does() {
    let server = Server::start();
    for counters in [1, 3] {
        let call = Call::without_args("t");
        let engine_of_others = engine(&server, counters, "366d", 3);
        for _ in 0..3 {
            assert!(engine_of_others.decide(&call).allowed());
        }
        // One began the windows, the other one finds them.
        let fresh = engine(&server, counters, "366d", 3);
        for engine in [&engine_of_others, &fresh, &fresh] {
            server.ask(&["CONFIG", "RESETSTAT"]);
            let refused = engine.decide(&call);
            assert_eq!((server.calls("evalsha"), server.calls("get")), (1, 0), "by the short way");
            let counted = u64::try_from(counters).unwrap();
            assert_eq!((server.calls("incrby"), server.calls("decrby")), (counted, counted));
            let explained = engine.explain(&call).decision;
            assert_eq!(server.calls("get"), counted, "by the long way");
            assert_eq!(refused.code(), Code::LimitExceeded);
            let seen = |decision: &Decision<'_>| -> Vec<_> {
                let all = decision.counters();
                all.map(|counter| (counter.used(), counter.resets_at(), counter.charged())).collect()
            };
            assert_eq!(seen(&refused), seen(&explained));
            // A second may end between the two.
            let [short, long] = [&refused, &explained].map(|decision| decision.retry_after().unwrap());
            assert!(short == long || short == long + 1, "{short} and {long}");
        }
        server.ask(&["FLUSHALL"]);
    }
}

/// A counter that was given back is like one that was never charged, still ends, and needs no second question.
#[test]
fn what_was_given_back_leaves_no_key_that_stays() {
    let server = Server::start();
    for counters in [1, 2] {
        let engine = engine(&server, counters, "366d", 3);
        let call = Call::without_args("t");
        let charge_and_release = || {
            let decision = engine.decide(&call);
            assert!(decision.allowed());
            engine.finish(&mut decision.take_reservation().unwrap(), callgate::Outcome::NotRun).unwrap();
        };
        (0..2).for_each(|_| charge_and_release());
        server.ask(&["CONFIG", "RESETSTAT"]);
        (0..5).for_each(|_| charge_and_release());
        // What is given back begins with one of a key that is not there.
        assert_eq!((server.calls("evalsha"), server.calls("del")), (10, 5));
        assert!(engine.decide(&call).allowed());
        for key in server.ask(&["KEYS", "*:f:*"]).lines() {
            assert_eq!(server.ask(&["GET", key]), "1000000");
            assert_ne!(server.ask(&["PTTL", key]), "-1");
        }
        server.ask(&["FLUSHALL"]);
    }
}

/// A user who may no longer ask how long a key lives pays for it with the long way, not with a key that stays.
#[test]
fn without_the_permission_for_the_life_of_a_key_nothing_stays() {
    let server = Server::start();
    let user = crate::readme::permissions();
    assert_eq!(server.ask(&user.split_whitespace().collect::<Vec<_>>()), "OK");
    let url = format!("redis://callgate:secret@127.0.0.1:{}", server.port());
    let options = RedisOptions::from_url(&url).unwrap().with_namespace("prod");
    let store = Arc::new(RedisStore::open(&options).unwrap());
    server.ask(&["ACL", "SETUSER", "callgate", "-pttl"]);
    let engine = crate::calls::engine(store, 3);
    for _ in 0..3 {
        let decision = engine.decide(&Call::without_args("t"));
        engine.finish(&mut decision.take_reservation().unwrap(), callgate::Outcome::NotRun).unwrap();
        let key = server.ask(&["KEYS", "*:f:*"]);
        assert_eq!(server.ask(&["GET", &key]), "0");
        assert_ne!(server.ask(&["PTTL", &key]), "-1");
    }
}

/// Callers with connections of their own are what processes are to a server: the short way lets exactly as many through.
#[test]
fn the_short_way_keeps_the_limit_under_contention() {
    let server = Server::start();
    for counters in [1, 2] {
        let allowed: usize = std::thread::scope(|scope| {
            let caller = || {
                let engine = engine(&server, counters, "366d", 1_000);
                (0..300).filter(|_| engine.decide(&Call::without_args("t")).allowed()).count()
            };
            let callers: Vec<_> = (0..8).map(|_| scope.spawn(caller)).collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).sum()
        });
        assert_eq!(allowed, 1_000);
        server.ask(&["FLUSHALL"]);
    }
    assert!(server.calls("incrby") > 4_000);
}
