//! Results as JSON. The form is stable: fields are only added. Argument values are not in it.

use callgate::{Check, Diagnostic, Severity};
use serde_json::{Value, json};

use super::{Failure, FileReport, Problem, Status, TestReport, Totals};

/// The version of the form.
const VERSION: u32 = 1;

/// All files, with the totals.
pub fn to_json(files: &[FileReport]) -> Value {
    json!({
        "version": VERSION,
        "totals": Totals::of(files),
        "files": files.iter().map(file).collect::<Vec<_>>(),
    })
}

fn file(file: &FileReport) -> Value {
    json!({
        "path": file.path,
        "problems": file.problems.iter().map(problem).collect::<Vec<_>>(),
        "warnings": file.warnings.iter().map(diagnostic).collect::<Vec<_>>(),
        "policy_warnings": file.policy_warnings.iter().map(|(path, count)| json!({"path": path, "count": count})).collect::<Vec<_>>(),
        "tests": file.tests.iter().map(test).collect::<Vec<_>>(),
        "filtered": file.filtered,
    })
}

fn problem(problem: &Problem) -> Value {
    json!({
        "path": problem.path,
        "message": problem.message,
        "diagnostic": problem.diagnostic.as_ref().map(diagnostic),
    })
}

fn diagnostic(one: &Diagnostic) -> Value {
    json!({
        "severity": if one.severity() == Severity::Error { "error" } else { "warning" },
        "code": one.code(),
        "line": one.line(),
        "column": one.column(),
        "pointer": one.pointer(),
        "message": one.message(),
        "help": one.help(),
    })
}

fn test(test: &TestReport) -> Value {
    let none: &[Failure] = &[];
    let (status, reason, failures) = match &test.status {
        Status::Passed => ("passed", None, none),
        Status::Failed(failures) => ("failed", None, failures.as_slice()),
        Status::Skipped(reason) => ("skipped", Some(reason), none),
        Status::Todo(reason) => ("todo", Some(reason), none),
        Status::Done(reason) => ("done", Some(reason), none),
    };
    json!({
        "name": test.name,
        "test": test.test,
        "policy": test.policy,
        "line": test.line,
        "column": test.column,
        "status": status,
        "reason": reason,
        "calls": test.calls,
        "seconds": test.seconds,
        "failures": failures.iter().map(failure).collect::<Vec<_>>(),
    })
}

fn failure(failure: &Failure) -> Value {
    let difference =
        |one: &super::Difference| json!({"what": one.what, "expected": one.expected, "actual": one.actual});
    json!({
        "line": failure.line,
        "column": failure.column,
        "pointer": failure.pointer,
        "tool": failure.tool,
        "turn": failure.turn.map(|(turn, _)| turn),
        "differences": failure.differences.iter().map(difference).collect::<Vec<_>>(),
        // A decision's JSON is JSON.
        "decision": serde_json::from_str(&failure.decision).unwrap_or(Value::Null),
        "checks": failure.checks.iter().map(check).collect::<Vec<_>>(),
    })
}

/// Recurses as deep as a policy may be nested.
fn check(one: &Check) -> Value {
    json!({
        "pointer": one.pointer,
        "what": one.what,
        "outcome": one.outcome,
        "why": one.why,
        "checks": one.checks.iter().map(check).collect::<Vec<_>>(),
    })
}
