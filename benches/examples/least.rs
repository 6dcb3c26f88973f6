//! Nanoseconds of each path, all in turn so that they see the same machine; the least of many rounds, which is what a busy
//! machine disturbs least: `cargo run --release -p callgate-benches --example least`.

use std::hint::black_box;
use std::time::Instant;

use callgate::{Call, Engine, Identity};
use callgate_benches::{by_hand, charge, limit_policy, payment_policy};
use serde_json::{Value, json};

type Path<'p> = (&'static str, Box<dyn Fn() -> bool + 'p>);

fn main() {
    let policy = payment_policy();
    let engine = Engine::new(policy.clone());
    let limited = Engine::new(limit_policy());
    let (args, empty) = (charge(), json!({}));
    let text = args.to_string();
    let alice = Identity::new("alice");
    let decide = |tool: &str, args: &Value| {
        policy.evaluate(&Call::new(black_box(tool), black_box(args))).decided().is_some_and(|d| d.allowed())
    };
    let paths: Vec<Path<'_>> = vec![
        ("hand charge", Box::new(|| by_hand(black_box("create_charge"), black_box(&args)).is_ok())),
        ("policy charge", Box::new(|| decide("create_charge", &args))),
        (
            "engine charge",
            Box::new(|| engine.evaluate(black_box("create_charge"), black_box(&args), &alice).allowed()),
        ),
        ("hand plain", Box::new(|| by_hand(black_box("list_7"), black_box(&empty)).is_ok())),
        ("policy plain", Box::new(|| decide("list_7", &empty))),
        ("hand denied", Box::new(|| by_hand(black_box("delete_customer"), black_box(&empty)).is_ok())),
        ("policy denied", Box::new(|| decide("delete_customer", &empty))),
        ("hand unlisted", Box::new(|| by_hand(black_box("drop_table"), black_box(&empty)).is_ok())),
        ("policy unlisted", Box::new(|| decide("drop_table", &empty))),
        ("from_str", Box::new(|| serde_json::from_str::<Value>(black_box(&text)).is_ok())),
        (
            "policy json",
            Box::new(|| {
                policy
                    .evaluate_json(&Call::new(black_box("create_charge"), black_box(text.as_str())))
                    .decided()
                    .is_some_and(|d| d.allowed())
            }),
        ),
        ("one limit", Box::new(|| limited.evaluate(black_box("t"), black_box(&empty), &alice).allowed())),
    ];
    let mut least = vec![f64::MAX; paths.len()];
    for _ in 0..200 {
        for (least, (_, path)) in least.iter_mut().zip(&paths) {
            let start = Instant::now();
            for _ in 0..2_000 {
                black_box(path());
            }
            *least = least.min(start.elapsed().as_nanos() as f64 / 2_000.0);
        }
    }
    for (least, (name, _)) in least.iter().zip(&paths) {
        println!("{name:16} {least:7.1}");
    }
}
