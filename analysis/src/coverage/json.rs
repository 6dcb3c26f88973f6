//! Coverage as JSON, for machines: stable.
//!
//! In: a report. Out: a JSON value. Shows values of arguments only where that is asked for.

use serde_json::{Value, json};

use super::report::{CoverageReport, PointReport};

impl CoverageReport {
    /// The report as a JSON value; with its margins only where `verbose`, because these hold values of arguments.
    pub fn to_value(&self, verbose: bool) -> Value {
        let mut value = json!({
            "policy": self.path,
            "hit": self.hit,
            "total": self.total,
            "calls": self.calls,
            "points": self.points.iter().map(point).collect::<Vec<_>>(),
        });
        if let (true, Some(members)) = (verbose, value.as_object_mut()) {
            members.insert("margins".to_owned(), json!(self.margins));
        }
        value
    }
}

fn point(point: &PointReport) -> Value {
    let gap = point.gap.as_ref().map(|gap| json!({"reason": gap.code(), "text": gap.to_string()}));
    json!({
        "pointer": point.pointer,
        "rule": point.rule,
        "name": point.name,
        "kind": point.kind,
        "branch": point.branch,
        "text": point.text,
        "line": point.line,
        "column": point.column,
        "count": point.count,
        "unknown": point.unknown,
        "gap": gap,
        "same": point.same,
        "untried": point.untried,
    })
}
