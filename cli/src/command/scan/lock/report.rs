//! Drift for people and for programs.
//!
//! In: rows. Out: text, Markdown or JSON. Must not show a server's text as it is: it may steer a terminal, or hide.

use std::io::{self, IsTerminal, Write};

use callgate_analysis::drift::{Change, Kind};
use callgate_analysis::report::inline;
use serde_json::{Value, json};

use super::{Report, Row};
use crate::terminal::{Paint, colours, shown};

/// Characters of a text around what differs.
const AROUND: usize = 24;
/// Characters of a text that is shown.
const TEXT: usize = 160;

impl Report {
    fn title(&self) -> String {
        let path = self.path.display();
        match self.rows.len() {
            0 if self.has_failed => format!("not all servers were compared with {path}"),
            0 => format!("no drift from {path}"),
            1 => format!("1 tool differs from {path}"),
            count => format!("{count} tools differ from {path}"),
        }
    }

    /// Rows below the table.
    pub(in super::super) fn table(&self, out: &mut dyn Write, to: &impl IsTerminal) -> io::Result<()> {
        let coloured = colours(to);
        writeln!(out, "{}", Paint::Bold.on(coloured, &shown(&self.title())))?;
        for row in &self.rows {
            let line =
                format!("  {:<8} {} {}", row.drift.kind.name(), shown(&row.server), shown(&row.drift.name));
            let paint = match row.drift.kind {
                Kind::Wording | Kind::Narrower | Kind::Gone => Paint::Dim,
                Kind::Wider | Kind::New => Paint::Yellow,
                Kind::Riskier | Kind::Renamed => Paint::Red,
            };
            let was = row.drift.was.as_ref().map(|was| format!(", was {}", shown(was))).unwrap_or_default();
            let accepted = if row.is_accepted { ": accepted" } else { "" };
            writeln!(out, "{}{was}{accepted}", paint.on(coloured, &line))?;
            for change in &row.drift.changes {
                writeln!(out, "    {:<8} {}", change.kind.name(), shown(&sentence(change)))?;
            }
        }
        Ok(())
    }

    /// A table of its own.
    pub(in super::super) fn markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\n**{}**", shown(&self.title()))?;
        if self.rows.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n| server | tool | drift | accepted | changes |\n| --- | --- | --- | --- | --- |")?;
        for row in &self.rows {
            let drift = &row.drift;
            let was = drift.was.as_ref().map(|was| format!("was {}", inline(was)));
            let changes =
                drift.changes.iter().map(|it| format!("{}: {}", it.kind.name(), inline(&sentence(it))));
            let changes = was.into_iter().chain(changes).collect::<Vec<_>>().join("<br>");
            let (server, name, kind) = (inline(&row.server), inline(&drift.name), drift.kind.name());
            let accepted = if row.is_accepted { "yes" } else { "no" };
            writeln!(out, "| {server} | {name} | {kind} | {accepted} | {changes} |")?;
        }
        Ok(())
    }

    /// Each row as an object.
    pub(in super::super) fn json(&self) -> impl Iterator<Item = Value> {
        self.rows.iter().map(|Row { server, drift, is_accepted }| {
            let changes = drift.changes.iter().map(|it| {
                json!({"kind": it.kind.name(), "place": it.place, "old": it.old, "new": it.new, "why": it.why})
            });
            json!({
                "server": server,
                "name": drift.name,
                "kind": drift.kind.name(),
                "was": drift.was,
                "accepted": is_accepted,
                "changes": changes.collect::<Vec<_>>(),
            })
        })
    }
}

/// A change in one line: where, from what to what, and why it matters.
fn sentence(change: &Change) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend((!change.place.is_empty()).then(|| change.place.clone()));
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => {
            let (old, new) = differing(old, new);
            parts.push(format!("{old} -> {new}"));
        }
        (Some(old), None) => parts.push(format!("no longer {}", cut(old.chars()))),
        (None, Some(new)) => parts.push(format!("now {}", cut(new.chars()))),
        (None, None) => {}
    }
    parts.extend(change.why.clone());
    parts.join(": ")
}

/// Two texts, without what they begin and end with alike.
fn differing(old: &str, new: &str) -> (String, String) {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let alike =
        |pairs: &mut dyn Iterator<Item = (&char, &char)>| pairs.take_while(|(one, two)| one == two).count();
    let before = alike(&mut old.iter().zip(&new));
    let least = old.len().min(new.len()).saturating_sub(before);
    let behind = alike(&mut old.iter().rev().zip(new.iter().rev())).min(least);
    let part = |text: &[char]| {
        let from = before.saturating_sub(AROUND);
        let to = text.len().saturating_sub(behind.saturating_sub(AROUND));
        let inside = text.get(from..to).unwrap_or_default().iter().copied();
        let (begin, end) = (if from > 0 { "…" } else { "" }, if to < text.len() { "…" } else { "" });
        format!("{begin}{}{end}", cut(inside))
    };
    (part(&old), part(&new))
}

fn cut(text: impl Iterator<Item = char>) -> String {
    let mut text: String = text.take(TEXT.saturating_add(1)).collect();
    if text.chars().count() > TEXT {
        text.pop();
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        let long = "a".repeat(1_000);
        let (old, new) = differing(&format!("{long}x{long}"), &format!("{long}yy{long}"));
        let around = "a".repeat(AROUND);
        assert_eq!((old, new), (format!("…{around}x{around}…"), format!("…{around}yy{around}…")));
        assert_eq!(differing("ab", "abab"), ("ab".to_owned(), "abab".to_owned()));
        assert_eq!(differing(&long, "b").0.chars().count(), TEXT + 1);
    }
}
