//! Operands that a path can never give (spec 4.9).
//!
//! In: a path, an operator and its operand. Out: why no value there can decide the two. Whether the operator takes the operand
//! at all is said elsewhere.

use crate::condition::{Comparison, Operand, TYPES, is_lower};
use crate::path::{Gives, Path, PathView};

/// What is wrong with an operand that nothing at the path can decide, and what to write.
pub(super) fn misfit(path: &Path, name: &str, operand: &Operand) -> Option<(String, String)> {
    let last = path.views().last().map_or("", PathView::name);
    let nothing = |help: String| {
        let message = format!("`{name}` with this `value` says nothing of what `{path}` gives");
        Some((message, help))
    };
    match path.gives {
        Gives::Anything => None,
        Gives::Number if takes_count(name, operand) => None,
        Gives::Number => nothing(format!(
            "`{last}` gives a whole number of 0 or more: compare it with numbers, by eq, neq, in, not_in, lt, lte, gt or gte"
        )),
        Gives::Names if takes_names(name, operand) => None,
        Gives::Names => nothing(
            "`@keys` gives a list of names: `contains` takes a name, and `eq` and `subset_of` take a list of names"
                .to_owned(),
        ),
        Gives::Name if !takes_text(name, operand) => nothing("compare it with a string".to_owned()),
        Gives::Text | Gives::Lower if !takes_text(name, operand) => nothing(format!(
            "compare it with a string (`in` and `not_in` with strings), or leave out `.{last}`"
        )),
        Gives::Scalars | Gives::ScalarsText | Gives::ScalarsLower if !takes_anywhere(name, operand) => nothing(
            "`.**` finds text: it takes eq, neq, in, not_in, regex, not_regex, contains, not_contains, starts_with and ends_with, with text"
                .to_owned(),
        ),
        Gives::Lower | Gives::ScalarsLower if matches!(name, "regex" | "not_regex") => {
            let message = format!("`{name}` cannot stand behind `@lower`");
            Some((message, "leave out `.@lower`, and begin the pattern with `(?i)`".to_owned()))
        }
        Gives::Lower | Gives::ScalarsLower if !is_lowered(operand) => {
            let message = format!("`{path}` is in lower case, and this `value` is not");
            Some((message, "write it in lower case".to_owned()))
        }
        Gives::Text
        | Gives::Lower
        | Gives::Name
        | Gives::Scalars
        | Gives::ScalarsText
        | Gives::ScalarsLower => None,
    }
}

/// The same for an operand from the call, of which only the operator is known.
pub(super) fn misfit_from_call(path: &Path, name: &str, comparison: Comparison) -> Option<(String, String)> {
    use Comparison::{Equal, Includes, Member, Ordered, SubsetOf, Within};
    let (fits, taken) = match path.gives {
        Gives::Anything => return None,
        Gives::Number => (
            matches!(comparison, Equal | Member | Ordered(_)),
            "a number takes eq, neq, in, not_in, lt, lte, gt and gte with `value_from`",
        ),
        Gives::Names => (
            matches!(comparison, Equal | Member | Includes | SubsetOf),
            "a list of names takes eq, neq, in, not_in, includes, not_includes and subset_of with `value_from`",
        ),
        Gives::Text | Gives::Lower | Gives::Name => (
            matches!(comparison, Equal | Member | Within),
            "text takes eq, neq, in, not_in and within with `value_from`",
        ),
        Gives::Scalars | Gives::ScalarsText | Gives::ScalarsLower => (
            matches!(comparison, Equal | Member),
            "`.**` finds text: it takes eq, neq, in and not_in with `value_from`",
        ),
    };
    (!fits).then(|| (format!("`{name}` says nothing of what `{path}` gives"), taken.to_owned()))
}

fn is_text(operand: &Operand) -> bool {
    matches!(operand, Operand::String(_))
}

fn is_list_of(operand: &Operand, of: impl Fn(&Operand) -> bool) -> bool {
    matches!(operand, Operand::Array(members) if members.iter().all(of))
}

/// Whether an operator with this operand can tell one string from another, or complains of the operand itself.
fn takes_text(name: &str, operand: &Operand) -> bool {
    match name {
        "lt" | "lte" | "gt" | "gte" | "subset_of" | "includes" | "not_includes" => false,
        "eq" | "neq" | "contains" | "not_contains" => is_text(operand),
        "in" | "not_in" if matches!(operand, Operand::Array(_)) => is_list_of(operand, is_text),
        "type" => takes_types(operand, &["string"]),
        _ => true,
    }
}

/// The same for text at any depth (spec 5.32).
fn takes_anywhere(name: &str, operand: &Operand) -> bool {
    match name {
        "exists" | "type" | "within" => false,
        _ => takes_text(name, operand),
    }
}

/// The same for numbers of elements and of characters.
fn takes_count(name: &str, operand: &Operand) -> bool {
    let is_count = |operand: &Operand| matches!(operand, Operand::Number(number) if number.is_integer() && number.to_micros_floor().0 >= 0);
    match name {
        "eq" | "neq" => is_count(operand),
        "in" | "not_in" if matches!(operand, Operand::Array(_)) => is_list_of(operand, is_count),
        "in" | "not_in" | "lt" | "lte" | "gt" | "gte" | "exists" => true,
        "type" => takes_types(operand, &["number", "integer"]),
        _ => false,
    }
}

/// The same for lists of names.
fn takes_names(name: &str, operand: &Operand) -> bool {
    let is_names = |operand: &Operand| is_list_of(operand, is_text);
    match name {
        "eq" | "neq" => is_names(operand),
        "in" | "not_in" if matches!(operand, Operand::Array(_)) => is_list_of(operand, is_names),
        "subset_of" if matches!(operand, Operand::Array(_)) => is_names(operand),
        "contains" | "not_contains" | "includes" | "not_includes" => is_text(operand),
        "in" | "not_in" | "subset_of" | "exists" => true,
        "type" => takes_types(operand, &["array"]),
        _ => false,
    }
}

/// Whether `type` with this operand can hold for one of these types, or complains of the operand itself.
fn takes_types(operand: &Operand, given: &[&str]) -> bool {
    match operand {
        Operand::String(name) => given.contains(&&**name) || !TYPES.contains(&&**name),
        Operand::Array(members) => {
            members.is_empty() || members.iter().any(|member| takes_types(member, given))
        }
        _ => true,
    }
}

/// Whether all text in an operand is its own lower case.
fn is_lowered(operand: &Operand) -> bool {
    match operand {
        Operand::String(text) => is_lower(text),
        Operand::Array(members) => members.iter().all(is_lowered),
        _ => true,
    }
}
