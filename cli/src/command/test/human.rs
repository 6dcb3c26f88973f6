//! Results for people: a line for each file, then what failed, with excerpts.

use std::io::{self, Write};
use std::time::Duration;

use annotate_snippets::Level;
use callgate_analysis::report::{Failure, FileReport, Status, TestReport, Totals};

use crate::excerpt::{Excerpts, Placed};
use crate::show::write_tree;
use crate::terminal::{Paint, colours, grouped, shown};

/// Writes results while they come.
pub(super) struct Human {
    verbose: bool,
    coloured: bool,
    excerpts: Excerpts,
}

impl Human {
    pub(super) fn new(verbose: bool) -> Self {
        let coloured = colours(&io::stdout());
        Self { verbose, coloured, excerpts: Excerpts::new(coloured) }
    }

    /// What came of a file.
    pub(super) fn write_file(&mut self, out: &mut dyn Write, file: &FileReport) -> io::Result<()> {
        let totals = Totals::of(std::slice::from_ref(file));
        // Of a file in which the filter leaves nothing, there is nothing to say.
        if file.tests.is_empty() && file.problems.is_empty() && !self.verbose {
            return Ok(());
        }
        let paint = paint_of(&totals);
        writeln!(out, "{}  {}", shown(&file.path), paint.on(self.coloured, &totals.summary()))?;
        for warning in &file.warnings {
            write!(out, "{}", self.excerpts.finding(&file.path, &file.text, warning))?;
        }
        for (path, count) in &file.policy_warnings {
            let s = if *count == 1 { "" } else { "s" };
            let what = format!("{path} has {count} warning{s}: `callgate check` shows them");
            writeln!(out, "  {}", Paint::Yellow.on(self.coloured, &shown(&what)))?;
        }
        for problem in &file.problems {
            match &problem.diagnostic {
                Some(one) => write!(out, "{}", self.excerpts.finding(&problem.path, &problem.text, one))?,
                None => {
                    writeln!(out, "{}: {}", Paint::Red.on(self.coloured, "error"), shown(&problem.message))?
                }
            }
        }
        for test in &file.tests {
            self.write_test(out, file, test)?;
        }
        Ok(())
    }

    fn write_test(&self, out: &mut dyn Write, file: &FileReport, test: &TestReport) -> io::Result<()> {
        let (word, paint, reason) = match &test.status {
            Status::Passed if !self.verbose => return Ok(()),
            Status::Passed => ("passed", Paint::Green, None),
            Status::Skipped(reason) => ("skipped", Paint::Yellow, Some(reason.clone())),
            Status::Todo(reason) => ("todo", Paint::Yellow, Some(reason.clone())),
            Status::Done(_) => ("failed", Paint::Red, test.done()),
            Status::Failed(failures) => {
                writeln!(out)?;
                for failure in failures {
                    self.write_failure(out, file, test, failure)?;
                }
                return Ok(());
            }
        };
        let word = paint.on(self.coloured, word);
        let reason = reason.map_or_else(String::new, |reason| format!(": {}", shown(&reason)));
        writeln!(out, "  {word}  {}{reason}", shown(&test.name))
    }

    fn write_failure(
        &self,
        out: &mut dyn Write,
        file: &FileReport,
        test: &TestReport,
        failure: &Failure,
    ) -> io::Result<()> {
        let mut notes = failure.lines();
        if self.verbose {
            notes.push(format!("arguments {}", failure.args.as_deref().unwrap_or("absent")));
            notes.push(format!("identity {}", failure.identity.as_deref().unwrap_or("absent")));
        }
        let title = format!("failed: {}", test.name);
        let text = self.excerpts.place(&Placed {
            level: Level::ERROR,
            title: &title,
            code: None,
            path: &file.path,
            text: &file.text,
            range: failure.range.clone(),
            line: failure.line,
            column: failure.column,
            notes: &notes,
            help: None,
        });
        write!(out, "{}", text.trim_end_matches('\n'))?;
        writeln!(out, "\n{}, {}", Paint::Dim.on(self.coloured, "checks"), shown(&failure.tool))?;
        write_tree(out, &failure.checks, self.coloured)?;
        if failure.checks.is_empty() {
            writeln!(out, "└─ nothing in the policy was checked")?;
        }
        writeln!(out)
    }

    /// The line at the end.
    pub(super) fn write_totals(
        &self,
        out: &mut dyn Write,
        totals: &Totals,
        took: Duration,
    ) -> io::Result<()> {
        let paint = paint_of(totals);
        let calls = grouped(totals.calls);
        let s = if totals.calls == 1 { "" } else { "s" };
        writeln!(
            out,
            "{}; {calls} call{s} in {:.2} s",
            paint.on(self.coloured, &totals.summary()),
            took.as_secs_f64()
        )
    }
}

fn paint_of(totals: &Totals) -> Paint {
    match totals {
        Totals { failed: 1.., .. } | Totals { problems: 1.., .. } => Paint::Red,
        Totals { passed: 0, .. } => Paint::Yellow,
        _ => Paint::Green,
    }
}
