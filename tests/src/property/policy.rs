//! Any text is a policy, or says where it is none.

use callgate::{Format, Policy, PolicyError, lint};
use serde_json::{Value, json};

use super::{diagnostics, oracle};

/// Tools of a server that policies are linted against.
fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"a": {}, "amount": {"type": "number"}}});
    json!({"tools": [{"name": "pay", "inputSchema": schema}, {"name": "read_file"}]})
}

fn load(text: &str, format: Format) -> Result<Policy, PolicyError> {
    let loaded = Policy::from_text(text, format);
    match &loaded {
        Ok(policy) => diagnostics::check_warnings(text, policy.warnings()),
        Err(error) => diagnostics::check_errors(text, error.diagnostics()),
    }
    loaded
}

fn has(error: &PolicyError, code: &str) -> bool {
    error.diagnostics().iter().any(|diagnostic| diagnostic.code() == code)
}

/// YAML text loads, or every diagnostic has its place.
pub fn yaml_loads_or_says_why(text: &str) {
    let _ = load(text, Format::Yaml);
}

/// JSON text loads, or every diagnostic has its place; and it is JSON exactly if another parser says so.
pub fn json_loads_or_says_why(text: &str) {
    let loaded = load(text, Format::Json);
    let is_json = oracle::is_json(text.strip_prefix('\u{feff}').unwrap_or(text));
    match loaded {
        Ok(_) => assert!(is_json, "a policy that is not JSON was read as JSON"),
        Err(error) if has(&error, "too_deep") || has(&error, "too_large") => {}
        Err(error) => assert_eq!(has(&error, "syntax"), !is_json, "{error}"),
    }
}

/// Text of either form loads, or every diagnostic has its place; and it is decided to be the form that it is.
pub fn any_text_loads_or_says_why(text: &str) {
    let loaded = load(text, Format::Detect);
    assert_eq!(
        loaded.is_ok(),
        Policy::from_yaml(text).is_ok() || Policy::from_json(text).is_ok(),
        "read alone as YAML or as JSON, the text loads otherwise"
    );
    let linted = lint(text, Format::Detect, &&tools());
    assert_eq!(linted.is_ok(), loaded.is_ok());
    if let Ok(warnings) = linted {
        diagnostics::check_warnings(text, &warnings);
    }
}
