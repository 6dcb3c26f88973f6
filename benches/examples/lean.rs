//! Evaluation against a function written by hand, and raw text against the bare parser, in turns:
//! `cargo run --release -p callgate-benches --example lean`. No peer is in this build, since some change what serde_json costs.

use std::hint::black_box;

use callgate::{ArgsCheck, Call, Engine, Identity};
use callgate_benches::{ByMap, Role, Turns, by_hand, calls, checks, payment_policy, shuffled};
use serde_json::Value;

fn main() {
    let policy = payment_policy();
    let (map, quick): (ByMap<std::hash::RandomState>, ByMap<foldhash::fast::RandomState>) =
        Default::default();
    let engine = Engine::new(policy.clone());
    let alice = Identity::new("alice");
    let decide = |tool: &str, args: &Value| {
        policy.evaluate(&Call::new(black_box(tool), black_box(args))).decided().is_some_and(|d| d.allowed())
    };
    let enforce =
        |tool: &str, args: &Value| engine.evaluate(black_box(tool), black_box(args), &alice).allowed();
    let decide_text = |tool: &str, text: &str| {
        let evaluation = policy.evaluate_json(&Call::new(black_box(tool), black_box(text)));
        evaluation.decided().is_some_and(|decision| decision.allowed())
    };
    let (calls, stream) = (calls(), shuffled());
    let texts: Vec<String> = calls.iter().map(|call| call.args.to_string()).collect();
    let stream_texts: Vec<String> = stream.iter().map(|call| call.args.to_string()).collect();
    let checks = checks();
    let checked_texts: Vec<String> = checks.iter().map(|(_, args, _)| args.to_string()).collect();
    for (call, text) in calls.iter().zip(&texts).chain(stream.iter().zip(&stream_texts)) {
        let maps = [map.decide(call.tool, &call.args), quick.decide(call.tool, &call.args)];
        assert!(maps.iter().all(|found| found.is_ok() == call.allowed));
        let found = [by_hand(call.tool, &call.args).is_ok(), decide(call.tool, &call.args)];
        let more = [enforce(call.tool, &call.args), decide_text(call.tool, text)];
        assert_eq!([found, more], [[call.allowed; 2]; 2], "{} {}", call.tool, call.args);
    }

    let mut turns = Turns::new("evaluate", 200);
    for (call, text) in calls.iter().zip(&texts) {
        let (case, tool, args) = (call.name, call.tool, &call.args);
        turns.add(Role::Floor, case, "by hand", move || by_hand(black_box(tool), black_box(args)).is_ok());
        let (map, quick) = (&map, &quick);
        turns.add(Role::Floor, case, "std's map, by hand", move || {
            map.decide(black_box(tool), black_box(args)).is_ok()
        });
        turns.add(Role::Floor, case, "quick map, by hand", move || {
            quick.decide(black_box(tool), black_box(args)).is_ok()
        });
        turns.add(Role::Ours, case, "Policy::evaluate", move || decide(tool, args));
        turns.add(Role::Ours, case, "Engine::evaluate", move || enforce(tool, args));
        let case = format!("raw text: {case}");
        turns.add(Role::Floor, &case, "serde_json::from_str alone", move || {
            serde_json::from_str::<Value>(black_box(text)).is_ok()
        });
        turns.add(Role::Ours, &case, "Policy::evaluate_json", move || decide_text(tool, text));
    }
    // What a guard's check of arguments adds, beside the same call without it.
    for ((name, args, check), text) in checks.iter().zip(&checked_texts) {
        let (policy, case) = (&policy, format!("checked: {name}"));
        let decide = move |check: Option<&ArgsCheck>| {
            let call = Call::new(black_box("create_charge"), black_box(args));
            let call = if let Some(check) = check { call.checked(check) } else { call };
            policy.evaluate(&call).decided().is_some_and(|d| d.allowed())
        };
        let decide_text = move |check: Option<&ArgsCheck>| {
            let call = Call::new(black_box("create_charge"), black_box(text.as_str()));
            let call = if let Some(check) = check { call.checked(check) } else { call };
            policy.evaluate_json(&call).decided().is_some_and(|d| d.allowed())
        };
        assert!(
            [decide(None), decide(Some(check)), decide_text(None), decide_text(Some(check))] == [true; 4]
        );
        turns.add(Role::Floor, &case, "unchecked", move || decide(None));
        turns.add(Role::Ours, &case, "checked", move || decide(Some(check)));
        let case = format!("raw text, {case}");
        turns.add(Role::Floor, &case, "unchecked", move || decide_text(None));
        turns.add(Role::Ours, &case, "checked", move || decide_text(Some(check)));
    }
    let case = "shuffled stream";
    let next = |calls: usize| {
        let mut at = 0;
        move || {
            at = (at + 1) % calls;
            at
        }
    };
    let mut at = next(stream.len());
    turns.add(Role::Floor, case, "by hand", || {
        let call = &stream[at()];
        by_hand(call.tool, &call.args).is_ok()
    });
    let mut at = next(stream.len());
    turns.add(Role::Floor, case, "std's map, by hand", || {
        let call = &stream[at()];
        map.decide(call.tool, &call.args).is_ok()
    });
    let mut at = next(stream.len());
    turns.add(Role::Floor, case, "quick map, by hand", || {
        let call = &stream[at()];
        quick.decide(call.tool, &call.args).is_ok()
    });
    let mut at = next(stream.len());
    turns.add(Role::Ours, case, "Policy::evaluate", || {
        let call = &stream[at()];
        decide(call.tool, &call.args)
    });
    let mut at = next(stream.len());
    turns.add(Role::Ours, case, "Engine::evaluate", || {
        let call = &stream[at()];
        enforce(call.tool, &call.args)
    });
    let case = "raw text: shuffled stream";
    let mut at = next(stream.len());
    turns.add(Role::Floor, case, "serde_json::from_str alone", || {
        serde_json::from_str::<Value>(black_box(&stream_texts[at()])).is_ok()
    });
    let mut at = next(stream.len());
    turns.add(Role::Ours, case, "Policy::evaluate_json", || {
        let at = at();
        decide_text(stream[at].tool, &stream_texts[at])
    });
    turns.measure();
}
