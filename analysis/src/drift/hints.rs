//! Differences of `annotations`.

use serde_json::{Map, Value};

use super::Kind;
use super::changes::Changes;

/// The hints, each with what it is where it is left out.
const HINTS: [(&str, bool); 4] =
    [("readOnlyHint", false), ("destructiveHint", true), ("idempotentHint", false), ("openWorldHint", true)];

/// Compares the annotations of two definitions.
pub(super) fn compare(changes: &mut Changes, old: Option<&Value>, new: Option<&Value>) {
    let none = Map::new();
    let members = |value: Option<&'_ Value>| match value {
        None => Some(none.clone()),
        Some(Value::Object(members)) => Some(members.clone()),
        Some(_) => None,
    };
    let (Some(old_members), Some(new_members)) = (members(old), members(new)) else {
        return changes.record(Kind::Riskier, old, new);
    };
    if old_members == new_members {
        // An empty object, or none.
        return changes.record(Kind::Wording, old, new);
    }
    changes.each(&old_members, &new_members, |changes, name, old, new| {
        let Some((_, default)) = HINTS.iter().find(|(hint, _)| *hint == name) else {
            return if name == "title" {
                changes.text(old, new)
            } else {
                changes.record(Kind::Wider, old, new)
            };
        };
        let says = |value: Option<&Value>| value.map_or(Some(*default), Value::as_bool);
        let is_same = says(old).is_some() && says(old) == says(new);
        // Either way: clients ask a person less about a tool that says that it is harmless.
        changes.record(if is_same { Kind::Wording } else { Kind::Riskier }, old, new);
    });
}
