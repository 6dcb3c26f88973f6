//! What evaluation allocates: nothing on the paths without counters, whatever the decision.

mod counting;

use callgate::{Call, Code, Evaluation, Identity, Policy};
use counting::allocations;
use serde_json::{Value, json};

const POLICY: &str = r#"
version: "1"
default: deny
hide: [secret, "internal_*"]
tools:
  pay:
    rules:
      - conditions:
          - {path: args.amount, op: lte, value: 50000}
          - {path: args.currency, op: in, value: [usd, eur, gbp, jpy, chf, cad, aud, nzd, sek, nok]}
          - {path: args.rate, op: gt, value: 0.1}
          - any: [{path: args.note, op: exists, value: false}, {path: args.note, op: regex, value: "^[a-z ]*$"}]
          - {path: "args.items[*].sku", op: starts_with, value: "sku-"}
          - {path: args.file, op: within, value: /srv/data}
          - {path: args.tags, op: subset_of, value: [a, b, c]}
          - {path: identity.id, op: eq, value: alice}
  delete: {rules: [{action: deny}]}
  "read_*": {}
all_tools: {deny_if: [{path: args.force, op: eq, value: true}]}
"#;

fn good() -> Value {
    json!({"amount": 4200, "currency": "usd", "rate": 0.25, "note": "hello", "items": [{"sku": "sku-1"}, {"sku": "sku-2"}],
        "file": "/srv/data/x/../y", "tags": ["a", "c"]})
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut args = good();
    change(&mut args);
    args
}

#[test]
fn stateless_evaluation_allocates_nothing() {
    let policy = Policy::from_yaml(POLICY).unwrap();
    let calls = [
        ("pay", good(), Code::Allowed),
        ("pay", with(|args| args["amount"] = json!(50_001)), Code::ConditionFailed),
        ("pay", with(|args| args["amount"] = json!("4200")), Code::ConditionFailed),
        ("pay", with(|args| args["rate"] = json!(0.05)), Code::ConditionFailed),
        ("pay", with(|args| args["currency"] = json!("xxx")), Code::ConditionFailed),
        ("pay", with(|args| args["note"] = json!("No!")), Code::ConditionFailed),
        ("pay", with(|args| args["items"][1]["sku"] = json!(7)), Code::ConditionFailed),
        ("pay", with(|args| args["file"] = json!("/etc/passwd")), Code::ConditionFailed),
        ("pay", with(|args| args["force"] = json!(true)), Code::Denied),
        ("delete", json!({}), Code::Denied),
        ("read_file", json!({"path": "x"}), Code::Allowed),
        ("read_file", json!({"force": true}), Code::Denied),
        ("secret", json!({}), Code::Hidden),
        ("internal_x", json!({}), Code::Hidden),
        ("unknown", json!({}), Code::NotListed),
    ];
    for (tool, args, code) in calls {
        let text = args.to_string();
        for round in 0..3 {
            let call = Call::new(tool, &args).identity(Identity::new("alice"));
            let (count, evaluation) = allocations(|| policy.evaluate(&call));
            let Evaluation::Decided(decision) = evaluation else { panic!("{tool}: pending") };
            assert_eq!(decision.code(), code, "{tool} {args}");
            let call = Call::new(tool, text.as_str()).identity(Identity::new("alice"));
            let (raw_count, evaluation) = allocations(|| policy.evaluate_json(&call));
            let Evaluation::Decided(decision) = evaluation else { panic!("{tool}: pending") };
            assert_eq!(decision.code(), code, "{tool} {text}");
            // The first round fills the caches of the regular expressions.
            if round > 0 {
                assert_eq!((count, raw_count), (0, 0), "allocations for {tool} {args}");
            }
        }
    }
}

#[test]
fn raw_objects_of_up_to_32_keys_allocate_nothing() {
    let policy = Policy::from_yaml(
        "{version: '1', default: deny, tools: {t: {deny_if: [{path: args.k31, op: eq, value: x}]}}}",
    )
    .unwrap();
    let text = |keys: usize| {
        let members: Vec<String> = (0..keys).map(|key| format!("\"k{key}\": {key}")).collect();
        format!("{{{}}}", members.join(", "))
    };
    let (small, large) = (text(32), text(2_000));
    let (count, evaluation) = allocations(|| policy.evaluate_json(&Call::new("t", small.as_str())));
    assert!(
        matches!(&evaluation, Evaluation::Decided(decision) if decision.code() == Code::Denied),
        "{evaluation:?}"
    );
    assert_eq!(count, 0);
    let (count, _) = allocations(|| policy.evaluate_json(&Call::new("t", large.as_str())));
    assert!(count > 0, "the counter counts");
}
