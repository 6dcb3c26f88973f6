//! Calls: decided before they are passed on, ended once.

use std::sync::Arc;

use callgate::time::ManualClock;
use callgate::{Call, Decision, Engine, Policy};

use super::*;

#[test]
fn a_call_passes_once_it_is_allowed_and_ends_with_its_answer() {
    for (answer, outcome) in [
        (r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#, "done"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}"#, "tool_error"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{"isError":false}}"#, "done"),
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}"#, "error"),
    ] {
        let mut subject = Subject::new().connected();
        let line = call(1, r#"{"amount": 5.0}"#);
        subject.client(&line);
        assert_eq!(subject.to_server, [""; 0], "not before it is decided");
        assert_eq!(subject.asks[0].args.as_deref(), Some(r#"{"amount": 5.0}"#));
        subject.decided(subject.asks[0].call, Verdict::Allow);
        assert_eq!(subject.to_server, [line]);
        subject.server(answer);
        assert_eq!(subject.to_client, [answer]);
        assert_eq!(subject.finished, [(subject.asks[0].call, outcome.to_owned())]);
        subject.server(answer);
        assert_eq!((subject.to_client.len(), subject.finished.len()), (1, 1), "it has ended");
    }
}

#[test]
fn a_refused_call_is_answered_and_does_not_pass() {
    let mut subject = Subject::new().connected();
    subject.client(call(1, "{}"));
    subject.decided(subject.asks[0].call, refusal());
    assert_eq!(subject.to_server, [""; 0]);
    let wanted =
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"no"}],"isError":true}}"#;
    assert_eq!(subject.to_client, [wanted]);
    assert_eq!(subject.finished, [(subject.asks[0].call, "not_run".to_owned())]);
    // Its id is free again, and an answer of the server to it is nobody's.
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!(subject.to_client.len(), 1);
    subject.client(call(1, "{}"));
    assert_eq!(subject.asks.len(), 2);
}

