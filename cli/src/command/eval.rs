//! `callgate eval`: decisions, of one call or of a stream of them.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::output;
use crate::args::{EvalArgs, EvalFormat};
use crate::call::GivenCall;
use crate::failure::{FAILED, Failure, NO, Outcome, answered, tell};
use crate::lines::Lines;
use crate::session::Session;
use crate::show::{Decided, Summary, Table, write_decision};
use crate::terminal::{colours, grouped};

pub(crate) fn run(args: &EvalArgs) -> Outcome {
    let session = Session::load(&args.policy, &args.store)?;
    let mut out = output();
    let mut report = Report::new(args);
    let code = match (&args.calls, &args.tool) {
        (Some(path), _) => {
            session_time(&session, args);
            if path == Path::new("-") {
                stream(&session, Lines::new(io::stdin().lock()), path, &mut report, &mut out)?;
            } else {
                let file = File::open(path).map_err(|error| Failure::reading(path, &error))?;
                stream(&session, Lines::new(file), path, &mut report, &mut out)?;
            }
            if report.summary.not_valid() == 0 { 0 } else { FAILED }
        }
        (None, tool) => {
            let given = GivenCall::from_arguments(tool.as_deref().unwrap_or_default(), &args.call)?;
            if report.decide(&session, &given, &mut out)? { 0 } else { NO }
        }
    };
    answered(report.finish(&mut out), code)
}

/// Where a stream begins, if it is said.
fn session_time(session: &Session, args: &EvalArgs) {
    args.call.at.into_iter().for_each(|at| session.set_clock(at));
}

fn stream<R: Read>(
    session: &Session,
    mut lines: Lines<R>,
    path: &Path,
    report: &mut Report,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut progress = Progress::new();
    loop {
        if lines.may_wait() {
            // If the stream is slow, show what was decided so far.
            out.flush()?;
        }
        if !lines.advance().map_err(|error| Failure::reading(path, &error))? {
            progress.clear();
            return Ok(());
        }
        match lines.call() {
            Ok(given) => {
                report.decide(session, &given, out)?;
            }
            Err(error) => {
                report.summary.add_not_valid();
                progress.clear();
                let column = error.column.map(|column| format!(":{column}")).unwrap_or_default();
                let place = format!("{}:{}{column}", path.display(), lines.number());
                tell("error", &format!("{place}: {}", error.message), None);
            }
        }
        progress.show(lines.number());
    }
}

/// Shows decisions in the format that was asked for.
struct Report {
    format: EvalFormat,
    coloured: bool,
    table: Table,
    summary: Summary,
    with_summary: bool,
}

impl Report {
    fn new(args: &EvalArgs) -> Self {
        let coloured = colours(&io::stdout());
        Self {
            format: args.format,
            coloured,
            table: Table::new(coloured),
            summary: Summary::default(),
            with_summary: args.summary,
        }
    }

    /// Decides a call, prints the decision, and returns whether the call may run.
    fn decide(
        &mut self,
        session: &Session,
        given: &GivenCall<'_>,
        out: &mut impl Write,
    ) -> Result<bool, Failure> {
        let decision = session.decide(given);
        let label = given.label();
        let decided = Decided { at: session.now(), identity: label.as_deref(), decision: &decision };
        if self.format == EvalFormat::Human && self.summary.decided() > 0 {
            writeln!(out)?;
        }
        self.summary.add(&decided);
        match self.format {
            EvalFormat::Human => write_decision(out, &decided, self.coloured)?,
            EvalFormat::Json => writeln!(out, "{}", decision.to_json())?,
            EvalFormat::Table => self.table.add(out, &decided)?,
        }
        Ok(decision.allowed())
    }

    fn finish(self, out: &mut impl Write) -> Result<(), Failure> {
        let Self { format, table, summary, with_summary, .. } = self;
        match format {
            EvalFormat::Human => {}
            EvalFormat::Table => table.finish(out)?,
            // Standard output holds decisions and nothing else, one a line.
            EvalFormat::Json => {
                out.flush()?;
                if with_summary {
                    let _ = summary.write(&mut io::stderr().lock());
                }
                return Ok(());
            }
        }
        if with_summary {
            if format == EvalFormat::Human && summary.decided() > 0 {
                writeln!(out)?;
            }
            summary.write(out)?;
        } else if format == EvalFormat::Table && summary.decided() > 0 {
            writeln!(out, "{}", summary.total())?;
        }
        Ok(out.flush()?)
    }
}

/// The progress of a long stream.
struct Progress {
    /// Not shown: standard error is not a terminal, or progress would stand between the decisions.
    silent: bool,
    due: Instant,
    visible: bool,
}

impl Progress {
    const EVERY: Duration = Duration::from_millis(250);
    /// Lines between two readings of the clock.
    const LINES: u64 = 1_024;

    fn new() -> Self {
        let silent = !io::stderr().is_terminal() || io::stdout().is_terminal();
        Self { silent, due: after(Self::EVERY), visible: false }
    }

    fn show(&mut self, lines: u64) {
        if self.silent || !lines.is_multiple_of(Self::LINES) || Instant::now() < self.due {
            return;
        }
        let _ = write!(io::stderr().lock(), "\r{} lines", grouped(lines));
        self.due = after(Self::EVERY);
        self.visible = true;
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.visible) {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[2K");
        }
    }
}

fn after(pause: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(pause).unwrap_or(now)
}
