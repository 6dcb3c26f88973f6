//! Time of a call against the number of tools, conditions, globs, identities, counters and threads; and the bytes that a policy and
//! a live counter hold: `cargo run --release -p callgate-benches --example growth`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use callgate::time::{ManualClock, Timestamp};
use callgate::{Call, Engine, Identity, Policy};
use callgate_benches::{
    Counting, Record, Role, Stepping, Turns, charge, deep_args, deep_policy, full_policy, glob_policy,
    identities, large_policy, limit_policy, limits_policy, sliding_policy, tenant,
};
use serde_json::{Value, json};

/// Its count costs the calls with counters that are new; no other call allocates.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

const TOOLS: [usize; 5] = [20, 100, 1_000, 10_000, 100_000];
const CONDITIONS: [usize; 4] = [1, 5, 10, 50];
const GLOBS: [usize; 4] = [10, 100, 1_000, 10_000];
const IDENTITIES: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];

fn allowed(policy: &Policy, tool: &str, args: &Value) -> bool {
    policy.evaluate(&Call::new(black_box(tool), black_box(args))).decided().is_some_and(|d| d.allowed())
}

fn bytes(case: &str, subject: &str, x: usize, held: f64) {
    let (bench, unit, role) = ("memory", "bytes", Role::Ours);
    Record { bench, case, subject, role, unit, x: Some(x as u64), found: vec![held] }.write();
}

fn held<R>(make: impl FnOnce() -> R) -> (R, f64) {
    let before = Counting::held();
    let made = make();
    (made, (Counting::held() - before) as f64)
}

fn main() {
    stateless();
    counters();
    tenants();
}

/// A process that serves many tenants, each with a policy and counters of its own, whose calls come in turn.
fn tenants() {
    const TENANTS: usize = 1_000;
    let args = charge();
    let call = |engine: &Engine| {
        engine.evaluate(black_box("tool_7"), black_box(&args), &Identity::new("alice")).allowed()
    };
    let (engines, taken) = held(|| {
        let engines: Vec<Engine> = (0..TENANTS).map(tenant).collect();
        assert!(engines.iter().all(call));
        engines
    });
    bytes("tenants", "an engine and a policy of 50 tools", TENANTS, taken / TENANTS as f64);
    let mut turns = Turns::new("growth", 100).turn(Duration::from_millis(4));
    let (mut at, engines, call) = (0, &engines, &call);
    turns.add(Role::Ours, "1000 tenants", "one tenant again and again", move || call(&engines[7]));
    turns.add(Role::Ours, "1000 tenants", "all in turn", move || {
        at = (at + 379) % TENANTS;
        call(&engines[at])
    });
    turns.measure();
}

fn stateless() {
    let made = |case: &str, sizes: &[usize], make: fn(usize) -> Policy| -> Vec<(usize, Policy)> {
        let one = |&size: &usize| {
            let (policy, held) = held(|| make(size));
            bytes(case, "a policy's bytes for each", size, held / size as f64);
            (size, policy)
        };
        sizes.iter().map(one).collect()
    };
    let tools = made("tools", &TOOLS, large_policy);
    let globs = made("globs", &GLOBS, glob_policy);
    let deep = made("conditions", &CONDITIONS, deep_policy);
    let (args, empty) = (charge(), json!({}));
    let deep_args: Vec<Value> = CONDITIONS.iter().map(|&count| deep_args(count)).collect();
    let mut turns = Turns::new("growth", 200).turn(Duration::from_millis(4));
    for (size, policy) in &tools {
        let args = &args;
        // Names in an order that no cache foresees, made before: a hot one would not show what many tools cost.
        let names: Vec<String> = (0..1_024).map(|n| format!("tool_{}", n * 7_919 % size)).collect();
        assert!(names.iter().all(|name| allowed(policy, name, args)));
        let hot = format!("tool_{}", size / 2);
        turns.add_at(
            Role::Ours,
            &format!("{size} tools"),
            "one tool again and again",
            *size as u64,
            move || allowed(policy, &hot, args),
        );
        let mut at = 0;
        turns.add_at(Role::Ours, &format!("{size} tools"), "many tools in turn", *size as u64, move || {
            at = (at + 1) % names.len();
            allowed(policy, &names[at], args)
        });
    }
    for ((size, policy), args) in deep.iter().zip(&deep_args) {
        assert!(allowed(policy, "t", args));
        turns.add_at(Role::Ours, &format!("{size} conditions"), "all hold", *size as u64, move || {
            allowed(policy, "t", args)
        });
    }
    for (size, policy) in &globs {
        let empty = &empty;
        let name = format!("area_{}_read", size / 2);
        assert!(allowed(policy, &name, empty) && !allowed(policy, "area_x", empty));
        turns.add_at(Role::Ours, &format!("{size} globs"), "one matches", *size as u64, move || {
            allowed(policy, &name, empty)
        });
        turns.add_at(Role::Ours, &format!("{size} globs"), "none matches", *size as u64, move || {
            allowed(policy, "drop_table", empty)
        });
    }
    turns.measure();
}

