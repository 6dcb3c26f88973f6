//! Counters and budgets as they are declared, and what items pay into them (sections 2 and 8).

use crate::calendar::Calendar;
use crate::decimal::Decimal;
use crate::json::Json;
use crate::mistake::{Mistake, is_made};
use crate::time::Window;

/// A declared counter, or a budget.
#[derive(Debug, Clone)]
pub struct Counter {
    /// The name of its policy (clause 8.6).
    pub layer: Option<String>,
    /// Whether the entry is that of a method.
    pub of_method: bool,
    /// Key of the entry; none for `all_tools` and for a budget.
    pub entry: Option<String>,
    /// Clause 2.24.
    pub is_budget: bool,
    /// Clause 2.28.
    pub is_in_flight: bool,
    /// Its name.
    pub name: String,
    /// The window as the decision shows it.
    pub window_text: String,
    /// The window.
    pub window: Window,
    /// Clause 8.3: `algorithm: sliding`.
    pub sliding: bool,
    /// Clause 8.17: as far as it has a part.
    pub calendar: Calendar,
    /// Clause 9.2.
    pub scope: Scope,
    /// Its maximum.
    pub max: Option<i128>,
    /// Clause 2.26: the claim that says it.
    pub max_from: Option<String>,
    /// What a budget says where it refuses.
    pub on_deny: Option<String>,
}

impl Counter {
    /// Whether two declarations are one; calls in flight are declared once for each scope (clause 2.28).
    pub(crate) fn is(&self, other: &Counter) -> bool {
        self.is_budget == other.is_budget
            && (self.layer == other.layer || is_made(Mistake::LayersShareCounters))
            && self.of_method == other.of_method
            && self.entry == other.entry
            && self.name == other.name
            && self.scope == other.scope
    }
}

/// What an item charges.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The counter or the budget.
    pub counter: Counter,
    /// How much.
    pub charge: Charge,
    /// Clause 2.27: whether the host may say later what it really was.
    pub settles: bool,
    /// Clause 2.27: when it is given back.
    pub refund: Refund,
}

/// Clauses 2.17 and 2.18.
#[derive(Debug, Clone)]
pub enum Charge {
    /// `increment`
    Fixed(i128),
    /// `increment_from`
    From(String),
}

/// Clauses 2.27 and 2.28: which ends of a call give a charge back, beside `not_run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refund {
    /// None.
    Never,
    /// `error`
    Error,
    /// `error` and `tool_error`
    ToolError,
    /// Every one: a call in flight.
    Always,
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

    /// The paths that it reads.
    pub(crate) fn paths(&self) -> Vec<String> {
        let of = |names: &[&str]| names.iter().map(|name| format!("identity.{name}")).collect();
        match self {
            Scope::Paths(paths) => paths.clone(),
            Scope::Kind(kind) => match kind.as_str() {
                "grant" => of(&["grant", "id"]),
                "session" => of(&["session"]),
                "identity" => of(&["id"]),
                "agent" => of(&["session", "id"]),
                _ => vec![],
            },
        }
    }
}

/// What stands at the top of a document and is needed below.
pub(crate) struct Top {
    layer: Option<String>,
    /// Whether the entries that are read are those of methods.
    pub(crate) in_requests: bool,
    zone: Option<String>,
    from_sunday: bool,
    pub(crate) budgets: Vec<Counter>,
}

impl Top {
    /// Clause 2.29; without budgets.
    pub(crate) fn read(root: &Json) -> Top {
        let text = |field: &str| root.get(field).and_then(Json::text).map(str::to_owned);
        Top {
            layer: text("name"),
            in_requests: false,
            zone: text("time_zone"),
            from_sunday: text("week_start").as_deref() == Some("sunday"),
            budgets: vec![],
        }
    }
}

/// Clause 2.24.
pub(crate) fn budget(top: &Top, name: &str, value: &Json) -> Counter {
    let on_deny = value.get("on_deny").and_then(Json::text).map(str::to_owned);
    let counter = declared(top, name, value, Scope::Kind("global".to_owned()));
    Counter { is_budget: true, on_deny, ..counter }
}

