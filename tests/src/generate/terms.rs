//! Terms of approvals: what they ignore, for how long they hold and how many calls they let through.

use callgate_reference::approval::overlap;
use callgate_reference::json::{Json, quoted};
use callgate_reference::{state, syntax};

use super::Generator;
use super::feature::Feature;

/// What a rule may ignore.
const IGNORED: [&str; 9] = [
    "args.note",
    "args.note",
    "args[\"note\"]",
    "args.b",
    "args.c.d",
    "args.list",
    "args[\"a.b\"]",
    "identity.trace",
    "identity.level",
];

/// What a rule may ignore where calls are in calls.
const NESTED: [&str; 9] = [
    "args.note",
    "args.note",
    "args.arguments.note",
    "args.arguments",
    "args.name",
    "args.b",
    "args.context.arguments.note",
    "args.calls",
    "identity.trace",
];

impl Generator {
    /// The policy, in which rules that ask for approval say what that is good for. It loads still.
    pub(super) fn with_terms(&mut self, policy: &str) -> String {
        if !self.may(Feature::Terms) {
            return policy.to_owned();
        }
        let Ok(Json::Object(mut fields)) = Json::read(policy) else { return policy.to_owned() };
        let mut everywhere = Vec::new();
        fields.iter().for_each(|(_, field)| declared(field, &mut everywhere));
        for (field, value) in &mut fields {
            match (field.as_str(), value) {
                ("tools", Json::Object(entries)) => {
                    entries.iter_mut().for_each(|(_, entry)| self.add_terms(entry, &everywhere));
                }
                ("requests", Json::Object(fields)) => {
                    let methods = fields.iter_mut().filter(|(field, _)| field == "methods");
                    for (_, methods) in methods {
                        let Json::Object(entries) = methods else { continue };
                        entries.iter_mut().for_each(|(_, entry)| self.add_terms(entry, &everywhere));
                    }
                }
                ("all_tools", entry) => self.add_terms(entry, &everywhere),
                _ => {}
            }
        }
        Json::Object(fields).write()
    }

    fn add_terms(&mut self, entry: &mut Json, everywhere: &[String]) {
        let mut read = Vec::new();
        declared(entry, &mut read);
        let asks = |rule: &Json| rule.get("action").and_then(Json::text) == Some("require_approval");
        let conditions = |rule: &Json| rule.get("conditions").map(Json::list).unwrap_or_default().to_vec();
        let rules = entry.get("rules").map(Json::list).unwrap_or_default();
        let asked: Vec<Json> = rules.iter().filter(|rule| asks(rule)).flat_map(conditions).collect();
        read.extend(asked.iter().flat_map(syntax::paths));
        // What counters elsewhere are counted by, and what says the maximum of a budget.
        if asked.iter().any(state::is_state) || entry.write().contains("\"budget\"") {
            read.extend(everywhere.iter().cloned());
        }
        let Json::Object(fields) = entry else { return };
        let lists = fields.iter_mut().filter(|(field, _)| field == "rules");
        for rule in lists.flat_map(|(_, rules)| match rules {
            Json::Array(rules) => rules.iter_mut(),
            _ => [].iter_mut(),
        }) {
            if let Json::Object(members) = rule
                && members.iter().any(|(_, value)| value.text() == Some("require_approval"))
                && self.chance(70)
            {
                let terms = self.terms(&read, everywhere);
                members.push(("approval".to_owned(), Json::read(&terms).expect("what is generated is JSON")));
            }
        }
    }

    /// The field `approval`, which ignores nothing of what is read; now and then what other entries read.
    fn terms(&mut self, read: &[String], everywhere: &[String]) -> String {
        let elsewhere: Vec<&str> =
            everywhere.iter().map(String::as_str).filter(|path| is_plain(path)).collect();
        let mut members = Vec::new();
        if self.chance(60) {
            let mut paths: Vec<&str> = Vec::new();
            for _ in 0..1 + self.below(3) {
                let path = match (elsewhere.is_empty(), self.nested) {
                    (false, _) if self.chance(50) => elsewhere[self.below(elsewhere.len())],
                    (_, Some(_)) => self.pick(&NESTED),
                    (_, None) => self.pick(&IGNORED),
                };
                // Two ways to write one path are one path.
                let is_new = !paths.iter().any(|other| overlap(path, other));
                if is_new && !read.iter().any(|other| overlap(path, other)) {
                    paths.push(path);
                }
            }
            let paths: Vec<String> = paths.into_iter().map(quoted).collect();
            members.push(format!("\"ignore\":[{}]", paths.join(",")));
        }
        if self.chance(40) {
            let valid_for = self.pick(&["60", "\"15m\"", "\"6h\"", "2", "\"7d\""]);
            members.push(format!("\"valid_for\":{valid_for}"));
        }
        if self.chance(40) {
            members.push(format!("\"uses\":{}", self.pick(&["1", "2", "3"])));
        }
        if self.chance(20) {
            members.push("\"approvers\":[\"alice\",\"bob\"]".to_owned());
        }
        format!("{{{}}}", members.join(","))
    }
}

/// The paths of every scope, amount, maximum and `when` below.
fn declared(value: &Json, paths: &mut Vec<String>) {
    match value {
        Json::Array(elements) => elements.iter().for_each(|element| declared(element, paths)),
        Json::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("increment_from" | "max_from", Json::String(path)) => paths.push(path.clone()),
                    ("scope", Json::Array(list)) => {
                        paths.extend(list.iter().filter_map(Json::text).map(str::to_owned));
                    }
                    ("when", Json::Array(conditions)) => {
                        paths.extend(conditions.iter().flat_map(syntax::paths));
                    }
                    _ => declared(value, paths),
                }
            }
        }
        _ => {}
    }
}

/// Whether a rule may ignore a path: members of arguments alone lead to it.
fn is_plain(path: &str) -> bool {
    path.starts_with("args.") && !path.contains(['*', '@', '['])
}
