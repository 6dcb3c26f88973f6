//! A decision beside what a test expects of it.
//!
//! In: both. Out: what differs, each with what was expected and what was found.

use callgate::{Code, Decision, Effect};
use serde_json::Value;

use crate::report::Difference;
use crate::subject::is_named;
use crate::suite::{Expect, Expected, ExpectedRule, Step};

impl Difference {
    pub(super) fn new(what: &str, expected: &str, actual: &str) -> Self {
        Self { what: what.to_owned(), expected: expected.to_owned(), actual: actual.to_owned() }
    }
}

/// Compares. Effect, code and rule hold for every repetition of a call; all else for the last.
pub(super) fn compare(
    expect: &Expect,
    step: &Step,
    decision: &Decision<'_>,
    last: bool,
    differences: &mut Vec<Difference>,
) {
    let (effect, code) = (decision.effect(), decision.code());
    let as_expected = match expect.outcome {
        Expected::Effect(Effect::Deny) => effect == Effect::Deny && !is_unread(code, step),
        Expected::Effect(wanted) => effect == wanted,
        Expected::Code(wanted) => code == wanted,
    };
    if !as_expected {
        let expected = match expect.outcome {
            Expected::Effect(Effect::Deny) if effect == Effect::Deny => {
                format!("deny by a rule (write `expect: {code}` if this is meant)")
            }
            Expected::Effect(effect) => effect.to_string(),
            Expected::Code(code) => code.to_string(),
        };
        differences.push(Difference::new("decision", &expected, &format!("{effect} ({code})")));
    }
    if let Some(wanted) = &expect.rule {
        compare_rule(&wanted.value, decision, differences);
    }
    let has_more = expect.message.is_some()
        || expect.retry_after.is_some()
        || expect.counters.is_some()
        || expect.approval_rules.is_some();
    if last && has_more {
        // A decision's JSON is JSON.
        let json = serde_json::from_str(&decision.to_json()).unwrap_or(Value::Null);
        compare_json(expect, &json, differences);
    }
}

/// Whether nothing of the policy denied the call: it could not be read, or no entry is about it.
fn is_unread(code: Code, step: &Step) -> bool {
    match code {
        Code::InvalidArgs | Code::InvalidIdentity | Code::InvalidMethod | Code::InvalidTool => true,
        Code::NotListed => !step.unlisted,
        _ => false,
    }
}

fn compare_rule(wanted: &ExpectedRule, decision: &Decision<'_>, differences: &mut Vec<Difference>) {
    let rule = decision.rule();
    let (pointer, name) = match &rule {
        Some(rule) => (rule.pointer(), rule.name()),
        None => ("", None),
    };
    let found = || match &rule {
        None => "no rule".to_owned(),
        Some(_) => match name {
            Some(name) => format!("{name} ({pointer})"),
            None => pointer.to_owned(),
        },
    };
    match wanted {
        ExpectedRule::None if rule.is_none() => {}
        ExpectedRule::None => differences.push(Difference::new("rule", "no rule", &found())),
        ExpectedRule::Named(wanted) if rule.is_some() && is_named(wanted, pointer, name) => {}
        ExpectedRule::Named(wanted) => differences.push(Difference::new("rule", wanted, &found())),
        ExpectedRule::Fields(_) if rule.is_none() => {
            differences.push(Difference::new("rule", "a rule", "no rule"));
        }
        ExpectedRule::Fields(fields) => {
            for (field, wanted) in fields {
                let actual = match (&rule, &**field) {
                    (Some(_), "pointer") => Value::from(pointer),
                    (Some(_), "name") => name.map_or(Value::Null, Value::from),
                    (Some(rule), "line") => Value::from(rule.line()),
                    (Some(rule), "layer") => rule.layer().map_or(Value::Null, Value::from),
                    _ => Value::Null,
                };
                if *wanted != actual {
                    let what = format!("rule.{field}");
                    differences.push(Difference::new(&what, &wanted.to_string(), &actual.to_string()));
                }
            }
        }
    }
}

fn compare_json(expect: &Expect, decision: &Value, differences: &mut Vec<Difference>) {
    let mut check = |what: &str, wanted: Value, actual: &Value| {
        if wanted != *actual {
            differences.push(Difference::new(what, &wanted.to_string(), &actual.to_string()));
        }
    };
    let field = |name: &str| decision.get(name).unwrap_or(&Value::Null);
    if let Some(wanted) = &expect.message {
        check("message", wanted.value.clone().into(), field("message"));
    }
    if let Some(wanted) = &expect.retry_after {
        check("retry_after", wanted.value.into(), field("retry_after"));
    }
    if let Some(wanted) = &expect.approval_rules {
        let rules = field("approval").get("rules").and_then(Value::as_array);
        let text = |rule: &Value, name: &str| rule.get(name).and_then(Value::as_str).map(str::to_owned);
        let same = match (&wanted.value, rules) {
            (None, None) => true,
            (Some(wanted), Some(rules)) => {
                wanted.len() == rules.len()
                    && wanted.iter().zip(rules).all(|(wanted, rule)| {
                        let pointer = text(rule, "pointer").unwrap_or_default();
                        is_named(wanted, &pointer, text(rule, "name").as_deref())
                    })
            }
            _ => false,
        };
        if !same {
            let pointers = rules.map(|rules| rules.iter().map(|rule| text(rule, "pointer").into()).collect());
            check("approval_rules", wanted.value.clone().into(), &pointers.map_or(Value::Null, Value::Array));
        }
    }
    if let Some(wanted) = &expect.counters {
        let none = Vec::new();
        let found = field("counters").as_array().unwrap_or(&none);
        check("number of counters", wanted.value.len().into(), &found.len().into());
        for (index, (wanted, found)) in wanted.value.iter().zip(found).enumerate() {
            for (name, wanted) in &wanted.fields {
                let actual = found.get(name).unwrap_or(&Value::Null);
                check(&format!("counters[{index}].{name}"), wanted.clone(), actual);
            }
        }
    }
}
