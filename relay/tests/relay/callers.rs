//! Requests of several callers: held until it is known for whom each is.

use callgate::Outcome;

use super::*;

/// The first caller sees nothing secret, and has requests decided; others do not.
fn identifying() -> Subject {
    Subject::with(
        Options::new("n")
            .identifies(true)
            .reads_args(|_, _| false)
            .visible(|caller, tool| caller != Caller(1) || tool != "secret")
            .by_caller(|_| true)
            .decides(|caller, method| {
                let decided =
                    ["", "resources/read", "resources/subscribe", "sampling/createMessage", "roots/list"];
                caller.is_none_or(|caller| caller == Caller(1)) && decided.contains(&method)
            })
            .shows(|_, _, params| !params.contains("secret")),
    )
    .connected()
}

const CANCEL: &str = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const READ: &str = r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b"}}"#;
const SAMPLE: &str = r#"{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{}}"#;

#[test]
fn a_call_is_decided_once_it_is_known_for_whom() {
    let mut subject = identifying();
    subject.client(call(1, "{}"));
    let (known, tag, from) = subject.identifying[0];
    assert_eq!((tag, from), (subject.tag, Peer::Client));
    assert_eq!((subject.asks.len(), subject.to_server.len()), (0, 0));
    assert_eq!(subject.relay.waiting_bytes(), call(1, "{}").len());
    // What is decided for nobody is not decided.
    for verdict in [Verdict::Allow, Verdict::AllowWith { tool: "pay".to_owned(), args: "{}".to_owned() }] {
        subject.decided(known, verdict);
    }
    assert_eq!((subject.to_server.len(), subject.finished.len()), (0, 0));
    subject.client(CANCEL.replace(":1", ":7"));
    subject.identified(known, 5);
    subject.identified(known, 6);
    let [ask] = &subject.asks[..] else { panic!("{:?}", subject.asks) };
    assert_eq!((ask.call, ask.tag, ask.caller), (known, tag, Caller(5)));
    subject.decided(known, Verdict::Allow);
    assert_eq!(subject.sent.last(), Some(&(Peer::Server, tag, Some(known))));
    assert_eq!(subject.relay.waiting_bytes(), 0);
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!(subject.sent.last(), Some(&(Peer::Client, subject.tag, None)));
    assert_eq!(subject.finished, [(known, "done".to_owned())]);
}

#[test]
fn identities_come_in_any_order() {
    let mut subject = identifying();
    for id in 1..=3 {
        subject.client(call(id, &format!("{{\"n\":{id}}}")));
    }
    let calls: Vec<_> = subject.identifying.iter().map(|(call, ..)| *call).collect();
    for (at, caller) in [(2, 30), (0, 10), (1, 20)] {
        subject.identified(calls[at], caller);
        let ask = subject.asks.last().unwrap();
        assert_eq!(
            (ask.call, ask.caller, &*ask.request),
            (calls[at], Caller(caller), &*(at + 1).to_string())
        );
    }
    assert_eq!(subject.asks.len(), 3);
}

#[test]
fn what_is_given_up_while_it_is_identified_does_not_pass() {
    for line in [call(1, "{}"), LIST.to_owned(), READ.to_owned()] {
        for how in ["cancelled", "client", "server"] {
            let mut subject = identifying();
            subject.client(&line);
            let (call, tag, _) = subject.identifying[0];
            let actions = match how {
                "cancelled" => subject.relay.from_client(CANCEL.as_bytes(), 99, 0),
                "client" => subject.relay.client_closed(),
                _ => subject.relay.server_closed("gone"),
            };
            subject.take(actions);
            assert_eq!(subject.given_up, [call], "{how} {line}");
            assert_eq!(subject.relay.waiting_bytes(), 0);
            // Only who waits for an answer is told.
            assert_eq!(subject.sent.len(), usize::from(how == "server"), "{how} {line}");
            if how == "server" {
                assert_eq!(subject.sent[0], (Peer::Client, tag, None));
            }
            subject.identified(call, 1);
            subject.refuse(call);
            let sent = usize::from(how == "server");
            assert_eq!((subject.asks.len(), subject.sent.len()), (0, sent), "{how} {line}");
            // Its id is free: the server never had it.
            if how == "cancelled" {
                subject.client(&line);
                subject.is_of(2);
                assert!(!subject.asks.is_empty() || !subject.to_server.is_empty(), "{line}");
            }
        }
    }
}

