//! Lists of tools: filtered for the client, and asked for by the relay itself.

use super::*;

const LIST: &str = r#"{"jsonrpc":"2.0","id":5,"method":"tools/list","params":{}}"#;

fn hiding() -> Subject {
    Subject::with(Options::new("n").reads_args(|_, _| false).visible(|_, name| name != "secret")).connected()
}

#[test]
fn a_list_loses_what_may_not_be_seen_and_nothing_else() {
    let mut subject = hiding();
    subject.client(LIST);
    subject.server(
        r#"{"jsonrpc":"2.0","id":5,"result":{"x":1.50,"tools":[{"name":"pay","n":1e2},{"name":"secret"},{"name":"get"}],"nextCursor":"c","cacheScope":"public"}}"#,
    );
    let wanted = r#"{"jsonrpc":"2.0","id":5,"result":{"x":1.50,"tools":[{"name":"pay","n":1e2},{"name":"get"}],"nextCursor":"c","cacheScope":"private"}}"#;
    assert_eq!(subject.to_client, [wanted]);
    assert_eq!(subject.notes, [Note::ListFiltered { method: "tools/list", hidden: 1 }]);
}

#[test]
fn a_list_in_which_all_may_be_seen_passes_as_it_is() {
    let mut subject = hiding();
    subject.client(LIST);
    let list = r#" {"jsonrpc":"2.0","id":5,"result":{"tools":[ {"name":"pay"} ],"cacheScope":"public"}}"#;
    subject.server(list);
    assert_eq!(subject.to_client, [list]);
}

#[test]
fn a_list_that_cannot_be_read_is_not_passed_on() {
    for result in [
        r#"{"tools":[{"name":"secret","name":"pay"}]}"#,
        r#"{"tools":[{"name":"secret"}],"tools":[]}"#,
        r#"{"tools":{"name":"secret"}}"#,
        r#"{"tools":[{"title":"secret"}]}"#,
        r#"{"tools":[{"name":7}]}"#,
        r#"{"tools":["secret"]}"#,
        r#"{"tools":[{"name":"a"},{"name":"a"}]}"#,
        r#"{"Tools":[{"name":"secret"}]}"#,
        r#"[{"name":"secret"}]"#,
        "null",
    ] {
        let mut subject = hiding();
        subject.client(LIST);
        subject.server(&format!(r#"{{"jsonrpc":"2.0","id":5,"result":{result}}}"#));
        let answer: Value = serde_json::from_str(&subject.to_client[0]).unwrap();
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&(-32603).into(), &5.into()), "{result}");
    }
}

