//! Whether a rule is against a tool whatever is in the call (clause 10.9).

use crate::condition::{self, Elements, Outcome, Place, all, any, not};
use crate::json::Json;
use crate::mistake::{Mistake::*, is_made};
use crate::path;
use crate::policy::Document;
use crate::policy::Item;
use crate::state::is_state;
use crate::{Facts, Reference, claims, names};

use Outcome::{Fails, Holds, Unknown};

impl Reference {
    /// Clause 10.9: whether a list that this caller asks for has a tool.
    pub fn visible(&self, tool: &str, identity: Option<&str>, server: Option<&str>) -> bool {
        let layers = &self.layers;
        let is_hidden = |layer: &Document| layer.hide.iter().any(|hidden| names(hidden, tool));
        if tool.len() > 1_024 || layers.iter().any(is_hidden) {
            return false;
        }
        let callable = layers.iter().filter(|layer| layer.lists_callable);
        if callable.count() == 0 {
            return true;
        }
        if layers.iter().any(|layer| layer.default_deny && !layer.lists(tool)) {
            return is_made(CallableUnlisted);
        }
        let Some(identity) = claims(identity) else { return is_made(CallableToAnyIdentity) };
        let facts = Facts::new(Some(tool), &Json::Null, identity.as_ref(), server);
        let layers = layers.iter().filter(|layer| layer.lists_callable || !is_made(ListOfLayer));
        let mut entries = layers.flat_map(|layer| layer.matching(tool));
        !entries.any(|entry| entry.items.iter().any(|item| refuses_all(item, &facts)))
    }
}

/// Whether a rule or an item refuses every call of a tool.
pub(crate) fn refuses_all(item: &Item, facts: &Facts<'_>) -> bool {
    let list =
        item.conditions.iter().map(|condition| ways(condition, facts, item.place, Elements::of(item.place)));
    let list = joined(list, all);
    match item.place {
        Place::Permit => !list.contains(&Holds),
        _ => {
            (!item.approves || is_made(CallableWithoutApproval))
                && !item.conditions.iter().any(is_state)
                && !list.contains(&Fails)
        }
    }
}

/// The outcomes that a condition may have.
fn ways(condition: &Json, facts: &Facts<'_>, place: Place, elements: Elements) -> Vec<Outcome> {
    let each = |list: &'_ Json| -> Vec<Vec<Outcome>> {
        list.list().iter().map(|condition| ways(condition, facts, place, elements)).collect()
    };
    if let Some(list) = condition.get("any") {
        return joined(each(list).into_iter(), any);
    }
    if let Some(list) = condition.get("all") {
        return joined(each(list).into_iter(), all);
    }
    if let Some(inner) = condition.get("not") {
        return ways(inner, facts, place, elements.swapped()).into_iter().map(not).collect();
    }
    let is_open = ["path", "value_from"]
        .into_iter()
        .filter_map(|field| condition.get(field)?.text())
        .any(|path| matches!(path::read(path).0.as_str(), "args" | "state" | "budget"));
    if is_open {
        return if is_made(CallableWithoutArgs) { vec![Unknown] } else { vec![Holds, Fails] };
    }
    match condition::test(condition, facts, place, elements) {
        Unknown if is_made(CallableUnknownIsOpen) => vec![Holds, Fails],
        outcome => vec![outcome],
    }
}

/// What may come of outcomes that may each be several.
fn joined(list: impl Iterator<Item = Vec<Outcome>>, join: fn(&[Outcome]) -> Outcome) -> Vec<Outcome> {
    list.reduce(|before, next| {
        let pairs = before.iter().flat_map(|one| next.iter().map(|other| join(&[*one, *other])));
        let mut joined: Vec<Outcome> = Vec::new();
        for outcome in pairs {
            if !joined.contains(&outcome) {
                joined.push(outcome);
            }
        }
        joined
    })
    .unwrap_or_else(|| vec![join(&[])])
}