#[test]
fn who_is_given_up_while_it_is_decided_is_told_once() {
    let mut subject = identifying();
    subject.client(call(1, "{}"));
    subject.is_of(1);
    let call = subject.asks[0].call;
    subject.client(CANCEL);
    assert_eq!((&subject.given_up, &subject.finished), (&vec![call], &Vec::new()));
    subject.decided(call, Verdict::Allow);
    assert_eq!(subject.finished, [(call, "not_run".to_owned())]);
    assert_eq!(subject.to_server.len(), 0);
    let mut subject = identifying();
    subject.server(SAMPLE);
    let (call, ..) = subject.identifying[0];
    subject.server(&CANCEL.replace(":1", ":9"));
    assert_eq!(subject.given_up, [call]);
    subject.identified(call, 1);
    assert_eq!((subject.asks.len(), subject.to_client.len()), (0, 0));
}

#[test]
fn who_cannot_be_identified_is_refused() {
    let result =
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"who?"}],"isError":true}}"#;
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-31000,"message":"who?"}}"#;
    let task = call(1, "{}").replace("\"params\":{", "\"params\":{\"task\":{},");
    for (line, answer) in [(&*call(1, "{}"), result), (&task, error), (LIST, error), (READ, error)] {
        let mut subject = identifying();
        subject.client(line);
        let (call, tag, _) = subject.identifying[0];
        subject.refuse(call);
        assert_eq!(
            (&*subject.to_client, subject.sent[0]),
            (&[answer.to_owned()][..], (Peer::Client, tag, None))
        );
        assert_eq!((subject.to_server.len(), subject.finished.len()), (0, 0), "nothing was to decide");
        subject.identified(call, 1);
        assert_eq!((subject.asks.len(), subject.to_server.len(), subject.relay.waiting_bytes()), (0, 0, 0));
        // Its id is free.
        subject.client(line);
        assert_eq!(subject.identifying.len(), 2);
    }
    let mut subject = identifying();
    subject.server(SAMPLE);
    let (call, ..) = subject.identifying[0];
    subject.refuse(call);
    assert_eq!(subject.to_server, [error.replace(":1,", ":9,")]);
    assert_eq!((subject.to_client.len(), subject.finished.len(), subject.relay.deciding_bytes()), (0, 0, 0));
    // Once it is to be decided, a refusal ends it.
    let mut subject = identifying();
    subject.client(self::call(1, "{}"));
    subject.is_of(1);
    subject.refuse(subject.asks[0].call);
    assert_eq!(subject.to_client, [result]);
    assert_eq!(subject.finished, [(subject.asks[0].call, "not_run".to_owned())]);
}

/// Spec 8.16: the caller is part of the call.
#[test]
fn a_round_goes_on_for_its_caller_alone() {
    let again = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"pay","arguments":{},"requestState":"s"}}"#;
    for (caller, goes_on) in [(1, true), (2, false)] {
        let mut subject = identifying();
        subject.client(call(1, "{}"));
        subject.is_of(1);
        let first = subject.asks[0].call;
        subject.decided(first, Verdict::Allow);
        subject.server(
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"s"}}"#,
        );
        subject.client(again);
        assert_eq!((subject.to_server.len(), subject.asks.len()), (1, 1), "not before it is known for whom");
        subject.is_of(caller);
        assert_eq!((subject.to_server.len(), subject.asks.len()), if goes_on { (2, 1) } else { (1, 2) });
        if goes_on {
            assert_eq!(subject.sent.last(), Some(&(Peer::Server, subject.tag, Some(first))));
            subject.server(r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
            assert_eq!(subject.finished, [(first, "done".to_owned())]);
        } else {
            // The first one's own round goes on all the same.
            subject.client(again.replace("\"id\":2", "\"id\":3"));
            subject.is_of(1);
            assert_eq!((subject.to_server.len(), subject.asks.len()), (2, 2));
        }
    }
}

