//! What a run of policy tests takes: 10,000 steps, read, checked and decided, alone and with an observer of every call as coverage has one:
//! `cargo run --release -p callgate-benches --example tests`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench may fail by panicking")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use callgate_analysis::coverage::Coverage;
use callgate_analysis::report::Totals;
use callgate_analysis::subject::Subject;
use callgate_analysis::{Options, run, run_observed};
use callgate_benches::{Record, Role, quick};

const STEPS: usize = 10_000;

/// Tests of a hundred steps each, by half in a test with counters of its own, by half each alone.
fn suite() -> String {
    let mut text = String::from(
        "policy: payments.yaml\ncalls:\n  charge: {tool: create_charge, args: {amount: 10, currency: usd}}\ntests:\n",
    );
    for test in 0..STEPS / 100 {
        let form = if test % 2 == 0 { "steps" } else { "each" };
        writeln!(text, "  - name: test {test}\n    {form}:").unwrap();
        for step in 0..50 {
            writeln!(text, "      - {{call: charge, with: {{amount: {}}}, expect: allow}}", step + 1)
                .unwrap();
            writeln!(text, "      - {{call: charge, with: {{amount: 50001}}, expect: condition_failed, rule: max single charge}}")
                .unwrap();
        }
    }
    text
}

fn main() {
    let policy = include_str!("../../spec/policies/payments.yaml");
    let suite = suite();
    let options = Options { filter: None, read: &|_| Ok(policy.to_owned()), elapsed: &|| Duration::ZERO };
    let subject = Subject::new("payments.yaml", policy).expect("the policy loads");
    let rounds = if quick() { 5 } else { 20 };
    let (mut plain, mut covered) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        let report = run("payments_test.yaml", &suite, &options);
        plain.push(begun.elapsed().as_secs_f64() * 1e9);
        let totals = Totals::of(&[report]);
        assert_eq!((totals.calls, totals.exit_code()), (STEPS as u64, 0));
        let begun = Instant::now();
        let mut coverage = Coverage::new(&subject);
        let report = run_observed(
            "payments_test.yaml",
            &suite,
            &options,
            Some(&mut |call| _ = coverage.observe(call)),
        );
        covered.push(begun.elapsed().as_secs_f64() * 1e9);
        assert_eq!(Totals::of(&[report]).exit_code(), 0);
    }
    for (subject, found) in [("callgate test", plain), ("the same with --coverage", covered)] {
        let (bench, case) = ("tests", "10000 steps");
        Record { bench, case, subject, role: Role::Ours, unit: "ns", x: None, found }.write();
    }
}
