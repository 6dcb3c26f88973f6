//! `--coverage`: how much of each policy the tests cover.
//!
//! In: calls while tests run. Out: a report for each policy that tests name, and what people see of it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use annotate_snippets::Level;
use callgate_analysis::coverage::{Coverage, CoverageReport, PointReport, TestFile, dependence};
use callgate_analysis::report::FileReport;
use callgate_analysis::subject::Subject;
use callgate_analysis::{Observed, Options};

use crate::excerpt::{Excerpts, Placed};
use crate::failure::{FAILED, Failure, NO, tell};
use crate::input::read_file;
use crate::terminal::{Paint, colours, shown};

/// Coverage of all policies, by their files.
#[derive(Default)]
pub(super) struct Covered {
    policies: BTreeMap<PathBuf, Policy>,
}

struct Policy {
    /// The file, as it is reached from the first test file that names it.
    shown: String,
    text: String,
    coverage: Coverage,
    /// The test files that are about it, and do not only load it on the way.
    files: Vec<File>,
}

impl Policy {
    fn new(path: &Path, subject: &Subject) -> Self {
        Self {
            shown: path.display().to_string(),
            text: subject.text.clone(),
            coverage: Coverage::new(subject),
            files: Vec::new(),
        }
    }
}

/// A test file, to run it once more.
struct File {
    path: String,
    folder: PathBuf,
    text: String,
}

/// The report of a policy, with its text.
pub(super) struct Report {
    pub(super) report: CoverageReport,
    text: String,
    /// Why it is not known what decisions depend on.
    missed: Option<String>,
}

/// Finds the covered outcomes on which no decision depends.
fn dependence_of(report: &mut CoverageReport, text: &str, files: &[File]) -> Result<(), String> {
    let subject = Subject::new(&report.path, text).map_err(|error| error.to_string())?;
    type Read<'f> = Box<dyn Fn(&str) -> Result<String, String> + 'f>;
    let read = |file: &'_ File| -> Read<'_> {
        let folder = file.folder.clone();
        Box::new(move |name| read_file(&folder.join(name)).map_err(Failure::sentence))
    };
    let reads: Vec<Read<'_>> = files.iter().map(read).collect();
    let options: Vec<Options<'_>> = reads
        .iter()
        .map(|read| Options { filter: None, read: &**read, elapsed: &|| Duration::ZERO })
        .collect();
    let files: Vec<TestFile<'_>> = files
        .iter()
        .zip(&options)
        .map(|(file, options)| TestFile { path: &file.path, text: &file.text, options })
        .collect();
    dependence(report, &subject, &files)
}

impl Covered {
    /// Looks at a call that a test file in `folder` makes.
    pub(super) fn observe(&mut self, folder: &Path, observed: &Observed<'_>) {
        if observed.subject.is_stack() {
            return;
        }
        let path = folder.join(&observed.subject.path);
        // Two ways to one file are one policy.
        let key = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        let policy = self.policies.entry(key).or_insert_with(|| Policy::new(&path, observed.subject));
        policy.coverage.observe(observed);
    }

    /// Notes which policies the tests of a file are about. One that decided no call is covered nowhere, which has to be seen.
    pub(super) fn name(&mut self, folder: &Path, file: &FileReport) -> Result<(), String> {
        let named: BTreeSet<&str> = file.tests.iter().map(|test| &*test.policy).collect();
        let is_stack = |name: &&str| file.stacks.iter().any(|stack| stack == *name);
        for stack in named.iter().filter(|name| is_stack(name)) {
            let what = format!("{}: coverage of a stack is not measured: {stack}", file.path);
            tell("note", &what, Some("test each of its policies by itself, too"));
        }
        let named = named.into_iter().filter(|name| !is_stack(name));
        for name in named {
            let path = folder.join(name);
            let key = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            let policy = match self.policies.entry(key) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let text = read_file(&path).map_err(Failure::sentence)?;
                    let subject = Subject::new(name, &text).map_err(|error| error.to_string())?;
                    place.insert(Policy::new(&path, &subject))
                }
            };
            let (path, text) = (file.path.clone(), file.text.clone());
            policy.files.push(File { path, folder: folder.to_owned(), text });
        }
        Ok(())
    }

    /// The reports, by file. `depends`: also what no decision depends on, for which the tests run again.
    pub(super) fn finish(self, depends: bool) -> Vec<Report> {
        let named = self.policies.into_values().filter(|policy| !policy.files.is_empty());
        let report = |policy: Policy| {
            let mut report = policy.coverage.finish();
            if depends && io::stderr().is_terminal() {
                // Tests run again for each outcome, which takes long where one test calls many tools.
                let outcomes = report.hit;
                eprintln!("{}: trying what depends on each of {outcomes} outcomes", shown(&policy.shown));
            }
            let missed = match depends {
                true => dependence_of(&mut report, &policy.text, &policy.files).err(),
                false => None,
            };
            report.path = policy.shown;
            Report { report, text: policy.text, missed }
        };
        named.map(report).collect()
    }
}

