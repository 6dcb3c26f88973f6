//! One path of evaluation in a loop, for instruction counts: `valgrind --tool=callgrind target/release/examples/count PATH`.

use std::hint::black_box;

use callgate::{Call, Engine, Identity};
use callgate_benches::{by_hand, charge, limit_policy, payment_policy};
use serde_json::json;

const ROUNDS: usize = 100_000;

fn main() {
    let policy = payment_policy();
    let engine = Engine::new(policy.clone());
    let limited = Engine::new(limit_policy());
    let (args, empty) = (charge(), json!({}));
    let text = args.to_string();
    let path = std::env::args().nth(1).unwrap_or_default();
    let alice = Identity::new("alice");
    for _ in 0..ROUNDS {
        let allowed = match path.as_str() {
            "hand" => by_hand(black_box("create_charge"), black_box(&args)).is_ok(),
            "policy" => policy
                .evaluate(&Call::new(black_box("create_charge"), black_box(&args)))
                .decided()
                .is_some_and(|d| d.allowed()),
            "engine" => engine.evaluate(black_box("create_charge"), black_box(&args), &alice).allowed(),
            "json" => policy
                .evaluate_json(&Call::new(black_box("create_charge"), black_box(text.as_str())))
                .decided()
                .is_some_and(|d| d.allowed()),
            "plain" => policy
                .evaluate(&Call::new(black_box("list_7"), black_box(&empty)))
                .decided()
                .is_some_and(|d| d.allowed()),
            "limit" => limited.evaluate(black_box("t"), black_box(&empty), &alice).allowed(),
            _ => {
                eprintln!("usage: count hand|policy|engine|json|plain|limit");
                std::process::exit(2);
            }
        };
        assert!(black_box(allowed));
    }
}
