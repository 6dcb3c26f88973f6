//! A page as JSON. The form is stable: fields are only added.

use serde_json::{Value, json};

use super::Page;
use crate::risk;

/// A page as one object: a risk, and what stands beside it.
pub fn to_json(page: &Page) -> Value {
    let mut value = risk::to_value(&page.risk);
    let findings = page.findings.iter();
    let findings = findings.map(|it| json!({"code": it.code, "text": it.text, "place": it.place}));
    let arguments = page.arguments.as_ref().map(|arguments| {
        let arguments = arguments.iter();
        let arguments = arguments.map(|it| {
            json!({"name": it.name, "types": it.types, "required": it.required, "description": it.description})
        });
        arguments.collect::<Vec<_>>()
    });
    if let Some(fields) = value.as_object_mut() {
        fields.insert("description".to_owned(), json!(page.description));
        fields.insert("arguments".to_owned(), json!(arguments));
        fields.insert("findings".to_owned(), findings.collect());
        fields.insert("profile".to_owned(), json!(page.profile));
        fields.insert("rule".to_owned(), json!(page.rule.as_ref().ok()));
        fields.insert("no_rule".to_owned(), json!(page.rule.as_ref().err()));
    }
    value
}
