//! The arithmetic of the scripts, run on the server by itself: doubles must not show.

use callgate::{Timestamp, Window};
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

#[test]
fn windows_begin_and_end_where_core_says() {
    let server = Server::start();
    let mut connection = connect(&server);
    let windows = [
        (Window::Minute, 60_000, 0),
        (Window::Hour, 3_600_000, 0),
        (Window::Day, 86_400_000, 0),
        (Window::Week, 604_800_000, 4 * 86_400_000),
        (Window::Month, 0, 0),
        (Window::Seconds(7), 7_000, 0),
        (Window::Seconds(31_622_400), 31_622_400_000, 0),
    ];
    let body = "local all = {} for i = 3, #n do local from, to = window_at(n[i], n[1], n[2]) all[#all + 1] = from \
                all[#all + 1] = to end return all";
    // A step that meets every day of a month, and the moments around the beginning of each year up to 2105.
    let days = (0..2_000).map(|n| n * 24 * 86_400_000 + n * 61_001);
    let years =
        (0..50_000).step_by(365).flat_map(|day| [-1, 0, 1].map(|by| (day * 86_400_000_i64 + by).max(0)));
    let leaps = [951_782_400_000, 951_868_799_999, 951_868_800_000, 4_107_542_399_999, 4_107_542_400_000];
    let last = [Timestamp::MAX.as_millis() - 40 * 86_400_000];
    let times: Vec<i64> = days.chain(years).chain(leaps).chain(last).collect();
    for (window, length, offset) in windows {
        for times in times.chunks(500) {
            let found = run(&mut connection, body, &[&[length, offset], times].concat());
            for (time, found) in times.iter().zip(found.chunks(2)) {
                let start = window.start(Timestamp::from_millis(*time));
                // Times end with the year 9999; the scripts count on.
                let found: Vec<_> = found.iter().map(|end| Timestamp::from_millis(*end)).collect();
                assert_eq!(found, [start, window.end(start)], "{window} at {time}");
            }
        }
    }
}

/// Whatever a policy forgets, its keys end: after their windows, and a minute's grace.
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
        assert!(key.starts_with("{callgate}:1:"), "{key}");
        let life: i64 = server.ask(&["PTTL", key]).parse().unwrap();
        let most = if key.contains(":c:") { 120_000 } else { 800 * 86_400_000 };
        assert!(0 < life && life <= most, "{key} lives for {life} ms");
    }
}

/// The usual call takes the short way, with one counter and with several.
#[test]
fn the_usual_call_asks_the_server_for_little() {
    let server = Server::start();
    for (counters, reads) in [(1, "get"), (3, "mget")] {
        let engine = engine(&server, counters, "366d", 100);
        let call = callgate::Call::without_args("t");
        assert!(engine.decide(&call).allowed());
        server.ask(&["CONFIG", "RESETSTAT"]);
        for _ in 0..10 {
            assert!(engine.decide(&call).allowed());
        }
        let info = server.ask(&["INFO", "commandstats"]);
        let calls = |command: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
            line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
        };
        let expected = [(reads, 10), ("pttl", 10), ("setrange", 10 * counters), ("time", 0), ("set", 0)];
        for (command, expected) in expected {
            assert_eq!(calls(command), expected, "{command} in {info}");
        }
    }
}

/// By the time to live of its key, from which the short way tells the time; whatever that is, the long way decides.
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
    let (server, call) = (Server::start(), callgate::Call::without_args("t"));
    let engine = engine(&server, 1, "366d", 3);
    assert!(engine.decide(&call).allowed());
    let key = server.ask(&["KEYS", "*:c:*"]);
    for change in [&["PERSIST", &key][..], &["PEXPIRE", &key, "30000"]] {
        assert_eq!(server.ask(change), "1");
        assert!(engine.decide(&call).allowed(), "{change:?}");
    }
    assert!(!engine.decide(&call).allowed());
}

fn engine(server: &Server, counters: usize, window: &str, max: u32) -> callgate::Engine {
    let limits: String =
        (0..counters).map(|n| format!("{{counter: c{n}, window: {window}, max: {max}}}, ")).collect();
    let policy = format!("version: \"1\"\ndefault: deny\ntools: {{t: {{limits: [{limits}]}}}}");
    let store = std::sync::Arc::new(server.open());
    callgate::Engine::builder(callgate::Policy::from_yaml(&policy).unwrap()).store(store).build()
}
