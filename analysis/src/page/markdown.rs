//! A page as Markdown.
//!
//! In: a page. Out: text in which whatever a server wrote is code: no links, headings or lines of its own.

use std::fmt::Write as _;

use super::Page;
use crate::report::inline;
use crate::risk::Direction;

/// A page as Markdown, its heading first.
pub fn to_markdown(page: &Page) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(page, &mut out);
    out
}

fn write(page: &Page, out: &mut String) -> std::fmt::Result {
    let risk = &page.risk;
    let (class, severity, confidence) = (risk.class, risk.severity.name(), risk.confidence);
    writeln!(out, "# {} of server {}\n", inline(&risk.name), inline(&risk.server))?;
    writeln!(
        out,
        "**{}**, severity **{severity}**, confidence {confidence}: it {}.",
        class.name(),
        class.meaning()
    )?;
    match &page.description {
        Some(text) => writeln!(out, "\nThe server says: {}", inline(text))?,
        None => writeln!(out, "\nThe server says nothing of what it does.")?,
    }
    writeln!(out, "\n## Arguments\n")?;
    match page.arguments.as_deref() {
        None => writeln!(out, "The server gives no schema: a call may have any.")?,
        Some([]) => writeln!(out, "It has none.")?,
        Some(arguments) => {
            writeln!(out, "| name | type | required | what the server says |\n| --- | --- | --- | --- |")?;
            for one in arguments {
                let types =
                    if one.types.is_empty() { "any".to_owned() } else { inline(&one.types.join(" or ")) };
                let required = if one.required { "yes" } else { "" };
                let said = if one.description.is_empty() { String::new() } else { inline(&one.description) };
                writeln!(out, "| {} | {types} | {required} | {said} |", inline(&one.name))?;
            }
        }
    }
    writeln!(out, "\n## Why it needs a policy\n")?;
    for (direction, word) in [(Direction::For, "for"), (Direction::Against, "against")] {
        for reason in page.reasons(direction) {
            let place = if reason.place.is_empty() {
                String::new()
            } else {
                format!(" at {}", inline(&reason.place))
            };
            writeln!(out, "- {word}: {}{place}", inline(&reason.text))?;
        }
    }
    for label in &risk.labels {
        writeln!(out, "- label `{}`: {}", label.name(), label.meaning())?;
    }
    if !page.findings.is_empty() {
        writeln!(out, "\n## Findings\n")?;
        for finding in &page.findings {
            writeln!(out, "- `{}` at {}: {}", finding.code, inline(&finding.place), inline(&finding.text))?;
        }
    }
    writeln!(out, "\n## Rule of the profile `{}`\n", page.profile)?;
    match &page.rule {
        // An entry has no line that begins with a fence: a server's text stands in quotes and comments.
        Ok(rule) => write!(out, "```yaml\n{rule}```\n"),
        Err(why) => writeln!(out, "There is none, so it stays denied: {why}."),
    }
}
