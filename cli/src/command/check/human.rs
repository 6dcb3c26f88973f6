//! Findings as excerpts, for people.

use std::io::{self, Write};

use super::{Checked, Totals};
use annotate_snippets::Level;

use crate::excerpt::{Excerpts, Placed};
use crate::failure::tell;
use crate::terminal::{Paint, colours, shown};

pub(super) fn write(out: &mut dyn Write, files: &[Checked], totals: Totals) -> io::Result<()> {
    let coloured = colours(&io::stdout());
    let excerpts = Excerpts::new(coloured);
    for checked in files {
        match &checked.file {
            Ok(file) => {
                for diagnostic in &checked.diagnostics {
                    out.write_all(excerpts.excerpt(file, diagnostic).as_bytes())?;
                }
                if let Some(error) = &checked.stack {
                    let text = excerpts.place(&Placed {
                        level: Level::ERROR,
                        title: &error.to_string(),
                        code: Some(error.code()),
                        path: &checked.path,
                        // It is about the whole file.
                        text: "",
                        range: 0..0,
                        line: 1,
                        column: 1,
                        notes: &[],
                        help: None,
                    });
                    out.write_all(text.as_bytes())?;
                }
            }
            Err(error) => {
                out.flush()?;
                tell("error", &error.to_string(), None);
            }
        }
    }
    let paint = match totals {
        Totals { errors: 0, warnings: 0, unreadable: 0 } => Paint::Green,
        Totals { errors: 0, unreadable: 0, .. } => Paint::Yellow,
        _ => Paint::Red,
    };
    writeln!(out, "{}", paint.on(coloured, &summary(files, totals)))
}

/// `policy.yaml: 2 errors, 1 warning`.
fn summary(files: &[Checked], totals: Totals) -> String {
    let subject = match files {
        [one] => shown(&one.path).into_owned(),
        _ => counted(files.len(), "file"),
    };
    let mut parts = Vec::new();
    for (count, what) in
        [(totals.errors, "error"), (totals.warnings, "warning"), (totals.unreadable, "unreadable file")]
    {
        if count > 0 {
            parts.push(counted(count, what));
        }
    }
    let result = if parts.is_empty() { "no errors, no warnings".to_owned() } else { parts.join(", ") };
    format!("{subject}: {result}")
}

fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}