#[test]
fn the_server_is_asked_for_all_pages_before_a_call_is_decided() {
    let mut subject = Subject::reading();
    subject.client(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#);
    subject.server(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#);
    subject.client(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    subject.client(call(1, r#"{"amount":"5"}"#));
    subject.client(call(2, "{}"));
    assert!(subject.asks.is_empty());
    let question: Value = serde_json::from_str(&subject.to_server[2]).unwrap();
    let page = |id: &Value, result: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    subject.server(&page(&question["id"], r#"{"tools":[{"name":"get"}],"nextCursor":"2"}"#));
    let second: Value = serde_json::from_str(&subject.to_server[3]).unwrap();
    assert_eq!(second["params"]["cursor"], "2");
    assert_ne!(second["id"], question["id"]);
    assert!(subject.asks.is_empty());
    subject.server(&page(&second["id"], r#"{"tools":[{"name":"pay","inputSchema":{"type":"object"}}]}"#));
    assert_eq!(subject.asks.len(), 2, "in the order in which they came");
    assert_eq!(subject.asks[0].args.as_deref(), Some(r#"{"amount":"5"}"#));

    assert_eq!(subject.to_client.len(), 1, "the client hears nothing of it: {:?}", subject.to_client);
}

#[test]
fn a_call_waits_for_the_list_so_long_and_no_longer() {
    for (choice, decided) in [(WithoutSchema::Deny, 0), (WithoutSchema::Allow, 1)] {
        let mut subject = Subject::with(Options::new("n").without_schema(choice).list_timeout(50));
        subject.client(call(1, "{}"));
        let actions = subject.relay.wake(49);
        subject.take(actions);
        assert!(subject.asks.is_empty() && subject.to_client.is_empty());
        let actions = subject.relay.wake(50);
        subject.take(actions);
        assert_eq!(subject.asks.len(), decided);
        assert_eq!(subject.to_client.len(), 1 - decided);
        let unchecked = Note::Unchecked { request: "1".to_owned(), tool: "pay".to_owned() };
        assert_eq!(subject.notes.contains(&unchecked), decided == 0);
    }
}

/// A server that could not answer once, or a client that does not say that it is ready, loses no tool for the rest of the session.
#[test]
fn a_list_that_is_not_known_is_asked_for_by_the_next_call_that_needs_it() {
    let mut subject = Subject::with(Options::new("n").max_message(100_000));
    subject.client(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#);
    subject.server(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#);
    let questions = |subject: &Subject| {
        let lines = subject.to_server.iter().filter(|line| line.contains("tools/list"));
        lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect::<Vec<_>>()
    };
    for (number, answer) in
        (1..).zip([r#""error":{"code":-32600,"message":""}"#, "", r#""result":{"tools":[{"name":"pay"}]}"#])
    {
        subject.client(call(number, "{}"));
        let asked = questions(&subject);
        assert_eq!(u32::try_from(asked.len()), Ok(number));
        let head = format!(r#"{{"jsonrpc":"2.0","id":{}"#, asked.last().unwrap());
        if answer.is_empty() {
            let actions = subject.relay.too_long(Peer::Server, format!("{head},").as_bytes(), b"", 0);
            subject.take(actions);
        } else {
            subject.server(&format!("{head},{answer}}}"));
        }
        assert_eq!(subject.asks.len(), usize::from(number == 3));
    }
    subject.client(call(4, "{}"));
    assert_eq!((subject.asks.len(), questions(&subject).len(), subject.to_client.len()), (2, 3, 3));
}

#[test]
fn a_list_that_changes_is_asked_for_again() {
    let mut subject = Subject::new().connected();
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    subject.server(changed);
    assert_eq!(subject.to_client, [changed]);
    assert_eq!(subject.to_server.len(), 1);
    // Once more while it is under way: once more at its end.
    subject.server(changed);
    assert_eq!(subject.to_server.len(), 1);
    let question: Value = serde_json::from_str(&subject.to_server[0]).unwrap();
    subject.server(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"tools":[]}}}}"#, question["id"]));
    assert_eq!(subject.to_server.len(), 2);
}

#[test]
fn without_a_handshake_the_question_has_the_clients_version() {
    let mut subject = Subject::new();
    let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
    subject.client(format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{"_meta":{meta}}}}}"#
    ));
    assert_eq!(subject.to_server.len(), 2);
    assert!(subject.to_server[1].contains(meta), "{:?}", subject.to_server);
}

#[test]
fn a_reload_that_changes_what_is_seen_says_so() {
    let mut subject = Subject::new().connected();
    for (changed, told) in [("secret", 1), ("other", 1), ("pay", 2)] {
        let actions = subject.relay.reloaded(|_| true, |name| name == changed);
        subject.take(actions);
        assert_eq!(subject.to_client.len(), told, "{changed}");
    }
    assert_eq!(subject.to_client[0], r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
}

/// A server whose list never ends is not asked for ever.
#[test]
fn a_list_has_so_many_pages_and_no_more() {
    let mut subject = Subject::reading();
    subject.client(call(1, "{}"));
    for page in 0..2_000 {
        let Some(question) = subject.to_server.pop() else { break };
        let id = serde_json::from_str::<Value>(&question).unwrap()["id"].clone();
        let tools = format!(r#"[{{"name":"tool {page}","inputSchema":{{}}}}]"#);
        subject.server(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":{tools},"nextCursor":"{page}"}}}}"#
        ));
    }
    assert!(
        subject.notes.contains(&Note::ListFailed("the list of tools is too large")),
        "{:?}",
        subject.notes
    );
    assert_eq!(subject.to_client.len(), 1, "the call waits no longer");
}

/// A server that is slow to start is slow to answer: what it says late is known from then on.
#[test]
fn a_list_that_comes_late_counts() {
    let mut subject = Subject::with(Options::new("n").list_timeout(50));
    subject.client(call(1, "{}"));
    let question: Value = serde_json::from_str(&subject.to_server[0]).unwrap();
    let actions = subject.relay.wake(50);
    subject.take(actions);
    assert_eq!((subject.asks.len(), subject.to_client.len()), (0, 1));
    subject.server(&format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"tools":[{{"name":"pay","inputSchema":{{}}}}]}}}}"#,
        question["id"]
    ));
    subject.client(call(2, "{}"));
    assert_eq!((subject.asks.len(), subject.to_client.len()), (1, 1));
}

#[test]
fn a_list_has_so_many_tools_and_no_more() {
    let tools = (0..10_001).map(|at| format!(r#"{{"name":"tool {at}"}}"#)).collect::<Vec<_>>();
    for (tools, passes) in [(&tools[1..], true), (&tools[..], false)] {
        let mut subject = Subject::new().connected();
        subject.client(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        subject.server(&format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{}]}}}}"#, tools.join(",")));
        assert_eq!(subject.to_client[0].contains("\"result\""), passes);
    }
}

/// What one caller may see is for no cache that others share, even where nothing is left out of it.
#[test]
fn a_list_by_caller_is_never_public() {
    let options = || Options::new("n").reads_args(|_, _| false).visible(|_, _| true).by_caller(|_| true);
    let mut subject = Subject::with(options()).connected();
    subject.client(LIST);
    let list = r#"{"jsonrpc":"2.0","id":5,"result":{"tools":[{"name":"pay"}],"cacheScope":"public"}}"#;
    let wanted = r#"{"jsonrpc":"2.0","id":5,"result":{"tools":[{"name":"pay"}],"cacheScope":"private"}}"#;
    subject.server(list);
    assert_eq!(subject.to_client, [wanted]);
    assert!(subject.notes.is_empty(), "nothing is left out");

    // Nor where it may be kept, and says nothing of by whom.
    let mut subject = Subject::with(options()).connected();
    subject.client(LIST);
    subject.server(r#"{"jsonrpc":"2.0","id":5,"result":{"tools":[{"name":"pay"}],"ttlMs":600000}}"#);
    let wanted = r#"{"jsonrpc":"2.0","id":5,"result":{"tools":[{"name":"pay"}],"ttlMs":60000,"cacheScope":"private"}}"#;
    assert_eq!(subject.to_client, [wanted]);
}

/// A server has tools that it does not list: a guard in it decides their calls as they are written.
#[test]
fn an_unlisted_tool_is_decided_where_the_list_is_whole() {
    let unlisted = call(5, "{}").replace("\"pay\"", "\"unlisted\"");
    let subject = || Subject::with(Options::new("n").without_schema(WithoutSchema::AllowUnlisted));
    let mut whole = subject().connected();
    whole.client(&unlisted);
    assert_eq!((whole.asks.len(), whole.to_client.len()), (1, 0));
    // It is checked for members that fold all the same.
    assert_eq!(format!("{:?}", whole.asks[0].check), format!("{:?}", callgate::ArgsCheck::new()));
    whole.client(call(6, "{}"));
    assert!(format!("{:?}", whole.asks[1].check).contains("amount"), "by the schema of the list");
    // A list that failed since is not whole: the tool may be a new one.
    whole.server(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    let question: Value = serde_json::from_str(whole.to_server.last().unwrap()).unwrap();
    whole.server(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"tools":7}}}}"#, question["id"]));
    whole.client(unlisted.replace(":5", ":7"));
    assert_eq!((whole.asks.len(), whole.to_client.len()), (2, 2));

    for answer in [r#""result":{"tools":7}"#, r#""error":{"code":-32601,"message":"none"}"#, "late"] {
        let mut subject = subject();
        subject.client(&unlisted);
        let question: Value = serde_json::from_str(&subject.to_server[0]).unwrap();
        if answer == "late" {
            let actions = subject.relay.wake(10_000);
            subject.take(actions);
        } else {
            subject.server(&format!(r#"{{"jsonrpc":"2.0","id":{},{answer}}}"#, question["id"]));
        }
        assert_eq!((subject.asks.len(), subject.to_client.len()), (0, 1), "{answer}");
    }
}

/// A client whose parser ignores case would show what was left out.
#[test]
fn a_list_with_a_member_that_folds_is_an_error() {
    for result in [
        r#"{"tools":[],"Tools":[{"name":"secret"}]}"#,
        r#"{"tool\u017f":[{"name":"secret"}],"tools":[]}"#,
        r#"{"tools":[{"name":"pay","Name":"secret"}]}"#,
        r#"{"tools":[{"name":"pay","name\u0000x":"secret"}]}"#,
        r#"{"tools":[],"CacheScope":"public","cacheScope":"private"}"#,
    ] {
        let mut subject = hiding();
        subject.client(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        subject.server(&format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#));
        assert!(subject.to_client[0].contains("-32603"), "{result}: {:?}", subject.to_client);
    }
}

/// A client should see soon what a reload changes.
#[test]
fn a_list_that_is_not_for_all_is_not_kept_for_long() {
    let with = |millis: &str, scope: &str, tools: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{tools}],"ttlMs":{millis},"cacheScope":"{scope}"}}}}"#
        )
    };
    let secret = r#"{"name":"secret"}"#;
    for (given, told) in
        [("60000", "60000"), ("60001", "60000"), ("1e99", "60000"), ("null", "60000"), ("5", "5")]
    {
        let mut subject = hiding();
        subject.client(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        subject.server(&with(given, "private", secret));
        assert_eq!(subject.to_client, [with(told, "private", "")]);
    }
    let mut subject = hiding();
    subject.client(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    let public = with("99999999", "public", r#"{"name":"pay"}"#);
    subject.server(&public);
    assert_eq!(subject.to_client, [public], "all see the same");
}

/// Only where the server tells of changes of its list, too.
#[test]
fn a_change_is_told_as_the_server_would_tell_of_it() {
    let mut subject = Subject::new();
    subject.client(r#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#);
    subject.server(r#"{"jsonrpc":"2.0","id":0,"result":{"capabilities":{"tools":{}}}}"#);
    subject.client(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    list_pay(&mut subject);
    assert_eq!(told_of_a_change(&mut subject), [""; 0]);

    // In the generation of 2026-07-28 a client asks for it.
    let mut subject = Subject::new();
    subject.client(r#"{"jsonrpc":"2.0","id":"l","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}"#);
    let tag = subject.tag;
    list_pay(&mut subject);
    assert_eq!(told_of_a_change(&mut subject), [""; 0], "the server did not agree yet");
    let agrees = |tells| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{{"toolsListChanged":{tells}}},"_meta":{{"io.modelcontextprotocol/subscriptionId":"l"}}}}}}"#
        )
    };
    subject.server(&agrees(false));
    assert_eq!(told_of_a_change(&mut subject), [""; 0]);
    subject.server(&agrees(true));
    let told = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}"#;
    assert_eq!(told_of_a_change(&mut subject), [told]);
    assert_eq!(subject.sent.last(), Some(&(Peer::Client, tag, None)));
    subject.server(r#"{"jsonrpc":"2.0","id":"l","result":{}}"#);
    assert_eq!(told_of_a_change(&mut subject), [""; 0], "nobody listens any more");
}

/// The answer to the relay's own question.
fn list_pay(subject: &mut Subject) {
    let question: Value = serde_json::from_str(subject.to_server.last().unwrap()).unwrap();
    let result = serde_json::json!({"tools": [{"name": "pay"}]});
    subject
        .server(&serde_json::json!({"jsonrpc": "2.0", "id": question["id"], "result": result}).to_string());
}

fn told_of_a_change(subject: &mut Subject) -> Vec<String> {
    subject.to_client.clear();
    let actions = subject.relay.reloaded(|_| true, |_| true);
    subject.take(actions);
    subject.to_client.clone()
}
