//! A server by rmcp, over stdio: what `tests/recorded.rs` puts `callgate proxy` in front of.
//!
//! In: messages. Out: answers that are the same each time, progress, errors of both kinds. Must not know of callgate.

use std::error::Error;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock, ErrorData};
use rmcp::{ServerHandler, ServiceExt as _, tool, tool_handler, tool_router};
use serde::Deserialize;

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Charge {
    amount: i64,
}

struct Payments;

#[tool_router]
impl Payments {
    #[tool(description = "Charges a customer")]
    async fn charge(&self, Parameters(charge): Parameters<Charge>) -> Result<CallToolResult, ErrorData> {
        match charge.amount {
            13 => Ok(CallToolResult::error(vec![ContentBlock::text("the card was refused")])),
            14 => Err(ErrorData::internal_error("the bank is closed", None)),
            amount => Ok(CallToolResult::success(vec![ContentBlock::text(format!("charged {amount}"))])),
        }
    }

    #[tool(description = "Lists customers")]
    async fn customers(&self) -> String {
        "Ada, Zoë, \u{2028}".to_owned()
    }
}

#[tool_handler]
impl ServerHandler for Payments {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    Payments.serve(rmcp::transport::stdio()).await?.waiting().await?;
    Ok(())
}
