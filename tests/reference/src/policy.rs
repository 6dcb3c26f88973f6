//! Rules and items of a document in one shape (section 2).

use crate::condition::Place;
use crate::decimal::Decimal;
use crate::json::Json;
use crate::mistake::{Mistake::OnlyArgsEmpty, is_made};
use crate::pattern;
use crate::time::Window;

/// A rule of `rules`, or an item of `require`, `deny_if` or `limits`.
#[derive(Debug, Clone)]
pub struct Item {
    /// JSON Pointer (clause 10.3).
    pub pointer: String,
    /// Its name.
    pub name: Option<String>,
    /// Its `on_deny` or `reason`.
    pub on_deny: Option<String>,
    /// Clauses 2.11, 2.12 and 2.15.
    pub place: Place,
    /// Clause 2.12: `require_approval`.
    pub approves: bool,
    /// All its conditions.
    pub conditions: Vec<Json>,
    /// Clause 2.20: the names of `only_args`.
    pub only_args: Vec<String>,
    /// Clause 2.21: when its counter counts.
    pub when: Vec<Json>,
    /// The counter that it charges.
    pub counter: Option<Counter>,
}

/// A declared counter.
#[derive(Debug, Clone)]
pub struct Counter {
    /// Key of the entry; none for `all_tools`.
    pub entry: Option<String>,
    /// Its name.
    pub name: String,
    /// The window as the decision shows it.
    pub window_text: String,
    /// The window.
    pub window: Window,
    /// Clause 8.3: `algorithm: sliding`.
    pub sliding: bool,
    /// Clause 9.2.
    pub scope: Scope,
    /// Its maximum.
    pub max: Option<i128>,
    /// What a call charges.
    pub charge: Charge,
}

/// Clauses 2.17 and 2.18.
#[derive(Debug, Clone)]
pub enum Charge {
    /// `increment`
    Fixed(i128),
    /// `increment_from`
    From(String),
}

/// Clause 9.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// `global`, `grant`, `session` or `identity`, or `agent` for a `rate_limit` without `scope`.
    Kind(String),
    /// Paths.
    Paths(Vec<String>),
}

impl Scope {
    /// Clause 10.4.
    pub fn text(&self) -> String {
        match self {
            Scope::Kind(kind) => kind.clone(),
            Scope::Paths(paths) => paths.join(","),
        }
    }
}

/// An entry of `tools`, or `all_tools`.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its key; none for `all_tools`.
    pub key: Option<String>,
    /// Its items in document order.
    pub items: Vec<Item>,
}

/// A document.
#[derive(Debug, Clone)]
pub struct Document {
    /// Clause 2.3.
    pub default_deny: bool,
    /// Clause 2.23: whether a list leaves out what its reader can never call.
    pub lists_callable: bool,
    /// Clause 2.4.
    pub hide: Vec<String>,
    /// Entries in document order, `all_tools` last.
    pub entries: Vec<Entry>,
}

