//! `callgate test`: runs tests of policies.
//!
//! In: test files, and folders of them. Out: what passed and what failed. Must not decide anything: the runner of `callgate-analysis`
//! does, by core.

mod coverage;
mod find;
mod human;
mod watch;

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use callgate_analysis::report::{FileReport, Totals, to_json, to_junit, to_markdown};
use callgate_analysis::{Observed, Options, run as run_file, run_observed};

use super::{Unread, output};
use crate::args::{TestArgs, TestFormat};
use crate::failure::{FAILED, Failure, Outcome, answered, tell};
use crate::input::read_file;
use coverage::Covered;
use watch::Seen;

pub(crate) fn run(args: &TestArgs) -> Outcome {
    if args.watch {
        return watch::run(args);
    }
    once(args, &mut Seen::default())
}

/// Runs all tests once. Notes the files that are read.
fn once(args: &TestArgs, seen: &mut Seen) -> Outcome {
    let mut out = Unread(output());
    let files = find::test_files(&args.paths)?;
    let mut human = human::Human::new(args.verbose);
    let mut reports = Vec::new();
    let mut covered = args.coverage.then(Covered::default);
    let start = Instant::now();
    for path in &files {
        let report = report_of(path, args.filter.as_deref(), start, seen, covered.as_mut());
        if args.format == TestFormat::Human {
            human.write_file(&mut out, &report)?;
            // A run of many files shows how far it is.
            out.flush()?;
        }
        reports.push(report);
    }
    let totals = Totals::of(&reports);
    // What is wrong already hides what decisions depend on.
    let depends = totals.exit_code() == 0;
    let covered = covered.map(|covered| covered.finish(depends));
    let written = write(&mut out, args, &reports, covered.as_deref(), |out| {
        human.write_totals(out, &totals, start.elapsed())
    });
    let written = written.and_then(|()| out.flush()).map_err(Failure::from);
    if let (Some(path), Some(covered)) = (&args.lcov, &covered) {
        coverage::write_lcov(covered, path)?;
    }
    let status = totals.exit_code();
    let status = covered.map_or(status, |covered| coverage::judge(&covered, args.min, status));
    let code = answered(written, status)?;
    explain_nothing(args, &totals);
    Ok(code)
}

/// Writes what was not written while tests ran.
fn write(
    out: &mut dyn Write,
    args: &TestArgs,
    reports: &[FileReport],
    covered: Option<&[coverage::Report]>,
    write_totals: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    match args.format {
        TestFormat::Human => {
            write_totals(out)?;
            covered.map_or(Ok(()), |covered| coverage::write(out, covered, args.verbose))
        }
        TestFormat::Json => {
            let mut json = to_json(reports);
            if let (Some(covered), Some(json)) = (covered, json.as_object_mut()) {
                json.insert("coverage".to_owned(), coverage::to_json(covered, args.verbose));
            }
            writeln!(out, "{json}")
        }
        TestFormat::Junit => out.write_all(to_junit(reports).as_bytes()),
        TestFormat::Markdown => {
            out.write_all(to_markdown(reports).as_bytes())?;
            covered.map_or(Ok(()), |covered| out.write_all(coverage::to_markdown(covered).as_bytes()))
        }
    }
}

/// Says why nothing ran: a run that tested nothing must not look like one that passed.
fn explain_nothing(args: &TestArgs, totals: &Totals) {
    if totals.exit_code() != FAILED || totals.problems > 0 {
        return;
    }
    match (&args.filter, totals.skipped) {
        (Some(filter), 0) => tell(
            "error",
            &format!("no test has `{filter}` in its name"),
            Some("`callgate test --verbose` shows the names"),
        ),
        _ => tell("error", "nothing ran: every test is skipped", None),
    }
}

fn report_of(
    path: &Path,
    filter: Option<&str>,
    start: Instant,
    seen: &mut Seen,
    covered: Option<&mut Covered>,
) -> FileReport {
    let shown = path.display().to_string();
    seen.note(path);
    let text = match read_file(path) {
        Ok(text) => text,
        Err(failure) => return FileReport::unreadable(&shown, &failure.sentence()),
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let seen = std::cell::RefCell::new(seen);
    let options = Options {
        filter,
        read: &|file| {
            let path = folder.join(file);
            seen.borrow_mut().note(&path);
            read_file(&path).map_err(|failure| failure.sentence())
        },
        elapsed: &|| start.elapsed(),
    };
    let mut report = match covered {
        None => run_file(&shown, &text, &options),
        Some(covered) => {
            let mut observer = |observed: &Observed<'_>| covered.observe(folder, observed);
            let report = run_observed(&shown, &text, &options, Some(&mut observer));
            match covered.name(folder, &report) {
                Ok(()) => report,
                Err(why) => return FileReport::unreadable(&shown, &why),
            }
        }
    };
    for (path, _) in &mut report.policy_warnings {
        *path = folder.join(&path).display().to_string();
    }
    for problem in report.problems.iter_mut().filter(|problem| problem.path != shown) {
        problem.path = folder.join(&problem.path).display().to_string();
    }
    report
}
