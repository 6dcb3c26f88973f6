//! A policy without one of its outcomes.
//!
//! In: a policy's document and a point. Out: the document in which that outcome cannot come about, or why there is none. All pointers
//! stay as they are, so that decisions can be compared.
//!
//! Conditions are not replaced but put beside a constant, behind them: what they read, and in which order, stays the same.

use super::group::{Form, Group, LimitShape, Shape};
use super::kinds::Branch;
use super::path::{reads_budget, reads_counter, state_names};
use super::points::Points;
use crate::document::Json;

/// A document without an outcome.
#[derive(Debug)]
pub(super) struct Removed {
    pub(super) document: Json,
    /// The rule for which approvals are withheld: a document cannot say this.
    pub(super) withheld: Option<String>,
    /// Whether the code of a refusal by a condition on a counter may differ. It says on which side of the bound the counter is
    /// (spec 8.8), and a constant has no such side.
    pub(super) code_may_differ: bool,
    /// Where the maximum went of which a claim may say how much it is: rules by their pointer. Denials of theirs because the claim
    /// does not say it are no outcome of the maximum, and went with it.
    pub(super) unclaimed: Vec<String>,
}

/// The largest amount (spec 8.2).
const LARGEST: &str = "9223372036854.775807";
/// The largest rate.
const LARGEST_RATE: &str = "9223372036854";
/// The largest maximum of a sliding window whose charges are 1.
const LARGEST_SLIDING: &str = "10000";

/// Attempts at a document without a branch, the first that loads being the one. `taken`: whether a name is a tool's that is called.
pub(super) fn attempts(
    document: &Json,
    points: &Points,
    group: &Group,
    branch: Branch,
    taken: &dyn Fn(&str) -> bool,
) -> Vec<Removed> {
    let reads_counters = match &group.shape {
        Shape::Condition(shape) => shape.reads_counter(),
        Shape::Rule { reads_counters, .. } => *reads_counters,
        _ => false,
    };
    let unclaimed = if branch == Branch::Refused { claimants(points, group) } else { Vec::new() };
    let mut found = Vec::new();
    for attempt in 0..2 {
        let mut document = document.clone();
        let mut withheld = None;
        let done = match (&group.shape, branch) {
            (Shape::Approval, Branch::Given) => {
                withheld = Some(group.rule.clone());
                Some(())
            }
            _ => remove(&mut document, points, group, branch, attempt, taken),
        };
        if done.is_some() {
            found.push(Removed {
                document,
                withheld,
                code_may_differ: reads_counters,
                unclaimed: unclaimed.clone(),
            });
        }
    }
    found
}

fn remove(
    document: &mut Json,
    points: &Points,
    group: &Group,
    branch: Branch,
    attempt: u32,
    taken: &dyn Fn(&str) -> bool,
) -> Option<()> {
    match &group.shape {
        Shape::Default => {
            let denies = document.get("default").and_then(Json::as_str) == Some("deny");
            document.set("default", Json::string(if denies { "allow" } else { "deny" }));
        }
        Shape::Hide => *document.at_mut(&group.pointer)? = Json::string(free_name(document, taken)),
        Shape::Entry => remove_entry(document, points, group, taken)?,
        Shape::Condition(_) if group.pointer.ends_with("/only_args") => {
            other_args(document, &group.pointer, branch, taken)?;
        }
        Shape::Condition(_) => constant(document.at_mut(&group.pointer)?, branch == Branch::Fails),
        Shape::Approval => {
            let rule = document.at_mut(&group.rule)?;
            if branch == Branch::Asked {
                rule.list_mut("conditions")?.push(tool_exists(false))
            } else {
                all(rule, true)
            }
        }
        Shape::Rule { blocks, reads_counters } => {
            let rule = document.at_mut(&group.rule)?;
            // A permit place passes, and a block place acts, where every condition holds.
            let holds = *blocks != (branch == Branch::Acted);
            if holds || *reads_counters {
                all(rule, holds);
            } else if rule.get("path").or(rule.get("any")).or(rule.get("all")).or(rule.get("not")).is_some() {
                constant(rule, false);
            } else {
                rule.list_mut("conditions")?.push(tool_exists(false));
            }
        }
        Shape::Limit(limit) if branch == Branch::Charged => charge_nothing(document, group, limit, attempt)?,
        Shape::Limit(_) => raise(document.at_mut(&group.pointer)?, attempt)?,
        Shape::Budget { .. } => {
            let budget = document.at_mut(&group.pointer)?;
            budget.take("max");
            budget.take("max_from");
        }
    }
    Some(())
}