#[test]
fn a_refused_call_says_what_kind_of_result_it_is_where_the_client_wants_it() {
    let mut subject = Subject::new();
    subject.client(call(1, "{}"));
    subject.decided(subject.asks[0].call, refusal());
    assert!(
        subject.to_client[0].contains(r#""isError":true,"resultType":"complete"}"#),
        "{:?}",
        subject.to_client
    );
}

#[test]
fn a_refused_call_that_asked_for_a_task_gets_an_error() {
    let mut subject = Subject::new().connected();
    subject.client(r#"{"jsonrpc":"2.0","id":"t","method":"tools/call","params":{"name":"pay","task":{}}}"#);
    assert!(subject.asks[0].task);
    subject.decided(subject.asks[0].call, refusal());
    let answer: Value = serde_json::from_str(&subject.to_client[0]).unwrap();
    let wanted = serde_json::json!({"jsonrpc": "2.0", "id": "t",
        "error": {"code": -31000, "message": "no", "data": {"callgate/code": "denied"}}});
    assert_eq!(answer, wanted);
}

/// Spec 10.6.
#[test]
fn what_a_decision_tells_a_client_is_a_result_or_the_error_of_a_task() {
    let policy = r#"{"version":"1","default":"deny","tools":{"pay":{"limits":[{"counter":"n","window":"minute","max":1}]}}}"#;
    let clock = Arc::new(ManualClock::new("2026-11-21T10:00:06.000Z".parse().unwrap()));
    let engine = Engine::builder(Policy::from_json(policy).unwrap()).clock(clock).build();
    let decide = || engine.decide_json(&Call::new("pay", "{}")).into_owned();
    let (allowed, denied) = (decide(), decide());
    let told = |task: &str, decision: &Decision<'_>| {
        let mut subject = Subject::new().connected();
        let params = format!(r#"{{"name":"pay"{task}}}"#);
        subject.client(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#));
        subject.decided(subject.asks[0].call, Verdict::Refuse(Refusal::from(decision)));
        let mut answer: Value = serde_json::from_str(&subject.to_client[0]).unwrap();
        if task.is_empty() { answer["result"].take() } else { answer["error"].take() }
    };
    let text = "Rate limit of 1 per minute reached. Try again in 54 seconds.";
    let meta = serde_json::json!({"callgate/code": "limit_exceeded", "callgate/retry_after": 54});
    let result =
        serde_json::json!({"content": [{"type": "text", "text": text}], "isError": true, "_meta": meta});
    assert_eq!(told("", &denied), result);
    let task = r#","task":{"ttl":1000}"#;
    assert_eq!(
        told(task, &denied),
        serde_json::json!({"code": callgate::MCP_DENIED, "message": text, "data": meta})
    );
    // A driver that refuses what is allowed has nothing to tell, and the call does not run all the same.
    let text = "The call could not be checked against the policy";
    assert_eq!(told("", &allowed)["content"][0]["text"], text);
    assert_eq!(told(task, &allowed), serde_json::json!({"code": callgate::MCP_DENIED, "message": text}));
}

/// Spec 8.13: a task that was accepted has not ended.
#[test]
fn a_call_that_the_server_took_on_as_a_task_has_not_ended() {
    let asks = r#","task":{"ttl":1000}"#;
    for (params, result, outcome) in [
        (asks, r#"{"task":{"taskId":"1","status":"working"}}"#, "accepted"),
        (asks, r#"{"content":[]}"#, "done"),
        (asks, r#"{"task":"1"}"#, "done"),
        // Nobody asked, so that this is the tool's own.
        ("", r#"{"task":{"taskId":"1","status":"working"}}"#, "done"),
        ("", r#"{"resultType":"task","taskId":"1","status":"working"}"#, "accepted"),
        (asks, r#"{"resultType":"complete","content":[],"isError":true}"#, "tool_error"),
    ] {
        let mut subject = Subject::new().connected();
        let params = format!(r#"{{"name":"pay"{params}}}"#);
        subject.client(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#));
        subject.decided(subject.asks[0].call, Verdict::Allow);
        let answer = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
        subject.server(&answer);
        assert_eq!(subject.to_client, [answer]);
        assert_eq!(subject.finished, [(subject.asks[0].call, outcome.to_owned())]);
        // The connection's end says nothing of it any more.
        let actions = subject.relay.client_closed();
        subject.take(actions);
        assert_eq!(subject.finished.len(), 1);
    }
}

#[test]
fn null_arguments_are_absent() {
    let mut subject = Subject::new().connected();
    subject.client(call(1, "null"));
    assert_eq!(subject.asks[0].args, None);
    subject.decided(subject.asks[0].call, Verdict::Allow);
    assert_eq!(subject.to_server, [call(1, "null")]);
}

#[test]
fn other_messages_pass_while_a_call_is_decided_or_runs() {
    let mut subject = Subject::new().connected();
    subject.client(call(1, "{}"));
    let ping = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
    subject.client(ping);
    assert_eq!(subject.to_server, [ping]);
    subject.decided(subject.asks[0].call, Verdict::Allow);
    subject.server(r#"{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{}}"#);
    let answer = r#"{"jsonrpc":"2.0","id":9,"result":{"role":"assistant"}}"#;
    subject.client(answer);
    assert_eq!(subject.to_server.last().unwrap(), answer);
    assert_eq!(subject.to_client.len(), 1);
}

#[test]
fn a_cancelled_call_ends_once() {
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    // While it is decided: the server never hears of it.
    let mut subject = Subject::new().connected();
    subject.client(call(1, "{}"));
    subject.client(cancel);
    assert_eq!((subject.to_server.len(), subject.finished.len()), (0, 0));
    subject.decided(subject.asks[0].call, Verdict::Allow);
    assert_eq!(subject.to_server, [""; 0]);
    assert_eq!(subject.finished, [(subject.asks[0].call, "not_run".to_owned())]);
    assert_eq!(subject.to_client, [""; 0]);

    // While it runs: it may have run.
    let mut subject = Subject::new().connected();
    subject.client(call(1, "{}"));
    subject.decided(subject.asks[0].call, Verdict::Allow);
    subject.client(cancel);
    subject.client(cancel);
    assert_eq!(subject.to_server.len(), 3);
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!(subject.finished, [(subject.asks[0].call, "cancelled".to_owned())]);
    assert_eq!(subject.to_client, [""; 0], "its client waits no longer");
}

#[test]
fn a_call_that_is_given_up_before_it_is_decided_was_never_made() {
    let withdrawn = |request: &str| Note::Withdrawn { request: request.to_owned(), tool: "pay".to_owned() };
    let mut subject = Subject::reading();
    subject.client(call(1, "{}"));
    subject.client(call(2, "{}"));
    assert_eq!(subject.relay.waiting_bytes(), call(1, "{}").len() + call(2, "{}").len());
    subject.client(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    assert_eq!(subject.notes, [withdrawn("1")]);
    assert_eq!(subject.relay.waiting_bytes(), call(2, "{}").len());
    let actions = subject.relay.client_closed();
    subject.take(actions);
    assert_eq!(subject.notes[1..], [withdrawn("2")]);
    assert_eq!((subject.finished.len(), subject.relay.waiting_bytes()), (0, 0));
}

#[test]
fn what_is_decided_of_says_which_request_and_which_revision() {
    let mut subject = Subject::new();
    subject.client(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#);
    subject.server(r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}"#);
    subject.client(call(1, "{}"));
    let ask = &subject.asks[0];
    assert_eq!((ask.request.as_str(), ask.protocol.as_deref()), ("1", Some("2025-11-25")));
    let mut subject = Subject::new();
    subject.client(r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"pay","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#);
    let ask = &subject.asks[0];
    assert_eq!((ask.request.as_str(), ask.protocol.as_deref()), ("\"a\"", Some("2026-07-28")));
    subject.decided(subject.asks[0].call, Verdict::Allow);
    assert_eq!(subject.relay.waiting_bytes(), 0);
}

#[test]
fn requests_that_are_cancelled_take_no_room() {
    let mut subject = Subject::new().connected();
    for id in 1..=30_000 {
        let method = ["tools/list", "ping"][id % 2];
        subject.client(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#));
        subject.client(format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        ));
    }
    assert_eq!((subject.to_server.len(), subject.to_client.len()), (60_000, 0));
    // A list that nobody waits for is not shown to anybody.
    subject.server(r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"secret"}]}}"#);
    assert_eq!(subject.to_client, [""; 0]);
}

#[test]
fn calls_end_with_their_connection() {
    let mut subject = Subject::new().connected();
    for id in 1..=3 {
        subject.client(call(id, "{}"));
    }
    subject.decided(subject.asks[0].call, Verdict::Allow);
    let actions = subject.relay.server_closed("the server closed the connection");
    subject.take(actions);
    assert_eq!(subject.to_client.len(), 3, "{:?}", subject.to_client);
    assert_eq!(subject.finished, [(subject.asks[0].call, "lost".to_owned())]);
    for ask in 1..3 {
        subject.decided(subject.asks[ask].call, Verdict::Allow);
    }
    assert_eq!(subject.finished.iter().filter(|(_, outcome)| outcome == "not_run").count(), 2);
    assert_eq!(subject.to_server.len(), 1);
}

/// Trap 42: a call in several rounds is decided and charged once, and nothing else rides on it.
#[test]
fn a_call_that_needed_input_rides_on_its_first_decision() {
    let again = |id: u32, amount: u32, state: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"pay","arguments":{{"amount":{amount}}},"inputResponses":{{}},"requestState":{state}}}}}"#
        )
    };
    let needs = |id: u32| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"input_required","requestState":"s-{id}"}}}}"#
        )
    };
    let mut subject = Subject::new();
    subject.client(call(1, r#"{"amount":5}"#));
    subject.decided(subject.asks[0].call, Verdict::Allow);
    subject.server(&needs(1));
    assert!(subject.finished.is_empty());
    // The same call, with the same state.
    subject.client(again(2, 5, "\"s-1\""));
    assert_eq!(subject.asks.len(), 1);
    assert_eq!(subject.to_server.last().unwrap(), &again(2, 5, "\"s-1\""));
    subject.server(&needs(2));
    // Once used, a state is spent; other arguments are another call; an unknown state, too.
    for (id, amount, state) in [(3, 5, "\"s-1\""), (4, 6, "\"s-2\""), (5, 5, "\"s-9\"")] {
        subject.client(again(id, amount, state));
    }
    assert_eq!(subject.asks.len(), 4);
    // An escape is another spelling of the same state.
    subject.client(again(6, 5, "\"s\\u002d2\""));
    assert_eq!(subject.asks.len(), 4);
    subject.server(r#"{"jsonrpc":"2.0","id":6,"result":{}}"#);
    assert_eq!(subject.finished, [(subject.asks[0].call, "done".to_owned())]);
}

#[test]
fn a_call_that_needs_input_ends_in_time_and_in_rounds() {
    let mut subject = Subject::new();
    subject.client(call(1, "{}"));
    subject.decided(subject.asks[0].call, Verdict::Allow);
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"s"}}"#);
    let actions = subject.relay.wake(600_001);
    subject.take(actions);
    assert_eq!(subject.finished, [(subject.asks[0].call, "timed_out".to_owned())]);

    let mut subject = Subject::new();
    subject.client(call(0, "{}"));
    subject.decided(subject.asks[0].call, Verdict::Allow);
    for id in 1..=8 {
        let before = id - 1;
        subject.server(&format!(
            r#"{{"jsonrpc":"2.0","id":{before},"result":{{"resultType":"input_required","requestState":"{before}"}}}}"#
        ));
        subject.client(format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"pay","arguments":{{}},"requestState":"{before}"}}}}"#
        ));
    }
    assert_eq!(subject.asks.len(), 2, "the ninth round is a new call");
}

