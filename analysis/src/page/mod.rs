//! All that is known of one tool, for a page about it.
//!
//! In: a server's list, the name of a tool, and how policies are written. Out: a [`Page`], as JSON and as Markdown. All of it follows from the
//! definition: nothing is looked up, and no text of a server stands outside of code.

mod json;
mod markdown;

use std::collections::BTreeSet;

use callgate::__analysis::Diagnostics;
use serde_json::Value;

use crate::listing::Listings;
use crate::recommend::{self, Options};
use crate::risk::{self, Reason, Risk, classify};

pub use json::to_json;
pub use markdown::to_markdown;

/// Characters of a description.
const DESCRIPTION: usize = 600;
/// Characters of an argument's description.
const ARGUMENT: usize = 120;
/// Names that are offered for one that is not in the list.
const NEAREST: usize = 3;

/// A tool. Texts of the server are cut, and may hold anything: they have to be escaped where they are shown.
#[derive(Clone, Debug)]
pub struct Page {
    /// Class, severity, labels, confidence, reasons, and the names of tool and server.
    pub risk: Risk,
    /// What the server says that it does; `None` where it says nothing.
    pub description: Option<String>,
    /// Its arguments by name; `None` where it has no schema.
    pub arguments: Option<Vec<Argument>>,
    /// What is odd about it, on its own and beside the others of the list.
    pub findings: Vec<Finding>,
    /// The profile of the rule.
    pub profile: &'static str,
    /// The entry of a recommended policy, as YAML. An error is why there is none.
    pub rule: Result<String, &'static str>,
}

/// An argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// The types that the schema names, sorted; none where it names none.
    pub types: Vec<String>,
    /// Whether a call has to have it.
    pub required: bool,
    /// What the server says of it; empty where it says nothing.
    pub description: String,
}

/// Something odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which kind.
    pub code: &'static str,
    /// A sentence.
    pub text: String,
    /// A JSON pointer into the definition.
    pub place: String,
}

impl Page {
    /// Reasons for the class, and those against it or against being sure.
    pub fn reasons(&self, direction: risk::Direction) -> impl Iterator<Item = &Reason> {
        self.risk.reasons.iter().filter(move |reason| reason.direction == direction)
    }
}

/// The page of the first tool of this name; `None` where the list has none.
pub fn page(server: &str, tools: &[Value], name: &str, options: &Options<'_>) -> Option<Page> {
    let index = tools.iter().position(|one| one.get("name").and_then(Value::as_str) == Some(name))?;
    let definition = tools.get(index)?;
    let risk = classify(server, tools, options.risk).into_iter().nth(index)?;
    let rule = recommend::rule(server, tools, definition, &risk, options);
    let description = definition.get("description").and_then(Value::as_str).map(one_line);
    let arguments = definition.get("inputSchema").filter(|schema| schema.is_object()).map(|_| {
        let arguments = risk::arguments(definition, 0).into_iter();
        arguments
            .map(|argument| Argument {
                name: cut(argument.name, DESCRIPTION),
                types: argument.types.iter().map(|name| cut(name, ARGUMENT)).collect(),
                required: argument.required,
                description: cut(&one_line(argument.description), ARGUMENT),
            })
            .collect()
    });
    let mut listings = Listings::default();
    listings.add(server, tools);
    let of_list = listings.finish().into_iter().filter(|finding| finding.tool == index);
    let of_list: Vec<Finding> = of_list
        .map(|finding| Finding { code: finding.code.name(), text: finding.text, place: finding.place })
        .collect();
    let own = risk.findings.iter().map(|finding| Finding {
        code: finding.code.name(),
        text: finding.text.clone(),
        place: finding.place.clone(),
    });
    // The list is searched for hidden characters whole, and not only where a person reads.
    let own = own.filter(|finding| of_list.iter().all(|other| other.code != finding.code));
    let findings = own.collect::<Vec<_>>().into_iter().chain(of_list).collect();
    Some(Page {
        description: description.filter(|text| !text.is_empty()).map(|text| cut(&text, DESCRIPTION)),
        arguments,
        findings,
        profile: options.profile.name(),
        rule,
        risk,
    })
}

/// Names of the list that may have been meant, the nearest first.
pub fn nearest<'t>(tools: &'t [Value], name: &str) -> Vec<&'t str> {
    let mut names: BTreeSet<&str> = tools.iter().filter_map(|one| one.get("name")?.as_str()).collect();
    let mut diagnostics = Diagnostics::new("");
    let mut found = Vec::new();
    while found.len() < NEAREST
        && let Some(near) = diagnostics.nearest(name, names.iter().copied())
    {
        names.remove(near);
        found.push(near);
    }
    found
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str, most: usize) -> String {
    let mut cut: String = text.chars().take(most).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
