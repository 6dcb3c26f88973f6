//! The schemas of `spec` accept what loads, and refuse what is wrong in shape: that of policies by the cases, that of tests by every test
//! file of the repository, the cases as test files, and the ways to pass by matching nothing.

use std::fs;
use std::path::{Path, PathBuf};

use callgate::Policy;
use callgate_tests::{decisions, invalid, project, suites};
use jsonschema::Validator;
use serde_json::Value;

#[path = "../../analysis/tests/overrides/cases.rs"]
mod overrides;
#[path = "../../cli/tests/cli/test/ways.rs"]
mod ways;

/// The document as JSON. The cases' valid documents and their errors of shape mean the same to any YAML 1.2 reader.
fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).or_else(|_| {
        let options = serde_saphyr::options! { strict_booleans: true };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
    })
}

fn schema(name: &str) -> Validator {
    let text = fs::read_to_string(project().join("spec").join(name)).unwrap();
    jsonschema::draft202012::new(&serde_json::from_str(&text).unwrap()).unwrap()
}

#[test]
fn the_schema_agrees_with_the_cases() {
    let schema = schema("policy.schema.json");
    let (mut accepted, mut refused, mut wrong) = (0, 0, Vec::new());
    let mut valid: Vec<(String, String)> = Vec::new();
    for (file, cases) in decisions::files() {
        for case in &cases.cases {
            let name = format!("{file}: {}", case.name);
            valid.extend(case.own_texts().into_iter().map(|text| (name.clone(), text)));
        }
    }
    for entry in fs::read_dir(project().join("spec/policies")).unwrap() {
        let path = entry.unwrap().path();
        if is_test_file(&path) {
            continue;
        }
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

fn is_test_file(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    ["_test.yaml", "_test.json"].iter().any(|ending| name.ends_with(ending))
}

/// Adds the test files below a folder.
fn test_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            test_files(&path, found);
        } else if is_test_file(&path) {
            found.push(path);
        }
    }
}

#[test]
fn the_schema_of_tests_accepts_every_test_file() {
    let schema = schema("test.schema.json");
    let mut files = Vec::new();
    for folder in ["spec", "examples", "adapters"] {
        test_files(&project().join(folder), &mut files);
    }
    assert!(files.len() >= 6, "{files:?}");
    for path in files {
        let document = json(&fs::read_to_string(&path).unwrap()).unwrap();
        let errors: Vec<_> = schema.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
    for (file, case) in suites::cases() {
        let suite = suites::convert(&case).suite;
        assert!(schema.is_valid(&suite), "{file}: {}", case["name"]);
    }
}

/// What only the reader can tell: names that lead nowhere, files, texts within texts, keys that stand twice.
const NOT_OF_SHAPE: [&str; 17] = [
    "ambiguous_rule",
    "unnamed_layer",
    "unreadable_file",
    "missing_cell",
    "unknown_cell",
    "unknown_tool",
    "listed_tool",
    "unknown_call",
    "unknown_identity",
    "invalid_identity",
    "unknown_rule",
    "unknown_argument",
    "unknown_step",
    "duplicate_test",
    "duplicate_step",
    "duplicate_key",
    "syntax",
];

#[test]
fn the_schema_of_tests_refuses_what_is_wrong_in_shape() {
    let schema = schema("test.schema.json");
    let mut wrong = Vec::new();
    for way in ways::WAYS {
        for text in way.files {
            let Ok(document) = json(&text.replace('¦', "")) else {
                assert!(NOT_OF_SHAPE.contains(&way.code), "{text}");
                continue;
            };
            if schema.is_valid(&document) != NOT_OF_SHAPE.contains(&way.code) {
                wrong.push(format!("{}: {text}", way.way));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_schema_of_overrides_refuses_what_is_wrong_in_shape() {
    let schema = schema("overrides.schema.json");
    for (text, _, of_shape) in overrides::CASES {
        let document = json(text).unwrap_or(Value::Null);
        assert_eq!(!schema.is_valid(&document), *of_shape || document.is_null(), "{text}");
    }
}