/// Another policy may deny what goes on, and its charge is of another policy.
#[test]
fn a_call_that_goes_on_after_a_reload_is_a_new_call() {
    let mut subject = Subject::new().connected();
    subject.client(call(1, "{}"));
    subject.decided(subject.asks[0].call, Verdict::Allow);
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"s"}}"#);
    let actions = subject.relay.reloaded(|_| true, |_| false);
    subject.take(actions);
    assert_eq!(subject.finished, [(subject.asks[0].call, "done".to_owned())]);
    subject.client(
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"pay","arguments":{},"inputResponses":{},"requestState":"s"}}"#,
    );
    assert_eq!((subject.asks.len(), subject.to_server.len()), (2, 1));
}

/// A client that calls again at once finds what was given back.
#[test]
fn a_call_has_ended_before_its_caller_is_told() {
    let is_first = |actions: &[Action]| {
        let ends = actions.iter().position(|action| matches!(action, Action::Finish { .. })).unwrap();
        let told = actions.iter().position(|action| matches!(action, Action::Send { .. })).unwrap();
        ends < told
    };
    let sent = || {
        let mut subject = Subject::new().connected();
        subject.client(call(1, "{}"));
        subject.decided(subject.asks[0].call, Verdict::Allow);
        subject
    };
    let mut subject = Subject::new().connected();
    subject.client(call(1, "{}"));
    assert!(is_first(&subject.relay.decided(subject.asks[0].call, refusal(), 0)));
    for answer in [
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"result":{}}"#,
    ] {
        assert!(is_first(&sent().relay.from_server(answer.as_bytes(), 1, 0)), "{answer}");
    }
    assert!(is_first(&sent().relay.server_closed("gone")));
    let mut subject = sent();
    assert!(is_first(&subject.relay.unsent(subject.asks[0].call)));
}

