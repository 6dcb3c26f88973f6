//! Tools and findings as SARIF.
//!
//! In: what was found, and the file that names the servers or tools, if there is one. Out: a log with one run. Must not let a server's text be a
//! link, or anything that is not drawn.

use std::io::{self, Write};

use callgate_analysis::flow;
use callgate_analysis::risk::Direction;
use serde_json::{Value, json};

use super::found::{Finding, Found, Tool};
use super::rules::{self, RULES};
use crate::command::sarif::{self, uri};
use crate::saved::Place;
use crate::terminal::shown;

pub(super) fn write(out: &mut dyn Write, found: &Found, file: Option<&str>) -> io::Result<()> {
    let rules: Vec<Value> = RULES.iter().map(rules::to_value).collect();
    let failures = found
        .servers
        .iter()
        .filter_map(|server| Some(plain(&format!("server `{}`: {}", server.name, server.error.as_ref()?))));
    let results = found.tools.iter().enumerate().flat_map(|(index, tool)| {
        let place = found.places.get(index).copied();
        let of_tool = rules::id_of(tool.risk.severity).map(|id| (id, why(tool), ""));
        let findings = tool.findings.iter().map(|Finding { code, text, place }| {
            (*code, format!("`{}`: {text}", tool.risk.name), place.as_str())
        });
        of_tool.into_iter().chain(findings).map(move |(id, text, pointer)| {
            let logical = logical(found.server_of(tool), &tool.risk.name, pointer);
            result(id, &text, &location(vec![logical], file, place))
        })
    });
    let flow = found.flow.iter().map(|flow| {
        let tools = flow.legs.iter().flat_map(|leg| &leg.tools);
        let logical = tools.map(|(server, tool)| logical(server, tool, "")).collect();
        let text = format!("{flow}\n{}", flow.policy);
        result(flow::CODE, &text, &location(logical, file, None))
    });
    sarif::write(out, &rules, failures, results.chain(flow))
}

fn result(id: &str, text: &str, location: &Value) -> Value {
    let rule = rules::find(id);
    json!({
        "ruleId": id,
        "ruleIndex": rule.map(|(index, _)| index),
        "level": rule.map_or("warning", |(_, rule)| rule.level),
        "message": {"text": plain(text)},
        "locations": [location],
    })
}

/// `SERVER/TOOL`, and behind a `#` the JSON pointer into the definition.
fn logical(server: &str, name: &str, pointer: &str) -> Value {
    let (of, kind) = if pointer.is_empty() { ("", "function") } else { ("#", "member") };
    json!({
        "name": shown(name),
        "fullyQualifiedName": shown(&format!("{server}/{name}{of}{pointer}")),
        "kind": kind,
    })
}

fn location(logical: Vec<Value>, file: Option<&str>, place: Option<Place>) -> Value {
    let artifact = file.map(|file| json!({"uri": uri(file)}));
    match (artifact, place) {
        (None, _) => json!({"logicalLocations": logical}),
        (Some(artifact), None) => {
            json!({"logicalLocations": logical, "physicalLocation": {"artifactLocation": artifact}})
        }
        (Some(artifact), Some(Place { line, column })) => json!({
            "logicalLocations": logical,
            "physicalLocation": {
                "artifactLocation": artifact,
                "region": {"startLine": line, "startColumn": column},
            },
        }),
    }
}

/// What a tool can do, and the first reason.
fn why(tool: &Tool) -> String {
    let risk = &tool.risk;
    let reason = risk.reasons.iter().find(|reason| reason.direction == Direction::For);
    let reason = reason.map(|reason| format!(": {}", reason.text)).unwrap_or_default();
    let labels: Vec<_> = risk.labels.iter().map(|label| label.name()).collect();
    let labels = if labels.is_empty() { String::new() } else { format!(", labels {}", labels.join(", ")) };
    let (class, severity, confidence) = (risk.class.name(), risk.severity.name(), risk.confidence);
    format!("`{}` is {class}, severity {severity}{labels}, confidence {confidence}{reason}", risk.name)
}

/// Text in which nothing is a link: SARIF reads `[text](target)` as one. Lines stay lines.
fn plain(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| shown(line).replace("](", "] (")).collect();
    lines.join("\n")
}
