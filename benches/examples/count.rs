//! One path of evaluation in a loop, for instruction counts: `count PATH ROUNDS`, which `benches/count.sh` runs under callgrind.
//! Of `compile`, its floor `value` and `compile_yaml` a round is one tool, in policies of 100.

use std::hint::black_box;
use std::sync::Arc;

use callgate::time::{ManualClock, Timestamp};
use callgate::{Call, Engine, Identity, Policy};
use callgate_benches::{
    Stepping, by_hand, charge, checks, deep_args, deep_policy, full_policy, glob_policy, large_json,
    large_text, limit_policy, limits_policy, payment_policy, sliding_policy,
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
    let by_engine = |engine: &Engine, tool: &str, args: &Value, expected| {
        again(expected, &|| engine.evaluate(black_box(tool), black_box(args), &alice).allowed());
    };
    let engine = |policy: Policy, tool, args| by_engine(&Engine::new(policy), tool, args, true);
    // Charged so often before anything is counted: a window is full then, or loses as many charges as it gets.
    let charged = |engine: Engine, times: usize| {
        assert!((0..times).all(|_| engine.evaluate("t", &empty, &alice).allowed()));
        engine
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
    let checked = |index: usize| {
        let (policy, (_, args, check)) = (payments(), &checks()[index]);
        again(true, &|| {
            let call = Call::new(black_box("create_charge"), black_box(args)).checked(black_box(check));
            policy.evaluate(&call).decided().is_some_and(|d| d.allowed())
        });
    };
    match path.as_str() {
        "compile" => load(&large_json(100), &|text| Policy::from_json(text).is_ok()),
        "compile_yaml" => load(&large_text(100), &|text| Policy::from_yaml(text).is_ok()),
        "value" => load(&large_json(100), &|text| serde_json::from_str::<Value>(text).is_ok()),
        "hand" => again(true, &|| by_hand(black_box("create_charge"), black_box(&args)).is_ok()),
        "from_str" => again(true, &|| serde_json::from_str::<Value>(black_box(&text)).is_ok()),
        "policy" => policy(payments(), "create_charge", &args, true),
        "engine" => engine(payments(), "create_charge", &args),
        // The same policy as a stack of one, which must cost nothing.
        "stack" => {
            let stack = Policy::stack([payments()]).expect("a stack of one");
            engine(stack, "create_charge", &args);
        }
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
        "refused" => by_engine(&charged(Engine::new(full_policy()), 1), "t", &empty, false),
        "sliding" => {
            let sliding = Engine::builder(sliding_policy(1_000)).clock(Arc::new(Stepping::default()));
            by_engine(&charged(sliding.build(), 200), "t", &empty, true);
        }
        "sliding_refused" => {
            let clock = Arc::new(ManualClock::new(Timestamp::MIN));
            let full = charged(Engine::builder(sliding_policy(1)).clock(clock).build(), 1);
            by_engine(&full, "t", &empty, false);
        }
        "deep" => policy(deep_policy(50), "t", &deep_args(50), true),
        "globs" => policy(glob_policy(1_000), "area_500_read", &empty, true),
        "folding2" => checked(0),
        "folding10" => checked(1),
        "schema" => checked(2),
        _ => {
            eprintln!(
                "usage: count hand|from_str|policy|engine|stack|json|plain|denied|unlisted|limit|limits4|refused|sliding|sliding_refused|deep|globs|folding2|folding10|schema|compile|compile_yaml|value [ROUNDS]"
            );
            std::process::exit(2);
        }
    }
}
