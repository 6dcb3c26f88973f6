//! An MCP server over stdio, built with rmcp and guarded by the policy in the current folder.

use callgate::{Engine, Policy};
use callgate_rmcp::Guard;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Charge {
    amount: i64,
}

struct Payments;

#[tool_router]
impl Payments {
    #[tool(description = "Charges an amount in cents")]
    async fn create_charge(&self, Parameters(charge): Parameters<Charge>) -> String {
        format!("charged {}", charge.amount)
    }
}

#[tool_handler]
impl ServerHandler for Payments {}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let policy = Policy::from_yaml(&std::fs::read_to_string("policy.yaml")?)?;
    let server = Guard::new(Payments, Engine::new(policy));
    server.serve(rmcp::transport::stdio()).await?.waiting().await?;
    Ok(())
}
