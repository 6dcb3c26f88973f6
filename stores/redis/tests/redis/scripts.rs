//! The arithmetic of the scripts, run on the server by itself: doubles must not show.

use redis::Connection;

use crate::server::Server;

const BASE: i64 = 1_000_000_000;

/// Runs `body` after the shared part of the scripts, with numbers as arguments; its result is numbers, too.
fn run(connection: &mut Connection, body: &str, numbers: &[i64]) -> Vec<i64> {
    let shared = concat!(include_str!("../../src/lua/amount.lua"), include_str!("../../src/lua/counter.lua"));
    let script = redis::Script::new(&format!(
        "{shared} local n = {{}} for i, text in ipairs(ARGV) do n[i] = tonumber(text) end {body}"
    ));
    let mut call = script.prepare_invoke();
    numbers.iter().for_each(|number| {
        call.arg(number);
    });
    call.invoke(connection).unwrap()
}

fn connect(server: &Server) -> Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

/// Numbers near every edge of the range, and between.
fn amounts() -> Vec<i64> {
    let edges = [0, 1, BASE, 1 << 32, 1 << 53, 999_999_999 * BASE, i64::MAX / 2, i64::MAX];
    let mut amounts: Vec<i64> =
        edges.iter().flat_map(|edge: &i64| (-2..=2).filter_map(|by| edge.checked_add(by))).collect();
    amounts.retain(|amount| *amount >= 0);
    amounts
}

#[test]
fn amounts_are_exact() {
    let server = Server::start();
    let mut connection = connect(&server);
    let body = "local hi, lo = add(n[1], n[2], n[3], n[4]) local down_hi, down_lo = subtract(n[1], n[2], n[3], n[4]) \
                return {hi, lo, down_hi, down_lo, at_most(n[1], n[2], n[3], n[4]) and 1 or 0}";
    for one in amounts() {
        for other in amounts() {
            let limbs = [one / BASE, one % BASE, other / BASE, other % BASE];
            let results = run(&mut connection, body, &limbs);
            let sum = i128::from(one) + i128::from(other);
            let base = i128::from(BASE);
            let left = one.saturating_sub(other).max(0);
            let expected = [
                i64::try_from(sum / base).unwrap(),
                i64::try_from(sum % base).unwrap(),
                left / BASE,
                left % BASE,
                i64::from(one <= other),
            ];
            assert_eq!(results, expected, "{one} and {other}");
        }
    }
}

/// Whatever a policy forgets, its keys end: with their windows, or a minute after what slides.
#[test]
fn every_key_ends() {
    let server = Server::start();
    let store = server.open();
    let policy = "version: \"1\"\ndefault: deny\ntools: {t: {rules: [{action: require_approval}], limits: [\
                  {counter: f, window: minute, max: 9}, {counter: s, window: 60, max: 9, algorithm: sliding}]}}";
    let policy = callgate::Policy::from_yaml(policy).unwrap();
    let engine = callgate::Engine::builder(policy).store(std::sync::Arc::new(store)).build();
    let call = callgate::Call::without_args("t");
    let key = engine.decide(&call).approval_key().unwrap().to_string();
    for id in ["one", "two"] {
        let approved = callgate::Call::without_args("t").approved(callgate::Approval::new(&key, id));
        assert!(engine.decide(&approved).allowed());
    }
    let keys = server.ask(&["KEYS", "*"]);
    assert_eq!(keys.lines().count(), 5, "{keys}");
    for key in keys.lines() {
        assert!(key.starts_with("{callgate}:2:"), "{key}");
        let life: i64 = server.ask(&["PTTL", key]).parse().unwrap();
        let most = match key {
            _ if key.contains(":f:") => 60_000,
            _ if key.contains(":s:") => 120_000,
            _ => 800 * 86_400_000,
        };
        assert!(0 < life && life <= most, "{key} lives for {life} ms");
    }
}

