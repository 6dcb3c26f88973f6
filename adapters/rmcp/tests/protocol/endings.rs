//! How calls end (G7): inside the handler, and for the host.

use std::sync::{Arc, Mutex};

use callgate::{Amount, Outcome};
use callgate_rmcp::Guard;
use rmcp::model::ElicitationAction;
use serde_json::json;

use super::support::*;

const POLICY: &str = "
version: '1'
default: deny
tools:
  settle: {limits: [{counter: spend, window: day, max: 100, increment_from: args.estimate}]}
  undo: {rules: [{rate_limit: 2/hour}]}
  fail: {}
  pay: {limits: [{counter: tokens, window: day, max: 100, increment_from: args.estimate}]}
  ask: {rules: [{rate_limit: 5/hour}]}
";

/// G7.7: a handler settles what its call charged, or gives it back; what ended there is not ended again.
#[tokio::test]
async fn a_handler_ends_its_own_charges() {
    for over in Over::ALL {
        let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
        let client = over.connect(&Guard::new(bank, engine), &Person::who(ElicitationAction::Decline)).await;
        assert_eq!(text(&call(&client, "settle", json!({"estimate": 40, "cost": 3})).await), "settled");
        assert_eq!(used_in_all(&store), 3, "{over:?}");
        for _ in 0..5 {
            assert_eq!(text(&call(&client, "undo", json!({})).await), "undone");
        }
        assert_eq!(used_in_all(&store), 3, "{over:?}");
    }
}

/// G7.8: the host hears how each decided call ended, before the answer goes out, and may settle. A panic changes nothing.
#[tokio::test]
async fn a_host_hears_how_calls_ended() {
    for over in Over::ALL {
        let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
        let heard: Arc<Mutex<Vec<(String, Outcome)>>> = Arc::default();
        let hears = heard.clone();
        let guard = Guard::new(bank, engine).on_result(move |ended| {
            let tool = ended.decision.tool().unwrap().to_owned();
            hears.lock().unwrap().push((tool.clone(), ended.outcome));
            Box::pin(async move {
                if tool == "pay" {
                    assert!(matches!(ended.result, Some(Ok(_))));
                    ended.reservation.settle(Amount::from_whole(7).unwrap()).await.unwrap();
                }
                assert!(tool != "fail", "a panic of the host");
            })
        });
        let person = Person::who(ElicitationAction::Accept);
        let client = over.connect(&guard, &person).await;
        assert_eq!(text(&call(&client, "pay", json!({"estimate": 50})).await), "done");
        assert_eq!(used_in_all(&store), 7, "{over:?}");
        assert_eq!(call(&client, "fail", json!({})).await["error"]["message"], "it failed");
        assert_eq!(code(&call(&client, "none", json!({})).await), "not_listed");
        let mut expected = vec![("pay", Outcome::Done), ("fail", Outcome::Error), ("none", Outcome::NotRun)];
        if matches!(over, Over::StreamsOf2026 | Over::HttpOf2026) {
            // Several rounds end once.
            assert_eq!(text(&call(&client, "ask", json!({})).await), "asked");
            expected.push(("ask", Outcome::Done));
        }
        let heard: Vec<_> = heard.lock().unwrap().clone();
        let heard: Vec<_> = heard.iter().map(|(tool, outcome)| (tool.as_str(), *outcome)).collect();
        assert_eq!(heard, expected, "{over:?}");
    }
}
