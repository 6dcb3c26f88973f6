//! A candidate policy beside the one in force: both decisions in every record, and nothing else changes.

use super::*;

const POLICY: &str =
    "{version: '1', default: allow, tools: {pay: {deny_if: [{path: args.amount, op: gt, value: 10}]}}}";
const NEXT: &str = "{version: '1', default: allow, tools: {pay: {rules: [{rate_limit: 2/hour}]}}}";

fn candidate(setup: Setup, text: &str) -> Setup {
    let file = setup.path("next.yaml");
    fs::write(&file, text).unwrap();
    setup.flags(&["--observe", &file])
}

/// Calls of two, by their amounts: the answers, and what each record says that the candidate decided.
fn answers(setup: Setup) -> (Vec<Value>, Vec<String>, Ended) {
    let mut proxy = setup.open();
    let amounts = [5, 50, 6, 7];
    let answers = (1..)
        .zip(amounts)
        .map(|(id, amount)| proxy.call(id, "pay", &format!(r#"{{"amount":{amount}}}"#)))
        .collect();
    let ended = proxy.close();
    let verdicts = ended.setup.calls().into_iter().map(|call| {
        let candidate = &call["candidate"];
        candidate["decision"]["code"].as_str().or(candidate["error"].as_str()).unwrap_or("none").to_owned()
    });
    (answers, verdicts.collect(), ended)
}

#[test]
fn records_have_both_decisions_and_the_client_sees_one() {
    let (alone, none, _) = answers(Setup::new("observe-alone").policy(POLICY));
    assert_eq!(none, ["none"; 4]);
    let (beside, verdicts, ended) = answers(candidate(Setup::new("observe-beside").policy(POLICY), NEXT));
    assert_eq!(beside, alone, "what is enforced is the same");
    assert_eq!(
        verdicts,
        ["allowed", "allowed", "limit_exceeded", "limit_exceeded"],
        "it counts what it would allow"
    );
    let records = ended.setup.records();
    assert!(
        records.iter().all(|record| record["kind"] != "call" || record["mode"] == "observe"),
        "{records:?}"
    );
    assert_eq!(records[0]["candidate"].as_str().unwrap().len(), "sha256:".len() + 64);
    assert_eq!(ended.setup.seen_calls().len(), 3);
}

/// In force, nothing; so a client loses nothing.
#[test]
fn a_candidate_alone_is_a_dry_run() {
    let setup = candidate(Setup::new("observe-dry"), POLICY);
    let (answers, verdicts, ended) = answers(setup);
    assert!(answers.iter().all(|answer| answer["result"]["isError"] != true), "{answers:?}");
    assert_eq!(verdicts, ["allowed", "denied", "allowed", "allowed"]);
    assert_eq!(ended.setup.seen_calls().len(), 4);
    let calls = ended.setup.calls();
    assert!(calls.iter().all(|call| call["decision"].is_null() && call["mode"] == "dry_run"), "{calls:?}");
}

/// Its counters are in the store, apart from those in force: a client that starts anew gets no new limits from either.
#[test]
fn a_candidate_counts_for_itself_and_goes_on_counting() {
    let setup = || {
        let setup = Setup::new("observe-counters").policy(NEXT);
        let store = format!("sqlite://{}", setup.path("store.db"));
        (candidate(setup, NEXT).flags(&["--store", &store]), store)
    };
    let (first, store) = setup();
    let folder = first.folder.clone();
    let (_, verdicts, _) = answers(first);
    assert_eq!(verdicts, ["allowed", "allowed", "limit_exceeded", "limit_exceeded"]);
    for namespace in ["tests", "tests.candidate"] {
        let run = crate::callgate(&[
            "counters",
            "list",
            "--store",
            &store,
            "--namespace",
            namespace,
            "--format",
            "json",
        ]);
        assert_eq!(json!(crate::json(&run.out)["used"]), "2", "{namespace}: {}{}", run.out, run.err);
    }
    assert!(folder.join("store.db").exists());
}

#[test]
fn a_candidate_that_changes_is_read_again() {
    let mut proxy = candidate(Setup::new("observe-reload").policy(POLICY), NEXT).open();
    let next = proxy.setup.path("written");
    fs::write(&next, "{version: '1', default: deny, tools: {}}").unwrap();
    fs::rename(&next, proxy.setup.path("next.yaml")).unwrap();
    until("the candidate is read", || proxy.setup.records().iter().any(|record| record["kind"] == "reload"));
    assert_ne!(proxy.call(1, "pay", r#"{"amount":5}"#)["result"]["isError"], true);
    let ended = proxy.close();
    let records = ended.setup.records();
    let reload = records.iter().find(|record| record["kind"] == "reload").unwrap();
    assert_eq!((reload["target"].as_str(), reload["error"].as_str()), (Some("candidate"), None));
    assert_eq!(ended.setup.calls()[0]["candidate"]["decision"]["code"], "not_listed");
}
