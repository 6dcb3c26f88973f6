//! The example server in a process of its own, called over stdio by rmcp's client.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::process::{Command, Stdio};

use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{ServiceError, ServiceExt};
use serde_json::{Value, json};

type Client = RunningService<RoleClient, ()>;

/// The example is built by the same `cargo test` that runs this; it lies beside the tests.
fn server() -> std::path::PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join(format!("guarded_server{}", std::env::consts::EXE_SUFFIX))
}

async fn connect() -> Client {
    let transport = TokioChildProcess::new(tokio::process::Command::new(server())).unwrap();
    ().serve(transport).await.unwrap()
}

/// The result of a call, as JSON.
async fn call(client: &Client, tool: &str, args: Value) -> Result<Value, ServiceError> {
    let arguments = args.as_object().unwrap().clone();
    let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
    client.call_tool(request).await.map(|result| serde_json::to_value(result).unwrap())
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

/// Traps 33 and 36: the list is filtered and otherwise whole, and a denial is a tool result, not a transport error.
#[tokio::test]
async fn the_policy_decides_before_the_handler() {
    let client = connect().await;

    let tools = client.list_all_tools().await.unwrap();
    let mut names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["close_account", "create_charge", "list_customers"],
        "hidden tools are not listed, denied ones are"
    );
    assert!(tools.iter().all(|tool| !tool.input_schema.is_empty()), "the rest of the list stays");

    let allowed = call(&client, "list_customers", json!({})).await.unwrap();
    assert_eq!((text(&allowed), allowed["isError"].as_bool()), ("alice, bob", Some(false)));

    for (tool, args, message) in [
        ("operator_console", json!({}), "Tool \"operator_console\" is hidden by policy"),
        ("close_account", json!({}), "Tool \"close_account\" is not permitted by policy"),
        ("create_charge", json!({"amount": 50_001}), "Single charge cannot exceed $500.00"),
        (
            "create_charge",
            json!({"amount": "5"}),
            "Arguments are not valid: args.amount is of another type than the tool's schema admits",
        ),
        ("create_charge", json!({}), "Single charge cannot exceed $500.00"),
    ] {
        let denied = call(&client, tool, args).await.unwrap();
        assert_eq!((text(&denied), denied["isError"].as_bool()), (message, Some(true)));
    }

    let waiting = call(&client, "create_charge", json!({"amount": 30_000})).await.unwrap();
    let key = waiting["_meta"]["callgate/approval_key"].as_str().unwrap();
    assert!(
        key.starts_with("ak1:") && text(&waiting).ends_with(&format!("\nApproval key: {key}")),
        "{waiting}"
    );
    assert_eq!(
        (&waiting["_meta"]["callgate/code"], &waiting["isError"]),
        (&json!("approval_required"), &json!(true))
    );

    // Trap 39: neither an error of the protocol nor a result with `isError` gives anything back.
    for (amount, outcome) in [(14, Err(())), (1, Ok("charge 2: 1")), (13, Ok("the card was refused"))] {
        let result = call(&client, "create_charge", json!({"amount": amount})).await;
        match (&result, outcome) {
            (Ok(result), Ok(expected)) => assert_eq!(text(result), expected),
            (Err(ServiceError::McpError(error)), Err(())) => assert_eq!(error.message, "the bank is closed"),
            other => panic!("{amount}: {other:?}"),
        }
    }
    let limited = call(&client, "create_charge", json!({"amount": 1})).await.unwrap();
    let when = &limited["_meta"]["callgate/retry_after"];
    let told = format!("Rate limit of 3 per day reached. Try again in {when} second");
    assert!(text(&limited).starts_with(&told), "{limited}");
    client.cancel().await.unwrap();
}

/// What the SDK cannot read as a call reaches no handler, and the server goes on.
#[test]
fn a_call_that_cannot_be_parsed_reaches_no_handler() {
    use std::io::{BufRead, BufReader, Write};

    let mut child = Command::new(server())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let messages = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "0"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_customers", "arguments": [1]}}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"arguments": {}}}),
        json!({"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {"name": "list_customers", "arguments": {}}}),
        // rmcp reads null as no arguments at all, before the guard sees the call.
        json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "list_customers", "arguments": null}}),
    ];
    for message in &messages {
        writeln!(input, "{message}").unwrap();
    }
    let mut answers = std::collections::BTreeMap::new();
    for line in output.lines() {
        let answer: Value = serde_json::from_str(&line.unwrap()).unwrap();
        answers.insert(answer["id"].as_u64().unwrap(), answer);
        if answers.len() == 5 {
            break;
        }
    }
    drop(input);
    child.wait().unwrap();
    for id in [2, 3] {
        assert_eq!(answers[&id]["error"]["code"], -32602, "{}", answers[&id]);
    }
    for id in [4, 5] {
        assert_eq!(answers[&id]["result"]["content"][0]["text"], "alice, bob");
    }
}
