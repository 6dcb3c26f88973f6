//! Conditions on counters (clause 8.5).

use std::cmp::Ordering;

use crate::decimal::Decimal;
use crate::json::Json;
use crate::operator::{compares, number};
use crate::path;

/// Clause 4.5: whether a condition reads a counter or a budget.
pub fn is_state(condition: &Json) -> bool {
    let root = condition.get("path").and_then(Json::text).map(|path| path::read(path).0);
    matches!(root.as_deref(), Some("state" | "budget"))
}

/// Clause 8.5: whether a state condition holds for an amount.
pub fn holds(condition: &Json, amount: i128) -> bool {
    let amount = Decimal::of_amount(amount);
    let op = condition.get("op").and_then(Json::text).expect("an operator");
    let order = |operand: &Json| amount.compare(&number(operand).expect("a number"));
    let operand = condition.get("value").expect("an operand");
    let among = || operand.list().iter().any(|member| order(member) == Ordering::Equal);
    match op {
        "eq" => order(operand) == Ordering::Equal,
        "neq" => order(operand) != Ordering::Equal,
        "in" => among(),
        "not_in" => !among(),
        _ => compares(op, order(operand)),
    }
}

/// The amounts around every number that a state condition names: between two neighbours of them nothing changes.
pub fn borders(condition: &Json) -> Vec<i128> {
    let operand = condition.get("value").expect("an operand");
    let numbers: Vec<&Json> = match operand {
        Json::Array(members) => members.iter().collect(),
        other => vec![other],
    };
    numbers
        .into_iter()
        .filter_map(number)
        .flat_map(|number| [-1, 0, 1].map(|step| number.floor_micros() + step))
        .collect()
}
