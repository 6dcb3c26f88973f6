//! What the client is told (G3), and that nothing else reaches the server.

use rmcp::model::ElicitationAction;
use serde_json::{Value, json};

use super::support::*;
use callgate_rmcp::Guard;

const POLICY: &str = "
version: '1'
default: deny
tools:
  pay: {rules: [{rate_limit: 1/hour}]}
  typed: {rules: [{conditions: [{path: args.ok, op: eq, value: true}], on_deny: Not without ok.}]}
  settle: {rules: [{action: require_approval, name: big}]}
hide: [undo]
";

/// G3.1 and G3.3: a refusal is a result with the code, over each transport and in each generation, also of a tool with an output schema.
#[tokio::test]
async fn a_refusal_says_why() {
    for over in Over::ALL {
        let (bank, (engine, _)) = (Bank::default(), engine(POLICY));
        let person = Person::who(ElicitationAction::Decline);
        let client = over.connect(&Guard::new(bank.clone(), engine), &person).await;
        // The client knows the output schemas, and validates by them.
        client.list_all_tools().await.unwrap();
        assert_eq!(text(&call(&client, "pay", json!({})).await), "done");
        let limited = call(&client, "pay", json!({})).await;
        assert_eq!((code(&limited), &limited["isError"]), ("limit_exceeded", &json!(true)), "{over:?}");
        assert_eq!(limited["_meta"]["callgate/retry_after"], 3600);
        let typed = call(&client, "typed", json!({"ok": false})).await;
        assert_eq!((code(&typed), text(&typed)), ("condition_failed", "Not without ok."), "{over:?}");
        assert_eq!(typed.get("structuredContent"), None);
        let fine = call(&client, "typed", json!({"ok": true})).await;
        assert_eq!(fine["structuredContent"], json!({"balance": 3}));
        let asks = call(&client, "settle", json!({"cost": 1})).await;
        let key = asks["_meta"]["callgate/approval_key"].as_str().unwrap();
        assert!(key.starts_with("ak1:") && text(&asks).contains(key), "{asks}");
        for (tool, expected) in [("undo", "hidden"), ("fail", "not_listed"), ("none", "not_listed")] {
            assert_eq!(code(&call(&client, tool, json!({})).await), expected);
        }
        assert_eq!(bank.reached(), ["pay", "typed"], "{over:?}");
    }
}

/// G1.4: what cannot be decided is refused, and its text is not told.
#[tokio::test]
async fn what_cannot_be_decided_does_not_pass() {
    for over in [Over::Streams, Over::HttpOf2026] {
        let (bank, (engine, _)) = (Bank::default(), engine(POLICY));
        let guard = Guard::new(bank.clone(), engine).identity(|context| {
            let is_bad = context.meta.0.0.get("bad").is_some();
            if is_bad { panic!("a secret") } else { Some(Value::from("alice")) }
        });
        let client = over.connect(&guard, &Person::who(ElicitationAction::Decline)).await;
        let mut bad = params("pay", &json!({}));
        let mut meta = rmcp::model::RequestMetaObject::default();
        meta.0.0.insert("bad".to_owned(), json!(1));
        bad.meta = Some(meta);
        let refused = once(&client, bad).await;
        assert_eq!(text(&refused), "The call could not be checked against the policy", "{over:?}");
        assert!(bank.reached().is_empty());
        assert_eq!(text(&call(&client, "pay", json!({})).await), "done");
    }
}
