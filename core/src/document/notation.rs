//! Other notations of what the language writes in one way: for help only.
//!
//! In: what an author wrote where it is an error. Out: the same in the language's notation. Must not change its meaning, nor give back
//! what was written.

use super::reader::shown;
use crate::condition::TYPES;
use crate::suggest::Suggestions;
use crate::text::{Content, Node};
use crate::window::Window;

/// The window that another notation means: `90 minutes` is `90m`, `daily` is `day`.
pub(super) fn window(written: &str) -> Option<String> {
    let text = written.trim().to_ascii_lowercase();
    let text = ["per ", "every ", "each ", "an ", "a "]
        .iter()
        .find_map(|word| text.strip_prefix(word))
        .unwrap_or(&text);
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at_checked(unit_at)?;
    let unit = unit.trim();
    let found = if count.is_empty() {
        match unit {
            "s" | "sec" | "second" | "seconds" => "1s",
            "min" | "mins" | "minute" | "minutes" => "minute",
            "h" | "hr" | "hrs" | "hour" | "hours" | "hourly" => "hour",
            "d" | "day" | "days" | "daily" => "day",
            "w" | "wk" | "week" | "weeks" | "weekly" => "week",
            "mo" | "month" | "months" | "monthly" => "month",
            "ever" | "forever" | "lifetime" | "total" => "ever",
            _ => return None,
        }
        .to_owned()
    } else {
        let (letter, times) = match unit {
            "" | "s" | "sec" | "secs" | "second" | "seconds" => ('s', 1),
            "m" | "min" | "mins" | "minute" | "minutes" => ('m', 1),
            "h" | "hr" | "hrs" | "hour" | "hours" => ('h', 1),
            "d" | "day" | "days" => ('d', 1),
            "w" | "wk" | "week" | "weeks" => ('d', 7),
            _ => return None,
        };
        format!("{}{letter}", count.parse::<u32>().ok()?.checked_mul(times)?)
    };
    (found != written && Window::parse(&found).is_some()).then_some(found)
}

/// The number and the window of a rate, in whatever notation: `5 per hour`, `5 / h`.
pub(super) fn rate(written: &str) -> Option<(&str, &str)> {
    let parts = [" per ", "/", " an ", " a "].iter().find_map(|between| written.split_once(between));
    parts.map(|(count, window)| (count.trim(), window.trim()))
}

/// What to write instead of an operand of another type, where it has a form of the right one; else empty.
pub(super) fn operand_help(name: &str, node: Node<'_>) -> String {
    let wants = match name {
        "lt" | "lte" | "gt" | "gte" => "a number",
        "exists" => "a boolean",
        "in" | "not_in" | "subset_of" => "a list",
        "eq" | "neq" | "includes" | "not_includes" => return String::new(),
        "type" => {
            let near = match node.content() {
                Content::Null => return "write `\"null\"`".to_owned(),
                Content::String(text) => Suggestions::new().nearest(text, TYPES),
                _ => None,
            };
            return match near {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("types: {}", TYPES.join(", ")),
            };
        }
        "within" => return "give a directory, such as `/srv/data`".to_owned(),
        _ => "a string",
    };
    match (wants, node.content()) {
        ("a number", Content::String(text)) if is_plain_number(text) => {
            format!("write `{}`", shown(text))
        }
        ("a boolean", Content::String(text @ ("true" | "false"))) => format!("write `{text}`"),
        ("a string", Content::Number(text)) => format!("quote it: `\"{}\"`", shown(text)),
        ("a string", Content::Bool(value)) => format!("quote it: `\"{value}\"`"),
        ("a list", Content::String(_) | Content::Number(_) | Content::Bool(_)) => {
            "put it in brackets: `[…]`".to_owned()
        }
        _ => String::new(),
    }
}

/// Whether YAML and JSON read it as a number where it has no quotes.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && are_digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_notation_means_the_same_window() {
        for (written, means) in [
            ("90 minute", Some("90m")),
            ("90minutes", Some("90m")),
            ("2 weeks", Some("14d")),
            ("60", Some("60s")),
            ("seconds", Some("1s")),
            ("per Hour", Some("hour")),
            ("daily", Some("day")),
            ("Minute", Some("minute")),
            ("minute", None),
            ("lifetime", Some("ever")),
            ("90m", None),
            ("0m", None),
            ("0 minutes", None),
            ("m", None),
            ("2 months", None),
            ("1000 days", None),
            ("99999999999 s", None),
            ("fortnight", None),
            ("", None),
        ] {
            assert_eq!(window(written).as_deref(), means, "{written}");
        }
        assert_eq!(rate("5 per hour"), Some(("5", "hour")));
        assert_eq!(rate("5 / h"), Some(("5", "h")));
        assert_eq!(rate("5"), None);
    }
}