fn calls(server: &Server, command: &str) -> u64 {
    let info = server.ask(&["INFO", "commandstats"]);
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

/// What the server has read of its clients.
fn read(server: &Server) -> u64 {
    let info = server.ask(&["INFO", "stats"]);
    let line = info.lines().find_map(|line| line.strip_prefix("total_net_input_bytes:")).unwrap();
    line.trim().parse().unwrap()
}

/// The usual call takes the short way, with one counter and with several: it asks for little, and says little.
#[test]
fn the_usual_call_asks_the_server_for_little() {
    let server = Server::start();
    for counters in [1, 3] {
        let engine = engine(&server, counters, "366d", 100);
        let call = callgate::Call::without_args("t");
        // The first one begins the windows, the second one loads the short script.
        for _ in 0..2 {
            assert!(engine.decide(&call).allowed());
        }
        server.ask(&["CONFIG", "RESETSTAT"]);
        let before = read(&server);
        for _ in 0..10 {
            assert!(engine.decide(&call).allowed());
        }
        let counters = u64::try_from(counters).unwrap();
        // A key has 62 bytes, what calls the script 70; asking for the statistics takes some, too.
        let bytes = read(&server) - before;
        assert!(bytes < 10 * (80 + 95 * counters) + 100, "{bytes} bytes for {counters}");
        let expected =
            [("incrby", 10 * counters), ("evalsha", 10), ("time", 0), ("get", 0), ("set", 0), ("decrby", 0)];
        for (command, expected) in expected {
            assert_eq!(calls(&server, command), expected, "{command}");
        }
    }
}

/// A process that comes later need not begin the windows, and has not to be told twice that they have begun.
#[test]
fn who_comes_later_takes_the_short_way_at_once() {
    let server = Server::start();
    for counters in [1, 3] {
        assert!(engine(&server, counters, "366d", 100).decide(&callgate::Call::without_args("t")).allowed());
        server.ask(&["CONFIG", "RESETSTAT"]);
        let engine = engine(&server, counters, "366d", 100);
        for _ in 0..2 {
            assert!(engine.decide(&callgate::Call::without_args("t")).allowed());
        }
        assert_eq!((calls(&server, "get"), calls(&server, "set")), (0, 0));
    }
}

/// What the caller thinks to have begun, and is gone or another, costs one more question, once.
#[test]
fn a_window_that_is_gone_is_asked_for_again() {
    let server = Server::start();
    let store = std::sync::Arc::new(server.open());
    let policy = "version: \"1\"\ndefault: deny\ntools: {\
                  one: {limits: [{counter: a, window: 366d, max: 5}]}, \
                  two: {limits: [{counter: b, window: 366d, max: 9}, {counter: c, window: 366d, max: 5}]}}";
    let policy = callgate::Policy::from_yaml(policy).unwrap();
    let engine = callgate::Engine::builder(policy).store(store.clone()).build();
    for tool in ["one", "two"] {
        let asks = |expected: &[u64]| {
            for expected in expected {
                server.ask(&["CONFIG", "RESETSTAT"]);
                assert!(engine.decide(&callgate::Call::without_args(tool)).allowed());
                assert_eq!(calls(&server, "evalsha"), *expected, "{tool}");
            }
        };
        for _ in 0..2 {
            assert!(engine.decide(&callgate::Call::without_args(tool)).allowed());
        }
        asks(&[1]);
        server.ask(&["FLUSHALL"]);
        asks(&[2, 1, 1]);
        let keys = server.ask(&["KEYS", "*:f:*"]);
        for key in keys.lines() {
            assert_eq!(server.ask(&["GET", key]), "3000000");
            assert_ne!(server.ask(&["PTTL", key]), "-1");
        }
        // The last one is gone, and the first one must not keep the charge.
        server.ask(&["DEL", keys.lines().max_by_key(|key| key.len()).unwrap()]);
        asks(&[2, 1]);
        let mut held = Vec::new();
        callgate::Inspect::each(&*store, callgate::Timestamp::MIN, &mut |counter| held.push(counter))
            .unwrap();
        for counter in held {
            let reset = callgate::Inspect::reset(
                &*store,
                counter.counter.id(),
                &counter.scope,
                callgate::Timestamp::MIN,
            );
            assert!(reset.unwrap());
        }
        // What was reset is stored as three numbers, which the long way takes without asking the short one.
        asks(&[2, 1, 1, 1, 1]);
        assert!(!engine.decide(&callgate::Call::without_args(tool)).allowed());
        server.ask(&["FLUSHALL"]);
    }
}

/// Charges of other amounts than one are counted exactly by either way.
#[test]
fn the_short_way_charges_any_amount() {
    let server = Server::start();
    let policy = "version: \"1\"\ndefault: deny\ntools: {\
                  one: {limits: [{counter: a, window: 366d, max: 0.7, increment: 0.1}]}, \
                  two: {limits: [{counter: b, window: 366d, max: 9}, \
                                 {counter: c, window: 366d, max: 9007199254, increment: 1286742750}]}}";
    let store = std::sync::Arc::new(server.open());
    let policy = callgate::Policy::from_yaml(policy).unwrap();
    let engine = callgate::Engine::builder(policy).store(store).build();
    for tool in ["one", "two"] {
        let call = callgate::Call::without_args(tool);
        let allowed = (0..9).filter(|_| engine.decide(&call).allowed()).count();
        assert_eq!(allowed, 7, "{tool}");
        server.ask(&["CONFIG", "RESETSTAT"]);
        assert!(!engine.decide(&call).allowed());
        assert_eq!(calls(&server, "evalsha"), 1);
    }
}

/// The short way leaves what it cannot do as it was.
#[test]
fn the_short_way_undoes_what_does_not_fit() {
    let server = Server::start();
    let policy = "version: \"1\"\ndefault: deny\ntools: {\
                  one: {limits: [{counter: a, window: 366d, max: 3}]}, \
                  two: {limits: [{counter: b, window: 366d, max: 9}, {counter: c, window: 366d, max: 3}]}}";
    let store = std::sync::Arc::new(server.open());
    let policy = callgate::Policy::from_yaml(policy).unwrap();
    let engine = callgate::Engine::builder(policy).store(store).build();
    for tool in ["one", "two"] {
        let call = callgate::Call::without_args(tool);
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
        let mut connection = connect(&server);
        let () = redis::cmd("SET").arg(key).arg(&parts).arg("KEEPTTL").query(&mut connection).unwrap();
        for tool in ["one", "two"] {
            assert!(!engine.decide(&callgate::Call::without_args(tool)).allowed());
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
        let call = callgate::Call::without_args("t");
        let engine_of_others = engine(&server, counters, "366d", 3);
        for _ in 0..3 {
            assert!(engine_of_others.decide(&call).allowed());
        }
        // One knows that the windows have begun, the other one does not, and then it does.
        let fresh = engine(&server, counters, "366d", 3);
        for engine in [&engine_of_others, &fresh, &fresh] {
            server.ask(&["CONFIG", "RESETSTAT"]);
            let refused = engine.decide(&call);
            assert_eq!((calls(&server, "evalsha"), calls(&server, "get")), (1, 0), "by the short way");
            let counted = u64::try_from(counters).unwrap();
            assert_eq!((calls(&server, "incrby"), calls(&server, "decrby")), (counted, counted));
            let explained = engine.explain(&call).decision;
            assert_eq!(calls(&server, "get"), counted, "by the long way");
            assert_eq!(refused.code(), callgate::Code::LimitExceeded);
            let seen = |decision: &callgate::Decision<'_>| -> Vec<_> {
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
        let call = callgate::Call::without_args("t");
        let charge_and_release = || {
            let mut decision = engine.decide(&call);
            assert!(decision.allowed());
            engine.release(decision.take_reservation().unwrap()).unwrap();
        };
        (0..2).for_each(|_| charge_and_release());
        server.ask(&["CONFIG", "RESETSTAT"]);
        (0..5).for_each(|_| charge_and_release());
        assert_eq!((calls(&server, "evalsha"), calls(&server, "del")), (10, 0));
        assert!(engine.decide(&call).allowed());
        for key in server.ask(&["KEYS", "*:f:*"]).lines() {
            assert_eq!(server.ask(&["GET", key]), "1000000");
            assert_ne!(server.ask(&["PTTL", key]), "-1");
        }
        server.ask(&["FLUSHALL"]);
    }
}

/// A user who may not ask how long a key lives pays for it with the long way, not with a key that stays.
#[test]
fn without_the_permission_for_the_life_of_a_key_nothing_stays() {
    let server = Server::start();
    let user = format!("{} -pttl", crate::readme::permissions());
    assert_eq!(server.ask(&user.split_whitespace().collect::<Vec<_>>()), "OK");
    let url = format!("redis://callgate:secret@127.0.0.1:{}", server.port());
    let options = callgate_redis::RedisOptions::from_url(&url).unwrap().with_namespace("prod");
    let store = std::sync::Arc::new(callgate_redis::RedisStore::open(&options).unwrap());
    let engine = crate::calls::engine(store, 3);
    for _ in 0..3 {
        let mut decision = engine.decide(&callgate::Call::without_args("t"));
        engine.release(decision.take_reservation().unwrap()).unwrap();
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
                (0..300).filter(|_| engine.decide(&callgate::Call::without_args("t")).allowed()).count()
            };
            let callers: Vec<_> = (0..8).map(|_| scope.spawn(caller)).collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).sum()
        });
        assert_eq!(allowed, 1_000);
        server.ask(&["FLUSHALL"]);
    }
    assert!(calls(&server, "incrby") > 4_000);
}

