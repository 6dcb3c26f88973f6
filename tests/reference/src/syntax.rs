//! What conditions name, without a call.

use crate::json::Json;

/// Every path of a condition.
pub fn paths(condition: &Json) -> Vec<String> {
    let parts = ["any", "all"].into_iter().filter_map(|form| condition.get(form)).flat_map(Json::list);
    let own = ["path", "value_from"].into_iter().filter_map(|field| condition.get(field)?.text());
    parts.chain(condition.get("not")).flat_map(paths).chain(own.map(str::to_owned)).collect()
}

/// Clause 3.8: what the values at a condition's paths are compared with whole, each with its path; `[*]` is behind the path where the
/// elements are compared.
pub fn compared(condition: &Json) -> Vec<(String, &Json)> {
    let parts = ["any", "all"].into_iter().filter_map(|form| condition.get(form)).flat_map(Json::list);
    let mut found: Vec<_> = parts.chain(condition.get("not")).flat_map(compared).collect();
    if let (Some(path), Some(op), Some(operand)) = (
        condition.get("path").and_then(Json::text),
        condition.get("op").and_then(Json::text),
        condition.get("value"),
    ) {
        let elements = format!("{path}[*]");
        match op {
            "eq" | "neq" => found.push((path.to_owned(), operand)),
            "in" | "not_in" => found.extend(operand.list().iter().map(|one| (path.to_owned(), one))),
            "contains" | "not_contains" | "includes" | "not_includes" => found.push((elements, operand)),
            "subset_of" => found.extend(operand.list().iter().map(|one| (elements.clone(), one))),
            _ => {}
        }
    }
    found
}

/// The patterns of a condition, at any depth.
pub fn patterns(condition: &Json) -> Vec<&str> {
    if let Some(list) = condition.get("any").or(condition.get("all")) {
        return list.list().iter().flat_map(patterns).collect();
    }
    if let Some(inner) = condition.get("not") {
        return patterns(inner);
    }
    match condition.get("op").and_then(Json::text) {
        Some("regex" | "not_regex") => condition.get("value").and_then(Json::text).into_iter().collect(),
        _ => vec![],
    }
}
