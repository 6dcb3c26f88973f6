//! Lists (G4): filtered, for no shared cache, and announced after a reload that changes them.

use std::time::Duration;

use callgate::Policy;
use callgate_rmcp::Guard;
use rmcp::model::{CacheScope, ElicitationAction, SubscriptionFilter};
use serde_json::json;

use super::support::*;

const POLICY: &str = "{version: '1', default: allow, hide: [pay]}";

fn policy(text: &str) -> Policy {
    Policy::from_yaml(text).unwrap()
}

/// G4.4: what was filtered is for no cache that others share, and for none for long.
#[tokio::test]
async fn a_filtered_list_is_private() {
    for over in Over::ALL {
        let (engine, _) = engine(POLICY);
        let client =
            over.connect(&Guard::new(Bank::default(), engine), &Person::who(ElicitationAction::Accept)).await;
        let list = client.list_tools(None).await.unwrap();
        assert!(list.tools.iter().all(|tool| tool.name != "pay") && list.tools.len() == 7, "{over:?}");
        assert_ne!(list.cache_scope, Some(CacheScope::Public));
        assert!(list.ttl_ms.is_none_or(|ttl| ttl <= 60_000));
        if matches!(over, Over::StreamsOf2026 | Over::HttpOf2026) {
            assert_eq!(list.cache_scope, Some(CacheScope::Private), "{over:?}");
        }
    }
}

/// G4.5: a client hears of a reload that changes what it sees, and of no other.
#[tokio::test]
async fn a_reload_that_changes_the_list_is_told() {
    for over in [Over::Streams, Over::Http] {
        let (engine, _) = engine(POLICY);
        let person = Person::who(ElicitationAction::Accept);
        let client = over.connect(&Guard::new(Bank::default(), engine.clone()), &person).await;
        client.list_tools(None).await.unwrap();
        engine.replace(policy("{version: '1', default: allow, hide: [pay, none]}"));
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert_eq!(person.changed(), 0, "{over:?}");
        engine.replace(policy("{version: '1', default: allow, hide: [typed]}"));
        until(|| person.changed() == 1).await;
        let list = client.list_tools(None).await.unwrap();
        assert!(list.tools.iter().any(|tool| tool.name == "pay"));
    }
}

/// In the generation of 2026-07-28 a client hears of it that listens.
#[tokio::test]
async fn who_listens_hears_of_a_reload() {
    for over in [Over::StreamsOf2026, Over::HttpOf2026] {
        let (engine, _) = engine(POLICY);
        let person = Person::who(ElicitationAction::Accept);
        let client = over.connect(&Guard::new(Bank::default(), engine.clone()), &person).await;
        let mut listening =
            client.listen(SubscriptionFilter::builder().tools_list_changed().build()).await.unwrap();
        engine.replace(policy("{version: '1', default: allow, hide: [typed]}"));
        let told = tokio::time::timeout(PATIENCE, listening.next()).await.expect("it is told in time");
        assert!(format!("{told:?}").contains("ToolListChanged"), "{over:?}: {told:?}");
    }
}

/// G4.7: resources and prompts that a caller can never get are not listed.
#[tokio::test]
async fn resources_and_prompts_are_filtered() {
    for over in Over::ALL {
        let (engine, _) = engine(
            "{version: '1', default: allow, requests: {default: deny, methods: {
              resources/read: {deny_if: [{path: args.uri, op: starts_with, value: 'secret:'}]},
              prompts/get: {require: [{path: args.name, op: eq, value: review}]}}}}",
        );
        let client =
            over.connect(&Guard::new(Bank::default(), engine), &Person::who(ElicitationAction::Accept)).await;
        let resources = client.list_resources(None).await.unwrap();
        let uris: Vec<_> = resources.resources.iter().map(|one| one.uri.as_str()).collect();
        assert_eq!(uris, ["file:///notes"], "{over:?}");
        let prompts = client.list_prompts(None).await.unwrap();
        let names: Vec<_> = prompts.prompts.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["review"], "{over:?}");
        assert_eq!(client.list_tools(None).await.unwrap().tools.len(), 8);
        let _ = json!(null);
    }
}
