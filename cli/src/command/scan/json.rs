//! Tools as one JSON object. The form is stable: fields are only added.

use std::fmt::Write as _;
use std::io::{self, Write};

use callgate::__text::is_invisible;
use serde_json::{Value, json};

use super::found::{Found, Server, Tool};

pub(super) fn write(out: &mut dyn Write, found: &Found) -> io::Result<()> {
    writeln!(out, "{{\n  \"servers\": [")?;
    list(out, found.servers.iter().map(server))?;
    writeln!(out, "  ],\n  \"tools\": [")?;
    list(out, found.tools.iter().map(|tool| tool_of(found, tool)))?;
    writeln!(out, "  ]\n}}")
}

/// One line for each: the whole is never built.
fn list(out: &mut dyn Write, values: impl Iterator<Item = Value>) -> io::Result<()> {
    for (index, value) in values.enumerate() {
        if index > 0 {
            writeln!(out, ",")?;
        }
        write!(out, "    {}", escaped(&value.to_string()))?;
    }
    writeln!(out)
}

fn server(server: &Server) -> Value {
    json!({
        "name": server.name,
        "protocol": server.protocol,
        "own_name": server.own_name,
        "own_version": server.version,
        "tools": server.tools,
        "error": server.error,
    })
}

fn tool_of(found: &Found, tool: &Tool) -> Value {
    let risk = &tool.risk;
    let reasons = risk.reasons.iter();
    let findings = tool.findings.iter();
    json!({
        "server": found.server_of(tool),
        "name": risk.name,
        "class": risk.class.name(),
        "severity": risk.severity.name(),
        "labels": risk.labels.iter().map(|label| label.name()).collect::<Vec<_>>(),
        "confidence": risk.confidence,
        "reasons": reasons
            .map(|it| json!({"direction": it.direction.name(), "text": it.text, "place": it.place}))
            .collect::<Vec<_>>(),
        "findings": findings
            .map(|it| json!({"code": it.code, "text": it.text, "place": it.place}))
            .collect::<Vec<_>>(),
    })
}

/// JSON that says the same, with what is not drawn as `\u…`: outside of strings there is none.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_invisible(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_drawn_is_escaped_and_means_the_same() {
        let value = json!({"a\u{202e}": "b\u{200b}\u{e0041}\u{7f}\u{9b}\u{1b}[2J é"});
        let text = escaped(&value.to_string());
        assert!(!text.chars().any(is_invisible), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