#[test]
fn each_caller_gets_a_list_of_its_own() {
    let answer = |tools: &str, scope: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{tools}],"ttlMs":1,"cacheScope":"{scope}"}}}}"#
        )
    };
    let (pay, secret) = (r#"{"name":"pay"}"#, r#"{"name":"secret"}"#);
    let both = answer(&format!("{pay},{secret}"), "public");
    for (caller, told) in [(1, answer(pay, "private")), (2, both.replace("public", "private"))] {
        let mut subject = identifying();
        subject.client(LIST);
        assert_eq!(subject.to_server.len(), 0, "not before it is known for whom");
        // The server cannot answer what it does not have.
        subject.server(&both);
        assert_eq!(subject.to_client.len(), 0);
        subject.is_of(caller);
        assert_eq!(subject.to_server, [LIST]);
        subject.server(&both);
        assert_eq!(subject.to_client, [told]);
    }
}

#[test]
fn a_request_passes_for_whom_it_is_not_decided() {
    let mut subject = identifying();
    subject.client(READ);
    assert_eq!(subject.to_server.len(), 0);
    subject.is_of(2);
    assert_eq!((&*subject.to_server, subject.asks.len()), (&[READ.to_owned()][..], 0));
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!((subject.to_client.len(), subject.finished.len()), (1, 0));
    subject.client(READ);
    subject.is_of(1);
    assert_eq!((subject.to_server.len(), subject.asks.len()), (1, 1));

    let mut subject = identifying();
    subject.server(SAMPLE);
    assert_eq!((subject.identifying[0].1, subject.identifying[0].2), (subject.tag, Peer::Server));
    let (call, ..) = subject.identifying[0];
    subject.decided(call, Verdict::Allow);
    assert_eq!(subject.to_client.len(), 0, "what is decided for nobody is not decided");
    subject.is_of(2);
    assert_eq!((&*subject.to_client, subject.relay.deciding_bytes()), (&[SAMPLE.to_owned()][..], 0));
    subject.client(r#"{"jsonrpc":"2.0","id":9,"result":{}}"#);
    assert_eq!((subject.to_server.len(), subject.finished.len()), (1, 0));
    subject.server(SAMPLE);
    subject.is_of(1);
    assert_eq!((subject.asks[0].caller, subject.asks[0].from), (Caller(1), Peer::Server));
}

/// Nobody said for whom a request is that passes undecided.
#[test]
fn a_request_for_input_is_identified_where_nobody_was() {
    let needs = r#"{"jsonrpc":"2.0","id":1,"result":{"inputRequests":{"a":{"method":"roots/list"},"b":{"method":"roots/list"}}}}"#;
    for callers in [[1, 2], [2, 1], [2, 2]] {
        let mut subject = identifying();
        subject.client(r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get"}"#);
        let tag = subject.tag;
        subject.server(needs);
        let calls: Vec<_> = subject.identifying.iter().map(|(call, of, _)| (*call, *of)).collect();
        assert_eq!((calls.len(), calls[0].1, calls[1].1), (2, tag, tag));
        for ((call, _), caller) in calls.iter().zip(callers) {
            assert_eq!(subject.to_client.len(), 0);
            subject.decided(*call, Verdict::Allow);
            subject.identified(*call, caller);
        }
        assert_eq!(subject.asks.len(), callers.iter().filter(|caller| **caller == 1).count());
        for ask in std::mem::take(&mut subject.asks) {
            assert_eq!(subject.to_client.len(), 0);
            subject.decided(ask.call, Verdict::Allow);
        }
        assert_eq!((&*subject.to_client, subject.relay.deciding_bytes()), (&[needs.to_owned()][..], 0));
    }
    // Of a call it is known.
    let mut subject = identifying();
    subject.client(call(1, "{}"));
    subject.is_of(1);
    subject.decided(subject.asks[0].call, Verdict::Allow);
    subject.server(needs);
    assert_eq!((subject.asks.len(), subject.asks[1].caller), (3, Caller(1)));
    subject.refuse(subject.asks[1].call);
    assert!(subject.to_client[0].contains("who?"), "{:?}", subject.to_client);
    assert_eq!(subject.given_up, [subject.asks[2].call]);
}

#[test]
fn what_could_not_be_sent_did_not_run() {
    let mut subject = identifying();
    subject.client(call(1, "{}"));
    subject.is_of(1);
    let known = subject.asks[0].call;
    let actions = subject.relay.unsent(known);
    assert!(actions.is_empty(), "nothing was to be sent: {actions:?}");
    subject.decided(known, Verdict::Allow);
    for _ in 0..2 {
        let actions = subject.relay.unsent(known);
        subject.take(actions);
    }
    assert_eq!(subject.finished, [(known, "not_run".to_owned())]);
    assert!(subject.to_client[0].contains(r#""id":1,"error":{"code":-32603"#), "{:?}", subject.to_client);
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!((subject.to_client.len(), subject.finished.len()), (1, 1));
    // The server has begun with an earlier round.
    subject.client(call(1, "{}"));
    subject.is_of(1);
    let first = subject.asks[1].call;
    subject.decided(first, Verdict::Allow);
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"s"}}"#);
    subject.client(call(2, "{}").replace("\"params\":{", "\"params\":{\"requestState\":\"s\","));
    subject.is_of(1);
    let actions = subject.relay.unsent(first);
    subject.take(actions);
    assert_eq!(subject.finished[1..], [(first, "lost".to_owned())]);
    // A request of the server that the client did not get.
    subject.server(SAMPLE);
    subject.is_of(1);
    let asked = subject.asks[2].call;
    subject.decided(asked, Verdict::Allow);
    let actions = subject.relay.unsent(asked);
    subject.take(actions);
    assert_eq!(subject.finished[2..], [(asked, "not_run".to_owned())]);
    assert!(subject.to_server.last().unwrap().contains(r#""id":9,"error""#));
}

#[test]
fn a_reload_while_a_call_is_identified_changes_only_what_decides_it() {
    let mut subject = identifying();
    subject.client(call(1, "{}"));
    let actions = subject.relay.reloaded(|_| true, |_| false);
    subject.take(actions);
    assert_eq!((subject.sent.len(), subject.finished.len()), (0, 0));
    subject.is_of(1);
    assert_eq!(subject.asks.len(), 1);
}

/// A call that goes on in rounds is decided anew where its caller's policy was replaced, not where another's was.
#[test]
fn a_reload_ends_the_rounds_of_its_callers() {
    let mut subject = identifying();
    for (id, caller) in [(1, 1), (2, 2)] {
        subject.client(call(id, "{}"));
        subject.is_of(caller);
        subject.decided(subject.asks.last().unwrap().call, Verdict::Allow);
        subject.server(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"input_required","requestState":"s{id}"}}}}"#
        ));
    }
    let mut known: Vec<_> = subject.relay.callers().collect();
    known.sort();
    assert_eq!(known, [Caller(1), Caller(2)]);
    let actions = subject.relay.reloaded(|caller| caller == Caller(1), |_| false);
    subject.take(actions);
    assert_eq!(subject.finished, [(subject.asks[0].call, "done".to_owned())]);
    for (id, caller) in [(1, 1), (2, 2)] {
        let line =
            call(id, "{}").replace("\"params\":{", &format!("\"params\":{{\"requestState\":\"s{id}\","));
        subject.client(line);
        subject.is_of(caller);
    }
    assert_eq!((subject.asks.len(), subject.to_server.len()), (3, 3), "one of them is decided");
}

