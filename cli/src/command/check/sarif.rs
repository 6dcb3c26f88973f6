//! Findings as SARIF.
//!
//! In: findings. Out: a log with one run. Must keep the places of diagnostics.

use std::collections::BTreeSet;
use std::io::{self, Write};

use callgate::{Diagnostic, StackError};
use serde_json::{Value, json};

use super::Checked;
use super::json::name_of;
use crate::command::sarif::{self, uri};

pub(super) fn write(out: &mut dyn Write, files: &[Checked]) -> io::Result<()> {
    let findings =
        || files.iter().flat_map(|checked| checked.diagnostics.iter().map(move |one| (checked, one)));
    let of_stack = || files.iter().filter_map(|checked| checked.stack.as_ref().map(|error| (checked, error)));
    let codes: BTreeSet<&str> = findings()
        .map(|(_, diagnostic)| diagnostic.code())
        .chain(of_stack().map(|(_, error)| error.code()))
        .collect();
    let rules: Vec<Value> = codes.iter().map(|code| json!({"id": code})).collect();
    let results = findings().map(|(checked, one)| result(checked, one, &codes));
    let results = results.chain(of_stack().map(|(checked, error)| stack_result(checked, error, &codes)));
    let unreadable = files.iter().filter_map(|checked| checked.file.as_ref().err()).map(ToString::to_string);
    sarif::write(out, &rules, unreadable, results)
}

fn result(checked: &Checked, diagnostic: &Diagnostic, rules: &BTreeSet<&str>) -> Value {
    let help = diagnostic.help().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let place = diagnostic.byte_range();
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": {"uri": uri(&checked.path)},
            "region": {
                "startLine": diagnostic.line(),
                "startColumn": diagnostic.column(),
                "byteOffset": place.start,
                "byteLength": place.len(),
            },
        },
    });
    if let (Some(location), false) = (location.as_object_mut(), diagnostic.pointer().is_empty()) {
        let logical = json!([{"fullyQualifiedName": diagnostic.pointer(), "kind": "member"}]);
        location.insert("logicalLocations".to_owned(), logical);
    }
    json!({
        "ruleId": diagnostic.code(),
        "ruleIndex": rules.iter().position(|code| *code == diagnostic.code()),
        "level": name_of(diagnostic.severity()),
        "message": {"text": format!("{}{help}", diagnostic.message())},
        "locations": [location],
    })
}

/// A file that does not go with those before it: it is about the whole file.
fn stack_result(checked: &Checked, error: &StackError, rules: &BTreeSet<&str>) -> Value {
    json!({
        "ruleId": error.code(),
        "ruleIndex": rules.iter().position(|code| *code == error.code()),
        "level": "error",
        "message": {"text": error.to_string()},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(&checked.path)}}}],
    })
}