#[test]
fn a_decision_that_nobody_asked_for_changes_nothing() {
    let mut subject = Subject::new().connected();
    subject.client(call(1, "{}"));
    let known = subject.asks[0].call;
    for _ in 0..2 {
        subject.decided(known, Verdict::Allow);
        subject.decided(known, refusal());
    }
    assert_eq!((subject.to_server.len(), subject.to_client.len(), subject.finished.len()), (1, 0, 0));
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    subject.decided(known, Verdict::Allow);
    // One that is not known, too.
    subject.decided(CallId::of(77), Verdict::Allow);
    assert_eq!(subject.finished, [(known, "done".to_owned())]);
}

/// Also where nobody woke the relay in time.
#[test]
fn a_round_that_comes_too_late_is_a_new_call() {
    for (late, decided) in [(599_999, 1), (600_000, 2)] {
        let mut subject = Subject::new().connected();
        subject.client(call(1, "{}"));
        subject.decided(subject.asks[0].call, Verdict::Allow);
        subject.server(
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"s"}}"#,
        );
        subject.now = late;
        subject.client(call(2, "{}").replace("\"params\":{", "\"params\":{\"requestState\":\"s\","));
        assert_eq!(subject.asks.len(), decided, "{late}");
    }
}

/// The tool ran. What a client can cause must not give a charge back.
#[test]
fn a_call_whose_answer_cannot_be_passed_on_is_done() {
    for answer in [
        r#"{"jsonrpc":"2.0","id":1,"result":{},"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
    ] {
        let mut subject = Subject::new().connected();
        subject.client(call(1, "{}"));
        subject.decided(subject.asks[0].call, Verdict::Allow);
        subject.server(answer);
        assert_eq!(subject.finished, [(subject.asks[0].call, "done".to_owned())], "{answer}");
        assert!(subject.to_client[0].contains("-32603"));
    }
}
