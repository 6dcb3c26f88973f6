//! Resources, prompts and the server's own requests, through the real binary, in front of a server that has them.

use super::*;
use crate::callgate;

const POLICY: &str = "\
version: '1'
default: deny
tools: {ask: {}, rounds: {}}
requests:
  default: deny
  methods:
    resources/read:
      deny_if: [{name: no secrets, conditions: [{path: args.uri, op: starts_with, value: 'secret:'}], on_deny: Secrets stay here}]
      limits: [{counter: reads, window: month, max: 2, scope: identity, refund: error}]
    prompts/get:
      deny_if: [{conditions: [{path: args.name, op: eq, value: deploy}]}]
      rules: [{action: require_approval, name: ask first}]
    roots/list: {}
";

fn read(id: u64, uri: &str) -> String {
    request(id, "resources/read", &format!(r#"{{"uri":"{uri}","_meta":{{"progressToken":{id}}}}}"#))
}

#[test]
fn a_resource_is_read_as_the_policy_has_it() {
    let mut proxy = Setup::new("resources").policy(POLICY).flags(&["--audit-args", "keys"]).open();
    let mut ask = |id: u64, line: String| {
        proxy.send(&line);
        proxy.answer(id)
    };
    let denied = ask(1, read(1, "secret:///keys"));
    let error = json!({"code": -31000, "message": "Secrets stay here", "data": {"callgate/code": "denied"}});
    assert_eq!(denied["error"], error);
    // What ended with an error is given back.
    assert_eq!(ask(2, read(2, "file:///gone"))["error"]["code"], -32002);
    assert_eq!(ask(3, read(3, "file:///notes"))["result"]["contents"][0]["text"], "read");
    assert!(ask(4, read(4, "file:///notes"))["result"].is_object());
    let spent = ask(5, read(5, "file:///notes"));
    assert_eq!(spent["error"]["data"]["callgate/code"], "limit_exceeded");
    let listed =
        ask(6, request(6, "completion/complete", r#"{"ref":{"type":"ref/prompt","name":"review"}}"#));
    assert_eq!(listed["error"]["data"]["callgate/code"], "not_listed");
    for (id, params) in [(7, "[]"), (8, "null")] {
        assert_eq!(
            ask(id, request(id, "resources/read", params))["error"]["data"]["callgate/code"],
            "invalid_args"
        );
    }
    assert!(ask(9, request(9, "ping", "{}"))["result"].is_object());
    let ended = proxy.close();
    // The bytes that came.
    let seen = ended.setup.seen();
    let reads: Vec<_> = seen.iter().filter(|line| line.contains("resources/read")).collect();
    assert_eq!(reads, [&read(2, "file:///gone"), &read(3, "file:///notes"), &read(4, "file:///notes")]);
    let calls = ended.setup.calls();
    let told: Vec<_> = calls
        .iter()
        .map(|call| {
            let code = call["decision"]["code"].as_str().unwrap();
            let (outcome, charge) =
                (call["upstream"]["outcome"].as_str().unwrap(), call["charge"].as_str().unwrap());
            assert_eq!(call["name"], Value::Null);
            (call["method"].as_str().unwrap(), code, outcome, charge)
        })
        .collect();
    let read = "resources/read";
    let wanted = [
        (read, "denied", "not_run", "none"),
        (read, "allowed", "error", "released"),
        (read, "allowed", "done", "kept"),
        (read, "allowed", "done", "kept"),
        (read, "limit_exceeded", "not_run", "none"),
        ("completion/complete", "not_listed", "not_run", "none"),
        (read, "invalid_args", "not_run", "none"),
        (read, "invalid_args", "not_run", "none"),
    ];
    assert_eq!(told, wanted);
    assert_eq!(calls[2]["args"]["keys"], json!(["uri"]));
    let folder = ended.setup.path("state/audit");
    let run = callgate(&["status", "--dir", &folder, "--denied"]);
    assert!(
        run.out.contains("8: 5 denied") && run.out.contains("completion/complete"),
        "{}{}",
        run.out,
        run.err
    );
}

#[test]
fn lists_have_what_can_be_got() {
    let mut proxy = Setup::new("resource-lists").policy(POLICY).open();
    let mut listed = |id: u64, method: &str, list: &str| {
        proxy.send(&request(id, method, "{}"));
        let items = proxy.answer(id)["result"][list].as_array().unwrap().clone();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(1, "resources/list", "resources"), ["n"]);
    assert_eq!(listed(2, "resources/templates/list", "resourceTemplates"), ["files"]);
    assert_eq!(listed(3, "prompts/list", "prompts"), ["review"]);
    let records = proxy.close().setup.records();
    let filtered: Vec<_> = records.iter().filter(|record| record["kind"] == "list_filtered").collect();
    assert_eq!(
        filtered.iter().map(|record| &record["method"]).collect::<Vec<_>>(),
        ["resources/list", "prompts/list"]
    );
}

#[test]
fn a_prompt_waits_for_a_person() {
    let setup = Setup::new("prompt-approved").policy(POLICY);
    let store = format!("sqlite://{}", setup.path("store.db"));
    let mut proxy = setup.flags(&["--store", &store]).open();
    let get = |id: u64, name: &str| request(id, "prompts/get", &format!(r#"{{"name":"{name}"}}"#));
    proxy.send(&get(1, "review"));
    let error = proxy.answer(1)["error"].clone();
    assert_eq!(
        (&error["code"], &error["data"]["callgate/code"]),
        (&json!(-31000), &json!("approval_required"))
    );
    let id = error["data"]["callgate/approval_id"].as_str().unwrap().to_owned();
    let run = callgate(&["approvals", "list", "--store", &store, "--namespace", "tests"]);
    assert!(run.out.contains(&id) && run.out.contains("prompts/get"), "{}{}", run.out, run.err);
    let run = callgate(&["approvals", "approve", &id, "--store", &store, "--namespace", "tests"]);
    assert_eq!(run.status, 0, "{}", run.err);
    proxy.send(&get(2, "review"));
    assert!(proxy.answer(2)["result"]["messages"].is_array());
    proxy.send(&get(3, "deploy"));
    assert_eq!(proxy.answer(3)["error"]["data"]["callgate/code"], "denied");
    proxy.close();
}

#[test]
fn what_the_server_asks_of_the_client_is_decided() {
    let mut proxy = Setup::new("sampling").policy(POLICY).open();
    // The server hears why, and the client nothing.
    let answer = proxy.call(1, "ask", "{}");
    assert!(text(&answer).contains("-31000") && text(&answer).contains("not_listed"), "{answer}");
    assert!(proxy.other.iter().all(|message| message["method"] != "sampling/createMessage"));
    let inputs = |method: &str| format!(r#"{{"inputs":{{"one":{{"method":"{method}"}}}}}}"#);
    let answer = proxy.call(2, "rounds", &inputs("roots/list"));
    assert_eq!(answer["result"]["resultType"], "input_required");
    let answer = proxy.call(3, "rounds", &inputs("elicitation/create"));
    assert_eq!((&answer["error"]["code"], &answer["result"]), (&json!(-31000), &Value::Null));
    proxy.close();

    // A server may ask where the policy lets it.
    let mut proxy = Setup::new("sampling-allowed")
        .policy(&POLICY.replace("roots/list: {}", "sampling/createMessage: {}"))
        .open();
    proxy.send(&call(1, "ask", "{}"));
    let asked = proxy.find(|message| message["method"] == "sampling/createMessage");
    proxy.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"role": "assistant"}}).to_string());
    assert!(text(&proxy.answer(1)).contains("assistant"));
    let ended = proxy.close();
    let records = ended.setup.records();
    let record = records.iter().find(|record| record["method"] == "sampling/createMessage").unwrap();
    assert_eq!(
        (&record["decision"]["code"], &record["upstream"]["outcome"]),
        (&json!("allowed"), &json!("done"))
    );
}

#[test]
fn a_policy_that_says_nothing_of_requests_says_so_once() {
    let said = "resources, prompts and other requests pass";
    let deny = "{version: '1', default: deny, tools: {echo: {}}}";
    for (policy, count) in [(deny, 1), (ALLOW, 0), (POLICY, 0)] {
        let mut proxy = Setup::new("no-requests").policy(policy).open();
        if count == 1 {
            proxy.send(&read(1, "secret:///keys"));
            assert!(proxy.answer(1)["result"].is_object());
        }
        let ended = proxy.close();
        assert_eq!(ended.said.matches(said).count(), count, "{}", ended.said);
        assert!(ended.setup.calls().is_empty(), "what passes undecided is no call");
    }
}

/// What is in force after a reload decides the next request.
#[test]
fn a_reload_decides_requests_anew() {
    let mut proxy =
        Setup::new("requests-reload").policy("{version: '1', default: deny, tools: {echo: {}}}").open();
    proxy.send(&read(1, "secret:///keys"));
    assert!(proxy.answer(1)["result"].is_object());
    fs::write(proxy.setup.path("policy.yaml"), POLICY).unwrap();
    let mut id = 1;
    until("the new policy is in force", || {
        id += 1;
        proxy.send(&read(id, "secret:///keys"));
        proxy.answer(id)["error"]["data"]["callgate/code"] == "denied"
    });
    proxy.close();
}