/// The exit status of a run that would end with `status` without coverage. Says why it is another one.
pub(super) fn judge(reports: &[Report], min: Option<u32>, status: u8) -> u8 {
    if let Some(why) = unrecognised(reports) {
        tell("error", &why, Some("this is a defect of callgate: please report it"));
        return FAILED;
    }
    let short = min.filter(|_| status == 0).and_then(|min| shortfall(reports, min));
    let Some(why) = short else { return status };
    tell("error", &format!("coverage is {why}"), None);
    NO
}

/// What explanations said that coverage cannot read, so that its figures may be wrong.
fn unrecognised(reports: &[Report]) -> Option<String> {
    let words: BTreeSet<String> = reports
        .iter()
        .flat_map(|policy| policy.report.unrecognised.iter().map(|word| format!("`{word}`")))
        .collect();
    let words: Vec<String> = words.into_iter().collect();
    (!words.is_empty()).then(|| format!("coverage cannot read these outcomes: {}", words.join(", ")))
}

/// Why coverage is not enough; `None` where it is. Nothing reaches anything where no policy is covered.
fn shortfall(reports: &[Report], min: u32) -> Option<String> {
    if reports.is_empty() {
        return Some(format!("less than {min} %: no policy is under test"));
    }
    let short = reports.iter().filter(|policy| !policy.report.reaches(min));
    let short: Vec<String> = short.map(|policy| line(&policy.report)).collect();
    (!short.is_empty()).then(|| format!("less than {min} %: {}", short.join("; ")))
}

/// Writes an LCOV tracefile.
pub(super) fn write_lcov(reports: &[Report], path: &Path) -> Result<(), Failure> {
    let text: String = reports.iter().map(|policy| policy.report.to_lcov()).collect();
    fs::write(path, text).map_err(|error| Failure::reading(path, &error))
}

/// `payments.yaml: 38 of 40 points (95 %)`.
fn line(report: &CoverageReport) -> String {
    let percent = report.hit.saturating_mul(100).checked_div(report.total).unwrap_or_default();
    format!("{}: {} of {} points ({percent} %)", report.path, report.hit, report.total)
}

/// What is not covered, for people; with `verbose` every place, and how near the tests come to bounds.
pub(super) fn write(out: &mut dyn Write, reports: &[Report], verbose: bool) -> io::Result<()> {
    let coloured = colours(&io::stdout());
    let excerpts = Excerpts::new(coloured);
    for policy in reports {
        let report = &policy.report;
        let paint = if report.hit == report.total { Paint::Green } else { Paint::Yellow };
        writeln!(out, "\ncoverage  {}", paint.on(coloured, &shown(&line(report))))?;
        if verbose {
            write_places(out, report, coloured)?;
            write_margins(out, report)?;
        }
        for point in report.gaps() {
            let title = format!("not covered: {} {}", place_of(point), point.branch.as_str());
            let notes: Vec<String> = point.gap.iter().map(ToString::to_string).collect();
            let text = excerpts.place(&Placed {
                level: Level::WARNING,
                title: &title,
                code: None,
                path: &report.path,
                text: &policy.text,
                range: point.range.clone(),
                line: point.line,
                column: point.column,
                notes: &notes,
                help: None,
            });
            write!(out, "{text}")?;
        }
        for point in report.points.iter().filter(|point| point.same.is_some()) {
            let (place, by) = (place_of(point), point.same.as_deref().unwrap_or_default());
            let what = format!(
                "{place} {}: no decision depends on it, {by} decides the same",
                point.branch.as_str()
            );
            writeln!(out, "{}  {}", Paint::Yellow.on(coloured, "covered, but"), shown(&what))?;
        }
        for point in &report.points {
            let Some(why) = &point.untried else { continue };
            let (place, branch) = (place_of(point), point.branch.as_str());
            writeln!(
                out,
                "not known whether a decision depends on {}",
                shown(&format!("{place} {branch}: {why}"))
            )?;
        }
        if let Some(why) = &policy.missed {
            writeln!(out, "not known on which outcomes decisions depend: {}", shown(why))?;
        }
    }
    Ok(())
}

