//! The Rust programs of the README, run from the folder of their policy.

use std::process::Command;

use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::TokioChildProcess;
use serde_json::{Value, json};

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

#[tokio::test]
async fn the_guarded_server_charges_and_refuses() {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_quickstart-server"));
    command.current_dir(FOLDER);
    let client = ().serve(TokioChildProcess::new(command).unwrap()).await.unwrap();
    for (amount, text, is_error) in
        [(4_200, "charged 4200", false), (99_999, "Single charge cannot exceed $500.00", true)]
    {
        let args = json!({ "amount": amount }).as_object().unwrap().clone();
        let request = CallToolRequestParams::new("create_charge").with_arguments(args);
        let result: Value = serde_json::to_value(client.call_tool(request).await.unwrap()).unwrap();
        assert_eq!(
            (result["content"][0]["text"].as_str(), result["isError"].as_bool()),
            (Some(text), Some(is_error))
        );
    }
    client.cancel().await.unwrap();
}

#[test]
fn the_embedded_engine_prints_what_the_readme_says() {
    let output = Command::new(env!("CARGO_BIN_EXE_quickstart-embed")).current_dir(FOLDER).output().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(&format!("```text\n{printed}```\n")), "{printed}");
}
