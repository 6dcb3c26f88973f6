//! Messages that two parsers could read as two, and what is no message at all.

use super::*;

/// Refused with this code and this id: nothing of it reaches the server.
#[track_caller]
fn refused(line: impl AsRef<[u8]>, code: i64, id: &str) {
    let mut subject = Subject::new().connected();
    subject.client(line.as_ref());
    let shown = String::from_utf8_lossy(line.as_ref()).into_owned();
    assert_eq!(subject.to_server, [""; 0], "{shown}");
    assert!(subject.asks.is_empty(), "{shown}");
    let [answer] = &*subject.to_client else { panic!("{shown}: {:?}", subject.to_client) };
    let answer: Value = serde_json::from_str(answer).unwrap();
    assert_eq!(answer["error"]["code"], code, "{shown}: {answer}");
    assert_eq!(answer["id"].to_string(), id, "{shown}");
    assert_eq!(subject.notes.len(), 1, "{shown}");
}

#[test]
fn what_is_no_json_is_refused() {
    for line in [
        "",
        " ",
        "nonsense",
        "{",
        "{\"jsonrpc\":\"2.0\"",
        "\u{feff}{}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\0\"}",
        "{} {}",
    ] {
        refused(line, -32700, "null");
    }
    refused(b"{\"a\":\"\xff\"}", -32700, "null");
    refused("{\"id\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(), -32700, "null");
}

#[test]
fn batches_are_refused() {
    refused(format!("[{}]", call(1, "{}")), -32600, "null");
    refused("[]", -32600, "null");
    refused("7", -32600, "null");
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    refused(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping","params":{"name":"pay"}}"#,
        -32600,
        "1",
    );
    refused(
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","met\u0068od":"tools/call","params":{"name":"pay"}}"#,
        -32600,
        "1",
    );
    refused(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get","name":"pay"}}"#,
        -32600,
        "1",
    );
    refused(
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"pay"}}"#,
        -32600,
        "null",
    );
    refused(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","_meta":{"a":{"b":1,"b":2}}}}"#,
        -32600,
        "1",
    );
}

#[test]
fn a_name_that_reads_like_a_known_one_is_refused() {
    for name in [
        "Method",
        "METHOD",
        "method\\u0000",
        "method\\u0000x",
        "param\\u017f",
        "Params",
        "ID",
        "jsonRPC",
        "Result",
        "Error",
    ] {
        refused(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","{name}":"tools/call"}}"#), -32600, "1");
    }
    for name in [
        "Name",
        "NAME",
        "arguments\\u0000",
        "Arguments",
        "argument\\u017f",
        "ta\\u017fk",
        "tas\\u212a",
        "_META",
        "uri\\u0000",
        "inputresponses",
        "RequestState",
    ] {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"get","{name}":"pay"}}}}"#
        );
        refused(line, -32600, "1");
    }
}

