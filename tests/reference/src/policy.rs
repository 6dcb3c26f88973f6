//! Rules and items of a document in one shape (section 2).

use crate::approval::Terms;
use crate::condition::Place;
use crate::json::Json;
use crate::mistake::{Mistake::OnlyArgsEmpty, is_made};
use crate::pattern;
use crate::payment::{Counter, Payment, Scope, Top, budget, window_text};
use crate::time::Window;

/// A rule of `rules`, or an item of `require`, `deny_if` or `limits`.
#[derive(Debug, Clone)]
pub struct Item {
    /// The name of its policy (clause 10.3).
    pub layer: Option<String>,
    /// JSON Pointer (clause 10.3).
    pub pointer: String,
    /// Key of its entry, or a method; none for `all_tools`.
    pub entry: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its `on_deny` or `reason`.
    pub on_deny: Option<String>,
    /// Clauses 2.11, 2.12 and 2.15.
    pub place: Place,
    /// Clause 2.12: `require_approval`.
    pub approves: bool,
    /// Clause 2.30.
    pub terms: Terms,
    /// All its conditions.
    pub conditions: Vec<Json>,
    /// Clause 2.20: the names of `only_args`.
    pub only_args: Vec<String>,
    /// Clause 2.21: when its counter counts.
    pub when: Vec<Json>,
    /// What it charges.
    pub pays: Option<Payment>,
}

/// An entry of `tools`, or `all_tools`.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its key; none for `all_tools`.
    pub key: Option<String>,
    /// Its items in document order.
    pub items: Vec<Item>,
}

/// Clause 2.31: a tool that calls others.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    /// Its name.
    pub name: String,
    /// The path of the inner name.
    pub tool: String,
    /// The path of the inner arguments.
    pub args: String,
}

/// Clause 2.32.
#[derive(Debug, Clone)]
pub struct Requests {
    /// Whether a method without an entry is denied.
    pub default_deny: bool,
    /// The entries of methods.
    pub entries: Vec<Entry>,
}

/// A document.
#[derive(Debug, Clone)]
pub struct Document {
    /// Clause 2.33.
    pub name: Option<String>,
    /// Clause 2.3.
    pub default_deny: bool,
    /// Clause 2.23: whether a list leaves out what its reader can never call.
    pub lists_callable: bool,
    /// Clause 2.4.
    pub hide: Vec<String>,
    /// Entries in document order, `all_tools` last.
    pub entries: Vec<Entry>,
    /// Clause 2.31.
    pub dispatchers: Vec<Dispatcher>,
    /// Clause 2.32.
    pub requests: Option<Requests>,
    /// Clause 2.24.
    pub budgets: Vec<Counter>,
}

