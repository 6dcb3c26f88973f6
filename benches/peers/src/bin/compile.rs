//! A policy of many tools, compiled, against the bare parser of the same text: serde_yaml and serde_json into a `Value`.

use std::hint::black_box;

use callgate::{Call, Policy};
use callgate_benches::{Role, Turns, charge, large_text};

fn main() {
    let mut turns = Turns::new("compile", 24);
    for tools in [100, 1_000, 10_000] {
        let yaml = large_text(tools);
        let value: serde_json::Value = serde_yaml::from_str(&yaml).expect("the text is YAML");
        let json = serde_json::to_string_pretty(&value).expect("a value prints");
        let args = charge();
        for policy in [Policy::from_yaml(&yaml), Policy::from_json(&json)] {
            let policy = policy.expect("the policy loads");
            let call = Call::new("tool_77", &args);
            assert!(policy.evaluate(&call).decided().is_some_and(|decision| decision.allowed()));
        }
        let case = format!("YAML, {tools} tools with a rule");
        let (text, x) = (yaml.clone(), tools as u64);
        turns.add_at(Role::Floor, &case, "serde_yaml to Value", x, move || {
            serde_yaml::from_str::<serde_yaml::Value>(black_box(&text)).is_ok()
        });
        turns.add_at(Role::Ours, &case, "Policy::from_yaml", x, move || {
            Policy::from_yaml(black_box(&yaml)).is_ok()
        });
        let case = format!("JSON, {tools} tools with a rule");
        let text = json.clone();
        turns.add_at(Role::Floor, &case, "serde_json to Value", x, move || {
            serde_json::from_str::<serde_json::Value>(black_box(&text)).is_ok()
        });
        turns.add_at(Role::Ours, &case, "Policy::from_json", x, move || {
            Policy::from_json(black_box(&json)).is_ok()
        });
    }
    turns.measure();
}
