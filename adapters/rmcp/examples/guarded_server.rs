//! A payment server over stdio, guarded by the policy beside it: `cargo run -p callgate-rmcp --example guarded_server`.

use std::sync::atomic::{AtomicU64, Ordering};

use callgate::{Engine, Policy};
use callgate_rmcp::Guard;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock, ErrorData};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde::Deserialize;

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Charge {
    amount: i64,
}

#[derive(Debug, Default)]
struct Payments {
    charges: AtomicU64,
}

#[tool_router]
impl Payments {
    #[tool(description = "Charges a customer")]
    async fn create_charge(
        &self,
        Parameters(charge): Parameters<Charge>,
    ) -> Result<CallToolResult, ErrorData> {
        let count = self.charges.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        match charge.amount {
            // The server's own failures: one that it reports in its result, one that the protocol does.
            13 => Ok(CallToolResult::error(vec![ContentBlock::text("the card was refused")])),
            14 => Err(ErrorData::internal_error("the bank is closed", None)),
            amount => {
                Ok(CallToolResult::success(vec![ContentBlock::text(format!("charge {count}: {amount}"))]))
            }
        }
    }

    #[tool(description = "Lists customers")]
    async fn list_customers(&self) -> String {
        "alice, bob".to_owned()
    }

    #[tool(description = "Closes the account")]
    async fn close_account(&self) -> String {
        "closed".to_owned()
    }

    #[tool(description = "For the operator only")]
    async fn operator_console(&self) -> String {
        "root".to_owned()
    }
}

#[tool_handler]
impl ServerHandler for Payments {}

const POLICY: &str = include_str!("policy.yaml");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let policy = Policy::from_yaml(POLICY)?;
    // Nothing here collects what the guard logs. Standard output is the client's.
    policy.warnings().iter().for_each(|warning| eprintln!("policy.yaml: {warning}"));
    let engine = Engine::new(policy);
    // Over stdio the client is the process that started this one; on HTTP, take the verified token from the context.
    let server = Guard::new(Payments::default(), engine).identity(|_| Some("local".into()));
    server.serve(rmcp::transport::stdio()).await?.waiting().await?;
    Ok(())
}