/// Clauses 2.14, 2.16 and 2.24: what declares a counter.
fn declared(top: &Top, name: &str, item: &Json, default: Scope) -> Counter {
    let window_text = window_text(item.get("window").expect("a window"));
    let window = Window::read(&window_text);
    let sliding = item.get("algorithm").and_then(Json::text) == Some("sliding");
    Counter {
        layer: top.layer.clone(),
        of_method: top.in_requests,
        entry: None,
        is_budget: false,
        is_in_flight: false,
        name: name.to_owned(),
        calendar: Calendar::of(&window, sliding, top.zone.as_deref(), top.from_sunday),
        window,
        window_text,
        sliding,
        scope: scope(item).unwrap_or(default),
        max: item.get("max").map(amount),
        max_from: item.get("max_from").and_then(Json::text).map(str::to_owned),
        on_deny: None,
    }
}

fn scope(item: &Json) -> Option<Scope> {
    Some(match item.get("scope")? {
        Json::String(kind) => Scope::Kind(kind.clone()),
        paths => Scope::Paths(paths.list().iter().filter_map(Json::text).map(str::to_owned).collect()),
    })
}

impl Payment {
    /// An item of `limits` (clauses 2.16, 2.25 and 2.28).
    pub(crate) fn of_limit(top: &Top, entry: Option<&str>, item: &Json) -> Payment {
        let global = Scope::Kind("global".to_owned());
        if let Some(max) = item.get("in_flight") {
            let text = |text: &str| Json::String(text.to_owned());
            let lease = item.get("lease").expect("a lease").clone();
            let mut declaration =
                vec![("window", lease), ("algorithm", text("sliding")), ("max", max.clone())];
            declaration.extend(item.get("scope").map(|scope| ("scope", scope.clone())));
            let declaration = declaration.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let counter = declared(top, "_in_flight", &Json::Object(declaration), global);
            let counter = Counter { entry: entry.map(str::to_owned), is_in_flight: true, ..counter };
            return Payment {
                counter,
                charge: Charge::Fixed(1_000_000),
                settles: false,
                refund: Refund::Always,
            };
        }
        if let Some(name) = item.get("budget").and_then(Json::text) {
            let budget = top.budgets.iter().find(|budget| budget.name == name).expect("a budget");
            return Payment::into(budget.clone(), item, false);
        }
        Payment::read(top, entry, item, global, false)
    }

    /// What declares the counter that it pays into.
    pub(crate) fn read(
        top: &Top,
        entry: Option<&str>,
        item: &Json,
        default: Scope,
        is_state: bool,
    ) -> Payment {
        let name = item.get("counter").and_then(Json::text).expect("a name");
        let counter = declared(top, name, item, default);
        Payment::into(Counter { entry: entry.map(str::to_owned), ..counter }, item, is_state)
    }

    /// Clauses 2.14, 2.17, 2.18, 2.25 and 2.27.
    fn into(counter: Counter, item: &Json, is_state: bool) -> Payment {
        let from = item.get("increment_from").and_then(Json::text);
        let charge = match (from, item.get("increment")) {
            (Some(path), _) => Charge::From(path.to_owned()),
            (None, None) => Charge::Fixed(1_000_000),
            (None, Some(increment)) => match amount(increment) {
                // Clause 2.17: in `state`, 0 means 1.
                0 if is_state => Charge::Fixed(1_000_000),
                amount => Charge::Fixed(amount),
            },
        };
        let settles = match item.get("settle") {
            Some(settle) => *settle == Json::Bool(true),
            None => from.is_some(),
        };
        let refund = match item.get("refund").and_then(Json::text) {
            Some("error") => Refund::Error,
            Some("tool_error") => Refund::ToolError,
            _ => Refund::Never,
        };
        Payment { counter, charge, settles, refund }
    }
}

/// Clauses 8.3 and 10.5: a window as written, a number of seconds as `60s`.
pub(crate) fn window_text(window: &Json) -> String {
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
