//! Decisions as a table: one row for each, and one for any number of the same in a row.
//!
//! In: decisions in order. Out: rows, as soon as the widths are settled. Must not keep more than [`SETTLING`] rows,
//! however long the stream is.

use std::io::{self, Write};

use callgate::Effect;

use super::{Decided, called, paint_of, rule_of, words_of};
use crate::terminal::{Paint, grouped, shown, spell_seconds};

/// Rows that settle the widths of the columns.
const SETTLING: usize = 200;
/// Characters of a cell; what is longer is cut.
const CELL: usize = 40;
const TITLES: [&str; COLUMNS] =
    ["time", "calls", "tool", "identity", "decision", "code", "rule", "retry after"];
const COLUMNS: usize = 8;
const CALLS: usize = 1;
const DECISION: usize = 4;

/// A table that is written while it grows.
pub(crate) struct Table {
    coloured: bool,
    widths: Option<[usize; COLUMNS]>,
    waiting: Vec<Row>,
    last: Option<Row>,
    /// The day of the row that was written last.
    day: String,
}

/// A run of the same decision.
struct Row {
    /// `2026-11-21T10:00:00.000Z`.
    time: String,
    calls: u64,
    tool: String,
    identity: String,
    effect: Effect,
    code: &'static str,
    rule: String,
    /// Of the first and of the last of the run.
    retry_after: (Option<u64>, Option<u64>),
}

impl Row {
    fn of(decided: &Decided<'_>) -> Self {
        let decision = decided.decision;
        let retry_after = decision.retry_after();
        Self {
            time: decided.at.to_string(),
            calls: 1,
            tool: cell(called(decision)),
            identity: cell(decided.identity.unwrap_or("-")),
            effect: decision.effect(),
            code: decision.code().as_str(),
            rule: cell(rule_of(decision).unwrap_or("-")),
            retry_after: (retry_after, retry_after),
        }
    }

    /// Whether the other continues this run. Waiting times may shrink within a run, but one without a time begins another.
    fn continues(&self, next: &Self) -> bool {
        let what = |row: &Self| (row.effect, row.code, row.retry_after.1.is_some());
        what(self) == what(next)
            && self.tool == next.tool
            && self.identity == next.identity
            && self.rule == next.rule
            && self.time.get(..10) == next.time.get(..10)
    }

    fn cells(&self) -> [String; COLUMNS] {
        let calls = if self.calls > 1 { format!("× {}", grouped(self.calls)) } else { String::new() };
        let (first, last) = self.retry_after;
        let (first, last) = (first.map(spell_seconds), last.map(spell_seconds));
        let retry_after = match (first, last) {
            (Some(first), Some(last)) if first != last => format!("{first} … {last}"),
            (Some(first), _) => first,
            (None, _) => "-".to_owned(),
        };
        [
            self.time.get(11..19).unwrap_or_default().to_owned(),
            calls,
            self.tool.clone(),
            self.identity.clone(),
            words_of(self.effect).to_owned(),
            self.code.to_owned(),
            self.rule.clone(),
            retry_after,
        ]
    }
}

/// Untrusted text, escaped and cut.
fn cell(text: &str) -> String {
    let text = shown(text);
    if text.chars().count() <= CELL {
        return text.into_owned();
    }
    text.chars().take(CELL.saturating_sub(1)).chain(['…']).collect()
}

impl Table {
    pub(crate) fn new(coloured: bool) -> Self {
        Self { coloured, widths: None, waiting: Vec::new(), last: None, day: String::new() }
    }

    /// Adds a decision.
    pub(crate) fn add(&mut self, out: &mut dyn Write, decided: &Decided<'_>) -> io::Result<()> {
        let row = Row::of(decided);
        match &mut self.last {
            Some(last) if last.continues(&row) => {
                last.calls = last.calls.saturating_add(1);
                last.retry_after.1 = row.retry_after.1;
                Ok(())
            }
            _ => {
                let done = self.last.replace(row);
                self.emit(out, done)
            }
        }
    }

    /// Writes what is left.
    pub(crate) fn finish(mut self, out: &mut dyn Write) -> io::Result<()> {
        let last = self.last.take();
        self.emit(out, last)?;
        if self.widths.is_none() && !self.waiting.is_empty() {
            self.settle(out)?;
        }
        Ok(())
    }

    fn emit(&mut self, out: &mut dyn Write, row: Option<Row>) -> io::Result<()> {
        let Some(row) = row else { return Ok(()) };
        if self.widths.is_some() {
            return self.write(out, &row);
        }
        self.waiting.push(row);
        if self.waiting.len() >= SETTLING { self.settle(out) } else { Ok(()) }
    }

    /// Settles the widths by the rows that wait, and writes them.
    fn settle(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let mut widths = TITLES.map(|title| title.chars().count());
        for row in &self.waiting {
            for (width, cell) in widths.iter_mut().zip(row.cells()) {
                *width = (*width).max(cell.chars().count());
            }
        }
        self.widths = Some(widths);
        let titles = line(TITLES.map(str::to_owned), widths, |_, title| title);
        writeln!(out, "{}", Paint::Dim.on(self.coloured, &titles))?;
        for row in std::mem::take(&mut self.waiting) {
            self.write(out, &row)?;
        }
        Ok(())
    }

    fn write(&mut self, out: &mut dyn Write, row: &Row) -> io::Result<()> {
        let day = row.time.get(..10).unwrap_or_default();
        if self.day != day {
            self.day = day.to_owned();
            writeln!(out, "{}", Paint::Dim.on(self.coloured, &format!("{day} (UTC)")))?;
        }
        let paint = |column: usize, cell: String| {
            if column == DECISION { paint_of(row.effect).on(self.coloured, &cell).into_owned() } else { cell }
        };
        writeln!(out, "{}", line(row.cells(), self.widths.unwrap_or_default(), paint))
    }
}

/// Cells side by side, each as wide as its column, then painted.
fn line(
    cells: [String; COLUMNS],
    widths: [usize; COLUMNS],
    paint: impl Fn(usize, String) -> String,
) -> String {
    let mut out = String::new();
    for (column, (cell, width)) in cells.into_iter().zip(widths).enumerate() {
        if column > 0 {
            out.push_str("  ");
        }
        let cell = match column {
            CALLS => format!("{cell:>width$}"),
            _ if column.saturating_add(1) == COLUMNS => cell,
            _ => format!("{cell:<width$}"),
        };
        out.push_str(&paint(column, cell));
    }
    out
}
