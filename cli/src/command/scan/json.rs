//! Tools as one JSON object. The form is stable: fields are only added.

use std::io::{self, Write};

use callgate::__text::escaped;
use callgate_analysis::flow::{self, Flow};
use serde_json::{Value, json};

use super::found::{Found, Server, Tool};
use super::lock::Report;

pub(super) fn write(out: &mut dyn Write, found: &Found<'_>, drift: Option<&Report>) -> io::Result<()> {
    writeln!(out, "{{\n  \"servers\": [")?;
    list(out, found.servers.iter().map(server))?;
    writeln!(out, "  ],\n  \"tools\": [")?;
    list(out, found.tools.iter().map(|tool| tool_of(found, tool)))?;
    writeln!(out, "  ],\n  \"findings\": [")?;
    list(out, found.flow.iter().map(flow_of))?;
    if let Some(drift) = drift {
        writeln!(out, "  ],\n  \"drift\": [")?;
        list(out, drift.json())?;
    }
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

fn tool_of(found: &Found<'_>, tool: &Tool) -> Value {
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

fn flow_of(flow: &Flow) -> Value {
    let legs = flow.legs.iter().map(|leg| {
        let tools = leg.tools.iter().map(|(server, name)| json!({"server": server, "name": name}));
        json!({"label": leg.label.name(), "count": leg.count, "tools": tools.collect::<Vec<_>>()})
    });
    json!({
        "code": flow::CODE,
        "text": flow.to_string(),
        "servers": flow.servers,
        "legs": legs.collect::<Vec<_>>(),
        "policy": flow.policy,
    })
}
