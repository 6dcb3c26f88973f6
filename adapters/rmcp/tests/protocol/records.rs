//! Records of calls (G11.1): a line each, as `spec/audit.schema.json` has it, without an argument's value.

use callgate_gateway::audit::{Log, Options};
use callgate_rmcp::Guard;
use rmcp::model::{CallToolRequest, ClientRequest, ElicitationAction};
use rmcp::service::PeerRequestOptions;
use serde_json::{Value, json};

use super::support::*;

const SCHEMA: &str = include_str!("../../../../spec/audit.schema.json");
const POLICY: &str = "
version: '1'
default: deny
tools:
  pay: {rules: [{rate_limit: 1/hour}]}
  settle: {limits: [{counter: spend, window: day, max: 100, increment_from: args.estimate}]}
  undo: {rules: [{rate_limit: 2/hour}]}
  fail: {}
  ask: {rules: [{rate_limit: 5/hour}]}
  slow: {limits: [{in_flight: 1, lease: hour}]}
";

#[tokio::test]
async fn each_decided_call_is_recorded_once() {
    let validator = jsonschema::draft202012::new(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
    for over in Over::ALL {
        let directory = std::env::temp_dir().join(format!("callgate-rmcp-{}-{over:?}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let log = Log::open(Options::in_directory(&directory, "bank")).unwrap();
        let file = log.file().unwrap().to_owned();
        let (engine, _) = engine(POLICY);
        let bank = Bank::default();
        let guard =
            Guard::new(bank.clone(), engine).identity(|_| Some(json!({"id": "alice"}))).audit(log.clone());
        let client = over.connect(&guard, &Person::who(ElicitationAction::Accept)).await;
        for (tool, args) in [
            ("pay", json!({"note": "a-secret"})),
            ("pay", json!({})),
            ("settle", json!({"estimate": 40, "cost": 3})),
            ("undo", json!({})),
            ("fail", json!({})),
        ] {
            call(&client, tool, args).await;
        }
        let mut expected = vec![
            ("pay", "allowed", "done", "kept"),
            ("pay", "limit_exceeded", "not_run", "none"),
            ("settle", "allowed", "done", "settled"),
            ("undo", "allowed", "done", "settled"),
            ("fail", "allowed", "error", "none"),
        ];
        if matches!(over, Over::StreamsOf2026 | Over::HttpOf2026) {
            call(&client, "ask", json!({})).await;
            expected.push(("ask", "allowed", "done", "kept"));
        }
        let slow = ClientRequest::CallToolRequest(CallToolRequest::new(params("slow", &json!({}))));
        let slow = client.send_cancellable_request(slow, PeerRequestOptions::no_options()).await.unwrap();
        until(|| bank.reached().last().is_some_and(|last| last == "slow")).await;
        slow.cancel(None).await.unwrap();
        expected.push(("slow", "allowed", "cancelled", "released"));
        until(|| {
            log.flush().unwrap();
            std::fs::read_to_string(&file).unwrap().lines().count() == expected.len()
        })
        .await;
        log.close().unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        assert!(!text.contains("a-secret"));
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &lines {
            assert!(validator.is_valid(line), "{line}");
            assert_eq!((&line["kind"], &line["principal"]["id"]), (&json!("call"), &json!("alice")));
        }
        let told: Vec<_> = lines
            .iter()
            .map(|line| {
                let part = |pointer: &str| line.pointer(pointer).unwrap().as_str().unwrap();
                (part("/name"), part("/decision/code"), part("/upstream/outcome"), part("/charge"))
            })
            .collect();
        assert_eq!(told, expected, "{over:?}");
        std::fs::remove_dir_all(directory).unwrap();
    }
}

/// G11.3: where a record is required and cannot be written, no call runs.
#[tokio::test]
async fn a_call_that_cannot_be_recorded_does_not_run() {
    let directory = std::env::temp_dir().join(format!("callgate-rmcp-{}-required", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let options = Options::in_directory(&directory, "bank").required(true).rotate_at(1);
    let log = Log::open(options).unwrap();
    let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
    let guard = Guard::new(bank.clone(), engine).audit(log.clone());
    let client = Over::Streams.connect(&guard, &Person::who(ElicitationAction::Accept)).await;
    assert_eq!(text(&call(&client, "pay", json!({})).await), "done");
    log.flush().unwrap();
    // The next file cannot be begun.
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::write(&directory, "").unwrap();
    assert_eq!(call(&client, "fail", json!({})).await["error"]["message"], "it failed");
    assert!(log.flush().is_err());
    let refused = call(&client, "undo", json!({})).await;
    assert_eq!(text(&refused), "The call could not be checked against the policy");
    assert_eq!((bank.reached(), used_in_all(&store)), (vec!["pay".to_owned(), "fail".to_owned()], 1));
    std::fs::remove_file(directory).unwrap();
}
