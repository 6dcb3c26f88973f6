//! Coverage as JSON, for machines: stable.
//!
//! In: a report. Out: JSON text.

use serde_json::{Value, json};

use super::report::{CoverageReport, PointReport};

impl CoverageReport {
    /// The report as JSON.
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    /// The report as a JSON value.
    pub fn to_value(&self) -> Value {
        json!({
            "policy": self.path,
            "hit": self.hit,
            "total": self.total,
            "calls": self.calls,
            "points": self.points.iter().map(point).collect::<Vec<_>>(),
            "margins": self.margins,
        })
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
