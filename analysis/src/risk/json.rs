//! Risks as JSON. The form is stable: fields are only added.

use serde_json::{Value, json};

use super::Risk;

/// One risk.
pub fn to_value(risk: &Risk) -> Value {
    json!({
        "server": risk.server,
        "name": risk.name,
        "class": risk.class.name(),
        "severity": risk.severity.name(),
        "labels": risk.labels.iter().map(|label| label.name()).collect::<Vec<_>>(),
        "confidence": risk.confidence,
        "reasons": risk.reasons.iter().map(|reason| json!({
            "direction": reason.direction.name(),
            "text": reason.text,
            "place": reason.place,
        })).collect::<Vec<_>>(),
        "findings": risk.findings.iter().map(|finding| json!({
            "code": finding.code.name(),
            "text": finding.text,
            "place": finding.place,
        })).collect::<Vec<_>>(),
    })
}

/// All of them, in their order.
pub fn to_json(risks: &[Risk]) -> Value {
    Value::Array(risks.iter().map(to_value).collect())
}