#[test]
fn what_is_no_request_and_no_answer_is_refused() {
    for (line, id) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, "1"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","error":{}}"#, "1"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, "1"),
        (r#"{"jsonrpc":"2.0","id":1}"#, "1"),
        (r#"{"jsonrpc":"2.0","result":{}}"#, "null"),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, "1"),
        (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, "1"),
        (r#"{"id":"x","method":"ping"}"#, "\"x\""),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "1"),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, "null"),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, "null"),
        (r#"{"jsonrpc":"2.0","id":1e2,"method":"ping"}"#, "null"),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, "null"),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, "null"),
    ] {
        refused(line, -32600, id);
    }
}

#[test]
fn a_call_without_a_readable_name_is_refused() {
    for params in [
        "",
        r#","params":[]"#,
        r#","params":"pay""#,
        r#","params":{}"#,
        r#","params":{"name":7}"#,
        r#","params":{"name":null}"#,
    ] {
        refused(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call"{params}}}"#), -32602, "1");
    }
}

#[test]
fn a_call_whose_arguments_are_no_object_is_decided_by_their_text() {
    for args in ["[]", "7", "\"text\"", "true"] {
        let mut subject = Subject::new().connected();
        subject.client(call(1, args));
        assert_eq!(subject.asks[0].args.as_deref(), Some(args));
        assert_eq!(subject.to_server, [""; 0]);
    }
}

#[test]
fn a_call_without_an_id_is_dropped_and_not_answered() {
    let mut subject = Subject::new().connected();
    subject.client(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"pay"}}"#);
    assert!(subject.to_server.is_empty() && subject.to_client.is_empty() && subject.asks.is_empty());
    assert_eq!(subject.notes.len(), 1);
}

#[test]
fn an_answer_that_nobody_asked_for_is_dropped_on_both_sides() {
    let mut subject = Subject::new().connected();
    let answer = r#"{"jsonrpc":"2.0","id":77,"result":{}}"#;
    subject.client(answer);
    subject.server(answer);
    assert!(subject.to_server.is_empty() && subject.to_client.is_empty());
    assert_eq!(subject.notes.len(), 2);

    subject.server(r#"{"jsonrpc":"2.0","id":77,"method":"roots/list"}"#);
    subject.client(answer);
    assert_eq!(subject.to_server, [answer]);
    subject.client(answer);
    assert_eq!(subject.to_server, [answer], "it was answered");
}

#[test]
fn an_id_in_flight_is_not_taken_again() {
    let mut subject = Subject::new().connected();
    subject.client(call(1, "{}"));
    subject.client(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    assert_eq!(subject.to_server, [""; 0]);
    assert!(subject.to_client[0].contains("-32600"));
    // A number is no string, and the relay's own ids are nobody else's.
    subject.client(r#"{"jsonrpc":"2.0","id":"one","method":"ping"}"#);
    assert_eq!(subject.to_server.len(), 1);
    subject.client(r#"{"jsonrpc":"2.0","id":"callgate-n-9","method":"ping"}"#);
    assert_eq!(subject.to_server.len(), 1);
}

#[test]
fn all_else_passes_byte_for_byte() {
    let mut subject = Subject::new().connected();
    let lines = [
        r#" { "jsonrpc" : "2.0", "id" : 9007199254740991 , "method":"future/method","params":{"n":1.000e-7,"x":[1,2]}} "#,
        r#"{"method":"notifications/future","jsonrpc":"2.0","other":{"\u0061":1}}"#,
        r#"{"jsonrpc":"2.0","id":"é\u0041","method":"resources/read","params":{"uri":"file:///x"},"extension":1e400}"#,
    ];
    for line in lines {
        subject.client(line);
    }
    assert_eq!(subject.to_server, lines);
    let answers = [
        r#"{"id":9007199254740991,"jsonrpc":"2.0","result":{"a":1,"a":2,"b":"\ud800","n":1.10}}"#,
        r#" {"jsonrpc":"2.0","id":"éA","error":{"code":-1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}"#,
    ];
    for answer in answers {
        subject.server(answer);
    }
    assert_eq!(subject.to_client, answers);
}

#[test]
fn what_the_server_prints_beside_messages_reaches_no_client() {
    let mut subject = Subject::new().connected();
    subject.client(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    for line in ["Server started", "", "[]", "{", r#"{"jsonrpc":"2.0"}"#] {
        subject.server(line);
    }
    assert_eq!(subject.to_client, [""; 0]);
    // An answer that two clients could read as two ends the request with an error.
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{},"result":{"x":1}}"#);
    assert!(subject.to_client[0].contains("-32603"), "{:?}", subject.to_client);
}

#[test]
fn a_message_has_so_many_bytes_and_no_more() {
    let line = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for (most, passed) in [(line.len(), 1), (line.len() - 1, 0)] {
        let mut subject = Subject::with(Options::new("n").reads_args(|_, _| false).max_message(most));
        subject.client(line);
        assert_eq!(subject.to_server.len(), passed);
        let too_long = subject.to_client.iter().any(|answer| answer.contains("too long"));
        assert_eq!(too_long, passed == 0, "{:?}", subject.to_client);
    }
}

#[test]
fn so_many_requests_are_in_flight_and_no_more() {
    let mut subject = Subject::new().connected();
    for id in 1..=10_001 {
        subject.client(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
    }
    assert_eq!((subject.to_server.len(), subject.to_client.len()), (10_000, 1));
    assert!(subject.to_client[0].contains("too many requests"), "{:?}", subject.to_client);
}

/// While requests wait for decisions, what needs none goes on.
#[test]
fn so_many_bytes_wait_for_decisions_and_no_more() {
    let line = call(1, "{}");
    let options = Options::new("n").reads_args(|_, _| false).max_waiting(2 * line.len());
    let mut subject = Subject::with(options.identifies(true)).connected();
    for id in 1..=3 {
        subject.client(call(id, "{}"));
    }
    subject.client(r#"{"jsonrpc":"2.0","id":4,"method":"tools/list"}"#);
    assert_eq!((subject.identifying.len(), subject.to_client.len()), (2, 2));
    assert!(subject.to_client.iter().all(|answer| answer.contains("too many requests wait")));
    subject.client(r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#);
    assert_eq!(subject.to_server.len(), 1);
    // One of them is given up: there is room again.
    subject.client(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    subject.client(call(6, "{}"));
    assert_eq!((subject.identifying.len(), subject.to_client.len()), (3, 2));
}

/// Only the ends of a line that is too long are known. Its request gets an error all the same.
#[test]
fn a_message_that_is_too_long_fails_its_request() {
    let too_long = |from, head: &str, tail: &str| {
        let mut subject = Subject::new().connected();
        subject.client(call(7, "{}"));
        subject.decided(subject.asks[0].call, Verdict::Allow);
        let actions = subject.relay.too_long(from, head.as_bytes(), tail.as_bytes(), 0);
        subject.take(actions);
        assert!(
            subject
                .notes
                .iter()
                .any(|note| matches!(note, Note::FrameRefused { reason: "the message is too long", .. }))
        );
        subject.to_client.concat()
    };
    let error = |id: &str, code: i32| format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"#);
    for (head, tail, id) in [
        (r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"a":""#, r#"x"}}"#, "8"),
        (r#"{ "id" : "x\"y" ,"params":{"a":""#, r#"x"}}"#, r#""x\"y""#),
        (r#"{"params":{"a":"x"#, r#"x"},"jsonrpc":"2.0","id":9}"#, "9"),
        (r#"{"params":{"a":"x"#, "\u{e9}x\"}, \"id\" : \"b\" } ", r#""b""#),
        // Cut, nested, no id, or what only looks like one.
        (r#"{"jsonrpc":"2.0","id":8"#, r#"x"}}"#, "null"),
        (r#"{"params":{"id":8,"a":""#, r#"x"}}"#, "null"),
        (r#"{"params":{"a":"x"#, r#"x","id":9}}"#, "null"),
        (r#"{"params":"x"#, r#"x\"id\":9}"#, "null"),
        (r#"{"params":"x"#, r#"x,\"id\":9}"#, "null"),
        (r#"{"id":{"a":1},"params":""#, r#"x"}"#, "null"),
        (r#"[{"id":8},{"a":""#, r#"x"}]"#, "null"),
    ] {
        let told = too_long(Peer::Client, head, tail);
        assert!(told.starts_with(&error(id, -32600)), "{head} … {tail}: {told}");
    }
    for (head, tail) in [
        (r#"{"jsonrpc":"2.0","id":7,"result":{"a":""#, r#"x"}}"#),
        (r#"{"result":{"a":"x"#, r#"x"},"jsonrpc":"2.0","id":7}"#),
    ] {
        assert!(too_long(Peer::Server, head, tail).starts_with(&error("7", -32603)), "{head}");
    }
    assert_eq!(too_long(Peer::Server, r#"{"jsonrpc":"2.0","id":6,"result":{"a":""#, "x\"}}"), "");
}

/// The relay keeps ids and names until the answer is here.
#[test]
fn ids_and_names_are_so_long_and_no_longer() {
    let mut subject = Subject::new().connected();
    let long = "x".repeat(1_100);
    subject.client(format!(r#"{{"jsonrpc":"2.0","id":"{long}","method":"ping"}}"#));
    subject.client(format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{}"}}}}"#,
        long.repeat(4)
    ));
    assert!(subject.to_client[0].starts_with(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"#));
    assert!(subject.to_client[1].starts_with(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"#));
    subject.server(&format!(r#"{{"jsonrpc":"2.0","id":"{long}","method":"ping"}}"#));
    assert_eq!((subject.to_client.len(), subject.to_server.len(), subject.notes.len()), (2, 0, 3));
}

/// Some servers end lines at a carriage return, too: what stands behind one would be a message of its own there.
#[test]
fn a_carriage_return_in_a_message_is_refused() {
    let inner = call(8, "{}");
    refused(
        format!("{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":{{\"a\":\r{inner}\r}}}}"),
        -32600,
        "7",
    );
    let mut subject = Subject::new().connected();
    let text = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":{\"a\":\"\\r\u{2028}\u{85}\"}}";
    subject.client(text);
    assert_eq!(subject.to_server, [text], "in a string, no message can stand behind it");
}

/// The answer to a request that was given up comes by an id that a later request may want.
#[test]
fn an_id_that_was_cancelled_is_not_taken_again_before_its_answer() {
    let mut subject = Subject::new().connected();
    let list = r#"{"jsonrpc":"2.0","id":5,"method":"tools/list"}"#;
    subject.client(list);
    subject.client(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#);
    for id in ["5", "\"5\""] {
        subject.client(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
        assert!(subject.to_client.pop().unwrap().contains("was cancelled"), "{id}");
    }
    subject.server(r#"{"jsonrpc":"2.0","id":5,"result":{"tools":[{"name":"secret"}]}}"#);
    assert_eq!(subject.to_client, [""; 0]);
    // It was answered: the id is free.
    subject.client(r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#);
    assert_eq!(subject.to_server.len(), 3);
}

/// A number that some servers round is no id, and a text of digits is not told from the number by all.
#[test]
fn ids_that_become_one_in_some_servers_are_refused() {
    for id in ["9007199254740992", "-9007199254740993", "12345678901234567890123"] {
        refused(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#), -32600, "null");
    }
    let mut subject = Subject::new().connected();
    subject.client(r#"{"jsonrpc":"2.0","id":5,"method":"tools/list"}"#);
    subject.client(r#"{"jsonrpc":"2.0","id":"5","method":"ping"}"#);
    assert!(subject.to_client[0].contains("in flight"), "{:?}", subject.to_client);
    // Two that are none of each other.
    subject.client(r#"{"jsonrpc":"2.0","id":"05","method":"ping"}"#);
    assert_eq!(subject.to_server.len(), 2);
}

/// A server may give up what it asked: the client's answer is nobody's then, and the id is free.
#[test]
fn a_server_takes_its_request_back() {
    let mut subject = Subject::new().connected();
    for _ in 0..3 {
        subject.server(r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#);
        subject.server(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    }
    assert_eq!((subject.to_client.len(), subject.notes.len()), (6, 0));
    subject.client(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!((subject.to_server.len(), subject.notes.len()), (0, 1));
}