/// A server may give every call the same state: then it tells no call from another, and none ends one.
#[test]
fn calls_with_one_state_each_go_on_with_their_own() {
    let mut subject = identifying();
    let calls = [(1, 1, r#"{"n":1}"#), (2, 2, r#"{"n":1}"#), (3, 1, r#"{"n":2}"#)];
    for (id, caller, args) in calls {
        subject.client(call(id, args));
        subject.is_of(caller);
        subject.decided(subject.asks.last().unwrap().call, Verdict::Allow);
        subject.server(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"input_required","requestState":"s"}}}}"#
        ));
    }
    assert_eq!((subject.asks.len(), subject.finished.len()), (3, 0));
    for (id, caller, args) in calls {
        let again = call(id, args).replace("\"params\":{", "\"params\":{\"requestState\":\"s\",");
        subject.client(again);
        subject.is_of(caller);
        subject.server(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    }
    let ended: Vec<_> = subject.asks.iter().map(|ask| (ask.call, "done".to_owned())).collect();
    assert_eq!((subject.asks.len(), subject.finished), (3, ended));
}

/// The relay's own question goes where the message came from that made it ask.
#[test]
fn the_relays_own_questions_have_the_tag_of_who_made_it_ask() {
    let mut subject = Subject::with(Options::new("n").identifies(true));
    subject.client(call(1, "{}"));
    let tag = subject.tag;
    assert_eq!(subject.sent, [(Peer::Server, tag, None)]);
    let question: Value = serde_json::from_str(&subject.to_server[0]).unwrap();
    let page = serde_json::json!({"jsonrpc": "2.0", "id": question["id"], "result": {"tools": [], "nextCursor": "c"}});
    subject.server(&page.to_string());
    assert_eq!(subject.sent, [(Peer::Server, tag, None); 2]);
}

