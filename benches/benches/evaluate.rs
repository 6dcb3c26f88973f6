//! Evaluation against a hand-written function, in one run: `cargo bench -p callgate-benches`.

use std::hint::black_box;

use callgate::{Call, Engine, Identity};
use callgate_benches::{Case, by_hand, calls, identities, limit_policy, payment_policy};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};

fn evaluate(criterion: &mut Criterion) {
    let policy = payment_policy();
    let engine = Engine::new(policy.clone());
    for Case { name, tool, args, .. } in &calls() {
        let mut group = criterion.benchmark_group(*name);
        group.bench_function("by hand", |bencher| {
            bencher.iter(|| by_hand(black_box(*tool), black_box(args)).is_ok())
        });
        group.bench_function("Policy::evaluate", |bencher| {
            bencher.iter(|| {
                let call = Call::new(black_box(*tool), black_box(args)).identity(Identity::new("alice"));
                policy.evaluate(&call).decided().is_some_and(|decision| decision.allowed())
            });
        });
        group.bench_function("Engine::evaluate", |bencher| {
            let alice = Identity::new("alice");
            bencher.iter(|| engine.evaluate(black_box(*tool), black_box(args), &alice).allowed());
        });
        let text = args.to_string();
        group.bench_function("Policy::evaluate_json", |bencher| {
            bencher.iter(|| {
                let call = Call::new(black_box(*tool), black_box(text.as_str()));
                policy.evaluate_json(&call).decided().is_some_and(|decision| decision.allowed())
            });
        });
        group.bench_function("serde_json::from_str alone", |bencher| {
            bencher.iter(|| serde_json::from_str::<Value>(black_box(&text)).is_ok());
        });
        group.finish();
    }
}

fn limits(criterion: &mut Criterion) {
    let engine = Engine::new(limit_policy());
    let names: Vec<String> = identities(10_000);
    let empty = json!({});
    let mut next = 0_usize;
    criterion.bench_function("one limit, 10,000 identities", |bencher| {
        bencher.iter(|| {
            next = (next + 7_919) % names.len();
            engine.evaluate("t", &empty, &Identity::new(&names[next])).allowed()
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50).measurement_time(std::time::Duration::from_secs(2));
    targets = evaluate, limits
}
criterion_main!(benches);
