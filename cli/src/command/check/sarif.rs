//! Findings as SARIF 2.1.0, which code hosts show beside the lines.
//!
//! In: findings. Out: one log with one run. Must keep places as SARIF counts them: columns in code points, as ours are, the
//! end of a region behind its last character, and bytes from the beginning of the file.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};

use callgate::{Diagnostic, StackError};
use serde_json::{Value, json};

use super::json::name_of;
use super::{Checked, STDIN};

pub(super) fn write(out: &mut dyn Write, files: &[Checked]) -> io::Result<()> {
    let findings =
        || files.iter().flat_map(|checked| checked.diagnostics.iter().map(move |one| (checked, one)));
    let of_stack = || files.iter().filter_map(|checked| checked.stack.as_ref().map(|error| (checked, error)));
    let rules: BTreeSet<&str> = findings()
        .map(|(_, diagnostic)| diagnostic.code())
        .chain(of_stack().map(|(_, error)| error.code()))
        .collect();
    let results = findings().map(|(checked, one)| result(checked, one, &rules));
    let results = results.chain(of_stack().map(|(checked, error)| stack_result(checked, error, &rules)));
    let unreadable: Vec<Value> = files
        .iter()
        .filter_map(|checked| checked.file.as_ref().err())
        .map(|error| json!({"level": "error", "message": {"text": error.to_string()}}))
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "callgate",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|code| json!({"id": code})).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": unreadable.is_empty(),
                "toolExecutionNotifications": unreadable,
            }],
            "results": results.collect::<Vec<_>>(),
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
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

/// A path as a URI reference: relative where the path is, so that a code host finds the file in its repository.
fn uri(path: &str) -> String {
    if path == STDIN {
        return "stdin".to_owned();
    }
    let path = path.strip_prefix("./").unwrap_or(path).replace('\\', "/");
    let mut out = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_uris() {
        for (path, expected) in [
            ("./policies/a b.yaml", "policies/a%20b.yaml"),
            ("/etc/é#.yaml", "file:///etc/%C3%A9%23.yaml"),
            ("policies\\a.yaml", "policies/a.yaml"),
            ("<stdin>", "stdin"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
