//! Findings as one JSON object, for programs.

use std::borrow::Cow;
use std::io::{self, Write};

use callgate::{Diagnostic, Severity, StackError};
use serde::Serialize;

use super::{Checked, Totals};

#[derive(Serialize)]
struct Report<'r> {
    files: Vec<File<'r>>,
    errors: usize,
    warnings: usize,
}

#[derive(Serialize)]
struct File<'r> {
    path: &'r str,
    /// Whether the policy loads.
    ok: bool,
    /// Why the file cannot be read, else null.
    unreadable: Option<String>,
    diagnostics: Vec<Finding<'r>>,
}

#[derive(Serialize)]
struct Finding<'r> {
    severity: &'static str,
    code: &'r str,
    message: Cow<'r, str>,
    help: Option<&'r str>,
    pointer: &'r str,
    line: u32,
    column: u32,
    /// Bytes from the beginning of the file.
    start: usize,
    end: usize,
}

pub(super) fn name_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        _ => "error",
    }
}

fn finding(diagnostic: &Diagnostic) -> Finding<'_> {
    let place = diagnostic.byte_range();
    Finding {
        severity: name_of(diagnostic.severity()),
        code: diagnostic.code(),
        message: diagnostic.message().into(),
        help: diagnostic.help(),
        pointer: diagnostic.pointer(),
        line: diagnostic.line(),
        column: diagnostic.column(),
        start: place.start,
        end: place.end,
    }
}

/// A file that does not go with those before it: it is about the whole file.
fn of_stack(error: &StackError) -> Finding<'_> {
    Finding {
        severity: name_of(Severity::Error),
        code: error.code(),
        message: error.to_string().into(),
        help: None,
        pointer: "",
        line: 1,
        column: 1,
        start: 0,
        end: 0,
    }
}

pub(super) fn write(out: &mut dyn Write, files: &[Checked], totals: Totals) -> io::Result<()> {
    let files = files.iter().map(|checked| File {
        path: &checked.path,
        ok: checked.file.is_ok() && checked.count(Severity::Error) == 0,
        unreadable: checked.file.as_ref().err().map(ToString::to_string),
        diagnostics: checked
            .diagnostics
            .iter()
            .map(finding)
            .chain(checked.stack.as_ref().map(of_stack))
            .collect(),
    });
    let report = Report { files: files.collect(), errors: totals.errors, warnings: totals.warnings };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}
