//! Prints generated policies, calls under them, and Rust's decisions: `pairs --count N --seed S`, one JSON line a policy.
//! Other languages decide the same calls at the same time and compare.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use callgate::time::{ManualClock, Timestamp};
use callgate::{Call, Engine};
use callgate_tests::caller::Caller;
use callgate_tests::generate::Generator;
use serde_json::{Value, json};

/// The time of every call: 2026-11-21T10:00:00.000Z.
const NOW: i64 = 1_795_255_200_000;

fn main() -> io::Result<()> {
    let mut count = 1_000_u64;
    let mut seed = 1_u64;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (name.as_str(), value) {
            ("--count", Some(value)) => count = value,
            ("--seed", Some(value)) => seed = value,
            _ => {
                eprintln!("usage: pairs [--count N] [--seed S]");
                std::process::exit(2);
            }
        }
    }
    let mut generator = Generator::new(seed);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut done = 0;
    while done < count {
        let policy = generator.policy();
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(NOW)));
        let parsed = policy.parse().unwrap_or_else(|error| panic!("{error}\n{policy}"));
        let engine = Engine::builder(parsed).clock(clock).build();
        let mut calls = Vec::new();
        for _ in 0..20.min(count - done) {
            let call = generator.call();
            let caller = Caller::read(call.identity.as_deref()).expect("an identity is JSON");
            let decision = engine
                .decide_json(&Call::new(&call.name, call.args.as_str()).identity(caller.identity()))
                .to_json();
            calls.push(json!({
                "tool": call.name, "args": call.args, "identity": call.identity, "raw_only": call.raw_only,
                "decision": decision,
            }));
            done += 1;
        }
        let line: Value = json!({"at_ms": NOW, "policy": policy, "calls": calls});
        writeln!(out, "{line}")?;
    }
    out.flush()
}
