//! Running the tests of a file again, with another policy in the place of one of theirs.
//!
//! In: a test file that ran before, and what is changed. Out: the decisions of each run. Expects nothing of them.

use super::engine::{Change, Decided, Execution, Watch};
use super::subjects::Subjects;
use super::{Names, Observer, Options, is_chosen};
use crate::lines::Lines;
use crate::suite::{self, Mode, Run, Suite, Test};

/// A test file, read once for many runs.
pub(crate) struct Rerun {
    path: String,
    suite: Suite,
    subjects: Subjects,
    /// Its runs: what would be skipped is not among them.
    runs: Vec<Place>,
}

/// Where a run stands in the suite.
struct Place {
    name: String,
    policy: usize,
    test: usize,
    run: usize,
}

impl Rerun {
    /// Reads a test file; `None` where it cannot be run.
    pub(crate) fn read(path: &str, text: &str, options: &Options<'_>) -> Option<Self> {
        let suite = suite::read(text).ok()?;
        let chosen: Vec<&Test> = suite.tests.iter().filter(|test| is_chosen(test, options.filter)).collect();
        let (mut subjects, mut problems) = (Subjects::default(), Vec::new());
        subjects.load(&suite, &chosen, options.read, (path, text), &mut problems);
        let mut names = Names::default();
        let mut runs = Vec::new();
        for (policy, file) in suite.policies.iter().enumerate() {
            for (at, test) in suite.tests.iter().enumerate() {
                if !is_chosen(test, options.filter) {
                    continue;
                }
                for (index, run) in test.runs.iter().enumerate() {
                    let name = names.name(&suite, file.value.name(), test, run);
                    if !matches!(test.mode, Mode::Skip(_)) {
                        runs.push(Place { name, policy, test: at, run: index });
                    }
                }
            }
        }
        let path = path.to_owned();
        problems.is_empty().then_some(Self { path, suite, subjects, runs })
    }

    /// The file, as it was given.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The names of the runs, each of which is found by its index.
    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.runs.iter().map(|run| run.name.as_str())
    }

    /// The tools that are called.
    pub(crate) fn tools(&self) -> impl Iterator<Item = &str> {
        let runs = self.suite.tests.iter().flat_map(|test| &test.runs);
        runs.flat_map(|run| &run.steps).map(|step| step.tool.value.as_str())
    }

    /// The tools that a run calls.
    pub(crate) fn tools_of(&self, run: usize) -> impl Iterator<Item = &str> {
        let run = self.find(run).map(|(_, run)| run);
        run.into_iter().flat_map(|run| &run.steps).map(|step| step.tool.value.as_str())
    }

    /// Shows the decisions of a run.
    pub(crate) fn decide(&self, run: usize, change: &Change<'_>, seen: &mut Decided<'_>) {
        self.execute(run, change, Watch::Decided(seen));
    }

    /// Explains the calls of a run.
    pub(crate) fn explain(&self, run: usize, change: &Change<'_>, observer: &mut Observer<'_>) {
        self.execute(run, change, Watch::Explained(observer));
    }

    fn execute(&self, run: usize, change: &Change<'_>, watch: Watch<'_, '_>) {
        let Some((place, run)) = self.find(run) else { return };
        let Some(policy) = self.suite.policies.get(place.policy) else { return };
        let mut execution = Execution {
            suite: &self.suite,
            subjects: &self.subjects,
            policy: policy.value.name(),
            run,
            file: &self.path,
            test: &place.name,
            // Nobody looks at the places of failures.
            lines: &Lines::new(""),
            calls: 0,
            change: Some(change),
        };
        let _ = execution.run(watch);
    }

    fn find(&self, run: usize) -> Option<(&Place, &Run)> {
        let place = self.runs.get(run)?;
        Some((place, self.suite.tests.get(place.test)?.runs.get(place.run)?))
    }
}
