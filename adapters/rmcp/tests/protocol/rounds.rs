//! A call of several rounds is charged and approved once (spec 8.16, G5).

use std::time::Duration;

use rmcp::model::{CallToolRequestParams, ElicitationAction, InputResponses};
use serde_json::{Value, json};

use super::support::*;
use callgate_rmcp::Guard;

const POLICY: &str = "
version: '1'
default: deny
tools: {ask: {rules: [{rate_limit: 3/hour}]}, pay: {}}
";

const BOTH: [Over; 2] = [Over::StreamsOf2026, Over::HttpOf2026];

fn answered() -> InputResponses {
    [("name".to_owned(), json!({"action": "accept", "content": {}}))].into()
}

fn next(args: &Value, state: &str) -> CallToolRequestParams {
    params("ask", args).with_input_responses(answered()).with_request_state(state)
}

fn state(result: &Value) -> &str {
    result["requestState"].as_str().unwrap_or_else(|| panic!("{result}"))
}

#[tokio::test]
async fn all_rounds_are_one_call() {
    for over in BOTH {
        let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
        let person = Person::who(ElicitationAction::Accept);
        let client = over.connect(&Guard::new(bank.clone(), engine), &person).await;
        assert_eq!(text(&call(&client, "ask", json!({"a": 1})).await), "asked");
        assert_eq!((used(&store).as_str(), person.asked()), ("1", 2), "{over:?}");
        assert_eq!(bank.reached(), ["ask", "ask", "ask"]);
    }
}

/// Whatever is not the next round of the same call is a new call.
#[tokio::test]
async fn made_up_states_other_arguments_and_repeats_are_new_calls() {
    for over in BOTH {
        let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
        let person = Person::who(ElicitationAction::Accept);
        let client = over.connect(&Guard::new(bank.clone(), engine), &person).await;
        let first = once(&client, params("ask", &json!({"a": 1}))).await;
        assert_eq!((state(&first), used(&store).as_str()), ("one", "1"));
        // Other arguments, then a made-up state.
        once(&client, next(&json!({"a": 2}), "one")).await;
        assert_eq!(used(&store), "2", "{over:?}");
        once(&client, next(&json!({"a": 1}), "three")).await;
        assert_eq!(used(&store), "3", "{over:?}");
        // The call itself goes on, once.
        let second = once(&client, next(&json!({"a": 1}), "one")).await;
        assert_eq!((state(&second), used(&store).as_str()), ("two", "3"), "{over:?}");
        let again = once(&client, next(&json!({"a": 1}), "one")).await;
        assert_eq!(code(&again), "limit_exceeded", "{over:?}");
        assert_eq!(text(&once(&client, next(&json!({"a": 1}), "two")).await), "asked");
        assert_eq!(bank.reached().len(), 5);
    }
}

/// Another caller, and over streams another connection, has a call of its own.
#[tokio::test]
async fn a_round_is_its_callers_own() {
    let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
    let caller = |context: &rmcp::service::RequestContext<rmcp::service::RoleServer>| {
        context.client_info().map(|client| json!(client.version))
    };
    // For this test alone: a client chooses its own information.
    let guard = Guard::new(bank, engine).identity(caller);
    let named = |version: &str| {
        let mut person = Person::who(ElicitationAction::Accept);
        person.version = version.to_owned();
        person
    };
    let uri = serve_http(guard.clone()).await;
    let (alice, bob) = (connect_to(&uri, &named("alice")).await, connect_to(&uri, &named("bob")).await);
    once(&alice, params("ask", &json!({}))).await;
    once(&bob, next(&json!({}), "one")).await;
    once(&alice, next(&json!({}), "one")).await;
    // Each is charged: `rate_limit` counts by identity.
    assert_eq!(used_in_all(&store), 2);

    let (first, second) = (
        Over::StreamsOf2026.connect(&guard, &named("eve")).await,
        Over::StreamsOf2026.connect(&guard, &named("eve")).await,
    );
    once(&first, params("ask", &json!({}))).await;
    once(&second, next(&json!({}), "one")).await;
    assert_eq!(used_in_all(&store), 4);
}

/// At most eight rounds, and at most ten minutes.
#[tokio::test(start_paused = true)]
async fn a_call_does_not_go_on_for_ever() {
    let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
    let person = Person::who(ElicitationAction::Accept);
    let client = Over::StreamsOf2026.connect(&Guard::new(bank, engine), &person).await;
    // The made-up state makes the server ask with the same one again: the first of eight rounds.
    for round in 1..=8 {
        once(&client, next(&json!({}), "loop")).await;
        assert_eq!(used(&store), "1", "round {round}");
    }
    once(&client, next(&json!({}), "loop")).await;
    assert_eq!(used(&store), "2");
    tokio::time::advance(Duration::from_secs(601)).await;
    once(&client, next(&json!({}), "loop")).await;
    assert_eq!(used(&store), "3");
}

/// A call in flight is given back where its call does not go on, and where its connection ends.
#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_go_on_is_not_in_flight_for_ever() {
    let policy = "{version: '1', default: deny, tools: {ask: {limits: [{in_flight: 1, lease: hour}]}}}";
    let (bank, (engine, store)) = (Bank::default(), engine(policy));
    let guard = Guard::new(bank, engine);
    let person = Person::who(ElicitationAction::Accept);
    let client = Over::StreamsOf2026.connect(&guard, &person).await;
    once(&client, params("ask", &json!({}))).await;
    assert_eq!(used(&store), "1");
    assert_eq!(code(&once(&client, params("ask", &json!({"b": 1}))).await), "limit_exceeded");
    tokio::time::advance(Duration::from_secs(601)).await;
    until(|| used(&store) == "0").await;
    once(&client, params("ask", &json!({}))).await;
    assert_eq!(used(&store), "1");
    client.cancel().await.unwrap();
    until(|| used(&store) == "0").await;
}

/// A reload ends what its policy decided: the next round is a new call.
#[tokio::test]
async fn another_policy_is_another_call() {
    let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
    let client = Over::StreamsOf2026
        .connect(&Guard::new(bank, engine.clone()), &Person::who(ElicitationAction::Accept))
        .await;
    once(&client, params("ask", &json!({}))).await;
    engine.replace(callgate::Policy::from_yaml(&POLICY.replace("pay: {}", "")).unwrap());
    once(&client, next(&json!({}), "one")).await;
    assert_eq!(used(&store), "2");
}