/// The rules that deny where the claim which says the maximum of a limit or budget does not.
fn claimants(points: &Points, group: &Group) -> Vec<String> {
    match &group.shape {
        Shape::Limit(limit) if limit.claimed => vec![group.rule.clone()],
        Shape::Budget { name, .. } => points
            .groups
            .iter()
            .filter(|other| match &other.shape {
                Shape::Limit(limit) => {
                    matches!(limit.form, Form::Budget { .. }) && limit.claimed && limit.counter == *name
                }
                _ => false,
            })
            .map(|other| other.rule.clone())
            .collect(),
        _ => Vec::new(),
    }
}

/// A condition that always holds, or never does.
fn tool_exists(holds: bool) -> Json {
    Json::map([("path", Json::string("tool")), ("op", Json::string("exists")), ("value", Json::Bool(holds))])
}

/// Makes a condition constant.
fn constant(condition: &mut Json, holds: bool) {
    if condition.get("path").and_then(Json::as_str).is_some_and(reads_counter) {
        // An amount is never below 0. The counter is read all the same.
        condition.set("op", Json::string(if holds { "gte" } else { "lt" }));
        condition.set("value", Json::Number("0".to_owned()));
        return;
    }
    let was = std::mem::replace(condition, Json::Null);
    let both = Json::List(vec![was, tool_exists(holds)]);
    *condition = Json::map([(if holds { "any" } else { "all" }, both)]);
}

/// Lets an entry admit any argument, or none of those that it lists. Where it lists none, a call without any is denied by another item.
fn other_args(
    document: &mut Json,
    pointer: &str,
    branch: Branch,
    taken: &dyn Fn(&str) -> bool,
) -> Option<()> {
    let name = free_name(document, taken);
    let Json::List(names) = document.at_mut(pointer)? else { return None };
    let listed: Vec<String> = names.iter().filter_map(Json::as_str).map(str::to_owned).collect();
    // In its place: which rule denies depends on it.
    if branch != Branch::Fails && !listed.is_empty() {
        *names = vec![Json::string(name)];
        return Some(());
    }
    let entry = document.at_mut(pointer.strip_suffix("/only_args")?)?;
    if branch != Branch::Fails {
        entry.list_mut("require")?.push(tool_exists(false));
        return Some(());
    }
    entry.take("only_args")?;
    // What it reads is read all the same: all arguments (3.7), and those names (3.8).
    let exists = |path: String| {
        let fields =
            [("path", Json::string(path)), ("op", Json::string("exists")), ("value", Json::Bool(true))];
        Json::map(fields)
    };
    let names = listed.iter().map(|name| exists(format!("args[{}]", serde_json::Value::from(name.as_str()))));
    let read = [tool_exists(true), exists("args.@keys".to_owned())].into_iter().chain(names).collect();
    entry.list_mut("require")?.push(Json::map([("any", Json::List(read))]));
    Some(())
}

/// Makes all conditions of a rule or item constant. Where one of several is to fail, it is one that reads a counter: the others have
/// decided by then.
fn all(rule: &mut Json, holds: bool) {
    let reads_counter =
        |condition: &Json| condition.get("path").and_then(Json::as_str).is_some_and(reads_counter);
    match rule.get_mut("conditions") {
        Some(Json::List(conditions)) => {
            for condition in conditions.iter_mut().filter(|condition| holds || reads_counter(condition)) {
                constant(condition, holds);
            }
        }
        _ => constant(rule, holds),
    }
}

/// Raises the maximum of a limit as far as possible.
fn raise(limit: &mut Json, attempt: u32) -> Option<()> {
    let largest = if attempt == 0 { LARGEST_RATE } else { LARGEST_SLIDING };
    match limit {
        Json::String(rate) => {
            let (_, window) = rate.split_once('/')?;
            *rate = format!("{largest}/{window}");
        }
        item if item.get("in_flight").is_some() => {
            item.set("in_flight", Json::Number(LARGEST_SLIDING.to_owned()));
        }
        item if item.get("counter").is_none() => item.set("max", Json::Number(largest.to_owned())),
        item if attempt == 0 => {
            item.take("max_from");
            item.set("max", Json::Number(LARGEST.to_owned()));
        }
        item => {
            item.take("max_from");
            let increment = match item.get("increment") {
                Some(Json::Number(text)) => text.parse::<callgate::Amount>().ok()?,
                _ => callgate::Amount::from_whole(1)?,
            };
            let most = increment.as_micros().checked_mul(10_000).and_then(callgate::Amount::from_micros)?;
            item.set("max", Json::Number(most.to_string()));
        }
    }
    Some(())
}

