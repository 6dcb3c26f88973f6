//! Requests of other methods, of the client and of the server (spec 3.10, G10).

use callgate_rmcp::Guard;
use rmcp::model::{
    ArgumentInfo, CompleteRequestParams, ElicitationAction, ErrorData, GetPromptRequestParams,
    ReadResourceRequestParams, Reference,
};
use rmcp::service::ServiceError;
use serde_json::json;

use super::support::*;

const POLICY: &str = "
version: '1'
default: allow
requests:
  default: deny
  methods:
    resources/read:
      deny_if: [{path: args.uri, op: starts_with, value: 'secret:'}]
      limits: [{counter: reads, window: day, max: 3}]
    prompts/get: {require: [{path: args.name, op: eq, value: review}]}
    completion/complete: {}
";

fn error<T: std::fmt::Debug>(answer: Result<T, ServiceError>) -> ErrorData {
    match answer {
        Err(ServiceError::McpError(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn requests_of_the_client_are_decided() {
    for over in Over::ALL {
        let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
        let client =
            over.connect(&Guard::new(bank.clone(), engine), &Person::who(ElicitationAction::Accept)).await;
        let read = async |uri: &str| client.read_resource(ReadResourceRequestParams::new(uri)).await;
        read("file:///notes").await.unwrap();
        let denied = error(read("secret:///keys").await);
        assert_eq!(
            (denied.code.0, &denied.data.unwrap()["callgate/code"]),
            (-31_000, &json!("denied")),
            "{over:?}"
        );
        client.get_prompt(GetPromptRequestParams::new("review")).await.unwrap();
        let denied = error(client.get_prompt(GetPromptRequestParams::new("root")).await);
        assert_eq!(
            (denied.code.0, &denied.data.unwrap()["callgate/code"]),
            (-31_000, &json!("condition_failed"))
        );
        let complete = async |prompt: &str| {
            let argument = ArgumentInfo::new("a", "b");
            client.complete(CompleteRequestParams::new(Reference::for_prompt(prompt), argument)).await
        };
        complete("review").await.unwrap();
        assert_eq!(error(complete("root").await).code.0, -31_000);
        assert_eq!(used(&store), "1");
        // Other uris than before: a client may keep what it has read.
        read("file:///2").await.unwrap();
        read("file:///3").await.unwrap();
        let limited = error(read("file:///4").await);
        assert_eq!(limited.data.unwrap()["callgate/code"], "limit_exceeded", "{over:?}");
        assert_eq!(bank.reached(), ["file:///notes", "review", "complete", "file:///2", "file:///3"]);
    }
}

/// A request of several rounds is charged once, as a call is.
#[tokio::test]
async fn a_request_has_rounds() {
    for over in [Over::StreamsOf2026, Over::HttpOf2026] {
        let policy = POLICY.replace("completion/complete: {}", "elicitation/create: {}");
        let (bank, (engine, store)) = (Bank::default(), engine(&policy));
        let client =
            over.connect(&Guard::new(bank.clone(), engine), &Person::who(ElicitationAction::Accept)).await;
        client.read_resource(ReadResourceRequestParams::new("ask:///name")).await.unwrap();
        assert_eq!((bank.reached().len(), used(&store).as_str()), (2, "1"), "{over:?}");
    }
}

/// What an answer asks the client for is decided, before the client sees it.
#[tokio::test]
async fn what_an_answer_asks_for_is_decided() {
    for over in [Over::StreamsOf2026, Over::HttpOf2026] {
        let (bank, (engine, _)) = (Bank::default(), engine(POLICY));
        let person = Person::who(ElicitationAction::Accept);
        let client = over.connect(&Guard::new(bank.clone(), engine), &person).await;
        let denied = call(&client, "ask", json!({})).await;
        assert_eq!((code(&denied), &denied["error"]["code"]), ("not_listed", &json!(-31_000)), "{over:?}");
        assert_eq!((person.asked(), bank.reached().len()), (0, 1));
    }
}

/// A request of the server is decided before the client sees it, where the guard has the transport.
#[tokio::test]
async fn requests_of_the_server_are_decided() {
    let policy = |elicit: &str| {
        format!(
            "{{version: '1', default: allow, requests: {{default: deny, methods: {{elicitation/create: {elicit}}}}}}}"
        )
    };
    let (bank, (denying, _)) =
        (Bank::default(), engine("{version: '1', default: allow, requests: {default: deny, methods: {}}}"));
    let person = Person::who(ElicitationAction::Accept);
    let client = Over::Streams.connect(&Guard::new(bank.clone(), denying), &person).await;
    let told = call(&client, "elicit", json!({})).await;
    assert_eq!(
        (text(&told), person.asked()),
        ("-31000: Method \"elicitation/create\" is not permitted by policy", 0)
    );

    let (once_a_day, store) =
        engine(&policy("{limits: [{counter: asks, window: day, max: 1, scope: identity}]}"));
    let guard = Guard::new(bank.clone(), once_a_day).identity(|_| Some(json!("alice")));
    let client = Over::Streams.connect(&guard, &person).await;
    assert_eq!(text(&call(&client, "elicit", json!({})).await), "Accept");
    assert_eq!((person.asked(), used(&store).as_str()), (1, "1"));
    assert!(text(&call(&client, "elicit", json!({})).await).starts_with("-31000: Rate limit"));
    assert_eq!(person.asked(), 1);
}

/// What a server's request holds in flight is free again when the client has answered.
#[tokio::test]
async fn a_request_of_the_server_ends() {
    let policy = "{version: '1', default: allow, requests: {default: deny, methods: {
                   elicitation/create: {limits: [{in_flight: 1, lease: hour}]}}}}";
    let (engine, store) = engine(policy);
    let person = Person::who(ElicitationAction::Decline);
    let client = Over::Streams.connect(&Guard::new(Bank::default(), engine), &person).await;
    for _ in 0..2 {
        assert_eq!(text(&call(&client, "elicit", json!({})).await), "Decline");
        until(|| used(&store) == "0").await;
    }
}

/// The guard's own question is not one of the server's requests.
#[tokio::test]
async fn the_guards_question_is_not_decided() {
    for over in Over::ALL {
        let policy = "{version: '1', default: deny, tools: {pay: {rules: [{action: require_approval}]}}, requests: {default: deny, methods: {}}}";
        let person = Person::who(ElicitationAction::Accept);
        let guard = Guard::new(Bank::default(), engine(policy).0).approve_by_elicitation();
        let client = over.connect(&guard, &person).await;
        assert_eq!(text(&call(&client, "pay", json!({})).await), "done", "{over:?}");
    }
}
