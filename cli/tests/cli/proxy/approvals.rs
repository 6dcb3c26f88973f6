//! Calls that wait for a person: filed by the gateway, answered by another process.

use super::*;
use crate::callgate;

const POLICY: &str =
    "{version: '1', default: allow, tools: {pay: {rules: [{action: require_approval, name: money}]}}}";

/// A gateway whose counters and approvals are in a file of the test's own.
fn filing(test: &str, flags: &[&str]) -> (Proxy, String) {
    let setup = Setup::new(test).policy(POLICY);
    let store = format!("sqlite://{}", setup.path("store.db"));
    let proxy = setup.flags(&["--store", &store]).flags(flags).open();
    (proxy, store)
}

fn approvals(command: &[&str], store: &str) -> String {
    let args = [&["approvals"], command, &["--store", store, "--namespace", "tests"]].concat();
    let run = callgate(&args);
    assert_eq!(run.status, 0, "{args:?}: {}{}", run.out, run.err);
    run.out
}

/// The id by which a denied call says that it waits.
fn waits(answer: &Value) -> String {
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    let id = answer["result"]["_meta"]["callgate/approval_id"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert!(text(answer).contains(id) && text(answer).contains("same call again"), "{answer}");
    id.to_owned()
}

#[test]
fn a_call_that_a_person_approved_runs_once() {
    let (mut proxy, store) = filing("approved", &[]);
    let id = waits(&proxy.call(1, "pay", r#"{"amount":5,"to":"\u001b[2Jbob"}"#));
    assert_eq!(
        waits(&proxy.call(2, "pay", r#"{"to":"\u001b[2Jbob","amount":5}"#)),
        id,
        "it is the same call"
    );
    let other = waits(&proxy.call(3, "pay", r#"{"amount":6}"#));
    assert_ne!(other, id);
    let listed = approvals(&["list"], &store);
    assert!(listed.contains(&id) && listed.contains(&other) && !listed.contains("bob"), "{listed}");
    let shown = approvals(&["show", &id], &store);
    assert!(shown.contains(r#"{"amount":5,"to":"\u001b[2Jbob"}"#) && !shown.contains('\u{1b}'), "{shown}");
    approvals(&["approve", &id, "--by", "alice"], &store);

    assert_eq!(waits(&proxy.call(4, "pay", r#"{"amount":6}"#)), other, "it is for one call alone");
    let answer = proxy.call(5, "pay", r#"{"amount":5,"to":"\u001b[2Jbob"}"#);
    assert_ne!(answer["result"]["isError"], true, "{answer}");
    assert_ne!(waits(&proxy.call(6, "pay", r#"{"amount":5,"to":"\u001b[2Jbob"}"#)), id, "once");
    let ended = proxy.close();
    assert_eq!(ended.setup.seen_calls().len(), 1);
    let records = ended.setup.records();
    let approvals: Vec<_> = records
        .iter()
        .filter(|record| record["kind"] == "approval")
        .map(|record| (record["outcome"].as_str().unwrap(), record["who"].as_str()))
        .collect();
    let asked = ("asked", None);
    assert_eq!(approvals, [asked, asked, ("used", Some("alice")), asked]);
    assert!(!json!(records).to_string().contains("bob"), "{records:?}");
}

#[test]
fn a_call_that_a_person_denied_does_not_wait() {
    let (mut proxy, store) = filing("denied", &[]);
    let id = waits(&proxy.call(1, "pay", "{}"));
    approvals(&["deny", &id, "--by", "alice"], &store);
    let answer = proxy.call(2, "pay", "{}");
    assert!(text(&answer).contains("denied") && !text(&answer).contains("same call again"), "{answer}");
    // Who changes their mind approves it after all.
    approvals(&["approve", &id], &store);
    assert_ne!(proxy.call(3, "pay", "{}")["result"]["isError"], true);
    assert_eq!(proxy.close().setup.seen_calls().len(), 1);
}

/// An approval that several calls want goes to one of them.
#[test]
fn one_approval_lets_one_of_many_through() {
    let (mut proxy, store) = filing("many", &[]);
    let id = waits(&proxy.call(1, "pay", "{}"));
    approvals(&["approve", &id], &store);
    for request in 2..52 {
        proxy.send(&call(request, "pay", "{}"));
    }
    let passed = (2..52).filter(|request| proxy.answer(*request)["result"]["isError"] != true).count();
    assert_eq!((passed, proxy.close().setup.seen_calls().len()), (1, 1));
}

#[test]
fn what_is_kept_of_arguments_is_the_hosts_choice() {
    for (choice, shown, hidden) in
        [("none", "not kept", "amount"), ("keys", "amount", "4711"), ("full", "4711", "\u{0}")]
    {
        let (mut proxy, store) = filing(&format!("kept-{choice}"), &["--approval-args", choice]);
        let id = waits(&proxy.call(1, "pay", r#"{"amount":4711}"#));
        let told = approvals(&["show", &id], &store);
        assert!(told.contains(shown) && !told.contains(hidden), "{choice}: {told}");
        proxy.close();
    }
}

/// A new policy may ask for something else: what was approved under the old one waits again.
#[test]
fn an_approval_is_for_the_policy_that_asked() {
    let (mut proxy, store) = filing("replaced", &[]);
    let id = waits(&proxy.call(1, "pay", "{}"));
    approvals(&["approve", &id], &store);
    let next = proxy.setup.path("next.yaml");
    fs::write(&next, POLICY.replace("money", "more money")).unwrap();
    fs::rename(&next, proxy.setup.path("policy.yaml")).unwrap();
    until("the policy is read", || proxy.setup.records().iter().any(|record| record["kind"] == "reload"));
    assert_ne!(waits(&proxy.call(2, "pay", "{}")), id);
    assert!(proxy.close().setup.seen_calls().is_empty());
}

/// The same policy and the same name in front of another server: a person has seen one of them.
#[test]
fn an_approval_is_for_the_server_that_was_shown() {
    let (mut proxy, store) = filing("server", &[]);
    let id = waits(&proxy.call(1, "pay", "{}"));
    approvals(&["approve", &id], &store);
    proxy.close();
    let other = Setup::new("server-other").policy(POLICY).flags(&["--store", &store]);
    let mut other = other.served(&["--code", "0"]).open();
    assert_ne!(waits(&other.call(1, "pay", "{}")), id);
    assert!(other.close().setup.seen_calls().is_empty());
}
