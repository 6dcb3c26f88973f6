//! The points of limits and budgets: what charges counters, and the maxima that refuse.
//!
//! In: what a policy says of a counter, a rate, a budget, or calls in flight. Out: a group for each. Must not look at what a call
//! comes to.

use callgate::__analysis::{Content, Node, shown};
use callgate::Amount;

use super::group::{Form, Group, LimitShape, Shape};
use super::kinds::{Branch, Kind};
use super::path::ArgsPath;
use super::points::{Points, Within, range, text_of};
use crate::subject::{member, segment};

/// The counter of calls in flight (spec 2.28).
const IN_FLIGHT: &str = "_in_flight";

/// What a policy says of the maximum of a limit or budget.
struct Maximum<'n> {
    max: Option<&'n str>,
    from: Option<&'n str>,
}

impl<'n> Maximum<'n> {
    fn of(node: Node<'n>) -> Self {
        Self { max: text_of(node, "max"), from: text_of(node, "max_from") }
    }

    fn is_some(&self) -> bool {
        self.max.or(self.from).is_some()
    }

    /// For people: `5`, `identity.plan`, or `identity.plan, else 5`.
    fn text(&self) -> String {
        match (self.from, self.max) {
            (Some(from), Some(max)) => format!("{}, else {max}", shown(from)),
            (Some(from), None) => shown(from).to_string(),
            (None, max) => max.unwrap_or_default().to_owned(),
        }
    }
}

impl Points {
    /// A budget without a maximum has no outcome: what pays into it is charged.
    pub(super) fn read_budget(&mut self, name: Node<'_>, budget: Node<'_>) {
        let maximum = Maximum::of(budget);
        if !maximum.is_some() {
            return;
        }
        let pointer = format!("/budgets/{}", segment(name.text()));
        self.add(Group {
            kind: Kind::Budget,
            rule: pointer.clone(),
            pointer,
            entry: None,
            name: None,
            text: format!("budget {} to {}", shown(name.text()), maximum.text()),
            range: range(name),
            branches: vec![Branch::Refused],
            shape: Shape::Budget { name: name.text().to_owned(), max: maximum.max.map(str::to_owned) },
        });
    }

    /// An item of `limits`. The maximum of what pays into a budget is the budget's, as is the outcome that it refuses.
    pub(super) fn read_limit(
        &mut self,
        entry: usize,
        key: Option<&str>,
        rule: &str,
        node: Node<'_>,
        budgets: Option<Node<'_>>,
    ) {
        let within = Within { rule, entry, name: text_of(node, "name"), blocks: false };
        let from = text_of(node, "increment_from");
        let (text, maximum, counter, form) = if let Some(budget) = text_of(node, "budget") {
            let declared = budgets.and_then(|budgets| member(budgets, budget));
            let maximum = declared.map_or(Maximum { max: None, from: None }, Maximum::of);
            let from = from.and_then(ArgsPath::parse);
            (format!("payment into {}", shown(budget)), maximum, budget, Form::Budget { from })
        } else if let Some(calls) = text_of(node, "in_flight") {
            let scope = member(node, "scope").map_or("global".to_owned(), scope_text);
            let maximum = Maximum { max: Some(calls), from: None };
            (format!("in_flight {calls}"), maximum, IN_FLIGHT, Form::InFlight { scope })
        } else {
            let counter = text_of(node, "counter").unwrap_or_default();
            let maximum = Maximum::of(node);
            (format!("limit {} to {}", shown(counter), maximum.text()), maximum, counter, Form::Counter)
        };
        let increment = match from {
            Some(_) => None,
            None => Some(text_of(node, "increment").unwrap_or("1")),
        };
        // What a claim says may be any amount.
        let most = maximum.max.filter(|_| maximum.from.is_none());
        let charges = can_charge(most, increment);
        let max = maximum.max.map(str::to_owned);
        let claimed = maximum.from.is_some();
        let (entry, counter) = (key.map(str::to_owned), counter.to_owned());
        let limit = LimitShape { entry, counter, max, claimed, form };
        self.add_limit(within, rule.to_owned(), node, text, limit, charges);
        self.read_when(within, node);
    }

