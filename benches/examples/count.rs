//! One path of evaluation in a loop, for instruction counts: `count PATH ROUNDS`, which `benches/count.sh` runs under callgrind.
//! Of `compile`, its floor `value` and `compile_yaml` a round is one tool, in policies of 100.

use std::hint::black_box;

use callgate::{ArgsCheck, Call, Engine, Identity, InputSchema, Policy};
use callgate_benches::{
    by_hand, charge, deep_args, deep_policy, glob_policy, large_json, large_text, limit_policy,
    limits_policy, payment_policy,
};
use serde_json::{Value, json};

fn allowed(policy: &Policy, tool: &str, args: &Value) -> bool {
    policy.evaluate(&Call::new(black_box(tool), black_box(args))).decided().is_some_and(|d| d.allowed())
}

fn main() {
    let path = std::env::args().nth(1).unwrap_or_default();
    let rounds: usize = std::env::args().nth(2).and_then(|rounds| rounds.parse().ok()).unwrap_or(100_000);
    let again = |expected: bool, call: &dyn Fn() -> bool| {
        for _ in 0..rounds {
            assert_eq!(black_box(call()), expected);
        }
    };
    let (args, empty) = (charge(), json!({}));
    let text = args.to_string();
    let alice = Identity::new("alice");
    let payments = payment_policy;
    let engine = |policy: Policy, tool: &str, args: &Value| {
        let engine = Engine::new(policy);
        again(true, &|| engine.evaluate(black_box(tool), black_box(args), &alice).allowed());
    };
    let policy = |policy: Policy, tool: &str, args: &Value, expected| {
        again(expected, &|| allowed(&policy, tool, args));
    };
    let load = |text: &str, load: &dyn Fn(&str) -> bool| {
        for _ in 0..rounds / 100 {
            assert!(black_box(load(black_box(text))));
        }
    };
    // What guards add to a call: a check of its arguments before the rules.
    let checked = |args: &Value, check: ArgsCheck| {
        let policy = payments();
        again(true, &|| {
            let call = Call::new(black_box("create_charge"), black_box(args)).checked(black_box(&check));
            policy.evaluate(&call).decided().is_some_and(|d| d.allowed())
        });
    };
    let many = || {
        let mut args = charge();
        for member in 0..8 {
            args[format!("member{member}")] = json!(member);
        }
        args
    };
    match path.as_str() {
        "compile" => load(&large_json(100), &|text| Policy::from_json(text).is_ok()),
        "compile_yaml" => load(&large_text(100), &|text| Policy::from_yaml(text).is_ok()),
        "value" => load(&large_json(100), &|text| serde_json::from_str::<Value>(text).is_ok()),
        "hand" => again(true, &|| by_hand(black_box("create_charge"), black_box(&args)).is_ok()),
        "from_str" => again(true, &|| serde_json::from_str::<Value>(black_box(&text)).is_ok()),
        "policy" => policy(payments(), "create_charge", &args, true),
        "engine" => engine(payments(), "create_charge", &args),
        "json" => {
            let policy = payments();
            again(true, &|| {
                let call = Call::new(black_box("create_charge"), black_box(text.as_str()));
                policy.evaluate_json(&call).decided().is_some_and(|d| d.allowed())
            });
        }
        "plain" => policy(payments(), "list_7", &empty, true),
        "denied" => policy(payments(), "delete_customer", &empty, false),
        "unlisted" => policy(payments(), "drop_table", &empty, false),
        "limit" => engine(limit_policy(), "t", &empty),
        "limits4" => engine(limits_policy(4), "t", &empty),
        "deep" => policy(deep_policy(50), "t", &deep_args(50), true),
        "globs" => policy(glob_policy(1_000), "area_500_read", &empty, true),
        "folding" => checked(&args, ArgsCheck::new()),
        "folding10" => checked(&many(), ArgsCheck::new()),
        "schema" => {
            let schema = json!({"type": "object", "properties": {"amount": {"type": "integer"}, "currency": {"type": "string"}}});
            checked(&args, ArgsCheck::new().without_folding().schema(InputSchema::new(&schema)));
        }
        _ => {
            eprintln!(
                "usage: count hand|from_str|policy|engine|json|plain|denied|unlisted|limit|limits4|deep|globs|folding|folding10|schema|compile|compile_yaml|value [ROUNDS]"
            );
            std::process::exit(2);
        }
    }
}
