//! A SARIF 2.1.0 log with one run, which code hosts show beside the lines.
//!
//! In: rules, results, and what could not be looked at. Out: the log. Must keep places as SARIF counts them: columns in code points, as ours
//! are, the end of a region behind its last character, and bytes from the beginning of the file.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::input::STDIN_SHOWN;

#[derive(Serialize)]
struct Log<R> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<R>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<R> {
    tool: Value,
    column_kind: &'static str,
    invocations: Value,
    results: R,
}

/// Results that are made as they are written: the whole is never built.
struct Results<I>(Cell<Option<I>>);

impl<I: Iterator<Item = Value>> Serialize for Results<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.take().into_iter().flatten())
    }
}

/// Writes the log. `failures` say what could not be looked at.
pub(super) fn write<I: Iterator<Item = Value>>(
    out: &mut dyn Write,
    rules: &[Value],
    failures: impl Iterator<Item = String>,
    results: I,
) -> io::Result<()> {
    let failures: Vec<Value> =
        failures.map(|text| json!({"level": "error", "message": {"text": text}})).collect();
    let run = Run {
        tool: json!({"driver": {"name": "callgate", "version": env!("CARGO_PKG_VERSION"), "rules": rules}}),
        column_kind: "unicodeCodePoints",
        invocations: json!([{
            "executionSuccessful": failures.is_empty(),
            "toolExecutionNotifications": failures,
        }]),
        results: Results(Cell::new(Some(results))),
    };
    let log = Log { schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] };
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

/// A path as a URI reference: relative where the path is, so that a code host finds the file in its repository.
pub(super) fn uri(path: &str) -> String {
    if path == STDIN_SHOWN {
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