impl Document {
    /// Reads a document that is valid; what is invalid is not looked for.
    pub fn read(text: &str) -> Result<Document, String> {
        let root = Json::read(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        let null = Json::Null;
        let texts = |list: &Json| list.list().iter().filter_map(Json::text).map(str::to_owned).collect();
        let mut top = Top::read(&root);
        top.budgets = root
            .get("budgets")
            .unwrap_or(&null)
            .members()
            .iter()
            .map(|(name, value)| budget(&top, name, value))
            .collect();
        let mut entries = Vec::new();
        for (key, value) in root.get("tools").unwrap_or(&null).members() {
            // Clause 1.5 frees `x-` keys where fields stand; here names stand.
            entries.push(entry(&top, Some(key), value));
        }
        if let Some(value) = root.get("all_tools") {
            entries.push(entry(&top, None, value));
        }
        let text = |value: &Json, field: &str| value.get(field).and_then(Json::text).map(str::to_owned);
        let dispatchers = root.get("dispatchers").unwrap_or(&null).members().iter().map(|(name, value)| {
            let path = |field| text(value, field).expect("a path");
            Dispatcher { name: name.clone(), tool: path("tool"), args: path("args") }
        });
        top.in_requests = true;
        let mut requests = root.get("requests").filter(|requests| **requests != Json::Null).map(|requests| {
            let methods = requests.get("methods").unwrap_or(&null).members();
            Requests {
                default_deny: text(requests, "default").as_deref() == Some("deny"),
                entries: methods.iter().map(|(method, value)| entry(&top, Some(method), value)).collect(),
            }
        });
        let name = text(&root, "name");
        let methods = requests.iter_mut().flat_map(|requests| &mut requests.entries);
        for item in entries.iter_mut().chain(methods).flat_map(|entry| &mut entry.items) {
            item.layer.clone_from(&name);
        }
        Ok(Document {
            name,
            dispatchers: dispatchers.collect(),
            requests,
            default_deny: root.get("default").and_then(Json::text) == Some("deny"),
            lists_callable: root.get("list").and_then(Json::text) == Some("callable"),
            hide: texts(root.get("hide").unwrap_or(&null)),
            entries,
            budgets: top.budgets,
        })
    }

    /// Clause 6.1: the exact entry, globs in document order, the wildcard entry, `all_tools`.
    pub fn matching(&self, tool: &str) -> Vec<&Entry> {
        let keyed = |test: &dyn Fn(&str) -> bool| -> Vec<&Entry> {
            self.entries.iter().filter(|entry| entry.key.as_deref().is_some_and(test)).collect()
        };
        let mut matching = keyed(&|key| !pattern::is_glob(key) && key == tool);
        matching.extend(keyed(&|key| is_glob_entry(key) && pattern::glob_matches(key, tool)));
        matching.extend(keyed(&|key| key == "*"));
        matching.extend(self.entries.iter().filter(|entry| entry.key.is_none()));
        matching
    }

    /// Clause 2.8: an exact entry names it or a glob entry matches it.
    pub fn lists(&self, tool: &str) -> bool {
        self.matching(tool).iter().any(|entry| entry.key.as_deref().is_some_and(|key| key != "*"))
    }

    /// Whether a path of this text names a counter or a budget here.
    pub(crate) fn declares(&self, path: &str) -> bool {
        let methods = self.requests.iter().flat_map(|requests| &requests.entries);
        let pays =
            self.entries.iter().chain(methods).flat_map(|entry| &entry.items).flat_map(|item| &item.pays);
        let mut counters = pays.map(|payment| &payment.counter).chain(&self.budgets);
        let named = |counter: &Counter| match &counter.entry {
            None if counter.is_budget => format!("budget.{}", counter.name),
            None => format!("state._global.{}", counter.name),
            Some(entry) => format!("state.{entry}.{}", counter.name),
        };
        counters.any(|counter| named(counter) == path)
    }

    /// Clauses 4.6 and 4.10: the declared counter or the budget that a path names.
    pub fn counter(&self, path: &str) -> &Counter {
        let (root, segments) = crate::path::read(path);
        if let ("budget", [crate::path::Segment::Name(name)]) = (root.as_str(), &segments[..]) {
            return self.budgets.iter().find(|budget| budget.name == *name).expect("a budget");
        }
        let methods = self.requests.iter().flat_map(|requests| &requests.entries);
        let pays =
            self.entries.iter().chain(methods).flat_map(|entry| &entry.items).flat_map(|item| &item.pays);
        let mut declared = pays.map(|payment| &payment.counter).filter(|counter| !counter.is_budget);
        if let Some(rest) = path.strip_prefix("state.") {
            if let Some(name) = rest.strip_prefix("_global.") {
                let of = |key: Option<&str>| {
                    declared.clone().find(|counter| counter.entry.as_deref() == key && counter.name == name)
                };
                return of(Some("*")).or_else(|| of(None)).expect("a declared counter");
            }
            let joined = |counter: &&Counter| {
                counter.entry.as_ref().is_some_and(|entry| format!("{entry}.{}", counter.name) == rest)
            };
            return declared.find(joined).expect("a declared counter");
        }
        let names: Vec<String> = segments
            .into_iter()
            .map(|segment| match segment {
                crate::path::Segment::Name(name) => name,
                _ => panic!("no name in {path}"),
            })
            .collect();
        let (entry, name) = (&names[0], names[1..].join("."));
        let of = |key: Option<&str>| {
            declared.clone().find(|counter| counter.entry.as_deref() == key && counter.name == name)
        };
        if entry == "_global" {
            return of(Some("*")).or_else(|| of(None)).expect("a declared counter");
        }
        of(Some(entry)).expect("a declared counter")
    }
}

/// Clause 2.5: the key `*` is not a glob.
fn is_glob_entry(key: &str) -> bool {
    key != "*" && pattern::is_glob(key)
}

fn entry(top: &Top, key: Option<&str>, value: &Json) -> Entry {
    let owner = if top.in_requests { "/requests/methods" } else { "/tools" };
    let base = match key {
        // A JSON Pointer (RFC 6901).
        Some(key) => format!("{owner}/{}", key.replace('~', "~0").replace('/', "~1")),
        None => "/all_tools".to_owned(),
    };
    let mut items = Vec::new();
    // Clause 6.1: its fields, and their items, in document order.
    for (field, list) in value.members() {
        if field == "only_args" {
            if list.list().is_empty() && is_made(OnlyArgsEmpty) {
                continue;
            }
            items.push(only_args(format!("{base}/only_args"), list));
            continue;
        }
        for (index, item) in list.list().iter().enumerate() {
            let pointer = format!("{base}/{field}/{index}");
            match field.as_str() {
                "rules" => items.push(rule(top, key, pointer, item)),
                "require" => items.push(conditional(pointer, item, Place::Permit)),
                "deny_if" => items.push(conditional(pointer, item, Place::Block)),
                "limits" => {
                    items.push(Item { pays: Some(Payment::of_limit(top, key, item)), ..blank(pointer, item) })
                }
                _ => {}
            }
        }
    }
    for item in &mut items {
        item.entry = key.map(str::to_owned);
    }
    Entry { key: key.map(str::to_owned), items }
}

/// Clause 2.9: what every rule and item may have.
fn blank(pointer: String, item: &Json) -> Item {
    let text = |field: &str| item.get(field).and_then(Json::text).map(str::to_owned);
    Item {
        layer: None,
        pointer,
        entry: None,
        name: text("name"),
        on_deny: text("on_deny").or(text("reason")),
        place: Place::Permit,
        approves: false,
        terms: Terms::read(item.get("approval").unwrap_or(&Json::Null)),
        conditions: item.get("conditions").unwrap_or(&Json::Null).list().to_vec(),
        only_args: vec![],
        when: item.get("when").unwrap_or(&Json::Null).list().to_vec(),
        pays: None,
    }
}

/// Clauses 2.10 to 2.14.
fn rule(top: &Top, entry: Option<&str>, pointer: String, rule: &Json) -> Item {
    let action = rule.get("action").and_then(Json::text).unwrap_or("evaluate");
    let mut item = blank(pointer, rule);
    item.place = if matches!(action, "deny" | "require_approval") { Place::Block } else { Place::Permit };
    item.approves = action == "require_approval";
    if let Some(state) = rule.get("state") {
        item.pays = Some(Payment::read(top, entry, state, Scope::Kind("global".to_owned()), true));
    }
    if let Some(limit) = rule.get("rate_limit") {
        // Clause 2.13
        let (max, window) = match limit {
            Json::String(text) => {
                let (max, window) = text.split_once('/').expect("N/WINDOW");
                (Json::Number(max.to_owned()), Json::String(window.to_owned()))
            }
            limit => (limit.get("max").expect("max").clone(), limit.get("window").expect("window").clone()),
        };
        // Clause 8.7: a length stands in the name in seconds.
        let name = match Window::read(&window_text(&window)) {
            Window::Seconds(seconds, false) => format!("_rate_{seconds}s"),
            _ => format!("_rate_{}", window_text(&window)),
        };
        let mut declaration = vec![
            ("counter".to_owned(), Json::String(name)),
            ("window".to_owned(), window),
            ("max".to_owned(), max),
        ];
        for field in ["scope", "algorithm", "refund"] {
            declaration.extend(rule.get(field).map(|value| (field.to_owned(), value.clone())));
        }
        // Clause 9.2: without a scope, `rate_limit` counts for each agent.
        let scope = Scope::Kind("agent".to_owned());
        item.pays = Some(Payment::read(top, entry, &Json::Object(declaration), scope, false));
    }
    item
}

/// Clause 2.20: a condition on the names of the arguments.
fn only_args(pointer: String, names: &Json) -> Item {
    let text = |text: &str| Json::String(text.to_owned());
    let condition = vec![
        ("path".to_owned(), text("args.@keys")),
        ("op".to_owned(), text("subset_of")),
        ("value".to_owned(), names.clone()),
    ];
    let only_args = names.list().iter().filter_map(Json::text).map(str::to_owned).collect();
    Item { conditions: vec![Json::Object(condition)], only_args, ..blank(pointer, &Json::Null) }
}

/// Clause 2.15: an item with conditions, or a bare condition.
fn conditional(pointer: String, item: &Json, place: Place) -> Item {
    let bare = ["path", "any", "all", "not"].iter().any(|field| item.get(field).is_some());
    if bare {
        let conditions = vec![item.clone()];
        return Item { conditions, place, name: None, on_deny: None, ..blank(pointer, item) };
    }
    Item { place, ..blank(pointer, item) }
}
