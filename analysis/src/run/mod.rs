//! Running a test file.
//!
//! In: the text of a test file, and how to read the files that it names. Out: a [`FileReport`]. Every decision is core's: each run has
//! an engine with counters in memory and a clock that stands still. Reads no file and no clock itself.

mod compare;
mod engine;
mod rerun;
mod subjects;
mod validate;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use callgate::__analysis::{Diagnostics, Span};
use callgate::{Decision, Diagnostic, Explanation};

use crate::lines::Lines;
use crate::report::{FileReport, Problem, Status, TestReport};
use crate::subject::Subject;
use crate::suite::{self, Mode, Place, Run, Suite, Test};
pub(crate) use engine::Change;
use engine::Watch;
pub(crate) use rerun::Rerun;
use subjects::Subjects;

/// How to run tests.
pub struct Options<'o> {
    /// Only tests whose name holds this text.
    pub filter: Option<&'o str>,
    /// Reads a file that a test file names, relative to that file. An error is a sentence.
    pub read: &'o dyn Fn(&str) -> Result<String, String>,
    /// The time since some start, for how long tests take.
    pub elapsed: &'o dyn Fn() -> Duration,
}

/// A call of a run, as it was decided: what measures coverage looks at.
pub struct Observed<'o> {
    /// The policy by which it was decided.
    pub subject: &'o Subject,
    /// The test file, as it was given.
    pub file: &'o str,
    /// The test's name, unique in the file.
    pub test: &'o str,
    /// The tool.
    pub tool: &'o str,
    /// The arguments, as JSON text. Not for logs.
    pub args: Option<&'o str>,
    /// Whether an approval came with it.
    pub approved: bool,
    /// Whether the call was only explained, so that nothing was charged.
    pub explained: bool,
    /// The decision with every check that led to it, before anything was charged.
    pub explanation: &'o Explanation<'o>,
    /// The decision, with what was charged.
    pub decision: &'o Decision<'o>,
}

/// Looks at calls while tests run.
pub type Observer<'o> = dyn FnMut(&Observed<'_>) + 'o;

/// Runs a test file.
pub fn run(path: &str, text: &str, options: &Options<'_>) -> FileReport {
    run_observed(path, text, options, None)
}

/// Runs a test file and lets `observer` look at every call of tests that have to pass: each is explained first, so that it takes longer.
pub fn run_observed(
    path: &str,
    text: &str,
    options: &Options<'_>,
    observer: Option<&mut Observer<'_>>,
) -> FileReport {
    let mut report = FileReport { path: path.to_owned(), text: text.to_owned(), ..FileReport::default() };
    let suite = match suite::read(text) {
        Ok(suite) => suite,
        Err(diagnostics) => {
            report.problems = Problem::all(path, text, diagnostics);
            return report;
        }
    };
    let mut subjects = Subjects::default();
    let chosen: Vec<&Test> = suite.tests.iter().filter(|test| is_chosen(test, options.filter)).collect();
    report.filtered = suite.tests.len().saturating_sub(chosen.len());
    subjects.load(&suite, &chosen, options.read, (path, text), &mut report.problems);
    if !report.problems.is_empty() {
        return report;
    }
    report.policy_warnings = subjects.warnings().collect();
    let stacks = suite.policies.iter().filter(|policy| policy.value.files().len() > 1);
    report.stacks = stacks.map(|policy| policy.value.name().to_owned()).collect();
    report.problems = validate::check(&suite, &chosen, &subjects, (path, text));
    if report.problems.is_empty() {
        let mut runner = Runner {
            suite: &suite,
            subjects: &subjects,
            elapsed: options.elapsed,
            filter: options.filter,
            observer,
            names: Names::default(),
            file: path,
            lines: Lines::new(text),
        };
        for policy in &suite.policies {
            for test in &chosen {
                runner.run_test(policy.value.name(), test, &mut report);
            }
        }
    }
    report.warnings = suite.warnings;
    report
}

/// Whether a test is run, or one of its runs: a filter may name either.
fn is_chosen(test: &Test, filter: Option<&str>) -> bool {
    test.runs.iter().any(|run| is_run(test, run, filter))
}

fn is_run(test: &Test, run: &Run, filter: Option<&str>) -> bool {
    let Some(filter) = filter else { return true };
    test.name.contains(filter)
        || !run.label.is_empty() && format!("{} / {}", test.name, run.label).contains(filter)
}

