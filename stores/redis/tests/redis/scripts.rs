//! The arithmetic of the scripts, run on the server by itself: doubles must not show.

use redis::Connection;

use crate::server::Server;
use crate::usual::engine;

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
    let key = engine.decide(&call).approval().map(|approval| approval.key()).unwrap().to_string();
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

/// However many charges have to expire before there is room, the server finds out when that is, and says no more.
#[test]
fn a_refusal_of_a_long_log_says_little() {
    let server = Server::start();
    let policy = "version: \"1\"\ndefault: deny\ntools: {\
                  t: {limits: [{counter: s, window: 3600, algorithm: sliding, max: 9000, increment_from: args.n}]}}";
    let options = server.options().with_callers_time();
    let store = std::sync::Arc::new(callgate_redis::RedisStore::open(&options).unwrap());
    let clock = std::sync::Arc::new(callgate::time::ManualClock::new(callgate::time::Timestamp::MIN));
    let policy = callgate::Policy::from_yaml(policy).unwrap();
    let builder = callgate::Engine::builder(policy).store(store);
    let engine = builder.clock(clock.clone()).build();
    let decide = |n: u64| {
        let (args, nobody) = (format!("{{\"n\": {n}}}"), callgate::Identity::absent());
        let decision = engine.evaluate_json("t", &args, &nobody);
        (decision.allowed(), decision.retry_after())
    };
    for n in 1..=9_000 {
        clock.set(callgate::time::Timestamp::from_millis(n * 100));
        assert_eq!(decide(1), (true, None), "{n}");
    }
    // The first one was made at 0.1 s, and the last one at 900 s.
    for (n, seconds) in [(1, 2_701), (11, 2_702), (5_000, 3_200), (8_990, 3_599), (9_000, 3_600)] {
        server.ask(&["CONFIG", "RESETSTAT"]);
        assert_eq!(decide(n), (false, Some(seconds)), "{n}");
        // A number for the step, a few for the counter.
        let sent = server.sent();
        assert!(sent < 150, "{n}: {sent} bytes");
    }
    assert_eq!(decide(9_001), (false, None));
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
        let clock = callgate::time::ManualClock::new(
            callgate::time::Clock::now(&callgate::time::SystemClock).plus_millis(hours * 3_600_000),
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
        assert!((5..=7).contains(&server.calls("evalsha")), "{hours}: {}", server.calls("evalsha"));
        for mut reservation in reservations {
            engine.finish(&mut reservation, callgate::Outcome::NotRun).unwrap();
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
