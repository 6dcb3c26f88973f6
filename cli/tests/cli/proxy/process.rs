//! The server's process: no way to end leaves one behind, hides its exit, or loses its last words.

use super::*;

/// Rules read arguments: calls wait for the server's list of tools.
const ARGS: &str = "\
version: '1'
default: allow
tools:
  pay: {rules: [{conditions: [{path: args.amount, op: lte, value: 5}]}]}
";

/// Processes that were started with this in their environment, zombies aside.
fn left(mark: &str) -> Vec<String> {
    let mark = format!("CALLGATE_TEST_MARK={mark}\0");
    let mut left = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let read = |name| fs::read(process.path().join(name)).unwrap_or_default();
        let environment = read("environ");
        if environment.windows(mark.len()).any(|part| part == mark.as_bytes()) {
            left.push(String::from_utf8_lossy(&read("cmdline")).replace('\0', " "));
        }
    }
    left
}

/// A server that is a chain of three processes, which ignore that they should end.
fn chain(test: &str, grace: &str) -> (Proxy, Vec<u32>) {
    let setup = Setup::new(test);
    let (script, numbers) = (helper("chain.sh"), setup.path("processes"));
    let command = format!("sh {script} {numbers} 2 & trap '' TERM INT HUP; echo $$ >> {numbers}; wait; wait");
    let proxy = setup
        .flags(&["--grace", grace])
        .env("CALLGATE_TEST_MARK", test)
        .server(&["sh", "-c", &command])
        .start();
    let mut processes = Vec::new();
    until("three processes run", || {
        let text = fs::read_to_string(&numbers).unwrap_or_default();
        processes =
            text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect();
        processes.len() == 3
    });
    assert!(left(test).len() > 3, "processes are found, and the gateway itself");
    (proxy, processes)
}

/// Runs this often, ten at a time.
fn often(test: &str, run: impl Fn(&str) + Sync) {
    let names: Vec<_> = (0..runs()).map(|number| format!("{test}-{number}")).collect();
    for names in names.chunks(10) {
        thread::scope(|scope| names.iter().for_each(|name| drop(scope.spawn(|| run(name)))));
    }
}

fn nothing_is_left(test: &str, end: impl Fn(&mut Proxy) + Sync, code: i32) {
    often(test, |test| {
        let (mut proxy, _) = chain(test, "200ms");
        end(&mut proxy);
        let ended = proxy.wait();
        assert_eq!((left(test), ended.code), (Vec::new(), code), "{test}: {}", ended.said);
    });
}

#[test]
fn nothing_is_left_after_the_end_of_the_input() {
    // The first process was killed in the end.
    nothing_is_left("end-of-input", |proxy| proxy.stdin = None, 137);
}

#[test]
fn nothing_is_left_after_sigterm() {
    nothing_is_left("sigterm", |proxy| proxy.signal("TERM"), 143);
}

#[test]
fn nothing_is_left_after_sigint() {
    nothing_is_left("sigint", |proxy| proxy.signal("INT"), 130);
}

#[test]
fn nothing_is_left_after_a_crash() {
    often("crash", |test| {
        let (proxy, processes) = chain(test, "200ms");
        let leader = processes.iter().find(|process| {
            let line = fs::read(format!("/proc/{process}/cmdline")).unwrap();
            line.starts_with(b"sh\0-c\0")
        });
        kill("KILL", *leader.unwrap());
        let ended = proxy.wait();
        assert_eq!((left(test), ended.code), (Vec::new(), 137), "{test}: {}", ended.said);
    });
}

/// Sends signals until the gateway ends. Two that come at once are one.
fn hurry(proxy: &mut Proxy) -> i32 {
    until("the gateway ends", || {
        thread::sleep(Duration::from_millis(20));
        let ended = proxy.child.try_wait().unwrap().is_some();
        if !ended {
            proxy.signal("TERM");
        }
        ended
    });
    proxy.exit()
}

