//! What came of a run of tests.
//!
//! In: the outcome of each test. Out: counts, and the same as text for machines. Holds no policy logic.

mod json;
mod junit;
mod markdown;
mod text;

use std::sync::Arc;

use callgate::{Check, Diagnostic};

pub use json::to_json;
pub use junit::to_junit;
pub use markdown::{coverage_to_markdown, inline, to_markdown};

/// What came of one test file.
#[derive(Debug, Default)]
pub struct FileReport {
    /// The file's name, as it was given.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Why it, or a part of it, could not be run.
    pub problems: Vec<Problem>,
    /// What may not mean what the author thinks.
    pub warnings: Vec<Diagnostic>,
    /// Policies that it names and that have warnings, each with how many.
    pub policy_warnings: Vec<(String, usize)>,
    /// The policies of its tests that are stacks, of which coverage is not measured.
    pub stacks: Vec<String>,
    /// The tests, in the order of the file; under several policies, one policy after the other.
    pub tests: Vec<TestReport>,
    /// How many tests the filter left out.
    pub filtered: usize,
}

/// Why a question could not be asked: something is wrong with a file.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The file.
    pub path: String,
    /// Its text; empty where it could not be read.
    pub text: Arc<str>,
    /// What is wrong. Where a file could not be read, only the message says something.
    pub diagnostic: Option<Diagnostic>,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// What came of a test, or of one of its runs.
#[derive(Debug)]
pub struct TestReport {
    /// The test's name, with what tells this run from the others of the file: unique in the file.
    pub name: String,
    /// The name that the file gives the test.
    pub test: String,
    /// The policy's file.
    pub policy: String,
    /// Where the test stands, from 1.
    pub line: u32,
    /// Code points from the start of the line, from 1.
    pub column: u32,
    /// What came of it.
    pub status: Status,
    /// How many calls were made.
    pub calls: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What came of a test.
#[derive(Debug)]
pub enum Status {
    /// All was as expected.
    Passed,
    /// Something was not.
    Failed(Vec<Failure>),
    /// It did not run, for this reason.
    Skipped(String),
    /// It failed, as is known, for this reason.
    Todo(String),
    /// It is marked to fail, for this reason, and passes.
    Done(String),
}

/// A call that was not decided as expected.
#[derive(Debug)]
pub struct Failure {
    /// The bytes of the test file in which the call stands.
    pub range: std::ops::Range<usize>,
    /// The line, from 1.
    pub line: u32,
    /// The column in code points, from 1.
    pub column: u32,
    /// JSON Pointer into the test file.
    pub pointer: String,
    /// The tool.
    pub tool: String,
    /// The arguments, as JSON text. Not for logs.
    pub args: Option<String>,
    /// The caller, as JSON text. Not for logs.
    pub identity: Option<String>,
    /// Which repetition it was, and of how many, where there are several.
    pub turn: Option<(u32, u32)>,
    /// What differs.
    pub differences: Vec<Difference>,
    /// The decision, as JSON text (spec 10.3).
    pub decision: String,
    /// Every check that led to it.
    pub checks: Vec<Check>,
}

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What: a field of the decision, such as `counters[0].used`.
    pub what: String,
    /// What the test expects.
    pub expected: String,
    /// What it found.
    pub actual: String,
}

/// How many tests ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// All was as expected.
    pub passed: usize,
    /// Something was not, or a test that is marked `todo` passed.
    pub failed: usize,
    /// Left out, with a reason.
    pub skipped: usize,
    /// Failed, as is known.
    pub todo: usize,
    /// Left out by the filter.
    pub filtered: usize,
    /// Files, or parts of them, that could not be run.
    pub problems: usize,
    /// Calls that were made.
    pub calls: u64,
}

impl Totals {
    /// Of some files.
    pub fn of(files: &[FileReport]) -> Self {
        let mut totals = Self::default();
        for file in files {
            totals.problems = totals.problems.saturating_add(file.problems.len());
            totals.filtered = totals.filtered.saturating_add(file.filtered);
            for test in &file.tests {
                let count = match test.status {
                    Status::Passed => &mut totals.passed,
                    Status::Failed(_) | Status::Done(_) => &mut totals.failed,
                    Status::Skipped(_) => &mut totals.skipped,
                    Status::Todo(_) => &mut totals.todo,
                };
                *count = count.saturating_add(1);
                totals.calls = totals.calls.saturating_add(test.calls);
            }
        }
        totals
    }

    /// 0 where every test passed, 1 where one failed, 2 where something could not be run, or nothing was.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self { problems: 1.., .. } => 2,
            Self { failed: 1.., .. } => 1,
            Self { passed: 0, todo: 0, .. } => 2,
            _ => 0,
        }
    }
}
