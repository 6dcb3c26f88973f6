//! Tools as Markdown, for a comment on a pull request.

use std::io::{self, Write};

use callgate_analysis::flow;
use callgate_analysis::report::inline;

use super::found::Found;

pub(super) fn write(out: &mut dyn Write, found: &Found<'_>) -> io::Result<()> {
    writeln!(out, "**{}**", found.total())?;
    for server in &found.servers {
        if let Some(error) = &server.error {
            writeln!(out, "\n- {} has no list: {}", inline(&server.name), inline(error))?;
        }
    }
    if let Some(flow) = &found.flow {
        writeln!(out, "\n- `{}`: {flow}", flow::CODE)?;
        for leg in &flow.legs {
            let tools = leg.tools.iter().map(|(server, name)| inline(&format!("{server}/{name}")));
            let tools = tools.collect::<Vec<_>>().join(", ");
            writeln!(out, "  - {} `{}`: {tools}{}", leg.count, leg.label.name(), leg.rest())?;
        }
        // Each name is a key of one line: no line of it ends the block.
        writeln!(out, "\n```yaml\n{}```", flow.policy)?;
    }
    if found.tools.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| server | tool | class | severity | confidence | labels | findings |")?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- | --- |")?;
    for tool in &found.tools {
        let risk = &tool.risk;
        let labels = risk.labels.iter().map(|label| label.name()).collect::<Vec<_>>().join(", ");
        let findings =
            tool.findings.iter().map(|finding| format!("{}: {}", finding.code, inline(&finding.text)));
        let findings = findings.collect::<Vec<_>>().join("<br>");
        let (server, name) = (inline(found.server_of(tool)), inline(&risk.name));
        let (class, severity, confidence) = (risk.class.name(), risk.severity.name(), risk.confidence);
        writeln!(out, "| {server} | {name} | {class} | {severity} | {confidence} | {labels} | {findings} |")?;
    }
    Ok(())
}