/// The server's time counts; a caller whose clock is wrong asks twice, once.
#[test]
fn a_wrong_clock_costs_one_more_question() {
    let server = Server::start();
    // The server knows both scripts.
    let knowing = engine(&server, 1, "366d", 3);
    for _ in 0..3 {
        assert!(knowing.decide(&callgate::Call::without_args("t")).allowed());
    }
    for hours in [-50_000_i64, -1, 0, 1, 50_000] {
        let clock = callgate::ManualClock::new(
            callgate::Clock::now(&callgate::SystemClock).plus_millis(hours * 3_600_000),
        );
        let policy = format!(
            "version: \"1\"\ndefault: deny\ntools: {{t: {{limits: [{{counter: \"c{hours}\", window: hour, max: 4}}]}}}}"
        );
        let policy = callgate::Policy::from_yaml(&policy).unwrap();
        let store = std::sync::Arc::new(server.open());
        let engine = callgate::Engine::builder(policy).store(store).clock(std::sync::Arc::new(clock)).build();
        let call = callgate::Call::without_args("t");
        server.ask(&["CONFIG", "RESETSTAT"]);
        let mut reservations = Vec::new();
        for _ in 0..4 {
            reservations.extend(engine.decide(&call).take_reservation());
        }
        assert_eq!(reservations.len(), 4);
        assert!(!engine.decide(&call).allowed());
        // The end of an hour may fall into this.
        assert!((5..=7).contains(&calls(&server, "evalsha")), "{hours}: {}", calls(&server, "evalsha"));
        for reservation in reservations {
            engine.release(reservation).unwrap();
        }
        assert!(engine.decide(&call).allowed(), "{hours}: what was charged was given back");
    }
}