/// Spec 3.11. What a server calls while it runs a dispatcher's call was decided with it.
#[test]
fn an_inner_call_is_decided_with_the_outer_one_once() {
    let outer = || {
        let mut subject = identifying();
        subject.client(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run","arguments":{"tool":"pay"}}}"#);
        subject.is_of(1);
        let outer = subject.asks[0].call;
        let (tool, args) = ("pay".to_owned(), r#"{"a":1,"b":2}"#.to_owned());
        subject.decided(outer, Verdict::AllowWith { tool, args });
        (subject, outer)
    };
    let inner = call(2, r#"{"b": 2.0, "\u0061":1}"#);
    let within = |subject: &mut Subject, line: &str, outer, caller| {
        let actions = subject.relay.from_within(line.as_bytes(), 50, outer, 0);
        subject.take(actions);
        subject.is_of(caller);
    };
    let (mut subject, of) = outer();
    within(&mut subject, &inner, of, 1);
    assert_eq!((subject.asks.len(), subject.to_server.last()), (1, Some(&inner)));
    subject.server(r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    within(&mut subject, &inner.replace("\"id\":2", "\"id\":3"), of, 1);
    assert_eq!(
        (subject.asks.len(), subject.to_server.len()),
        (2, 2),
        "a second time it is a call of its own"
    );
    // Nothing that a client sends is an inner call.
    let (mut subject, _) = outer();
    subject.client(&inner);
    subject.is_of(1);
    assert_eq!((subject.asks.len(), subject.to_server.len()), (2, 1));
    for (line, caller) in [
        (call(2, r#"{"a":1,"b":3}"#), 1),
        (inner.replace("\"pay\"", "\"other\""), 1),
        (inner.replace("tools/call", "resources/read"), 1),
        (inner.clone(), 2),
    ] {
        let (mut subject, of) = outer();
        within(&mut subject, &line, of, caller);
        assert_eq!((subject.asks.len(), subject.to_server.len()), (2, 1), "{line}");
    }
    // The outer call has ended.
    let (mut subject, of) = outer();
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    within(&mut subject, &inner, of, 1);
    assert_eq!((subject.asks.len(), subject.to_server.len()), (2, 1));
}

#[test]
fn a_call_can_be_answered_by_who_decides() {
    let mut subject = identifying();
    subject.client(call(1, "{}"));
    subject.is_of(1);
    let needs = r#"{"resultType":"input_required","inputRequests":{},"requestState":"mine"}"#;
    subject.decided(subject.asks[0].call, Verdict::Answer(needs.to_owned()));
    assert_eq!(subject.to_client, [format!(r#"{{"jsonrpc":"2.0","id":1,"result":{needs}}}"#)]);
    assert_eq!(subject.finished, [(subject.asks[0].call, Outcome::NotRun.to_string())]);
    // It is a call of its own when it comes again: no round of the server's.
    subject.client(call(1, "{}").replace("\"params\":{", "\"params\":{\"requestState\":\"mine\","));
    subject.is_of(1);
    assert_eq!((subject.asks.len(), subject.to_server.len()), (2, 0));
}
