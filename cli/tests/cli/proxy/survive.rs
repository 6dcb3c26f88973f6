//! Sides that send too much, read nothing, or print what is no message: memory stays bounded, and the session goes on.

use super::*;

/// The most that a gateway may hold, in KiB.
const MEMORY: u64 = 64 << 10;
const MEBIBYTE: usize = 1 << 20;

/// Writes a message with a text of so many mebibytes in it.
fn write_long(stdin: &mut ChildStdin, head: &str, mebibytes: usize, tail: &str) {
    let text = vec![b'a'; MEBIBYTE];
    stdin.write_all(head.as_bytes()).unwrap();
    (0..mebibytes).for_each(|_| stdin.write_all(&text).unwrap());
    stdin.write_all(tail.as_bytes()).unwrap();
}

#[test]
fn a_line_of_a_gibibyte_of_the_server_fails_its_request() {
    let mut proxy = Setup::new("long-server").open();
    let answer = proxy.call(1, "long", r#"{"mebibytes":1024}"#);
    assert_eq!(answer["error"]["code"], -32603, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("too long"));
    assert_eq!(text(&proxy.call(2, "echo", r#"{"a":1}"#)), r#"{"a": 1}"#);
    assert!(proxy.memory() < MEMORY, "{} KiB", proxy.memory());
    let ended = proxy.close();
    assert_eq!((ended.code, ended.rest.len()), (0, 0));
    // The tool ran, so nothing is given back.
    assert_eq!(ended.setup.calls()[0]["upstream"]["outcome"], "done");
}

#[test]
fn a_line_of_a_gibibyte_of_the_client_is_answered_and_not_passed_on() {
    let mut proxy = Setup::new("long-client").open();
    let head = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":""#;
    write_long(proxy.stdin.as_mut().unwrap(), head, 1024, "\"}}}\n");
    let answer = proxy.answer(1);
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    // An id at the end; one that is nowhere.
    write_long(proxy.stdin.as_mut().unwrap(), r#"{"params":{"a":""#, 20, "\"},\"id\":\"two\"}\n");
    assert_eq!(proxy.find(|message| message["id"] == "two")["error"]["code"], -32600);
    write_long(proxy.stdin.as_mut().unwrap(), "", 20, "\n");
    assert_eq!(proxy.find(|message| message["id"].is_null())["error"]["code"], -32600);
    assert_eq!(text(&proxy.call(3, "echo", "{}")), "{}");
    // The stream ends in one.
    write_long(proxy.stdin.as_mut().unwrap(), &head.replace("\"id\":1", "\"id\":4"), 20, "");
    assert!(proxy.memory() < MEMORY, "{} KiB", proxy.memory());
    let ended = proxy.close();
    assert_eq!((ended.code, ended.rest.len(), &ended.rest[0]["id"]), (0, 1, &json!(4)));
    assert_eq!(ended.setup.seen_calls().len(), 1);
    let refused = ended.setup.records().into_iter().filter(|record| record["kind"] == "frame_refused");
    assert_eq!(refused.count(), 4);
}

#[test]
fn a_client_that_does_not_read_holds_a_server_that_floods() {
    for (count, size) in [(100_000, 1_000), (40, 10 * MEBIBYTE)] {
        let mut proxy = Setup::new("flood").start();
        proxy.send(&request(0, "initialize", "{}"));
        proxy.send(&call(1, "flood", &json!({"count": count, "size": size}).to_string()));
        let server = || fs::read_to_string(format!("/proc/{}/task/{0}/children", proxy.child.id())).unwrap();
        until("the flood has begun", || proxy.setup.seen().len() == 2 && !server().is_empty());
        // Time to read more than there is room for.
        thread::sleep(Duration::from_secs(1));
        let held = proxy.memory();
        assert_eq!(proxy.answer(0)["result"]["serverInfo"]["name"], "tests");
        let mut ticks = 0;
        loop {
            let message = proxy.next().unwrap();
            if message["id"] == 1 {
                break;
            }
            ticks += 1;
        }
        assert_eq!(ticks, count, "{held} KiB");
        assert!(proxy.memory() < 2 * MEMORY, "{held}, then {} KiB", proxy.memory());
        assert_eq!(proxy.close().code, 0);
    }
}

/// The server is gone, and so is the client's input: what is left comes all the same, as long as somebody takes it.
#[test]
fn a_client_that_reads_slowly_gets_all() {
    let mut proxy = Setup::new("slow").flags(&["--grace", "3s"]).start();
    proxy.send(&request(0, "initialize", "{}"));
    proxy.send(&call(1, "flood", r#"{"count":60,"size":100000}"#));
    proxy.stdin = None;
    let mut lines = BufReader::new(proxy.stdout.take().unwrap()).lines();
    // All together longer than a client may have that takes nothing.
    let count = lines.by_ref().inspect(|_| thread::sleep(Duration::from_millis(80))).count();
    assert_eq!((count, proxy.exit()), (62, 0));
}

#[test]
fn a_server_that_does_not_read_holds_its_client_and_is_heard() {
    let setup = Setup::new("deaf");
    let until_there = setup.path("reads");
    let mut proxy = setup.open();
    proxy.call(1, "deaf", &json!({"until": until_there}).to_string());
    let line = json!({"jsonrpc": "2.0", "method": "notifications/n", "params": {"text": "a".repeat(1_000)}});
    let mut stdin = proxy.stdin.take().unwrap();
    let writer = thread::spawn(move || {
        (0..60_000).for_each(|_| stdin.write_all(format!("{line}\n").as_bytes()).unwrap());
        stdin
    });
    thread::sleep(Duration::from_secs(1));
    // What it says meanwhile comes.
    let heard = (0..50).filter(|_| proxy.next().unwrap()["method"] == "notifications/tick").count();
    assert_eq!(heard, 50);
    assert!(!writer.is_finished() && proxy.memory() < MEMORY, "{} KiB", proxy.memory());
    fs::write(until_there, "").unwrap();
    proxy.stdin = Some(writer.join().unwrap());
    assert_eq!(text(&proxy.call(2, "echo", "{}")), "{}");
    assert_eq!(proxy.setup.seen().iter().filter(|line| line.contains("notifications/n\"")).count(), 60_000);
    assert!(proxy.memory() < MEMORY, "{} KiB", proxy.memory());
    assert_eq!(proxy.close().code, 0);
}

#[test]
fn all_else_passes_while_a_call_runs() {
    let mut proxy = Setup::new("meanwhile").open();
    // A request of the server, and its answer.
    proxy.send(&call(1, "ask", "{}"));
    let asked = proxy.find(|message| message["method"] == "sampling/createMessage");
    assert_eq!(asked["id"], "s-1");
    // Another call, and a request.
    assert_eq!(text(&proxy.call(2, "echo", "{}")), "{}");
    proxy.send(&request(3, "ping", "{}"));
    assert_eq!(proxy.answer(3)["result"], json!({}));
    proxy.send(r#"{"jsonrpc":"2.0","id":"s-1","result":{"is":"here"}}"#);
    assert_eq!(text(&proxy.answer(1)), r#"{"is": "here"}"#);
    // A cancellation.
    proxy.send(&call(4, "hold", "{}"));
    proxy.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4}}"#);
    until("the cancellation is there", || proxy.setup.seen().last().unwrap().contains("cancelled"));
    // Its answer comes all the same: it is nobody's.
    proxy.call(5, "go", "{}");
    let ended = proxy.close();
    assert_eq!(ended.rest, Vec::<Value>::new());
    let outcome = |id: &str| {
        let calls = ended.setup.calls();
        let mut calls = calls.iter().filter(|call| call["request"] == id);
        let outcome = calls.next().unwrap()["upstream"]["outcome"].clone();
        assert!(calls.next().is_none());
        outcome
    };
    assert_eq!(
        (outcome("1"), outcome("4"), outcome("5")),
        ("done".into(), "cancelled".into(), "done".into())
    );
}

#[test]
fn what_a_server_prints_beside_messages_reaches_no_client() {
    for banner in [
        "Server running on stdio \u{1b}[32mOK",
        "42",
        "[]",
        "{\"a\":1}",
        "{\"jsonrpc\":\"2.0\"",
        "\u{feff}{}",
    ] {
        let mut proxy = Setup::new("banner").served(&["--banner", banner]).open();
        assert_eq!(text(&proxy.call(1, "echo", "{}")), "{}");
        let ended = proxy.close();
        assert_eq!((ended.code, ended.rest.len()), (0, 0), "{banner}: {:?}", ended.rest);
        assert_eq!(ended.said.matches("wrote a line that is not passed on").count(), 1, "{}", ended.said);
        let records = ended.setup.records();
        let refused: Vec<_> = records.iter().filter(|record| record["kind"] == "frame_refused").collect();
        assert_eq!((refused.len(), &refused[0]["from"]), (1, &json!("server")));
    }
}

#[test]
fn standard_error_is_passed_on_thrown_away_or_shown_by_lines() {
    let says = "one\u{1b}[2Jtwo\u{202e}\tthree\r\nfour";
    for (flags, shown) in [
        (&[][..], Some(says)),
        (&["--stderr", "inherit"], Some(says)),
        (&["--stderr", "null"], None),
        (&["--stderr", "log"], Some("tests: one[2Jtwo\tthree\ntests: four\n")),
    ] {
        let mut proxy = Setup::new("stderr").flags(flags).served(&["--says", says]).open();
        proxy.call(1, "echo", "{}");
        let ended = proxy.close();
        match shown {
            Some(shown) => assert!(ended.said.contains(shown), "{flags:?}: {:?}", ended.said),
            None => assert!(!ended.said.contains("one"), "{:?}", ended.said),
        }
    }
    // Much of it, which nobody reads; and a line without an end.
    for says in ["much\n", "much"] {
        let mut setup = Setup::new("stderr-much").flags(&["--stderr", "log"]);
        setup.reads_stderr = false;
        let mut proxy = setup.served(&["--says", says, "--times", "2000000"]).open();
        assert_eq!(text(&proxy.call(1, "echo", "{}")), "{}");
        assert!(proxy.memory() < MEMORY, "{} KiB", proxy.memory());
        assert_eq!(proxy.close().code, 0);
    }
}

/// What is not read hides that the client is gone: here, one that is killed while most of its output waits.
#[test]
fn a_client_that_is_killed_is_missed_behind_what_nobody_reads() {
    let setup = Setup::new("gone").flags(&["--grace", "200ms"]).server(&["sleep", "1000"]);
    let mut writer = Command::new("python3")
        .args(["-S", "-c", "import sys\nline = '{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"a\":\"%s\"}}\\n' % ('x' * 1000000)\nwhile True: sys.stdout.write(line)"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut command = setup.command();
    command.stdin(writer.stdout.take().unwrap()).stderr(Stdio::null());
    let mut proxy = command.spawn().unwrap();
    // The gateway holds the pipe alone from here on.
    drop(command);
    thread::sleep(Duration::from_secs(1));
    assert!(proxy.try_wait().unwrap().is_none());
    writer.kill().unwrap();
    writer.wait().unwrap();
    until("the gateway ends", || proxy.try_wait().unwrap().is_some());
}