#[test]
fn a_window_ends_by_the_servers_clock() {
    let server = Server::start();
    let second = || server.ask(&["TIME"]).lines().next().unwrap().parse::<u64>().unwrap();
    for counters in [1, 2] {
        let engine = engine(&server, counters, "1s", 5);
        let (first, mut allowed) = (second(), 0);
        while second() < first + 3 {
            allowed += u64::from(engine.decide(&callgate::Call::without_args("t")).allowed());
        }
        let windows = second() - first + 1;
        assert!((6..=5 * windows).contains(&allowed), "{allowed} in {windows} windows");
    }
}

/// A server whose clock stepped back by less than a minute stays in the newest window; after more, its clock was set right.
#[test]
fn a_step_back_of_the_servers_clock_is_waited_out() {
    let server = Server::start();
    let body = "return {advance(n[1], n[2], n[3])}";
    let mut connection = connect(&server);
    let minute = 60_000;
    for (now, given, newest, time) in [
        (1_000_000, -1, 0, 1_000_000),
        (1_000_000, -1, 1_000_001, 1_000_001),
        (1_000_000, -1, 1_000_000 + minute, 1_000_000 + minute),
        (1_000_000, -1, 1_000_001 + minute, 1_000_000),
        (1_000_000, 1_000_000, 9_000_000, 9_000_000),
        (9_000_000, 9_000_000, 1_000_000, 9_000_000),
    ] {
        assert_eq!(run(&mut connection, body, &[now, given, newest]), [time]);
    }
}

fn engine(server: &Server, counters: usize, window: &str, max: u32) -> callgate::Engine {
    let limits: String =
        (0..counters).map(|n| format!("{{counter: c{n}, window: {window}, max: {max}}}, ")).collect();
    let policy = format!("version: \"1\"\ndefault: deny\ntools: {{t: {{limits: [{limits}]}}}}");
    let store = std::sync::Arc::new(server.open());
    callgate::Engine::builder(callgate::Policy::from_yaml(&policy).unwrap()).store(store).build()
}
