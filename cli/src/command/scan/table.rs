//! Tools as rows, for people.

use std::io::{self, IsTerminal, Write};

use callgate_analysis::flow;
use callgate_analysis::risk::{Direction, Severity};

use super::found::{Found, Tool};
use crate::terminal::{Paint, colours, shown};

/// Characters of a cell; what is longer is cut.
const CELL: usize = 48;

/// Characters of a reason.
const REASON: usize = 100;
const COLUMNS: usize = 5;
const TITLES: [&str; COLUMNS] = ["server", "tool", "class", "severity", "conf"];

pub(super) fn write(out: &mut dyn Write, found: &Found<'_>, to: &impl IsTerminal) -> io::Result<()> {
    let coloured = colours(to);
    let rows: Vec<[String; COLUMNS]> = found.tools.iter().map(|tool| cells(found, tool)).collect();
    let mut widths = TITLES.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    writeln!(
        out,
        "{}",
        Paint::Dim.on(coloured, &format!("{}why", line(&TITLES.map(str::to_owned), widths)))
    )?;
    for (tool, row) in found.tools.iter().zip(&rows) {
        let reasons = tool.risk.reasons.iter().filter(|reason| reason.direction == Direction::For);
        let why = reasons.map(|reason| cut(&shown(&reason.text), REASON)).next().unwrap_or_default();
        let row = line(row, widths);
        writeln!(
            out,
            "{}{why}",
            paint(tool.risk.severity).map_or(row.clone(), |it| it.on(coloured, &row).into_owned())
        )?;
        for finding in &tool.findings {
            let text = format!("  {}: {}", finding.code, shown(&finding.text));
            writeln!(out, "{}", Paint::Yellow.on(coloured, &text))?;
        }
    }
    if let Some(flow) = &found.flow {
        writeln!(out, "{}", Paint::Yellow.on(coloured, &format!("{}: {flow}", flow::CODE)))?;
        for leg in &flow.legs {
            let tools = leg.tools.iter().map(|(server, name)| cut(&shown(&format!("{server}/{name}")), CELL));
            let tools = tools.collect::<Vec<_>>().join(", ");
            writeln!(out, "  {} {}: {tools}{}", leg.count, leg.label.name(), leg.rest())?;
        }
        for line in flow.policy.lines() {
            writeln!(out, "    {line}")?;
        }
    }
    writeln!(out, "{}", Paint::Bold.on(coloured, &found.total()))
}

fn cells(found: &Found<'_>, tool: &Tool) -> [String; COLUMNS] {
    let risk = &tool.risk;
    let cell = |text: &str| cut(&shown(text), CELL);
    let (class, severity) = (risk.class.name().to_owned(), risk.severity.name().to_owned());
    [cell(found.server_of(tool)), cell(&risk.name), class, severity, risk.confidence.to_string()]
}

/// Cells side by side, each as wide as its column.
fn line(cells: &[String; COLUMNS], widths: [usize; COLUMNS]) -> String {
    cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect()
}

fn paint(severity: Severity) -> Option<Paint> {
    match severity {
        Severity::Low | Severity::Medium => None,
        Severity::High => Some(Paint::Yellow),
        Severity::Critical => Some(Paint::Red),
    }
}

/// Text that is not longer than so many characters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
