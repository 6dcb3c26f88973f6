//! Every case of `spec/cases`, in every form that Rust can express.

use callgate_tests::decisions::{self, Form};
use callgate_tests::invalid;

#[test]
fn every_decision_case_holds_in_every_form() {
    let mut failures = Vec::new();
    let mut count = 0;
    for (file, cases) in decisions::files() {
        for case in &cases.cases {
            count += 1;
            let mut raw: Option<Vec<String>> = None;
            for form in [Form::Raw, Form::Value, Form::Plain, Form::Halves] {
                let decisions = match case.run(form) {
                    Ok(decisions) => decisions,
                    Err(differences) => {
                        let differences = differences.join("\n    ");
                        failures.push(format!("{file}: {} ({form:?})\n    {differences}", case.name));
                        continue;
                    }
                };
                let raw = raw.get_or_insert_with(|| decisions.clone());
                for (index, (raw, other)) in raw.iter().zip(&decisions).enumerate() {
                    if raw != other {
                        failures.push(format!(
                            "{file}: {} step {index}:\n    raw   {raw}\n    {form:?} {other}",
                            case.name
                        ));
                    }
                }
            }
        }
    }
    println!("{count} decision cases");
    assert!(count >= 300, "only {count} decision cases");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_invalid_document_gets_its_diagnostics() {
    let mut failures = Vec::new();
    let mut count = 0;
    for (file, cases) in invalid::files() {
        for case in &cases {
            count += 1;
            let differences = case.run();
            if !differences.is_empty() {
                failures.push(format!("{file}: {}\n    {}", case.name, differences.join("\n    ")));
            }
        }
    }
    println!("{count} invalid documents");
    assert!(count >= 80, "only {count} documents");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// Generated policies load, and raw text and host values decide alike.
#[test]
fn generated_pairs_decide_alike_in_both_forms() {
    use callgate::time::{ManualClock, Timestamp};
    use callgate::{Call, Engine, Identity, Policy};
    use callgate_tests::generate::Generator;
    use serde_json::Value;

    let mut generator = Generator::new(7);
    let mut effects = std::collections::BTreeMap::new();
    for _ in 0..1_500 {
        let text = generator.policy();
        let policy: Policy = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
        let clock = || std::sync::Arc::new(ManualClock::new(Timestamp::from_millis(1_795_255_200_000)));
        let raw = Engine::builder(policy.clone()).clock(clock()).build();
        let host = Engine::builder(policy).clock(clock()).build();
        for _ in 0..20 {
            let call = generator.call();
            let claims: Option<Value> =
                call.identity.as_deref().map(|text| serde_json::from_str(text).unwrap());
            let identity = match &claims {
                None => Identity::Absent,
                Some(Value::String(id)) => Identity::Id(id.as_str()),
                Some(claims) => Identity::claims(claims),
            };
            let from_text =
                raw.decide_json(&Call::new(&call.name, call.args.as_str()).identity(identity)).to_json();
            // Numbers beyond 64 bits become floats in a `Value`; the text is then another number.
            if call.raw_only || call.args.contains("18446744073709551616") {
                host.decide_json(&Call::new(&call.name, call.args.as_str()).identity(identity)).to_json();
                continue;
            }
            let args: Value = serde_json::from_str(&call.args).unwrap();
            let from_value = host.decide(&Call::new(&call.name, &args).identity(identity));
            assert_eq!(from_text, from_value.to_json(), "{text}\n{call:?}");
            *effects.entry(from_value.code().as_str()).or_insert(0) += 1;
        }
    }
    assert!(effects.len() >= 9, "too few kinds of decisions: {effects:?}");
}
