//! Every case of `spec/cases`, in every form that Rust can express.

use callgate_tests::decisions::{self, Form};
use callgate_tests::invalid;

#[test]
fn every_decision_case_holds_for_raw_text_and_for_values() {
    let mut failures = Vec::new();
    let mut count = 0;
    for (file, cases) in decisions::files() {
        for case in &cases.cases {
            count += 1;
            let raw = case.run(Form::Raw);
            let value = case.run(Form::Value);
            for (form, result) in [("raw", &raw), ("value", &value)] {
                if let Err(differences) = result {
                    failures.push(format!(
                        "{file}: {} ({form})\n    {}",
                        case.name,
                        differences.join("\n    ")
                    ));
                }
            }
            if let (Ok(raw), Ok(value)) = (raw, value) {
                for (index, (raw, value)) in raw.iter().zip(&value).enumerate() {
                    if raw != value {
                        failures.push(format!(
                            "{file}: {} step {index}:\n    raw   {raw}\n    value {value}",
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