impl Document {
    /// Reads a document that is valid; what is invalid is not looked for.
    pub fn read(text: &str) -> Result<Document, String> {
        let root = Json::read(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        let null = Json::Null;
        let texts = |list: &Json| list.list().iter().filter_map(Json::text).map(str::to_owned).collect();
        let mut entries = Vec::new();
        for (key, value) in root.get("tools").unwrap_or(&null).members() {
            // Clause 1.5 frees `x-` keys where fields stand; here names stand.
            entries.push(entry(Some(key), value));
        }
        if let Some(value) = root.get("all_tools") {
            entries.push(entry(None, value));
        }
        Ok(Document {
            default_deny: root.get("default").and_then(Json::text) == Some("deny"),
            lists_callable: root.get("list").and_then(Json::text) == Some("callable"),
            hide: texts(root.get("hide").unwrap_or(&null)),
            entries,
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

    /// Clause 4.6: the declared counter that a state path names.
    pub fn counter(&self, path: &str) -> &Counter {
        let mut declared = self.entries.iter().flat_map(|entry| &entry.items).flat_map(|item| &item.counter);
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
        let names: Vec<String> = crate::path::read(path)
            .1
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

fn entry(key: Option<&str>, value: &Json) -> Entry {
    let base = match key {
        // A JSON Pointer (RFC 6901).
        Some(key) => format!("/tools/{}", key.replace('~', "~0").replace('/', "~1")),
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
                "rules" => items.push(rule(key, pointer, item)),
                "require" => items.push(conditional(pointer, item, Place::Permit)),
                "deny_if" => items.push(conditional(pointer, item, Place::Block)),
                "limits" => items.push(Item {
                    counter: Some(counter(key, item, Scope::Kind("global".to_owned()), false)),
                    ..blank(pointer, item)
                }),
                _ => {}
            }
        }
    }
    Entry { key: key.map(str::to_owned), items }
}

/// Clause 2.9: what every rule and item may have.
fn blank(pointer: String, item: &Json) -> Item {
    let text = |field: &str| item.get(field).and_then(Json::text).map(str::to_owned);
    Item {
        pointer,
        name: text("name"),
        on_deny: text("on_deny").or(text("reason")),
        place: Place::Permit,
        approves: false,
        conditions: item.get("conditions").unwrap_or(&Json::Null).list().to_vec(),
        only_args: vec![],
        when: item.get("when").unwrap_or(&Json::Null).list().to_vec(),
        counter: None,
    }
}

/// Clauses 2.10 to 2.14.
fn rule(entry: Option<&str>, pointer: String, rule: &Json) -> Item {
    let action = rule.get("action").and_then(Json::text).unwrap_or("evaluate");
    let mut item = blank(pointer, rule);
    item.place = if matches!(action, "deny" | "require_approval") { Place::Block } else { Place::Permit };
    item.approves = action == "require_approval";
    if let Some(state) = rule.get("state") {
        item.counter = Some(counter(entry, state, Scope::Kind("global".to_owned()), true));
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
        for field in ["scope", "algorithm"] {
            declaration.extend(rule.get(field).map(|value| (field.to_owned(), value.clone())));
        }
        // Clause 9.2: without a scope, `rate_limit` counts for each agent.
        let scope = Scope::Kind("agent".to_owned());
        item.counter = Some(counter(entry, &Json::Object(declaration), scope, false));
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

/// Clauses 8.3 and 10.5: a window as written, a number of seconds as `60s`.
fn window_text(window: &Json) -> String {
    match window {
        Json::String(text) if text.chars().all(|c| c.is_ascii_digit()) => format!("{text}s"),
        Json::String(text) => text.clone(),
        Json::Number(literal) => format!("{}s", Decimal::read(literal).expect("seconds").plain()),
        other => panic!("no window: {other:?}"),
    }
}

fn amount(value: &Json) -> i128 {
    match value {
        Json::Number(literal) => Decimal::read(literal).and_then(|number| number.to_amount()),
        _ => None,
    }
    .expect("an amount")
}

/// Clauses 2.14, 2.16 to 2.18.
fn counter(entry: Option<&str>, item: &Json, default: Scope, is_state: bool) -> Counter {
    let window_text = window_text(item.get("window").expect("a window"));
    let charge = match (item.get("increment_from").and_then(Json::text), item.get("increment")) {
        (Some(path), _) => Charge::From(path.to_owned()),
        (None, None) => Charge::Fixed(1_000_000),
        (None, Some(increment)) => match amount(increment) {
            // Clause 2.17: in `state`, 0 means 1.
            0 if is_state => Charge::Fixed(1_000_000),
            amount => Charge::Fixed(amount),
        },
    };
    Counter {
        entry: entry.map(str::to_owned),
        name: item.get("counter").and_then(Json::text).expect("a name").to_owned(),
        window: Window::read(&window_text),
        window_text,
        sliding: item.get("algorithm").and_then(Json::text) == Some("sliding"),
        scope: match item.get("scope") {
            None => default,
            Some(Json::String(kind)) => Scope::Kind(kind.clone()),
            Some(paths) => {
                Scope::Paths(paths.list().iter().filter_map(Json::text).map(str::to_owned).collect())
            }
        },
        max: if is_state { None } else { item.get("max").map(amount) },
        charge,
    }
}