#[test]
fn a_second_signal_waits_for_nothing() {
    let (mut proxy, _) = chain("twice", "1h");
    assert_eq!((hurry(&mut proxy), left("twice")), (143, Vec::new()));
    // Nor for a client that does not read.
    let mut proxy = Setup::new("twice-unread").flags(&["--grace", "1h"]).start();
    proxy.send(&request(0, "initialize", "{}"));
    proxy.send(&call(1, "flood", r#"{"count":100000,"size":1000}"#));
    until("the flood has begun", || proxy.setup.seen().len() == 2);
    assert_eq!(hurry(&mut proxy), 143);
}

#[test]
fn the_exit_code_is_the_servers() {
    for (args, code, outcome) in [
        (r#"{"code":7}"#, 7, "lost"),
        (r#"{"code":0}"#, 0, "lost"),
        (r#"{"signal":11}"#, 139, "lost"),
        (r#"{"code":9,"answers":true}"#, 9, "done"),
    ] {
        let mut proxy = Setup::new("exit").open();
        // Three requests wait, one of them for no tool.
        proxy.send(&call(1, "hold", "{}"));
        proxy.send(&call(2, "exit", args));
        let ended = proxy.wait();
        let ids: Vec<_> = ended.rest.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
        assert_eq!((ended.code, ids.len()), (code, 2), "{args}: {:?} {}", ended.rest, ended.said);
        for answer in &ended.rest {
            let is_last = answer["id"] == 2 && outcome == "done";
            assert_eq!(
                answer["error"]["code"],
                if is_last { Value::Null } else { json!(-32603) },
                "{answer}"
            );
        }
        let calls = ended.setup.calls();
        let found: Vec<_> = calls.iter().map(|call| (&call["name"], &call["upstream"]["outcome"])).collect();
        assert!(found.contains(&(&json!("hold"), &json!("lost"))), "{found:?}");
        assert!(found.contains(&(&json!("exit"), &json!(outcome))), "{found:?}");
        let stop = ended.setup.records().pop().unwrap();
        assert_eq!(
            (&stop["kind"], &stop["why"], &stop["code"]),
            (&json!("stop"), &json!("server_exited"), &json!(code))
        );
    }
    let proxy = Setup::new("code").served(&["--code", "5"]).open();
    assert_eq!(proxy.close().code, 5);
}

#[test]
fn a_signal_is_the_exit_code() {
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let mut proxy = Setup::new("signals").served(&["--code", "5"]).open();
        proxy.call(1, "echo", "{}");
        proxy.send(&call(2, "hold", "{}"));
        until("it runs", || proxy.setup.seen_calls().len() == 2);
        proxy.signal(signal);
        let ended = proxy.wait();
        assert_eq!(ended.code, code);
        let outcomes: Vec<_> =
            ended.setup.calls().iter().map(|call| call["upstream"]["outcome"].clone()).collect();
        assert_eq!(outcomes, ["done", "lost"]);
    }
}

/// What ends at the end of its input ends with a gateway that was killed.
#[test]
fn nothing_holds_the_input_of_a_server_open() {
    let mut proxy = Setup::new("killed").env("CALLGATE_TEST_MARK", "killed").open();
    assert_eq!((left("killed").len(), text(&proxy.call(1, "echo", "{}"))), (2, "{}"));
    proxy.signal("KILL");
    until("the server ends", || left("killed").is_empty());
}

#[test]
fn a_command_that_does_not_exist_is_told_to_the_first_request() {
    for command in [&["callgate-no-such-program"][..], &["/etc/passwd"]] {
        let mut proxy = Setup::new("missing").server(command).start();
        proxy.send(&request(7, "initialize", "{}"));
        let answer = proxy.answer(7);
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("cannot be started") && message.contains(command[0]), "{answer}");
        let ended = proxy.wait();
        assert_eq!(ended.code, 127);
        assert!(ended.said.contains("cannot be started"), "{}", ended.said);
        assert_eq!(ended.setup.records().pop().unwrap()["why"], "not_started");
    }
    // Nobody asks; somebody stops it.
    assert_eq!(Setup::new("missing").server(&["callgate-no-such-program"]).start().close().code, 127);
    let mut proxy = Setup::new("missing-signal").server(&["callgate-no-such-program"]).start();
    until("it is there", || !proxy.setup.records().is_empty());
    proxy.signal("TERM");
    assert_eq!(proxy.exit(), 143);
}

#[test]
fn what_a_server_writes_last_is_not_lost() {
    let lines: Vec<_> = (0..20_000)
        .map(|number| json!({"jsonrpc": "2.0", "method": "notifications/n", "params": {"n": number}}))
        .collect();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // More than a pipe holds, and no line feed at its end.
    let setup = Setup::new("last");
    let file = setup.path("text");
    fs::write(&file, text.trim_end()).unwrap();
    let ended = setup.server(&["sh", "-c", "cat \"$0\"; exit 3", &file]).start().wait();
    assert_eq!(ended.code, 3);
    assert!(ended.rest == lines, "{} lines", ended.rest.len());
    let message = json!({"jsonrpc": "2.0", "method": "notifications/bye"});
    let ended = Setup::new("last").served(&["--last", &message.to_string(), "--code", "4"]).start().wait();
    assert_eq!((ended.code, &ended.rest[..]), (4, &[message][..]));
}

#[test]
fn a_client_that_ends_its_input_gets_all_answers() {
    for (late, says_ready) in [(&[][..], true), (&["--late"], true), (&[], false)] {
        let mut proxy = Setup::new("ends").served(late).policy(ARGS).start();
        proxy.send(&request(0, "initialize", "{}"));
        if says_ready {
            proxy.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        }
        for id in 1..=50 {
            proxy.send(&call(id, "pay", r#"{"amount":1}"#));
        }
        // No line feed behind the last.
        let last = call(51, "pay", r#"{"amount":9}"#);
        proxy.stdin.as_mut().unwrap().write_all(last.as_bytes()).unwrap();
        let ended = proxy.close();
        let mut ids: Vec<_> = ended.rest.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!((ended.code, ids), (0, (0..=51).collect()), "{late:?}: {}", ended.said);
        let denied: Vec<_> = ended.rest.iter().filter(|answer| answer["result"]["isError"] == true).collect();
        assert_eq!((denied.len(), &denied[0]["id"]), (1, &json!(51)));
        assert_eq!(ended.setup.calls().len(), 51);
        assert_eq!(ended.setup.records().pop().unwrap()["why"], "client_closed");
    }
}

#[test]
fn a_server_that_ends_its_output_alone_ends() {
    let mut proxy = Setup::new("shut").flags(&["--grace", "200ms"]).open();
    let answer = proxy.call(1, "shut", "{}");
    assert_eq!(answer["error"]["code"], -32603, "{answer}");
    let ended = proxy.wait();
    assert_eq!((ended.code, ended.rest.len()), (143, 0), "{}", ended.said);
}

#[test]
fn who_asks_a_server_that_is_gone_is_told_so() {
    // It leaves a process that holds its output: the gateway has not ended yet.
    let setup = Setup::new("gone").flags(&["--grace", "1h"]);
    let mark = setup.path("gone-mark");
    let command = format!("trap '' TERM; sh -c 'exec 1>&-; touch {mark}; sleep 3600' & exit 0");
    let mut proxy = setup.server(&["sh", "-c", &command]).start();
    until("the server is gone", || Path::new(&mark).exists());
    thread::sleep(Duration::from_millis(200));
    proxy.send(&request(1, "ping", "{}"));
    assert_eq!(proxy.answer(1)["error"]["code"], -32603);
    assert_eq!(hurry(&mut proxy), 143);
}