    /// A `rate_limit` of a rule.
    pub(super) fn read_rate(&mut self, within: Within<'_>, key: Option<&str>, rate: Node<'_>) {
        let (max, window) = rate_parts(rate);
        let limit = LimitShape {
            entry: key.map(str::to_owned),
            counter: format!("_rate_{window}"),
            max: Some(max.to_owned()),
            claimed: false,
            form: Form::Counter,
        };
        let text = format!("rate_limit {max}/{window}");
        self.add_limit(within, format!("{}/rate_limit", within.rule), rate, text, limit, true);
    }

    /// The `state` of a rule.
    pub(super) fn read_state(&mut self, within: Within<'_>, key: Option<&str>, state: Node<'_>) {
        let counter = text_of(state, "counter").unwrap_or_default().to_owned();
        let text = format!("state {}", shown(&counter));
        let entry = key.map(str::to_owned);
        let limit = LimitShape { entry, counter, max: None, claimed: false, form: Form::Counter };
        // An increment of 0 means 1 there (spec 2.17).
        self.add_limit(within, format!("{}/state", within.rule), state, text, limit, true);
    }

    fn add_limit(
        &mut self,
        within: Within<'_>,
        pointer: String,
        node: Node<'_>,
        text: String,
        limit: LimitShape,
        charges: bool,
    ) {
        let refuses = !matches!(limit.form, Form::Budget { .. }) && (limit.max.is_some() || limit.claimed);
        let mut branches = Vec::new();
        if charges {
            branches.push(Branch::Charged);
        }
        // What charges nothing refuses all the same where more was settled than the maximum.
        if refuses {
            branches.push(Branch::Refused);
        }
        let shape = Shape::Limit(limit);
        self.add(Group { pointer, ..within.group(Kind::Limit, node, text, branches, shape) });
    }
}

/// A scope as counters show it.
fn scope_text(scope: Node<'_>) -> String {
    match scope.content() {
        Content::Sequence(paths) => paths.map(Node::text).collect::<Vec<_>>().join(","),
        _ => scope.text().to_owned(),
    }
}

/// Whether a call can charge more than 0 to a counter. `increment`: `None` where it comes from arguments.
fn can_charge(max: Option<&str>, increment: Option<&str>) -> bool {
    let amount = |text: Option<&str>| text?.parse::<Amount>().ok();
    let (max, increment) = (amount(max), amount(increment));
    let is_above = max.zip(increment).is_some_and(|(max, increment)| increment > max);
    max != Some(Amount::ZERO) && increment != Some(Amount::ZERO) && !is_above
}

/// The maximum and the window of a rate, as its counter's name has it (spec 8.7).
fn rate_parts(rate: Node<'_>) -> (&str, String) {
    let (max, window) = match rate.content() {
        Content::Mapping(_) => {
            (text_of(rate, "max").unwrap_or_default(), text_of(rate, "window").unwrap_or_default())
        }
        _ => rate.text().split_once('/').unwrap_or_default(),
    };
    let seconds = |count: &str, of: u64| count.parse::<u64>().ok().and_then(|count| count.checked_mul(of));
    let length = match window.char_indices().next_back() {
        Some((at, 's')) => seconds(window.get(..at).unwrap_or_default(), 1),
        Some((at, 'm')) => seconds(window.get(..at).unwrap_or_default(), 60),
        Some((at, 'h')) => seconds(window.get(..at).unwrap_or_default(), 3_600),
        Some((at, 'd')) => seconds(window.get(..at).unwrap_or_default(), 86_400),
        _ => seconds(window, 1),
    };
    (max, length.map_or_else(|| window.to_owned(), |length| format!("{length}s")))
}
