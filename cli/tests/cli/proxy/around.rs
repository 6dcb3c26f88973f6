//! Ways around the policy that other gateways left open: each is a message, through the real binary, that must not do what it did there.

use super::*;

const POLICY: &str = "\
version: '1'
default: deny
hide: [secret]
tools:
  echo: {}
  hold: {}
  go: {}
  rounds: {limits: [{counter: rounds, window: month, max: 1}]}
  pay: {rules: [{conditions: [{path: args.amount, op: lte, value: 5}]}], limits: [{counter: paid, window: month, max: 10}]}
";

/// What becomes of a line of the client.
enum Becomes {
    /// An error with this code, and this id.
    Error(i64, Value),
    /// A result that is a denial.
    Denied(u64),
    /// Nothing comes back.
    Nothing,
}

use Becomes::{Denied, Error, Nothing};

/// A call of `pay` above its limit, as another parser would read it.
fn lines() -> Vec<(&'static str, Vec<u8>, Becomes)> {
    let pay = |id: u32, args: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"pay","arguments":{args}}}}}"#
        )
    };
    let over = r#"{"amount":500}"#;
    let with = |from: &str, to: &str| {
        let line = pay(7, over);
        assert!(line.contains(from), "{from}");
        line.replacen(from, to, 1)
    };
    let id = json!(7);
    vec![
        ("an argument that the policy denies", pay(7, over).into(), Denied(7)),
        ("a: a batch", format!("[{}]", pay(7, over)).into(), Error(-32600, Value::Null)),
        (
            "a: a batch behind white space",
            format!(" \t[{},{}]", pay(7, over), pay(8, "{}")).into(),
            Error(-32600, Value::Null),
        ),
        ("a: an empty batch", "[]".into(), Error(-32600, Value::Null)),
        (
            "b: params that are a list",
            with(r#"{"name":"pay","arguments":{"amount":500}}"#, r#"["pay",{"amount":500}]"#).into(),
            Error(-32602, id.clone()),
        ),
        (
            "b: params that are null",
            with(r#"{"name":"pay","arguments":{"amount":500}}"#, "null").into(),
            Error(-32602, id.clone()),
        ),
        (
            "b: no params",
            with(r#","params":{"name":"pay","arguments":{"amount":500}}"#, "").into(),
            Error(-32602, id.clone()),
        ),
        ("b: a name that is no string", with("\"pay\"", "[\"pay\"]").into(), Error(-32602, id.clone())),
        ("b: no name", with("\"name\":\"pay\",", "").into(), Error(-32602, id.clone())),
        ("b: arguments that are a list", pay(7, "[500]").into(), Denied(7)),
        ("b: arguments that are a string", pay(7, r#""{\"amount\":500}""#).into(), Denied(7)),
        ("b: arguments that are a number", pay(7, "500").into(), Denied(7)),
        ("c: a method of another case", with("\"method\"", "\"Method\"").into(), Error(-32600, id.clone())),
        (
            "c: a second method of another case",
            with("\"method\"", "\"METHOD\":\"ping\",\"method\"").into(),
            Error(-32600, id.clone()),
        ),
        (
            "c: params of another case beside params",
            with("\"params\"", "\"Params\":{},\"params\"").into(),
            Error(-32600, id.clone()),
        ),
        (
            "c: arguments of another case",
            with("\"arguments\"", "\"Arguments\"").into(),
            Error(-32600, id.clone()),
        ),
        (
            "c: arguments twice",
            with("\"arguments\"", "\"arguments\":{\"amount\":1},\"arguments\"").into(),
            Error(-32600, id.clone()),
        ),
        (
            "c: arguments twice, once escaped",
            with("\"arguments\"", "\"\\u0061rguments\":{\"amount\":1},\"arguments\"").into(),
            Error(-32600, id.clone()),
        ),
        (
            "c: a long s for an s",
            with("\"arguments\"", "\"argument\u{17f}\":{\"amount\":1},\"arguments\"").into(),
            Error(-32600, id.clone()),
        ),
        (
            "c: a name with a NUL behind it",
            with("\"name\"", "\"name\\u0000\":\"echo\",\"name\"").into(),
            Error(-32600, id.clone()),
        ),
        ("c: an argument of another case", pay(7, r#"{"amount":1,"Amount":500}"#).into(), Denied(7)),
        ("c: an argument of another case alone", pay(7, r#"{"Amount":500}"#).into(), Denied(7)),
        (
            "c: an argument with a NUL behind it",
            pay(7, r#"{"amount":1,"amount\u0000":500}"#).into(),
            Denied(7),
        ),
        ("an argument twice", pay(7, r#"{"amount":1,"amount":500}"#).into(), Error(-32600, id.clone())),
        ("l: a call without an id", with("\"id\":7,", "").into(), Nothing),
        ("an id that is null", with("\"id\":7", "\"id\":null").into(), Error(-32600, Value::Null)),
        ("an id that is a fraction", with("\"id\":7", "\"id\":7.5").into(), Error(-32600, Value::Null)),
        ("an id twice", with("\"id\":7", "\"id\":7,\"id\":8").into(), Error(-32600, Value::Null)),
        (
            "a request that is an answer",
            with("\"jsonrpc\":\"2.0\"", "\"jsonrpc\":\"2.0\",\"result\":{}").into(),
            Error(-32600, id.clone()),
        ),
        ("another version", with("\"2.0\"", "\"1.0\"").into(), Error(-32600, id.clone())),
        ("a method that is escaped", with("tools/call", "tools\\/c\\u0061ll").into(), Denied(7)),
        ("a tool of another case", with("\"pay\"", "\"Pay\"").into(), Denied(7)),
        ("a tool with white space", with("\"pay\"", "\"pay \"").into(), Denied(7)),
        ("a tool that is hidden", with("\"pay\"", "\"secret\"").into(), Denied(7)),
        ("a tool that is not listed", with("\"pay\"", "\"fail\"").into(), Denied(7)),
        ("a mark before the message", format!("\u{feff}{}", pay(7, over)).into(), Error(-32700, Value::Null)),
        ("a NUL in the message", format!("{}\0", pay(7, over)).into(), Error(-32700, Value::Null)),
        (
            "two messages on a line",
            format!("{}{}", pay(7, "{}"), pay(8, over)).into(),
            Error(-32700, Value::Null),
        ),
        ("half a surrogate", pay(7, r#"{"amount":500,"a":"\ud800"}"#).into(), Error(-32700, Value::Null)),
        (
            "no UTF-8",
            [&pay(7, over).into_bytes()[..60], b"\xff", &pay(7, over).into_bytes()[60..]].concat(),
            Error(-32700, Value::Null),
        ),
        ("a comment", format!("{} // ok", pay(7, over)).into(), Error(-32700, Value::Null)),
        ("a number that is none", pay(7, r#"{"amount":NaN}"#).into(), Error(-32700, Value::Null)),
        (
            "a message behind a carriage return",
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":{{\"a\":\r{}\r}}}}",
                pay(8, over)
            )
            .into(),
            Error(-32600, id.clone()),
        ),
        (
            "an id that is rounded",
            with("\"id\":7", "\"id\":9007199254740993").into(),
            Error(-32600, Value::Null),
        ),
        (
            "levels without end",
            format!("{}{}{}", "[".repeat(100_000), pay(7, over), "]".repeat(100_000)).into(),
            Error(-32600, Value::Null),
        ),
        (
            "an answer that nobody asked for",
            br#"{"jsonrpc":"2.0","id":"s-1","result":{"approved":true}}"#.to_vec(),
            Nothing,
        ),
        (
            "a state that no server gave",
            with("\"name\"", "\"requestState\":\"s\",\"inputResponses\":{},\"name\"").into(),
            Denied(7),
        ),
    ]
}

#[test]
fn no_line_goes_around_the_policy() {
    let mut proxy = Setup::new("around").policy(POLICY).open();
    // What may run, runs: the list is there.
    assert_eq!(text(&proxy.call(1, "pay", r#"{"amount":5}"#)), r#"{"amount": 5}"#);
    let before = proxy.setup.seen().len();
    let lines = lines();
    for (what, line, becomes) in &lines {
        proxy.stdin.as_mut().unwrap().write_all(&[line, &b"\n"[..]].concat()).unwrap();
        if let Nothing = becomes {
            continue;
        }
        let answer = proxy.next().unwrap();
        match becomes {
            Error(code, id) => {
                assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), id), "{what}: {answer}");
            }
            Denied(id) => {
                assert_eq!(
                    (&answer["result"]["isError"], &answer["id"]),
                    (&json!(true), &json!(id)),
                    "{what}: {answer}"
                );
            }
            Nothing => {}
        }
    }
    // None of them is still awaited, and the server heard of none.
    assert_eq!(text(&proxy.call(7, "echo", "{}")), "{}");
    assert_eq!(proxy.setup.seen().len(), before + 1, "{:?}", proxy.setup.seen());
    let ended = proxy.close();
    assert_eq!((ended.code, ended.rest.len()), (0, 0), "{:?}", ended.rest);
    // Each has a record: a call that was denied, or a message that was refused.
    let records = ended.setup.records();
    let refused = records.iter().filter(|record| record["kind"] == "frame_refused").count();
    let denied = records.iter().filter(|record| record["decision"]["effect"] == "deny").count();
    assert_eq!(refused + denied, lines.len());
    assert_eq!(denied, lines.iter().filter(|(_, _, becomes)| matches!(becomes, Denied(_))).count());
}

#[test]
fn an_id_in_flight_does_not_replace_a_charge() {
    let mut proxy = Setup::new("duplicate").policy(POLICY).open();
    proxy.send(&call(1, "hold", "{}"));
    for id in ["1", "\"a\"", "1"] {
        proxy.send(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"hold"}}}}"#
        ));
    }
    for _ in 0..2 {
        assert_eq!(proxy.find(|message| message["id"] == 1)["error"]["code"], -32600);
    }
    proxy.call(2, "go", "{}");
    let ended = proxy.close();
    let ids: Vec<_> = ended.setup.seen_calls().iter().map(|call| call["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!("a"), json!(2)]);
    assert_eq!(
        ended.rest.iter().filter(|answer| answer["result"].is_object()).count(),
        2,
        "{:?}",
        ended.rest
    );
    assert!(ended.setup.calls().iter().all(|call| call["upstream"]["outcome"] == "done"));
}

/// A list that cannot be read is passed on by no filter: d.
#[test]
fn a_list_is_filtered_or_not_passed_on() {
    let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}, "x-more": [1.50]});
    for list in [
        json!({"tools": [tool("echo"), tool("secret"), tool("secret")]}),
        json!({"tools": {"secret": tool("secret")}}),
        json!({"tools": [tool("secret"), {"Name": "echo"}]}),
        json!({"tools": [tool("secret"), 5]}),
        json!({"Tools": [tool("secret")]}),
        json!({"tools": null}),
        json!([tool("secret")]),
    ] {
        let mut proxy = Setup::new("list").policy(POLICY).served(&["--list", &list.to_string()]).open();
        proxy.send(&request(1, "tools/list", "{}"));
        let answer = proxy.answer(1);
        assert_eq!(answer["error"]["code"], -32603, "{list}: {answer}");
        assert!(!answer.to_string().contains("secret"), "{answer}");
        // What rules read of arguments cannot be checked; what reads none, runs.
        let refused = proxy.call(2, "pay", r#"{"amount":1}"#);
        assert!(
            refused["result"]["isError"] == true && text(&refused).contains("could not be checked"),
            "{refused}"
        );
        assert_eq!(text(&proxy.call(3, "echo", "{}")), "{}");
        let ended = proxy.close();
        assert_eq!(ended.setup.seen_calls().len(), 1);
        assert_eq!(ended.setup.calls()[0]["refusal"], "unchecked");
    }
    // One that can is passed on with all that it says.
    let list = json!({"tools": [tool("echo"), tool("secret")], "nextCursor": "n", "ttlMs": 5, "cacheScope": "public", "_meta": {"a": 1}});
    let mut proxy = Setup::new("list").policy(POLICY).served(&["--list", &list.to_string()]).open();
    proxy.send(&request(1, "tools/list", "{}"));
    let result = &proxy.answer(1)["result"];
    let shown = json!({"tools": [tool("echo")], "nextCursor": "n", "ttlMs": 5, "cacheScope": "private", "_meta": {"a": 1}});
    assert_eq!(*result, shown);
}

/// What another server reads otherwise than the rules: traps 19 and 29.
#[test]
fn a_counter_cannot_be_refilled() {
    let policy = "\
version: '1'
default: deny
tools: {pay: {limits: [{counter: spend, window: month, max: 10, increment_from: args.amount}]}}
";
    let mut proxy = Setup::new("refill").policy(policy).open();
    let mut id = 0;
    let mut pays = |proxy: &mut Proxy, amount: &str| {
        id += 1;
        let answer = proxy.call(id, "pay", &format!(r#"{{"amount":{amount}}}"#));
        answer["result"]["isError"] != true
    };
    assert!(pays(&mut proxy, "9"));
    for amount in ["-1000000", "-0.5", "1e300", "2", "\"-5\"", "null", "[1]"] {
        assert!(!pays(&mut proxy, amount), "{amount}");
    }
    assert!(pays(&mut proxy, "1") && !pays(&mut proxy, "0.1"));
    assert_eq!(proxy.close().setup.seen_calls().len(), 2);
}

/// Trap 42.
#[test]
fn a_call_in_several_rounds_is_one() {
    let mut proxy = Setup::new("rounds").policy(POLICY).start();
    // Without a handshake: the generation of 2026-07-28.
    let round = |id: u64, more: &str| {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        request(id, "tools/call", &format!(r#"{{"name":"rounds","arguments":{{"a":1}},{meta}{more}}}"#))
    };
    proxy.send(&round(1, ""));
    assert_eq!(proxy.answer(1)["result"]["requestState"], "é/state");
    // Made up, and with other arguments: new calls, for which there is nothing left.
    let state = r#","inputResponses":{},"requestState":"é\/state""#;
    let made_up = state.replace("state\"", "fake\"");
    let other = round(3, state).replace("\"a\":1", "\"a\":2");
    for (id, line) in [(2, round(2, &made_up)), (3, other)] {
        proxy.send(&line);
        let answer = proxy.answer(id);
        assert_eq!(answer["result"]["_meta"]["callgate/code"], "limit_exceeded", "{answer}");
        assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    }
    proxy.send(&round(4, state));
    assert_eq!(text(&proxy.answer(4)), r#"{"a": 1}"#);
    // Once more, it is spent.
    proxy.send(&round(5, state));
    assert_eq!(proxy.answer(5)["result"]["isError"], true);
    let ended = proxy.close();
    assert_eq!(ended.setup.seen_calls().len(), 2);
    let calls = ended.setup.calls();
    let done: Vec<_> = calls.iter().filter(|call| call["upstream"]["outcome"] == "done").collect();
    assert_eq!((calls.len(), done.len(), &done[0]["charge"]), (4, 1, &json!("kept")));
    assert_eq!(done[0]["protocol"], "2026-07-28");
}

/// Servers that read lines by another standard library end them at a carriage return.
#[test]
fn no_call_hides_behind_a_carriage_return() {
    let mut proxy =
        Setup::new("carriage-return").policy("{version: '1', default: deny, tools: {echo: {}}}").open();
    let hidden = call(7, "pay", "{}");
    proxy.send(&format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"resources/list\",\"params\":{{\"a\":\r{hidden}\r}}}}"
    ));
    assert_eq!(proxy.answer(7)["error"]["code"], -32600);
    assert!(proxy.close().setup.seen().iter().all(|line| !line.contains("pay")));
}

/// A tool that the server does not list may run by choice. Members that some servers take for others are denied all the same.
#[test]
fn what_folds_is_denied_without_a_schema_too() {
    let policy =
        "{version: '1', default: allow, tools: {pay: {deny_if: [{path: args.amount, op: gt, value: 10}]}}}";
    let setup = Setup::new("unlisted").policy(policy).flags(&["--without-schema", "allow"]);
    let mut proxy = setup.served(&["--list", r#"{"tools":[]}"#]).open();
    let codes = [r#"{"amount":5}"#, r#"{"amount":50}"#, r#"{"Amount":50}"#].map(|args| {
        let answer =
            proxy.call(u64::try_from(args.len() + usize::from(args.contains('A'))).unwrap(), "pay", args);
        answer["result"]["_meta"]["callgate/code"].as_str().map(str::to_owned)
    });
    assert_eq!(codes, [None, Some("denied".to_owned()), Some("invalid_args".to_owned())]);
    proxy.close();
}
