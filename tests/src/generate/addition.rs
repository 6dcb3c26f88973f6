//! Policies that say one thing more than another.

use callgate_reference::json::Json;

use super::Generator;
use super::alphabet::ENTRIES;
use super::feature::Feature;

impl Generator {
    /// The policy with one more condition where it permits, one more item, the field `only_args`, one more entry, or one more payment
    /// into a budget of which conditions only say the most that it may hold.
    pub fn with_addition(&mut self, policy: &str) -> String {
        let mut document = read(policy);
        // A payment into any other budget may be what a condition waits for.
        self.budgets = vec!["spend", "calls"];
        self.budgets.retain(|name| {
            document.get("budgets").and_then(|budgets| budgets.get(name)).is_some()
                && only_bounded(&document, name)
        });
        let Some(tools) = member(&mut document, "tools") else { return policy.to_owned() };
        let Json::Object(entries) = tools else { return policy.to_owned() };
        if entries.is_empty() || self.chance(15) {
            let missing: Vec<&str> =
                ENTRIES.into_iter().filter(|key| !entries.iter().any(|(other, _)| other == key)).collect();
            if !missing.is_empty() {
                let key = missing[self.below(missing.len())];
                let entry = read(&self.entry(Some(key), &mut vec![]));
                let at = self.below(entries.len() + 1);
                entries.insert(at, (key.to_owned(), entry));
                return document.write();
            }
        }
        let at = self.below(entries.len());
        self.add_to(&mut entries[at].1);
        document.write()
    }

    fn add_to(&mut self, entry: &mut Json) {
        let payment = if self.chance(50) { self.payment() } else { None };
        let (field, item) = match self.below(9) {
            _ if payment.is_some() => ("limits", payment.unwrap_or_default()),
            8 if self.may(Feature::InFlight) => {
                let scope = self.scope();
                ("limits", self.in_flight(scope))
            }
            0 | 1 => {
                self.permits = true;
                ("require", self.condition(1))
            }
            2 | 3 => {
                self.permits = false;
                ("deny_if", self.condition(1))
            }
            4 => {
                let (scope, increment, when) = (self.scope(), self.increment(), self.when());
                let window = self.window();
                let limit = format!(
                    "{{\"counter\":\"added\",\"window\":{window},\"max\":2{scope}{increment}{when}}}"
                );
                ("limits", limit)
            }
            5 => ("only_args", self.only_args(false)),
            _ => {
                self.permits = true;
                let condition = read(&self.condition(1));
                return self.add_condition(entry, condition);
            }
        };
        let Json::Object(fields) = entry else { return };
        match fields.iter_mut().find(|(name, _)| name == field) {
            Some((_, Json::Array(items))) if field != "only_args" => {
                let at = self.below(items.len() + 1);
                items.insert(at, read(&item));
            }
            Some(_) => {}
            None => {
                let value = if field == "only_args" { item } else { format!("[{item}]") };
                let at = self.below(fields.len() + 1);
                fields.insert(at, (field.to_owned(), read(&value)));
            }
        }
    }

    /// One condition more in a rule or an item that permits, if there is one.
    fn add_condition(&mut self, entry: &mut Json, condition: Json) {
        let Json::Object(fields) = entry else { return };
        let mut lists: Vec<&mut Json> = Vec::new();
        for (field, items) in fields {
            let Json::Array(items) = items else { continue };
            let permits = |item: &Json| match (field.as_str(), item.get("action").and_then(Json::text)) {
                ("require", _) => true,
                ("rules", action) => matches!(action, None | Some("evaluate" | "allow")),
                _ => false,
            };
            lists.extend(items.iter_mut().filter(|item| permits(item) && item.get("rate_limit").is_none()));
        }
        if lists.is_empty() {
            return;
        }
        let at = self.below(lists.len());
        let Some(item) = lists.into_iter().nth(at) else { return };
        let bare = ["path", "any", "all", "not"].iter().any(|form| item.get(form).is_some());
        if bare {
            let conditions = Json::Array(vec![item.clone(), condition]);
            *item = Json::Object(vec![("conditions".to_owned(), conditions)]);
            return;
        }
        match member(item, "conditions") {
            Some(Json::Array(conditions)) => {
                let at = self.below(conditions.len() + 1);
                conditions.insert(at, condition);
            }
            Some(_) => {}
            None => {
                if let Json::Object(fields) = item {
                    fields.push(("conditions".to_owned(), Json::Array(vec![condition])));
                }
            }
        }
    }
}

/// Whether conditions say of a budget only that it may hold so much and no more.
fn only_bounded(document: &Json, name: &str) -> bool {
    let tools = document.get("tools").map(Json::members).unwrap_or_default();
    let entries = tools.iter().map(|(_, entry)| entry).chain(document.get("all_tools"));
    entries.flat_map(Json::members).all(|(field, items)| {
        let bounds = |item: &Json| {
            let permits = match item.get("action").and_then(Json::text) {
                None => field != "deny_if",
                Some(action) => matches!(action, "evaluate" | "allow"),
            };
            let ops = if permits { ["lt", "lte"] } else { ["gt", "gte"] };
            let conditions = item.get("conditions").map(Json::list).unwrap_or_default();
            conditions.iter().chain([item]).all(|condition| {
                let reads = condition.get("path").and_then(Json::text) == Some(&format!("budget.{name}"));
                !reads || condition.get("op").and_then(Json::text).is_some_and(|op| ops.contains(&op))
            })
        };
        items.list().iter().all(bounds)
    })
}

fn read(text: &str) -> Json {
    Json::read(text).expect("what is generated is JSON")
}

fn member<'j>(object: &'j mut Json, name: &str) -> Option<&'j mut Json> {
    match object {
        Json::Object(members) => members.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value),
        _ => None,
    }
}