/// What all tests of a file need.
struct Runner<'r, 'o> {
    suite: &'r Suite,
    subjects: &'r Subjects,
    elapsed: &'r dyn Fn() -> Duration,
    filter: Option<&'r str>,
    observer: Option<&'r mut Observer<'o>>,
    names: Names,
    file: &'r str,
    lines: Lines<'r>,
}

impl Runner<'_, '_> {
    fn run_test(&mut self, policy: &str, test: &Test, report: &mut FileReport) {
        for run in &test.runs {
            // Of several runs, each stands somewhere else.
            let place = match (run.label.is_empty(), run.steps.first()) {
                (false, Some(step)) => &step.place,
                _ => &test.place,
            };
            let (line, column) = self.lines.place(place.start);
            let name = self.names.name(self.suite, policy, test, run);
            if !is_run(test, run, self.filter) {
                continue;
            }
            let mut entry = TestReport {
                name,
                test: test.name.clone(),
                policy: policy.to_owned(),
                line,
                column,
                status: Status::Passed,
                calls: 0,
                seconds: 0.0,
            };
            if let Mode::Skip(reason) = &test.mode {
                entry.status = Status::Skipped(reason.clone());
                report.tests.push(entry);
                continue;
            }
            let start = (self.elapsed)();
            // What is known to fail shows nothing: nobody looks at its calls.
            let is_watched = !matches!(test.mode, Mode::Todo(_));
            entry.status = self.decide(policy, run, is_watched, &mut entry);
            if let Mode::Todo(reason) = &test.mode {
                entry.status = match entry.status {
                    Status::Failed(_) => Status::Todo(reason.clone()),
                    _ => Status::Done(reason.clone()),
                };
            }
            entry.seconds = (self.elapsed)().saturating_sub(start).as_secs_f64();
            report.tests.push(entry);
        }
    }

    fn decide(&mut self, policy: &str, run: &Run, is_watched: bool, entry: &mut TestReport) -> Status {
        let mut execution = engine::Execution {
            suite: self.suite,
            subjects: self.subjects,
            policy,
            run,
            file: self.file,
            test: &entry.name,
            lines: &self.lines,
            calls: 0,
            change: None,
        };
        let failures = match self.observer.as_mut().filter(|_| is_watched) {
            Some(observer) => execution.run(Watch::Explained(&mut **observer)),
            None => {
                let failures = execution.run(Watch::Nobody);
                match failures.is_empty() {
                    true => failures,
                    // Once more, now with every check: decisions do not depend on it.
                    false => {
                        execution.calls = 0;
                        execution.run(Watch::Explained(&mut |_: &Observed<'_>| {}))
                    }
                }
            }
        };
        entry.calls = execution.calls;
        if failures.is_empty() { Status::Passed } else { Status::Failed(failures) }
    }
}

/// The names that runs of a file were given so far.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    /// A name that no other run of the file has.
    fn name(&mut self, suite: &Suite, policy: &str, test: &Test, run: &Run) -> String {
        let mut name = test.name.clone();
        let several = suite.policies.len() > 1;
        for part in [run.label.as_str(), if several { policy } else { "" }] {
            if !part.is_empty() {
                name.push_str(" / ");
                name.push_str(part);
            }
        }
        // A label may read like another test's name.
        let (first, mut number) = (name.clone(), 1_usize);
        while !self.0.insert(name.clone()) {
            number = number.saturating_add(1);
            name = format!("{first} ({number})");
        }
        name
    }
}

impl Problem {
    /// What is wrong with one file.
    fn all(path: &str, text: &str, diagnostics: Vec<Diagnostic>) -> Vec<Self> {
        let text: Arc<str> = text.into();
        let problem = |one: Diagnostic| Self {
            path: path.to_owned(),
            text: text.clone(),
            message: one.message().to_owned(),
            diagnostic: Some(one),
        };
        diagnostics.into_iter().map(problem).collect()
    }
}

/// Complains of places in a test file.
struct Complaints<'t> {
    diagnostics: Diagnostics<'t>,
}

impl<'t> Complaints<'t> {
    fn new(text: &'t str) -> Self {
        Self { diagnostics: Diagnostics::new(text) }
    }

    fn error(&mut self, code: &'static str, place: &Place, message: String, help: Option<String>) {
        let span = Span::new(place.start, place.end);
        self.diagnostics.error(code, span, place.pointer.clone(), message, help);
    }

    fn finish(self, (path, text): (&str, &str)) -> Vec<Problem> {
        Problem::all(path, text, self.diagnostics.finish())
    }
}
