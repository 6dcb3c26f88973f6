//! Requests of other methods than `tools/call`, of both sides, and requests for input in answers.

use super::*;

/// Decides what a policy with `requests` decides; shows nothing secret.
fn deciding() -> Subject {
    let decides =
        |method: &str| !method.ends_with("list_changed") && method != "ping" && method != "tasks/get";
    let lists = |method: &str| method.ends_with("/list") && method != "roots/list";
    Subject::with(
        Options::new("n")
            .reads_args(|_, _| false)
            .decides(move |_, method| {
                decides(method)
                    && !lists(method)
                    && !method.starts_with("notifications/")
                    && method != "initialize"
                    && method != "subscriptions/listen"
            })
            .shows(|_, _, params| !params.contains("secret") && params != "{}"),
    )
    .connected()
}

fn error(id: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-31000,"message":"no","data":{{"callgate/code":"denied"}}}}}}"#
    )
}

fn request(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"{params}}}"#)
}

#[test]
fn a_request_is_decided_by_its_params_and_passes_as_it_came() {
    for (params, args) in [
        ("", "{}"),
        (r#","params":{}"#, "{}"),
        (
            r#","params": {"uri" : "a:b" ,"_meta":{"x":1},"n":1.0,"requestState":"s","inputResponses":{}}"#,
            r#"{"uri":"a:b","n":1.0}"#,
        ),
        (r#","params":{"\u0075ri":"a:b"}"#, r#"{"uri":"a:b"}"#),
        // What is no object is denied by the policy for that.
        (r#","params":["a:b"]"#, r#"["a:b"]"#),
        (r#","params":null"#, "null"),
    ] {
        let mut subject = deciding();
        let line = request("1", "resources/read", params);
        subject.client(&line);
        assert_eq!(subject.to_server, [""; 0], "not before it is decided");
        let ask = &subject.asks[0];
        assert_eq!((&*ask.method, ask.tool.as_deref(), ask.from), ("resources/read", None, Peer::Client));
        assert_eq!(ask.args.as_deref(), Some(args));
        subject.decided(subject.asks[0].call, Verdict::Allow);
        assert_eq!(subject.to_server, [line]);
        subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{"isError":true}}"#);
        assert_eq!(subject.finished, [(subject.asks[0].call, "done".to_owned())]);
        assert_eq!(subject.to_client.len(), 1);
    }
}

#[test]
fn a_denied_request_gets_an_error() {
    for method in
        ["resources/read", "prompts/get", "completion/complete", "resources/subscribe", "tools/other", "x"]
    {
        let mut subject = deciding();
        subject.client(request("\"a\"", method, ""));
        subject.decided(subject.asks[0].call, refusal());
        assert_eq!((&subject.to_client, subject.to_server.len()), (&vec![error("\"a\"")], 0), "{method}");
        assert_eq!(subject.finished, [(subject.asks[0].call, "not_run".to_owned())]);
    }
}

#[test]
fn a_tool_is_called_as_ever() {
    let mut subject = deciding();
    subject.client(call(1, r#"{"amount":5}"#));
    let ask = &subject.asks[0];
    assert_eq!(
        (&*ask.method, ask.tool.as_deref(), ask.args.as_deref()),
        ("tools/call", Some("pay"), Some(r#"{"amount":5}"#))
    );
    subject.decided(subject.asks[0].call, refusal());
    assert!(subject.to_client[0].contains("isError"), "{:?}", subject.to_client);
}

#[test]
fn what_is_not_decided_passes_at_once() {
    let read = request("1", "resources/read", "");
    let mut subject = Subject::new().connected();
    subject.client(&read);
    assert_eq!((&subject.to_server, subject.asks.len()), (&vec![read], 0), "no requests are decided");
    let mut subject = deciding();
    let ping = request("1", "ping", r#","params":[1]"#);
    subject.client(&ping);
    assert_eq!((&subject.to_server, subject.asks.len()), (&vec![ping], 0));
}

/// A server may do what a notification asks for, and answer nothing.
#[test]
fn a_notification_of_a_decided_method_does_not_pass() {
    let line = r#"{"jsonrpc":"2.0","method":"resources/read","params":{"uri":"a:b"}}"#;
    let mut subject = deciding();
    subject.client(line);
    subject.server(&line.replace("resources/read", "sampling/createMessage"));
    assert_eq!((subject.to_server.len(), subject.to_client.len(), subject.asks.len()), (0, 0, 0));
    assert_eq!(subject.notes.len(), 2);
    let mut subject = Subject::new().connected();
    subject.client(line);
    assert_eq!(subject.to_server, [line]);
}

#[test]
fn members_that_read_like_others_are_refused() {
    for params in [r#","params":{"URI":"a:b"}"#, r#","Params":{}"#, r#","params":{"uri":"a","uri":"b"}"#] {
        let mut subject = deciding();
        subject.client(request("1", "resources/read", params));
        assert_eq!((subject.to_server.len(), subject.asks.len()), (0, 0), "{params}");
        assert!(subject.to_client[0].contains("-32600"), "{:?}", subject.to_client);
    }
}

#[test]
fn an_id_is_in_flight_while_its_request_is_decided() {
    let mut subject = deciding();
    subject.client(request("1", "resources/read", ""));
    subject.client(request("\"1\"", "prompts/get", ""));
    assert_eq!(subject.asks.len(), 1);
    assert!(subject.to_client[0].contains("in flight"));
    for id in ["null", "1.5", "[1]"] {
        subject.client(request(id, "prompts/get", ""));
    }
    assert_eq!((subject.asks.len(), subject.to_server.len()), (1, 0));
}

#[test]
fn a_request_of_the_server_is_decided_before_the_client_sees_it() {
    let line = request("9", "sampling/createMessage", r#","params":{"maxTokens": 5,"_meta":{}}"#);
    let mut subject = deciding();
    subject.server(&line);
    assert_eq!(subject.to_client, [""; 0]);
    assert_eq!(subject.relay.deciding_bytes(), line.len());
    let ask = &subject.asks[0];
    assert_eq!(
        (&*ask.method, ask.from, ask.args.as_deref()),
        ("sampling/createMessage", Peer::Server, Some(r#"{"maxTokens":5}"#))
    );
    // An answer to what the client does not know is nobody's.
    subject.client(r#"{"jsonrpc":"2.0","id":9,"result":{}}"#);
    assert_eq!(subject.to_server, [""; 0]);
    subject.decided(subject.asks[0].call, Verdict::Allow);
    assert_eq!((&subject.to_client, subject.relay.deciding_bytes()), (&vec![line.clone()], 0));
    let answer = r#"{"jsonrpc":"2.0","id":9,"error":{"code":-1,"message":""}}"#;
    subject.client(answer);
    subject.client(answer);
    assert_eq!(subject.to_server, [answer]);
    assert_eq!(subject.finished, [(subject.asks[0].call, "error".to_owned())]);

    let mut subject = deciding();
    subject.server(&line);
    subject.decided(subject.asks[0].call, refusal());
    assert_eq!((&subject.to_server, subject.to_client.len()), (&vec![error("9")], 0));
    assert_eq!(subject.finished, [(subject.asks[0].call, "not_run".to_owned())]);
}

#[test]
fn a_request_of_the_server_that_is_given_up_ends_once() {
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}"#;
    for (is_sent, seen, outcome) in [(false, 0, "not_run"), (true, 2, "cancelled")] {
        let mut subject = deciding();
        subject.server(&request("9", "roots/list", ""));
        let call = subject.asks[0].call;
        if is_sent {
            subject.decided(call, Verdict::Allow);
        }
        subject.server(cancel);
        if !is_sent {
            subject.decided(call, Verdict::Allow);
        }
        assert_eq!((subject.to_client.len(), subject.relay.deciding_bytes()), (seen, 0));
        assert_eq!(subject.finished, [(call, outcome.to_owned())]);
    }
    let mut subject = deciding();
    subject.server(&request("9", "roots/list", ""));
    subject.decided(subject.asks[0].call, Verdict::Allow);
    let actions = subject.relay.client_closed();
    subject.take(actions);
    assert_eq!(subject.finished, [(subject.asks[0].call, "lost".to_owned())]);
}

/// A client's parser may ignore case, take the last of two members, or end a line at a carriage return.
#[test]
fn a_line_of_the_server_that_reads_two_ways_does_not_pass() {
    for line in [
        r#"{"jsonrpc":"2.0","id":9,"method":"ping","METHOD":"sampling/createMessage"}"#,
        r#"{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{"a":1,"a":2}}"#,
        r#"{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{},"params":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/x","Id":9,"Method":"sampling/createMessage"}"#,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\",\"params\":\r{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"roots/list\"}\r}",
        r#"{"jsonrpc":"2.0","method":"notifications/tasks","params":{"inputRequests":{}}}"#,
    ] {
        let mut subject = deciding();
        subject.server(line);
        assert_eq!((subject.to_client.len(), subject.asks.len()), (0, 0), "{line}");
        assert!(!subject.notes.is_empty(), "{line}");
    }
    let mut subject = deciding();
    subject.client(call(1, "{}"));
    subject.decided(subject.asks[0].call, Verdict::Allow);
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{},"Method":"roots/list"}"#);
    assert!(subject.to_client[0].contains("-32603"), "its client waits no longer: {:?}", subject.to_client);
}

const NEEDS: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"m"}},"b":{"method":"roots/list"},"c":{"method":"ping"}},"requestState":"s"}}"#;

fn needing(first: &str) -> Subject {
    let mut subject = deciding();
    subject.client(first);
    subject.decided(subject.asks[0].call, Verdict::Allow);
    subject.server(NEEDS);
    assert_eq!(subject.to_client, [""; 0]);
    let asked: Vec<_> =
        subject.asks[1..].iter().map(|ask| (&*ask.method, ask.args.as_deref().unwrap())).collect();
    assert_eq!(asked, [("elicitation/create", r#"{"message":"m"}"#), ("roots/list", "{}")]);
    subject
}

#[test]
fn an_answer_that_asks_for_input_waits_for_every_decision() {
    for first in [call(1, "{}"), request("1", "prompts/get", r#","params":{"name":"p"}"#)] {
        let mut subject = needing(&first);
        subject.decided(subject.asks[2].call, Verdict::Allow);
        assert_eq!(subject.to_client, [""; 0]);
        // The server cannot answer twice.
        subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        assert_eq!(subject.to_client, [""; 0]);
        subject.decided(subject.asks[1].call, Verdict::Allow);
        assert_eq!((&*subject.to_client, subject.relay.deciding_bytes()), (&[NEEDS.to_owned()][..], 0));
        assert_eq!(subject.finished.len(), 2, "{:?}", subject.finished);
        // The call goes on with its state, and rides on its first decision.
        let again = first.replacen("\"id\":1", "\"id\":2", 1).replacen(
            "\"params\":{",
            "\"params\":{\"requestState\":\"s\",",
            1,
        );
        subject.client(&again);
        assert_eq!((subject.asks.len(), subject.to_server.last()), (3, Some(&again)));
    }
}

/// The state of one request lets no other ride on it.
#[test]
fn a_request_of_another_method_is_a_new_one() {
    let mut subject = needing(&request("1", "prompts/get", r#","params":{"name":"p"}"#));
    for ask in 1..3 {
        subject.decided(subject.asks[ask].call, Verdict::Allow);
    }
    subject.client(request("2", "x/get", r#","params":{"name":"p","requestState":"s"}"#));
    assert_eq!((subject.asks.len(), subject.to_server.len()), (4, 1));
}

#[test]
fn an_answer_with_a_denied_request_for_input_is_an_error() {
    for first in [1, 2] {
        let mut subject = needing(&call(1, "{}"));
        let (denied, other) = (subject.asks[first].call, subject.asks[3 - first].call);
        subject.decided(denied, refusal());
        assert_eq!((&*subject.to_client, subject.relay.deciding_bytes()), (&[error("1")][..], 0));
        subject.decided(other, Verdict::Allow);
        let ended = |call, outcome: &str| (call, outcome.to_owned());
        let wanted = [ended(denied, "not_run"), ended(subject.asks[0].call, "done"), ended(other, "not_run")];
        assert_eq!(subject.finished, wanted);
        assert_eq!(subject.to_client.len(), 1);
        // Its id is free, and its state is nobody's.
        subject.client(call(1, "{}").replacen("\"params\":{", "\"params\":{\"requestState\":\"s\",", 1));
        assert_eq!(subject.asks.len(), 4);
    }
}

#[test]
fn an_answer_that_is_held_ends_with_its_client() {
    let mut subject = needing(&call(1, "{}"));
    subject.decided(subject.asks[1].call, Verdict::Allow);
    subject.client(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    subject.decided(subject.asks[2].call, Verdict::Allow);
    let outcomes: Vec<_> = subject.finished.iter().map(|(_, outcome)| &**outcome).collect();
    assert_eq!(outcomes, ["not_run", "cancelled", "not_run"]);
    assert_eq!((subject.to_client.len(), subject.relay.deciding_bytes()), (0, 0));

    let mut subject = needing(&call(1, "{}"));
    let actions = subject.relay.server_closed("gone");
    subject.take(actions);
    assert_eq!((subject.to_client.len(), &*subject.finished[0].1), (1, "lost"));
}

/// A task's state may ask for input, too, and nothing decides the request for that state.
#[test]
fn input_is_decided_in_every_answer() {
    let mut subject = deciding();
    subject.client(request("1", "tasks/get", ""));
    subject.server(NEEDS);
    subject.decided(subject.asks[0].call, Verdict::Allow);
    subject.decided(subject.asks[1].call, Verdict::Allow);
    assert_eq!(subject.to_client, [NEEDS]);
    subject.client(request("1", "tasks/get", ""));
    subject.server(NEEDS);
    subject.decided(subject.asks[2].call, refusal());
    assert_eq!(subject.to_client[1], error("1"));
}

#[test]
fn requests_for_input_that_cannot_be_read_do_not_pass() {
    for inputs in [
        r#""inputRequests":[]"#,
        r#""inputRequests":{"a":{}}"#,
        r#""inputRequests":{"a":{"method":7}}"#,
        r#""inputRequests":{"a":{"method":"roots/list"},"a":{"method":"ping"}}"#,
        r#""inputRequests":{"a":{"method":"ping","Method":"roots/list"}}"#,
        r#""inputRequests":{},"inputRequests":{}"#,
        r#""inputrequests":{"a":{"method":"roots/list"}}"#,
    ] {
        let mut subject = deciding();
        subject.client(call(1, "{}"));
        subject.decided(subject.asks[0].call, Verdict::Allow);
        subject.server(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"resultType":"input_required",{inputs}}}}}"#
        ));
        assert!(subject.to_client[0].contains("-32603"), "{inputs}: {:?}", subject.to_client);
        assert_eq!(subject.asks.len(), 1);
    }
}

#[test]
fn lists_lose_what_can_never_be_got() {
    for (method, list, key) in [("resources/list", "resources", "uri"), ("prompts/list", "prompts", "name")] {
        let answer = |items: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"result":{{"{list}":[{items}],"nextCursor":"c","ttlMs":1,"cacheScope":"private"}}}}"#
            )
        };
        let item = |name: &str| format!(r#"{{"{key}":"{name}","title": "t"}}"#);
        let both = answer(&format!("{},{},{}", item("a"), item("secret"), item("a")));
        let mut subject = deciding();
        subject.client(request("1", method, ""));
        subject.server(&both);
        assert_eq!(subject.to_client, [answer(&format!("{},{}", item("a"), item("a")))]);
        assert_eq!(subject.notes, [Note::ListFiltered { method, hidden: 1 }]);
        for broken in [r#"{"title":"secret"}"#, r#"{"uri":7,"name":7}"#, "1"] {
            let mut subject = deciding();
            subject.client(request("1", method, ""));
            subject.server(&answer(broken));
            assert!(subject.to_client[0].contains("-32603"), "{broken}");
        }
        // Where no requests are decided, nothing is read.
        let mut subject = Subject::new().connected();
        subject.client(request("1", method, ""));
        subject.server(&answer("1"));
        assert_eq!(subject.to_client, [answer("1")]);
    }
    // Of a template the address is open.
    let mut subject = deciding();
    subject.client(request("1", "resources/templates/list", ""));
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"a:{x}"}]}}"#);
    assert_eq!(subject.to_client, [r#"{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[]}}"#]);
}

/// Another caller may see others: no cache may share the list.
#[test]
fn a_list_of_resources_is_never_public() {
    let mut subject = deciding();
    subject.client(request("1", "resources/list", ""));
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{"resources":[],"cacheScope":"public"}}"#);
    assert_eq!(
        subject.to_client,
        [r#"{"jsonrpc":"2.0","id":1,"result":{"resources":[],"cacheScope":"private"}}"#]
    );
}

/// Spec 3.10: who is told of a resource learns what reading it would tell.
#[test]
fn each_resource_is_decided_that_a_client_wants_to_hear_of() {
    let listen = |resources: &str| {
        request(
            "1",
            "subscriptions/listen",
            &format!(r#","params":{{"notifications":{{"resourceSubscriptions":{resources}}}}}"#),
        )
    };
    let two = listen(r#"["a:b","a:\u0063"]"#);
    let mut subject = deciding();
    subject.client(&two);
    let asked: Vec<_> =
        subject.asks.iter().map(|ask| (&*ask.method, ask.args.as_deref(), ask.from)).collect();
    let wanted = |args| ("resources/subscribe", Some(args), Peer::Client);
    assert_eq!(asked, [wanted(r#"{"uri":"a:b"}"#), wanted(r#"{"uri":"a:c"}"#)]);
    let calls = [subject.asks[0].call, subject.asks[1].call];
    subject.decided(calls[1], Verdict::Allow);
    assert_eq!((subject.to_server.len(), subject.finished.len()), (0, 0), "not before all are decided");
    assert_eq!(subject.relay.waiting_bytes(), two.len());
    subject.decided(calls[0], Verdict::Allow);
    assert_eq!((&*subject.to_server, subject.relay.waiting_bytes()), (&[two.clone()][..], 0));
    assert_eq!(subject.finished.len(), 2);
    assert!(subject.finished.iter().all(|(_, outcome)| outcome == "done"));
    subject.server(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!((subject.to_client.len(), subject.finished.len()), (1, 2));

    // One that is denied denies all.
    for denied in [0, 1] {
        let mut subject = deciding();
        subject.client(&two);
        let calls = [subject.asks[0].call, subject.asks[1].call];
        subject.decided(calls[1 - denied], Verdict::Allow);
        subject.decided(calls[denied], refusal());
        assert_eq!((&*subject.to_client, subject.to_server.len()), (&[error("1")][..], 0));
        let ends: Vec<_> = subject.finished.iter().map(|(_, outcome)| &**outcome).collect();
        assert_eq!((ends, subject.relay.waiting_bytes()), (vec!["not_run"; 2], 0));
    }

    // It is given up meanwhile.
    let mut subject = deciding();
    subject.client(&two);
    let calls = [subject.asks[0].call, subject.asks[1].call];
    subject.decided(calls[0], Verdict::Allow);
    subject.client(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    subject.decided(calls[1], Verdict::Allow);
    assert_eq!((subject.to_server.len(), subject.to_client.len(), subject.relay.waiting_bytes()), (0, 0, 0));
    assert_eq!((&*subject.given_up, subject.finished.len()), (&calls[1..], 2));

    // What names none passes, and what cannot be read does not.
    for resources in ["[]", "null"] {
        let mut subject = deciding();
        subject.client(listen(resources));
        assert_eq!((subject.to_server.len(), subject.asks.len()), (1, 0), "{resources}");
    }
    for params in [
        r#"{"notifications":{"resourceSubscriptions":"a:b"}}"#,
        r#"{"notifications":{"resourceSubscriptions":[7]}}"#,
        r#"{"notifications":{"resourceSubscriptions":{"uri":"a:b"}}}"#,
        r#"{"notifications":{"ResourceSubscriptions":["a:b"]}}"#,
        r#"{"Notifications":{"resourceSubscriptions":["a:b"]}}"#,
        r#"{"notifications":["a:b"]}"#,
        r#"["a:b"]"#,
        &format!(r#"{{"notifications":{{"resourceSubscriptions":[{}"a"]}}}}"#, r#""a","#.repeat(1_000)),
    ] {
        let mut subject = deciding();
        subject.client(request("1", "subscriptions/listen", &format!(r#","params":{params}"#)));
        assert_eq!((subject.to_server.len(), subject.asks.len()), (0, 0), "{params}");
        assert!(subject.to_client[0].contains("-32602"), "{:?}", subject.to_client);
    }
    // Where no requests are decided, it passes.
    let mut subject = Subject::new().connected();
    subject.client(&two);
    assert_eq!((&*subject.to_server, subject.asks.len()), (&[two][..], 0));
}

/// A server may ask for an elicitation by an error, as well.
#[test]
fn an_elicitation_in_an_error_is_decided() {
    let asks = |code: &str, data: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"m","data":{data}}}}}"#)
    };
    let data =
        r#"{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://a.example","message":"m"}]}"#;
    for code in ["-32042", "-32042.0", "-32000"] {
        let line = asks(code, data);
        let mut subject = deciding();
        subject.client(call(1, "{}"));
        subject.decided(subject.asks[0].call, Verdict::Allow);
        subject.server(&line);
        assert_eq!(subject.to_client.len(), 0, "{code}");
        let ask = &subject.asks[1];
        let args = r#"{"mode":"url","elicitationId":"e","url":"https://a.example","message":"m"}"#;
        assert_eq!(
            (&*ask.method, ask.args.as_deref(), ask.from),
            ("elicitation/create", Some(args), Peer::Server)
        );
        subject.decided(subject.asks[1].call, Verdict::Allow);
        assert_eq!(subject.to_client, [line]);
        let ends: Vec<_> = subject.finished.iter().map(|(_, outcome)| &**outcome).collect();
        assert_eq!(ends, ["done", "error"]);
    }
    let mut subject = deciding();
    subject.client(call(1, "{}"));
    subject.decided(subject.asks[0].call, Verdict::Allow);
    subject.server(&asks("-32042", data));
    subject.decided(subject.asks[1].call, refusal());
    assert_eq!(subject.to_client, [error("1")]);
    let ends: Vec<_> = subject.finished.iter().map(|(_, outcome)| &**outcome).collect();
    assert_eq!(ends, ["not_run", "done"], "the server had begun: nothing is given back as for an error");

    for data in [
        r#"{"elicitations":{}}"#,
        r#"{"elicitations":[7]}"#,
        r#"{"Elicitations":[{"mode":"url"}]}"#,
        r#"{"elicitations":[],"elicitations":[{"mode":"url"}]}"#,
        r#"{"elicitations":[{"mode":"url","mode":"form"}]}"#,
    ] {
        let mut subject = deciding();
        subject.client(call(1, "{}"));
        subject.decided(subject.asks[0].call, Verdict::Allow);
        subject.server(&asks("-32042", data));
        assert!(subject.to_client[0].contains("-32603"), "{data}: {:?}", subject.to_client);
        assert_eq!(subject.asks.len(), 1);
    }
    for data in ["null", "[]", "{}", r#"{"elicitations":null}"#, r#"{"elicitations":[]}"#] {
        let mut subject = deciding();
        subject.client(call(1, "{}"));
        subject.decided(subject.asks[0].call, Verdict::Allow);
        subject.server(&asks("-32042", data));
        assert_eq!(subject.to_client, [asks("-32042", data)]);
    }
}

#[test]
fn a_completion_is_read_as_strictly_inside() {
    for params in [
        r#"{"ref":{"type":"ref/prompt","name":"a","Name":"secret"}}"#,
        r#"{"ref":{"type":"ref/prompt","name":"a","TYPE":"ref/resource"}}"#,
        r#"{"ref":{"type":"ref/resource","uri":"a:b","uri\u0000":"a:c"}}"#,
        r#"{"ref":{"type":"ref/prompt","name":"a"},"Ref":{"type":"ref/prompt","name":"secret"}}"#,
        r#"{"ref":{"type":"ref/prompt","name":"a"},"context":{"Arguments":{}}}"#,
        r#"{"ref":{"type":"ref/prompt","name":"a"},"conte\u0078t\u0000":{}}"#,
    ] {
        let mut subject = deciding();
        subject.client(request("1", "completion/complete", &format!(r#","params":{params}"#)));
        assert_eq!((subject.to_server.len(), subject.asks.len()), (0, 0), "{params}");
        assert!(subject.to_client[0].contains("-32600"), "{:?}", subject.to_client);
        let mut subject = Subject::new().connected();
        subject.client(request("1", "completion/complete", &format!(r#","params":{params}"#)));
        assert_eq!(subject.to_server.len(), 1, "where no requests are decided, it passes");
    }
}

/// However many requests of the server are open, none passes undecided.
#[test]
fn nothing_of_the_server_passes_undecided_where_much_is_open() {
    let mut subject = deciding();
    for id in 0..10_000 {
        subject.server(&request(&id.to_string(), "ping", ""));
    }
    subject.to_client.clear();
    subject.server(&request("10000", "sampling/createMessage", ""));
    assert!(subject.to_server[0].contains(r#""id":10000,"error":{"code":-32600"#), "{:?}", subject.to_server);
    subject.server(r#"{"jsonrpc":"2.0","method":"sampling/createMessage","params":{}}"#);
    subject.server(r#"{"jsonrpc":"2.0","method":"notifications/tasks","params":{"inputRequests":{}}}"#);
    assert_eq!((subject.to_client.len(), subject.asks.len()), (0, 0));
    // What says nothing passes.
    subject.server(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#);
    assert_eq!(subject.to_client.len(), 1);
}