/// A line for each place: its outcomes with how often each was seen.
fn write_places(out: &mut dyn Write, report: &CoverageReport, coloured: bool) -> io::Result<()> {
    let mut points = report.points.iter().peekable();
    while let Some(first) = points.next() {
        let mut outcomes = vec![outcome_of(first, coloured)];
        while let Some(next) = points.next_if(|next| next.pointer == first.pointer && next.kind == first.kind)
        {
            outcomes.push(outcome_of(next, coloured));
        }
        // Conditions stand below their rule.
        let indent = if first.pointer == first.rule { "  " } else { "    " };
        writeln!(out, "{indent}{}  {}", shown(&place_of(first)), outcomes.join(", "))?;
    }
    Ok(())
}

fn outcome_of(point: &PointReport, coloured: bool) -> String {
    let paint = if point.gap.is_some() { Paint::Yellow } else { Paint::Green };
    let unknown = if point.unknown > 0 { format!(" ({} unknown)", point.unknown) } else { String::new() };
    paint.on(coloured, &format!("{} {}{unknown}", point.branch.as_str(), point.count)).into_owned()
}

fn place_of(point: &PointReport) -> String {
    match &point.name {
        Some(name) if point.pointer == point.rule => format!("{} \"{name}\"", point.kind.as_str()),
        // The text of an entry, a limit and the default says so itself.
        _ if point.text.starts_with(point.kind.as_str()) => point.text.clone(),
        _ => format!("{} {}", point.kind.as_str(), point.text),
    }
}

fn write_margins(out: &mut dyn Write, report: &CoverageReport) -> io::Result<()> {
    for margin in &report.margins {
        let sides = [
            margin.below.as_ref().map(|below| format!("{below} below")),
            margin.at.then(|| "the bound itself".to_owned()),
            margin.above.as_ref().map(|above| format!("{above} above")),
        ];
        let tried: Vec<String> = sides.into_iter().flatten().collect();
        writeln!(out, "  nearest to {} in {}: {}", margin.bound, shown(&margin.text), tried.join(", "))?;
    }
    Ok(())
}

/// The reports as JSON.
pub(super) fn to_json(reports: &[Report], verbose: bool) -> serde_json::Value {
    reports.iter().map(|policy| policy.report.to_value(verbose)).collect()
}

/// What is not covered, as Markdown.
pub(super) fn to_markdown(reports: &[Report]) -> String {
    let reports: Vec<&CoverageReport> = reports.iter().map(|policy| &policy.report).collect();
    callgate_analysis::report::coverage_to_markdown(&reports)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An outcome that coverage cannot read is a defect, and never a figure.
    #[test]
    fn what_cannot_be_read_fails_the_run() {
        let text = "{version: '1', default: deny, tools: {a: {}}}";
        let report = Coverage::new(&Subject::new("p.yaml", text).unwrap()).finish();
        let mut reports = vec![Report { report, text: text.to_owned(), missed: None }];
        assert_eq!((judge(&reports, None, 0), judge(&reports, None, NO)), (0, NO));
        assert_eq!((judge(&reports, Some(1), 0), judge(&[], Some(1), 0)), (NO, NO));
        reports[0].report.unrecognised = vec!["sleeps at /tools/a".to_owned()];
        assert_eq!(
            unrecognised(&reports).unwrap(),
            "coverage cannot read these outcomes: `sleeps at /tools/a`"
        );
        assert_eq!((judge(&reports, None, 0), judge(&reports, Some(1), NO)), (FAILED, FAILED));
    }
}