/// Lets a counter charge nothing. It stays declared, because conditions may read it.
fn charge_nothing(document: &mut Json, group: &Group, limit: &LimitShape, attempt: u32) -> Option<()> {
    let nothing = || Json::Number("0".to_owned());
    let rule = document.at_mut(&group.rule)?;
    match limit.form {
        // It charges 1, or it does not apply.
        Form::InFlight { .. } => {
            rule.list_mut("when")?.push(tool_exists(false));
            return Some(());
        }
        Form::Budget { .. } => {
            rule.take("increment_from");
            rule.set("increment", nothing());
            return Some(());
        }
        Form::Counter => {}
    }
    if group.pointer == group.rule {
        rule.take("increment_from");
        rule.set("increment", nothing());
        // A sliding window that charges nothing cannot reach any other maximum.
        if attempt > 0 {
            rule.set("max", nothing());
        }
        return Some(());
    }
    let mut item =
        Json::map([("counter", Json::string(&*limit.counter)), ("max", nothing()), ("increment", nothing())]);
    let rate = rule.take("rate_limit");
    let source = match &rate {
        Some(Json::String(rate)) => {
            item.set("window", Json::string(rate.split_once('/')?.1));
            rule.clone()
        }
        Some(rate) => {
            item.set("window", rate.get("window")?.clone());
            rule.clone()
        }
        None => rule.take("state")?,
    };
    for field in ["window", "scope", "algorithm"] {
        if let Some(value) = source.get(field) {
            item.set(field, value.clone());
        }
    }
    if rate.is_some() {
        rule.take("scope");
        rule.take("algorithm");
        rule.take("when");
        rule.take("refund");
        rule.take("settle");
    }
    if !matches!(rule.get("conditions"), Some(Json::List(conditions)) if !conditions.is_empty()) {
        rule.set("action", Json::string("allow"));
    }
    let entry = match limit.entry.as_deref() {
        Some(key) => document.get_mut("tools")?.get_mut(key)?,
        None => document.get_mut("all_tools")?,
    };
    entry.list_mut("limits")?.push(item);
    Some(())
}

/// A name that no tool has which is called, and that stands nowhere in the policy.
fn free_name(document: &Json, taken: &dyn Fn(&str) -> bool) -> String {
    let text = document.to_text();
    let mut name = "removed".to_owned();
    while taken(&name) || text.contains(&name) {
        name.push('_');
    }
    name
}

/// Gives an entry the name of a tool that nobody calls. Conditions that read its counters follow it.
fn remove_entry(
    document: &mut Json,
    points: &Points,
    group: &Group,
    taken: &dyn Fn(&str) -> bool,
) -> Option<()> {
    let name = free_name(document, taken);
    let key = group.pointer.strip_prefix("/tools/").map(|key| key.replace("~1", "/").replace("~0", "~"));
    let declares = |key: Option<&str>, counter: &str| {
        points.limits.contains_key(&(key.map(str::to_owned), counter.to_owned()))
    };
    for group in &points.groups {
        let Shape::Condition(shape) = &group.shape else { continue };
        if !shape.reads_counter() {
            continue;
        }
        // Of an entry that decides none of the calls.
        let Some(condition) = document.at_mut(&group.pointer) else { continue };
        let path = condition.get("path")?.as_str()?;
        // A budget is of no entry.
        if reads_budget(path) {
            continue;
        }
        let (is_exact, names) = state_names(path)?;
        let (first, rest) = names.split_first()?;
        let rest = rest.join(".");
        let counter = match key.as_deref() {
            Some(key) if is_exact => (key == first).then_some(rest.as_str()),
            Some("*") if first == "_global" => declares(Some("*"), &rest).then_some(rest.as_str()),
            None if first == "_global" => (!declares(Some("*"), &rest)).then_some(rest.as_str()),
            _ => None,
        };
        let joined = names.join(".");
        let dotted =
            key.as_deref().filter(|_| !is_exact).and_then(|key| joined.strip_prefix(key)?.strip_prefix('.'));
        let counter = counter.or(dotted).filter(|counter| declares(key.as_deref(), counter));
        if let Some(counter) = counter {
            let path =
                format!("state[{}][{}]", Json::string(&name).to_text(), Json::string(counter).to_text());
            condition.set("path", Json::string(path));
        }
    }
    match key {
        Some(key) => {
            let Json::Map(entries) = document.get_mut("tools")? else { return None };
            entries.iter_mut().find(|(known, _)| *known == key)?.0 = name;
        }
        None => {
            let entry = document.take("all_tools")?;
            if !matches!(document.get("tools"), Some(Json::Map(_))) {
                document.set("tools", Json::Map(Vec::new()));
            }
            document.get_mut("tools")?.set(&name, entry);
        }
    }
    Some(())
}
