//! Decides two calls without any server.

use callgate::{Engine, Identity, Policy};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::new(Policy::from_yaml(&std::fs::read_to_string("policy.yaml")?)?);
    let alice = Identity::new("alice"); // from what you verified, never from the call

    for amount in [4_200, 99_999] {
        let decision = engine.evaluate("create_charge", &json!({ "amount": amount }), &alice);
        if decision.allowed() {
            println!("{amount}: allowed");
        } else {
            // The agent gets a tool result with `isError: true`, not a transport error.
            println!("{amount}: {}", decision.to_mcp_result().unwrap_or_default());
        }
    }
    Ok(())
}
