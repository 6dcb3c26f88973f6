//! The work that every bench does: a payment server's policy, calls under it, and the same decisions by hand.

use callgate::Policy;
use serde_json::{Value, json};

/// A payment server: an amount cap, a currency list, a refund cap, one denied tool, 20 listed ones, denial by default.
pub fn payment_policy() -> Policy {
    let mut text = String::from(
        r#"
version: "1"
default: deny
tools:
  create_charge:
    require:
      - {path: args.amount, op: lte, value: 50000}
      - {path: args.currency, op: in, value: [usd, eur, gbp]}
  create_refund:
    deny_if: [{path: args.amount, op: gt, value: 10000}]
  delete_customer: {rules: [{action: deny, on_deny: customers are never deleted}]}
"#,
    );
    for tool in 0..17 {
        text.push_str(&format!("  list_{tool}: {{}}\n"));
    }
    Policy::from_yaml(&text).expect("the policy loads")
}

/// One limit for each identity on the tool `t`, which no bench reaches.
pub fn limit_policy() -> Policy {
    let limit = "{counter: n, window: minute, max: 1000000000000, scope: identity}";
    let text = format!("{{version: '1', default: deny, tools: {{t: {{limits: [{limit}]}}}}}}");
    Policy::from_yaml(&text).expect("the policy loads")
}

/// The arguments of a charge that is allowed.
pub fn charge() -> Value {
    json!({"amount": 4200, "currency": "eur", "customer": "cus_123", "description": "order 17", "capture": true})
}

/// What a server's author would write by hand for the same policy: the floor.
pub fn by_hand(tool: &str, args: &Value) -> Result<(), &'static str> {
    match tool {
        "create_charge" => {
            match args.get("amount").and_then(Value::as_i64) {
                Some(amount) if amount <= 50_000 => {}
                _ => return Err("the charge is too large"),
            }
            match args.get("currency").and_then(Value::as_str) {
                Some("usd" | "eur" | "gbp") => Ok(()),
                _ => Err("the currency is not taken"),
            }
        }
        "create_refund" => match args.get("amount").and_then(Value::as_i64) {
            Some(amount) if amount <= 10_000 => Ok(()),
            _ => Err("the refund is too large"),
        },
        "delete_customer" => Err("customers are never deleted"),
        _ if tool.strip_prefix("list_").is_some_and(|number| number.parse::<u8>().is_ok_and(|n| n < 17)) => {
            Ok(())
        }
        _ => Err("the tool is not listed"),
    }
}