fn counters() {
    let names = identities(1_000_000);
    let empty = json!({});
    let call = |engine: &Engine, name: &str| engine.evaluate("t", &empty, &Identity::new(name)).allowed();
    // Each engine has its counters from the beginning, so that a turn makes none.
    let engines: Vec<(usize, Engine)> = IDENTITIES
        .iter()
        .map(|&count| {
            let (engine, held) = held(|| {
                let engine = Engine::new(limit_policy());
                assert!(names[..count].iter().all(|name| call(&engine, name)));
                engine
            });
            let text: usize = names[..count].iter().map(String::len).sum();
            bytes(
                "counters",
                "bytes for each, without its identity's text",
                count,
                (held - text as f64) / count as f64,
            );
            (count, engine)
        })
        .collect();
    let several: Vec<(usize, Engine)> =
        [1, 2, 4].into_iter().map(|count| (count, Engine::new(limits_policy(count)))).collect();
    // What a full counter and a sliding one cost, beside one that is fixed and has room.
    let full = Engine::new(full_policy());
    let stepping = |max| Engine::builder(sliding_policy(max)).clock(Arc::new(Stepping::default())).build();
    let (sliding, clock) = (stepping(1_000), Arc::new(ManualClock::new(Timestamp::MIN)));
    let sliding_full = Engine::builder(sliding_policy(1)).clock(clock).build();
    assert!(call(&full, "alice") && call(&sliding_full, "alice"));
    assert!((0..200).all(|_| call(&sliding, "alice")));
    let mut turns = Turns::new("growth", 100).turn(Duration::from_millis(10));
    for (count, engine) in &engines {
        let (mut at, names, call) = (0, &names, &call);
        turns.add_at(Role::Ours, &format!("{count} identities"), "one limit", *count as u64, move || {
            at = (at + 7_919) % count;
            call(engine, &names[at])
        });
    }
    for (count, engine) in &several {
        let call = &call;
        turns.add_at(Role::Ours, &format!("{count} counters"), "one identity", *count as u64, move || {
            call(engine, "alice")
        });
    }
    let one = "one identity, one counter";
    for (name, engine, allowed) in [
        ("limit, refused", &full, false),
        ("sliding limit", &sliding, true),
        ("sliding limit, refused", &sliding_full, false),
    ] {
        assert_eq!(call(engine, "alice"), allowed);
        let call = &call;
        turns.add(Role::Ours, one, name, move || call(engine, "alice"));
    }
    let shared = &engines[2].1;
    turns.measure();
    let mut turns = Turns::new("growth", 60).turn(Duration::from_millis(10));
    for threads in [1, 2, 4] {
        let (names, call) = (&names, &call);
        turns.add_threads(
            Role::Ours,
            &format!("{threads} threads"),
            "one limit, 10,000 identities",
            threads,
            move |thread, n| call(shared, &names[((n + thread * 5_003) * 7_919 % 10_000) as usize]),
        );
        turns.add_threads(
            Role::Ours,
            &format!("{threads} threads"),
            "one limit, one identity",
            threads,
            move |_, _| call(shared, "agent-7"),
        );
    }
    turns.measure();
}
