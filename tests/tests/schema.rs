//! `spec/policy.schema.json` accepts every valid policy of the cases, and refuses every one that is wrong in shape.

use std::fs;

use callgate::Policy;
use callgate_tests::{decisions, invalid, project};
use serde_json::Value;

/// The document as JSON. The cases' valid documents and their errors of shape mean the same to any YAML 1.2 reader.
fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).or_else(|_| {
        let options = serde_saphyr::options! { strict_booleans: true };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
    })
}

#[test]
fn the_schema_agrees_with_the_cases() {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(project().join("spec/policy.schema.json")).unwrap())
            .unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    let (mut accepted, mut refused, mut wrong) = (0, 0, Vec::new());
    let mut valid: Vec<(String, String)> = Vec::new();
    for (file, cases) in decisions::files() {
        valid.extend(
            cases
                .cases
                .iter()
                .filter_map(|case| Some((format!("{file}: {}", case.name), case.policy_text()?))),
        );
    }
    for entry in fs::read_dir(project().join("spec/policies")).unwrap() {
        let path = entry.unwrap().path();
        valid.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
    }
    for (file, cases) in invalid::files() {
        for case in cases {
            let name = format!("{file}: {}", case.name);
            if case.is_valid() {
                valid.push((name, case.text()));
            } else if case.shape {
                match json(&case.text()) {
                    Ok(document) if schema.is_valid(&document) => wrong.push(format!("accepts {name}")),
                    Ok(_) => {
                        refused += 1;
                        assert!(case.text().parse::<Policy>().is_err(), "{name}");
                    }
                    // 1e400 and the like: no JSON reader holds it.
                    Err(error) => println!("not compared: {name}: {error}"),
                }
            }
        }
    }
    for (name, text) in valid {
        match json(&text) {
            Ok(document) => {
                accepted += 1;
                if !schema.is_valid(&document) {
                    wrong.push(format!("refuses {name}"));
                }
            }
            // Some readers refuse what ours takes, such as an anchor that is set twice.
            Err(error) => println!("not compared: {name}: {error}"),
        }
    }
    assert!(accepted > 800 && refused > 350, "{accepted} valid, {refused} invalid documents compared");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
